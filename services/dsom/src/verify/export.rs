//! An export, block by block: every record to its block's root, every header to the one before it.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use contracts::block::{BadHeader, BlockHeader};
use contracts::export::{LINE_BYTES_MAX, Line};
use contracts::{Hash, Height, OperatorId, Seq, StreamNo};
use ledger::verify::RecordsError;
use ledger::{Frontier, block_hash, leaf_hash};

/// An export that agrees with itself. Whether its headers are the published ones, the log says.
#[derive(Debug)]
pub struct GoodExport {
    /// Whose chain.
    pub operator: OperatorId,
    /// Hash of each header, by height; no height is missing between the first and the last.
    pub headers: BTreeMap<Height, Hash>,
    /// The seqs of each stream, first and last; none is missing between them.
    pub streams: BTreeMap<StreamNo, (Seq, Seq)>,
    /// Records in it.
    pub records: u64,
}

/// The first thing wrong with an export.
#[derive(Debug, thiserror::Error)]
pub enum ExportFault {
    /// The file can't be read on.
    #[error("the file can't be read")]
    Read(#[source] std::io::Error),
    /// It ends before its last line.
    #[error("the file was cut short at byte {offset}")]
    Cut {
        /// Its length.
        offset: u64,
    },
    /// A line is not what must stand there.
    #[error("byte {offset}: expected {expected}")]
    Form {
        /// Where the line begins.
        offset: u64,
        /// What must stand there.
        expected: &'static str,
    },
    /// A header is not one.
    #[error("byte {offset}: the block's header can't be read")]
    Header {
        /// Where the header begins.
        offset: u64,
        /// Why.
        #[source]
        cause: BadHeader,
    },
    /// A block does not continue the one before it.
    #[error("block {height} does not continue the chain: wrong {field}")]
    Chain {
        /// Which block.
        height: Height,
        /// The first field that is wrong.
        field: &'static str,
    },
    /// A record does not stand where its block's header puts it.
    #[error("block {height}, record {index}: it is not seq {seq} of stream {stream}, or the header has no such place")]
    Place {
        /// Which block.
        height: Height,
        /// Which record of it, from 0.
        index: u64,
        /// The stream the file names.
        stream: StreamNo,
        /// The seq the file names.
        seq: Seq,
    },
    /// The records are not those the header was made of.
    #[error("block {height}")]
    Records {
        /// Which block.
        height: Height,
        /// Count or root.
        #[source]
        cause: RecordsError,
    },
}

/// Reads an export to its end, one block in memory at a time.
///
/// # Errors
/// [`ExportFault`], the first thing that is wrong.
pub fn check(file: &mut dyn BufRead) -> Result<GoodExport, ExportFault> {
    let mut file = Reading { file, offset: 0, buffer: Vec::new() };
    let Line::Title = file.line("dsom.export.v1")? else { return Err(file.form("dsom.export.v1")) };
    let Line::Operator(operator) = file.line("operator")? else { return Err(file.form("operator")) };
    let mut good = GoodExport { operator, headers: BTreeMap::new(), streams: BTreeMap::new(), records: 0 };
    let mut before: Option<(BlockHeader, Hash)> = None;
    loop {
        match file.line("block or end")? {
            Line::Block { bytes } => {
                let offset = file.offset;
                let header_bytes = file.bytes(bytes)?;
                let header = BlockHeader::parse(header_bytes).map_err(|cause| ExportFault::Header { offset, cause })?;
                let hash = block_hash(header_bytes);
                good.continues(before.as_ref(), &header)?;
                records_of(&mut file, &header)?;
                good.headers.insert(header.height, hash);
                good.records += header.records;
                before = Some((header, hash));
            }
            Line::End { blocks, records } => {
                if (blocks, records) != (good.headers.len() as u64, good.records) {
                    return Err(file.form("the counts of the blocks and records before"));
                }
                return match file.at_end()? {
                    true => Ok(good),
                    false => Err(file.form("nothing after the end")),
                };
            }
            _ => return Err(file.form("block or end")),
        }
    }
}

impl GoodExport {
    /// Holds a header against the one before it, and takes its ranges.
    fn continues(&mut self, before: Option<&(BlockHeader, Hash)>, header: &BlockHeader) -> Result<(), ExportFault> {
        let wrong = |field| Err(ExportFault::Chain { height: header.height, field });
        if header.operator != self.operator {
            return wrong("operator");
        }
        if let Some((before, hash)) = before {
            if header.height.0 != before.height.0 + 1 {
                return wrong("height");
            }
            if header.previous != *hash {
                return wrong("previous");
            }
            if Some(header.total) != before.total.checked_add(header.records) {
                return wrong("total");
            }
        }
        for range in &header.streams {
            let known = self.streams.get(&range.stream);
            // A chain from its first block on begins every stream at 1; a later part may meet a stream anywhere.
            let from_start = self.headers.first_key_value().map_or(header.height.0 == 1, |(height, _)| height.0 == 1);
            let fits = match known {
                Some((_, last)) => range.first.get() == last.get() + 1,
                None => !from_start || range.first == Seq::FIRST,
            };
            if !fits {
                return wrong("streams");
            }
            let first = known.map_or(range.first, |(first, _)| *first);
            self.streams.insert(range.stream, (first, range.last));
        }
        Ok(())
    }
}

/// Reads the records of a block and holds them against its header.
fn records_of(file: &mut Reading<'_>, header: &BlockHeader) -> Result<(), ExportFault> {
    let mut next: BTreeMap<StreamNo, (u64, u64)> =
        header.streams.iter().map(|range| (range.stream, (range.first.get(), range.last.get()))).collect();
    let mut tree = Frontier::new();
    for index in 0..header.records {
        let Line::Record { stream, seq, bytes } = file.line("record")? else { return Err(file.form("record")) };
        let record = file.bytes(bytes)?;
        let said = contracts::record::seq_of(record);
        tree.push(leaf_hash(record));
        file.line_end()?;
        let place = next.get_mut(&stream).filter(|(at, last)| *at == seq.get() && at <= last);
        match place.filter(|_| said == Some(seq.get())) {
            Some((at, _)) => *at += 1,
            None => return Err(ExportFault::Place { height: header.height, index, stream, seq }),
        }
    }
    let computed = tree.root();
    if computed != header.root {
        let cause = RecordsError::Root { computed, expected: header.root };
        return Err(ExportFault::Records { height: header.height, cause });
    }
    Ok(())
}

/// The file, and how far it was read.
struct Reading<'a> {
    file: &'a mut dyn BufRead,
    offset: u64,
    buffer: Vec<u8>,
}

