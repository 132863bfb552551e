//! Which messages of `TX` are dealt with, and the position up to which all are.

use std::collections::{BTreeMap, BTreeSet};

use contracts::OperatorId;

/// Follows delivered messages until they are dealt with. Memory: one number for each message in between.
#[derive(Debug, Clone)]
pub struct Places {
    position: u64,
    delivered: u64,
    open: BTreeSet<u64>,
    held: BTreeMap<OperatorId, u64>,
}

/// What may go from `TX` although the position stands still.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Worked {
    /// Everything up to here that is followed is sealed, but for what is held.
    pub sealed: u64,
    /// Messages handed out whose blocks are not there yet.
    pub open: usize,
    /// Whose messages are held; some of theirs up to there may be sealed nevertheless.
    pub held: BTreeSet<OperatorId>,
}

impl Places {
    /// Begins with everything up to `position` sealed.
    pub fn from(position: u64) -> Self {
        Self { position, delivered: position, open: BTreeSet::new(), held: BTreeMap::new() }
    }

    /// A message was delivered. Again is the same as once.
    pub fn delivered(&mut self, seq: u64) {
        if seq > self.delivered {
            self.delivered = seq;
            self.open.insert(seq);
        }
    }

    /// No message up to here is one to follow but those that were delivered.
    pub fn pass(&mut self, seq: u64) {
        self.delivered = seq.max(self.delivered);
    }

    /// The last place that was delivered or passed.
    pub fn reached(&self) -> u64 {
        self.delivered
    }

    /// A message is sealed, or was already.
    pub fn done(&mut self, seq: u64) {
        self.open.remove(&seq);
    }

    /// A message can't be sealed until a person has acted: the position stays before it, however far the others go.
    pub fn hold(&mut self, operator: OperatorId, seq: u64) {
        self.open.remove(&seq);
        let first = self.held.entry(operator).or_insert(seq);
        *first = seq.min(*first);
    }

    /// Everything up to here is sealed.
    pub fn position(&mut self) -> u64 {
        let first_open = self.open.first().copied().into_iter();
        let first = first_open.chain(self.held.values().copied()).min();
        let reached = first.map_or(self.delivered, |first| first.saturating_sub(1));
        self.position = self.position.max(reached);
        self.position
    }

    /// What is worked off, whatever is held.
    pub fn worked(&self) -> Worked {
        let sealed = self.open.first().map_or(self.delivered, |first| first.saturating_sub(1));
        Worked { sealed, open: self.open.len(), held: self.held.keys().copied().collect() }
    }

    /// Messages delivered and not dealt with.
    pub fn open(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(n: u8) -> OperatorId {
        format!("13013f29-b9df-4b82-ad28-e51596b7e0{n:02x}").parse().expect("a UUID")
    }

    #[test]
    fn the_position_follows_the_oldest_open_message() {
        let mut places = Places::from(10);
        assert_eq!(places.position(), 10);
        for seq in [11, 12, 15] {
            places.delivered(seq);
        }
        assert_eq!(places.position(), 10);
        places.done(12);
        assert_eq!(places.position(), 10);
        places.done(11);
        assert_eq!(places.position(), 14, "13 and 14 are not in the stream");
        places.done(15);
        assert_eq!(places.position(), 15);
        places.delivered(12);
        assert_eq!((places.position(), places.open()), (15, 0), "delivered again, and dealt with before");
    }

    #[test]
    fn what_others_follow_is_passed_and_holds_nothing_back() {
        let mut places = Places::from(10);
        places.pass(40);
        assert_eq!((places.position(), places.reached()), (40, 40));
        places.pass(30);
        places.delivered(41);
        places.pass(50);
        assert_eq!((places.position(), places.reached()), (40, 50), "41 is open");
        places.hold(operator(1), 41);
        places.pass(60);
        assert_eq!(places.position(), 40, "41 is held");
    }

    #[test]
    fn a_held_message_holds_the_position_for_good() {
        let mut places = Places::from(0);
        for seq in 1..=4 {
            places.delivered(seq);
        }
        places.hold(operator(1), 3);
        places.hold(operator(1), 4);
        places.done(1);
        assert_eq!(places.worked(), Worked { sealed: 1, open: 1, held: [operator(1)].into() }, "2 is open");
        places.done(2);
        assert_eq!(places.position(), 2);
        places.delivered(5);
        places.done(5);
        assert_eq!((places.position(), places.open()), (2, 0));
        assert_eq!(
            places.worked(),
            Worked { sealed: 5, open: 0, held: [operator(1)].into() },
            "the others are worked off"
        );
    }
}
