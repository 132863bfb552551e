//! `dsom-chaining transfer VKEY`: copies chains and log from the embedded store to a CQL server, and checks the copy.
//!
//! Goes on where it was stopped: what is there already is compared by its hash and left. The checkpoint comes last, so that a copy
//! that is not whole is not taken for the log: a service that starts on it finds that more was published, and freezes the log.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use contracts::block::BlockHeader;
use contracts::{Height, OperatorId};
use futures::{StreamExt, TryStreamExt};
use ledger::note::Verifier;
use ledger::{TileId, tiles_for_growth};
use runtime::tell;
use serde::Deserialize;
use serde_json::{Value, json};
use store::cql::Settings;

use crate::domain::chain::{Head, NewBlock};
use crate::domain::partitions::Partitions;
use crate::error::with_causes;
use crate::fsck::{Scope, fsck};
use crate::storage::{Appended, EmbeddedStore, Published, ScyllaStore, Sequenced, StorageError, Store};

/// Operators read at a time.
const OPERATORS_PAGE: usize = 256;
/// Chains copied side by side: a compare-and-set is mostly waiting.
const CHAINS_AT_A_TIME: usize = 8;
/// Entries of the log copied at a time.
const ENTRIES_AT_A_TIME: usize = 512;
/// Tiles copied at a time.
const TILES_AT_A_TIME: usize = 64;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// What of chaining's configuration this needs.
#[derive(Debug, Clone, Deserialize)]
pub struct TransferConfig {
    /// Where the embedded store lies.
    pub data_dir: PathBuf,
    /// Where the server is.
    pub store: Settings,
}

/// Why the copy is not whole. Run it again once the reason is gone.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A store failed.
    #[error("a store failed")]
    Storage(#[source] StorageError),
    /// The server holds something that is not from this store.
    #[error("the server holds {0}, which is not from this store: give another keyspace")]
    Foreign(String),
    /// A stored block can't be read.
    #[error("block {height} of {operator} is missing or damaged here: run `dsom fsck`")]
    Block {
        /// Whose.
        operator: OperatorId,
        /// Its height.
        height: Height,
    },
    /// The copy does not hold together.
    #[error("the copy is damaged: {0}")]
    Copy(String),
    /// The public key given.
    #[error("not a public key of a log: {0}")]
    Key(String),
}

impl From<StorageError> for TransferError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// What is copied, with what was there already.
#[derive(Debug, Default)]
pub struct Copied {
    chains: AtomicU64,
    blocks: AtomicU64,
    entries: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Copied {
    fn add(&self, counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            tell(&json!({"progress": self.words()}));
        }
    }

    fn words(&self) -> Value {
        let [chains, blocks, entries] =
            [&self.chains, &self.blocks, &self.entries].map(|counter| counter.load(Ordering::Relaxed));
        json!({"chains": chains, "blocks": blocks, "entries": entries})
    }
}

/// Runs it as a process of its own, on chaining's configuration. Ends with 0 when the copy is whole.
pub fn main(vkey: String) -> ExitCode {
    runtime::once("chaining", |config: TransferConfig| async move {
        let key = Verifier::parse(&vkey).map_err(|error| TransferError::Key(with_causes(&error)))?;
        let from = EmbeddedStore::open(&config.data_dir)?;
        let to = ScyllaStore::open(&config.store).await?;
        let copied = transfer(&from, &to, &key).await?;
        tell(&json!({"done": copied.words()}));
        Ok::<_, TransferError>(())
    })
}

/// Copies everything and checks all of it.
///
/// # Errors
/// [`TransferError`]
pub async fn transfer(from: &dyn Store, to: &dyn Store, key: &Verifier) -> Result<Copied, TransferError> {
    let copied = Copied::default();
    let mut after = None;
    loop {
        let operators = from.operators(after, OPERATORS_PAGE).await?;
        let Some(last) = operators.last().copied() else { break };
        after = Some(last);
        futures::stream::iter(operators)
            .map(|operator| chain(from, to, operator, &copied))
            .buffer_unordered(CHAINS_AT_A_TIME)
            .try_collect::<()>()
            .await?;
    }
    let size = from.log_size().await?;
    log(from, to, size, &copied).await?;
    to.advance_announced(from.announced().await?).await?;
    for ordinal in 0..contracts::subjects::PARTITIONS {
        // Of as many replicas as there are partitions each owns one.
        let Ok(one) = Partitions::of(ordinal, contracts::subjects::PARTITIONS) else { continue };
        to.put_position(&one, from.position(&one).await?).await?;
    }
    if let Some(checkpoint) = from.checkpoint().await? {
        let published = to.publish_checkpoint(checkpoint.clone()).await?;
        if matches!(published, Published::NotNewer { .. }) && to.checkpoint().await?.as_ref() != Some(&checkpoint) {
            return Err(TransferError::Foreign("another checkpoint".to_owned()));
        }
    }
    let report = fsck(to, key, Scope::Everything, &mut |progress| tell_sometimes(&copied, &json!(progress))).await;
    match report.first {
        Some(first) => Err(TransferError::Copy(first.to_string())),
        None => Ok(copied),
    }
}

