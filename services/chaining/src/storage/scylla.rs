//! The store on a CQL server. Each verb has one statement that commits it: an insert `IF NOT EXISTS` for a block and for a segment
//! of the log, an update `IF size <` for a checkpoint. All that a reader follows from there was written before.
//!
//! What a writer that lost a race, or died, leaves behind is never reached: its frames name a hash that the chain does not have, its
//! places a log entry that is another's. Statements and schema: `schema/*.cql`, `scylla/*.rs`.

mod chains;
mod log;
mod places;
mod positions;

use async_trait::async_trait;
use bytes::Bytes;
use contracts::{Hash, Height, OperatorId, Seq, StreamNo};
use ledger::TileId;
use store::StoreError;
use store::cql::{Cql, Migration, Settings};

use super::{Appended, LogEntry, Published, Sequenced, StorageError, Store, StoredBlock, StoredCheckpoint};
use crate::domain::chain::{Head, NewBlock};
use crate::domain::partitions::Partitions;
use chains::Chains;
use log::LogTables;
use positions::Positions;

/// The numbered schema files, in order.
pub(super) const SCHEMA: &[Migration] =
    &[Migration { name: "0001_chains_and_log", text: include_str!("../../schema/0001_chains_and_log.cql") }];

/// Chaining's store in a keyspace of a CQL server.
#[derive(Clone)]
pub struct ScyllaStore {
    cql: Cql,
    chains: Chains,
    log: LogTables,
    positions: Positions,
}

impl ScyllaStore {
    /// Connects, and prepares every statement.
    ///
    /// # Errors
    /// [`StorageError::Engine`]: no server, no schema, or another one.
    pub async fn open(settings: &Settings) -> Result<Self, StorageError> {
        Self::connect(settings).await.map_err(|source| StorageError::Engine { what: "opening".into(), source })
    }

    async fn connect(settings: &Settings) -> Result<Self, StoreError> {
        let cql = Cql::open(settings, "chaining", SCHEMA).await?;
        Ok(Self {
            chains: Chains::prepare(cql.clone()).await?,
            log: LogTables::prepare(cql.clone()).await?,
            positions: Positions::prepare(cql.clone()).await?,
            cql,
        })
    }
}

/// A number as a column: all of ours are far below 2^63.
fn column(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A column as a number.
fn number(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::Damaged("a negative number"))
}

fn hash(column: Vec<u8>) -> Result<Hash, StoreError> {
    column.try_into().map(Hash).map_err(|_| StoreError::Damaged("a hash of another length"))
}

fn operator(id: uuid::Uuid) -> Result<OperatorId, StoreError> {
    OperatorId::new(id).ok_or(StoreError::Damaged("an operator's id"))
}

fn failed(what: impl FnOnce() -> String) -> impl FnOnce(StoreError) -> StorageError {
    move |source| match source {
        StoreError::Damaged(part) => StorageError::Damaged { what: format!("{part} of {}", what()) },
        source => StorageError::Engine { what: what(), source },
    }
}

#[async_trait]
impl Store for ScyllaStore {
    async fn operators(&self, after: Option<OperatorId>, limit: usize) -> Result<Vec<OperatorId>, StorageError> {
        self.chains.operators(after, limit).await.map_err(failed(|| "the list of operators".into()))
    }

    async fn head(&self, operator: OperatorId) -> Result<Head, StorageError> {
        self.chains.head(operator).await.map_err(failed(|| format!("the head of {operator}")))
    }

    async fn append_block_if_head_is(&self, block: NewBlock) -> Result<Appended, StorageError> {
        let (operator, height) = (block.header.operator, block.header.height);
        self.chains.append(&block).await.map_err(failed(|| format!("block {height} of {operator}")))
    }

    async fn block(&self, operator: OperatorId, height: Height) -> Result<Option<StoredBlock>, StorageError> {
        self.chains.block(operator, height).await.map_err(failed(|| format!("block {height} of {operator}")))
    }

    async fn headers(&self, operator: OperatorId, from: Height, limit: usize) -> Result<Vec<Bytes>, StorageError> {
        let found = self.chains.headers(operator, from, limit).await;
        found.map_err(failed(|| format!("headers of {operator} from {from}")))
    }

    async fn height_holding(
        &self,
        operator: OperatorId,
        stream: StreamNo,
        seq: Seq,
    ) -> Result<Option<Height>, StorageError> {
        let found = self.chains.height_holding(operator, stream, seq).await;
        found.map_err(failed(|| format!("the block of {operator} that holds stream {stream} seq {seq}")))
    }

    async fn log_size(&self) -> Result<u64, StorageError> {
        self.log.size().await.map_err(failed(|| "the size of the log".into()))
    }

    async fn sequence(&self, expected_size: u64, entries: Vec<LogEntry>) -> Result<Sequenced, StorageError> {
        let done = self.log.sequence(expected_size, &entries).await;
        done.map_err(failed(|| format!("log entries from {expected_size}")))
    }

