//! One point of the curve: a batch size at a rate, for so many seconds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contracts::OperatorId;
use contracts::receipt::Env;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::load::{Counts, Stream, send};
use super::measure::{Buckets, Scrape, folder_bytes};
use super::watch::{Used, Watched};
use crate::Failure;
use crate::generate::{Generator, Mix};
use crate::mesh::{Engine, Layout, MeshFile};
use crate::register;

/// Operators of the load.
pub const OPERATORS: u64 = 5;
/// How long the mesh may take to seal and publish what is left when the load ends.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// What is asked of the mesh.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Records of a request.
    pub batch: u32,
    /// Records a second.
    pub rate: f64,
    /// How long.
    pub seconds: u64,
    /// Streams of each operator.
    pub streams: u8,
    /// Connections of each stream.
    pub connections: u32,
}

/// Quantiles of a duration, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quantiles {
    /// Median.
    pub p50_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1,000.
    pub p999_ms: f64,
    /// The largest.
    pub max_ms: f64,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// Records of a request.
    pub batch: u32,
    /// Records a second that were asked for.
    pub target_per_s: f64,
    /// Records a second that were accepted while the load lasted.
    pub accepted_per_s: f64,
    /// Requests a second that were accepted.
    pub requests_per_s: f64,
    /// Answers 429 and 503 and broken connections; each was sent again.
    pub again: u64,
    /// Requests refused for good: none in a good run.
    pub refused: u64,
    /// From a request's intended start to its receipt.
    pub receipt: Quantiles,
    /// From acceptance to sealed.
    pub sealed_lag: Quantiles,
    /// From acceptance to published.
    pub published_lag: Quantiles,
    /// Seconds from the load's end until all that was accepted was published; `None`: not within a minute.
    pub drained_s: Option<f64>,
    /// By process; `services` are all but the generator together.
    pub processes: BTreeMap<String, Used>,
    /// Bytes on disk for a record, by folder, after the load.
    pub bytes_per_record: BTreeMap<String, f64>,
}

impl Point {
    /// Whether the mesh kept up: all that was asked for was accepted, sealed and published, with a lag of at most a second.
    pub fn is_sustained(&self) -> bool {
        self.accepted_per_s >= 0.99 * self.target_per_s
            && self.refused == 0
            && self.published_lag.p99_ms <= 1_000.0
            && self.drained_s.is_some()
    }
}

