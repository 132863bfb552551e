//! The list as it was at a moment: nothing is ever taken out of it, so all that it was is in what it is.

use std::sync::Arc;

use contracts::UnixMillis;

use super::super::serial::Serial;
use super::super::standing::{Standing, Step, What};
use super::super::subject::Subject;
use super::{BlockList, Dossier};

impl BlockList {
    /// The list of a moment. It is made of the same steps and revisions as the list that was shown then, so the feeds and
    /// the deltas that are made of it are those that were made then, byte for byte.
    pub fn as_of(&self, moment: UnixMillis) -> Self {
        let revisions = self.revisions.get(..self.revisions_at(moment)).unwrap_or_default().to_vec();
        let mut then = Self { revisions, zones: self.zones.clone(), ..Self::new(self.origin) };
        for (subject, dossier) in &self.subjects {
            // A history does not go back in time: the steps of a subject stand in the order they were taken in.
            let taken = dossier.steps.partition_point(|step| self.taken_at(step) <= moment);
            let Some(last) = taken.checked_sub(1).and_then(|last| dossier.steps.get(last)) else { continue };
            match &last.what {
                What::Announced(entry) => drop(then.announced.insert((entry.blocked_from, subject.clone()))),
                What::Blocked(_) => then.blocked += 1,
                What::Lifted(..) => {}
            }
            let steps = match taken == dossier.steps.len() {
                true => Arc::clone(&dossier.steps),
                false => dossier.steps.iter().take(taken).cloned().collect(),
            };
            let in_unicode = dossier.in_unicode.clone();
            then.subjects.insert(subject.clone(), Dossier { in_unicode, steps });
        }
        then
    }

    /// The serial at a moment; `None`: now.
    pub fn serial_at(&self, moment: Option<UnixMillis>) -> Serial {
        self.origin.after(moment.map_or(self.revisions.len(), |moment| self.revisions_at(moment)))
    }

    /// How a subject stood at a moment, by itself alone; `None`: now.
    pub fn standing_at(&self, subject: &Subject, moment: Option<UnixMillis>) -> Standing<'_> {
        let (Some(moment), Some(dossier)) = (moment, self.subjects.get(subject)) else { return self.standing(subject) };
        let last = dossier.steps.iter().rfind(|step| self.taken_at(step) <= moment);
        last.map_or(Standing::Unlisted, Step::standing)
    }

    /// When a step was taken: with its decision, or with the revision that put in force what was announced.
    fn taken_at(&self, step: &Step) -> UnixMillis {
        match &step.what {
            What::Announced(entry) => entry.by.at,
            What::Lifted(_, lifting) => lifting.by.at,
            // What comes into force makes a revision, and belongs to it.
            What::Blocked(entry) => {
                let made = step.revision.checked_sub(1).and_then(|before| self.revisions.get(before));
                made.map_or(entry.by.at, |revision| revision.at)
            }
        }
    }

    /// How many revisions there were at a moment.
    fn revisions_at(&self, moment: UnixMillis) -> usize {
        self.revisions.partition_point(|revision| revision.at <= moment)
    }
}
