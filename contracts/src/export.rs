//! `dsom.export.v1`: whole blocks of an operator's chain as one file that anyone can read again and check offline.
//!
//! ```text
//! dsom.export.v1
//! operator <uuid>
//! block <bytes of the header>        each block, ascending by height:
//! <the header, verbatim>
//! record <stream> <seq> <bytes>      each record of the block, in its order:
//! <the record, verbatim>
//! end <blocks> <records>             a file without this line was cut short
//! ```
//!
//! Every line ends with LF, and so do a header (which brings its own) and a record (one LF is added after its bytes: a record sent
//! in a JSON array may hold line ends itself, so its length stands before it).

use std::fmt;

use crate::block::HEADER_BYTES_MAX;
use crate::record::RECORD_BYTES_MAX;
use crate::{OperatorId, Seq, StreamNo};

/// First line of every export.
pub const TITLE: &str = "dsom.export.v1";
/// Media type of an export.
pub const MEDIA_TYPE: &str = "application/vnd.dsom.export.v1";
/// Most bytes of one of the lines that announce something.
pub const LINE_BYTES_MAX: usize = 128;

/// One of the lines that announce something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// What the file is.
    Title,
    /// Whose chain.
    Operator(OperatorId),
    /// A block's header follows.
    Block {
        /// Bytes of the header.
        bytes: usize,
    },
    /// A record follows.
    Record {
        /// Its stream.
        stream: StreamNo,
        /// Its place in the stream.
        seq: Seq,
        /// Its bytes, without the LF after them.
        bytes: usize,
    },
    /// Nothing follows.
    End {
        /// Blocks in the file.
        blocks: u64,
        /// Records in the file.
        records: u64,
    },
}

impl fmt::Display for Line {
    /// The line with its LF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Title => writeln!(f, "{TITLE}"),
            Self::Operator(operator) => writeln!(f, "operator {operator}"),
            Self::Block { bytes } => writeln!(f, "block {bytes}"),
            Self::Record { stream, seq, bytes } => writeln!(f, "record {stream} {seq} {bytes}"),
            Self::End { blocks, records } => writeln!(f, "end {blocks} {records}"),
        }
    }
}

impl Line {
    /// Reads a line, with or without its LF, in its one form; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let mut words = text.split(' ');
        let line = match words.next()? {
            TITLE => Self::Title,
            "operator" => Self::Operator(words.next()?.parse().ok()?),
            "block" => Self::Block { bytes: words.next()?.parse().ok().filter(|bytes| *bytes <= HEADER_BYTES_MAX)? },
            "record" => Self::Record {
                stream: words.next()?.parse().ok()?,
                seq: words.next()?.parse().ok()?,
                bytes: words.next()?.parse().ok().filter(|bytes| *bytes <= RECORD_BYTES_MAX)?,
            },
            "end" => Self::End { blocks: words.next()?.parse().ok()?, records: words.next()?.parse().ok()? },
            _ => return None,
        };
        // Written again it must be the same: no signs, leading zeros or words too many.
        (line.to_string().trim_end_matches('\n') == text).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_one_form() {
        for text in [
            "dsom.export.v1",
            "operator 13013f29-b9df-4b82-ad28-e51596b7e0b4",
            "block 400",
            "record 255 9007199254740991 2048",
            "end 12 3456",
        ] {
            let line = Line::parse(text).expect(text);
            assert_eq!(line.to_string(), format!("{text}\n"));
        }
        for bad in [
            "",
            "block",
            "block 040",
            "block +4",
            "block 4 4",
            "block 99999999",
            "record 256 1 1",
            "record 0 0 1",
            "record 0 1 2049",
            "end 1",
            "END 1 1",
            "end 1 1 ",
            " end 1 1",
        ] {
            assert_eq!(Line::parse(bad), None, "{bad:?}");
        }
    }
}
