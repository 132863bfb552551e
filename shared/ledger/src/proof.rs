//! The proof file: C2SP tlog-proof around `dsom.proof.v1` (RECORD, "Proof of a record"). One text a proof, both ways.

use contracts::Hash;

use crate::proof_path::PROOF_NODES_MAX;
use crate::text::{from_base64, line, number, to_base64};

/// A larger proof file is refused unread.
pub const PROOF_BYTES_MAX: usize = 256 * 1024;
/// Readers of others hold 64 KiB a line.
pub const EXTRA_BYTES_MAX: usize = 48 * 1024 - 16;

const TLOG_PROOF: &str = "c2sp.org/tlog-proof@v1";
const RECORD_PROOF: &str = "dsom.proof.v1";

/// Why a text is not a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Larger than it may be.
    #[error("the {part} has {bytes} bytes, more than {max}")]
    Size {
        /// Which part.
        part: Part,
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// A line is missing, or not of the one form allowed.
    #[error("line {line} of the {part} is malformed")]
    Line {
        /// Which part.
        part: Part,
        /// Counted from 1.
        line: usize,
    },
    /// More path nodes than any tree has.
    #[error("the {part} has more than {PROOF_NODES_MAX} path nodes")]
    Nodes {
        /// Which part.
        part: Part,
    },
}

/// Which text an error speaks of: the first two are nested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The outer one: the header's place in the log.
    TlogProof,
    /// The inner one, in `extra`: the record's place in the block.
    RecordProof,
    /// The record's place in a signed batch.
    SignedRecord,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::TlogProof => "tlog-proof",
            Part::RecordProof => "dsom.proof.v1",
            Part::SignedRecord => "dsom.signed-record.v1",
        })
    }
}

/// An entry's place in a log, with the checkpoint that vouches for it. `extra` is authenticated by nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// What the application adds.
    pub extra: Option<Vec<u8>>,
    /// The entry's index in the log.
    pub index: u64,
    /// Leaf to root.
    pub path: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: Vec<u8>,
}

impl TlogProof {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{TLOG_PROOF}\n");
        if let Some(extra) = &self.extra {
            text.push_str(&format!("extra {}\n", to_base64(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        write_path(&mut text, &self.path);
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.checkpoint);
        bytes
    }

    /// Reads a file, strictly: `parse(x)?.to_bytes() == x`.
    pub fn parse(file: &[u8]) -> Result<Self, FormError> {
        let part = Part::TlogProof;
        let (head, checkpoint) = split_head(file, part, PROOF_BYTES_MAX)?;
        let mut lines = Lines { rest: head, at: 0, part };
        lines.expect(TLOG_PROOF)?;
        let mut next = lines.next()?;
        let mut extra = None;
        if let Some(text) = next.strip_prefix("extra ") {
            let bytes = from_base64(text).ok_or(lines.bad())?;
            if bytes.len() > EXTRA_BYTES_MAX {
                return Err(FormError::Size { part, bytes: bytes.len(), max: EXTRA_BYTES_MAX });
            }
            extra = Some(bytes);
            next = lines.next()?;
        }
        let index = next.strip_prefix("index ").and_then(number).ok_or(lines.bad())?;
        let path = lines.path()?;
        Ok(Self { extra, index, path, checkpoint: checkpoint.to_vec() })
    }
}

/// A record's place in a block, with the block's header: `dsom.proof.v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordProof {
    /// The record as it was sent.
    pub record: Vec<u8>,
    /// Its index in the block.
    pub leaf: u64,
    /// Leaf to root.
    pub path: Vec<Hash>,
    /// The block's header, verbatim.
    pub header: Vec<u8>,
}

impl RecordProof {
    /// What goes into `extra`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{RECORD_PROOF}\nrecord {}\nleaf {}\n", to_base64(&self.record), self.leaf);
        write_path(&mut text, &self.path);
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.header);
        bytes
    }

    /// Reads it, strictly: `parse(x)?.to_bytes() == x`.
    pub fn parse(extra: &[u8]) -> Result<Self, FormError> {
        let part = Part::RecordProof;
        let (head, header) = split_head(extra, part, EXTRA_BYTES_MAX)?;
        let mut lines = Lines { rest: head, at: 0, part };
        lines.expect(RECORD_PROOF)?;
        let record = lines.next()?.strip_prefix("record ").and_then(from_base64).ok_or(lines.bad())?;
        let leaf = lines.next()?.strip_prefix("leaf ").and_then(number).ok_or(lines.bad())?;
        let path = lines.path()?;
        Ok(Self { record, leaf, path, header: header.to_vec() })
    }
}

/// The nodes, one a line, and the blank line that ends them.
pub(crate) fn write_path(text: &mut String, path: &[Hash]) {
    for node in path {
        text.push_str(&node.to_string());
        text.push('\n');
    }
    text.push('\n');
}

/// The lines before the first blank one, each with its LF; and what follows the blank line, which is not read here.
pub(crate) fn split_head(bytes: &[u8], part: Part, max: usize) -> Result<(&str, &[u8]), FormError> {
    if bytes.len() > max {
        return Err(FormError::Size { part, bytes: bytes.len(), max });
    }
    let cut = bytes.windows(2).position(|two| two == b"\n\n");
    let (head, tail) = bytes.split_at(cut.map_or(bytes.len(), |c| c + 1));
    let line = head.iter().filter(|b| **b == b'\n').count() + 1;
    let tail = tail.strip_prefix(b"\n").ok_or(FormError::Line { part, line })?;
    let head = std::str::from_utf8(head).map_err(|_| FormError::Line { part, line: 1 })?;
    Ok((head, tail))
}

/// What is left of a head's lines.
pub(crate) struct Lines<'a> {
    pub(crate) rest: &'a str,
    /// The line read last, counted from 1.
    pub(crate) at: usize,
    pub(crate) part: Part,
}

impl<'a> Lines<'a> {
    /// An error about the line read last.
    pub(crate) fn bad(&self) -> FormError {
        FormError::Line { part: self.part, line: self.at }
    }

    pub(crate) fn next(&mut self) -> Result<&'a str, FormError> {
        self.at += 1;
        let (text, rest) = line(self.rest).ok_or(self.bad())?;
        self.rest = rest;
        Ok(text)
    }

    pub(crate) fn expect(&mut self, text: &str) -> Result<(), FormError> {
        if self.next()? == text { Ok(()) } else { Err(self.bad()) }
    }

    pub(crate) fn path(&mut self) -> Result<Vec<Hash>, FormError> {
        let mut path = Vec::new();
        while !self.rest.is_empty() {
            if path.len() == PROOF_NODES_MAX {
                return Err(FormError::Nodes { part: self.part });
            }
            path.push(self.next()?.parse().map_err(|_| self.bad())?);
        }
        Ok(path)
    }
}