async fn chain(from: &dyn Store, to: &dyn Store, operator: OperatorId, copied: &Copied) -> Result<(), TransferError> {
    let end = from.head(operator).await?;
    let mut head = to.head(operator).await?;
    if head.height.0 > 0 {
        let same = from.headers(operator, head.height, 1).await?;
        if same.first().map(|header| ledger::block_hash(header)) != Some(head.hash) {
            return Err(TransferError::Foreign(format!("another chain of {operator}")));
        }
        copied.add(&copied.blocks, head.height.0);
    }
    while head.height < end.height {
        let height = Height(head.height.0 + 1);
        let block = next(from, operator, height, &head).await?.ok_or(TransferError::Block { operator, height })?;
        let new = block.head.clone();
        if to.append_block_if_head_is(block).await? == Appended::HeadMoved {
            return Err(TransferError::Foreign(format!("another block {height} of {operator}")));
        }
        head = new;
        copied.add(&copied.blocks, 1);
    }
    if head != end {
        return Err(TransferError::Copy(format!("the chain of {operator} ends otherwise")));
    }
    copied.add(&copied.chains, 1);
    Ok(())
}

/// The stored block of a height as it was before it was appended; `None` when it is not there or does not follow.
async fn next(
    from: &dyn Store,
    operator: OperatorId,
    height: Height,
    before: &Head,
) -> Result<Option<NewBlock>, StorageError> {
    let Some(stored) = from.block(operator, height).await? else { return Ok(None) };
    let Ok(header) = BlockHeader::parse(&stored.header) else { return Ok(None) };
    let mut streams = before.streams.clone();
    streams.extend(header.streams.iter().map(|range| (range.stream, range.last)));
    let hash = ledger::block_hash(&stored.header);
    let head = Head { height, hash, total: header.total, sealed: header.sealed, streams };
    Ok(Some(NewBlock { header, header_bytes: stored.header, frames: stored.frames, head }))
}

async fn log(from: &dyn Store, to: &dyn Store, size: u64, copied: &Copied) -> Result<(), TransferError> {
    let mut there = to.log_size().await?;
    let foreign = || TransferError::Foreign("another log".to_owned());
    if there > size || (there > 0 && to.entries(there - 1, 1).await? != from.entries(there - 1, 1).await?) {
        return Err(foreign());
    }
    copied.add(&copied.entries, there);
    while there < size {
        let entries = from.entries(there, ENTRIES_AT_A_TIME).await?;
        let count = entries.len() as u64;
        if count == 0 {
            return Err(TransferError::Copy(format!("entry {there} of the log is missing here: run `dsom fsck`")));
        }
        if to.sequence(there, entries).await? != Sequenced::Sequenced {
            return Err(foreign());
        }
        there += count;
        copied.add(&copied.entries, count);
    }
    let mut tiles: Vec<(TileId, Vec<u8>)> = Vec::new();
    for tile in tiles_for_growth(0, size) {
        // Entries that are not integrated yet have no tiles.
        let Some(hashes) = from.tile(tile.level, tile.index).await? else { continue };
        tiles.push((tile, hashes.to_vec()));
        if tiles.len() >= TILES_AT_A_TIME {
            to.put_tiles(std::mem::take(&mut tiles)).await?;
        }
    }
    Ok(to.put_tiles(tiles).await?)
}

fn tell_sometimes(copied: &Copied, checked: &Value) {
    let Ok(mut told) = copied.told.try_lock() else { return };
    if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
        *told = Some(Instant::now());
        tell(&json!({"checking": checked}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::conformance::{block, operator};
    use contracts::UnixMillis;

    /// A store with two chains and a log over them, without a checkpoint: signing is the log actor's.
    async fn filled(dir: &std::path::Path) -> EmbeddedStore {
        let store = EmbeddedStore::open(dir).expect("opens");
        let mut entries = Vec::new();
        for n in [1, 2] {
            let mut head = Head::start();
            for height in 1..=5_u64 {
                let next = block(operator(n), &head, &[(0, height * 10 - 9, height * 10)]);
                head = next.head.clone();
                let header = next.header_bytes.clone();
                entries.push(crate::storage::LogEntry { operator: operator(n), height: Height(height), header });
                assert_eq!(store.append_block_if_head_is(next).await.expect("writes"), Appended::Appended);
            }
        }
        assert_eq!(store.sequence(0, entries).await.expect("writes"), Sequenced::Sequenced);
        store.put_position(&Partitions::all(), 77).await.expect("writes");
        store
    }

    #[tokio::test]
    async fn chains_and_log_arrive_and_a_second_run_finds_them() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let dir = tempfile::tempdir().expect("a directory");
        let from = filled(dir.path()).await;
        let to = ScyllaStore::open(&settings).await.expect("opens");
        let copied = Copied::default();
        // Stopped in the middle of a chain: the rest is copied by the next run.
        let one = next(&from, operator(1), Height(1), &Head::start()).await.expect("reads").expect("a block");
        assert_eq!(to.append_block_if_head_is(one).await.expect("writes"), Appended::Appended);
        for _ in 0..2 {
            for n in [1, 2] {
                chain(&from, &to, operator(n), &copied).await.expect("copies");
                let head = from.head(operator(n)).await.expect("reads");
                assert_eq!(to.head(operator(n)).await.expect("reads"), head);
            }
            log(&from, &to, 10, &copied).await.expect("copies");
            assert_eq!(to.entries(0, 100).await.expect("reads"), from.entries(0, 100).await.expect("reads"));
        }
        assert_eq!(copied.words()["entries"], 20, "ten copied, ten found");
    }

    #[tokio::test]
    async fn another_chain_on_the_server_is_left_alone() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let dir = tempfile::tempdir().expect("a directory");
        let from = filled(dir.path()).await;
        let to = ScyllaStore::open(&settings).await.expect("opens");
        let mut rival = block(operator(1), &Head::start(), &[(0, 1, 3)]);
        rival.head.sealed = UnixMillis(5);
        assert_eq!(to.append_block_if_head_is(rival).await.expect("writes"), Appended::Appended);
        let refused = chain(&from, &to, operator(1), &Copied::default()).await;
        assert!(matches!(refused, Err(TransferError::Foreign(_))), "{refused:?}");
    }
}
