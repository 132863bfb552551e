//! `dsom simulate`: made-up operators that send realistic records through the SDK.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use client::{Config, Sender};
use contracts::receipt::Env;
use contracts::{OperatorId, StreamNo};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use super::Data;
use crate::Failure;
use crate::generate::{Generator, Mix};
use crate::mesh::{Layout, MeshFile};
use crate::register;
use crate::signals::Signals;

/// Streams of a made-up operator.
const STREAMS: u8 = 2;
/// Pause before a stream that was refused is opened again.
const REOPEN_AFTER: Duration = Duration::from_secs(1);
/// How often each stream sends what is due.
const STEP: Duration = Duration::from_millis(100);

/// Sends realistic records of made-up operators to a running mesh until Ctrl-C
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  dsom simulate --operators 20 --rate 5000 --payouts 300")]
pub struct Simulate {
    #[command(flatten)]
    data: Data,
    /// Base URL of ingest, for a mesh that `dsom up` did not start here [default: what DIR/mesh.json says]
    #[arg(long, value_name = "URL", requires = "licensing")]
    ingest: Option<reqwest::Url>,
    /// Base URL of its licensing
    #[arg(long, value_name = "URL", requires = "ingest")]
    licensing: Option<reqwest::Url>,
    /// How many operators
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    operators: u32,
    /// Number of the first: who simulates beside another takes other operators than those of `dsom up` (0 to 4)
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    first: u32,
    /// Records a second, all operators together
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// Payouts in a thousand records
    #[arg(long, default_value_t = 281, value_parser = clap::value_parser!(u32).range(0..=500))]
    payouts: u32,
    /// Refunds in a thousand records
    #[arg(long, default_value_t = 17, value_parser = clap::value_parser!(u32).range(0..=100))]
    refunds: u32,
    /// Adjustments in a thousand records
    #[arg(long, default_value_t = 84, value_parser = clap::value_parser!(u32).range(0..=300))]
    adjustments: u32,
    /// Stop after so many seconds
    #[arg(long)]
    seconds: Option<u64>,
}

impl Simulate {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let base = |url: reqwest::Url| url.as_str().trim_end_matches('/').to_owned();
        let (ingest, licensing) = match (self.ingest, self.licensing) {
            (Some(ingest), Some(licensing)) => (base(ingest), base(licensing)),
            _ => {
                let mesh = MeshFile::read(&self.data.dir)?;
                (mesh.ingest, mesh.licensing)
            }
        };
        let layout = Layout::existing(&self.data.dir)?;
        let operators = self.first..self.first + self.operators;
        let mut market = Market::open(&layout, &ingest, &licensing, operators, self.rate).await?;
        market.mix = Mix { payouts: self.payouts, refunds: self.refunds, adjustments: self.adjustments };
        let mut signals = Signals::listen()?;
        let running = market.start();
        let progress = Progress::new();
        let started = Instant::now();
        let mut look = tokio::time::interval(Duration::from_millis(200));
        let ended = loop {
            tokio::select! {
                _ = look.tick() => progress.show(&running),
                () = signals.stop() => break None,
            }
            if running.has_failed() {
                break Some(Failure::bad("a stream was refused; the line above says why"));
            }
            if self.seconds.is_some_and(|seconds| started.elapsed().as_secs() >= seconds) {
                break None;
            }
        };
        say!("\n{} records accepted", running.accepted());
        running.stop();
        ended.map_or(Ok(()), Err)
    }
}

/// Made-up operators and their streams.
pub struct Market {
    streams: Vec<(Config, StreamNo, u64)>,
    rate: f64,
    mix: Mix,
    goes_on: bool,
}

