//! What can be read out of a stored block, each time held against its header: a record, its proof, all leaves.

use bytes::Bytes;
use contracts::block::{BadHeader, BlockHeader, StreamRange};
use contracts::frame::{BadFrame, Frame, Remark, Unpacker};
use contracts::registry::Flag;
use contracts::{Hash, Seq, StreamNo};

use super::frame::{Damage, check_roots, leaves};

/// The first thing wrong with a stored block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockFault {
    /// Its header is not one.
    #[error("the header can't be read")]
    Header(#[source] BadHeader),
    /// A frame can't be read.
    #[error("frame {number} can't be read")]
    Frame {
        /// Which, from 0.
        number: usize,
        /// Why.
        #[source]
        cause: BadFrame,
    },
    /// A batch does not have the root its receipt promised.
    #[error("frame {number} of stream {stream} is not what was accepted")]
    Batch {
        /// Which frame, from 0.
        number: usize,
        /// Its stream.
        stream: StreamNo,
        /// Which batch, and the two roots.
        #[source]
        damage: Damage,
    },
    /// The records do not have the root that the header names.
    #[error("the records make root {found}, the header names {named}")]
    Root {
        /// By the header.
        named: Hash,
        /// By the records.
        found: Hash,
    },
    /// The frames hold other seqs than the header names.
    #[error("the frames of stream {stream} do not hold the seqs that the header names")]
    Streams {
        /// Which stream.
        stream: StreamNo,
    },
}

/// A block whose records have been held against its header.
#[derive(Debug)]
pub struct OpenBlock {
    /// What it says.
    pub header: BlockHeader,
    /// Its frames, in order.
    pub frames: Vec<Frame>,
    /// The leaf hashes of all its records, in order.
    pub leaves: Vec<Hash>,
}

/// A record in its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The record as it was sent.
    pub record: Vec<u8>,
    /// Its index among the block's records.
    pub leaf: u64,
    /// What is said of it beside its bytes.
    pub flags: Vec<Flag>,
}

/// Records of one stream that follow one another and have a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlaggedRun {
    /// Their stream.
    pub stream: StreamNo,
    /// Their flag.
    pub flag: Flag,
    /// Seq of the first.
    pub first_seq: u64,
    /// Seq of the last.
    pub last_seq: u64,
}

/// A signature and the records it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRecords {
    /// Seq of the first.
    pub first_seq: u64,
    /// How many.
    pub count: u32,
    /// RFC 6962 root over them.
    pub root: Hash,
    /// The signature as it is kept.
    pub text: String,
}

impl OpenBlock {
    /// Derives everything a block says from its frames.
    ///
    /// # Errors
    /// [`BlockFault`] naming the first thing that does not agree.
    pub fn open(header: &[u8], frames: &[Bytes], unpacker: &mut Unpacker) -> Result<Self, BlockFault> {
        let header = BlockHeader::parse(header).map_err(BlockFault::Header)?;
        let mut open = Self { header, frames: Vec::with_capacity(frames.len()), leaves: Vec::new() };
        for (number, bytes) in frames.iter().enumerate() {
            let at = |cause| BlockFault::Frame { number, cause };
            let (frame, sound) = Frame::examine(bytes).map_err(at)?;
            let own = leaves(&frame, unpacker).map_err(at)?;
            let stream = frame.stream;
            check_roots(&frame, &own).map_err(|damage| BlockFault::Batch { number, stream, damage })?;
            // Last, because the roots can say which records are damaged.
            if !sound {
                return Err(at(BadFrame::Checksum));
            }
            open.leaves.extend(own);
            open.frames.push(frame);
        }
        let found = ledger::root(&open.leaves);
        if found != open.header.root {
            return Err(BlockFault::Root { named: open.header.root, found });
        }
        open.streams_agree()?;
        Ok(open)
    }

