//! Keeps room in the streams: `TX` is trimmed to what is not sealed, `LEDGER` to the size it may have.

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use contracts::subjects;

use crate::domain::partitions::Partitions;
use crate::error::with_causes;
use crate::metrics::Metrics;
use crate::storage::Store;

/// How often the streams are looked at.
const INTERVAL: Duration = Duration::from_secs(2);
/// `TX` below this size is left alone: trimming costs the server syncs, and its newest messages serve ingest after a restart.
const TX_BYTES_KEPT: u64 = 32 * 1024 * 1024;
/// Share of its size at which `LEDGER` is trimmed, and to which, in percent. Between the two it is left alone.
const LEDGER_FULL_PERCENT: u64 = 80;
const LEDGER_KEPT_PERCENT: u64 = 60;

/// Trims for ever. Cancel it to stop.
pub async fn keep_room(bus: Bus, store: Arc<dyn Store>, metrics: Metrics) {
    let mut trimmed_to = 0;
    loop {
        tokio::time::sleep(INTERVAL).await;
        if let Err(error) = keep_tx(&bus, &*store, &metrics, &mut trimmed_to).await {
            tracing::warn!(error, "TX could not be trimmed, trying again");
        }
        if let Err(error) = keep_ledger(&bus, &*store).await {
            tracing::warn!(error, "LEDGER could not be trimmed, trying again");
        }
    }
}

async fn keep_tx(bus: &Bus, store: &dyn Store, metrics: &Metrics, trimmed_to: &mut u64) -> Result<(), String> {
    let state = bus.state_of(subjects::TX).await.map_err(|error| with_causes(&error))?;
    // The stored position, not one in memory: what goes must be sealed for whoever starts next.
    let position = store.position(&Partitions::all()).await.map_err(|error| with_causes(&error))?.min(state.last_seq);
    if state.bytes < TX_BYTES_KEPT.min(state.bytes_max.max(0) as u64 / 4) || position <= *trimmed_to {
        return Ok(());
    }
    let trimmed = bus.trim(subjects::TX, position).await.map_err(|error| with_causes(&error))?;
    *trimmed_to = position;
    metrics.trimmed(trimmed.messages);
    Ok(())
}

async fn keep_ledger(bus: &Bus, store: &dyn Store) -> Result<(), String> {
    let state = bus.state_of(subjects::LEDGER).await.map_err(|error| with_causes(&error))?;
    let max = state.bytes_max.max(0) as u64;
    if max == 0 || state.bytes < max / 100 * LEDGER_FULL_PERCENT {
        return Ok(());
    }
    // Messages differ in size, but over many of them the share of messages is the share of bytes.
    let surplus = state.bytes - max / 100 * LEDGER_KEPT_PERCENT;
    let messages = u128::from(state.messages) * u128::from(surplus) / u128::from(state.bytes.max(1));
    let mut up_to = state.first_seq + messages as u64;
    if let Some(floor) = bus.durable_floor(subjects::LEDGER).await.map_err(|error| with_causes(&error))? {
        // A reader that asked to be waited for is waited for, even when LEDGER stands full: blocks are in the store.
        up_to = up_to.min(floor);
    }
    if up_to > state.first_seq && store.announced().await.map_err(|error| with_causes(&error))? > 0 {
        bus.trim(subjects::LEDGER, up_to).await.map_err(|error| with_causes(&error))?;
    }
    Ok(())
}
