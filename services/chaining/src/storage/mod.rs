//! What chaining keeps for ever, as verbs of its own words.
//!
//! # Layout
//!
//! Of the embedded engine; on a CQL server there is no table of ranges, for blocks hold how far each stream is sealed, and frames,
//! segments of the log and the rest are as `schema/*.cql` says.
//!
//! | what | key | value |
//! | --- | --- | --- |
//! | heads | operator | height, hash, total, sealing time; the last seq of each stream |
//! | blocks | operator, height | number of frames, header |
//! | frames | operator, height, number | the frame as accepted, byte for byte |
//! | ranges | operator, stream, last seq | height, first seq: which block holds a seq |
//! | log entries | index | operator, height, header |
//! | log places | operator, height | index |
//! | logged | operator | height of its last entry in the log |
//! | log tiles | level, index | the hashes the tile holds so far |
//! | positions | partition | how far it is sealed |
//! | state | a name | log size, checkpoint, announced |
//!
//! A tile and an entry bundle that is not yet full is a prefix of what it will be, so only the newest form of a tile is kept, and a
//! bundle is read from the entries: every width ever served can be cut from them.
//!
//! # Write order, and what a crash leaves behind
//!
//! 1. `append_block_if_head_is`: block, frames, ranges and head together. *After a crash*: the block is there or it is not. Its
//!    messages stay in `TX` until a later trim, so what is not there is sealed anew, perhaps cut otherwise; nobody saw it.
//! 2. `sequence`: gives blocks their place in the log, for ever. *After a crash*: entries beyond the checkpoint. They are
//!    integrated at the next start in this very order; a checkpoint never covers an order that was not durable before.
//! 3. `put_tiles`: hashes derived from the entries alone. *After a crash*: tiles ahead of the checkpoint; written again, the same.
//! 4. `publish_checkpoint`: only forward, after 2 and 3. *After a crash*: the newest durable one is served; the root that its
//!    tiles give is compared with it before anything more is signed.
//! 5. `advance_announced`: after `LEDGER` has the blocks. *After a crash*: some blocks are announced again, under the same
//!    message id.
//! 6. `put_position`: after all messages up to it are in blocks. *After a crash*: messages are read again and recognised.
//!
//! Each verb is atomic in itself, may be repeated, and touches one partition in the sense of a wide-column store, but for the
//! rows of 1 that are written under a height nobody reads before the head names it.

mod embedded;
mod scylla;

#[cfg(test)]
pub(crate) mod conformance;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use contracts::{Hash, Height, OperatorId, Seq, StreamNo};
use ledger::TileId;
use store::cql::{Cql, EngineKind, Settings, StoreConfig};

use crate::domain::chain::{Head, NewBlock};
use crate::domain::partitions::Partitions;

pub use embedded::EmbeddedStore;
use scylla::SCHEMA;
pub use scylla::ScyllaStore;

/// Opens the store on the engine that is configured.
///
/// # Errors
/// [`StorageError::Engine`]
pub async fn open(settings: &Settings, data_dir: Option<&Path>) -> Result<Arc<dyn Store>, StorageError> {
    Ok(match (settings.engine, data_dir) {
        (EngineKind::Scylla, _) => Arc::new(ScyllaStore::open(settings).await?),
        (EngineKind::Embedded, Some(dir)) => Arc::new(EmbeddedStore::open(dir)?),
        (EngineKind::Embedded, None) => {
            return Err(StorageError::Engine { what: "opening".into(), source: store::StoreError::NoDirectory });
        }
    })
}

/// Brings the schema up to date.
///
/// # Errors
/// [`StorageError`]
pub async fn migrate(config: StoreConfig) -> Result<(), StorageError> {
    let done = Cql::migrate(&config.store, "chaining", SCHEMA).await;
    done.map_err(|source| StorageError::Engine { what: "bringing the schema up to date".into(), source })
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The engine failed; a write may or may not be durable.
    #[error("the store failed at {what}")]
    Engine {
        /// What was read or written.
        what: String,
        /// What the engine says.
        #[source]
        source: store::StoreError,
    },
    /// What was read is not what this program writes.
    #[error("{what} is damaged in the store")]
    Damaged {
        /// Where it lies, in words a person can follow.
        what: String,
    },
}

impl StorageError {
    /// Whether the store was only away, so that what was asked says nothing about what is stored.
    pub fn is_passing(&self) -> bool {
        let Self::Engine { source, .. } = self else { return false };
        matches!(source, store::StoreError::Cql(_) | store::StoreError::Gone)
    }
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The block is the new head.
    Appended,
    /// This very block is the head already.
    AlreadyThere,
    /// Another block is the head: nothing was written.
    HeadMoved,
}

