//! Frames as bytes.

use bytes::Bytes;

use super::{BadFrame, BatchMeta, CODEC_ZSTD, FRAME_BATCHES_MAX, Frame, PART_RAW_BYTES_MAX, Part, REMARKS_MAX, Remark};
use crate::ids::{OperatorId, Seq, StreamNo};
use crate::{Hash, UnixMillis};

const PLAIN: &[u8; 4] = b"DTX1";
const REMARKED: &[u8; 4] = b"DTX2";

impl Frame {
    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        let remarks: usize = self.remarks.iter().map(Remark::encoded_len).sum();
        let fixed = 36 + self.batches.len() * 52 + self.parts.len() * 16;
        let mut out = Vec::with_capacity(fixed + remarks + self.packed_len());
        out.extend_from_slice(if self.remarks.is_empty() { PLAIN } else { REMARKED });
        out.extend_from_slice(self.operator.as_bytes());
        out.push(self.stream.0);
        out.extend_from_slice(&(self.batches.len() as u16).to_le_bytes());
        for batch in &self.batches {
            out.extend_from_slice(&batch.first_seq.get().to_le_bytes());
            out.extend_from_slice(&batch.count.to_le_bytes());
            out.extend_from_slice(&batch.accepted_at.0.to_le_bytes());
            out.extend_from_slice(&batch.root.0);
        }
        if !self.remarks.is_empty() {
            out.extend_from_slice(&(self.remarks.len() as u16).to_le_bytes());
            self.remarks.iter().for_each(|remark| remark.write(&mut out));
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
        let remarked = body.starts_with(REMARKED);
        if !remarked && !body.starts_with(PLAIN) {
            return Err(BadFrame::Magic);
        }
        let sound = crc32fast::hash(body) == u32::from_le_bytes(*checksum);
        let bytes = &bytes.slice(..body.len());
        let mut at = Cursor { bytes, at: PLAIN.len() };
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
        let remarks = if remarked { read_remarks(&mut at)? } else { Vec::new() };
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
            0 => {
                let frame = Self::new(operator, stream, batches, parts)?.with_remarks(remarks)?;
                Ok((frame, sound))
            }
            left => Err(BadFrame::Trailing(left)),
        }
    }
}

fn read_remarks(at: &mut Cursor<'_>) -> Result<Vec<Remark>, BadFrame> {
    let count = u16::from_le_bytes(at.array("the number of remarks")?);
    // A frame without remarks has one form, which is that of the first version.
    if count == 0 || usize::from(count) > REMARKS_MAX {
        return Err(BadFrame::Value { field: "the number of remarks", value: count.into() });
    }
    let read = |index| {
        let batch = u16::from_le_bytes(at.array("a remark's batch")?);
        let [kind] = at.array("a remark's kind")?;
        let length = u16::from_le_bytes(at.array("a remark's length")?);
        let bytes = at.shared(length.into(), "a remark")?;
        Remark::read(batch, kind, &bytes).map_err(|reason| BadFrame::Remark { index, reason })
    };
    (0..count.into()).map(read).collect()
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
