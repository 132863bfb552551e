//! The waiting line of one stream: which batch is next, which waits for a hole to fill, which must wait for what is in flight.

use std::collections::{BTreeMap, VecDeque};

/// Where a batch stands by its first seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It continues what is accepted or in the line.
    Next,
    /// It begins beyond the next seq: there is a hole before it.
    Ahead,
    /// It begins inside what is in flight or in the line: judged once that is accepted.
    Behind,
    /// It begins inside what is accepted.
    Known,
}

/// What the line must know of what waits in it.
pub trait Waits {
    /// First seq still to be appended.
    fn first(&self) -> u64;
    /// Last seq.
    fn last(&self) -> u64;
    /// Bytes unpacked.
    fn bytes(&self) -> usize;
}

/// Batches of one stream in their order. Memory only: what is accepted is JetStream's to say.
#[derive(Debug)]
pub struct Line<W> {
    /// The next seq after what is accepted.
    accepted: u64,
    /// The next seq after what is accepted, in flight and ready.
    tail: u64,
    ready: VecDeque<W>,
    ready_bytes: usize,
    /// By first seq, then by arrival: several may wait at the same seq, and each counts.
    ahead: BTreeMap<(u64, u64), W>,
    /// How many were ever put ahead.
    arrivals: u64,
    behind: Vec<W>,
}

impl<W: Waits> Line<W> {
    /// An empty line behind what is accepted.
    pub fn new(accepted: u64) -> Self {
        let (ready, ahead, behind) = Default::default();
        Self { accepted, tail: accepted, ready, ready_bytes: 0, ahead, arrivals: 0, behind }
    }

    /// The next seq after what is accepted.
    pub fn next_seq(&self) -> u64 {
        self.accepted
    }

    /// Where something beginning at `first` stands.
    pub fn place(&self, first: u64) -> Place {
        match first {
            first if first == self.tail => Place::Next,
            first if first > self.tail => Place::Ahead,
            first if first < self.accepted => Place::Known,
            _ => Place::Behind,
        }
    }

    /// Puts what is [`Place::Next`] at the end of the line.
    pub fn push_ready(&mut self, waiting: W) {
        self.tail = waiting.last() + 1;
        self.ready_bytes += waiting.bytes();
        self.ready.push_back(waiting);
    }

    /// Keeps what is [`Place::Ahead`] until the hole before it fills.
    pub fn push_ahead(&mut self, waiting: W) {
        self.ahead.insert((waiting.first(), self.arrivals), waiting);
        self.arrivals += 1;
    }

    /// Keeps what is [`Place::Behind`] until what is in flight is accepted.
    pub fn push_behind(&mut self, waiting: W) {
        self.behind.push(waiting);
    }

    /// Moves what waited ahead and now continues the line into it. What begins inside the line can't become next any more: it goes
    /// on waiting behind, to be judged against what will be accepted.
    pub fn close_holes(&mut self) {
        while let Some(entry) = self.ahead.first_entry().filter(|entry| entry.key().0 <= self.tail) {
            let waiting = entry.remove();
            match self.place(waiting.first()) {
                Place::Next => self.push_ready(waiting),
                _ => self.behind.push(waiting),
            }
        }
    }

    /// Takes the next batches that fit one frame, at least one if any is ready.
    pub fn take(&mut self, batches_max: usize, records_max: u64, bytes_max: usize) -> Vec<W> {
        let (mut records, mut bytes) = (0, 0);
        let fitting = self.ready.iter().take(batches_max).take_while(|waiting| {
            records += waiting.last() + 1 - waiting.first();
            bytes += waiting.bytes();
            records <= records_max && bytes <= bytes_max
        });
        let count = fitting.count().max(1).min(self.ready.len());
        let taken: Vec<W> = self.ready.drain(..count).collect();
        self.ready_bytes -= taken.iter().map(Waits::bytes).sum::<usize>();
        taken
    }

    /// Everything up to `last` is accepted. Gives what waited for that, to be placed anew.
    pub fn accept(&mut self, last: u64) -> Vec<W> {
        self.accepted = self.accepted.max(last + 1);
        self.tail = self.tail.max(self.accepted);
        std::mem::take(&mut self.behind)
    }

    /// Takes out what waits ahead and is `over`.
    pub fn expire(&mut self, mut over: impl FnMut(&W) -> bool) -> Vec<W> {
        self.ahead.extract_if(.., |_, waiting| over(waiting)).map(|(_, waiting)| waiting).collect()
    }

