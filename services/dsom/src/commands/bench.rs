//! `dsom bench`: the speed of a whole mesh on this machine.

use std::path::PathBuf;
use std::sync::Arc;

use super::Data;
use crate::Failure;
use crate::bench::alone::measure;
use crate::bench::point::{Load, Point, run};
use crate::bench::report::{Report, machine};
use crate::mesh::engine::Kind;
use crate::mesh::{Engine, Layout, Mesh, MeshFile, Ports};
use crate::signals::Signals;

/// Seconds of a try while the highest rate is looked for.
const TRY_S: u64 = 8;
/// How much higher the next try is.
const STEP: f64 = 1.25;

/// How often a rate that a short try sustained and the whole time did not is lowered, and to what share.
const BACK_OFFS: u32 = 3;
const BACK_OFF: f64 = 0.9;

/// Measures a mesh under open-loop load: everything and the generator on this machine, JetStream syncing always
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom bench --batch 100,1000 --seconds 60 --json\n\nWithout --rate it looks for the highest rate that is sustained (accepted, sealed and published, p99 of the\npublished lag at most a second) in short tries, then measures that rate for --seconds."
)]
pub struct Bench {
    /// Batch sizes, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "1,10,100,1000", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: Vec<u32>,
    /// Seconds of each point
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Records a second; looked for when not given
    #[arg(long)]
    rate: Option<f64>,
    /// Streams of each of the five operators
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    streams: Option<u8>,
    /// Connections of each stream
    #[arg(long)]
    connections: Option<u32>,
    /// Load the mesh that runs in this folder, not one of its own
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Where a mesh of its own keeps its data while it is measured
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    #[command(flatten)]
    engine: Engine,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if cfg!(debug_assertions) {
            note!("dsom: this is a debug build: its numbers say nothing of a release");
        }
        let folder = self.against.clone().or_else(|| self.scratch.clone()).unwrap_or_else(std::env::temp_dir);
        let alone = measure(&folder)?;
        let mut points = Vec::new();
        for batch in self.batch.clone() {
            points.push(self.point(batch).await?);
        }
        let report = Report {
            machine: machine(),
            durability: match self.engine.store {
                Kind::Embedded => "JetStream sync_interval always, one server; the embedded store syncs every commit",
                Kind::Scylla => "JetStream sync_interval always, one server; a CQL server, synced as it is configured",
            },
            command: std::env::args().collect::<Vec<_>>().join(" "),
            alone,
            points,
        };
        match self.json {
            true => {
                let json = serde_json::to_string_pretty(&report);
                say!("{}", json.map_err(|error| Failure::bad("no JSON").because(&error))?);
            }
            false => say!("{}", report.text()),
        }
        Ok(())
    }

    /// Each stream costs JetStream a message a turn, so small batches go by few streams with many requests open, as an operator
    /// with many front ends sends them.
    fn load(&self, batch: u32, rate: f64, seconds: u64) -> Load {
        let (streams, connections) = match batch {
            0..10 => (2, 64),
            10..100 => (2, 32),
            100..1_000 => (4, 8),
            _ => (8, 2),
        };
        let connections = self.connections.unwrap_or(connections).max(1);
        Load { batch, rate, seconds, streams: self.streams.unwrap_or(streams), connections }
    }

    async fn point(&self, batch: u32) -> Result<Point, Failure> {
        if let Some(rate) = self.rate {
            return self.on_a_mesh(self.load(batch, rate, self.seconds)).await;
        }
        let mut rate = self.highest(batch).await?;
        for _ in 0..BACK_OFFS {
            let point = self.on_a_mesh(self.load(batch, rate, self.seconds)).await?;
            if point.is_sustained() {
                return Ok(point);
            }
            note!("dsom: batch {batch}: {rate:.0} a second not sustained for {} s", self.seconds);
            rate *= BACK_OFF;
        }
        self.on_a_mesh(self.load(batch, rate, self.seconds)).await
    }

    /// The highest rate that a short try sustains.
    async fn highest(&self, batch: u32) -> Result<f64, Failure> {
        let (mut good, mut rate) = (None, f64::from(batch).powf(0.45) * 8_000.0);
        loop {
            let point = self.on_a_mesh(self.load(batch, rate, TRY_S)).await?;
            let sustained = point.is_sustained();
            note!("dsom: batch {batch}: {rate:.0} a second {}", if sustained { "sustained" } else { "not sustained" });
            match (sustained, good) {
                (true, _) => {
                    good = Some(rate);
                    rate *= STEP;
                }
                (false, Some(good)) => return Ok(good),
                (false, None) if rate < 500.0 => return Ok(rate),
                (false, None) => rate /= STEP * STEP,
            }
        }
    }

    /// Each point on a fresh mesh: none inherits the backlog or the files of another.
    async fn on_a_mesh(&self, load: Load) -> Result<Point, Failure> {
        if let Some(data) = &self.against {
            let mesh = MeshFile::read(data)?;
            return run(&Layout::existing(data)?, &mesh, &self.engine, load).await;
        }
        let mut builder = tempfile::Builder::new();
        let folder = match &self.scratch {
            Some(scratch) => builder.prefix("dsom-bench-").tempdir_in(scratch),
            None => builder.prefix("dsom-bench-").tempdir(),
        };
        let folder = folder.map_err(|error| Failure::usage("no scratch folder").because(&error))?;
        let data = Data { dir: folder.path().to_owned() };
        let mut signals = Signals::listen()?;
        // Keyspaces of its own, too.
        let engine =
            Engine { keyspace: format!("bench_{:08x}", uuid::Uuid::new_v4().as_fields().0), ..self.engine.clone() };
        let say = Arc::new(|what: &str| note!("dsom: {what}"));
        let mesh = Mesh::start(&data.dir, Ports::Free, engine, false, say).await?;
        let point = tokio::select! {
            point = run(mesh.layout(), mesh.file(), &self.engine, load) => point,
            () = signals.stop() => Err(Failure::bad("interrupted")),
        };
        mesh.stop().await;
        point
    }
}
