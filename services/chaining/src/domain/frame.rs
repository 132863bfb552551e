//! A frame that has been checked: its records unpacked once, hashed, and held against the roots that were promised.

use bytes::Bytes;
use contracts::frame::{BadFrame, Frame, Unpacker};
use contracts::{Hash, OperatorId, Seq, StreamNo, UnixMillis};

/// Why a frame may not be sealed. The bytes were written by this system, so each of these means damage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The bytes are not a frame, or its parts do not unpack.
    #[error("the frame can't be read")]
    Frame(#[source] BadFrame),
    /// The records of a batch do not have the root that its receipt promised.
    #[error("the batch from seq {first_seq} has root {found}, its receipt promised {promised}")]
    Root {
        /// First seq of the batch.
        first_seq: Seq,
        /// What the receipt says.
        promised: Hash,
        /// What the bytes give.
        found: Hash,
    },
    /// The frame came under the subject of another operator or stream.
    #[error("the frame is of operator {operator} stream {stream}, but came under another subject")]
    Subject {
        /// Operator by the frame.
        operator: OperatorId,
        /// Stream by the frame.
        stream: StreamNo,
    },
    /// The frame begins among sealed records and ends beyond them: frames are sealed whole, so one of the two is wrong.
    #[error("the frame holds seqs {first}-{last}, sealed is up to {sealed}")]
    Overlap {
        /// First seq of the frame.
        first: u64,
        /// Last seq of the frame.
        last: u64,
        /// Last sealed seq of its stream.
        sealed: u64,
    },
    /// Its seqs are sealed with other records: there are receipts for records that are in no block.
    #[error("seqs {first}-{last} are sealed with other records than the frame's")]
    Sealed {
        /// First seq of the frame.
        first: Seq,
        /// Last seq of the frame.
        last: u64,
    },
    /// Its seqs are sealed, and what is sealed can't be read to be held against it.
    #[error("the frame can't be held against what is sealed: {what} is damaged in the store")]
    Unreadable {
        /// What the store says.
        what: String,
    },
}

/// A frame whose every batch has the root its receipt promised.
#[derive(Debug, Clone)]
pub struct CheckedFrame {
    /// Which of the operator's streams.
    pub stream: StreamNo,
    /// Seq of its first record.
    pub first: Seq,
    /// Seq of its last record.
    pub last: u64,
    /// When the oldest of its batches was accepted.
    pub accepted_at: UnixMillis,
    /// The frame as it was accepted; never packed anew.
    pub bytes: Bytes,
    /// RFC 6962 leaf hashes of its records, in order.
    pub leaves: Vec<Hash>,
}

impl CheckedFrame {
    /// Number of records.
    pub fn records(&self) -> usize {
        self.leaves.len()
    }
}

/// Unpacks a frame, hashes each record and compares each batch's root with what was promised.
///
/// # Errors
/// [`Damage::Frame`] or [`Damage::Root`].
pub fn check(bytes: Bytes, frame: &Frame, unpacker: &mut Unpacker) -> Result<CheckedFrame, Damage> {
    let leaves = leaves(frame, unpacker).map_err(Damage::Frame)?;
    check_roots(frame, &leaves)?;
    let accepted_at = frame.batches().iter().map(|batch| batch.accepted_at).min().unwrap_or(UnixMillis(0));
    Ok(CheckedFrame {
        stream: frame.stream,
        first: frame.first_seq(),
        last: frame.last_seq(),
        accepted_at,
        bytes,
        leaves,
    })
}

/// The leaf hashes of a frame's records, in order.
///
/// # Errors
/// [`BadFrame`] when a part does not unpack.
pub fn leaves(frame: &Frame, unpacker: &mut Unpacker) -> Result<Vec<Hash>, BadFrame> {
    let mut leaves = Vec::with_capacity(frame.records() as usize);
    for part in frame.parts() {
        leaves.extend(unpacker.unpack(part)?.map(ledger::leaf_hash));
    }
    Ok(leaves)
}

/// Compares each batch's root with what was promised.
///
/// # Errors
/// [`Damage::Root`] naming the first batch that differs.
pub fn check_roots(frame: &Frame, leaves: &[Hash]) -> Result<(), Damage> {
    let mut rest = leaves;
    for batch in frame.batches() {
        let (own, after) = rest.split_at_checked(batch.count as usize).unwrap_or((rest, &[]));
        let found = ledger::root(own);
        if found != batch.root {
            return Err(Damage::Root { first_seq: batch.first_seq, promised: batch.root, found });
        }
        rest = after;
    }
    Ok(())
}