    /// Empties the line, in order of first seqs.
    pub fn drain(&mut self) -> Vec<W> {
        self.ready_bytes = 0;
        let mut all: Vec<W> = std::mem::take(&mut self.ready).into();
        all.extend(std::mem::take(&mut self.behind));
        all.extend(std::mem::take(&mut self.ahead).into_values());
        all.sort_by_key(Waits::first);
        self.tail = self.accepted;
        all
    }

    /// Unpacked bytes of the batches ready to go.
    pub fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    /// Number of batches ready to go, waiting ahead, waiting behind.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.ready.len(), self.ahead.len(), self.behind.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Span(u64, u64);

    impl Waits for Span {
        fn first(&self) -> u64 {
            self.0
        }
        fn last(&self) -> u64 {
            self.1
        }
        fn bytes(&self) -> usize {
            100
        }
    }

    fn put(line: &mut Line<Span>, span: Span) {
        match line.place(span.first()) {
            Place::Next => {
                line.push_ready(span);
                line.close_holes();
            }
            Place::Ahead => line.push_ahead(span),
            Place::Behind => line.push_behind(span),
            Place::Known => {}
        }
    }

    proptest! {
        #[test]
        fn any_order_of_arrival_leaves_in_order(order in Just((0_u64..40).collect::<Vec<_>>()).prop_shuffle(), twice in 0_u64..40) {
            let mut line = Line::new(1);
            for n in &order {
                put(&mut line, Span(n * 3 + 1, n * 3 + 3));
                if *n == twice {
                    put(&mut line, Span(n * 3 + 1, n * 3 + 3));
                }
            }
            let mut next = 1;
            loop {
                let taken = line.take(7, 1_000, 1_000_000);
                let Some(last) = taken.last().map(Waits::last) else { break };
                for span in &taken {
                    prop_assert_eq!(span.first(), next);
                    next = span.last() + 1;
                }
                for again in line.accept(last) {
                    prop_assert_eq!(again.first(), twice * 3 + 1);
                }
            }
            prop_assert_eq!(next, 121);
            prop_assert_eq!(line.next_seq(), 121);
        }
    }

    #[test]
    fn places() {
        let mut line = Line::new(11);
        put(&mut line, Span(11, 20));
        assert_eq!(line.place(10), Place::Known);
        assert_eq!(line.place(11), Place::Behind);
        assert_eq!(line.place(21), Place::Next);
        assert_eq!(line.place(22), Place::Ahead);
    }

    #[test]
    fn a_frame_takes_at_least_one_and_no_more_than_fits() {
        let mut line = Line::new(1);
        for n in 0..5 {
            put(&mut line, Span(n * 10 + 1, n * 10 + 10));
        }
        assert_eq!(line.take(10, 5, 10).len(), 1, "one that is too large goes alone");
        assert_eq!(line.take(10, 25, 10_000).len(), 2);
        assert_eq!(line.take(1, 1_000, 10_000).len(), 1);
        assert_eq!(line.take(10, 1_000, 10_000).len(), 1);
        assert!(line.take(10, 1_000, 10_000).is_empty());
    }

    #[test]
    fn all_that_wait_at_one_seq_count_and_leave_together() {
        let mut line = Line::new(1);
        for span in [Span(5, 6), Span(5, 6), Span(5, 9)] {
            put(&mut line, span);
        }
        assert_eq!(line.counts(), (0, 3, 0));
        assert_eq!(line.expire(|w| w.first() == 5), [Span(5, 6), Span(5, 6), Span(5, 9)]);
        assert_eq!(line.counts(), (0, 0, 0));
        // When the hole fills instead, the first of them goes and the others are judged after it.
        for span in [Span(5, 6), Span(5, 9), Span(7, 7), Span(1, 4)] {
            put(&mut line, span);
        }
        assert_eq!(line.counts(), (3, 0, 1));
        assert_eq!(line.take(9, 99, 9_999), [Span(1, 4), Span(5, 6), Span(7, 7)]);
        assert_eq!(line.accept(7), [Span(5, 9)]);
    }

    #[test]
    fn what_waits_too_long_leaves_and_a_drained_line_begins_again() {
        let mut line = Line::new(1);
        put(&mut line, Span(5, 6));
        put(&mut line, Span(9, 9));
        assert_eq!(line.expire(|w| w.first() == 9), [Span(9, 9)]);
        put(&mut line, Span(1, 2));
        assert_eq!(line.drain(), [Span(1, 2), Span(5, 6)]);
        assert_eq!(line.place(1), Place::Next);
        assert_eq!(line.counts(), (0, 0, 0));
    }
}
