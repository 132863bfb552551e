//! `Chain(operator)`: collects an operator's frames and seals them into blocks, one after the other.
//!
//! It exists so that one operator's blocks are made in one order while operators are sealed side by side. It owns the head of the
//! chain as last stored, and the frames collected for the next blocks. Checking a frame is work for the processor (about half a
//! microsecond a record), so chains live on arbiters of their own, away from HTTP.
//!
//! The store is the truth: at start, and whenever another writer was faster, the head is read again and `TX` is read again from
//! the stored position. A frame that comes again is held against what is sealed, for a `TX` that was lost may have been filled with
//! other records under the same seqs. A frame that must not be sealed stops this chain, loudly, and no other.

mod known;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;
use bus::Origin;
use contracts::frame::{Frame, Unpacker};
use contracts::{OperatorId, StreamNo};
use tracing::Instrument as _;

use super::now;
use crate::domain::chain::{BLOCK_AGE_MS_MAX, Collected, Head, NewBlock, Place, Taken, seal};
use crate::domain::frame::{Damage, check};
use crate::storage::{Appended, StorageError};

pub use words::{Ask, BlockSealed, Snapshot, Stop, Surroundings, Take, Told};

/// More than the feed hands out without acknowledgement, so that `try_send` never finds it full.
pub const MAILBOX_MESSAGES_MAX: usize = 8 * 1024;
/// Pause before a failed append, or a failed start, is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(300);
/// Gaps in a row that are answered by reading `TX` again; after that the missing frames are held to be lost.
const GAPS_MAX: u32 = 3;

/// The actor. See the module's text.
pub struct Chain {
    operator: OperatorId,
    around: Surroundings,
    unpacker: Unpacker,
    head: Head,
    collected: Collected,
    /// What published the collected frames that are traced, by their sequence in `TX`.
    origins: BTreeMap<u64, Origin>,
    /// Messages handed out again while their frame waits for its block, each with its last seq.
    echoes: Vec<(u64, Take)>,
    sealing: bool,
    due: bool,
    timer: Option<SpawnHandle>,
    /// Gaps in a row, by stream.
    gaps: BTreeMap<StreamNo, u32>,
    /// Messages of earlier rounds are ignored: they come again.
    round_min: u64,
    /// The round of the newest message.
    round: u64,
    stopped: Option<Stop>,
}

impl Chain {
    /// A chain that loads its head when it starts.
    ///
    /// # Errors
    /// No memory for the decompressor.
    pub fn new(operator: OperatorId, around: Surroundings) -> std::io::Result<Self> {
        Ok(Self {
            operator,
            around,
            unpacker: Unpacker::new()?,
            head: Head::start(),
            collected: Collected::default(),
            origins: BTreeMap::new(),
            echoes: Vec::new(),
            sealing: false,
            due: false,
            timer: None,
            gaps: BTreeMap::new(),
            round_min: 0,
            round: 0,
            stopped: None,
        })
    }

    fn tell(&self, told: Told) {
        // The feeder is gone only when the service ends; then nobody needs to know.
        drop(self.around.told.send(told));
    }

    fn stop_sealing(&mut self, stop: Stop) {
        let (operator, why) = (self.operator, &stop as &dyn std::error::Error);
        tracing::error!(%operator, error = why, "the chain of {operator} stopped");
        self.around.metrics.chain_stopped();
        self.tell(Told::Stopped { operator, stop: stop.clone() });
        // What was collected before is sound and will be sealed.
        self.stopped = Some(stop);
    }

    fn hold(&mut self, tx_seq: u64) {
        self.tell(Told::Held { operator: self.operator, tx_seq });
    }

    /// Reads the head, again if need be, before anything else is handled.
    fn load(&mut self, ctx: &mut Context<Self>) {
        let (around, operator) = (self.around.clone(), self.operator);
        let loading = async move {
            loop {
                match load(&around, operator).await {
                    Ok(loaded) => return loaded,
                    Err(why) => {
                        tracing::warn!(%operator, why, "the head of {operator} could not be loaded, trying again");
                        tokio::time::sleep(RETRY_DELAY).await;
                    }
                }
            }
        };
        ctx.wait(loading.into_actor(self).map(|(head, stop), chain, _| {
            chain.head = head;
            chain.collected.clear();
            chain.origins.clear();
            chain.echoes.clear();
            if let Some(stop) = stop {
                chain.stop_sealing(stop);
            }
        }));
    }

    fn read_again(&mut self, from_first: bool) {
        self.round_min = self.round + 1;
        self.tell(Told::Rewind { round: self.round, from_first });
    }

