//! Looks accepted records up where they really are: the index for speed, then chaining and `TX` for truth.

use std::sync::Arc;
use std::time::Duration;

use contracts::frame::{BatchMeta, Unpacker};
use contracts::{OperatorId, Seq, UnixMillis};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::alarm::Alarm;
use super::broker::{Broker, Stored, Unavailable};
use super::index::IndexWriter;
use crate::domain::difference::{Comparison, Verdict};
use crate::domain::{Batch, StreamHead, StreamKey};
use crate::storage::{AcceptedFrame, Store};

/// Comparisons at a time in this process: each may hold the frames of 10,000 records and unpack them.
const CHECKS_AT_ONCE_MAX: usize = 4;
/// Batches looked for at a time that the index does not hold: each may read a frame of 8 MiB and ask chaining for another. Not of the
/// comparisons' turns: who asks for old receipts must not hold up those who repeat a batch.
const FINDS_AT_ONCE_MAX: usize = 4;
/// How long one waits for its turn. A lookup takes milliseconds; where one hangs, to come again is better than to wait.
const TURN_TIMEOUT: Duration = Duration::from_secs(2);
/// Last frames read at a time to list an operator's streams: each may be 8 MiB.
const HEADS_AT_ONCE_MAX: usize = 4;

/// The ways to what was accepted.
pub struct Truth {
    /// The bus.
    pub broker: Arc<dyn Broker>,
    /// The index.
    pub store: Arc<dyn Store>,
    /// Where rows go that were missing in it.
    pub index: IndexWriter,
    /// What is told when a record that was accepted comes with other values.
    pub(super) alarm: Alarm,
    /// Whether the index was empty when the process started.
    began_empty: bool,
    checks: Semaphore,
    finds: Semaphore,
}

/// Sent records held against accepted ones.
#[derive(Debug, Clone, Copy)]
pub struct Checked {
    /// What was found.
    pub verdict: Verdict,
    /// The latest acceptance time of the batches that were touched.
    pub accepted_at: UnixMillis,
}

impl Truth {
    /// Puts the ways together. `began_empty`: whether the index holds nothing yet.
    pub fn new(broker: Arc<dyn Broker>, store: Arc<dyn Store>, index: IndexWriter, began_empty: bool) -> Self {
        let (checks, finds) = (Semaphore::new(CHECKS_AT_ONCE_MAX), Semaphore::new(FINDS_AT_ONCE_MAX));
        Self { broker, store, index, alarm: Alarm::new(), began_empty, checks, finds }
    }

