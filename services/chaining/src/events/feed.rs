//! Reads `TX` in order and hands each message to its operator's chain; acknowledges when the chain says that it is durable.
//!
//! The position is this program's, kept in its store: acknowledging only tells the server that there is room for more. It moves on
//! over what other processes seal, too, or the position of a share that falls silent would keep all of `TX` from being trimmed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use actix::prelude::*;
use bus::{Bus, Delivery, Feed, FeedError, ReadError};
use contracts::{OperatorId, subjects};
use tokio::sync::{mpsc, watch};

use crate::actors::chain::{Chain, Stop, Surroundings, Take, Told};
use crate::domain::partitions::Partitions;
use crate::domain::places::{Places, Worked};
use crate::error::with_causes;
use crate::metrics::Metrics;
use crate::trace;

/// How often the position is written. What comes again after a crash is recognised, so it may be behind.
const POSITION_INTERVAL: Duration = Duration::from_secs(1);
/// Pause before a feed that can't go on is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Chains of one operator that may panic before its messages are held for a person.
const PANICS_MAX: u32 = 3;

/// Feeds the chains. Owns who is fed, what is not dealt with yet, and the position.
pub struct Feeder {
    bus: Bus,
    feed: Feed,
    around: Surroundings,
    told: mpsc::UnboundedReceiver<Told>,
    arbiters: Vec<ArbiterHandle>,
    chains: HashMap<OperatorId, Fed>,
    open: BTreeMap<u64, Delivery>,
    partitions: Partitions,
    places: Places,
    stored: u64,
    worked: watch::Sender<Worked>,
    round: u64,
    metrics: Metrics,
}

struct Fed {
    chain: Addr<Chain>,
    panics: u32,
}

impl Feeder {
    /// A feeder that goes on from `position`. Chains are started on `arbiters`, which do nothing else.
    pub fn new(
        bus: Bus,
        around: Surroundings,
        told: mpsc::UnboundedReceiver<Told>,
        arbiters: Vec<ArbiterHandle>,
        partitions: Partitions,
        position: u64,
    ) -> Self {
        let filters = if partitions.are_all() {
            vec![subjects::TX_ALL.to_owned()]
        } else {
            partitions.iter().map(subjects::tx_of_partition).collect()
        };
        let feed = bus.consume(subjects::TX, &filters, position + 1);
        let metrics = around.metrics.clone();
        Self {
            bus,
            feed,
            around,
            told,
            arbiters,
            chains: HashMap::new(),
            open: BTreeMap::new(),
            partitions,
            places: Places::from(position),
            stored: position,
            worked: watch::Sender::default(),
            round: 0,
            metrics,
        }
    }

    /// What is worked off, looked at as often as the position is written.
    pub fn worked(&self) -> watch::Receiver<Worked> {
        self.worked.subscribe()
    }