    /// Seqs did not come. Unless another writer sealed them, in which case they may be trimmed, they are read again.
    fn gap(&mut self, stream: StreamNo, expected: u64, first: u64, tx_seq: u64, ctx: &mut Context<Self>) {
        let (store, operator) = (self.around.store.clone(), self.operator);
        let looking = async move {
            loop {
                match store.head(operator).await {
                    Ok(head) => return head,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(%operator, error, "the head of {operator} could not be read, trying again");
                        tokio::time::sleep(RETRY_DELAY).await;
                    }
                }
            }
        };
        ctx.wait(looking.into_actor(self).map(move |head, chain, ctx| {
            if head.sealed_through(stream) >= expected {
                chain.overtaken(ctx);
            } else {
                chain.missed(stream, expected, first, tx_seq);
            }
        }));
    }

    fn missed(&mut self, stream: StreamNo, expected: u64, first: u64, tx_seq: u64) {
        let gaps = self.gaps.entry(stream).or_default();
        *gaps += 1;
        let gaps = *gaps;
        self.around.metrics.gap();
        if gaps > GAPS_MAX {
            self.stop_sealing(Stop::Missing { stream, expected, before: first - 1 });
            self.hold(tx_seq);
        } else {
            let operator = self.operator;
            tracing::warn!(%operator, "seqs {expected} to {} of {operator} stream {stream} did not come, reading again", first - 1);
            self.read_again(gaps == GAPS_MAX);
        }
    }

    /// Another writer went on with this chain: so does this one, from there.
    fn overtaken(&mut self, ctx: &mut Context<Self>) {
        let operator = self.operator;
        tracing::warn!(%operator, "another writer appended to the chain of {operator}, reading again");
        self.around.metrics.head_moved();
        // A block that is being written learns it by itself.
        if !self.sealing {
            self.load(ctx);
        }
        self.read_again(false);
    }

    fn take(&mut self, take: Take, ctx: &mut Context<Self>) -> Result<(), Damage> {
        let frame = Frame::decode(&take.bytes).map_err(Damage::Frame)?;
        if frame.operator != self.operator || frame.stream != take.stream {
            return Err(Damage::Subject { operator: frame.operator, stream: frame.stream });
        }
        let (first, last) = (frame.first_seq(), frame.last_seq());
        match self.collected.place(&self.head, frame.stream, first, last) {
            Place::Known if last <= self.head.sealed_through(frame.stream) => {
                self.hold_against_sealed(take, ctx);
            }
            Place::Known => self.echoes.push((last, take)),
            Place::Next => {
                let frame = check(take.bytes, &frame, &mut self.unpacker)?;
                self.gaps.remove(&frame.stream);
                self.origins.extend(take.trace.map(|origin| (take.tx_seq, origin)));
                self.collected.push(Taken { tx_seq: take.tx_seq, frame });
            }
            Place::Gap { expected } => self.gap(frame.stream, expected, first.get(), take.tx_seq, ctx),
            Place::Overlap { known } => return Err(Damage::Overlap { first: first.get(), last, sealed: known }),
        }
        Ok(())
    }

    /// A frame whose seqs are sealed is dealt with if it is what was sealed. Rare: after a start, or when `TX` is read again.
    fn hold_against_sealed(&mut self, take: Take, ctx: &mut Context<Self>) {
        let (store, operator) = (self.around.store.clone(), self.operator);
        let looking = async move {
            loop {
                match known::is_sealed(&*store, &take.bytes).await {
                    Ok(same) => return (take, same),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(%operator, error, "what is sealed of {operator} could not be read, trying again");
                        tokio::time::sleep(RETRY_DELAY).await;
                    }
                }
            }
        };
        ctx.wait(looking.into_actor(self).map(|(Take { stream, tx_seq, .. }, same), chain, _| match same {
            Ok(()) => chain.tell(Told::Known { tx_seq }),
            Err(damage) => {
                chain.stop_sealing(Stop::Damaged { stream, tx_seq, damage });
                chain.hold(tx_seq);
            }
        }));
    }

    /// Seals if a block is full or old enough and none is being written; else sees to it that it will be.
    fn seal_or_wait(&mut self, ctx: &mut Context<Self>) {
        if self.sealing || self.collected.is_empty() {
            return;
        }
        if !self.due && !self.collected.is_full() {
            if self.timer.is_none() {
                let age = Duration::from_millis(BLOCK_AGE_MS_MAX);
                self.timer = Some(ctx.run_later(age, |chain, ctx| {
                    chain.timer = None;
                    chain.due = true;
                    chain.seal_or_wait(ctx);
                }));
            }
            return;
        }
        self.due = false;
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let taken = self.collected.cut();
        if let Some(block) = seal(self.operator, &self.head, &taken, now()) {
            self.sealing = true;
            self.append(block, taken, ctx);
        }
    }

    fn append(&mut self, block: NewBlock, taken: Vec<Taken>, ctx: &mut Context<Self>) {
        let (store, operator) = (self.around.store.clone(), self.operator);
        let origins = taken.iter().filter_map(|one| self.origins.remove(&one.tx_seq));
        let span = self.around.traces.seal(operator, block.header.height, origins);
        let appending = async move {
            loop {
                let height = block.header.height;
                match store.append_block_if_head_is(block.clone()).await {
                    Ok(appended) => return (appended, block, taken),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(%operator, error, "block {height} of {operator} could not be stored, trying again");
                        tokio::time::sleep(RETRY_DELAY).await;
                    }
                }
            }
        };
        ctx.spawn(appending.instrument(span).into_actor(self).map(|(appended, block, taken), chain, ctx| {
            chain.sealing = false;
            chain.appended(appended, block, &taken, ctx);
        }));
    }

    fn appended(&mut self, appended: Appended, block: NewBlock, taken: &[Taken], ctx: &mut Context<Self>) {
        if appended == Appended::HeadMoved {
            return self.overtaken(ctx);
        }
        self.head = block.head;
        let at = now();
        for one in taken {
            let lag_ms = at.0.saturating_sub(one.frame.accepted_at.0);
            self.around.metrics.sealed(one.frame.records() as u64, lag_ms);
        }
        self.around.metrics.block();
        self.tell(Told::Sealed { tx_seqs: taken.iter().map(|one| one.tx_seq).collect() });
        let (known, waiting): (Vec<_>, Vec<_>) =
            self.echoes.drain(..).partition(|(last, take)| *last <= self.head.sealed_through(take.stream));
        self.echoes = waiting;
        for (_, take) in known {
            self.hold_against_sealed(take, ctx);
        }
        // A full or closed mailbox loses nothing: the log looks for itself at what is sealed from time to time.
        let accepted_at = taken.iter().map(|one| one.frame.accepted_at).collect();
        let (operator, height) = (self.operator, self.head.height);
        drop(self.around.sealed.try_send(BlockSealed { operator, height, accepted_at }));
        self.seal_or_wait(ctx);
    }
}

