//! What is said of the batches of a frame, beside their records: flags and signatures.

use super::{BadFrame, BatchMeta, FRAME_BATCHES_MAX, FRAME_RECORDS_MAX, Frame};
use crate::registry::Flag;
use crate::{Hash, Seq};

/// Most remarks of a frame: two flags and a signature a batch.
pub const REMARKS_MAX: usize = 3 * FRAME_BATCHES_MAX;
/// Most bytes of one remark.
pub const REMARK_BYTES_MAX: usize = u16::MAX as usize;
/// Most bytes of a batch's signature.
pub const SIGNATURE_BYTES_MAX: usize = 1_024;
/// Most bytes of all remarks of a frame: each batch is signed, and every other record is flagged otherwise than its neighbours.
pub const REMARKS_BYTES_MAX: usize =
    FRAME_BATCHES_MAX * (HEAD_BYTES + WIDER_BYTES + SIGNATURE_BYTES_MAX) + FRAME_RECORDS_MAX * RUN_BYTES + 64 * 1024;

/// Batch, kind and length.
const HEAD_BYTES: usize = 5;
const RUN_BYTES: usize = 8;
const WIDER_BYTES: usize = 36;
/// Runs of one remark; more go on in the next.
const RUNS_MAX: usize = (REMARK_BYTES_MAX - 1) / RUN_BYTES;

const FLAGGED: u8 = 1;
const SIGNED: u8 = 2;
const SIGNED_WIDER: u8 = 3;

/// Records of a batch that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Place of the first within the batch, from 0.
    pub offset: u32,
    /// How many, at least 1.
    pub count: u32,
}

/// What a signature is over when the operator sent more than the batch: records before it that were accepted already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wider {
    /// How many records before the batch, at least 1.
    pub before: u32,
    /// RFC 6962 root over them and those of the batch.
    pub root: Hash,
}

/// Something said of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// Some of its records have a flag.
    Flagged {
        /// Index of the batch in the frame.
        batch: u16,
        /// What is said of them.
        flag: Flag,
        /// Which records: ascending, disjoint, at least one run.
        runs: Vec<Run>,
    },
    /// The operator signed it.
    Signed {
        /// Index of the batch in the frame.
        batch: u16,
        /// `None`: the signature is over the batch, neither more nor less.
        wider: Option<Wider>,
        /// The signature as it is kept: ASCII, 1 to [`SIGNATURE_BYTES_MAX`] bytes.
        text: String,
    },
}

impl Remark {
    /// The remarks that flag these runs: one, or several when they are too many for one.
    pub fn flagged(batch: u16, flag: Flag, runs: &[Run]) -> impl Iterator<Item = Self> {
        runs.chunks(RUNS_MAX).map(move |runs| Self::Flagged { batch, flag, runs: runs.to_vec() })
    }

    /// Index of the batch that it is about.
    pub fn batch(&self) -> usize {
        match self {
            Self::Flagged { batch, .. } | Self::Signed { batch, .. } => usize::from(*batch),
        }
    }

    /// Bytes it takes in a frame.
    pub fn encoded_len(&self) -> usize {
        HEAD_BYTES + self.bytes_len()
    }

