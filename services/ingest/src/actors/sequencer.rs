//! One `Sequencer` a stream: it owns the next seq and the fence, and so decides what continues the stream.
//!
//! **State.** The line of waiting batches and the head (next seq, fence), both memory only: the head is taken from JetStream at
//! start, after a restart and whenever it turns out to be old, because another replica wrote or an outcome is unknown.
//!
//! **One flight at a time.** One frame is published under the fence; what arrives meanwhile waits and becomes the next frame.
//! The slower the disk, the larger the frames. Where batches gather, a frame also waits for its turn among those of other streams
//! (`domain/pace.rs`).
//!
//! **Doubt.** A lost fence or an unknown outcome leads to the same place: forget the head, load it, judge every waiting batch
//! anew. A batch whose frame was stored after all is then known and gets the receipt of that frame.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::prelude::*;
use contracts::Seq;
use contracts::frame::{BatchMeta, FRAME_BATCHES_MAX, FRAME_RECORDS_MAX};
use tracing::Instrument as _;

use super::alarm::Raised;
use super::broker::{AppendError, Stored, Unavailable};
use super::flagging::Reports;
use super::orders::{Accepted, Find, Order, Refusal, SequencerState, Snapshot, Told};
use super::packing::{Packers, Piece};
use super::recent::Recent;
use super::truth::{Checked, Truth};
use super::waiting::{Waiting, refuse};
use crate::domain::line::{Line, Place, Waits};
use crate::domain::pace::{Pace, WORTH_A_FRAME_BYTES};
use crate::domain::{StreamKey, Verdict};
use crate::metrics;
use crate::storage::AcceptedFrame;

/// How long a batch waits for the hole before it to fill.
pub const REORDER_WINDOW: Duration = Duration::from_secs(2);
/// Batches that may wait for holes in one stream; more are told of the gap at once.
const AHEAD_MAX: usize = 256;
/// How often the head is looked up while a batch waits for a hole that another replica may have filled.
const REFRESH_EVERY: Duration = Duration::from_millis(100);
/// Unpacked bytes of one frame: about 1 MiB packed, which is a block's size.
const FRAME_RAW_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often one batch is judged anew because the head was in doubt.
const DOUBTS_MAX: u32 = 16;

/// See the file's head.
pub struct Sequencer {
    pub(super) key: StreamKey,
    pub(super) truth: Arc<Truth>,
    packers: Arc<Packers>,
    pace: Arc<Mutex<Pace>>,
    head: Head,
    line: Line<Waiting>,
    recent: Recent,
    /// Batches of the frame in flight; 0 when none is.
    flying: usize,
    /// The last frame carried several batches: more are coming.
    gathers: bool,
    /// The timer of the next frame's turn runs.
    turn_comes: bool,
    /// What waits for the head to be loaded.
    undecided: Vec<Waiting>,
    refreshed_at: Option<Instant>,
    watching: bool,
    pub(super) reports: Reports,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    Doubtful,
    Loading,
    Known { fence: u64 },
}

impl Sequencer {
    /// A sequencer that knows nothing yet.
    pub fn new(key: StreamKey, truth: Arc<Truth>, packers: Arc<Packers>, pace: Arc<Mutex<Pace>>) -> Self {
        Self {
            key,
            truth,
            packers,
            pace,
            head: Head::Doubtful,
            line: Line::new(1),
            recent: Recent::default(),
            flying: 0,
            gathers: false,
            turn_comes: false,
            undecided: Vec::new(),
            refreshed_at: None,
            watching: false,
            reports: Reports::default(),
        }
    }

