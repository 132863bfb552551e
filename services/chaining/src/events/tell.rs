//! What processes of chaining tell each other: a block was sealed, so the log's writer need not look for it.

use std::time::Duration;

use actix::prelude::*;
use async_trait::async_trait;
use bus::{Answering, Bus};
use bytes::Bytes;
use contracts::ask::SealedNotice;
use contracts::subjects;

use crate::actors::chain::BlockSealed;
use crate::actors::follower::Herald;

/// How long the writer's word is waited for. It is not needed: the writer looks for itself from time to time.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Tells the writer over core NATS.
pub struct BusHerald {
    /// The bus.
    pub bus: Bus,
}

#[async_trait]
impl Herald for BusHerald {
    async fn sealed(&self, block: BlockSealed) {
        let notice = SealedNotice { operator: block.operator, height: block.height, accepted_at: block.accepted_at };
        let Ok(text) = serde_json::to_vec(&notice) else { return };
        if let Err(error) = self.bus.ask(subjects::TELL_SEALED, text.into(), TIMEOUT).await {
            tracing::debug!(%error, "the log's writer was not told of a block");
        }
    }
}

/// Passes on to the log what others seal, until dropped.
pub fn hear_sealed(bus: &Bus, log: Recipient<BlockSealed>) -> Answering {
    bus.answer(subjects::TELL_SEALED, move |notice| {
        let log = log.clone();
        async move {
            let notice: SealedNotice =
                serde_json::from_slice(&notice).map_err(|error| format!("not a notice: {error}"))?;
            let SealedNotice { operator, height, accepted_at } = notice;
            // A full mailbox loses nothing: the log looks for itself at what is sealed.
            drop(log.try_send(BlockSealed { operator, height, accepted_at }));
            Ok(Bytes::new())
        }
    })
}
