//! The frame: how accepted batches travel and rest. One JetStream message on `TX` is one frame; a stored block is a
//! header and the frames it seals, byte for byte as they were accepted.
//!
//! ```text
//! magic     4   "DTX1"; "DTX2" when something is said of the batches
//! operator  16  UUID, big-endian
//! stream    1
//! batches   u16 number of accepted batches, at least 1, consecutive
//!   each: first seq u64, count u32, accepted at i64 (Unix ms), root 32
//! remarks   u16 only in DTX2: number of remarks, at least 1, ordered by batch, kind and flag
//!   each: batch u16 (index from 0), kind u8, length u16, bytes
//!     kind 1, flagged: flag u8 (1 after-suspension, 2 outside-licence, 3 reported-late), then runs of records: offset within the batch u32,
//!       count u32, ascending and disjoint; the runs of one flag may go on in the next remark
//!     kind 2, signed: the batch's signature, ASCII, at most 1,024 bytes
//!     kind 3, signed from further back: records before the batch u32, root over them and the batch 32, then as kind 2. The
//!       operator sent and signed a longer batch, whose beginning was accepted before
//! parts     u16 number of parts, at least 1; their records are those of the batches, in order
//!   each: codec u8 (0 as is, 1 Zstandard), records u32, raw length u32, packed length u32, packed bytes
//! checksum  u32 CRC-32 (ISO-HDLC) of all before it: acceptance times lie under no root, and must not rot unseen
//! ```
//!
//! Integers are little-endian. A part unpacked is a table of record lengths (u16 each) and then the records' bytes, end to
//! end: a record sent in a JSON array may hold line ends, so lines could not tell records apart.
//!
//! Remarks are facts that stand beside records and never in their bytes: no root is over them.

mod packing;
mod remarks;
mod wire;

use bytes::Bytes;

pub use packing::{Packer, Records, Unpacker};
pub use remarks::{REMARK_BYTES_MAX, REMARKS_BYTES_MAX, REMARKS_MAX, Remark, Run, SIGNATURE_BYTES_MAX, Wider};

use crate::ids::{OperatorId, Seq, StreamNo};
use crate::{Hash, UnixMillis};

/// Largest number of records of one frame, and so of one block that holds only it.
pub const FRAME_RECORDS_MAX: usize = 16_384;
/// Largest number of accepted batches in one frame.
pub const FRAME_BATCHES_MAX: usize = 4_096;
/// Largest raw size of one part, in bytes: a batch of 8 MiB and its table of lengths.
pub const PART_RAW_BYTES_MAX: usize = 8 * 1024 * 1024 + 2 * 10_000;
/// Largest encoded frame, in bytes: what JetStream's `max_payload` must let through.
pub const FRAME_BYTES_MAX: usize = PART_RAW_BYTES_MAX + 512 * 1024;

/// The Zstandard level of parts: each record is packed once, by ingest, and stays packed for ever.
const ZSTD_LEVEL: i32 = 1;
const CODEC_AS_IS: u8 = 0;
const CODEC_ZSTD: u8 = 1;

/// What was promised for one accepted batch: exactly the facts its receipt is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchMeta {
    /// Sequence number of its first record.
    pub first_seq: Seq,
    /// Number of records, at least 1.
    pub count: u32,
    /// When it became durable.
    pub accepted_at: UnixMillis,
    /// RFC 6962 root over its records in order.
    pub root: Hash,
}

impl BatchMeta {
    /// Sequence number of its last record.
    pub fn last_seq(&self) -> u64 {
        self.first_seq.get() + u64::from(self.count) - 1
    }
}

/// Records packed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    codec: u8,
    records: u32,
    raw_len: u32,
    packed: Bytes,
}

/// Accepted batches of one stream, consecutive, with their records packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Whose records they are.
    pub operator: OperatorId,
    /// Which of its streams.
    pub stream: StreamNo,
    batches: Vec<BatchMeta>,
    remarks: Vec<Remark>,
    parts: Vec<Part>,
}