    /// The last frame of a stream.
    ///
    /// # Errors
    /// [`Unavailable`]; `Lost` when the index, or chaining, knows of a batch that the broker does not.
    pub async fn head(&self, key: StreamKey) -> Result<Option<Stored>, Unavailable> {
        // The index first: it is never ahead of the broker, unless the broker lost something.
        let known = match self.store.last_batch(key).await {
            Ok(known) => known.map_or(0, |batch| batch.meta.last_seq()),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not read the index");
                0
            }
        };
        // An index that knows nothing of a stream can't tell a new one from one whose frames the broker lost: seqs would be accepted
        // again with other bytes, under receipts that never get a block. Chaining can. It is asked before the broker, too.
        let known = if known == 0 { self.broker.sealed_through(key).await } else { Ok(known) };
        let last = self.broker.last(key).await?;
        let held = last.as_ref().map_or(0, |stored| stored.frame.last_seq());
        match known {
            Ok(known) if held < known => {
                tracing::error!(held, known, stream = %key.stream, "the broker holds seqs up to {held}, {known} were accepted");
                Err(Unavailable::Lost)
            }
            // Who began without an index may have made the very TX it sees: it refuses a stream until chaining has answered, which
            // costs a new deployment a moment. Who began with one was refused its start if TX was gone; it goes on, for accepting must
            // not wait for sealing. So does who finds frames of the stream.
            Err(Unavailable::Chaining) if held == 0 && self.began_empty => Err(Unavailable::Chaining),
            Ok(_) | Err(Unavailable::Chaining) => Ok(last),
            Err(unavailable) => Err(unavailable),
        }
    }

    /// How far each stream of an operator has come, ascending, whichever replica took its records.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub async fn heads(&self, operator: OperatorId) -> Result<Vec<StreamHead>, Unavailable> {
        let streams = self.broker.streams(operator).await?;
        let head = |stream| async move {
            let last = self.broker.last(StreamKey { operator, stream }).await?;
            let last = last.and_then(|stored| stored.frame.batches().last().copied());
            Ok(last.map(|batch| StreamHead { stream, last: batch.last_seq(), accepted_at: batch.accepted_at }))
        };
        let heads = futures::stream::iter(streams).map(head).buffered(HEADS_AT_ONCE_MAX);
        heads.try_filter_map(|head| std::future::ready(Ok(head))).try_collect().await
    }

    /// The accepted batch that holds `seq`; `None` when it is not accepted.
    ///
    /// # Errors
    /// [`Unavailable`] when it is not in the index and can't be looked up now; `Busy` when too many others are.
    pub async fn find(&self, key: StreamKey, seq: Seq) -> Result<Option<BatchMeta>, Unavailable> {
        if let Some(known) = self.known(key, seq).await {
            return Ok(Some(known.meta));
        }
        let _turn = turn(&self.finds).await?;
        let Some(last) = self.broker.last(key).await? else { return Ok(None) };
        if seq.get() > last.frame.last_seq() {
            return Ok(None);
        }
        let frames = if seq >= last.frame.first_seq() { vec![last] } else { self.frames(key, seq, seq.get()).await? };
        let mut batches = frames.iter().flat_map(|stored| stored.frame.batches());
        let found = batches.find(|batch| batch.first_seq <= seq && seq.get() <= batch.last_seq());
        found.copied().map(Some).ok_or(Unavailable::Damaged)
    }

    /// Holds the batch's records of `from..=to`, which MUST have been accepted, against what was accepted.
    ///
    /// # Errors
    /// [`Unavailable`] when they can't be looked up now; `Busy` when too many others are.
    pub async fn check(&self, key: StreamKey, batch: Arc<Batch>, from: Seq, to: u64) -> Result<Checked, Unavailable> {
        if let Some(known) = self.known(key, from).await {
            let meta = known.meta;
            if (meta.first_seq, meta.last_seq(), meta.root) == (batch.first_seq(), batch.last_seq(), batch.root()) {
                return Ok(Checked { verdict: Verdict::Same, accepted_at: meta.accepted_at });
            }
        }
        let _turn = turn(&self.checks).await?;
        let frames = self.frames(key, from, to).await?;
        // Unpacking and comparing 10,000 records takes longer than an actor's thread may be held.
        let compared = tokio::task::spawn_blocking(move || compare_frames(&frames, &batch, from.get(), to));
        compared.await.map_err(|_| Unavailable::Damaged)?
    }

    async fn known(&self, key: StreamKey, seq: Seq) -> Option<crate::storage::KnownBatch> {
        match self.store.batch_holding(key, seq).await {
            Ok(known) => known,
            Err(error) => {
                // The index is only the shorter way.
                tracing::warn!(error = &error as &dyn std::error::Error, "could not read the index");
                None
            }
        }
    }

    async fn frames(&self, key: StreamKey, from: Seq, to: u64) -> Result<Vec<Stored>, Unavailable> {
        let hint = self.known(key, from).await.map_or(0, |known| known.tx_seq);
        let frames = self.broker.frames(key, from, to, hint).await?;
        for Stored { tx_seq, frame } in &frames {
            self.index.remember(AcceptedFrame { key, tx_seq: *tx_seq, batches: frame.batches().to_vec() });
        }
        Ok(frames)
    }
}

/// A turn, unless it takes too long until it comes.
async fn turn(of: &Semaphore) -> Result<SemaphorePermit<'_>, Unavailable> {
    let turn = tokio::time::timeout(TURN_TIMEOUT, of.acquire()).await;
    // They are never closed.
    turn.ok().and_then(Result::ok).ok_or(Unavailable::Busy)
}

fn compare_frames(frames: &[Stored], batch: &Batch, from: u64, to: u64) -> Result<Checked, Unavailable> {
    let damaged = |_| Unavailable::Damaged;
    let mut unpacker = Unpacker::new().map_err(|_| Unavailable::Damaged)?;
    let skip = usize::try_from(from.saturating_sub(batch.first_seq().get())).unwrap_or(usize::MAX);
    let mut sent = batch.records_from(skip);
    let mut comparison = Comparison::default();
    let mut accepted_at = UnixMillis(i64::MIN);
    let mut next = from;
    for Stored { frame, .. } in frames {
        let touched = frame.batches().iter().filter(|b| b.first_seq.get() <= to && from <= b.last_seq());
        accepted_at = touched.map(|b| b.accepted_at).fold(accepted_at, UnixMillis::max);
        let mut seq = frame.first_seq().get();
        if seq > next {
            return Err(Unavailable::Damaged);
        }
        for part in frame.parts() {
            let numbered = (seq..).zip(unpacker.unpack(part).map_err(damaged)?);
            seq += u64::from(part.records());
            // Frames follow one another, but the first may begin before what is asked and the last end after it.
            let wanted = numbered.filter(|(seq, _)| (next..=to).contains(seq));
            wanted.zip(sent.by_ref()).for_each(|((seq, accepted), sent)| comparison.hold(seq, accepted, sent));
            next = next.max(seq);
        }
    }
    if next <= to { Err(Unavailable::Damaged) } else { Ok(Checked { verdict: comparison.verdict(), accepted_at }) }
}
