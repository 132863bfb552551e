//! The bus as licensing uses it: standings go to `REGISTRY`, and what another licensing process told there is followed.

use std::sync::Arc;

use async_trait::async_trait;
use bus::{Bus, Headers};
use contracts::events::CE_SPECVERSION;
use contracts::registry::{Beat, CE_BEAT, CE_OPERATOR, OperatorStanding, Told};
use contracts::subjects;

use crate::actors::Directory;
use crate::actors::teller::Board;
use crate::domain::operator::Operator;
use crate::storage::Store;

/// `REGISTRY`, over a connection whose streams are declared.
pub struct RegistryStream {
    bus: Bus,
}

impl RegistryStream {
    /// Over a connection.
    pub fn new(bus: Bus) -> Self {
        Self { bus }
    }
}

#[async_trait]
impl Board for RegistryStream {
    async fn tell(&self, standing: &OperatorStanding) -> Result<(), String> {
        let subject = subjects::registry_operator(standing.operator);
        let last = self.bus.last_of(subjects::REGISTRY, &subject).await.map_err(|error| error.to_string())?;
        let known = last.as_ref().and_then(|last| serde_json::from_slice::<OperatorStanding>(&last.payload).ok());
        if known.is_some_and(|known| known.version >= standing.version) {
            return Ok(());
        }
        let payload = serde_json::to_vec(standing).map_err(|error| error.to_string())?;
        let headers = headers(CE_OPERATOR, &format!("{}.{}", standing.operator, standing.version));
        // Fenced: a slower process can't put an older version over a newer one.
        let fence = last.map_or(0, |last| last.seq);
        let told = self.bus.publish_fenced(&subject, headers, fence, payload.into()).await;
        told.map(drop).map_err(|error| error.to_string())
    }

    async fn beat(&self, beat: Beat) -> Result<(), String> {
        let payload = serde_json::to_vec(&beat).map_err(|error| error.to_string())?;
        let headers = headers(CE_BEAT, &beat.at.to_string());
        let told = self.bus.publish(subjects::REGISTRY_BEAT, headers, payload.into()).await;
        told.map(drop).map_err(|error| error.to_string())
    }
}

fn headers(kind: &str, id: &str) -> Headers {
    let mut headers = Headers::new();
    headers.insert("ce-specversion", CE_SPECVERSION);
    headers.insert("ce-type", kind);
    headers.insert("ce-id", id);
    headers
}

/// Keeps the directory at what other licensing processes have decided, for as long as it is polled.
pub async fn follow(bus: Bus, store: Arc<dyn Store>, directory: Arc<Directory>) {
    let (told, mut standings) = tokio::sync::mpsc::unbounded_channel();
    // A standing says only that there is more in the register: what it is, is read from there.
    let listening = bus.follow_registry(move |event| {
        if let Told::Operator(standing) = event {
            drop(told.send(standing));
        }
    });
    let reading = async {
        while let Some(standing) = standings.recv().await {
            let known = directory.get(standing.operator);
            if known.as_ref().is_some_and(|known| known.head.version >= standing.version) {
                continue;
            }
            let before = known.map_or_else(|| Operator::unknown(standing.operator), |known| (*known).clone());
            match crate::actors::read_on(&*store, before).await {
                Ok(operator) => directory.put(Arc::new(operator)),
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the register"),
            }
        }
    };
    futures::join!(listening, reading);
}
