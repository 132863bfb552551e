//! Reading a block header (`dsom.block.v1`, RECORD "Hashes"), strictly: one text a header.

use contracts::{Hash, Height, OperatorId, Seq, StreamNo};

use crate::text::{line, number};

/// A larger header is refused unread: 256 streams with the longest numbers need 10 KiB.
pub const HEADER_BYTES_MAX: usize = 12 * 1024;

/// What a block says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Whose chain.
    pub operator: OperatorId,
    /// Its place in the chain, from 1.
    pub height: Height,
    /// The block hash before it; zeros at height 1.
    pub previous: Hash,
    /// Records in it.
    pub records: u64,
    /// Records in it and all before it.
    pub total: u64,
    /// The tree over its records.
    pub root: Hash,
    /// What it holds of each stream: stream, first and last seq; ascending.
    pub streams: Vec<(StreamNo, Seq, Seq)>,
    /// When, as written: RFC 3339 UTC with milliseconds.
    pub sealed: String,
}

/// The bytes are not a block header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Larger than [`HEADER_BYTES_MAX`].
    #[error("the header has {bytes} bytes, more than {HEADER_BYTES_MAX}")]
    Size {
        /// How many it has.
        bytes: usize,
    },
    /// A line is missing, too many, or not of the one form allowed.
    #[error("line {line} of the block header is malformed")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// The streams' ranges do not add up to `records`, or `total` and `previous` contradict the height.
    #[error("the block header contradicts itself in {field}")]
    Contradiction {
        /// The first field that cannot be.
        field: &'static str,
    },
}

impl Header {
    /// Reads a header.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > HEADER_BYTES_MAX {
            return Err(HeaderError::Size { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| HeaderError::Line { line: 1 })?;
        let mut fields = Fields { rest: text, at: 0 };
        let header = Self::read(&mut fields).ok_or(HeaderError::Line { line: fields.at })?;
        if !fields.rest.is_empty() {
            return Err(HeaderError::Line { line: fields.at + 1 });
        }
        header.check()?;
        Ok(header)
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        fields.next("dsom.block.v1").filter(|rest| rest.is_empty())?;
        Some(Self {
            operator: fields.next("operator ")?.parse().ok()?,
            height: fields.next("height ")?.parse().ok()?,
            previous: fields.next("previous ")?.parse().ok()?,
            records: number(fields.next("records ")?)?,
            total: number(fields.next("total ")?)?,
            root: fields.next("root ")?.parse().ok()?,
            streams: streams(fields.next("streams ")?)?,
            sealed: fields.next("sealed ").filter(|s| is_time(s))?.to_owned(),
        })
    }

    fn check(&self) -> Result<(), HeaderError> {
        let held = self.streams.iter().map(|(_, first, last)| last.get() - first.get() + 1);
        let wrong = |field| Err(HeaderError::Contradiction { field });
        if self.records == 0 || held.fold(0, u64::saturating_add) != self.records {
            return wrong("records");
        }
        let first = self.height == Height(1);
        if self.total < self.records || first && self.total != self.records {
            return wrong("total");
        }
        if first != (self.previous == Hash::ZERO) {
            return wrong("previous");
        }
        Ok(())
    }
}

struct Fields<'a> {
    rest: &'a str,
    at: usize,
}

impl<'a> Fields<'a> {
    fn next(&mut self, name: &str) -> Option<&'a str> {
        self.at += 1;
        let (text, rest) = line(self.rest)?;
        self.rest = rest;
        text.strip_prefix(name)
    }
}

fn streams(text: &str) -> Option<Vec<(StreamNo, Seq, Seq)>> {
    let mut streams: Vec<(StreamNo, Seq, Seq)> = Vec::new();
    for range in text.split(',') {
        let (stream, seqs) = range.split_once(':')?;
        let (first, last) = seqs.split_once('-')?;
        let (stream, first, last): (StreamNo, Seq, Seq) =
            (stream.parse().ok()?, first.parse().ok()?, last.parse().ok()?);
        if first > last || streams.last().is_some_and(|(before, ..)| *before >= stream) {
            return None;
        }
        streams.push((stream, first, last));
    }
    Some(streams)
}

/// `2026-10-24T18:00:29.498Z` in shape and in the range of each field.
fn is_time(text: &str) -> bool {
    let shape = text.len() == 24
        && text.bytes().zip("0000-00-00T00:00:00.000Z".bytes()).all(|(b, shape)| match shape {
            b'0' => b.is_ascii_digit(),
            other => b == other,
        });
    let within = |range: std::ops::Range<usize>, min: u32, max: u32| {
        text.get(range).and_then(|t| t.parse().ok()).is_some_and(|n: u32| (min..=max).contains(&n))
    };
    shape
        && within(5..7, 1, 12)
        && within(8..10, 1, 31)
        && within(11..13, 0, 23)
        && within(14..16, 0, 59)
        && within(17..19, 0, 59)
}