    fn bytes_len(&self) -> usize {
        match self {
            Self::Flagged { runs, .. } => 1 + runs.len() * RUN_BYTES,
            Self::Signed { wider, text, .. } => text.len() + wider.map_or(0, |_| WIDER_BYTES),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Flagged { .. } => FLAGGED,
            Self::Signed { wider: None, .. } => SIGNED,
            Self::Signed { wider: Some(_), .. } => SIGNED_WIDER,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.batch() as u16).to_le_bytes());
        out.push(self.kind());
        out.extend_from_slice(&(self.bytes_len() as u16).to_le_bytes());
        match self {
            Self::Flagged { flag, runs, .. } => {
                out.push(number_of(*flag));
                for run in runs {
                    out.extend_from_slice(&run.offset.to_le_bytes());
                    out.extend_from_slice(&run.count.to_le_bytes());
                }
            }
            Self::Signed { wider, text, .. } => {
                if let Some(Wider { before, root }) = wider {
                    out.extend_from_slice(&before.to_le_bytes());
                    out.extend_from_slice(&root.0);
                }
                out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Reads what [`Self::write`] wrote after the head.
    pub(super) fn read(batch: u16, kind: u8, bytes: &[u8]) -> Result<Self, &'static str> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| "a signature is not text");
        match kind {
            FLAGGED => {
                let (flag, rest) = bytes.split_first().ok_or("a flag is missing")?;
                let flag = Flag::ALL.into_iter().find(|known| number_of(*known) == *flag).ok_or("an unknown flag")?;
                let (runs, []) = rest.as_chunks::<RUN_BYTES>() else { return Err("a run is cut short") };
                let run = |[a, b, c, d, e, f, g, h]: &[u8; RUN_BYTES]| Run {
                    offset: u32::from_le_bytes([*a, *b, *c, *d]),
                    count: u32::from_le_bytes([*e, *f, *g, *h]),
                };
                Ok(Self::Flagged { batch, flag, runs: runs.iter().map(run).collect() })
            }
            SIGNED => Ok(Self::Signed { batch, wider: None, text: text(bytes)? }),
            SIGNED_WIDER => {
                let (before, rest) = bytes.split_first_chunk::<4>().ok_or("what it is over is cut short")?;
                let (root, rest) = rest.split_first_chunk::<32>().ok_or("what it is over is cut short")?;
                let wider = Wider { before: u32::from_le_bytes(*before), root: Hash(*root) };
                Ok(Self::Signed { batch, wider: Some(wider), text: text(rest)? })
            }
            _ => Err("an unknown kind"),
        }
    }

    /// Holds it against its batch, and against the remark before it.
    fn check(&self, before: Option<&Self>, batches: &[BatchMeta]) -> Result<(), &'static str> {
        let batch = batches.get(self.batch()).ok_or("there is no such batch")?;
        let place = |remark: &Self| match remark {
            Self::Flagged { flag, .. } => (remark.batch(), number_of(*flag)),
            Self::Signed { .. } => (remark.batch(), u8::MAX),
        };
        if before.is_some_and(|before| place(before) > place(self)) {
            return Err("not in order");
        }
        let goes_on = before.filter(|before| place(before) == place(self));
        match self {
            Self::Flagged { runs, .. } => {
                let mut next = match goes_on {
                    Some(Self::Flagged { runs, .. }) => {
                        runs.last().map_or(0, |run| u64::from(run.offset) + u64::from(run.count))
                    }
                    _ => 0,
                };
                if runs.is_empty() || runs.len() > RUNS_MAX {
                    return Err("no run, or too many");
                }
                for run in runs {
                    if run.count == 0 || u64::from(run.offset) < next {
                        return Err("a run is empty, or not behind the one before it");
                    }
                    next = u64::from(run.offset) + u64::from(run.count);
                }
                if next > u64::from(batch.count) { Err("a run ends behind the batch") } else { Ok(()) }
            }
            Self::Signed { .. } if goes_on.is_some() => Err("a second signature of the batch"),
            Self::Signed { wider, text, .. } => {
                if !text.is_ascii() || !(1..=SIGNATURE_BYTES_MAX).contains(&text.len()) {
                    return Err("a signature is empty, too long or not ASCII");
                }
                let begins = |wider: &Wider| wider.before > 0 && u64::from(wider.before) < batch.first_seq.get();
                if wider.as_ref().is_none_or(begins) { Ok(()) } else { Err("it is over records that can't be") }
            }
        }
    }
}

fn number_of(flag: Flag) -> u8 {
    match flag {
        Flag::AfterSuspension => 1,
        Flag::OutsideLicence => 2,
        Flag::ReportedLate => 3,
    }
}

impl Frame {
    /// The frame with these remarks, in order of batch, then flags in their order, then the signature.
    ///
    /// # Errors
    /// [`BadFrame`]: too many, or one that does not fit its batch.
    pub fn with_remarks(self, remarks: Vec<Remark>) -> Result<Self, BadFrame> {
        if remarks.len() > REMARKS_MAX {
            return Err(BadFrame::Value { field: "the number of remarks", value: remarks.len() as u64 });
        }
        let (mut before, mut bytes) = (None, 0);
        for (index, remark) in remarks.iter().enumerate() {
            remark.check(before, &self.batches).map_err(|reason| BadFrame::Remark { index, reason })?;
            before = Some(remark);
            bytes += remark.encoded_len();
        }
        if bytes > REMARKS_BYTES_MAX {
            return Err(BadFrame::Value { field: "the bytes of the remarks", value: bytes as u64 });
        }
        Ok(Self { remarks, ..self })
    }

    /// What is said of the batches, in order; usually nothing.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// What is said of the batch with this index.
    pub fn remarks_of(&self, batch: usize) -> &[Remark] {
        let from = self.remarks.partition_point(|remark| remark.batch() < batch);
        let to = self.remarks.partition_point(|remark| remark.batch() <= batch);
        self.remarks.get(from..to).unwrap_or_default()
    }

    /// The flags of the record with this seq, ascending.
    pub fn flags_of(&self, seq: Seq) -> impl Iterator<Item = Flag> {
        let (index, first) = self.batch_holding(seq).map_or((usize::MAX, 0), |(at, batch)| (at, batch.first_seq.get()));
        let offset = seq.get().saturating_sub(first);
        self.remarks_of(index).iter().filter_map(move |remark| match remark {
            Remark::Flagged { flag, runs, .. } => {
                let holds =
                    |run: &Run| (u64::from(run.offset)..u64::from(run.offset) + u64::from(run.count)).contains(&offset);
                runs.iter().any(holds).then_some(*flag)
            }
            Remark::Signed { .. } => None,
        })
    }

    /// The signature of the batch with this index, and what it is over when that is more than the batch.
    pub fn signature_of(&self, batch: usize) -> Option<(Option<Wider>, &str)> {
        self.remarks_of(batch).iter().find_map(|remark| match remark {
            Remark::Signed { wider, text, .. } => Some((*wider, text.as_str())),
            Remark::Flagged { .. } => None,
        })
    }
}