/// The head, and why the chain must not go on from it, if so.
async fn load(around: &Surroundings, operator: OperatorId) -> Result<(Head, Option<Stop>), String> {
    let words = |error: StorageError| error.to_string();
    // What was announced first, the head after it: another owner that seals and announces in between is not a store that was set back.
    let announced = around.witness.last_block(operator).await?;
    let head = around.store.head(operator).await.map_err(words)?;
    let Some((announced, hash)) = announced else { return Ok((head, None)) };
    let ours = match announced.0.cmp(&head.height.0) {
        std::cmp::Ordering::Greater => None,
        std::cmp::Ordering::Equal => Some(head.hash),
        std::cmp::Ordering::Less => {
            let headers = around.store.headers(operator, announced, 1).await.map_err(words)?;
            headers.first().map(|header| ledger::block_hash(header))
        }
    };
    let stop = (ours != Some(hash)).then_some(Stop::RolledBack { announced, hash });
    Ok((head, stop))
}

impl Actor for Chain {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_MESSAGES_MAX);
        self.load(ctx);
    }
}

impl Handler<Take> for Chain {
    type Result = ();

    fn handle(&mut self, take: Take, ctx: &mut Self::Context) {
        let (stream, tx_seq) = (take.stream, take.tx_seq);
        if take.round < self.round_min {
            return;
        }
        self.round = take.round;
        if self.stopped.is_some() {
            return self.hold(tx_seq);
        }
        if let Err(damage) = self.take(take, ctx) {
            self.stop_sealing(Stop::Damaged { stream, tx_seq, damage });
            return self.hold(tx_seq);
        }
        self.seal_or_wait(ctx);
    }
}

impl Handler<Ask> for Chain {
    type Result = Snapshot;

    fn handle(&mut self, _: Ask, _: &mut Self::Context) -> Snapshot {
        Snapshot { height: self.head.height, waiting_bytes: self.collected.bytes(), stopped: self.stopped.clone() }
    }
}
