//! The block: its header, a text that a person can read and anyone can make again, and the frames it seals.

use bytes::{BufMut, Bytes, BytesMut};

use crate::frame::FRAME_BYTES_MAX;
use crate::{Hash, Height, OperatorId, Seq, StreamNo, UnixMillis};

/// First line of every header.
pub const HEADER_TITLE: &str = "dsom.block.v1";
/// Most bytes of a header: 256 streams with the longest seqs, and the other lines.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// The consecutive seqs of one stream that a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRange {
    /// Which stream.
    pub stream: StreamNo,
    /// Its first seq in the block.
    pub first: Seq,
    /// Its last seq in the block.
    pub last: Seq,
}

/// What a block says of itself (RECORD: Hashes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockHeader {
    /// Whose chain.
    pub operator: OperatorId,
    /// Its place in the chain, from 1.
    pub height: Height,
    /// Hash of the header before it; 32 zero bytes at height 1.
    pub previous: Hash,
    /// Records in this block, at least 1.
    pub records: u64,
    /// Records in this and all earlier blocks.
    pub total: u64,
    /// RFC 6962 root over the records in the order accepted.
    pub root: Hash,
    /// What of each stream is in it, ascending by stream.
    pub streams: Vec<StreamRange>,
    /// When it was sealed.
    pub sealed: UnixMillis,
}

/// Why bytes are not a header in its one form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// Longer than a header can be.
    #[error("the header has {0} bytes, more than a header can have")]
    TooLong(usize),
    /// A line is missing, has another name, or holds what it may not.
    #[error("line {line} is not a canonical `{name}` line")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What it must be.
        name: &'static str,
    },
    /// The numbers contradict each other.
    #[error("the header contradicts itself: {0}")]
    Contradiction(&'static str),
}

impl BlockHeader {
    /// The header's bytes: nine lines, each ended by LF.
    pub fn to_bytes(&self) -> Vec<u8> {
        let streams: Vec<String> =
            self.streams.iter().map(|r| format!("{}:{}-{}", r.stream, r.first, r.last)).collect();
        format!(
            "{HEADER_TITLE}\noperator {}\nheight {}\nprevious {}\nrecords {}\ntotal {}\nroot {}\nstreams {}\nsealed {}\n",
            self.operator,
            self.height,
            self.previous,
            self.records,
            self.total,
            self.root,
            streams.join(","),
            self.sealed
        )
        .into_bytes()
    }

    /// Reads a header in its one form: what it gives back to [`BlockHeader::to_bytes`] is `bytes` again.
    ///
    /// # Errors
    /// [`BadHeader`] naming the first line that is wrong, or the contradiction.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadHeader> {
        if bytes.len() > HEADER_BYTES_MAX {
            return Err(BadHeader::TooLong(bytes.len()));
        }
        let mut lines = Lines { rest: bytes, line: 0 };
        let bad = |line, name| BadHeader::Line { line, name };
        if lines.take(HEADER_TITLE)? != HEADER_TITLE {
            return Err(bad(1, HEADER_TITLE));
        }
        let header = Self {
            operator: lines.value("operator")?,
            height: lines.value("height")?,
            previous: lines.value("previous")?,
            records: lines.value::<Seq>("records")?.get(),
            total: lines.value::<Seq>("total")?.get(),
            root: lines.value("root")?,
            streams: ranges(lines.after("streams")?).ok_or(bad(8, "streams"))?,
            sealed: UnixMillis::parse(lines.after("sealed")?).ok_or(bad(9, "sealed"))?,
        };
        if !lines.rest.is_empty() {
            return Err(bad(10, "end"));
        }
        header.agrees()?;
        Ok(header)
    }

    /// Holds the numbers against each other.
    fn agrees(&self) -> Result<(), BadHeader> {
        let wrong = |what| Err(BadHeader::Contradiction(what));
        let in_ranges: u64 = self.streams.iter().map(|r| r.last.get() - r.first.get() + 1).sum();
        if in_ranges != self.records {
            return wrong("the stream ranges do not add up to the records");
        }
        if (self.height.0 == 1) != (self.previous == Hash::ZERO) {
            return wrong("only the first block has no previous one");
        }
        if self.total < self.records || (self.height.0 == 1) != (self.total == self.records) {
            return wrong("the total does not fit the records and the height");
        }
        Ok(())
    }
}

