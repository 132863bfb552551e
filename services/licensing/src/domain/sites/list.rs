//! The list: what confirmed decisions add up to.

mod past;
mod zone;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contracts::{OperatorId, UnixMillis};
use jiff::civil::Date;

use super::domain_name::DomainName;
use super::licensed::Licensed;
use super::measure::{Measure, Place};
use super::public_suffix::PublicSuffix;
use super::rpz::Zone;
use super::serial::Serial;
use super::standing::{Entry, Lifting, Resolution, Standing, Step, What};
use super::subject::Subject;

/// The block list. Everything large in it is shared, so a copy costs some pointers a subject.
#[derive(Debug, Clone)]
pub struct BlockList {
    origin: Serial,
    revisions: Vec<Arc<Revision>>,
    subjects: BTreeMap<Subject, Dossier>,
    announced: BTreeSet<(Date, Subject)>,
    blocked: usize,
    /// The forms that the zone was set to, each with the revision that this made.
    zones: Vec<(usize, Arc<Zone>)>,
}

/// A change of what is in force, or of the form in which the zone tells it.
#[derive(Debug)]
struct Revision {
    at: UnixMillis,
    /// What came into force or went out of it.
    touched: Vec<Subject>,
}

/// All that was decided about a subject.
#[derive(Debug, Clone)]
struct Dossier {
    /// A domain as people read it, where that is another text.
    in_unicode: Option<Arc<str>>,
    steps: Arc<[Step]>,
}

/// Why a part of a measure can't be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Which part.
    pub place: Place,
    /// Its subject.
    pub subject: Subject,
    /// What is in the way.
    pub reason: Obstacle,
}

/// What is in the way of a part of a measure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// An entry about it has not ended.
    #[error("it is in the list")]
    AlreadyListed,
    /// Others have their domains under it, by the word of a registry.
    #[error("it is a public suffix: block the domains under it one by one")]
    PublicSuffix,
    /// There is no entry about it that could end.
    #[error("it is not in the list")]
    NotListed,
    /// A licensed domain is the same, above or below: the block would take it or a part of it away.
    #[error("{domain} is licensed to operator {operator}")]
    Licensed {
        /// The licensed domain.
        domain: DomainName,
        /// Whose it is.
        operator: OperatorId,
    },
}

impl BlockList {
    /// A list with nothing in it. The first revision gets the serial after `origin`.
    pub fn new(origin: Serial) -> Self {
        let (subjects, announced) = (BTreeMap::new(), BTreeSet::new());
        Self { origin, revisions: Vec::new(), subjects, announced, blocked: 0, zones: Vec::new() }
    }

    /// The serial: one more for every change of what is in force, and of the form of the zone.
    pub fn serial(&self) -> Serial {
        self.origin.after(self.revisions.len())
    }

    /// When the serial went on last. `None` when it never did.
    pub fn changed_at(&self) -> Option<UnixMillis> {
        self.revisions.last().map(|revision| revision.at)
    }

    /// How many subjects are blocked.
    pub fn blocked(&self) -> usize {
        self.blocked
    }

    /// How many subjects something was decided about.
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether nothing was ever decided.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// What is in the way of a measure, with the licensed domains if they are to be looked at.
    pub fn conflicts(&self, measure: &Measure, licensed: Option<&Licensed>) -> Vec<Conflict> {
        let blocks = measure.blocks().iter().enumerate().filter_map(|(n, block)| {
            let reason = if self.standing(&block.subject).is_listed() {
                Obstacle::AlreadyListed
            } else {
                let (licensed, site) = (licensed?, block.subject.site()?);
                match (site.public_suffix(), licensed.touched(site)) {
                    // By its owner's word alone: a list that anybody can add to must keep nothing from being blocked.
                    (Some(PublicSuffix::Registry), _) => Obstacle::PublicSuffix,
                    (_, Some((domain, operator))) => Obstacle::Licensed { domain: domain.clone(), operator },
                    _ => return None,
                }
            };
            Some(Conflict { place: Place::Block(n), subject: block.subject.clone(), reason })
        });
        let lifts = measure.lifts().iter().enumerate().filter_map(|(n, lift)| {
            let (place, subject) = (Place::Lift(n), lift.subject.clone());
            let listed = self.standing(&subject).is_listed();
            (!listed).then_some(Conflict { place, subject, reason: Obstacle::NotListed })
        });
        blocks.chain(lifts).collect()
    }

    /// Carries out a measure without [`BlockList::conflicts`], which its caller has seen to, on a day.
    pub(super) fn carry_out(&mut self, measure: &Measure, by: &Arc<Resolution>, day: Date) {
        let mut steps = Vec::new();
        let mut touched = Vec::new();
        for block in measure.blocks() {
            let entry = Arc::new(Entry {
                evidence: block.evidence.clone(),
                by: Arc::clone(by),
                blocked_from: block.blocked_from,
            });
            if block.blocked_from > day {
                self.announced.insert((block.blocked_from, block.subject.clone()));
                steps.push((block.subject.clone(), What::Announced(entry)));
            } else {
                touched.push(block.subject.clone());
                steps.push((block.subject.clone(), What::Blocked(entry)));
            }
        }
        self.blocked += touched.len();
        for lift in measure.lifts() {
            let Some(step) = self.last_step(&lift.subject) else { continue };
            let (entry, was_blocked) = (Arc::clone(step.entry()), step.standing().is_blocked());
            if was_blocked {
                self.blocked -= 1;
                touched.push(lift.subject.clone());
            } else {
                let no_longer = (entry.blocked_from, lift.subject.clone());
                self.announced.remove(&no_longer);
            }
            let lifting = Lifting { reason: lift.reason.clone(), by: Arc::clone(by) };
            steps.push((lift.subject.clone(), What::Lifted(entry, Arc::new(lifting))));
        }
        self.revise(by.at, touched, steps);
    }

