//! The steps of the log against the store, each repeatable: recover, integrate, and what must hold before anything is signed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contracts::{Hash, Height, OperatorId};
use ledger::{CheckpointError, Edge, ReadError, TileId};

use crate::actors::Witness;
use crate::domain::key::LogKey;
use crate::storage::{LogEntry, Published, Sequenced, StorageError, Store, StoredCheckpoint};

/// Most entries that one checkpoint adds.
const ENTRIES_MAX: usize = 2_048;
/// Most headers of one operator that one checkpoint adds, so that one that was away does not hold up the others.
const HEADERS_OF_ONE_MAX: usize = 256;
/// Operators looked at in one read.
const OPERATORS_PAGE: usize = 256;

/// Why nothing more may be signed until a person has looked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Frozen {
    /// The stored checkpoint is not ours.
    #[error("the stored checkpoint is not one of this log")]
    Checkpoint(#[source] CheckpointError),
    /// A tile that the checkpoint covers is missing or too short.
    #[error("{tile} is missing, or holds fewer hashes than the checkpoint covers")]
    Tile {
        /// Which.
        tile: TileId,
    },
    /// The key can't sign under the log's name.
    #[error("the log's name can't stand in a checkpoint")]
    Name,
    /// The tiles give another root than was signed.
    #[error("at size {size} the tiles give root {found}, signed was {signed}")]
    Root {
        /// Size of the checkpoint.
        size: u64,
        /// The root it signs.
        signed: Hash,
        /// The root by the tiles.
        found: Hash,
    },
    /// Less is in order than the checkpoint covers.
    #[error("the checkpoint covers {signed} entries, the store holds {found}")]
    Entries {
        /// Size of the checkpoint.
        signed: u64,
        /// Number of entries in the store.
        found: u64,
    },
    /// A checkpoint was published that the store does not know: it was set back to an earlier state.
    #[error("a checkpoint of size {published} was published, the store ends at {stored}")]
    RolledBack {
        /// Size of the published checkpoint.
        published: u64,
        /// Size of the stored one.
        stored: u64,
    },
    /// What was written does not read back the same.
    #[error("the tiles written for size {size} give another root than what was written")]
    Written {
        /// The size.
        size: u64,
    },
}

/// Why a step did not end.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Nothing more may be signed.
    #[error("the log is frozen")]
    Frozen(#[source] Frozen),
    /// The store failed: try again, after recovering.
    #[error("the log's store failed")]
    Storage(#[source] StorageError),
    /// Another writer of this log was faster: recover and go on from what it did.
    #[error("another writer grew the log to {0}")]
    Moved(u64),
    /// What was published can't be asked now: try again.
    #[error("what was published can't be asked: {0}")]
    Witness(String),
}

impl From<StorageError> for StepError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

fn frozen(why: Frozen) -> StepError {
    StepError::Frozen(why)
}

/// Where the log stands.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The edge of its tiles at the checkpoint.
    pub edge: Edge,
    /// The newest checkpoint; none before the first entry.
    pub checkpoint: Option<StoredCheckpoint>,
}

/// Reads where the log stands and makes sure that everything signed still holds.
///
/// # Errors
/// [`StepError::Frozen`] when it does not.
pub async fn recover(store: &dyn Store, key: &LogKey, witness: &dyn Witness) -> Result<Standing, StepError> {
    // What was published first, what is stored after it: another process that stores and publishes in between is not a store that was
    // set back.
    let published = witness.last_checkpoint().await.map_err(StepError::Witness)?;
    let checkpoint = store.checkpoint().await?;
    let (size, edge) = match &checkpoint {
        None => (0, Edge::default()),
        Some(stored) => {
            let signed = key.open(&stored.note).map_err(|error| frozen(Frozen::Checkpoint(error)))?;
            let edge = edge_at(store, signed.size).await?;
            must_be(signed.size, signed.root, edge.root())?;
            (signed.size, edge)
        }
    };
    let found = store.log_size().await?;
    if found < size {
        return Err(frozen(Frozen::Entries { signed: size, found }));
    }
    if let Some(note) = published {
        let published = key.open(&note).map_err(|error| frozen(Frozen::Checkpoint(error)))?;
        if published.size > size {
            return Err(frozen(Frozen::RolledBack { published: published.size, stored: size }));
        }
        must_be(published.size, published.root, edge_at(store, published.size).await?.root())?;
    }
    Ok(Standing { edge, checkpoint })
}