/// `<stream>:<first>-<last>[,...]`, ascending by stream, at least one.
fn ranges(text: &str) -> Option<Vec<StreamRange>> {
    let mut ranges: Vec<StreamRange> = Vec::new();
    for one in text.split(',') {
        let (stream, seqs) = one.split_once(':')?;
        let (first, last) = seqs.split_once('-')?;
        let range = StreamRange { stream: stream.parse().ok()?, first: first.parse().ok()?, last: last.parse().ok()? };
        let ascending = ranges.last().is_none_or(|before| before.stream < range.stream);
        if !ascending || range.first > range.last {
            return None;
        }
        ranges.push(range);
    }
    Some(ranges)
}

/// The lines of a header, taken one after another.
struct Lines<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Lines<'a> {
    /// The next line, without its LF.
    fn take(&mut self, name: &'static str) -> Result<&'a str, BadHeader> {
        self.line += 1;
        let bad = BadHeader::Line { line: self.line, name };
        let end = self.rest.iter().position(|b| *b == b'\n').ok_or(bad.clone())?;
        let (line, rest) = self.rest.split_at_checked(end).ok_or(bad.clone())?;
        self.rest = rest.get(1..).unwrap_or_default();
        std::str::from_utf8(line).ok().filter(|text| text.is_ascii()).ok_or(bad)
    }

    /// The text after `name` and one space.
    fn after(&mut self, name: &'static str) -> Result<&'a str, BadHeader> {
        let line = self.take(name)?;
        let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
        value.ok_or(BadHeader::Line { line: self.line, name })
    }

    fn value<T: std::str::FromStr>(&mut self, name: &'static str) -> Result<T, BadHeader> {
        let text = self.after(name)?;
        text.parse().map_err(|_| BadHeader::Line { line: self.line, name })
    }
}

/// A header and the frames under it, as they travel on `LEDGER` and rest in the store.
///
/// ```text
/// magic   4  "DBL1"
/// header  u32 length, bytes
/// frames  u32 number, then each: u32 length, bytes
/// ```
/// Integers are little-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBlock {
    /// The header's bytes, verbatim.
    pub header: Bytes,
    /// The frames, verbatim, in order.
    pub frames: Vec<Bytes>,
}

