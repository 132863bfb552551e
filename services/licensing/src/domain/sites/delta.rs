//! What changed since a serial: the sum of the revisions, so that a reader who missed many applies each name once.

use std::collections::BTreeSet;

use contracts::UnixMillis;

use super::list::BlockList;
use super::serial::Serial;
use super::standing::{Entry, Standing, Step};
use super::subject::Subject;

/// Most subjects that are looked at for a delta: who is further behind takes the whole feed, which is made once for
/// all.
pub const DELTA_SUBJECTS_MAX: usize = 10_000;

/// The difference between the list at one serial and at its last, in the order of [`BlockList::all`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta<'a> {
    /// What the reader has.
    pub since: Serial,
    /// What the reader has with this applied.
    pub serial: Serial,
    /// When what is in force last changed.
    pub changed_at: Option<UnixMillis>,
    /// What is blocked and was not, or by another entry than it was.
    pub blocked: Vec<(&'a Subject, &'a Entry)>,
    /// What was blocked and is no longer.
    pub lifted: Vec<&'a Subject>,
}

/// Why there is no delta: the reader takes the whole feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoDelta {
    /// The serial is none of this list's.
    #[error("the list never had this serial")]
    Unknown,
    /// Too much changed since.
    #[error("too much changed since this serial")]
    TooFar,
    /// The zone was set otherwise since: none of its records need be what it was.
    #[error("the zone was set otherwise since this serial")]
    OtherZone,
}

impl BlockList {
    /// What changed since `since`.
    ///
    /// # Errors
    /// [`NoDelta`]
    pub fn delta(&self, since: Serial) -> Result<Delta<'_>, NoDelta> {
        let revisions = self.revisions_told_since(since)?;
        let (now, before) = (self.revision(), self.revision() - revisions);
        let (mut blocked, mut lifted) = (Vec::new(), Vec::new());
        for subject in self.touched_in_last(revisions).collect::<BTreeSet<_>>() {
            let (was, is) = (self.step_at(subject, before), self.step_at(subject, now));
            let was_blocked = was.is_some_and(|step| step.standing().is_blocked());
            match is.map(Step::standing) {
                Some(Standing::Blocked(entry)) if !was_blocked || was != is => blocked.push((subject, entry)),
                Some(Standing::Blocked(_)) => {}
                _ if was_blocked => lifted.push(subject),
                _ => {}
            }
        }
        Ok(Delta { since, serial: self.serial(), changed_at: self.changed_at(), blocked, lifted })
    }

    /// How many revisions lie after a serial, if they are few enough to be told.
    pub(super) fn revisions_told_since(&self, since: Serial) -> Result<usize, NoDelta> {
        let revisions = self.revisions_since(since).ok_or(NoDelta::Unknown)?;
        match self.touched_in_last(revisions).nth(DELTA_SUBJECTS_MAX) {
            Some(_) => Err(NoDelta::TooFar),
            None => Ok(revisions),
        }
    }
}
