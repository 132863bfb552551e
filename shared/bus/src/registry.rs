//! Reads `REGISTRY`: how operators stand, and how far licensing has told, from the first message on and for ever.

use std::time::Duration;

use contracts::registry::Told;
use contracts::subjects;

use crate::connect::Bus;
use crate::feed::Delivery;

/// Pause before a stream that could not be read is read anew.
const RETRY: Duration = Duration::from_secs(1);

impl Bus {
    /// Gives all that `REGISTRY` tells to `take`, for as long as it is polled; [`Told::Read`] once what was there at the beginning has been
    /// given. Safe to cancel. When the stream can't be read it is read anew, so what was told may be told again.
    pub async fn follow_registry(self, take: impl Fn(Told)) {
        let mut feed = self.consume(subjects::REGISTRY, &[], 1);
        let mut end = self.end_of_registry().await;
        if end == 0 {
            take(Told::Read);
        }
        loop {
            match feed.next().await {
                Ok(delivery) => {
                    if let Some(told) = read(&delivery) {
                        take(told);
                    }
                    // What was written since begins after the end: it replaces what it is about, and is not waited for.
                    if delivery.seq >= end || delivery.pending == 0 {
                        take(Told::Read);
                    }
                    delivery.ack().await;
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot follow REGISTRY; reading it anew");
                    tokio::time::sleep(RETRY).await;
                    end = self.end_of_registry().await;
                    feed.rewind(1);
                }
            }
        }
    }

    /// The place of the last message; 0 when there is none.
    async fn end_of_registry(&self) -> u64 {
        loop {
            match self.state_of(subjects::REGISTRY).await {
                Ok(state) => return if state.messages == 0 { 0 } else { state.last_seq },
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot look at REGISTRY");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

fn read(delivery: &Delivery) -> Option<Told> {
    let read = if delivery.subject == subjects::REGISTRY_BEAT {
        serde_json::from_slice(&delivery.payload).map(Told::Beat)
    } else {
        serde_json::from_slice(&delivery.payload).map(Told::Operator)
    };
    // Of a later version of licensing, or damaged: what was known before stays.
    let (seq, subject) = (delivery.seq, &delivery.subject);
    read.inspect_err(|error| tracing::error!(%error, seq, subject, "a message of REGISTRY can't be read")).ok()
}
