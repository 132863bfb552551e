//! One batch on its way through a `Sequencer`: what is known of it so far, and whom to answer.

use std::sync::Arc;
use std::time::Instant;

use contracts::UnixMillis;
use contracts::frame::Part;
use tokio::sync::oneshot;

use super::broker::Unavailable;
use super::orders::{Accepted, Append, Refusal};
use super::packing::Piece;
use crate::domain::line::Waits;
use crate::domain::{Batch, Beside, Lease};

/// See the file's head.
pub struct Waiting {
    /// The batch.
    pub batch: Arc<Batch>,
    /// The batch packed, if it is large.
    pub part: Option<Part>,
    /// What is kept beside it, if anything.
    pub beside: Option<Arc<Beside>>,
    reply: oneshot::Sender<Result<Accepted, Refusal>>,
    /// When it came.
    pub arrived_at: Instant,
    /// What asked for it, to trace.
    pub span: tracing::Span,
    /// First seq that is not yet known to be accepted with the same bytes.
    pub from: u64,
    /// The latest acceptance time of what is.
    pub known_at: Option<UnixMillis>,
    /// It was, from this seq on, in a frame whose outcome is unknown: if it is found accepted, it was this request that did it.
    pub flown: Option<u64>,
    /// How often it was judged anew because the head was in doubt.
    pub doubts: u32,
    _lease: Lease,
}

impl Waits for Waiting {
    fn first(&self) -> u64 {
        self.from
    }
    fn last(&self) -> u64 {
        self.batch.last_seq()
    }
    fn bytes(&self) -> usize {
        self.batch.memory_bytes() + self.beside.as_ref().map_or(0, |beside| beside.memory_bytes())
    }
}

impl Waiting {
    /// Takes an order in.
    pub fn new(append: Append) -> Self {
        let Append { batch, part, beside, lease, span, reply } = append;
        Self {
            from: batch.first_seq().get(),
            batch,
            part,
            beside,
            reply,
            arrived_at: Instant::now(),
            span,
            known_at: None,
            flown: None,
            doubts: 0,
            _lease: lease,
        }
    }

    /// Whether its sender waits no more. One that may have been stored is judged all the same, for what is to be told of it.
    pub fn is_abandoned(&self) -> bool {
        self.flown.is_none() && self.reply.is_closed()
    }

    /// Waits until its sender waits no more.
    pub async fn abandoned(&mut self) {
        self.reply.closed().await;
    }

    /// Answers its sender.
    pub fn answer(self, answer: Result<Accepted, Refusal>) {
        // A caller that has gone away repeats its request: nothing is owed to it.
        let _ = self.reply.send(answer);
    }

    /// The same, to be judged anew; `unknown`: after a flight whose outcome is unknown.
    pub fn doubted(self, unknown: bool) -> Self {
        let flown = self.flown.or(unknown.then_some(self.from));
        Self { doubts: self.doubts + 1, flown, ..self }
    }

    /// What of it goes into a frame.
    pub fn piece(&self) -> Piece {
        let skip = self.from - self.batch.first_seq().get();
        let (batch, beside) = (Arc::clone(&self.batch), self.beside.clone());
        Piece { batch, part: self.part.clone(), beside, skip: skip as usize }
    }
}

/// Answers all that it is not to be had now.
pub fn refuse(all: impl Iterator<Item = Waiting>, unavailable: Unavailable) {
    all.for_each(|waiting| waiting.answer(Err(Refusal::Unavailable(unavailable))));
}
