//! An operator's chain: where a frame belongs in it, which frames make a block, and how the block is linked.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use contracts::block::{BlockHeader, StreamRange};
use contracts::{Hash, Height, OperatorId, Seq, StreamNo, UnixMillis};

use super::frame::CheckedFrame;

/// Most records of a block that holds more than one frame.
pub const BLOCK_RECORDS_MAX: usize = 16_384;
/// Most packed bytes of a block that holds more than one frame.
pub const BLOCK_BYTES_MAX: usize = 1024 * 1024;
/// Longest that a frame waits for others to share its block, in milliseconds.
pub const BLOCK_AGE_MS_MAX: u64 = 250;

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Height of the last block; 0 before the first.
    pub height: Height,
    /// Hash of the last block's header; 32 zero bytes before the first.
    pub hash: Hash,
    /// Records in all blocks.
    pub total: u64,
    /// When the last block was sealed.
    pub sealed: UnixMillis,
    /// Seq of the last sealed record of each stream.
    pub streams: BTreeMap<StreamNo, Seq>,
}

/// Where a frame belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Right after what is sealed and collected.
    Next,
    /// Sealed, or collected for the next block: nothing to do.
    Known,
    /// Something is missing in between.
    Gap {
        /// The first missing seq.
        expected: u64,
    },
    /// It begins inside what is known and goes on beyond it, which no frame does.
    Overlap {
        /// The last known seq.
        known: u64,
    },
}

/// A checked frame and the sequence in `TX` it came with.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Sequence of its message in `TX`.
    pub tx_seq: u64,
    /// The frame.
    pub frame: CheckedFrame,
}

/// A block ready to be appended.
#[derive(Debug, Clone)]
pub struct NewBlock {
    /// What it says.
    pub header: BlockHeader,
    /// The header's bytes: what is hashed, logged and handed out.
    pub header_bytes: Bytes,
    /// The frames under it, in order.
    pub frames: Vec<Bytes>,
    /// The head of the chain that ends with it.
    pub head: Head,
}

impl Head {
    /// The head of a chain without blocks.
    pub fn start() -> Self {
        Self { height: Height(0), hash: Hash::ZERO, total: 0, sealed: UnixMillis(i64::MIN), streams: BTreeMap::new() }
    }

    /// Seq of the last sealed record of a stream; 0 for none.
    pub fn sealed_through(&self, stream: StreamNo) -> u64 {
        self.streams.get(&stream).map_or(0, |last| last.get())
    }
}

/// The frames that are collected for the next blocks of a chain.
#[derive(Debug, Default)]
pub struct Collected {
    frames: VecDeque<Taken>,
    ends: BTreeMap<StreamNo, u64>,
    records: usize,
    bytes: usize,
}

impl Collected {
    /// Where a frame with these seqs belongs, after `head` and what is collected.
    pub fn place(&self, head: &Head, stream: StreamNo, first: Seq, last: u64) -> Place {
        let known = self.ends.get(&stream).copied().unwrap_or_else(|| head.sealed_through(stream));
        if last <= known {
            Place::Known
        } else if first.get() == known + 1 {
            Place::Next
        } else if first.get() > known {
            Place::Gap { expected: known + 1 }
        } else {
            Place::Overlap { known }
        }
    }

    /// Adds a frame whose place is [`Place::Next`].
    pub fn push(&mut self, taken: Taken) {
        self.records += taken.frame.records();
        self.bytes += taken.frame.bytes.len();
        self.ends.insert(taken.frame.stream, taken.frame.last);
        self.frames.push_back(taken);
    }