    /// Feeds for ever. Cancel it to stop: nothing is lost.
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(POSITION_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(told) = self.told.recv() => self.hear(told).await,
                _ = tick.tick() => {
                    self.pass_foreign().await;
                    self.keep_position().await;
                }
                next = self.feed.next() => match next {
                    Ok(delivery) => self.deliver(delivery).await,
                    Err(error) => self.lost(&error).await,
                },
            }
        }
    }

    async fn deliver(&mut self, delivery: Delivery) {
        let (tx_seq, bytes) = (delivery.seq, delivery.payload.clone());
        let Some((operator, stream)) = subjects::parse_tx(&delivery.subject) else {
            // Nobody who got a receipt wrote here: there is no such operator or stream.
            tracing::error!(subject = %delivery.subject, tx_seq, "a message at {tx_seq} of TX has no operator's subject");
            self.metrics.foreign_message();
            self.places.pass(tx_seq);
            return delivery.ack().await;
        };
        let trace = trace::of_frame(&delivery.headers);
        self.places.delivered(tx_seq);
        self.open.insert(tx_seq, delivery);
        let mut take = Take { stream, tx_seq, round: self.round, bytes, trace };
        loop {
            let Some(chain) = self.chain(operator) else { return self.hold(operator, tx_seq).await };
            match chain.try_send(take) {
                Ok(()) => return,
                // Can't happen while its mailbox holds more than the feed hands out; then waiting is right.
                Err(SendError::Full(back)) => {
                    take = back;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(SendError::Closed(_)) => return self.panicked(operator).await,
            }
        }
    }

    /// The operator's chain, started if need be; `None` when it panicked too often or there is no memory for it.
    fn chain(&mut self, operator: OperatorId) -> Option<Addr<Chain>> {
        let panics = match self.chains.get(&operator) {
            Some(fed) if fed.chain.connected() => return Some(fed.chain.clone()),
            Some(fed) => fed.panics,
            None => 0,
        };
        if panics > PANICS_MAX || self.arbiters.is_empty() {
            return None;
        }
        let arbiter = self.arbiters.get(usize::from(subjects::partition(operator)) % self.arbiters.len())?;
        let started = Chain::new(operator, self.around.clone()).ok()?;
        let chain = Chain::start_in_arbiter(arbiter, move |_| started);
        self.chains.insert(operator, Fed { chain: chain.clone(), panics });
        Some(chain)
    }

    /// A chain's mailbox is closed: it panicked. A new one loads its head, and everything it had comes again.
    async fn panicked(&mut self, operator: OperatorId) {
        let Some(fed) = self.chains.get_mut(&operator) else { return };
        fed.panics += 1;
        let panics = fed.panics;
        tracing::error!(%operator, panics, "the chain of {operator} panicked");
        if panics > PANICS_MAX {
            self.alert(operator, &Stop::Panicked(panics)).await;
        }
        self.rewind(false);
    }

    async fn hear(&mut self, told: Told) {
        match told {
            Told::Sealed { tx_seqs } => {
                for tx_seq in tx_seqs {
                    self.done(tx_seq).await;
                }
            }
            Told::Known { tx_seq } => {
                self.metrics.known_frame();
                self.done(tx_seq).await;
            }
            Told::Held { operator, tx_seq } => self.hold(operator, tx_seq).await,
            Told::Stopped { operator, stop } => self.alert(operator, &stop).await,
            Told::Rewind { round, from_first } if round == self.round => self.rewind(from_first),
            Told::Rewind { .. } => {}
        }
    }

    async fn done(&mut self, tx_seq: u64) {
        self.places.done(tx_seq);
        if let Some(delivery) = self.open.remove(&tx_seq) {
            delivery.ack().await;
        }
    }

    async fn hold(&mut self, operator: OperatorId, tx_seq: u64) {
        self.places.hold(operator, tx_seq);
        // Acknowledged so that others are not held up; the position stays before it.
        if let Some(delivery) = self.open.remove(&tx_seq) {
            delivery.ack().await;
        }
    }

    fn rewind(&mut self, from_first: bool) {
        self.round += 1;
        if from_first {
            self.places = Places::from(0);
        }
        let position = self.places.position();
        tracing::warn!(position, "reading TX again from {}", position + 1);
        self.open.clear();
        self.feed.rewind(position + 1);
    }

    async fn lost(&mut self, error: &FeedError) {
        tracing::error!(error = with_causes(error), "TX can't be read on");
        if matches!(error, FeedError::Rewound { .. }) {
            self.rewind(true);
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }

    /// Passes what is in `TX` for other processes alone. The feed does not tell of it.
    async fn pass_foreign(&mut self) {
        if self.partitions.are_all() || self.places.open() > 0 {
            return;
        }
        match self.foreign_up_to().await {
            Ok(Some(end)) => self.places.pass(end),
            Ok(None) => {}
            Err(error) => tracing::debug!(error = with_causes(&error), "TX can't be looked at, trying again"),
        }
    }

    /// The end of `TX`, if nothing of these partitions lies between it and what was reached. The end is read first: what comes
    /// after it may be theirs.
    async fn foreign_up_to(&self) -> Result<Option<u64>, ReadError> {
        let (end, from) = (self.bus.state_of(subjects::TX).await?.last_seq, self.places.reached() + 1);
        if end < from {
            return Ok(None);
        }
        for partition in self.partitions.iter() {
            let subject = subjects::tx_of_partition(partition);
            if self.bus.next_of(subjects::TX, &subject, from).await?.is_some() {
                return Ok(None);
            }
        }
        Ok(Some(end))
    }

    async fn keep_position(&mut self) {
        let position = self.places.position();
        self.metrics.position(position);
        self.worked.send_replace(self.places.worked());
        if position == self.stored {
            return;
        }
        match self.around.store.put_position(&self.partitions, position).await {
            Ok(()) => self.stored = position,
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!(error, "the position could not be stored, trying again");
            }
        }
    }

    async fn alert(&self, operator: OperatorId, stop: &Stop) {
        super::alert::chain_stopped(&self.bus, operator, stop).await;
    }
}
