//! The forms that the zone was set to. Each is a revision of the list, though nothing in force has changed: who has a serial of the zone
//! has its records as they were then.

use std::sync::Arc;

use contracts::UnixMillis;

use super::super::rpz::Zone;
use super::{BlockList, Revision};

impl BlockList {
    /// The form that the zone is set to; `None` where it was never set. Of the time before it was first set nobody knows better than
    /// that it was the same.
    pub fn zone(&self) -> Option<&Zone> {
        let last = self.zones.iter().rfind(|(revision, _)| *revision <= self.revisions.len());
        last.or(self.zones.first()).map(|(_, zone)| &**zone)
    }

    /// Sets it.
    pub(in super::super) fn set_zone(&mut self, zone: Zone, at: UnixMillis) {
        self.revisions.push(Arc::new(Revision { at, touched: Vec::new() }));
        self.zones.push((self.revisions.len(), Arc::new(zone)));
    }

    /// Whether the last so many revisions are more than what came into force and went out of it.
    pub(in super::super) fn zone_was_set_in_last(&self, revisions: usize) -> bool {
        let before = self.revisions.len().saturating_sub(revisions);
        self.zones.iter().any(|(revision, _)| (before + 1..=self.revisions.len()).contains(revision))
    }
}
