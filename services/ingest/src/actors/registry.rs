//! Which `Sequencer` serves a stream: started when first needed, again if it died, let go when idle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::ArbiterHandle;
use actix::prelude::*;

use super::packing::Packers;
use super::sequencer::Sequencer;
use super::truth::Truth;
use crate::domain::StreamKey;

/// Streams served at a time by one process; each idle one takes some 10 KB, a busy one up to 150 KB.
const SEQUENCERS_MAX: usize = 8_192;
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
    serving: Mutex<HashMap<StreamKey, Serving>>,
}

struct Serving {
    addr: Addr<Sequencer>,
    used_at: Instant,
}

impl Registry {
    /// A registry that starts its sequencers on threads of their own. MUST be called inside an actix system.
    pub fn new(truth: Arc<Truth>, packers: Arc<Packers>, threads: usize) -> Self {
        let arbiters: Vec<Arbiter> = (0..threads.max(1)).map(|_| Arbiter::new()).collect();
        let threads = arbiters.iter().map(Arbiter::handle).collect();
        Self { threads, arbiters: Mutex::new(arbiters), truth, packers, serving: Mutex::default() }
    }

    /// Gives a message to a stream's sequencer, without waiting.
    ///
    /// # Errors
    /// [`Overloaded`]: its mailbox is full, or there are too many sequencers.
    pub fn tell<M>(&self, key: StreamKey, message: M) -> Result<(), Overloaded>
    where
        M: Message<Result = ()> + Send + 'static,
        Sequencer: Handler<M>,
    {
        self.address(key).and_then(|addr| addr.try_send(message).map_err(|_| Overloaded))
    }

    /// The sequencer of a stream.
    ///
    /// # Errors
    /// [`Overloaded`]: there are too many.
    pub fn address(&self, key: StreamKey) -> Result<Addr<Sequencer>, Overloaded> {
        let now = Instant::now();
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = serving.get_mut(&key).filter(|found| found.addr.connected()) {
            found.used_at = now;
            return Ok(found.addr.clone());
        }
        if serving.len() >= SEQUENCERS_MAX {
            serving.retain(|_, one| now.duration_since(one.used_at) < IDLE);
        }
        if serving.len() >= SEQUENCERS_MAX {
            return Err(Overloaded);
        }
        let (truth, packers) = (Arc::clone(&self.truth), Arc::clone(&self.packers));
        let place = usize::from(contracts::subjects::partition(key.operator)) + usize::from(key.stream.0);
        let thread = self.threads.get(place % self.threads.len()).ok_or(Overloaded)?;
        let start = move |_: &mut Context<Sequencer>| Sequencer::new(key, truth, packers);
        let addr = Supervisor::start_in_arbiter(thread, start);
        serving.insert(key, Serving { addr: addr.clone(), used_at: now });
        Ok(addr)
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