    /// Puts a batch where it belongs, or answers it.
    fn judge(&mut self, waiting: Waiting, ctx: &mut Context<Self>) {
        if waiting.is_abandoned() {
            return;
        }
        if let (Some(accepted_at), true) = (waiting.known_at, waiting.from > waiting.last()) {
            if let (Some(from), Some(beside)) = (waiting.flown, waiting.beside.clone()) {
                self.flagged(&beside, waiting.batch.first_seq().get(), from, ctx);
            }
            let appended = waiting.flown.is_some();
            return waiting.answer(Ok(Accepted { accepted_at, appended }));
        }
        if !matches!(self.head, Head::Known { .. }) {
            self.undecided.push(waiting);
            return self.load(ctx);
        }
        match self.line.place(waiting.from) {
            Place::Next => {
                self.line.push_ready(waiting);
                self.line.close_holes();
            }
            Place::Behind => self.line.push_behind(waiting),
            Place::Known => self.hold_against_truth(waiting, ctx),
            Place::Ahead if self.line.counts().1 >= AHEAD_MAX => {
                waiting.answer(Err(Refusal::Gap { expected_seq: self.line.next_seq() }));
            }
            Place::Ahead => {
                self.line.push_ahead(waiting);
                self.watch_holes(ctx);
                self.refresh(ctx);
            }
        }
    }

    /// Compares what begins inside the accepted records with them, up to where they end.
    fn hold_against_truth(&mut self, mut waiting: Waiting, ctx: &mut Context<Self>) {
        if let Some(meta) = self.recent.exactly(&waiting.batch) {
            waiting.known_at = Some(meta.accepted_at);
            waiting.from = waiting.last() + 1;
            return self.judge(waiting, ctx);
        }
        let to = waiting.last().min(self.line.next_seq() - 1);
        let (truth, key, batch) = (Arc::clone(&self.truth), self.key, Arc::clone(&waiting.batch));
        let check = async move {
            let Some(from) = Seq::new(waiting.from) else {
                return (waiting, Err(Refusal::Unavailable(Unavailable::Damaged)));
            };
            // Work for nobody would keep others waiting.
            let checked = tokio::select! {
                checked = truth.check(key, batch, from, to) => checked,
                () = waiting.abandoned() => Err(Unavailable::Busy),
            };
            let checked = match checked {
                Ok(Checked { verdict: Verdict::Same, accepted_at }) => Ok(accepted_at),
                Ok(Checked { verdict: Verdict::Reserialised(difference), .. }) => {
                    metrics::reserialised();
                    Err(Refusal::Reserialised(difference))
                }
                // The alert is durable before the sender learns that it was caught.
                Ok(Checked { verdict: Verdict::Rewritten(difference), .. }) => {
                    let raised = truth.alarm.raise(&*truth.broker, key, difference).await;
                    metrics::rewrite_attempt(&raised);
                    Err(match raised {
                        Ok(Raised::Told) => Refusal::Rewritten(difference),
                        Ok(Raised::Later { wait_s }) => Refusal::Untold { difference, wait_s },
                        Err(unavailable) => Refusal::Unavailable(unavailable),
                    })
                }
                Err(unavailable) => Err(Refusal::Unavailable(unavailable)),
            };
            (waiting, checked)
        };
        let done = check.into_actor(self).map(move |(mut waiting, checked), actor, ctx| match checked {
            Ok(accepted_at) => {
                waiting.known_at = waiting.known_at.max(Some(accepted_at));
                waiting.from = to + 1;
                actor.judge(waiting, ctx);
                actor.fly(ctx);
            }
            Err(refusal) => waiting.answer(Err(refusal)),
        });
        ctx.spawn(done);
    }

    /// Publishes the next frame in its turn, unless one is in flight.
    fn fly(&mut self, ctx: &mut Context<Self>) {
        let worth_it = self.line.ready_bytes() >= WORTH_A_FRAME_BYTES;
        if self.flying > 0
            || !matches!(self.head, Head::Known { .. })
            || self.line.counts().0 == 0
            || (self.turn_comes && !worth_it)
        {
            return;
        }
        let wait = self.pace.lock().unwrap_or_else(PoisonError::into_inner).turn(Instant::now());
        if wait.is_zero() || worth_it || !self.gathers {
            return self.fly_now(ctx);
        }
        self.turn_comes = true;
        ctx.run_later(wait, |actor, ctx| {
            actor.turn_comes = false;
            actor.fly_now(ctx);
        });
    }

