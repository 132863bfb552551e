//! The ids of a batch: no two records may have the same. Those of other batches are for reconciliation to compare.
//!
//! The usual batch pays for a sort of one number a record, some 10 ns each. Only where two numbers are the same are the ids themselves
//! looked at; a sender that makes its ids so that they are pays with one more reading of its batch.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{INVALID_MAX, Invalid};
use crate::record::{self, RecordCode, Violation};
use crate::{RecordId, Seq, UnixMillis};

/// A number for each id, the same for the same id.
#[derive(Debug, Default)]
pub(super) struct Ids(Vec<u64>);

impl Ids {
    /// Makes room for so many.
    pub(super) fn reserve(&mut self, count: usize) {
        self.0.reserve(count);
    }

    /// Adds the id of a record.
    pub(super) fn add(&mut self, id: RecordId) {
        let (high, low) = id.uuid().as_u64_pair();
        self.0.push(high ^ low);
    }

    /// Whether an id may stand twice; never false when one does.
    pub(super) fn may_repeat(mut self) -> bool {
        self.0.sort_unstable();
        !self.0.is_sorted_by(|a, b| a < b)
    }
}

/// The records, each valid and the first with this seq, whose id stands in one before them, up to as many as an answer holds.
pub(super) fn repeated<'a>(records: impl Iterator<Item = &'a [u8]>, first_seq: Seq, now: UnixMillis) -> Vec<Invalid> {
    let mut first_with = HashMap::new();
    let one = |(index, bytes): (usize, &[u8])| match first_with.entry(record::parse(bytes, now).ok()?.id) {
        Entry::Vacant(place) => {
            place.insert(index);
            None
        }
        Entry::Occupied(first) => {
            let detail = format!("record {} of the batch has the same id; each has its own for ever", first.get());
            let violation = Violation { pointer: "/id".into(), code: RecordCode::Contradiction, detail };
            Some(Invalid { index, seq: Some(first_seq.get() + index as u64), violation })
        }
    };
    records.enumerate().filter_map(one).take(INVALID_MAX).collect()
}
