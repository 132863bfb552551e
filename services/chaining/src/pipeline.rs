//! The work that goes on by itself once the bus is there: feeding, sealing, answering; in the process that owns the first partition
//! logging, announcing and trimming, too.

use std::sync::Arc;

use actix::prelude::*;
use bus::{Answering, Bus};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::actors::chain::Surroundings as ChainSurroundings;
use crate::actors::follower::Follower;
use crate::actors::log::{Log, Shown, Surroundings as LogSurroundings};
use crate::domain::key::LogKey;
use crate::domain::partitions::Partitions;
use crate::domain::places::Worked;
use crate::events::{
    BusHerald, BusWitness, Feeder, announce, answer_frames, hear_sealed, keep_own, keep_room, log_frozen,
};
use crate::metrics::Metrics;
use crate::storage::{StorageError, Store};
use crate::trace::Traces;

/// Most arbiters for chains: one core seals more than a machine of this size accepts.
const CHAIN_ARBITERS_MAX: usize = 4;

/// Everything that runs; stop it with [`Pipeline::stop`].
pub struct Pipeline {
    tasks: Vec<JoinHandle<()>>,
    arbiters: Vec<Arbiter>,
    _answering: Vec<Answering>,
    /// What the log shows.
    pub shown: watch::Receiver<Shown>,
    /// What of `TX` is worked off.
    pub worked: watch::Receiver<Worked>,
}

impl Pipeline {
    /// Starts it all from what the store holds.
    ///
    /// # Errors
    /// The position could not be read.
    pub async fn start(
        bus: Bus,
        store: Arc<dyn Store>,
        key: Arc<LogKey>,
        metrics: Metrics,
        partitions: Partitions,
    ) -> Result<Self, StorageError> {
        let position = store.position(&partitions).await?;
        let witness = Arc::new(BusWitness { bus: bus.clone() });
        let traces = Traces::default();
        let log_arbiter = Arbiter::new();
        let mut answering = vec![answer_frames(&bus, store.clone())];
        let (sealed, shown) = if partitions.write_the_log() {
            let (store, key) = (store.clone(), key.clone());
            let (witness, metrics, traces) = (witness.clone(), metrics.clone(), traces.clone());
            let (log, shown) = Log::new(LogSurroundings { store, key, witness, metrics, traces });
            let sealed = Log::start_in_arbiter(&log_arbiter.handle(), |_| log).recipient();
            answering.push(hear_sealed(&bus, sealed.clone()));
            (sealed, shown)
        } else {
            let herald = Arc::new(BusHerald { bus: bus.clone() });
            let (follower, shown) = Follower::new(store.clone(), key.clone(), herald);
            (Follower::start_in_arbiter(&log_arbiter.handle(), |_| follower).recipient(), shown)
        };

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let chain_arbiters: Vec<Arbiter> = (0..cores.min(CHAIN_ARBITERS_MAX)).map(|_| Arbiter::new()).collect();
        let handles = chain_arbiters.iter().map(Arbiter::handle).collect();
        let (told, hears) = mpsc::unbounded_channel();
        let (kept, metering, tracing) = (store.clone(), metrics.clone(), traces.clone());
        let around = ChainSurroundings { store: kept, witness, told, sealed, metrics: metering, traces: tracing };
        let writes_the_log = partitions.write_the_log();
        let feeder = Feeder::new(bus.clone(), around, hears, handles, partitions.clone(), position);

        let worked = feeder.worked();
        let own = keep_own(bus.clone(), store.clone(), partitions, worked.clone(), metrics.clone());
        let mut tasks = vec![tokio::spawn(feeder.run()), tokio::spawn(own)];
        if writes_the_log {
            tasks.push(tokio::spawn(announce(bus.clone(), store.clone(), shown.clone(), metrics.clone(), traces)));
            tasks.push(tokio::spawn(keep_room(bus.clone(), store, metrics)));
            tasks.push(tokio::spawn(watch_frozen(bus, key, shown.clone())));
        }
        let arbiters = chain_arbiters.into_iter().chain([log_arbiter]).collect();
        Ok(Self { tasks, arbiters, _answering: answering, shown, worked })
    }

    /// Stops everything and waits until nothing holds the store any more. What was in flight is done again after the next start.
    pub async fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks {
            // Aborted, as it should be.
            let _aborted = task.await;
        }
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        let joined = tokio::task::spawn_blocking(|| self.arbiters.into_iter().for_each(|arbiter| drop(arbiter.join())));
        // Fails only when the runtime itself ends.
        let _ended = joined.await;
    }
}

async fn watch_frozen(bus: Bus, key: Arc<LogKey>, mut shown: watch::Receiver<Shown>) {
    loop {
        let now = shown.borrow_and_update().clone();
        if let Some(why) = now.frozen {
            return log_frozen(&bus, key.verifier().name(), now.size, &why).await;
        }
        if shown.changed().await.is_err() {
            return;
        }
    }
}
