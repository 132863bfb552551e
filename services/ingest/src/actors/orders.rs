//! What a `Sequencer` is told, and what it answers.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use actix::prelude::*;
use contracts::frame::{BatchMeta, Part};
use contracts::{Seq, UnixMillis};
use tokio::sync::oneshot;

use super::broker::Unavailable;
use crate::domain::{Batch, Beside, Difference, Lease};

/// What a sequencer can be told; it answers by the order's own channel.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Told {
    /// What to do.
    pub order: Order,
    /// Its place among those that wait.
    pub place: InMailbox,
}

/// See the variants.
pub enum Order {
    /// Append a batch.
    Append(Append),
    /// Find a batch.
    Find(Find),
}

/// One of the orders that wait in a mailbox; counted until dropped.
#[derive(Debug)]
pub struct InMailbox(Arc<AtomicUsize>);

impl InMailbox {
    /// Takes one of `most` places; `None` when all are taken.
    pub fn take(waiting: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let more = |waiting: usize| (waiting < most).then_some(waiting + 1);
        waiting.fetch_update(Relaxed, Relaxed, more).ok().map(|_| Self(Arc::clone(waiting)))
    }
}

impl Drop for InMailbox {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Append this batch, or say what it is.
pub struct Append {
    /// The batch.
    pub batch: Arc<Batch>,
    /// The batch packed, if it is large.
    pub part: Option<Part>,
    /// What is kept beside it, if anything.
    pub beside: Option<Arc<Beside>>,
    /// The memory it holds.
    pub lease: Lease,
    /// What asked for it, to trace.
    pub span: tracing::Span,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Accepted, Refusal>>,
}

/// Find the accepted batch that holds a seq; `None` when it is not accepted.
pub struct Find {
    /// The seq.
    pub seq: Seq,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Option<BatchMeta>, Unavailable>>,
}

impl Find {
    /// Waits until nobody waits for the answer any more.
    pub async fn abandoned(&mut self) {
        self.reply.closed().await;
    }

    /// Answers it.
    pub fn answer(self, answer: Result<Option<BatchMeta>, Unavailable>) {
        // A caller that has gone away asks again.
        let _ = self.reply.send(answer);
    }
}

/// Show what is in the actor's hands.
#[derive(Message)]
#[rtype(result = "SequencerState")]
pub struct Snapshot;

/// What is in a [`Sequencer`]'s hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, MessageResponse)]
pub struct SequencerState {
    /// The next seq, unless the head is in doubt.
    pub next_seq: Option<u64>,
    /// Batches in the frame that is being published.
    pub flying: usize,
    /// Batches ready for the next frame.
    pub ready: usize,
    /// Batches that wait for a hole to fill.
    pub ahead: usize,
    /// Batches that wait for the flight's outcome or for the head.
    pub waiting: usize,
}

/// All records of the batch are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// When the last of them was.
    pub accepted_at: UnixMillis,
    /// Whether this request appended any of them.
    pub appended: bool,
}

/// Why a batch is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Records before it are missing.
    #[error("the next seq is {expected_seq}")]
    Gap {
        /// The next seq.
        expected_seq: u64,
    },
    /// Accepted records were sent again with equal values in other bytes.
    #[error("record {} was accepted with other bytes and equal values", .0.seq)]
    Reserialised(Difference),
    /// Accepted records were sent again with other values. It has been reported.
    #[error("record {} was accepted with other values", .0.seq)]
    Rewritten(Difference),
    /// As [`Self::Rewritten`], but it can't be reported yet: too many others of this operator were.
    #[error("record {} was accepted with other values", .difference.seq)]
    Untold {
        /// Where the values differ.
        difference: Difference,
        /// Seconds after which it can be.
        wait_s: u32,
    },
    /// Not now; whether it was accepted is not known.
    #[error("{0}")]
    Unavailable(#[source] Unavailable),
}