/// The bytes are not a sealed block. They were written by this system, so this means damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a sealed block: {0}")]
pub struct BadBlock(&'static str);

const MAGIC: &[u8; 4] = b"DBL1";

impl SealedBlock {
    /// The bytes of the message.
    pub fn encode(&self) -> Bytes {
        let frames: usize = self.frames.iter().map(|frame| 4 + frame.len()).sum();
        let mut out = BytesMut::with_capacity(12 + self.header.len() + frames);
        out.put_slice(MAGIC);
        out.put_u32_le(self.header.len() as u32);
        out.put_slice(&self.header);
        out.put_u32_le(self.frames.len() as u32);
        for frame in &self.frames {
            out.put_u32_le(frame.len() as u32);
            out.put_slice(frame);
        }
        out.freeze()
    }

    /// Reads a message. The parts share `bytes`.
    ///
    /// # Errors
    /// [`BadBlock`] when the bytes are cut short, too long, or of another kind.
    pub fn decode(bytes: &Bytes) -> Result<Self, BadBlock> {
        let mut rest = bytes.clone();
        if rest.len() < 4 || rest.split_to(4) != MAGIC[..] {
            return Err(BadBlock("the first bytes are not DBL1"));
        }
        let header = take_sized(&mut rest, HEADER_BYTES_MAX).ok_or(BadBlock("the header is cut short"))?;
        let count = take_u32(&mut rest).ok_or(BadBlock("the number of frames is cut short"))?;
        let mut frames = Vec::new();
        for _ in 0..count {
            frames.push(take_sized(&mut rest, FRAME_BYTES_MAX).ok_or(BadBlock("a frame is cut short"))?);
        }
        if !rest.is_empty() {
            return Err(BadBlock("bytes are left after the last frame"));
        }
        Ok(Self { header, frames })
    }
}

/// Takes a little-endian u32 off the front.
pub(crate) fn take_u32(rest: &mut Bytes) -> Option<u32> {
    let found = u32::from_le_bytes(*rest.first_chunk::<4>()?);
    *rest = rest.slice(4..);
    Some(found)
}

/// Takes bytes with their u32 length in front; `None` when cut short or longer than `most`.
pub(crate) fn take_sized(rest: &mut Bytes, most: usize) -> Option<Bytes> {
    let length = take_u32(rest)? as usize;
    (length <= most && length <= rest.len()).then(|| rest.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "dsom.block.v1\noperator 13013f29-b9df-4b82-ad28-e51596b7e0b4\nheight 2\nprevious jy9N5WuDY/u2IMkjEIRt+3cBBR1oX8pV3WOsxWXS1h0=\nrecords 5\ntotal 9\nroot btXFUor6tlK0kBJ3GIkW5Tx7yK1yvj1+biJL02ydzHY=\nstreams 0:3-6,7:1-1\nsealed 2026-10-24T18:00:29.498Z\n";

    #[test]
    fn a_header_has_one_form() {
        let header = BlockHeader::parse(TEXT.as_bytes()).expect("canonical");
        assert_eq!((header.height, header.records, header.total, header.streams.len()), (Height(2), 5, 9, 2));
        assert_eq!(header.to_bytes(), TEXT.as_bytes());
        for (from, to, why) in [
            ("height 2", "height 02", BadHeader::Line { line: 3, name: "height" }),
            ("height 2", "height  2", BadHeader::Line { line: 3, name: "height" }),
            ("\nheight 2", "\r\nheight 2", BadHeader::Line { line: 2, name: "operator" }),
            ("0:3-6,7:1-1", "7:1-1,0:3-6", BadHeader::Line { line: 8, name: "streams" }),
            ("0:3-6,7:1-1", "0:6-3,7:1-1", BadHeader::Line { line: 8, name: "streams" }),
            ("records 5", "records 6", BadHeader::Contradiction("the stream ranges do not add up to the records")),
            ("total 9", "total 4", BadHeader::Contradiction("the total does not fit the records and the height")),
            ("height 2", "height 1", BadHeader::Contradiction("only the first block has no previous one")),
            ("498Z\n", "498Z", BadHeader::Line { line: 9, name: "sealed" }),
            ("498Z\n", "498Z\n\n", BadHeader::Line { line: 10, name: "end" }),
        ] {
            assert_eq!(BlockHeader::parse(TEXT.replace(from, to).as_bytes()), Err(why), "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(at in 0_usize..300, byte in any::<u8>()) {
            let mut bytes = TEXT.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(header) = BlockHeader::parse(&bytes) {
                prop_assert_eq!(header.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn a_block_comes_back_and_damage_is_refused() {
        let block =
            SealedBlock { header: TEXT.into(), frames: vec![Bytes::from_static(b"one"), Bytes::from_static(b"")] };
        let bytes = block.encode();
        assert_eq!(SealedBlock::decode(&bytes), Ok(block));
        for cut in 0..bytes.len() {
            assert!(SealedBlock::decode(&bytes.slice(..cut)).is_err(), "cut at {cut}");
        }
    }
}
