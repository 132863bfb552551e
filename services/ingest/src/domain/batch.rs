//! A batch that was read and checked: its bytes, where each record lies, and the root over them.

use bytes::Bytes;
use contracts::frame::{BadFrame, Packer, Part};
use contracts::{Hash, OperatorId, Seq, StreamNo, UnixMillis};

/// One stream of one operator: what a `Sequencer` serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// Whose stream.
    pub operator: OperatorId,
    /// Which.
    pub stream: StreamNo,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamHead {
    /// Which.
    pub stream: StreamNo,
    /// The last accepted seq.
    pub last: u64,
    /// When it was accepted.
    pub accepted_at: UnixMillis,
}

/// Records with consecutive seqs, each valid; the bytes are those the operator sent, unpacked.
#[derive(Debug, Clone)]
pub struct Batch {
    first_seq: Seq,
    body: Bytes,
    starts: Vec<u32>,
    lengths: Vec<u16>,
    root: Hash,
}

impl Batch {
    /// Takes what `contracts::batch` has checked and computes the root. `starts` and `lengths` name each record in `body`.
    pub fn new(first_seq: Seq, body: Bytes, starts: Vec<u32>, lengths: Vec<u16>) -> Self {
        let mut batch = Self { first_seq, body, starts, lengths, root: Hash::ZERO };
        batch.root = batch.root_from(0);
        batch
    }

    /// Seq of the first record.
    pub fn first_seq(&self) -> Seq {
        self.first_seq
    }

    /// Seq of the last record.
    pub fn last_seq(&self) -> u64 {
        self.first_seq.get() + u64::from(self.count()).saturating_sub(1)
    }

    /// Number of records, at least 1.
    pub fn count(&self) -> u32 {
        self.lengths.len() as u32
    }

    /// Root over all records.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Bytes it holds in memory, near enough for a budget.
    pub fn memory_bytes(&self) -> usize {
        self.body.len() + self.lengths.len() * 6
    }

    /// The records from the `skip`th on, each as the operator's bytes.
    pub fn records_from(&self, skip: usize) -> impl Iterator<Item = &[u8]> + Clone {
        self.runs_from(skip).map(|(_, bytes)| bytes)
    }

    /// Root over the records from the `skip`th on.
    pub fn root_from(&self, skip: usize) -> Hash {
        let mut tree = ledger::Frontier::new();
        tree.extend(self.records_from(skip).map(ledger::leaf_hash));
        tree.root()
    }

    /// What `Packer::pack` takes: each record's length and bytes, from the `skip`th on.
    pub fn runs_from(&self, skip: usize) -> impl Iterator<Item = (&[u16], &[u8])> + Clone {
        let lengths = self.lengths.chunks_exact(1).skip(skip);
        lengths.zip(self.starts.iter().skip(skip)).map(|(length, start)| {
            let start = *start as usize;
            let end = start + length.first().copied().map_or(0, usize::from);
            // The checker has made sure that every record lies inside; nothing would be the least wrong answer.
            (length, self.body.get(start..end).unwrap_or_default())
        })
    }

    /// All records packed as one part.
    ///
    /// # Errors
    /// [`BadFrame`] when they are more than a part may hold.
    pub fn pack(&self, packer: &mut Packer) -> Result<Part, BadFrame> {
        packer.pack(self.runs_from(0))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A batch of these texts, as if they were records.
    pub(crate) fn batch_of(first: u64, records: &[&str]) -> Batch {
        let body = records.join("\n");
        let mut at = 0;
        let starts = records
            .iter()
            .map(|r| {
                let start = at;
                at += r.len() as u32 + 1;
                start
            })
            .collect();
        let lengths = records.iter().map(|r| r.len() as u16).collect();
        Batch::new(Seq::new(first).expect("in range"), body.into(), starts, lengths)
    }

    #[test]
    fn the_root_is_that_of_the_data_set() {
        // The first two lines of RFC 6962-style trees by hand: node(leaf(a), leaf(b)).
        let batch = batch_of(7, &["a", "b"]);
        let by_hand = ledger::node_hash(&ledger::leaf_hash(b"a"), &ledger::leaf_hash(b"b"));
        assert_eq!(batch.root(), by_hand);
        assert_eq!(batch.root_from(1), ledger::leaf_hash(b"b"));
        assert_eq!((batch.first_seq().get(), batch.last_seq(), batch.count()), (7, 8, 2));
        let records: Vec<_> = batch.records_from(0).collect();
        assert_eq!(records, [b"a", b"b"]);
    }
}