impl Reading<'_> {
    fn form(&self, expected: &'static str) -> ExportFault {
        ExportFault::Form { offset: self.offset, expected }
    }

    /// The next announcing line.
    fn line(&mut self, expected: &'static str) -> Result<Line, ExportFault> {
        self.buffer.clear();
        let limited = (&mut *self.file).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut self.buffer);
        let read = limited.map_err(ExportFault::Read)?;
        if self.buffer.last() != Some(&b'\n') && read < LINE_BYTES_MAX {
            return Err(ExportFault::Cut { offset: self.offset + read as u64 });
        }
        let line = std::str::from_utf8(&self.buffer).ok().filter(|line| line.ends_with('\n')).and_then(Line::parse);
        let line = line.ok_or(self.form(expected))?;
        self.offset += read as u64;
        Ok(line)
    }

    /// So many bytes.
    fn bytes(&mut self, count: usize) -> Result<&[u8], ExportFault> {
        self.buffer.clear();
        let read = (&mut *self.file).take(count as u64).read_to_end(&mut self.buffer).map_err(ExportFault::Read)?;
        self.offset += read as u64;
        if read < count { Err(ExportFault::Cut { offset: self.offset }) } else { Ok(&self.buffer) }
    }

    fn line_end(&mut self) -> Result<(), ExportFault> {
        match self.bytes(1)? {
            b"\n" => Ok(()),
            _ => Err(self.form("a line end after the record")),
        }
    }

    fn at_end(&mut self) -> Result<bool, ExportFault> {
        self.file.fill_buf().map(<[u8]>::is_empty).map_err(ExportFault::Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::UnixMillis;
    use contracts::block::StreamRange;

    const OPERATOR: &str = "13013f29-b9df-4b82-ad28-e51596b7e0b4";

    fn record(seq: u64) -> Vec<u8> {
        format!("{{\"seq\":{seq}}}").into_bytes()
    }

    /// Two blocks: stream 0 seqs 1-2 and stream 5 seq 1, then stream 0 seq 3.
    fn export() -> Vec<u8> {
        let operator: OperatorId = OPERATOR.parse().expect("an id");
        let mut out = format!("{}{}", Line::Title, Line::Operator(operator)).into_bytes();
        let (mut previous, mut total) = (Hash::ZERO, 0);
        let blocks: [&[(u8, u64)]; 2] = [&[(0, 1), (5, 1), (0, 2)], &[(0, 3)]];
        for (height, records) in (1..).zip(blocks) {
            let mut ranges: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
            records.iter().for_each(|(stream, seq)| ranges.entry(*stream).or_insert((*seq, *seq)).1 = *seq);
            let seq = |n| Seq::new(n).expect("a seq");
            let ranges = ranges.into_iter().map(|(stream, (first, last))| StreamRange {
                stream: StreamNo(stream),
                first: seq(first),
                last: seq(last),
            });
            total += records.len() as u64;
            let leaves: Vec<Hash> = records.iter().map(|(_, seq)| leaf_hash(&record(*seq))).collect();
            let header = BlockHeader {
                operator,
                height: Height(height),
                previous,
                records: records.len() as u64,
                total,
                root: ledger::root(&leaves),
                streams: ranges.collect(),
                sealed: UnixMillis(1_792_864_829_498),
            };
            let bytes = header.to_bytes();
            previous = block_hash(&bytes);
            out.extend(Line::Block { bytes: bytes.len() }.to_string().into_bytes());
            out.extend(&bytes);
            for (stream, seq_no) in records {
                let bytes = record(*seq_no);
                let line = Line::Record { stream: StreamNo(*stream), seq: seq(*seq_no), bytes: bytes.len() };
                out.extend(line.to_string().into_bytes());
                out.extend(bytes);
                out.push(b'\n');
            }
        }
        out.extend(Line::End { blocks: 2, records: total }.to_string().into_bytes());
        out
    }

    #[test]
    fn a_good_export_says_what_it_holds() {
        let good = check(&mut export().as_slice()).expect("good");
        assert_eq!((good.operator.to_string().as_str(), good.records, good.headers.len()), (OPERATOR, 4, 2));
        let seqs = |stream| good.streams.get(&StreamNo(stream)).map(|(first, last)| (first.get(), last.get()));
        assert_eq!((seqs(0), seqs(5), seqs(1)), (Some((1, 3)), Some((1, 1)), None));
    }

    #[test]
    fn no_byte_can_be_changed_dropped_or_added() {
        let good = export();
        let headers = check(&mut good.as_slice()).expect("good").headers;
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            // What a header says of its time, or the last header of anything, only the log can vouch for.
            let same = check(&mut flipped.as_slice()).is_ok_and(|export| export.headers == headers);
            assert!(!same, "byte {at} of {:?}", String::from_utf8_lossy(&good[at.saturating_sub(20)..at]));
            assert!(check(&mut &good[..at]).is_err(), "cut at {at}");
        }
        let longer = [good.as_slice(), b"\n"].concat();
        assert!(matches!(check(&mut longer.as_slice()), Err(ExportFault::Form { .. })));
    }

    #[test]
    fn faults_name_their_place() {
        let text = String::from_utf8(export()).expect("text");
        let swapped = text.replacen("record 5 1", "record 6 1", 1);
        let fault = check(&mut swapped.as_bytes()).expect_err("stream 6 is not in the header");
        assert!(
            matches!(fault, ExportFault::Place { height: Height(1), index: 1, stream: StreamNo(6), .. }),
            "{fault}"
        );
        let renumbered = text.replacen("{\"seq\":3}", "{\"seq\":9}", 1);
        let fault = check(&mut renumbered.as_bytes()).expect_err("another seq");
        assert!(matches!(fault, ExportFault::Place { height: Height(2), index: 0, .. }), "{fault}");
        let rewritten = text.replacen("{\"seq\":3}", "{\"seq\":3 }", 1).replacen("record 0 3 9", "record 0 3 10", 1);
        let fault = check(&mut rewritten.as_bytes()).expect_err("another root");
        assert!(matches!(fault, ExportFault::Records { height: Height(2), .. }), "{fault}");
    }
}
