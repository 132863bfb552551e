//! A batch: a body of records with consecutive seqs, split, parsed and checked in one pass. Records stay where they are in the body.

mod ids;

use std::ops::Range;

use ids::Ids;

use crate::record::{self, Body, Record, RecordCode, Vertical, Violation};
use crate::time::UnixNanos;
use crate::{Seq, UnixMillis};

/// Most records of a batch.
pub const BATCH_RECORDS_MAX: usize = 10_000;
/// Most bytes of a batch unpacked.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most bytes of a batch as sent.
pub const SENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most violations told in one answer.
pub const INVALID_MAX: usize = 100;

/// How records stand in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/x-ndjson`: a record a line, LF.
    Ndjson,
    /// `application/json`: one object, or an array of objects.
    Json,
}

/// Valid records with consecutive seqs: where each lies in the body that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedBatch {
    /// Seq of the first record.
    pub first_seq: Seq,
    /// Where each record begins in the body.
    pub starts: Vec<u32>,
    /// Bytes of each record.
    pub lengths: Vec<u16>,
    /// What its wagers are about.
    pub wagers: Wagers,
}

/// What the wagers of a batch are about, all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wagers {
    /// A bit for each vertical that stands in one, by its place in [`Vertical::ALL`].
    verticals: u16,
    /// The times of the first and the last; nothing without wagers.
    span: Option<(UnixNanos, UnixNanos)>,
}

impl Wagers {
    fn add(&mut self, record: &Record<'_>) {
        if let Body::Wager(wager) = &record.body {
            self.verticals |= 1 << wager.vertical as u16;
            let (first, last) = self.span.unwrap_or((record.at, record.at));
            self.span = Some((first.min(record.at), last.max(record.at)));
        }
    }

    /// The verticals that stand in one.
    pub fn verticals(self) -> impl Iterator<Item = Vertical> {
        Vertical::ALL.iter().copied().filter(move |vertical| self.verticals & (1 << *vertical as u16) != 0)
    }

    /// When the first and the last were placed, in whole milliseconds, rounded down; `None` without wagers.
    pub fn span(self) -> Option<(UnixMillis, UnixMillis)> {
        self.span.map(|(first, last)| (millis(first), millis(last)))
    }
}

fn millis(at: UnixNanos) -> UnixMillis {
    UnixMillis(at.0.div_euclid(1_000_000))
}

impl CheckedBatch {
    /// The records in order; `body` is the one that was checked.
    pub fn records<'a>(&'a self, body: &'a [u8]) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        self.starts.iter().zip(&self.lengths).map(|(start, length)| {
            let start = *start as usize;
            body.get(start..start + usize::from(*length)).unwrap_or_default()
        })
    }

    /// Reads the records again and gives the wagers among them: place in the batch, vertical and time in whole milliseconds,
    /// rounded down. `body` and `now` are those it was checked with.
    pub fn read_wagers<'a>(
        &'a self,
        body: &'a [u8],
        now: UnixMillis,
    ) -> impl Iterator<Item = (u32, Vertical, UnixMillis)> {
        (0_u32..).zip(self.records(body)).filter_map(move |(index, bytes)| {
            let record = record::parse(bytes, now).ok()?;
            match record.body {
                Body::Wager(wager) => Some((index, wager.vertical, millis(record.at))),
                _ => None,
            }
        })
    }
}

/// A violation and the record it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Place of the record in the batch, from 0.
    pub index: usize,
    /// Its seq, where that could be read.
    pub seq: Option<u64>,
    /// What is wrong.
    pub violation: Violation,
}

/// Why a body is not a batch. Nothing of it is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No record at all.
    #[error("the body holds no record")]
    Empty,
    /// More records than allowed.
    #[error("the body holds more than {BATCH_RECORDS_MAX} records")]
    TooMany,
    /// More bytes than allowed.
    #[error("the body has {bytes} bytes unpacked, at most {BATCH_BYTES_MAX} are allowed")]
    TooBig {
        /// Bytes unpacked.
        bytes: usize,
    },
    /// The body is not an array that begins and ends.
    #[error("byte {at} of the body: {reason}")]
    Malformed {
        /// Where.
        at: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A record that does not follow the one before it.
    #[error("record {index} has seq {found}, expected {expected}")]
    NotConsecutive {
        /// Place of the record in the batch, from 0.
        index: usize,
        /// The seq that would follow.
        expected: u64,
        /// Its seq.
        found: u64,
    },
    /// Records against the rules, up to [`INVALID_MAX`] violations.
    #[error("{}", first_of(.0))]
    Invalid(Vec<Invalid>),
}

/// The first violation in words, and how many more there are.
fn first_of(invalid: &[Invalid]) -> String {
    let Some((Invalid { index, violation, .. }, more)) = invalid.split_first() else { return String::new() };
    let Violation { pointer, detail, .. } = violation;
    let space = if pointer.is_empty() { "" } else { " " };
    let more = match more.len() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    format!("record {index}: {pointer}{space}{detail}{more}")
}