/// Loads the mesh and measures.
///
/// # Errors
/// The mesh does not answer, or a token can't be made.
pub async fn run(layout: &Layout, mesh: &MeshFile, engine: &Engine, load: Load) -> Result<Point, Failure> {
    let http = reqwest::Client::new();
    let counts = Counts::new().map_err(|error| Failure::bad("no histogram").because(&error))?;
    let counts = Arc::new(counts);
    let start = Instant::now() + Duration::from_millis(500);
    let end = start + Duration::from_secs(load.seconds);
    let streams = streams(layout, mesh, load, start).await?;
    let cql = engine.server();
    let mut folders: Vec<(&str, PathBuf)> =
        ["nats", "ingest", "chaining"].map(|folder| (folder, layout.path(folder))).to_vec();
    folders.extend(cql.iter().map(|(folder, _)| ("cql", folder.join("data"))));
    let bytes_before: Vec<u64> = folders.iter().map(|(_, folder)| folder_bytes(folder)).collect();
    let before = Scrape::of(&http, &mesh.chaining).await?;
    let mut watched = Watched::start(mesh, cql.map(|(_, pid)| pid));

    let sent = Arc::clone(&counts);
    let sending = tokio::task::spawn_blocking(move || send(streams, load.connections, &sent, end));
    watched.until(start + (end - start) / 2).await;
    watched.half();
    watched.until(end).await;
    let at_end = counts.accepted.load(Ordering::Relaxed);
    let requests = counts.requests.load(Ordering::Relaxed);
    let sent = sending.await.map_err(|error| Failure::bad("the load failed").because(&error))?;
    sent.map_err(|error| Failure::unreachable("no threads").because(&error))?;
    let accepted = counts.accepted.load(Ordering::Relaxed);
    let (after, drained_s) = drain(&http, mesh, &before, accepted, end).await?;

    let seconds = load.seconds as f64;
    let lag = |name| from_buckets(&after.since(&before, name));
    let receipt = counts.latency_us.lock().map(|histogram| {
        let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        Quantiles { p50_ms: ms(0.5), p99_ms: ms(0.99), p999_ms: ms(0.999), max_ms: histogram.max() as f64 / 1_000.0 }
    });
    let receipt = receipt.map_err(|_| Failure::bad("a connection of the load failed"))?;
    let bytes_per_record = folders.into_iter().zip(bytes_before).map(|((name, folder), before)| {
        let grown = folder_bytes(&folder) as f64 - before as f64;
        (name.to_owned(), grown / accepted.max(1) as f64)
    });
    Ok(Point {
        batch: load.batch,
        target_per_s: load.rate,
        accepted_per_s: at_end as f64 / seconds,
        requests_per_s: requests as f64 / seconds,
        again: counts.again.load(Ordering::Relaxed),
        refused: counts.refused.load(Ordering::Relaxed),
        receipt,
        sealed_lag: lag("dsom_chaining_sealed_lag_seconds"),
        published_lag: lag("dsom_chaining_published_lag_seconds"),
        drained_s,
        processes: watched.used(at_end),
        bytes_per_record: bytes_per_record.collect(),
    })
}

/// The streams of the load, their first requests spread over one interval.
async fn streams(layout: &Layout, mesh: &MeshFile, load: Load, start: Instant) -> Result<Vec<Stream>, Failure> {
    let address = mesh.ingest.trim_start_matches("http://").to_owned();
    let count = OPERATORS * u64::from(load.streams);
    let every = Duration::from_secs_f64(f64::from(load.batch) * count as f64 / load.rate);
    let mut streams = Vec::new();
    for _ in 0..OPERATORS {
        // New operators each time: every stream begins at 1.
        let operator = OperatorId::new(uuid::Uuid::new_v4()).ok_or_else(|| Failure::bad("no operator id"))?;
        let token = register::tokens(layout, &mesh.licensing, operator, Env::Live, "records:write").await?.token();
        for number in 0..load.streams {
            let head = format!(
                "POST /v1/streams/{number}/batches HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/x-ndjson\r\ncontent-length: "
            );
            let place = streams.len() as f64 / count as f64;
            streams.push(Stream {
                address: address.clone(),
                head,
                generator: Generator::new(rand::random(), Mix::default(), 1),
                next: start + every.mul_f64(place),
                every,
                batch: load.batch,
            });
        }
    }
    Ok(streams)
}

fn from_buckets(buckets: &Buckets) -> Quantiles {
    let ms = |quantile| buckets.quantile(quantile).map_or(f64::NAN, |seconds| seconds * 1_000.0);
    Quantiles { p50_ms: ms(0.5), p99_ms: ms(0.99), p999_ms: ms(0.999), max_ms: ms(1.0) }
}

/// Waits until all that was accepted is published.
async fn drain(
    http: &reqwest::Client,
    mesh: &MeshFile,
    before: &Scrape,
    accepted: u64,
    end: Instant,
) -> Result<(Scrape, Option<f64>), Failure> {
    const PUBLISHED: &str = "dsom_chaining_records_published_total";
    loop {
        let now = Scrape::of(http, &mesh.chaining).await?;
        if now.value(PUBLISHED) - before.value(PUBLISHED) >= accepted as f64 {
            return Ok((now, Some(end.elapsed().as_secs_f64())));
        }
        if end.elapsed() > DRAIN_MAX {
            return Ok((now, None));
        }
        sleep(Duration::from_millis(100)).await;
    }
}
