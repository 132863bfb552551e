//! Which `Sequencer` serves a stream: started when first needed, again if it died, let go when idle.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::ArbiterHandle;
use actix::prelude::*;
use contracts::frame::FRAME_BATCHES_MAX;

use super::orders::{InMailbox, Order, SequencerState, Snapshot, Told};
use super::packing::Packers;
use super::sequencer::Sequencer;
use super::truth::Truth;
use crate::domain::{Pace, StreamKey};

/// Streams served at a time by one process; each idle one takes some 10 KB, a busy one up to 150 KB.
const SEQUENCERS_MAX: usize = 8_192;
/// Orders that may wait for one sequencer: as many batches as one frame carries, which is what may pile up during a flight. They
/// are counted here, for actix's own bound does not hold: every clone of an address has a slot of its own, and before an actor
/// runs its mailbox takes 16.
const MAILBOX_MAX: usize = FRAME_BATCHES_MAX;
/// How long a sequencer may take to show its state.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a stream may rest before its sequencer is let go. Loading its head again costs one read.
const IDLE: Duration = Duration::from_secs(120);

/// Too much is going on: nothing was begun, try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many batches wait")]
pub struct Overloaded;

/// All sequencers of this process.
pub struct Registry {
    threads: Vec<ArbiterHandle>,
    arbiters: Mutex<Vec<Arbiter>>,
    truth: Arc<Truth>,
    packers: Arc<Packers>,
    pub(super) pace: Arc<Mutex<Pace>>,
    serving: Mutex<HashMap<StreamKey, Serving>>,
}

struct Serving {
    addr: Addr<Sequencer>,
    waiting: Arc<AtomicUsize>,
    used_at: Instant,
}

impl Registry {
    /// A registry that starts its sequencers on threads of their own. MUST be called inside an actix system.
    pub fn new(truth: Arc<Truth>, packers: Arc<Packers>, threads: usize) -> Self {
        let arbiters: Vec<Arbiter> = (0..threads.max(1)).map(|_| Arbiter::new()).collect();
        let threads = arbiters.iter().map(Arbiter::handle).collect();
        let (arbiters, pace, serving) = (Mutex::new(arbiters), Arc::default(), Mutex::default());
        Self { threads, arbiters, truth, packers, pace, serving }
    }

    /// Gives an order to a stream's sequencer, without waiting.
    ///
    /// # Errors
    /// [`Overloaded`]: its mailbox is full, or there are too many sequencers.
    pub fn tell(&self, key: StreamKey, order: Order) -> Result<(), Overloaded> {
        let (addr, waiting) = self.serving(key)?;
        let place = InMailbox::take(&waiting, MAILBOX_MAX).ok_or(Overloaded)?;
        addr.try_send(Told { order, place }).map_err(|_| Overloaded)
    }

    /// What a stream's sequencer has in its hands.
    ///
    /// # Errors
    /// [`Overloaded`]: there are too many, or it has just ended.
    pub async fn snapshot(&self, key: StreamKey) -> Result<SequencerState, Overloaded> {
        let (addr, _) = self.serving(key)?;
        addr.send(Snapshot).timeout(SNAPSHOT_TIMEOUT).await.map_err(|_| Overloaded)
    }

    fn serving(&self, key: StreamKey) -> Result<(Addr<Sequencer>, Arc<AtomicUsize>), Overloaded> {
        let now = Instant::now();
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = serving.get_mut(&key).filter(|found| found.addr.connected()) {
            found.used_at = now;
            return Ok((found.addr.clone(), Arc::clone(&found.waiting)));
        }
        if serving.len() >= SEQUENCERS_MAX {
            serving.retain(|_, one| now.duration_since(one.used_at) < IDLE);
        }
        if serving.len() >= SEQUENCERS_MAX {
            return Err(Overloaded);
        }
        let (truth, packers, pace) = (Arc::clone(&self.truth), Arc::clone(&self.packers), Arc::clone(&self.pace));
        let place = usize::from(contracts::subjects::partition(key.operator)) + usize::from(key.stream.0);
        let thread = self.threads.get(place % self.threads.len()).ok_or(Overloaded)?;
        let start = move |_: &mut Context<Sequencer>| Sequencer::new(key, truth, packers, pace);
        let addr = Supervisor::start_in_arbiter(thread, start);
        let waiting = Arc::<AtomicUsize>::default();
        serving.insert(key, Serving { addr: addr.clone(), waiting: Arc::clone(&waiting), used_at: now });
        Ok((addr, waiting))
    }

    /// Lets go of sequencers that rest. What they have in flight still lands: an actor ends when nobody holds its address and
    /// nothing is under way.
    pub fn sweep(&self) {
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        serving.retain(|_, one| one.used_at.elapsed() < IDLE);
        serving.shrink_to(1_024);
    }

    /// How many streams are served.
    pub fn len(&self) -> usize {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether no stream is served.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the threads and with them all sequencers; blocks until they have. What is in flight has an unknown outcome, so HTTP is
    /// stopped first.
    pub fn stop(&self) {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for arbiter in std::mem::take(&mut *self.arbiters.lock().unwrap_or_else(PoisonError::into_inner)) {
            arbiter.stop();
            if arbiter.join().is_err() {
                tracing::error!("a thread of sequencers ended with a panic");
            }
        }
    }
}
