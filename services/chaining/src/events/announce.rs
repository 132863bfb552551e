//! Tells `LEDGER` of the blocks in the log, in the log's order, and of its checkpoints.
//!
//! How far it got is in the store, written after the server has the blocks: after a crash some are told again under the same
//! message id. A full or absent `LEDGER` is waited for; sealing and the log do not wait with it.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Headers, PublishError};
use bytes::Bytes;
use contracts::block::SealedBlock;
use contracts::events::{CE_BLOCK, CE_CHECKPOINT};
use contracts::subjects;
use tokio::sync::watch;
use tracing::Instrument as _;

use crate::actors::log::Shown;
use crate::error::with_causes;
use crate::metrics::Metrics;
use crate::storage::{LogEntry, StorageError, Store};
use crate::trace::Traces;

/// Pause before a failed announcement is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// Entries read at a time; after them the number of announced entries is written.
const ENTRIES_AT_A_TIME: usize = 64;

/// Why an entry could not be announced now.
#[derive(Debug, thiserror::Error)]
enum AnnounceError {
    #[error("the store could not be read")]
    Storage(#[source] StorageError),
    #[error("block {height} of {operator} is in the log and not in the store")]
    Lost { operator: contracts::OperatorId, height: contracts::Height },
    #[error("LEDGER did not take it")]
    Publish(#[source] PublishError),
}

impl From<StorageError> for AnnounceError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Announces for ever. Cancel it to stop: nothing is lost.
pub async fn announce(
    bus: Bus,
    store: Arc<dyn Store>,
    mut shown: watch::Receiver<Shown>,
    metrics: Metrics,
    traces: Traces,
) {
    let mut warned = false;
    loop {
        let now = shown.borrow_and_update().clone();
        match catch_up(&bus, &*store, &now, &metrics, &traces).await {
            Ok(()) => {
                warned = false;
                if shown.changed().await.is_err() {
                    return;
                }
            }
            Err(error) => {
                if !warned {
                    let error = with_causes(&error);
                    tracing::warn!(error, "the log could not be announced, trying again until it can");
                    warned = true;
                }
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

async fn catch_up(
    bus: &Bus,
    store: &dyn Store,
    shown: &Shown,
    metrics: &Metrics,
    traces: &Traces,
) -> Result<(), AnnounceError> {
    let Some(note) = &shown.note else { return Ok(()) };
    let mut announced = store.announced().await?;
    if announced >= shown.size {
        return Ok(());
    }
    while announced < shown.size {
        let limit = ENTRIES_AT_A_TIME.min((shown.size - announced) as usize);
        let entries = store.entries(announced, limit).await?;
        for entry in &entries {
            let span = traces.announce(entry.operator, entry.height);
            publish_block(bus, store, entry).instrument(span).await?;
        }
        if entries.is_empty() {
            break;
        }
        announced += entries.len() as u64;
        if announced < shown.size {
            store.advance_announced(announced).await?;
        }
    }
    // The checkpoint goes out before the last blocks count as announced, so that a crash in between repeats it.
    let id = format!("checkpoint-{}", shown.size);
    publish(bus, subjects::LEDGER_CHECKPOINT, Headers::event(CE_CHECKPOINT, &id), note.clone()).await?;
    store.advance_announced(announced).await?;
    metrics.announced(announced);
    Ok(())
}

async fn publish_block(bus: &Bus, store: &dyn Store, entry: &LogEntry) -> Result<(), AnnounceError> {
    let (operator, height) = (entry.operator, entry.height);
    let block = store.block(operator, height).await?.ok_or(AnnounceError::Lost { operator, height })?;
    let id = ledger::block_hash(&block.header).to_string();
    let payload = SealedBlock { header: block.header, frames: block.frames }.encode();
    publish(bus, &subjects::ledger_block(operator), Headers::event(CE_BLOCK, &id), payload).await
}

async fn publish(bus: &Bus, subject: &str, headers: Headers, payload: Bytes) -> Result<(), AnnounceError> {
    bus.publish(subject, headers, payload).await.map(drop).map_err(AnnounceError::Publish)
}