/// Splits a body, parses each record and checks that seqs are consecutive and that no id stands twice.
///
/// # Errors
/// [`BatchError`]: what an operator must put right.
pub fn check(body: &[u8], media: Media, now: UnixMillis) -> Result<CheckedBatch, BatchError> {
    if body.len() > BATCH_BYTES_MAX {
        return Err(BatchError::TooBig { bytes: body.len() });
    }
    let mut found = Found::default();
    match media {
        Media::Ndjson => lines(body, |span| found.add(body, span, now))?,
        Media::Json => elements(body, |span| found.add(body, span, now))?,
    }
    if !found.invalid.is_empty() {
        return Err(BatchError::Invalid(found.invalid));
    }
    match (found.gap, found.first) {
        (Some(gap), _) => Err(gap),
        (None, Some(first_seq)) => {
            let Found { starts, lengths, wagers, ids, .. } = found;
            let batch = CheckedBatch { first_seq, starts, lengths, wagers };
            let repeated = match ids.may_repeat() {
                true => ids::repeated(batch.records(body), first_seq, now),
                false => Vec::new(),
            };
            if repeated.is_empty() { Ok(batch) } else { Err(BatchError::Invalid(repeated)) }
        }
        (None, None) => Err(BatchError::Empty),
    }
}

#[derive(Default)]
struct Found {
    index: usize,
    first: Option<Seq>,
    next: u64,
    gap: Option<BatchError>,
    starts: Vec<u32>,
    lengths: Vec<u16>,
    wagers: Wagers,
    ids: Ids,
    invalid: Vec<Invalid>,
}

impl Found {
    fn add(&mut self, body: &[u8], span: Range<usize>, now: UnixMillis) -> Result<(), BatchError> {
        let index = self.index;
        if index == BATCH_RECORDS_MAX {
            return Err(BatchError::TooMany);
        }
        self.index += 1;
        if self.invalid.len() >= INVALID_MAX {
            return Ok(());
        }
        let bytes = body.get(span.clone()).unwrap_or_default();
        let parsed = if bytes.last() == Some(&b'\r') { Err(vec![stray_cr()]) } else { record::parse(bytes, now) };
        let seq = match parsed {
            Ok(record) => {
                self.wagers.add(&record);
                self.ids.add(record.id);
                record.seq
            }
            Err(violations) => {
                let seq = record::seq_of(bytes);
                let left = INVALID_MAX - self.invalid.len();
                let told = violations.into_iter().take(left);
                self.invalid.extend(told.map(|violation| Invalid { index, seq, violation }));
                return Ok(());
            }
        };
        if self.first.is_none() {
            (self.first, self.next) = (Some(seq), seq.get());
            // Records of one batch are about as long as its first: room for all of them at once.
            let about = (body.len() / bytes.len().max(1) + 16).min(BATCH_RECORDS_MAX);
            self.starts.reserve(about);
            self.lengths.reserve(about);
            self.ids.reserve(about);
        }
        if seq.get() != self.next && self.gap.is_none() {
            self.gap = Some(BatchError::NotConsecutive { index, expected: self.next, found: seq.get() });
        }
        self.next = seq.get() + 1;
        self.starts.push(span.start as u32);
        self.lengths.push(span.len() as u16);
        Ok(())
    }
}

fn stray_cr() -> Violation {
    let detail = "the line ends in CR LF; end lines with LF alone".into();
    Violation { pointer: String::new(), code: RecordCode::BadJson, detail }
}

fn lines(body: &[u8], mut each: impl FnMut(Range<usize>) -> Result<(), BatchError>) -> Result<(), BatchError> {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', body) {
        each(start..end)?;
        start = end + 1;
    }
    // The last LF is optional.
    if start < body.len() { each(start..body.len()) } else { Ok(()) }
}

/// The object, or the elements of the array; what an element holds is for the record's readers to judge.
fn elements(body: &[u8], mut each: impl FnMut(Range<usize>) -> Result<(), BatchError>) -> Result<(), BatchError> {
    let space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    let start = body.iter().take_while(|b| space(b)).count();
    let end = body.len() - body.iter().rev().take_while(|b| space(b)).count();
    let inner = body.get(start..end).unwrap_or_default();
    if inner.first() != Some(&b'[') {
        return if inner.is_empty() { Ok(()) } else { each(start..end) };
    }
    let trimmed = |from: usize, to: usize| {
        let part = body.get(from..to).unwrap_or_default();
        let before = part.iter().take_while(|b| space(b)).count();
        let after = part.get(before..).unwrap_or_default().iter().rev().take_while(|b| space(b)).count();
        from + before..to - after
    };
    let (mut from, mut depth, mut in_string, mut escaped, mut any) = (start + 1, 0_usize, false, false, false);
    for (at, byte) in body.iter().enumerate().take(end).skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b',' if depth == 0 => {
                each(trimmed(from, at))?;
                (from, any) = (at + 1, true);
            }
            b']' if at + 1 == end => {
                let last = trimmed(from, at);
                return if last.is_empty() && !any { Ok(()) } else { each(last) };
            }
            b']' | b'}' => return Err(BatchError::Malformed { at, reason: "a bracket closes what was not opened" }),
            _ => {}
        }
    }
    Err(BatchError::Malformed { at: end, reason: "the array does not end" })
}

#[cfg(test)]
mod tests;
