//! What ingest keeps of accepted batches: an index, never the truth.
//!
//! The truth of a stream is its frames: on `TX` until they are sealed and trimmed, in chaining's blocks for ever. The fence
//! that orders them is the last message of the stream's subject. The index only makes three questions cheap: is this the exact
//! retry of an accepted batch; which batch holds this seq; has the broker lost what was accepted.
//!
//! **Layout.** One row a frame: (operator, stream, first seq) to the frame's place on `TX` (a hint where to begin reading; the
//! message may have been trimmed since) and count, root and time accepted of each of its batches.
//!
//! **Write order.** JetStream's acknowledgement, then the 201, and beside it, in groups, the rows. Nobody waits for them.
//!
//! **What a crash leaves.** Rows of the last moments are missing, each of them of a batch whose frame is durable. A question the
//! index can't answer is asked of chaining and `TX`, and the rows found there are written then: the index repairs itself where
//! it is looked at. A wiped index is the extreme case of the same. Another replica's batches are learnt in the same way. Rows are never
//! wrong, only missing: they are written from acknowledged frames alone, and an accepted batch never changes.

#[cfg(test)]
pub mod conformance;
mod embedded;
mod scylla;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::Seq;
use contracts::frame::BatchMeta;
use store::cql::{Cql, EngineKind, Settings, StoreConfig};

use crate::domain::StreamKey;

pub use embedded::EmbeddedStore;
use scylla::SCHEMA;
pub use scylla::ScyllaStore;

/// Brings the schema up to date.
///
/// # Errors
/// [`StoreError`]
pub async fn migrate(config: StoreConfig) -> Result<(), StoreError> {
    Cql::migrate(&config.store, "ingest", SCHEMA).await.map_err(StoreError)
}

/// Opens the index on the engine that is configured.
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

/// The batches of one acknowledged frame. Frames never change, so whoever learns of one learns the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedFrame {
    /// The stream.
    pub key: StreamKey,
    /// Sequence on `TX` of the message that carries it; 0 when it is known from chaining only.
    pub tx_seq: u64,
    /// What was promised: consecutive batches, at least one.
    pub batches: Vec<BatchMeta>,
}

/// One accepted batch and where its frame was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownBatch {
    /// What was promised.
    pub meta: BatchMeta,
    /// As in [`AcceptedFrame`].
    pub tx_seq: u64,
}

/// Why the index could not do what it was asked. Nobody's answer may depend on it: the truth is asked instead.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the index of accepted batches failed")]
pub struct StoreError(#[source] pub store::StoreError);

/// The index of accepted batches.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Adds rows. MUST be durable when it returns `Ok`; MUST be repeatable: a row that is there already stays as it is, but for a
    /// `tx_seq` of 0, which MUST NOT replace a known one. Rows need not appear together.
    async fn remember(&self, frames: Vec<AcceptedFrame>) -> Result<(), StoreError>;

    /// The batch that holds `seq`, if its row is there. MUST NOT give a batch that does not hold it.
    async fn batch_holding(&self, key: StreamKey, seq: Seq) -> Result<Option<KnownBatch>, StoreError>;

    /// Whether there is no row at all: nothing was ever accepted as far as this process knows.
    async fn is_empty(&self) -> Result<bool, StoreError>;

    /// The last batch of the row with the largest first seq of a stream.
    async fn last_batch(&self, key: StreamKey) -> Result<Option<KnownBatch>, StoreError>;

    /// Whether rows can be written, as far as is known.
    ///
    /// # Errors
    /// The reason.
    fn well(&self) -> Result<(), String> {
        Ok(())
    }
}
