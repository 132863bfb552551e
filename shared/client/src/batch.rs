//! A batch as it is sent: its lines, and the root that its receipt must name.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use contracts::{Hash, Seq};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// How a body is packed on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// Zstandard, level 1.
    Zstd,
    /// Gzip, level 1, for where a proxy on the way knows nothing newer.
    Gzip,
}

impl Encoding {
    /// The value of `Content-Encoding`, where there is one.
    pub(crate) fn header(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Zstd => Some("zstd"),
            Self::Gzip => Some("gzip"),
        }
    }

    fn pack(self, lines: Vec<u8>) -> Result<Bytes, std::io::Error> {
        match self {
            Self::Identity => Ok(lines.into()),
            Self::Zstd => zstd::bulk::compress(&lines, 1).map(Bytes::from),
            Self::Gzip => {
                let mut packed = GzEncoder::new(Vec::with_capacity(lines.len() / 4), Compression::fast());
                packed.write_all(&lines)?;
                packed.finish().map(Bytes::from)
            }
        }
    }

    /// The opposite of [`Self::pack`], for what this made itself.
    fn unpack(self, body: &Bytes) -> Result<Bytes, std::io::Error> {
        match self {
            Self::Identity => Ok(body.clone()),
            Self::Zstd => zstd::stream::decode_all(body.as_ref()).map(Bytes::from),
            Self::Gzip => {
                let mut lines = Vec::new();
                GzDecoder::new(body.as_ref()).read_to_end(&mut lines)?;
                Ok(lines.into())
            }
        }
    }
}

/// Records with consecutive seqs, ready to be sent any number of times.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Seq of the first record.
    pub first_seq: Seq,
    /// Number of records, at least 1.
    pub count: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
    /// The body, packed.
    pub body: Bytes,
    /// How it is packed.
    pub encoding: Encoding,
}

impl Batch {
    /// Seq of the last record.
    pub fn last_seq(&self) -> u64 {
        self.first_seq.get() + self.count - 1
    }

    /// The same records as two batches; `None` where there is but one.
    pub(crate) fn halves(&self) -> Result<Option<[Self; 2]>, std::io::Error> {
        let half = self.count / 2;
        let Some(middle) = Seq::new(self.first_seq.get() + half).filter(|_| half > 0) else { return Ok(None) };
        let lines = self.encoding.unpack(&self.body)?;
        let (mut first, mut second) = (Collector::default(), Collector::default());
        for record in lines.split_inclusive(|byte| *byte == b'\n') {
            let half = if first.count() < half { &mut first } else { &mut second };
            half.push(record.strip_suffix(b"\n").unwrap_or(record));
        }
        Ok(Some([first.take(self.first_seq, self.encoding)?, second.take(middle, self.encoding)?]))
    }
}

/// Collects lines until they are a batch.
#[derive(Default)]
pub(crate) struct Collector {
    lines: Vec<u8>,
    tree: ledger::Frontier,
    count: u64,
}

impl Collector {
    pub(crate) fn push(&mut self, record: &[u8]) {
        self.lines.extend_from_slice(record);
        self.lines.push(b'\n');
        self.tree.push(ledger::leaf_hash(record));
        self.count += 1;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// The batch of what was collected; leaves the collector empty.
    pub(crate) fn take(&mut self, first_seq: Seq, encoding: Encoding) -> Result<Batch, std::io::Error> {
        let collected = std::mem::take(self);
        let root = collected.tree.root();
        Ok(Batch { first_seq, count: collected.count, root, body: encoding.pack(collected.lines)?, encoding })
    }
}
