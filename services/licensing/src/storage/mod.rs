//! What licensing keeps: the histories of its entities, the names they have claimed, and the assertions it has let in.
//!
//! **Layout.** One row a change, by entity and version; its bytes are the evidence and are never written anew. One row a claimed
//! name. One row an assertion, until it has expired.
//!
//! **Write order.** Claims first, then the change, and only then the answer and the event on `REGISTRY`. A token is signed after its
//! assertion is in.
//!
//! **What a crash leaves.** A claim without the change that needs it: it names its holder, so the same request, repeated, finds it its
//! own. A change whose answer was lost: the repeated request is told that the entity has gone on (412) and shown where it is. A
//! change that is not on `REGISTRY` yet: it is told within seconds, by any process, or at the next start. An assertion that is in and got no token: the client makes a
//! new one.

#[cfg(test)]
pub mod conformance;
mod embedded;
mod scylla;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::UnixMillis;
use store::cql::{Cql, EngineKind, Settings, StoreConfig};

use crate::domain::history::{Change, EntityId, Kind};

pub use embedded::EmbeddedStore;
use scylla::SCHEMA;
pub use scylla::ScyllaStore;

/// Brings the schema up to date.
///
/// # Errors
/// [`StoreError`]
pub async fn migrate(config: StoreConfig) -> Result<(), StoreError> {
    Cql::migrate(&config.store, "licensing", SCHEMA).await.map_err(StoreError)
}

/// Opens the store on the engine that is configured.
///
/// # Errors
/// [`StoreError`]
pub async fn open(settings: &Settings, data_dir: Option<&Path>) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match (settings.engine, data_dir) {
        (EngineKind::Scylla, _) => Arc::new(ScyllaStore::open(settings).await?),
        (EngineKind::Embedded, Some(dir)) => Arc::new(EmbeddedStore::open(dir)?),
        (EngineKind::Embedded, None) => return Err(StoreError(store::StoreError::NoDirectory)),
    })
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is the entity's next change, durable.
    Done,
    /// Another change has its place: nothing was written.
    Overtaken,
}

/// A name that one entity alone may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// What is named: `edrpou`, `licence`, `key`. A domain is not: it may go from one operator to another, and a claim is for ever.
    pub scope: Cow<'static, str>,
    /// The name.
    pub name: String,
}

/// An assertion that may be used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Admission {
    /// SHA-256 that names client and `jti`.
    pub digest: [u8; 32],
    /// When it can no longer be used, and need no longer be known.
    pub expires: UnixMillis,
}

/// Why the store could not do what it was asked. Of a write it is then not known whether it is durable.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the register can't be read or written")]
pub struct StoreError(#[source] pub store::StoreError);

/// The register.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Appends a change: MUST be durable when it is [`Appended::Done`], MUST write nothing when a change of that version is there, MUST
    /// NOT leave a hole. The same bytes again are [`Appended::Done`].
    async fn append(&self, entity: EntityId, change: &Change) -> Result<Appended, StoreError>;

    /// Changes of an entity after a version, in order, at most `limit`.
    async fn changes(&self, entity: EntityId, after: u64, limit: usize) -> Result<Vec<Change>, StoreError>;

    /// Every entity of a kind that has a change, ascending by id. May name one whose first change is not there.
    async fn entities(&self, kind: Kind) -> Result<Vec<EntityId>, StoreError>;

    /// Of these entities, those that have changes after the version beside them. MUST see every change that was [`Appended::Done`], on any
    /// process, before the call.
    async fn grown(&self, known: &BTreeMap<EntityId, u64>) -> Result<Vec<EntityId>, StoreError>;

    /// Claims a name for an entity unless another has it. Gives its holder, for ever the same.
    async fn claim(&self, claim: &Claim, holder: EntityId) -> Result<EntityId, StoreError>;

    /// Lets assertions in, each once: true where it was not let in before, by this call or any. MUST be durable. Of two that are the
    /// same in one call the first is let in. `now` says which need no longer be known.
    async fn admit(&self, assertions: &[Admission], now: UnixMillis) -> Result<Vec<bool>, StoreError>;

    /// Why the store can't be reached now, if so; quick, for readiness.
    ///
    /// # Errors
    /// Says why.
    fn reachable(&self) -> Result<(), String>;
}