    async fn entries(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, StorageError> {
        self.log.entries(from, limit).await.map_err(failed(|| format!("log entries from {from}")))
    }

    async fn index_of(&self, operator: OperatorId, height: Height) -> Result<Option<u64>, StorageError> {
        let found = self.log.index_of(operator, height).await;
        found.map_err(failed(|| format!("the log index of block {height} of {operator}")))
    }

    async fn logged(&self, operator: OperatorId) -> Result<Height, StorageError> {
        let what = || format!("the logged height of {operator}");
        if let Some(logged) = self.log.own_logged(operator).await.map_err(failed(what))? {
            return Ok(logged);
        }
        // Nothing beyond the head is logged: the search begins there.
        let head = self.chains.reached(operator).await.map_err(failed(what))?;
        self.log.logged(operator, head).await.map_err(failed(what))
    }

    async fn put_tiles(&self, tiles: Vec<(TileId, Vec<u8>)>) -> Result<(), StorageError> {
        self.log.put_tiles(tiles).await.map_err(failed(|| "log tiles".into()))
    }

    async fn tile(&self, level: u8, index: u64) -> Result<Option<Bytes>, StorageError> {
        self.log.tile(level, index).await.map_err(failed(|| format!("tile {level}/{index}")))
    }

    async fn publish_checkpoint(&self, checkpoint: StoredCheckpoint) -> Result<Published, StorageError> {
        let size = checkpoint.size;
        self.log.publish(&checkpoint).await.map_err(failed(|| format!("the checkpoint at {size}")))
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StorageError> {
        self.log.checkpoint().await.map_err(failed(|| "the checkpoint".into()))
    }

    async fn announced(&self) -> Result<u64, StorageError> {
        self.log.announced().await.map_err(failed(|| "the number of announced entries".into()))
    }

    async fn advance_announced(&self, announced: u64) -> Result<(), StorageError> {
        let done = self.log.advance_announced(announced).await;
        done.map_err(failed(|| "the number of announced entries".into()))
    }

    async fn position(&self, partitions: &Partitions) -> Result<u64, StorageError> {
        self.positions.get(partitions).await.map_err(failed(|| "the position".into()))
    }

    async fn put_position(&self, partitions: &Partitions, position: u64) -> Result<(), StorageError> {
        self.positions.put(partitions, position).await.map_err(failed(|| "the position".into()))
    }

    fn well(&self) -> Result<(), String> {
        self.cql.reachable()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::*;
    use crate::storage::conformance;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn conforms() {
        let Some(keyspace) = testkit::CqlKeyspace::new() else { return };
        drop(ScyllaStore::open(&keyspace).await.expect("opens"));
        conformance::all(async || {
            keyspace.empty().await;
            // Opened anew: a store remembers what it wrote last.
            Arc::new(ScyllaStore::open(&keyspace).await.expect("opens")) as Arc<dyn Store>
        })
        .await;
    }

    /// Two processes that both believe to write the log, in turn: neither goes on from what it remembers of before the other wrote.
    #[tokio::test]
    async fn what_another_writer_put_into_the_log_is_not_forgotten() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let open = async || ScyllaStore::open(&settings).await.expect("opens");
        let (one, other) = (open().await, open().await);
        let entry = |n, height| LogEntry {
            operator: conformance::operator(n),
            height: Height(height),
            header: format!("{n} {height}").into(),
        };
        for (store, size, n, height) in [(&one, 0, 1, 1), (&other, 1, 1, 2), (&one, 2, 2, 1)] {
            let done = store.sequence(size, vec![entry(n, height)]).await.expect("writes");
            assert_eq!(done, Sequenced::Sequenced);
        }
        assert_eq!(one.logged(conformance::operator(1)).await.expect("reads"), Height(2));
        let twice = one.sequence(3, vec![entry(1, 2)]).await;
        assert!(twice.is_err(), "a second place for one header: {twice:?}");
        assert_eq!(one.log_size().await.expect("reads"), 3);
    }

    /// `compression = {}` is none on both kinds of server; each shows it in its own way.
    #[tokio::test]
    async fn frames_are_not_compressed_again() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let cql = ScyllaStore::open(&settings).await.expect("opens").cql;
        let find = "SELECT compression FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'frames'";
        let find = cql.read(find).await.expect("prepares");
        let row: Option<(Option<HashMap<String, String>>,)> =
            cql.row(&find, (&settings.keyspace,)).await.expect("reads");
        let (compression,) = row.expect("a table");
        let compression = compression.unwrap_or_default();
        let is_off = compression.is_empty() || compression.get("enabled").is_some_and(|enabled| enabled == "false");
        assert!(is_off, "{compression:?}");
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_reopening() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let open = async || Arc::new(ScyllaStore::open(&settings).await.expect("opens")) as Arc<dyn Store>;
        conformance::reopened(open).await;
    }
}