    /// The frames of each stream, put together, hold exactly the seqs of the header, in order.
    fn streams_agree(&self) -> Result<(), BlockFault> {
        for range in &self.header.streams {
            let mut next = range.first.get();
            for frame in self.frames.iter().filter(|frame| frame.stream == range.stream) {
                if frame.operator != self.header.operator || frame.first_seq().get() != next {
                    return Err(BlockFault::Streams { stream: range.stream });
                }
                next = frame.last_seq() + 1;
            }
            if next != range.last.get() + 1 {
                return Err(BlockFault::Streams { stream: range.stream });
            }
        }
        let named = |frame: &&Frame| !self.header.streams.iter().any(|range| range.stream == frame.stream);
        match self.frames.iter().find(named) {
            Some(frame) => Err(BlockFault::Streams { stream: frame.stream }),
            None => Ok(()),
        }
    }

    /// The record with this seq. `None` when the block does not hold it.
    ///
    /// # Errors
    /// The frame does not unpack, though it did when the block was opened.
    pub fn find(&self, stream: StreamNo, seq: Seq, unpacker: &mut Unpacker) -> Result<Option<Found>, BadFrame> {
        let mut before = 0;
        for frame in &self.frames {
            let (first, last) = (frame.first_seq().get(), frame.last_seq());
            if frame.stream != stream || seq.get() < first || seq.get() > last {
                before += frame.records();
                continue;
            }
            let mut skip = seq.get() - first;
            let leaf = before + skip;
            for part in frame.parts() {
                if skip < u64::from(part.records()) {
                    let record = unpacker.unpack(part)?.nth(skip as usize);
                    let flags = frame.flags_of(seq).collect();
                    return Ok(record.map(|record| Found { record: record.to_vec(), leaf, flags }));
                }
                skip -= u64::from(part.records());
            }
        }
        Ok(None)
    }

    /// Whether it holds a stream's record.
    pub fn holds(&self, stream: StreamNo, seq: u64) -> bool {
        let within = |range: &StreamRange| (range.first.get()..=range.last.get()).contains(&seq);
        self.header.streams.iter().any(|range| range.stream == stream && within(range))
    }

    /// The leaf hashes of a stream's records from a seq on, up to and with another; those that the block does not hold are left out.
    pub fn leaves_of(&self, stream: StreamNo, first: u64, last: u64) -> impl Iterator<Item = Hash> {
        let mut next = 0;
        let of_frame = move |frame: &Frame| {
            let from = next;
            next += frame.records();
            let held = (frame.first_seq().get(), frame.last_seq());
            (frame.stream == stream && held.0 <= last && held.1 >= first).then(|| {
                let (skipped, taken) = (first.max(held.0) - held.0, last.min(held.1) - first.max(held.0) + 1);
                self.leaves.iter().copied().skip((from + skipped) as usize).take(taken as usize)
            })
        };
        self.frames.iter().filter_map(of_frame).flatten()
    }

    /// What is flagged in the block, in the order of its frames.
    pub fn flagged(&self) -> impl Iterator<Item = FlaggedRun> {
        let of_frame = |frame: &Frame| -> Vec<FlaggedRun> {
            let of_remark = |remark: &Remark| -> Vec<FlaggedRun> {
                let Remark::Flagged { batch, flag, runs } = remark else { return Vec::new() };
                let first = frame.batches().get(usize::from(*batch)).map_or(0, |batch| batch.first_seq.get());
                let seqs = runs.iter().map(|run| (first + u64::from(run.offset), u64::from(run.count)));
                let run = |(first_seq, count)| FlaggedRun {
                    stream: frame.stream,
                    flag: *flag,
                    first_seq,
                    last_seq: first_seq + count - 1,
                };
                seqs.map(run).collect()
            };
            frame.remarks().iter().flat_map(of_remark).collect()
        };
        self.frames.iter().flat_map(of_frame)
    }

    /// The signature of the batch that holds a record, if its operator signed it.
    pub fn signature(&self, stream: StreamNo, seq: Seq) -> Option<SignedRecords> {
        let mut frames = self.frames.iter().filter(|frame| frame.stream == stream);
        let (frame, index, batch) = frames.find_map(|frame| {
            let (index, batch) = frame.batch_holding(seq)?;
            Some((frame, index, batch))
        })?;
        let (wider, text) = frame.signature_of(index)?;
        let (before, root) = wider.map_or((0, batch.root), |wider| (wider.before, wider.root));
        let first_seq = batch.first_seq.get() - u64::from(before);
        Some(SignedRecords { first_seq, count: batch.count + before, root, text: text.to_owned() })
    }
}