/// Why bytes are not a frame. The bytes were written by this system, so each of these means damage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// The first bytes are not those of a frame of a known version.
    #[error("the bytes do not begin with DTX1 or DTX2")]
    Magic,
    /// The bytes end inside a field.
    #[error("the bytes end inside {0}")]
    Short(&'static str),
    /// The checksum is another.
    #[error("the checksum is not that of the bytes")]
    Checksum,
    /// Bytes are left after the last part.
    #[error("{0} bytes are left after the last part")]
    Trailing(usize),
    /// A field holds a value no frame may have.
    #[error("{field} holds {value}, which no frame may have")]
    Value {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
    /// Batches are not consecutive.
    #[error("batch {index} does not begin where the one before it ends")]
    NotConsecutive {
        /// Index of the batch that does not follow.
        index: usize,
    },
    /// The parts do not hold as many records as the batches promise.
    #[error("the batches count {batches} records, the parts {parts}")]
    Count {
        /// Records by the batches.
        batches: u64,
        /// Records by the parts.
        parts: u64,
    },
    /// A remark says what can't be said.
    #[error("remark {index}: {reason}")]
    Remark {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A part does not unpack to what its head says.
    #[error("a part does not unpack: {0}")]
    Unpack(&'static str),
}

impl Frame {
    /// Puts batches and parts together.
    ///
    /// # Errors
    /// Any [`BadFrame`] but those of decoding: no batches or too many, batches not consecutive, counts that differ.
    pub fn new(
        operator: OperatorId,
        stream: StreamNo,
        batches: Vec<BatchMeta>,
        parts: Vec<Part>,
    ) -> Result<Self, BadFrame> {
        if batches.is_empty() || batches.len() > FRAME_BATCHES_MAX {
            return Err(BadFrame::Value { field: "the number of batches", value: batches.len() as u64 });
        }
        let (mut next, mut by_batches) = (None, 0_u64);
        for (index, batch) in batches.iter().enumerate() {
            if next.is_some_and(|next| next != batch.first_seq.get()) {
                return Err(BadFrame::NotConsecutive { index });
            }
            if batch.count == 0 {
                return Err(BadFrame::Value { field: "a batch's count", value: 0 });
            }
            by_batches += u64::from(batch.count);
            next = Some(batch.last_seq() + 1);
        }
        if by_batches > FRAME_RECORDS_MAX as u64 || next.is_some_and(|next| next - 1 > Seq::MAX) {
            return Err(BadFrame::Value { field: "the number of records", value: by_batches });
        }
        let by_parts = parts.iter().map(|part| u64::from(part.records)).sum();
        if by_batches != by_parts {
            return Err(BadFrame::Count { batches: by_batches, parts: by_parts });
        }
        Ok(Self { operator, stream, batches, remarks: Vec::new(), parts })
    }

    /// The accepted batches, at least one, consecutive.
    pub fn batches(&self) -> &[BatchMeta] {
        &self.batches
    }

    /// The batch that holds a seq, and its index.
    pub fn batch_holding(&self, seq: Seq) -> Option<(usize, &BatchMeta)> {
        let after = self.batches.partition_point(|batch| batch.first_seq <= seq);
        let index = after.checked_sub(1)?;
        let batch = self.batches.get(index)?;
        (seq.get() <= batch.last_seq()).then_some((index, batch))
    }

    /// The packed parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Sequence number of the first record.
    pub fn first_seq(&self) -> Seq {
        self.batches.first().map_or(Seq::FIRST, |batch| batch.first_seq)
    }

    /// Sequence number of the last record.
    pub fn last_seq(&self) -> u64 {
        self.batches.last().map_or(0, BatchMeta::last_seq)
    }

    /// Number of records.
    pub fn records(&self) -> u64 {
        self.last_seq() + 1 - self.first_seq().get()
    }

    /// Bytes of the packed parts together.
    pub fn packed_len(&self) -> usize {
        self.parts.iter().map(|part| part.packed.len()).sum()
    }
}

impl Part {
    /// Number of records in it.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Bytes it takes packed.
    pub fn packed_len(&self) -> usize {
        self.packed.len()
    }

    /// Bytes it takes unpacked, the table of lengths included.
    pub fn raw_len(&self) -> usize {
        self.raw_len as usize
    }
}

#[cfg(test)]
mod tests;
