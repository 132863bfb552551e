//! `dsom send`: an operator's files, through the SDK.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use client::{Config, SendError, Sender};
use comfy_table::{CellAlignment, Table, presets};
use contracts::{OperatorId, StreamNo};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Data, world};
use crate::mesh::{Layout, MeshFile};
use crate::{Failure, files, register};

/// Sends files of records, named `<operator>.<stream>.ndjson[.gz|.zst]`, to a running mesh
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom send --batch 1000 --receipts receipts.jsonl ../shared/data/*.ndjson.gz\n\nWhat ingest holds already is skipped: an interrupted run is simply repeated.\nFiles of one operator and stream are sent in the order given."
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
    /// Where to write the receipts, a JSON object a line
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What became of one stream.
struct Sent {
    skipped: u64,
    records: u64,
    receipts: Vec<contracts::receipt::Receipt>,
}

impl Send {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut streams: BTreeMap<(OperatorId, StreamNo), Vec<PathBuf>> = BTreeMap::new();
        for file in &self.files {
            streams.entry(files::named(file)?).or_default().push(file.clone());
        }
        let mesh = MeshFile::read(&self.data.dir)?;
        let ingest = if self.sandbox { &mesh.sandbox()?.ingest } else { &mesh.ingest };
        let layout = Layout::existing(&self.data.dir)?;
        let bars = MultiProgress::new();
        let started = Instant::now();
        let (mut tasks, mut known) = (Vec::new(), BTreeMap::new());
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
            config.linger = std::time::Duration::from_secs(3_600);
            let bar = bars.add(bar(&files));
            bar.set_message(format!("{operator} {stream:>3}"));
            let task = tokio::spawn(send_stream(config, stream, files, bar));
            tasks.push((operator, stream, task));
        }
        let mut out = self.receipts.as_deref().map(create).transpose()?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["operator", "stream", "sent", "there already", "receipts"]);
        let (mut records, mut failures) = (0, Vec::new());
        for (operator, stream, task) in tasks {
            let sent = match task.await {
                Ok(Ok(sent)) => sent,
                Ok(Err(failure)) => {
                    failures.push(Failure { text: format!("{operator} stream {stream}: {}", failure.text), ..failure });
                    continue;
                }
                Err(error) => {
                    failures.push(Failure::bad(format!("{operator} stream {stream}")).because(&error));
                    continue;
                }
            };
            records += sent.records;
            for receipt in &sent.receipts {
                if let Some(out) = &mut out {
                    let line = serde_json::to_string(receipt).map_err(|e| Failure::bad("a receipt").because(&e))?;
                    writeln!(out, "{line}").map_err(|e| Failure::bad("could not write the receipts").because(&e))?;
                }
            }
            let counts = [sent.records, sent.skipped, sent.receipts.len() as u64].map(|count| count.to_string());
            table.add_row([operator.to_string(), stream.to_string()].into_iter().chain(counts));
        }
        if let Some(out) = &mut out {
            out.flush().map_err(|error| Failure::bad("could not write the receipts").because(&error))?;
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let seconds = started.elapsed().as_secs_f64();
        println!("{table}\n\n{records} records accepted in {seconds:.1} s, {:.0} a second", records as f64 / seconds);
        failures.into_iter().next().map_or(Ok(()), Err)
    }
}

fn bar(files: &[PathBuf]) -> ProgressBar {
    let bytes = files.iter().filter_map(|file| file.metadata().ok()).map(|found| found.len()).sum();
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:32}] {percent:>3} %") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn create(path: &Path) -> Result<BufWriter<File>, Failure> {
    let file = File::create(path);
    file.map(BufWriter::new)
        .map_err(|error| Failure::usage(format!("could not write {}", path.display())).because(&error))
}

async fn send_stream(config: Config, stream: StreamNo, paths: Vec<PathBuf>, bar: ProgressBar) -> Result<Sent, Failure> {
    let mut sender = Sender::open(config, stream).await.map_err(failed)?;
    let mut sent = Sent { skipped: 0, records: 0, receipts: Vec::new() };
    let mut line = Vec::new();
    for path in paths {
        let mut reader = files::open_with(&path, |file| bar.wrap_read(file))?;
        let cannot = |error: std::io::Error| Failure::bad(format!("could not read {}", path.display())).because(&error);
        while files::next_record(&mut reader, &mut line).map_err(cannot)? {
            let seq = contracts::record::seq_of(&line).unwrap_or(sender.next_seq());
            if seq < sender.next_seq() {
                sent.skipped += 1;
                continue;
            }
            if seq > sender.next_seq() {
                let next = sender.next_seq();
                return Err(Failure::bad(format!("{}: seq {seq} follows, {next} is missing", path.display())));
            }
            if sender.push(&line).await.is_err() {
                return Err(sender.finish().await.err().map_or_else(|| Failure::bad("sending ended"), |e| failed(e.error)));
            }
            sent.receipts.extend(sender.receipts());
        }
    }
    sent.receipts.extend(sender.finish().await.map_err(|e| failed(e.error))?);
    sent.records = sent.receipts.iter().map(|receipt| receipt.claims.count).sum();
    bar.finish();
    Ok(sent)
}

fn failed(error: SendError) -> Failure {
    match error {
        SendError::Unreachable { .. } => Failure::unreachable("could not send").because(&error),
        _ => Failure::bad("could not send").because(&error),
    }
}
