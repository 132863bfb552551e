//! One stream's files sent through the SDK: what ingest holds already is held against its receipts, the rest is sent, and every receipt
//! is kept as soon as it is there.

mod book;
mod held;
mod places;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use client::{Api, Config, Refusal, SendError, Sender, Unfinished};
use contracts::StreamNo;
use contracts::record::seq_of;
use indicatif::ProgressBar;

pub use book::Book;
use held::Held;
use places::Places;
use watch::Watch;

use crate::{Failure, files};

/// Violations of the record's rules that are told.
const VIOLATIONS_MAX: usize = 10;

/// What is to be sent.
pub struct Job {
    /// Where to and as whom.
    pub config: Config,
    /// Base URL of chaining, which shows accepted records.
    pub chaining: String,
    /// The stream.
    pub stream: StreamNo,
    /// Its files, in order.
    pub files: Vec<PathBuf>,
    /// Where receipts are kept.
    pub book: Option<Arc<Book>>,
    /// Shows how far it is.
    pub bar: ProgressBar,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Sent {
    /// Records that were accepted.
    pub records: u64,
    /// Records that ingest held already.
    pub there: u64,
    /// Of these, records whose batches reach beyond the files: they could not be compared.
    pub unchecked: u64,
    /// Receipts that came, or were fetched.
    pub receipts: u64,
    /// Why it ended early.
    pub failure: Option<Failure>,
}

/// Sends a stream's files to their end, or until something is wrong.
pub async fn send(job: Job) -> Sent {
    let mut sent = Sent::default();
    let who = format!("{} stream {}", job.config.operator, job.stream);
    job.bar.set_message(who.clone());
    let watch = Arc::new(Watch::new(job.book.clone()));
    let ended = tokio::select! {
        ended = job.run(&watch, &mut sent) => ended,
        () = watch.show(&job.bar, &who) => Ok(()),
    };
    (sent.records, sent.receipts) = (watch.records(), sent.receipts + watch.receipts());
    sent.failure = ended.err().map(|failure| Failure { text: format!("{who}: {}", failure.text), ..failure });
    job.bar.set_message(who);
    sent
}

impl Job {
    async fn run(&self, watch: &Arc<Watch>, sent: &mut Sent) -> Result<(), Failure> {
        let config = Config { observer: Arc::clone(watch) as _, ..self.config.clone() };
        let mut places = Places::default();
        let api = Api::new(config.clone()).map_err(|error| failed(&error, &places))?;
        let mut sender = Sender::open(config, self.stream).await.map_err(|error| failed(&error, &places))?;
        let read = self.read(&api, &mut sender, &mut places, sent).await;
        // What was taken is sent to its end, and its receipts kept, whatever is wrong with what follows.
        let finished = sender.finish().await;
        let written = self.book.as_ref().map_or(Ok(()), |book| book.is_whole());
        match (read, finished) {
            (Err(failure), Ok(_)) => Err(failure),
            (_, Err(Unfinished { error, .. })) => Err(failed(&error, &places)),
            (Ok(()), Ok(_)) => written,
        }
    }

    /// Reads the files, and compares or pushes each record.
    async fn read(&self, api: &Api, sender: &mut Sender, places: &mut Places, sent: &mut Sent) -> Result<(), Failure> {
        let head = sender.next_seq();
        let mut held = Held::new(api, &self.chaining, self.stream, self.book.as_deref(), head);
        let mut line = Vec::new();
        for path in &self.files {
            let mut reader = files::open_with(path, |file| self.bar.wrap_read(file))?;
            let name = path.display();
            let (mut number, mut before) = (0_u64, None::<u64>);
            let cannot = |error: std::io::Error| Failure::bad(format!("could not read {name}")).because(&error);
            while files::next_record(&mut reader, &mut line).map_err(cannot)? {
                number += 1;
                let seq = seq_of(&line).ok_or_else(|| {
                    Failure::bad(format!("{name} line {number}: no record with a seq that can be read"))
                })?;
                if let Some(before) = before.filter(|before| before.checked_add(1) != Some(seq)) {
                    return Err(Failure::bad(format!("{name} line {number}: seq {seq} follows seq {before}")));
                }
                before = Some(seq);
                places.note(path, number, seq);
                if seq < head {
                    sent.there += 1;
                    held.take(seq, &line, places).await?;
                } else if seq != sender.next_seq() {
                    let next = sender.next_seq();
                    return Err(Failure::bad(format!("{name} line {number}: seq {seq} where {next} was to follow")));
                } else {
                    match sender.push(&line).await {
                        Ok(()) => {}
                        // The sender knows why it ended.
                        Err(SendError::Ended) => return Ok(()),
                        Err(error) => return Err(Failure::bad(format!("{name} line {number}")).because(&error)),
                    }
                    // The observer has kept them.
                    sender.receipts();
                }
                if let Some(book) = &self.book {
                    book.is_whole()?;
                }
            }
        }
        (sent.unchecked, sent.receipts) = held.end();
        Ok(())
    }
}

/// Why sending ended, with the lines it is about.
fn failed(error: &SendError, places: &Places) -> Failure {
    let failure = match error {
        SendError::Unreachable { .. } | SendError::GaveUp { .. } => Failure::unreachable("could not send"),
        _ => Failure::bad("could not send"),
    };
    let mut failure = failure.because(error);
    if let SendError::Refused(refusal) = error {
        failure.text.push_str(&lines(refusal, places));
    }
    failure
}

/// The records a refusal is about, a line each.
fn lines(refusal: &Refusal, places: &Places) -> String {
    let mut text = refusal.request_id.as_ref().map_or_else(String::new, |id| format!(" (request {id})"));
    let place = |seq: Option<u64>| {
        let seq = seq.filter(|seq| *seq > 0);
        seq.and_then(|seq| places.find(seq)).unwrap_or_else(|| "a record".to_owned())
    };
    for error in refusal.errors.iter().take(VIOLATIONS_MAX) {
        let pointer = if error.pointer.is_empty() { "(the record)" } else { &error.pointer };
        text.push_str(&format!("\n  {}: {pointer} {}: {}", place(error.seq), error.code, error.detail));
    }
    if let Some(more) = refusal.errors.len().checked_sub(VIOLATIONS_MAX).filter(|more| *more > 0) {
        text.push_str(&format!("\n  and {more} more"));
    }
    if let (true, Some(seq)) = (refusal.errors.is_empty(), refusal.seq) {
        let leaf = |leaf: &Option<String>| leaf.clone().unwrap_or_else(|| "unknown".to_owned());
        let (accepted, sent) = (leaf(&refusal.accepted_leaf), leaf(&refusal.sent_leaf));
        text.push_str(&format!("\n  {}: seq {seq}, accepted leaf {accepted}, sent leaf {sent}", place(Some(seq))));
    }
    text
}
