//! Keeps room in the streams: `TX` is trimmed to what is not sealed, `LEDGER` to the size it may have.
//!
//! One frame that must not be sealed, or one process that is away, holds the position of everybody. Then each process trims the
//! subjects of its own partitions one by one, but for those of the operators whose frames are held: what one operator's chain waits for
//! takes no room from the others.

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use contracts::subjects;
use tokio::sync::watch;

use crate::domain::partitions::Partitions;
use crate::domain::places::Worked;
use crate::error::with_causes;
use crate::metrics::Metrics;
use crate::storage::Store;

/// How often the streams are looked at.
const INTERVAL: Duration = Duration::from_secs(2);
/// `TX` below this size is left alone: trimming costs the server syncs, and its newest messages serve ingest after a restart.
const TX_BYTES_KEPT: u64 = 32 * 1024 * 1024;
/// `TX` below this share of its size is not trimmed subject by subject.
const TX_SHARE_KEPT: u64 = 4;
/// Share of its size at which `LEDGER` is trimmed, and to which, in percent. Between the two it is left alone.
const LEDGER_FULL_PERCENT: u64 = 80;
const LEDGER_KEPT_PERCENT: u64 = 60;

/// Trims for ever, in the process that writes the log. Cancel it to stop.
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

/// Trims the subjects of some partitions for ever, while the position stands still although there is more that is worked off. Cancel it
/// to stop.
pub async fn keep_own(
    bus: Bus,
    store: Arc<dyn Store>,
    partitions: Partitions,
    worked: watch::Receiver<Worked>,
    metrics: Metrics,
) {
    // As of the last look: since then the position had the time to get there.
    let mut before = worked.borrow().clone();
    loop {
        tokio::time::sleep(INTERVAL).await;
        if let Err(error) = keep_subjects(&bus, &*store, &partitions, &before, &metrics).await {
            tracing::warn!(error, "the subjects of TX could not be trimmed one by one, trying again");
        }
        before = worked.borrow().clone();
    }
}

async fn keep_subjects(
    bus: &Bus,
    store: &dyn Store,
    partitions: &Partitions,
    worked: &Worked,
    metrics: &Metrics,
) -> Result<(), String> {
    let position = store.position(&Partitions::all()).await.map_err(|error| with_causes(&error))?;
    if position >= worked.sealed {
        return Ok(());
    }
    let state = bus.state_of(subjects::TX).await.map_err(|error| with_causes(&error))?;
    // Worked off of another TX than this one: the feed notices, too.
    if state.last_seq < worked.sealed || state.bytes < state.bytes_max.max(0) as u64 / TX_SHARE_KEPT {
        return Ok(());
    }
    let own = |subject: &str| {
        subjects::parse_tx(subject)
            .is_some_and(|(operator, _)| partitions.hold(operator) && !worked.held.contains(&operator))
    };
    let trimmed = bus.trim_each(subjects::TX, worked.sealed, own).await.map_err(|error| with_causes(&error))?;
    metrics.trimmed(trimmed.messages);
    Ok(())
}

async fn keep_tx(bus: &Bus, store: &dyn Store, metrics: &Metrics, trimmed_to: &mut u64) -> Result<(), String> {
    // The stored position, not one in memory: what goes must be sealed for whoever starts next. And before the state is read, so that
    // it never lies beyond the end of the TX it is of.
    let position = store.position(&Partitions::all()).await.map_err(|error| with_causes(&error))?;
    let state = bus.state_of(subjects::TX).await.map_err(|error| with_causes(&error))?;
    if position > state.last_seq {
        // TX was made anew: nothing in it is known to be sealed until it has been read from its first message.
        *trimmed_to = 0;
        return Ok(());
    }
    // A position that went back is one of a TX that was made anew.
    *trimmed_to = position.min(*trimmed_to);
    if state.bytes < TX_BYTES_KEPT.min(state.bytes_max.max(0) as u64 / 4) || position == *trimmed_to {
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
