//! `dsom send`: an operator's files, through the SDK.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Config;
use comfy_table::{CellAlignment, Table, presets};
use contracts::{OperatorId, StreamNo};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Data, world};
use crate::mesh::{Layout, MeshFile};
use crate::sending::{Book, Job, Sent, send};
use crate::{Exit, Failure, files, register};

/// Sends files of records, named `<operator>.<stream>.ndjson[.gz|.zst]`, to a running mesh
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom send --batch 1000 --receipts receipts.jsonl ../shared/data/*.ndjson.gz\n\nWhat ingest holds already is not sent again, but compared with its receipts; an interrupted run is simply\nrepeated, and its file of receipts becomes whole. Files of one operator and stream are sent in the order given.\nEnds with 1 when a record is refused, or differs from the accepted one."
)]
pub struct Send {
    #[command(flatten)]
    data: Data,
    /// Records of a batch
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// To the sandbox in place of the market
    #[arg(long)]
    sandbox: bool,
    /// Where to write the receipts, a JSON object a line; what is there stays, and none is written twice
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
    /// End with 3 when a request has had no answer for so long, in place of waiting for ever
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    give_up_after: Option<u64>,
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Send {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut streams: BTreeMap<(OperatorId, StreamNo), Vec<PathBuf>> = BTreeMap::new();
        for file in &self.files {
            streams.entry(files::named(file)?).or_default().push(file.clone());
        }
        let mesh = MeshFile::read(&self.data.dir)?;
        let book = self.receipts.as_deref().map(Book::open).transpose()?.map(Arc::new);
        let jobs = self.jobs(streams, &mesh, book.as_ref()).await?;
        let started = Instant::now();
        let tasks: Vec<_> =
            jobs.into_iter().map(|job| (job.config.operator, job.stream, tokio::spawn(send(job)))).collect();
        let (mut rows, mut failures) = (Vec::new(), Vec::new());
        for (operator, stream, task) in tasks {
            let mut sent = task.await.unwrap_or_else(|error| Sent {
                failure: Some(Failure::bad(format!("{operator} stream {stream}")).because(&error)),
                ..Sent::default()
            });
            let ended = if sent.failure.is_some() { "failed" } else { "whole" };
            failures.extend(sent.failure.take());
            rows.push((operator, stream, sent, ended));
        }
        if let Some(Err(failure)) = book.map(|book| book.close()) {
            failures.push(failure);
        }
        tell(&rows, started.elapsed());
        all(failures)
    }

    /// What is to be sent, stream by stream.
    async fn jobs(
        &self,
        streams: BTreeMap<(OperatorId, StreamNo), Vec<PathBuf>>,
        mesh: &MeshFile,
        book: Option<&Arc<Book>>,
    ) -> Result<Vec<Job>, Failure> {
        let (ingest, chaining) = match self.sandbox {
            true => mesh.sandbox().map(|sandbox| (&sandbox.ingest, &sandbox.chaining))?,
            false => (&mesh.ingest, &mesh.chaining),
        };
        let layout = Layout::existing(&self.data.dir)?;
        let bars = MultiProgress::new();
        let (mut jobs, mut known) = (Vec::new(), BTreeMap::new());
        for ((operator, stream), files) in streams {
            let tokens = match known.entry(operator) {
                Entry::Occupied(known) => Arc::clone(known.get()),
                Entry::Vacant(unknown) => {
                    let tokens = register::tokens(&layout, &mesh.licensing, operator, world(self.sandbox), "").await?;
                    Arc::clone(unknown.insert(tokens))
                }
            };
            let mut config = Config::new(ingest, "", operator);
            config.env = world(self.sandbox);
            config.token = tokens;
            config.batch_records_max = self.batch as usize;
            config.batch_bytes_max = contracts::batch::BATCH_BYTES_MAX;
            config.linger = Duration::from_secs(3_600);
            config.give_up_after = self.give_up_after.map(Duration::from_secs);
            let bar = bars.add(bar(&files));
            jobs.push(Job { config, chaining: chaining.clone(), stream, files, book: book.cloned(), bar });
        }
        Ok(jobs)
    }
}

fn bar(files: &[PathBuf]) -> ProgressBar {
    let bytes = files.iter().filter_map(|file| file.metadata().ok()).map(|found| found.len()).sum();
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template("[{bar:32}] {percent:>3} % {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// The summary.
fn tell(rows: &[(OperatorId, StreamNo, Sent, &str)], took: Duration) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["operator", "stream", "sent", "there already", "receipts", "ended"]);
    for (operator, stream, sent, ended) in rows {
        let counts = [sent.records, sent.there, sent.receipts].map(|count| count.to_string());
        let names = [operator.to_string(), stream.to_string()];
        table.add_row(names.into_iter().chain(counts).chain([(*ended).to_owned()]));
    }
    for column in table.column_iter_mut().skip(1).take(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let (seconds, records) = (took.as_secs_f64(), rows.iter().map(|(_, _, sent, _)| sent.records).sum::<u64>());
    say!("{table}\n\n{records} records accepted in {seconds:.1} s, {:.0} a second", records as f64 / seconds);
    let unchecked: u64 = rows.iter().map(|(_, _, sent, _)| sent.unchecked).sum();
    if unchecked > 0 {
        say!("{unchecked} records were there in batches that reach beyond the files: these were not compared");
    }
}

/// All that went wrong in one; data that is bad counts for more than a server that is away.
fn all(failures: Vec<Failure>) -> Result<(), Failure> {
    let rank = |exit: &Exit| match exit {
        Exit::Bad => 0,
        Exit::Usage => 1,
        Exit::Unreachable => 2,
    };
    let Some(exit) = failures.iter().map(|failure| failure.exit).min_by_key(rank) else { return Ok(()) };
    let texts: Vec<String> = failures.into_iter().map(|failure| failure.text).collect();
    Err(Failure { exit, text: texts.join("\n") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failing_stream_is_told() {
        assert!(all(Vec::new()).is_ok());
        let failure = all(vec![Failure::unreachable("a: away"), Failure::bad("b: refused")]).expect_err("two failed");
        assert_eq!((failure.exit, failure.text.as_str()), (Exit::Bad, "a: away\nb: refused"));
    }
}