    fn fly_now(&mut self, ctx: &mut Context<Self>) {
        let Head::Known { fence } = self.head else { return };
        if self.flying > 0 {
            return;
        }
        let flight = self.line.take(FRAME_BATCHES_MAX, FRAME_RECORDS_MAX as u64, FRAME_RAW_BYTES_MAX);
        let Some(first) = flight.first() else { return };
        self.flying = flight.len();
        self.gathers = flight.len() > 1;
        let span =
            tracing::info_span!(parent: &first.span, "append", batches = flight.len(), stream = %self.key.stream);
        for other in flight.iter().skip(1) {
            span.follows_from(&other.span);
        }
        // Never before the batch that came before it, whatever the clock does.
        let at = super::now().max(self.recent.accepted_at());
        let pieces: Vec<Piece> = flight.iter().map(Waiting::piece).collect();
        let (packers, broker, key) = (Arc::clone(&self.packers), Arc::clone(&self.truth.broker), self.key);
        let started_at = Instant::now();
        let publish = async move {
            let (bytes, metas) = match packers.frame_off_thread(key, pieces, at).await {
                Ok(packed) => packed,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "checked batches do not make a frame");
                    return (Err(AppendError::Refused(Unavailable::Damaged)), Vec::new());
                }
            };
            let first_seq = metas.first().map_or(Seq::FIRST, |meta| meta.first_seq);
            (broker.append(key, first_seq, bytes, fence).await, metas)
        };
        let landed = publish.instrument(span).into_actor(self).map(move |(outcome, metas), actor, ctx| {
            actor.flying = 0;
            metrics::flight(started_at.elapsed(), &outcome);
            actor.land(flight, outcome, metas, ctx);
            actor.fly(ctx);
        });
        ctx.spawn(landed);
    }

    fn land(
        &mut self,
        flight: Vec<Waiting>,
        outcome: Result<u64, AppendError>,
        metas: Vec<BatchMeta>,
        ctx: &mut Context<Self>,
    ) {
        match outcome {
            Ok(tx_seq) => {
                let last = metas.last().map_or(0, BatchMeta::last_seq);
                self.head = Head::Known { fence: tx_seq };
                self.recent.add(&metas);
                let behind = self.line.accept(last);
                for (waiting, meta) in flight.into_iter().zip(&metas) {
                    metrics::accepted(meta.count);
                    if let Some(beside) = &waiting.beside {
                        self.flagged(beside, waiting.batch.first_seq().get(), meta.first_seq.get(), ctx);
                    }
                    waiting.answer(Ok(Accepted { accepted_at: meta.accepted_at, appended: true }));
                }
                self.truth.index.remember(AcceptedFrame { key: self.key, tx_seq, batches: metas });
                for waiting in behind {
                    self.judge(waiting, ctx);
                }
            }
            Err(AppendError::Refused(unavailable)) => {
                self.head = if unavailable == Unavailable::Full { self.head } else { Head::Doubtful };
                refuse(flight.into_iter().chain(self.line.drain()), unavailable);
            }
            Err(doubt) => {
                self.head = Head::Doubtful;
                let unknown = doubt == AppendError::Unknown;
                self.undecided.extend(flight.into_iter().map(|waiting| waiting.doubted(unknown)));
                self.undecided.extend(self.line.drain().into_iter().map(|waiting| waiting.doubted(false)));
                self.load(ctx);
            }
        }
    }

    /// Takes the head from JetStream, unless that is under way.
    fn load(&mut self, ctx: &mut Context<Self>) {
        if self.head == Head::Loading {
            return;
        }
        self.head = Head::Loading;
        let (truth, key) = (Arc::clone(&self.truth), self.key);
        let load = async move { truth.head(key).await };
        ctx.spawn(load.into_actor(self).map(|head, actor, ctx| {
            actor.head = Head::Doubtful;
            let undecided = std::mem::take(&mut actor.undecided);
            match head.and_then(|last| actor.adopt(last)) {
                Ok(()) => {
                    for waiting in undecided {
                        if waiting.doubts > DOUBTS_MAX {
                            waiting.answer(Err(Refusal::Unavailable(Unavailable::Contended)));
                        } else {
                            actor.judge(waiting, ctx);
                        }
                    }
                    actor.fly(ctx);
                }
                Err(unavailable) => refuse(undecided.into_iter(), unavailable),
            }
        }));
    }

    /// Makes the last frame of the stream the head. The line is empty while the head is in doubt.
    fn adopt(&mut self, last: Option<Stored>) -> Result<(), Unavailable> {
        let (next, fence) = last.as_ref().map_or((1, 0), |stored| (stored.frame.last_seq() + 1, stored.tx_seq));
        if next < self.line.next_seq() {
            return Err(Unavailable::Lost);
        }
        self.head = Head::Known { fence };
        if let Some(stored) = &last {
            self.recent.add(stored.frame.batches());
        }
        let behind = self.line.accept(next - 1);
        debug_assert!(behind.is_empty(), "nothing waits for a flight when none is under way");
        Ok(())
    }

    /// Looks, while batches wait for a hole and nothing is in flight, whether another replica has filled it.
    fn refresh(&mut self, ctx: &mut Context<Self>) {
        let rested = self.refreshed_at.is_none_or(|at| at.elapsed() >= REFRESH_EVERY);
        let (ready, ahead, _) = self.line.counts();
        if !rested || self.flying + ready > 0 || ahead == 0 || !matches!(self.head, Head::Known { .. }) {
            return;
        }
        self.refreshed_at = Some(Instant::now());
        let waiting = self.line.drain();
        self.head = Head::Doubtful;
        self.undecided.extend(waiting);
        self.load(ctx);
    }

    /// As long as batches wait for holes: answers those that waited too long, and looks at the head again.
    fn watch_holes(&mut self, ctx: &mut Context<Self>) {
        if self.watching || self.line.counts().1 == 0 {
            return;
        }
        self.watching = true;
        ctx.run_later(REFRESH_EVERY, |actor, ctx| {
            actor.watching = false;
            let expected_seq = actor.line.next_seq();
            for waiting in actor.line.expire(|w| w.arrived_at.elapsed() >= REORDER_WINDOW) {
                waiting.answer(Err(Refusal::Gap { expected_seq }));
            }
            actor.watch_holes(ctx);
            actor.refresh(ctx);
        });
    }

    fn find(&mut self, mut find: Find, ctx: &mut Context<Self>) {
        if let Some(meta) = self.recent.holding(find.seq) {
            return find.answer(Ok(Some(meta)));
        }
        // Not by the head: another replica may have gone beyond it.
        let (truth, key) = (Arc::clone(&self.truth), self.key);
        let look = async move {
            let found = tokio::select! {
                found = truth.find(key, find.seq) => found,
                () = find.abandoned() => return,
            };
            find.answer(found);
        };
        ctx.spawn(look.into_actor(self));
    }
}

impl Actor for Sequencer {
    type Context = Context<Self>;
}

impl Supervised for Sequencer {
    /// Memory is a cache: begin with none. Whoever waited is told by its dropped reply that the outcome is unknown.
    fn restarting(&mut self, _: &mut Context<Self>) {
        *self = Self::new(self.key, Arc::clone(&self.truth), Arc::clone(&self.packers), Arc::clone(&self.pace));
    }
}

impl Handler<Told> for Sequencer {
    type Result = ();

    fn handle(&mut self, Told { order, place }: Told, ctx: &mut Context<Self>) {
        drop(place);
        match order {
            Order::Append(append) => {
                self.judge(Waiting::new(append), ctx);
                self.fly(ctx);
            }
            Order::Find(find) => self.find(find, ctx),
        }
    }
}

impl Handler<Snapshot> for Sequencer {
    type Result = SequencerState;

    fn handle(&mut self, _: Snapshot, _: &mut Context<Self>) -> SequencerState {
        let (ready, ahead, behind) = self.line.counts();
        SequencerState {
            next_seq: matches!(self.head, Head::Known { .. }).then(|| self.line.next_seq()),
            flying: self.flying,
            ready,
            ahead,
            waiting: behind + self.undecided.len(),
        }
    }
}
