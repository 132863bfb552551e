//! The whole log: entries against chains, tiles and the checkpoint's root against entries.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use contracts::{Hash, Height, OperatorId};
use ledger::note::Verifier;
use ledger::{Checkpoint, Edge, TileId};

use super::{Checked, Finding, Progress, What, first_difference, operators, unreadable};
use crate::error::with_causes;
use crate::storage::{LogEntry, StorageError, Store};

/// Entries read at a time.
const ENTRIES_PAGE: usize = 256;
/// A group of rows that is being written can be seen in parts: what does not agree is looked at so often, and so far apart, before it is
/// held to be wrong.
const LOOKS_MAX: u32 = 5;
const LOOK_PAUSE: Duration = Duration::from_millis(2);

pub(super) async fn check(
    store: &dyn Store,
    log: &Verifier,
    checked: &mut Progress,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Checked<()> {
    let announced = store.announced().await.map_err(|error| unreadable(&error, Finding::new(What::Checkpoint, "")))?;
    let signed = checkpoint(store, log).await?;
    let covered = signed.as_ref().map_or(0, |signed| signed.size);
    if announced > covered {
        let detail = format!("{announced} entries are announced, the checkpoint covers {covered}");
        return Err(Finding::new(What::Checkpoint, detail).into());
    }
    let size = store.log_size().await.map_err(|error| unreadable(&error, Finding::new(What::Entry, "")))?;
    if signed.as_ref().is_some_and(|signed| signed.size > size) {
        let detail = format!("the checkpoint covers more than the {size} entries there are");
        return Err(Finding::new(What::Checkpoint, detail).into());
    }
    let mut edge = Edge::new();
    let mut heights: BTreeMap<OperatorId, Height> = BTreeMap::new();
    while edge.size() < size {
        let from = edge.size();
        let wrong = |detail: &str| Finding { index: Some(from), ..Finding::new(What::Entry, detail) };
        let entries = store.entries(from, ENTRIES_PAGE).await.map_err(|error| unreadable(&error, wrong("")))?;
        if entries.is_empty() {
            return Err(wrong("the entry is missing").into());
        }
        for entry in entries.into_iter().take((size - from) as usize) {
            one(store, edge.size(), &entry, &mut heights).await?;
            for (tile, bytes) in edge.push(ledger::leaf_hash(&entry.header)) {
                compare(store, tile, &bytes, checked).await?;
            }
            checked.entries += 1;
            root(signed.as_ref(), &edge, checked, store).await?;
        }
        progress(*checked);
    }
    ends(store, size, &heights).await
}

/// No chain ends before what the log has of it, and no block has a place in the log that the log does not know of. What was added
/// while the log was walked lies at `size` and beyond.
async fn ends(store: &dyn Store, size: u64, heights: &BTreeMap<OperatorId, Height>) -> Checked<()> {
    for (&operator, &height) in heights {
        let wrong = |detail: String| Finding::of_block(What::Head, operator, height, detail);
        let head = store.head(operator).await.map_err(|error| unreadable(&error, wrong(String::new())))?;
        if head.height < height {
            return Err(wrong(format!("the log has this block, the chain ends at {}", head.height)).into());
        }
    }
    let mut after = None;
    loop {
        let operators = operators(store, after).await?;
        for &operator in &operators {
            let walked = heights.get(&operator).copied().unwrap_or(Height(0));
            let wrong = |detail| Finding::of_block(What::Entry, operator, walked, detail);
            let unread = |error: StorageError| unreadable(&error, wrong(""));
            let mut looks = 1;
            while !is_last(store, operator, walked, size).await.map_err(unread)? {
                if looks == LOOKS_MAX {
                    return Err(wrong("the last entry of the operator is another").into());
                }
                looks += 1;
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        }
        match operators.last() {
            Some(last) => after = Some(*last),
            None => return Ok(()),
        }
    }
}

/// Whether an operator's last entry is the one that was walked to, or one that came after the first `size` entries.
async fn is_last(store: &dyn Store, operator: OperatorId, walked: Height, size: u64) -> Result<bool, StorageError> {
    let logged = store.logged(operator).await?;
    if logged == walked {
        return Ok(true);
    }
    let place = store.index_of(operator, logged).await?;
    let now = store.log_size().await?;
    Ok(logged > walked && place.is_some_and(|place| (size..now).contains(&place)))
}

async fn checkpoint(store: &dyn Store, log: &Verifier) -> Checked<Option<Checkpoint>> {
    let wrong = |detail: String| Finding::new(What::Checkpoint, detail);
    let stored = store.checkpoint().await.map_err(|error| unreadable(&error, wrong(String::new())))?;
    let Some(stored) = stored else { return Ok(None) };
    let signed = Checkpoint::open(&stored.note, log).map_err(|error| wrong(with_causes(&error)))?;
    if signed.size != stored.size || signed.root != stored.root {
        return Err(wrong("the checkpoint is filed under another size or root".into()).into());
    }
    Ok(Some(signed))
}

/// An entry is the header of the next block of its operator, and is found by it.
async fn one(
    store: &dyn Store,
    index: u64,
    entry: &LogEntry,
    heights: &mut BTreeMap<OperatorId, Height>,
) -> Checked<()> {
    let LogEntry { operator, height, header } = entry;
    let wrong =
        |detail: &str| Finding { index: Some(index), ..Finding::of_block(What::Entry, *operator, *height, detail) };
    let before = heights.insert(*operator, *height).map_or(0, |height| height.0);
    if height.0 != before + 1 {
        return Err(wrong("the entry does not follow its operator's last one").into());
    }
    let headers = store.headers(*operator, *height, 1).await.map_err(|error| unreadable(&error, wrong("")))?;
    let block = headers.first().ok_or_else(|| wrong("the log has the block, the chain has not"))?;
    if block != header {
        let offset = first_difference(block, header).map(|n| n as u64);
        return Err(Finding { offset, ..wrong("the entry is not the block's header") }.into());
    }
    let found = store.index_of(*operator, *height).await.map_err(|error| unreadable(&error, wrong("")))?;
    if found != Some(index) {
        return Err(wrong("the block is not found at its place in the log").into());
    }
    Ok(())
}

/// When the walk stands at the checkpoint: its root, and the tiles that are not full there.
async fn root(signed: Option<&Checkpoint>, edge: &Edge, checked: &mut Progress, store: &dyn Store) -> Checked<()> {
    let Some(signed) = signed.filter(|signed| signed.size == edge.size()) else { return Ok(()) };
    let found: Hash = edge.root();
    if found != signed.root {
        let detail = format!("it signs root {}, the entries make {found}", signed.root);
        return Err(Finding { index: Some(signed.size), ..Finding::new(What::Checkpoint, detail) }.into());
    }
    for (tile, bytes) in edge.partial_tiles() {
        compare(store, tile, &bytes, checked).await?;
    }
    Ok(())
}

/// A stored tile begins with what the entries make.
async fn compare(store: &dyn Store, tile: TileId, expected: &[u8], checked: &mut Progress) -> Checked<()> {
    let wrong = |offset, detail: &str| Finding::of_tile(tile, offset, detail);
    let stored: Option<Bytes> =
        store.tile(tile.level, tile.index).await.map_err(|error| unreadable(&error, wrong(None, "")))?;
    let stored = stored.ok_or_else(|| wrong(None, "the tile is missing"))?;
    if let Some(offset) = first_difference(expected, stored.get(..expected.len()).unwrap_or(&stored)) {
        return Err(wrong(Some(offset), "the tile is not what the entries make").into());
    }
    checked.tiles += 1;
    Ok(())
}
