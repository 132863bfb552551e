//! The bus as licensing uses it: standings go to `REGISTRY`, and what another licensing process told there is followed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{Bus, Headers, PublishError};
use contracts::events::CE_SPECVERSION;
use contracts::registry::{Beat, CE_BEAT, CE_OPERATOR, OperatorStanding, Told};
use contracts::subjects;
use tokio::sync::{mpsc, oneshot};

use crate::actors::teller::{Board, Place, Tells};
use crate::actors::{Follower, LoadError};

/// Pause before the store is asked again.
const RETRY: Duration = Duration::from_secs(1);

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
    async fn tell(&self, standing: &OperatorStanding) -> Result<Tells, String> {
        let subject = subjects::registry_operator(standing.operator);
        let last = self.bus.last_of(subjects::REGISTRY, &subject).await.map_err(|error| error.to_string())?;
        let known = last.as_ref().and_then(|last| serde_json::from_slice::<OperatorStanding>(&last.payload).ok());
        // One of before heads were told is replaced by the same with its head.
        let later = |known: &OperatorStanding| {
            known.version > standing.version || (known.version == standing.version && known.head.is_some())
        };
        if let Some(known) = known.filter(later) {
            return Ok(Tells::There(Box::new(known)));
        }
        let payload = serde_json::to_vec(standing).map_err(|error| error.to_string())?;
        let headers = headers(CE_OPERATOR, &format!("{}.{}", standing.operator, standing.version));
        // Fenced: a slower process can't put an older version over a newer one.
        let fence = last.map_or(0, |last| last.seq);
        let told = self.bus.publish_fenced(&subject, headers, fence, payload.into()).await;
        told.map(|_| Tells::Done).map_err(|error| error.to_string())
    }

    async fn place(&self) -> Result<Place, String> {
        let state = self.bus.state_of(subjects::REGISTRY).await.map_err(|error| error.to_string())?;
        let beat = self.bus.last_of(subjects::REGISTRY, subjects::REGISTRY_BEAT).await;
        let beat = beat.map_err(|error| error.to_string())?.map_or(0, |beat| beat.seq);
        Ok(Place { last: state.last_seq, messages: state.messages, beat })
    }

    async fn beat(&self, beat: Beat, since: Place) -> Result<(), String> {
        let payload = serde_json::to_vec(&beat).map_err(|error| error.to_string())?;
        let headers = headers(CE_BEAT, &beat.at.to_string());
        match self.bus.publish_fenced(subjects::REGISTRY_BEAT, headers, since.beat, payload.into()).await {
            // Another process was faster, and said the same; or the stream is another one, which the next look notices.
            Ok(_) | Err(PublishError::Fence { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn headers(kind: &str, id: &str) -> Headers {
    let mut headers = Headers::new();
    headers.insert("ce-specversion", CE_SPECVERSION);
    headers.insert("ce-type", kind);
    headers.insert("ce-id", id);
    headers
}

/// Keeps what is shown at what other licensing processes have told, for as long as it is polled, and holds what was told against the store.
/// Says by `read` when that was done with all that `REGISTRY` held at the beginning.
pub async fn follow(bus: Bus, follower: Arc<Follower>, read: oneshot::Sender<()>) {
    let (told, heard) = mpsc::unbounded_channel();
    let listening = bus.follow_registry(move |event| drop(told.send(event)));
    futures::join!(listening, take(heard, follower, read));
}

async fn take(mut heard: mpsc::UnboundedReceiver<Told>, follower: Arc<Follower>, read: oneshot::Sender<()>) {
    let mut read = Some(read);
    // What could not be held against the store, because that is away.
    let mut behind: BTreeMap<contracts::OperatorId, OperatorStanding> = BTreeMap::new();
    loop {
        let event = tokio::select! {
            event = heard.recv() => event,
            () = tokio::time::sleep(RETRY), if !behind.is_empty() => {
                behind.pop_first().map(|(_, standing)| Told::Operator(standing))
            }
        };
        match event {
            None => return,
            Some(Told::Beat(_)) => {}
            Some(Told::Read) => drop(read.take().map(|read| read.send(()))),
            // A standing says only that there is more in the register: what it is, is read from there.
            Some(Told::Operator(standing)) => match follower.agrees(&standing).await {
                Ok(_) | Err(LoadError::Damaged { .. }) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the register, trying again");
                    behind.insert(standing.operator, standing);
                }
            },
        }
    }
}