/// The edge at a size, from the stored tiles.
///
/// # Errors
/// [`Frozen::Tile`] when a tile is missing or too short.
pub async fn edge_at(store: &dyn Store, size: u64) -> Result<Edge, StepError> {
    let mut tiles = BTreeMap::new();
    for tile in Edge::tiles(size) {
        let bytes = store.tile(tile.level, tile.index).await?.unwrap_or_default();
        tiles.insert(tile, bytes);
    }
    // A stored tile may have grown since: its first hashes are the tile as it was.
    let cut = |tile: TileId| {
        let bytes = tiles.get(&tile).and_then(|bytes| bytes.get(..usize::from(tile.width) * 32));
        bytes.ok_or(Frozen::Tile { tile })
    };
    Edge::load(size, cut).map_err(|error| match error {
        ReadError::Read { cause, .. } => frozen(cause),
        // `cut` gives each tile its length, and the tiles asked for are those of `size`.
        ReadError::Tile(_) | ReadError::Range(_) => frozen(Frozen::Written { size }),
    })
}

fn must_be(size: u64, signed: Hash, found: Hash) -> Result<(), StepError> {
    if signed == found { Ok(()) } else { Err(frozen(Frozen::Root { size, signed, found })) }
}

/// What one round of integration did.
#[derive(Debug, Clone)]
pub struct Grown {
    /// Where the log stands now.
    pub standing: Standing,
    /// The entries that were added.
    pub entries: Vec<LogEntry>,
}

/// Gives sealed blocks their place, stores the tiles that follow from it, and signs and stores a checkpoint over them.
/// `None` when there is nothing to add. Takes out of `news` the operators of whom nothing is left to add.
///
/// # Errors
/// [`StepError`]; then [`recover`] tells where the log stands.
pub async fn integrate(
    store: &dyn Store,
    key: &LogKey,
    standing: &Standing,
    news: &mut BTreeSet<OperatorId>,
) -> Result<Option<Grown>, StepError> {
    let mut edge = standing.edge.clone();
    // Entries beyond the checkpoint had their place before a crash, or got it from another writer.
    let mut entries = store.entries(edge.size(), ENTRIES_MAX).await?;
    if entries.is_empty() {
        entries = waiting(store, news).await?;
        if entries.is_empty() {
            return Ok(None);
        }
        if let Sequenced::SizeMoved { size } = store.sequence(edge.size(), entries.clone()).await? {
            return Err(StepError::Moved(size));
        }
    }
    let leaves: Vec<Hash> = entries.iter().map(|entry| ledger::leaf_hash(&entry.header)).collect();
    store.put_tiles(edge.append(&leaves)).await?;
    let (size, root) = (edge.size(), edge.root());
    // A checkpoint can't be taken back: what it signs is read from the store once more, not taken from memory.
    if edge_at(store, size).await?.root() != root {
        return Err(frozen(Frozen::Written { size }));
    }
    let note = key.sign(size, root).ok_or(frozen(Frozen::Name))?;
    let checkpoint = StoredCheckpoint { size, root, note };
    if let Published::NotNewer { size } = store.publish_checkpoint(checkpoint.clone()).await? {
        return Err(StepError::Moved(size));
    }
    Ok(Some(Grown { standing: Standing { edge, checkpoint: Some(checkpoint) }, entries }))
}

/// Headers that are sealed and have no place in the log yet.
async fn waiting(store: &dyn Store, news: &mut BTreeSet<OperatorId>) -> Result<Vec<LogEntry>, StepError> {
    let mut entries = Vec::new();
    for operator in news.clone() {
        let from = store.logged(operator).await?.0 + 1;
        let limit = HEADERS_OF_ONE_MAX.min(ENTRIES_MAX - entries.len());
        let headers = store.headers(operator, Height(from), limit).await?;
        if headers.len() < limit {
            news.remove(&operator);
        }
        for (height, header) in (from..).zip(headers) {
            entries.push(LogEntry { operator, height: Height(height), header });
        }
        if entries.len() >= ENTRIES_MAX {
            break;
        }
    }
    Ok(entries)
}

/// Operators of whom something is sealed and not in the log.
///
/// # Errors
/// The store failed.
pub async fn behind(store: &Arc<dyn Store>) -> Result<BTreeSet<OperatorId>, StorageError> {
    let mut behind = BTreeSet::new();
    let mut after = None;
    loop {
        let operators = store.operators(after, OPERATORS_PAGE).await?;
        for operator in &operators {
            if store.head(*operator).await?.height > store.logged(*operator).await? {
                behind.insert(*operator);
            }
        }
        match operators.last() {
            Some(last) => after = Some(*last),
            None => return Ok(behind),
        }
    }
}
