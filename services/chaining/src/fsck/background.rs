//! The check of everything after each start, without being asked: slowly, on a thread of its own, beside the service's work.
//!
//! What it finds is told where people look: in the log, as a metric, as a warning of `/readyz`, and on `ALERTS`. The service goes on: what
//! is damaged is refused where it is read, and the rest is sound.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::{Finding, Progress, Scope, fsck};
use crate::domain::key::LogKey;
use crate::domain::places::Worked;
use crate::metrics::Metrics;
use crate::storage::Store;

/// Share of one core that it takes at most, in percent: it rests in proportion to what each block took.
const CORE_PERCENT_MAX: u32 = 10;
/// Messages that wait for their blocks above which the service is busy: half of what is handed out at a time.
const BUSY_MESSAGES: usize = 256;
/// How long it waits at each block for the service to be less busy; then it takes one more, or it would never end on a busy market.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often it looks whether the service is still busy.
const BUSY_LOOK: Duration = Duration::from_millis(250);
/// Pause before it begins again when the store was away.
const AWAY_PAUSE: Duration = Duration::from_secs(60);

/// What it works with.
pub struct Surroundings {
    /// What is checked.
    pub store: Arc<dyn Store>,
    /// The log's key.
    pub key: Arc<LogKey>,
    /// What the service is busy with.
    pub worked: watch::Receiver<Worked>,
    /// Counters.
    pub metrics: Metrics,
}

/// A check that runs. It ends by itself, once.
pub struct Background {
    found: Arc<OnceLock<Finding>>,
    /// Dropping them stops it: one wakes it from its rests, the other ends what it reads.
    stop: Option<(Sender<()>, oneshot::Sender<()>)>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts it. `found` is called, inside the runtime, with the first place that is wrong. MUST be called inside a runtime.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start<F>(around: Surroundings, found: impl FnOnce(Finding) -> F + Send + 'static) -> std::io::Result<Self>
    where
        F: Future<Output = ()> + Send,
    {
        let runtime = tokio::runtime::Handle::current();
        let (wake, sleeps) = channel();
        let (end, ended) = oneshot::channel();
        let first = Arc::<OnceLock<Finding>>::default();
        let known = Arc::clone(&first);
        let work = move || {
            let checking = async move {
                let Some(finding) = check(&around, sleeps).await else { return };
                tracing::error!(place = %finding, "the store is damaged");
                around.metrics.store_damaged();
                // Nobody else sets it.
                known.set(finding.clone()).unwrap_or_default();
                found(finding).await;
            };
            runtime.block_on(async {
                tokio::select! {
                    () = checking => {}
                    _ = ended => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("fsck".to_owned()).spawn(work)?;
        Ok(Self { found: first, stop: Some((wake, end)), thread: Some(thread) })
    }

    /// What it found, for as long as the process lives.
    pub fn found(&self) -> Arc<OnceLock<Finding>> {
        Arc::clone(&self.found)
    }
}

impl Drop for Background {
    /// Stops it, and waits until it has let go of the store.
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A check that panicked has nothing left to let go of.
            drop(thread.join());
        }
    }
}

/// The first finding, if there is one. A store that was away is no finding: then everything is checked once more.
async fn check(around: &Surroundings, sleeps: Receiver<()>) -> Option<Finding> {
    let mut pace = Pace { around, sleeps, woken: Instant::now(), told: Progress::default() };
    loop {
        let verifier = around.key.verifier();
        let mut follow = |progress: Progress| pace.at(progress);
        let report = fsck(&*around.store, verifier, Scope::Everything, &mut follow).await;
        match report.first {
            Some(finding) if finding.passing => {
                tracing::info!(place = %finding, "the store could not be read to be checked, beginning again later");
                tokio::time::sleep(AWAY_PAUSE).await;
            }
            None => {
                let Progress { chains, blocks, records, entries, tiles } = report.checked;
                tracing::info!(
                    chains,
                    blocks,
                    records,
                    entries,
                    tiles,
                    "everything stored was checked: nothing is wrong"
                );
                return None;
            }
            found => return found,
        }
    }
}

/// Rests after each step, on the check's own thread.
struct Pace<'a> {
    around: &'a Surroundings,
    sleeps: Receiver<()>,
    /// When it last began to work.
    woken: Instant,
    told: Progress,
}

impl Pace<'_> {
    fn at(&mut self, progress: Progress) {
        self.around.metrics.checked(progress.blocks.saturating_sub(self.told.blocks));
        self.told = progress;
        let mut going = self.rest(self.woken.elapsed() * (100 / CORE_PERCENT_MAX - 1));
        let began = Instant::now();
        while going && self.is_busy() && began.elapsed() < BUSY_WAIT_MAX {
            going = self.rest(BUSY_LOOK);
        }
        self.woken = Instant::now();
    }

    /// Whether it is to go on afterwards.
    fn rest(&self, pause: Duration) -> bool {
        self.sleeps.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
    }

    fn is_busy(&self) -> bool {
        self.around.worked.borrow().open > BUSY_MESSAGES
    }
}
