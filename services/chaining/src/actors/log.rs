//! `Log`: the one writer of the public log.
//!
//! It exists so that there is one order of all operators' blocks and one line of checkpoints, each over the one before. It owns
//! the edge of the log's tiles and the newest checkpoint; both are read from the store at start, compared with each other and
//! with what was last published, and nothing is signed when they do not agree: the log is frozen then, while sealing and reading
//! go on.
//!
//! Every 200 ms, if there is news, it adds what was sealed since and signs one checkpoint. Two processes that both believe to be
//! the writer can't fork the log: the order of entries is a compare-and-set in the store, and all else follows from the order.

pub mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use contracts::block::BlockHeader;
use contracts::{Height, OperatorId, UnixMillis};
use tokio::sync::watch;
use tracing::Instrument as _;

use super::chain::BlockSealed;
use super::{Witness, now};
use crate::domain::key::LogKey;
use crate::metrics::Metrics;
use crate::storage::Store;
use crate::trace::Traces;
use steps::{Frozen, Grown, Standing, StepError, behind, integrate, recover};

/// How often the log takes in what was sealed.
const TICK: Duration = Duration::from_millis(200);
/// How often it looks for itself at what is sealed, in ticks: a message about a block may have been lost.
const TICKS_BETWEEN_SCANS: u64 = 150;
/// A message a block; when it is full the next scan finds the blocks.
const MAILBOX_MESSAGES_MAX: usize = 16 * 1024;
/// Most blocks whose acceptance times are remembered until they are published.
const WATCHED_BLOCKS_MAX: usize = 64 * 1024;

/// What the log shows to those who serve and announce it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Whether it has recovered.
    pub ready: bool,
    /// Number of entries under the newest checkpoint.
    pub size: u64,
    /// The newest checkpoint, as signed.
    pub note: Option<Bytes>,
    /// Why nothing more is signed, if so.
    pub frozen: Option<Frozen>,
}

/// What the log works with.
#[derive(Clone)]
pub struct Surroundings {
    /// Where it is kept.
    pub store: Arc<dyn Store>,
    /// Its key and name.
    pub key: Arc<LogKey>,
    /// What others saw.
    pub witness: Arc<dyn Witness>,
    /// Counters.
    pub metrics: Metrics,
    /// The traces of what is sealed.
    pub traces: Traces,
}

/// Tell your state.
#[derive(Debug, Message)]
#[rtype(result = "Snapshot")]
pub struct Ask;

/// The log's state.
#[derive(Debug, Clone, PartialEq, Eq, MessageResponse)]
pub struct Snapshot {
    /// Number of entries under the newest checkpoint.
    pub size: u64,
    /// Operators with blocks to be added.
    pub news: usize,
    /// Why nothing more is signed, if so.
    pub frozen: Option<Frozen>,
}

/// The actor. See the module's text.
pub struct Log {
    around: Surroundings,
    shown: watch::Sender<Shown>,
    standing: Option<Standing>,
    news: BTreeSet<OperatorId>,
    /// When the batches of blocks that are sealed and not yet published were accepted.
    accepted: BTreeMap<(OperatorId, Height), Vec<UnixMillis>>,
    /// When blocks were published whose chain has not told of them yet: the store knew them first.
    ahead: BTreeMap<(OperatorId, Height), UnixMillis>,
    busy: bool,
    ticks: u64,
    frozen: Option<Frozen>,
}

/// What a tick came to.
enum Outcome {
    Recovered(Standing),
    Grown(Option<Grown>),
}

impl Log {
    /// A log that recovers when it starts, and where it shows itself.
    pub fn new(around: Surroundings) -> (Self, watch::Receiver<Shown>) {
        let (shown, seen) = watch::channel(Shown::default());
        let log = Self {
            around,
            shown,
            standing: None,
            news: BTreeSet::new(),
            accepted: BTreeMap::new(),
            ahead: BTreeMap::new(),
            busy: false,
            ticks: 0,
            frozen: None,
        };
        (log, seen)
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        if self.busy || self.frozen.is_some() {
            return;
        }
        self.busy = true;
        let (around, standing) = (self.around.clone(), self.standing.clone());
        let mut news = std::mem::take(&mut self.news);
        let scan = standing.is_none() || self.ticks.is_multiple_of(TICKS_BETWEEN_SCANS);
        self.ticks += 1;
        let span = around.traces.log(&news);
        let work = async move {
            let outcome = step(&around, standing, scan, &mut news).await;
            (outcome, news)
        };
        ctx.spawn(work.instrument(span).into_actor(self).map(|(outcome, news), log, _| {
            log.busy = false;
            log.news.extend(news);
            match outcome {
                Ok(outcome) => log.done(outcome),
                Err(error) => log.failed(&error),
            }
        }));
    }

