//! What a stream accepted last, in memory: exact retries follow at once, before the index has its rows.

use std::collections::VecDeque;

use contracts::frame::BatchMeta;
use contracts::{Seq, UnixMillis};

use crate::domain::Batch;

/// Batches remembered: at the highest rate some 200 ms of single records, as long as the index takes. 56 bytes each.
const BATCHES_MAX: usize = 2_048;

/// The last accepted batches of a stream, ascending, perhaps with holes.
#[derive(Debug, Default)]
pub struct Recent(VecDeque<BatchMeta>);

impl Recent {
    /// Adds batches of one frame; what is not behind the last one is known already.
    pub fn add(&mut self, batches: &[BatchMeta]) {
        let last = self.0.back().map_or(0, BatchMeta::last_seq);
        self.0.extend(batches.iter().filter(|batch| batch.first_seq.get() > last));
        let over = self.0.len().saturating_sub(BATCHES_MAX);
        self.0.drain(..over);
    }

    /// The batch that holds a seq.
    pub fn holding(&self, seq: Seq) -> Option<BatchMeta> {
        let after = self.0.partition_point(|batch| batch.first_seq <= seq);
        let batch = self.0.get(after.checked_sub(1)?)?;
        (seq.get() <= batch.last_seq()).then_some(*batch)
    }

    /// The accepted batch with the same seqs and the same root.
    pub fn exactly(&self, batch: &Batch) -> Option<BatchMeta> {
        let known = self.holding(batch.first_seq())?;
        let same = (known.first_seq, known.count, known.root) == (batch.first_seq(), batch.count(), batch.root());
        same.then_some(known)
    }

    /// When the last one was accepted.
    pub fn accepted_at(&self) -> UnixMillis {
        self.0.back().map_or(UnixMillis(0), |batch| batch.accepted_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::batch::tests::batch_of;
    use contracts::Hash;

    #[test]
    fn it_finds_what_it_was_given_and_stays_bounded() {
        let meta = |first, root| BatchMeta {
            first_seq: Seq::new(first).expect("in range"),
            count: 2,
            accepted_at: UnixMillis(first as i64),
            root,
        };
        let batch = batch_of(5, &["a", "b"]);
        let mut recent = Recent::default();
        recent.add(&[meta(3, Hash::ZERO), meta(5, batch.root())]);
        recent.add(&[meta(3, Hash::ZERO), meta(5, Hash::ZERO), meta(9, Hash::ZERO)]);
        let holding = |recent: &Recent, n| recent.holding(Seq::new(n).expect("in range")).map(|b| b.first_seq.get());
        assert_eq!(
            [2, 3, 4, 6, 7, 9, 11].map(|n| holding(&recent, n)),
            [None, Some(3), Some(3), Some(5), None, Some(9), None]
        );
        assert!(recent.exactly(&batch).is_some());
        assert!(recent.exactly(&batch_of(5, &["a"])).is_none());
        assert!(recent.exactly(&batch_of(5, &["a", "c"])).is_none());
        assert_eq!(recent.accepted_at(), UnixMillis(9));
        for n in 0..5_000 {
            recent.add(&[meta(11 + n * 2, Hash::ZERO)]);
        }
        assert_eq!(recent.0.len(), BATCHES_MAX);
        assert_eq!(holding(&recent, 5), None);
    }
}