    /// Whether a block is full, so that it need not wait for its age.
    pub fn is_full(&self) -> bool {
        self.records >= BLOCK_RECORDS_MAX || self.bytes >= BLOCK_BYTES_MAX
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Packed bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the frames of the next block: whole frames, in order, within the limits, at least one if there is one.
    pub fn cut(&mut self) -> Vec<Taken> {
        let (mut records, mut bytes, mut count) = (0, 0, 0);
        for taken in &self.frames {
            records += taken.frame.records();
            bytes += taken.frame.bytes.len();
            if count > 0 && (records > BLOCK_RECORDS_MAX || bytes > BLOCK_BYTES_MAX) {
                break;
            }
            count += 1;
        }
        let cut: Vec<Taken> = self.frames.drain(..count).collect();
        for taken in &cut {
            self.records -= taken.frame.records();
            self.bytes -= taken.frame.bytes.len();
        }
        cut
    }

    /// Forgets everything: the chain was reloaded, and `TX` is read again.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Makes the block of these frames, linked to `head`. `None` without frames.
pub fn seal(operator: OperatorId, head: &Head, taken: &[Taken], now: UnixMillis) -> Option<NewBlock> {
    let leaves: Vec<Hash> = taken.iter().flat_map(|one| &one.frame.leaves).copied().collect();
    let mut ranges: BTreeMap<StreamNo, StreamRange> = BTreeMap::new();
    let mut streams = head.streams.clone();
    for one in taken {
        let (stream, last) = (one.frame.stream, Seq::new(one.frame.last)?);
        let first = ranges.get(&stream).map_or(one.frame.first, |range| range.first);
        ranges.insert(stream, StreamRange { stream, first, last });
        streams.insert(stream, last);
    }
    if leaves.is_empty() {
        return None;
    }
    let records = leaves.len() as u64;
    let header = BlockHeader {
        operator,
        height: Height(head.height.0 + 1),
        previous: head.hash,
        records,
        total: head.total + records,
        root: ledger::root(&leaves),
        streams: ranges.into_values().collect(),
        // A clock that goes back does not make a chain go back.
        sealed: now.max(head.sealed),
    };
    let header_bytes = Bytes::from(header.to_bytes());
    let head = Head {
        height: header.height,
        hash: ledger::block_hash(&header_bytes),
        total: header.total,
        sealed: header.sealed,
        streams,
    };
    Some(NewBlock { header, header_bytes, frames: taken.iter().map(|one| one.frame.bytes.clone()).collect(), head })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(stream: u8, first: u64, records: u64, bytes: usize, tx_seq: u64) -> Taken {
        let leaves = (first..first + records).map(|n| ledger::leaf_hash(&n.to_le_bytes())).collect();
        let frame = CheckedFrame {
            stream: StreamNo(stream),
            first: Seq::new(first).expect("a seq"),
            last: first + records - 1,
            accepted_at: UnixMillis(0),
            bytes: vec![0; bytes].into(),
            leaves,
        };
        Taken { tx_seq, frame }
    }

    fn operator() -> OperatorId {
        "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID")
    }

    fn place(collected: &Collected, head: &Head, first: u64, last: u64) -> Place {
        collected.place(head, StreamNo(0), Seq::new(first).expect("a seq"), last)
    }

    #[test]
    fn a_frame_is_next_known_a_gap_or_an_overlap() {
        let (mut collected, head) = (Collected::default(), Head::start());
        assert_eq!(place(&collected, &head, 1, 5), Place::Next);
        assert_eq!(place(&collected, &head, 2, 5), Place::Gap { expected: 1 });
        collected.push(taken(0, 1, 5, 10, 1));
        assert_eq!(place(&collected, &head, 1, 5), Place::Known);
        assert_eq!(place(&collected, &head, 6, 6), Place::Next);
        assert_eq!(place(&collected, &head, 8, 9), Place::Gap { expected: 6 });
        assert_eq!(place(&collected, &head, 3, 9), Place::Overlap { known: 5 });
        let block = seal(operator(), &head, &collected.cut(), UnixMillis(7)).expect("a block");
        collected.clear();
        assert_eq!(place(&collected, &block.head, 1, 5), Place::Known);
        assert_eq!(place(&collected, &block.head, 6, 6), Place::Next);
    }

    #[test]
    fn blocks_hold_whole_frames_within_the_limits() {
        let mut collected = Collected::default();
        collected.push(taken(0, 1, 10, BLOCK_BYTES_MAX + 5, 1));
        assert!(collected.is_full());
        collected.push(taken(0, 11, 10_000, 10, 2));
        collected.push(taken(1, 1, 6_384, 10, 3));
        collected.push(taken(1, 6_385, 1, 10, 4));
        let counts: Vec<usize> = std::iter::from_fn(|| Some(collected.cut().len()).filter(|n| *n > 0)).collect();
        assert_eq!(counts, [1, 2, 1], "a frame over the limit is alone; 16,384 records fit, one more does not");
        assert!(collected.is_empty());
        assert_eq!(collected.bytes(), 0);
    }

    #[test]
    fn blocks_are_linked_and_their_time_never_goes_back() {
        let head = Head::start();
        let one =
            seal(operator(), &head, &[taken(3, 1, 2, 9, 11), taken(0, 1, 1, 9, 12)], UnixMillis(50)).expect("a block");
        let two = seal(operator(), &one.head, &[taken(3, 3, 1, 9, 13)], UnixMillis(40)).expect("a block");
        assert_eq!(one.header.previous, Hash::ZERO);
        assert_eq!(two.header.previous, ledger::block_hash(&one.header_bytes));
        assert_eq!((two.header.height, two.header.records, two.header.total), (Height(2), 1, 4));
        assert_eq!(two.header.sealed, UnixMillis(50));
        let streams: Vec<u8> = one.header.streams.iter().map(|range| range.stream.0).collect();
        assert_eq!(streams, [0, 3], "ascending");
        assert_eq!(two.head.sealed_through(StreamNo(3)), 3);
        let leaves: Vec<Hash> = [1_u64, 2, 1].iter().map(|n| ledger::leaf_hash(&n.to_le_bytes())).collect();
        assert_eq!(one.header.root, ledger::root(&leaves), "in the order accepted, not by stream");
        assert!(seal(operator(), &head, &[], UnixMillis(0)).is_none());
    }
}
