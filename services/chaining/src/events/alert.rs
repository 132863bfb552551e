//! What a person must look at, told on `ALERTS`.

use bus::{Bus, Headers};
use bytes::Bytes;
use contracts::events::{
    CE_CHAIN_STOPPED, CE_DAMAGED_FRAME, CE_LOG_FROZEN, CE_STORE_DAMAGED, CHAIN_STOPPED, ChainStopped, DAMAGED_FRAME,
    DamagedFrame, LOG_FROZEN, LogFrozen, STORE_DAMAGED, StoreDamaged,
};
use contracts::{OperatorId, subjects};
use serde::Serialize;

use crate::actors::chain::Stop;
use crate::actors::log::steps::Frozen;
use crate::actors::now;
use crate::error::with_causes;
use crate::fsck::Finding;

/// Tells that an operator's chain stopped.
pub(super) async fn chain_stopped(bus: &Bus, operator: OperatorId, stop: &Stop) {
    let at = now();
    let reason = with_causes(stop);
    match stop {
        Stop::Damaged { stream, tx_seq, .. } => {
            let event = DamagedFrame { operator, stream: *stream, tx_seq: *tx_seq, reason, at };
            let id = format!("{DAMAGED_FRAME}-{operator}-{tx_seq}");
            publish(bus, &subjects::alert(DAMAGED_FRAME, operator), CE_DAMAGED_FRAME, &id, &event).await;
        }
        Stop::Missing { .. } | Stop::RolledBack { .. } | Stop::Panicked(_) => {
            let event = ChainStopped { operator, reason, at };
            let id = format!("{CHAIN_STOPPED}-{operator}-{}", at.0);
            publish(bus, &subjects::alert(CHAIN_STOPPED, operator), CE_CHAIN_STOPPED, &id, &event).await;
        }
    }
}

/// Tells that the log is frozen.
pub async fn log_frozen(bus: &Bus, origin: &str, size: u64, why: &Frozen) {
    let at = now();
    let event = LogFrozen { origin: origin.to_owned(), size, reason: with_causes(why), at };
    let id = format!("{LOG_FROZEN}-{size}-{}", at.0);
    // No operator is concerned more than another.
    publish(bus, &format!("alerts.{LOG_FROZEN}.log"), CE_LOG_FROZEN, &id, &event).await;
}

/// Tells that something stored is damaged.
pub async fn store_damaged(bus: &Bus, finding: &Finding) {
    let at = now();
    let event = StoreDamaged { operator: finding.operator, reason: finding.to_string(), at };
    let id = format!("{STORE_DAMAGED}-{}", at.0);
    let whose = finding.operator.map_or_else(|| "store".to_owned(), |operator| operator.to_string());
    publish(bus, &format!("alerts.{STORE_DAMAGED}.{whose}"), CE_STORE_DAMAGED, &id, &event).await;
}

async fn publish(bus: &Bus, subject: &str, kind: &str, id: &str, event: &impl Serialize) {
    let Ok(payload) = serde_json::to_vec(event) else { return };
    // It is logged and counted where it was noticed; the alert is told again after a restart, while the cause lasts.
    if let Err(error) = bus.publish(subject, Headers::event(kind, id), Bytes::from(payload)).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "the alert {id} could not be published");
    }
}