/// What became of an order to give entries their place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequenced {
    /// The entries follow what was there.
    Sequenced,
    /// The log has another size than expected: nothing was written.
    SizeMoved {
        /// The size it has.
        size: u64,
    },
}

/// What became of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is the newest.
    Published,
    /// One of this size or larger is there: nothing was written.
    NotNewer {
        /// Size of the one that is there.
        size: u64,
    },
}

/// A stored block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// The header's bytes.
    pub header: Bytes,
    /// The frames under it, in order.
    pub frames: Vec<Bytes>,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Whose block it is.
    pub operator: OperatorId,
    /// Its height.
    pub height: Height,
    /// The entry itself: the header's bytes.
    pub header: Bytes,
}

/// A signed checkpoint as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Number of entries it covers.
    pub size: u64,
    /// The root it signs.
    pub root: Hash,
    /// The signed note, verbatim.
    pub note: Bytes,
}

/// What chaining keeps. Every verb MUST be atomic and durable when it returns, and MAY be repeated.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Operators with a chain, ascending, after `after`, at most `limit`.
    async fn operators(&self, after: Option<OperatorId>, limit: usize) -> Result<Vec<OperatorId>, StorageError>;

    /// Where an operator's chain ends; [`Head::start`] when it has none.
    async fn head(&self, operator: OperatorId) -> Result<Head, StorageError>;

    /// Appends a block when the chain ends at `block.header.previous`. MUST leave exactly one winner of two that try the same
    /// height. MUST NOT write anything when the head is another.
    async fn append_block_if_head_is(&self, block: NewBlock) -> Result<Appended, StorageError>;

    /// A block with its frames.
    async fn block(&self, operator: OperatorId, height: Height) -> Result<Option<StoredBlock>, StorageError>;

    /// Headers from a height on, ascending, at most `limit`, without holes.
    async fn headers(&self, operator: OperatorId, from: Height, limit: usize) -> Result<Vec<Bytes>, StorageError>;

    /// The height of the block that holds a record.
    async fn height_holding(
        &self,
        operator: OperatorId,
        stream: StreamNo,
        seq: Seq,
    ) -> Result<Option<Height>, StorageError>;

    /// Number of entries that have their place in the log; at least the size of the checkpoint.
    async fn log_size(&self) -> Result<u64, StorageError>;

    /// Gives entries the places from `expected_size` on. MUST NOT write anything when the size is another.
    async fn sequence(&self, expected_size: u64, entries: Vec<LogEntry>) -> Result<Sequenced, StorageError>;

    /// Entries from an index on, ascending, at most `limit`, without holes.
    async fn entries(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, StorageError>;

    /// The place of a block's header in the log.
    async fn index_of(&self, operator: OperatorId, height: Height) -> Result<Option<u64>, StorageError>;

    /// Height of an operator's last entry in the log; 0 for none.
    async fn logged(&self, operator: OperatorId) -> Result<Height, StorageError>;

    /// Stores tiles as they have grown. MUST NOT replace a tile by one with fewer hashes: two writers of the log derive the same
    /// tiles, but one may be late.
    async fn put_tiles(&self, tiles: Vec<(TileId, Vec<u8>)>) -> Result<(), StorageError>;

    /// The hashes a tile holds so far, end to end: at least those of every checkpoint, perhaps more.
    async fn tile(&self, level: u8, index: u64) -> Result<Option<Bytes>, StorageError>;

    /// Makes a checkpoint the newest. MUST NOT replace one of the same or a larger size.
    async fn publish_checkpoint(&self, checkpoint: StoredCheckpoint) -> Result<Published, StorageError>;

    /// The newest checkpoint.
    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StorageError>;

    /// Number of log entries that are announced on `LEDGER`.
    async fn announced(&self) -> Result<u64, StorageError>;

    /// Moves that number forward; a smaller one changes nothing.
    async fn advance_announced(&self, announced: u64) -> Result<(), StorageError>;

    /// Everything of these partitions in `TX` up to this sequence is in blocks: the lowest of theirs, 0 while one has none.
    async fn position(&self, partitions: &Partitions) -> Result<u64, StorageError>;

    /// Notes how far these partitions of `TX` are sealed; back as well as forward, for `TX` may have been made anew. The caller
    /// answers for everything up to it being in blocks.
    async fn put_position(&self, partitions: &Partitions, position: u64) -> Result<(), StorageError>;

    /// Whether the engine can be written to as far as is known; if not, why, and what to do.
    ///
    /// # Errors
    /// The reason.
    fn well(&self) -> Result<(), String>;
}
