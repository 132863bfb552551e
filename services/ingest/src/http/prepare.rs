//! From a body as sent to a checked batch: unpack, find and judge the records, hash, pack. On a thread that may be held up when
//! there is much to do.

use std::sync::Arc;

use bytes::Bytes;
use contracts::UnixMillis;
use contracts::batch::{self, BatchError, Media};
use contracts::frame::{BadFrame, Part};
use contracts::registry::OperatorStanding;
use contracts::traffic;

use super::body::{self, BadBody, Coding};
use crate::actors::Packers;
use crate::domain::exchange::summary;
use crate::domain::flags::flags;
use crate::domain::{Batch, Beside, Lease};

/// Bytes prepared on an HTTP worker's own thread; more takes longer than 1 ms (about 1.7 µs a record of 270 bytes).
const PREPARE_HERE_BYTES_MAX: usize = 128 * 1024;
/// How many times larger a packed body is taken to be, to choose the thread: five times is usual, a bomb may have a thousand.
const PACKED_FACTOR: usize = 32;
/// Batches from this size on are packed by whoever prepares them; smaller ones pack better together.
const PACK_ALONE_BYTES_MIN: usize = 64 * 1024;

/// A body as sent, and what is said of it.
pub struct Sent {
    /// The body.
    pub body: Bytes,
    /// How it is packed.
    pub coding: Coding,
    /// How it holds records.
    pub media: Media,
    /// The server's time.
    pub now: UnixMillis,
    /// How its operator stands.
    pub standing: Arc<OperatorStanding>,
    /// Its signature, as it is kept.
    pub signature: Option<String>,
    /// Whether it is summed up for the sandbox.
    pub sum_up: bool,
    /// The memory it holds.
    pub lease: Lease,
}

/// A batch that can be appended.
pub struct Prepared {
    /// The batch.
    pub batch: Arc<Batch>,
    /// The batch packed, if it is large.
    pub part: Option<Part>,
    /// What is kept beside it, if anything.
    pub beside: Option<Arc<Beside>>,
    /// What the sandbox keeps of it.
    pub summary: Option<traffic::Sent>,
    /// The memory it holds.
    pub lease: Lease,
}

/// Why a body makes no batch.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The body.
    #[error("{0}")]
    Body(#[source] BadBody),
    /// What is in it.
    #[error("{0}")]
    Batch(#[source] BatchError),
    /// It could not be packed: a fault of ours.
    #[error("a checked batch could not be packed")]
    Packing(#[source] BadFrame),
    /// The thread is gone: the process is ending.
    #[error("the preparing thread is gone")]
    Gone,
}

/// Prepares a batch.
///
/// # Errors
/// [`Unfit`]
pub async fn prepare(mut sent: Sent, packers: &Arc<Packers>) -> Result<Prepared, Unfit> {
    let factor = if sent.coding == Coding::Identity { 1 } else { PACKED_FACTOR };
    if sent.body.len() * factor <= PREPARE_HERE_BYTES_MAX {
        sent.body = body::unpack(sent.body, sent.coding, &mut sent.lease).map_err(Unfit::Body)?;
        sent.coding = Coding::Identity;
        // Only now a bomb shows: what is in it takes ten times as long as its unpacking.
        if sent.body.len() <= PREPARE_HERE_BYTES_MAX {
            return prepare_here(sent, packers);
        }
    }
    let packers = Arc::clone(packers);
    let prepared = tokio::task::spawn_blocking(move || prepare_here(sent, &packers)).await;
    prepared.unwrap_or(Err(Unfit::Gone))
}

fn prepare_here(sent: Sent, packers: &Packers) -> Result<Prepared, Unfit> {
    let Sent { body, coding, media, now, standing, signature, sum_up, mut lease } = sent;
    let body = body::unpack(body, coding, &mut lease).map_err(Unfit::Body)?;
    let checked = batch::check(&body, media, now).map_err(Unfit::Batch)?;
    let beside = Beside { flags: flags(&standing, &checked, &body, now), signature };
    let batch = Batch::new(checked.first_seq, body, checked.starts, checked.lengths);
    let summary = sum_up.then(|| summary(&batch, now));
    let alone = batch.memory_bytes() >= PACK_ALONE_BYTES_MIN;
    let part = alone.then(|| packers.with(|packer| batch.pack(packer))).transpose().map_err(Unfit::Packing)?;
    let packed_bytes = part.as_ref().map_or(0, Part::packed_len);
    if !lease.resize(batch.memory_bytes() + packed_bytes + beside.memory_bytes()) {
        return Err(Unfit::Body(BadBody::NoMemory));
    }
    let beside = (!beside.is_empty()).then(|| Arc::new(beside));
    Ok(Prepared { batch: Arc::new(batch), part, beside, summary, lease })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Budget;
    use contracts::batch::BATCH_BYTES_MAX;
    use futures::FutureExt as _;

    #[actix::test]
    async fn what_is_small_as_sent_and_large_unpacked_is_not_prepared_on_the_workers_thread() {
        let standing = testkit::register::standing("13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID"));
        let (standing, budget, packers) = (Arc::new(standing), Budget::new(64 << 20), Arc::<Packers>::default());
        let spaces = |count| zstd::stream::encode_all(&vec![b' '; count][..], 3).expect("packs");
        let begin = |body: Vec<u8>| {
            let (lease, standing, packers) = (budget.lease(standing.operator), Arc::clone(&standing), &packers);
            let (now, body) = (UnixMillis(1_792_864_829_498), body.into());
            let (coding, media) = (Coding::Zstd, Media::Ndjson);
            let sent = Sent { body, coding, media, now, standing, signature: None, sum_up: false, lease };
            Box::pin(prepare(sent, packers))
        };
        let refused = begin(spaces(100_000)).now_or_never().expect("at once");
        assert!(matches!(refused, Err(Unfit::Batch(BatchError::Invalid(_)))));
        let mut bomb = begin(spaces(BATCH_BYTES_MAX));
        assert!((&mut bomb).now_or_never().is_none(), "elsewhere");
        assert!(matches!(bomb.await, Err(Unfit::Batch(BatchError::Invalid(_)))));
    }
}