    /// Whether an announced entry's day has come.
    pub fn is_due(&self, day: Date) -> bool {
        self.announced.first().is_some_and(|(from, _)| *from <= day)
    }

    /// Puts in force what was announced for a day, or for one before it.
    pub(super) fn begin(&mut self, day: Date, at: UnixMillis) {
        let mut touched = Vec::new();
        while self.is_due(day) {
            touched.extend(self.announced.pop_first().map(|(_, subject)| subject));
        }
        let begun =
            |subject: &Subject| Some((subject.clone(), What::Blocked(Arc::clone(self.last_step(subject)?.entry()))));
        let steps = touched.iter().filter_map(begun).collect();
        self.blocked += touched.len();
        self.revise(at, touched, steps);
    }

    fn revise(&mut self, at: UnixMillis, touched: Vec<Subject>, steps: Vec<(Subject, What)>) {
        if !touched.is_empty() {
            self.revisions.push(Arc::new(Revision { at, touched }));
        }
        let revision = self.revisions.len();
        for (subject, what) in steps {
            let next = std::iter::once(Step { revision, what });
            match self.subjects.get_mut(&subject) {
                Some(dossier) => dossier.steps = dossier.steps.iter().cloned().chain(next).collect(),
                None => {
                    let in_unicode = subject.site().and_then(DomainName::in_unicode).map(Arc::from);
                    self.subjects.insert(subject, Dossier { in_unicode, steps: next.collect() });
                }
            }
        }
    }

    /// How a subject stands in the list, by itself alone.
    pub fn standing(&self, subject: &Subject) -> Standing<'_> {
        self.last_step(subject).map_or(Standing::Unlisted, Step::standing)
    }

    /// Everything something was decided about, after a subject if one is given; sites in DNS order, then accounts.
    pub fn all(&self, after: Option<&Subject>) -> impl Iterator<Item = Row<'_>> + Clone {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.subjects.range((from, std::ops::Bound::Unbounded)).map(|(subject, dossier)| Row {
            subject,
            in_unicode: dossier.in_unicode.as_deref(),
            standing: dossier.steps.last().map_or(Standing::Unlisted, Step::standing),
        })
    }

    /// What is blocked, in the order of [`BlockList::all`].
    pub fn in_force(&self) -> impl Iterator<Item = (&Subject, &Entry)> + Clone {
        self.all(None).filter_map(|row| match row.standing {
            Standing::Blocked(entry) => Some((row.subject, entry)),
            _ => None,
        })
    }

    /// A listed domain that a licence for `domain` would touch: above it, the same, or below it.
    pub fn touched(&self, domain: &DomainName) -> Option<&DomainName> {
        let above = std::iter::once(domain.clone()).chain(domain.parents());
        let above = above.filter_map(|name| self.subjects.get_key_value(&Subject::Site(name)));
        let below = self.subjects.range(Subject::Site(domain.clone())..);
        let below = below.take_while(|(subject, _)| subject.site().is_some_and(|name| name.is_within(domain)));
        let listed =
            |(_, dossier): &(&Subject, &Dossier)| dossier.steps.last().is_some_and(|s| s.standing().is_listed());
        above.chain(below).find(listed).and_then(|(subject, _)| subject.site())
    }

    /// How many revisions lie after a serial; `None` when that is none of this list's.
    pub(super) fn revisions_since(&self, since: Serial) -> Option<usize> {
        let changes = usize::try_from(self.serial().changes_since(since)?).ok()?;
        (changes <= self.revisions.len()).then_some(changes)
    }

    /// What the last so many revisions touched, a subject as often as it was.
    pub(super) fn touched_in_last(&self, revisions: usize) -> impl Iterator<Item = &Subject> {
        self.revisions.iter().rev().take(revisions).flat_map(|revision| &revision.touched)
    }

    /// The sites that were blocked at a revision, in DNS order.
    pub(super) fn sites_blocked_at(&self, revision: usize) -> impl Iterator<Item = &DomainName> {
        let blocked = move |dossier: &Dossier| {
            let last = dossier.steps.iter().rfind(|step| step.revision <= revision);
            last.is_some_and(|step| step.standing().is_blocked())
        };
        self.subjects.iter().filter(move |(_, dossier)| blocked(dossier)).filter_map(|(subject, _)| subject.site())
    }

    /// How many revisions there are.
    pub(super) fn revision(&self) -> usize {
        self.revisions.len()
    }

    /// A subject's last step at a revision.
    pub(super) fn step_at(&self, subject: &Subject, revision: usize) -> Option<&Step> {
        self.subjects.get(subject)?.steps.iter().rfind(|step| step.revision <= revision)
    }

    fn last_step(&self, subject: &Subject) -> Option<&Step> {
        self.subjects.get(subject)?.steps.last()
    }
}

/// A subject with how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// What.
    pub subject: &'a Subject,
    /// A domain as people read it, where that is another text.
    pub in_unicode: Option<&'a str>,
    /// How it stands, by itself alone.
    pub standing: Standing<'a>,
}