/// A market that sends.
pub struct Running {
    accepted: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Market {
    /// Operators whose ids are the same at every start, so that their streams go on.
    ///
    /// # Errors
    /// The register does not take one of them.
    pub async fn open(
        layout: &Layout,
        ingest: &str,
        licensing: &str,
        operators: Range<u32>,
        rate: u32,
    ) -> Result<Self, Failure> {
        let mut streams = Vec::new();
        for number in operators {
            let operator = made_up(number)?;
            let tokens = register::tokens(layout, licensing, operator, Env::Live, "").await?;
            for stream in 0..STREAMS {
                let seed = u64::from(number) << 8 | u64::from(stream);
                let (mut config, tokens) = (Config::new(ingest, "", operator), Arc::clone(&tokens));
                config.token = tokens;
                streams.push((config, StreamNo(stream), seed));
            }
        }
        Ok(Self { rate: f64::from(rate) / streams.len().max(1) as f64, streams, mix: Mix::default(), goes_on: false })
    }

    /// Has streams that are refused opened again, for ever: their operators go on at the head that ingest knows.
    pub fn going_on(self) -> Self {
        Self { goes_on: true, ..self }
    }

    /// Begins to send.
    pub fn start(self) -> Running {
        let (accepted, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let (rate, mix, goes_on) = (self.rate, self.mix, self.goes_on);
        let tasks = self.streams.into_iter().map(|(config, stream, seed)| {
            let (accepted, failed) = (Arc::clone(&accepted), Arc::clone(&failed));
            tokio::spawn(async move {
                let who = config.operator;
                loop {
                    let sending = send(config.clone(), stream, seed ^ start, rate, mix, Arc::clone(&accepted));
                    let Err(error) = sending.await else { return };
                    let failure = Failure::bad(format!("operator {who} stream {stream}")).because(&error);
                    note!("dsom: {}", failure.text);
                    failed.fetch_add(1, Ordering::Relaxed);
                    if !goes_on {
                        return;
                    }
                    tokio::time::sleep(REOPEN_AFTER).await;
                }
            })
        });
        Running { tasks: tasks.collect(), accepted, failed }
    }
}

impl Running {
    /// Records with a receipt so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Whether a stream was refused.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed) > 0
    }

    /// Ends it at once: what has no receipt was not promised anything.
    pub fn stop(self) {
        for task in self.tasks {
            task.abort();
        }
    }
}

/// The same UUID for the same number.
fn made_up(number: u32) -> Result<OperatorId, Failure> {
    let id = uuid::Builder::from_random_bytes(
        (0x6473_6f6d_0000_4000_8000_0000_0000_0000_u128 | u128::from(number + 1)).to_be_bytes(),
    );
    OperatorId::new(id.into_uuid()).ok_or_else(|| Failure::bad("no operator id"))
}

async fn send(
    config: Config,
    stream: StreamNo,
    seed: u64,
    rate: f64,
    mix: Mix,
    accepted: Arc<AtomicU64>,
) -> Result<(), client::SendError> {
    let mut sender = Sender::open(config, stream).await?;
    let mut generator = Generator::new(seed, mix, sender.next_seq());
    let started = Instant::now();
    let (mut sent, mut line) = (0_u64, Vec::new());
    let mut step = tokio::time::interval(STEP);
    loop {
        step.tick().await;
        let due = (started.elapsed().as_secs_f64() * rate) as u64;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        while sent < due {
            line.clear();
            generator.push_line(&mut line, now);
            let pushed = sender.push(line.strip_suffix(b"\n").unwrap_or(&line)).await;
            if pushed.is_err() {
                // The sender knows why it ended.
                return sender.finish().await.map(|_| ()).map_err(|unfinished| unfinished.error);
            }
            sent += 1;
        }
        let count: u64 = sender.receipts().iter().map(|receipt| receipt.claims.count).sum();
        accepted.fetch_add(count, Ordering::Relaxed);
    }
}

/// One line that tells how a market does.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// An empty line.
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar, started: Instant::now() }
    }

    /// Shows the records accepted so far and the mean rate.
    pub fn show(&self, running: &Running) {
        let accepted = running.accepted();
        let rate = accepted as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!("{accepted} records accepted, {rate:.0} a second"));
        self.bar.tick();
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    #[tokio::test]
    async fn a_stream_that_is_refused_is_opened_again() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (seen, opened) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(mut socket) = socket else { return };
                let _ = socket.read(&mut [0; 4096]);
                let body = r#"{"status":403,"code":"forbidden","detail":"not now"}"#;
                let _ = write!(
                    socket,
                    "HTTP/1.1 403 x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                if seen.send(()).is_err() {
                    return;
                }
            }
        });
        let config = Config::new(&url, "token", made_up(0).expect("an operator"));
        let market =
            Market { streams: vec![(config, StreamNo(0), 1)], rate: 10.0, mix: Mix::default(), goes_on: false };
        let running = market.going_on().start();
        let twice =
            tokio::task::spawn_blocking(move || (0..2).all(|_| opened.recv_timeout(Duration::from_secs(30)).is_ok()));
        assert!(twice.await.expect("looks"), "the stream stayed dead");
        assert!(running.has_failed());
        running.stop();
    }
}
