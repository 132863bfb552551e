//! Derives everything anew from stored bytes and names the first place that is wrong.
//!
//! Nothing derived is believed: roots come from the records, hashes from the headers, tiles and the checkpoint's root from the
//! entries. What can't be read at all (the engine keeps checksums of its own) is named like what reads wrong.

pub mod background;
mod chains;
mod log;
pub mod offline;

use contracts::{Height, OperatorId, StreamNo};
use ledger::TileId;
use ledger::note::Verifier;
use serde::Serialize;

use crate::domain::partitions::Partitions;
use crate::storage::{StorageError, Store};

/// Operators read at a time.
const OPERATORS_PAGE: usize = 256;

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All blocks, the whole log.
    Everything,
    /// The last blocks of the chains of some partitions; the log looks at its own edge whenever it starts.
    Newest {
        /// This many of each chain.
        blocks: u64,
        /// Whose chains.
        of: &'a Partitions,
    },
}

/// How far it got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Chains checked to their end.
    pub chains: u64,
    /// Blocks checked.
    pub blocks: u64,
    /// Records hashed.
    pub records: u64,
    /// Entries of the log checked.
    pub entries: u64,
    /// Tiles compared.
    pub tiles: u64,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// What was looked at.
    pub checked: Progress,
    /// The first place that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Finding>,
}

/// The kind of thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The store as a whole: the engine can't open its files, and says why.
    Store,
    /// A block: its header, its link, or what its header says of its frames.
    Block,
    /// Records under a block.
    Record,
    /// Where an operator's chain ends.
    Head,
    /// The table that leads from a record to its block.
    Index,
    /// An entry of the log.
    Entry,
    /// A tile of the log.
    Tile,
    /// The signed checkpoint.
    Checkpoint,
}

/// A place that is wrong; fields that do not apply are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub what: What,
    /// Whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorId>,
    /// In which block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
    /// In which frame of the block, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<usize>,
    /// In which stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamNo>,
    /// The record, or the first one it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The last record it may be, where more can't be said: a root covers a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seq: Option<u64>,
    /// Index of the entry in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The tile, as it is named in its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tile: Option<String>,
    /// The first wrong byte within the thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What is wrong, in words.
    pub detail: String,
    /// Whether the store was only away: asked again, it may say otherwise.
    #[serde(skip)]
    pub passing: bool,
}

impl Finding {
    fn new(what: What, detail: impl Into<String>) -> Self {
        Self {
            what,
            operator: None,
            height: None,
            frame: None,
            stream: None,
            seq: None,
            last_seq: None,
            index: None,
            tile: None,
            offset: None,
            detail: detail.into(),
            passing: false,
        }
    }

    fn of_block(what: What, operator: OperatorId, height: Height, detail: impl Into<String>) -> Self {
        Self { operator: Some(operator), height: Some(height), ..Self::new(what, detail) }
    }

    fn of_tile(tile: TileId, offset: Option<usize>, detail: impl Into<String>) -> Self {
        Self { tile: Some(tile.to_string()), offset: offset.map(|n| n as u64), ..Self::new(What::Tile, detail) }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.what {
            What::Store => "store",
            What::Block => "block",
            What::Record => "record",
            What::Head => "head",
            What::Index => "index",
            What::Entry => "log entry",
            What::Tile => "log tile",
            What::Checkpoint => "checkpoint",
        };
        f.write_str(what)?;
        let mut part = |name: &str, value: Option<String>| match value {
            Some(value) => write!(f, " {name} {value}"),
            None => Ok(()),
        };
        part("operator", self.operator.map(|v| v.to_string()))?;
        part("height", self.height.map(|v| v.to_string()))?;
        part("frame", self.frame.map(|v| v.to_string()))?;
        part("stream", self.stream.map(|v| v.to_string()))?;
        part("seq", self.seq.map(|v| v.to_string()))?;
        part("to", self.last_seq.map(|v| v.to_string()))?;
        part("index", self.index.map(|v| v.to_string()))?;
        part("at", self.tile.clone())?;
        part("offset", self.offset.map(|v| v.to_string()))?;
        write!(f, ": {}", self.detail)
    }
}

/// A check ends at the first finding.
type Checked<T> = Result<T, Box<Finding>>;

/// Checks a store. `log` is the log's public key; `progress` is told after each block and each bundle of entries.
pub async fn fsck(
    store: &dyn Store,
    log: &Verifier,
    scope: Scope<'_>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Report {
    let mut checked = Progress::default();
    let ended = everything(store, log, scope, &mut checked, progress).await;
    let first = ended.err().map(|finding| *finding);
    Report { ok: first.is_none(), checked, first }
}

async fn everything(
    store: &dyn Store,
    log: &Verifier,
    scope: Scope<'_>,
    checked: &mut Progress,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Checked<()> {
    chains::check(store, scope, checked, progress).await?;
    if scope == Scope::Everything {
        log::check(store, log, checked, progress).await?;
    }
    Ok(())
}

/// Operators with a chain after one, a page of them; none at the end.
async fn operators(store: &dyn Store, after: Option<OperatorId>) -> Checked<Vec<OperatorId>> {
    let operators = store.operators(after, OPERATORS_PAGE).await;
    operators.map_err(|error| unreadable(&error, Finding::new(What::Head, "")))
}

/// What the store could not give, as a finding.
fn unreadable(error: &StorageError, finding: Finding) -> Box<Finding> {
    Box::new(Finding { detail: crate::error::with_causes(error), passing: error.is_passing(), ..finding })
}

fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let common = one.iter().zip(other).position(|(a, b)| a != b);
    common.or((one.len() != other.len()).then_some(one.len().min(other.len())))
}