    fn done(&mut self, outcome: Outcome) {
        let standing = match outcome {
            Outcome::Recovered(standing) => standing,
            Outcome::Grown(None) => return,
            Outcome::Grown(Some(grown)) => {
                let at = now();
                for entry in &grown.entries {
                    let block = (entry.operator, entry.height);
                    self.around.metrics.published(BlockHeader::parse(&entry.header).map_or(0, |header| header.records));
                    match self.accepted.remove(&block) {
                        Some(accepted) => self.lagged(at, &accepted),
                        None if self.ahead.len() < WATCHED_BLOCKS_MAX => drop(self.ahead.insert(block, at)),
                        // Blocks of an earlier life whose chains will never tell.
                        None => self.ahead.clear(),
                    }
                }
                self.around.metrics.checkpoint(grown.standing.edge.size());
                grown.standing
            }
        };
        self.show(&standing);
        self.standing = Some(standing);
    }

    fn lagged(&self, at: UnixMillis, accepted: &[UnixMillis]) {
        self.around.metrics.published_lags(accepted.iter().map(|one| at.0.saturating_sub(one.0)));
    }

    fn failed(&mut self, error: &StepError) {
        // Where the log stands is read from the store again before the next try.
        self.standing = None;
        match error {
            StepError::Frozen(why) => {
                let chain = why as &dyn std::error::Error;
                tracing::error!(error = chain, "the log is frozen: nothing more is signed until this is put right");
                self.around.metrics.log_frozen();
                self.frozen = Some(why.clone());
                self.shown.send_modify(|shown| shown.frozen = Some(why.clone()));
            }
            StepError::Moved(size) => tracing::warn!(size, "another writer grew the log, going on from there"),
            error => {
                let error = error as &dyn std::error::Error;
                tracing::error!(error, "the log could not grow, trying again");
            }
        }
    }

    fn show(&self, standing: &Standing) {
        self.shown.send_if_modified(|shown| {
            let note = standing.checkpoint.as_ref().map(|checkpoint| checkpoint.note.clone());
            let size = standing.edge.size();
            let changed = !shown.ready || shown.size != size;
            *shown = Shown { ready: true, size, note, frozen: None };
            changed
        });
    }
}

async fn step(
    around: &Surroundings,
    standing: Option<Standing>,
    scan: bool,
    news: &mut BTreeSet<OperatorId>,
) -> Result<Outcome, StepError> {
    if scan {
        news.extend(behind(&around.store).await?);
    }
    match standing {
        None => recover(&*around.store, &around.key, &*around.witness).await.map(Outcome::Recovered),
        Some(standing) => integrate(&*around.store, &around.key, &standing, news).await.map(Outcome::Grown),
    }
}

impl Actor for Log {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_MESSAGES_MAX);
        self.tick(ctx);
        ctx.run_interval(TICK, Self::tick);
    }
}

impl Handler<BlockSealed> for Log {
    type Result = ();

    fn handle(&mut self, sealed: BlockSealed, _: &mut Self::Context) {
        self.news.insert(sealed.operator);
        let block = (sealed.operator, sealed.height);
        match self.ahead.remove(&block) {
            Some(at) => self.lagged(at, &sealed.accepted_at),
            None if self.accepted.len() < WATCHED_BLOCKS_MAX => drop(self.accepted.insert(block, sealed.accepted_at)),
            None => {}
        }
    }
}

impl Handler<Ask> for Log {
    type Result = Snapshot;

    fn handle(&mut self, _: Ask, _: &mut Self::Context) -> Snapshot {
        Snapshot {
            size: self.standing.as_ref().map_or(0, |standing| standing.edge.size()),
            news: self.news.len(),
            frozen: self.frozen.clone(),
        }
    }
}
