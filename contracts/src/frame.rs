//! The frame: how accepted batches travel and rest. One JetStream message on `TX` is one frame; a stored block is a
//! header and the frames it seals, byte for byte as they were accepted.
//!
//! ```text
//! magic     4   "DTX1"
//! operator  16  UUID, big-endian
//! stream    1
//! batches   u16 number of accepted batches, at least 1, consecutive
//!   each: first seq u64, count u32, accepted at i64 (Unix ms), root 32
//! parts     u16 number of parts, at least 1; their records are those of the batches, in order
//!   each: codec u8 (0 as is, 1 Zstandard), records u32, raw length u32, packed length u32, packed bytes
//! checksum  u32 CRC-32 (ISO-HDLC) of all before it: acceptance times lie under no root, and must not rot unseen
//! ```
//!
//! Integers are little-endian. A part unpacked is a table of record lengths (u16 each) and then the records' bytes, end to
//! end: a record sent in a JSON array may hold line ends, so lines could not tell records apart.

mod packing;

use bytes::Bytes;

pub use packing::{Packer, Records, Unpacker};

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
const MAGIC: &[u8; 4] = b"DTX1";
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
    parts: Vec<Part>,
}

/// Why bytes are not a frame. The bytes were written by this system, so each of these means damage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// The first bytes are not those of a frame of this version.
    #[error("the bytes do not begin with DTX1")]
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
        Ok(Self { operator, stream, batches, parts })
    }

    /// The accepted batches, at least one, consecutive.
    pub fn batches(&self) -> &[BatchMeta] {
        &self.batches
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

    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(36 + self.batches.len() * 52 + self.parts.len() * 16 + self.packed_len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(self.operator.as_bytes());
        out.push(self.stream.0);
        out.extend_from_slice(&(self.batches.len() as u16).to_le_bytes());
        for batch in &self.batches {
            out.extend_from_slice(&batch.first_seq.get().to_le_bytes());
            out.extend_from_slice(&batch.count.to_le_bytes());
            out.extend_from_slice(&batch.accepted_at.0.to_le_bytes());
            out.extend_from_slice(&batch.root.0);
        }
        out.extend_from_slice(&(self.parts.len() as u16).to_le_bytes());
        for part in &self.parts {
            out.push(part.codec);
            out.extend_from_slice(&part.records.to_le_bytes());
            out.extend_from_slice(&part.raw_len.to_le_bytes());
            out.extend_from_slice(&(part.packed.len() as u32).to_le_bytes());
            out.extend_from_slice(&part.packed);
        }
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out
    }

    /// Reads a message. The packed bytes are shared with `bytes`, not copied.
    ///
    /// # Errors
    /// [`BadFrame`] naming the first thing that is wrong.
    pub fn decode(bytes: &Bytes) -> Result<Self, BadFrame> {
        match Self::examine(bytes)? {
            (frame, true) => Ok(frame),
            (_, false) => Err(BadFrame::Checksum),
        }
    }

    /// As [`Frame::decode`], but also reads a frame whose checksum is wrong, and says so: for a check that wants to name what in
    /// it is damaged.
    ///
    /// # Errors
    /// [`BadFrame`] but for [`BadFrame::Checksum`].
    pub fn examine(bytes: &Bytes) -> Result<(Self, bool), BadFrame> {
        let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(BadFrame::Short("the checksum"))?;
        if !body.starts_with(MAGIC) {
            return Err(BadFrame::Magic);
        }
        let sound = crc32fast::hash(body) == u32::from_le_bytes(*checksum);
        let bytes = &bytes.slice(..body.len());
        let mut at = Cursor { bytes, at: MAGIC.len() };
        let operator = OperatorId::new(uuid::Uuid::from_bytes(at.array("the operator")?))
            .ok_or(BadFrame::Value { field: "the operator", value: 0 })?;
        let stream = StreamNo(u8::from_le_bytes(at.array("the stream")?));
        let count = u16::from_le_bytes(at.array("the number of batches")?);
        let mut batches = Vec::with_capacity(usize::from(count).min(FRAME_BATCHES_MAX));
        for _ in 0..count {
            let first_seq = at.u64("a first seq")?;
            batches.push(BatchMeta {
                first_seq: Seq::new(first_seq).ok_or(BadFrame::Value { field: "a first seq", value: first_seq })?,
                count: at.u32("a count")?,
                accepted_at: UnixMillis(i64::from_le_bytes(at.array("an acceptance time")?)),
                root: Hash(at.array("a root")?),
            });
        }
        let count = u16::from_le_bytes(at.array("the number of parts")?);
        let mut parts = Vec::with_capacity(usize::from(count).min(FRAME_BATCHES_MAX));
        for _ in 0..count {
            let [codec] = at.array("a codec")?;
            if codec > CODEC_ZSTD {
                return Err(BadFrame::Value { field: "a codec", value: codec.into() });
            }
            let records = at.u32("a number of records")?;
            let raw_len = at.u32("a raw length")?;
            if raw_len as usize > PART_RAW_BYTES_MAX {
                return Err(BadFrame::Value { field: "a raw length", value: raw_len.into() });
            }
            let packed_len = at.u32("a packed length")? as usize;
            parts.push(Part { codec, records, raw_len, packed: at.shared(packed_len, "the packed bytes")? });
        }
        match bytes.len() - at.at {
            0 => Self::new(operator, stream, batches, parts).map(|frame| (frame, sound)),
            left => Err(BadFrame::Trailing(left)),
        }
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

/// A place in bytes that reads fields and never panics.
struct Cursor<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Cursor<'_> {
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], BadFrame> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.first_chunk::<N>().ok_or(BadFrame::Short(field))?;
        self.at += N;
        Ok(*found)
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, BadFrame> {
        self.array(field).map(u32::from_le_bytes)
    }

    fn u64(&mut self, field: &'static str) -> Result<u64, BadFrame> {
        self.array(field).map(u64::from_le_bytes)
    }

    fn shared(&mut self, length: usize, field: &'static str) -> Result<Bytes, BadFrame> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(BadFrame::Short(field))?;
        let found = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn operator() -> OperatorId {
        "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID")
    }

    fn frame_of(records: &[Vec<u8>], first: u64) -> Frame {
        let lengths: Vec<u16> = records.iter().map(|r| r.len() as u16).collect();
        let bytes: Vec<u8> = records.concat();
        let part = Packer::new().expect("memory").pack([(&lengths[..], &bytes[..])].into_iter()).expect("fits");
        let batch = BatchMeta {
            first_seq: Seq::new(first).expect("in range"),
            count: records.len() as u32,
            accepted_at: UnixMillis(1_792_864_829_498),
            root: Hash([7; 32]),
        };
        Frame::new(operator(), StreamNo(3), vec![batch], vec![part]).expect("a frame")
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(
            records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..50),
            first in 1_u64..1_000_000,
        ) {
            let frame = frame_of(&records, first);
            let again = Frame::decode(&frame.encode().into()).expect("decodes");
            prop_assert_eq!(&again, &frame);
            let mut unpacker = Unpacker::new().expect("memory");
            let back: Vec<Vec<u8>> = again.parts().iter()
                .flat_map(|p| unpacker.unpack(p).expect("unpacks").map(<[u8]>::to_vec).collect::<Vec<_>>())
                .collect();
            prop_assert_eq!(back, records);
        }

        #[test]
        fn damage_never_panics(at in 0_usize..400, bit in 0_u8..8, cut in 0_usize..400) {
            let mut bytes = frame_of(&vec![b"{\"seq\":1,\"id\":\"x\"}".to_vec(); 20], 1).encode();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            bytes.truncate(bytes.len() - cut % bytes.len() / 2);
            let bytes = Bytes::from(bytes);
            prop_assert!(Frame::decode(&bytes).is_err(), "the checksum sees any damage");
            if let Ok((frame, _)) = Frame::examine(&bytes) {
                let mut unpacker = Unpacker::new().expect("memory");
                for part in frame.parts() {
                    let _ = unpacker.unpack(part).map(Iterator::count);
                }
            }
        }
    }

    #[test]
    fn batches_must_follow_one_another() {
        let frame = frame_of(&[b"a".to_vec(), b"b".to_vec()], 5);
        let mut batches = frame.batches().to_vec();
        batches.push(BatchMeta { first_seq: Seq::new(9).expect("in range"), ..batches[0] });
        assert_eq!(
            Frame::new(operator(), StreamNo(3), batches, frame.parts().to_vec()),
            Err(BadFrame::NotConsecutive { index: 1 })
        );
    }
}
