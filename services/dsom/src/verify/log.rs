//! A whole log, first entry to last: every chain, every tile, every root, the signature.

use std::path::Path;

use contracts::block::BlockHeader;
use futures::{StreamExt as _, TryStreamExt as _};
use ledger::note::Verifier;
use ledger::verify::LogWalk;
use ledger::{BundleId, TILE_WIDTH, bundles_for_growth, decode_bundle};
use ledger::{Checkpoint, TileId};

use super::source::Source;
use crate::Failure;

/// A larger checkpoint is refused.
const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;
/// 256 hashes.
const TILE_BYTES_MAX: usize = 32 * TILE_WIDTH as usize;
/// 256 entries of the greatest length.
const BUNDLE_BYTES_MAX: usize = (2 + u16::MAX as usize) * TILE_WIDTH as usize;
/// Files fetched at once.
const FETCHES: usize = 8;
/// Bundles between two looks at the tiles they make.
const BUNDLES_A_ROUND: usize = 64;

/// A log that was found good.
#[derive(Debug)]
pub struct GoodLog {
    /// Its signed head.
    pub checkpoint: Checkpoint,
    /// Operators with a chain in it.
    pub operators: u64,
    /// Records under its headers.
    pub records: u64,
    /// Tiles that were compared.
    pub tiles: u64,
}

/// What to do beside checking.
#[derive(Default)]
pub struct Also<'a> {
    /// A checkpoint seen before, which the log must still contain.
    pub earlier: Option<Checkpoint>,
    /// Keep every file that was checked in this folder.
    pub save: Option<&'a Path>,
}

/// Walks a log; `each` is given every entry that continues its chain.
///
/// # Errors
/// The first thing that is wrong, or what could not be fetched.
pub async fn walk(
    source: &Source,
    key: &Verifier,
    also: &Also<'_>,
    each: &mut dyn FnMut(&[u8], &BlockHeader),
) -> Result<GoodLog, Failure> {
    let wrong = |error: &dyn std::error::Error| Failure::bad("the log is wrong").because(error);
    let note = source.read("checkpoint", CHECKPOINT_BYTES_MAX).await?;
    let checkpoint = Checkpoint::open(&note, key).map_err(|error| wrong(&error))?;
    let mut good = GoodLog { checkpoint, operators: 0, records: 0, tiles: 0 };
    let size = good.checkpoint.size;
    if let Some(earlier) = also.earlier.as_ref().filter(|earlier| earlier.size > size) {
        return Err(Failure::bad(format!("the log has {size} entries, it had {} before", earlier.size)));
    }
    let mut walk = LogWalk::new();
    remembers(&walk, also)?;
    for round in bundles_for_growth(0, size).chunks(BUNDLES_A_ROUND) {
        let mut tiles = Vec::new();
        let fetched = futures::stream::iter(round).map(|bundle| bundle_bytes(source, *bundle, also)).buffered(FETCHES);
        let mut fetched = std::pin::pin!(fetched);
        while let Some((bundle, bytes)) = fetched.try_next().await? {
            for entry in decode_bundle(bundle, &bytes).map_err(|error| wrong(&error))? {
                let (header, full) = walk.entry(entry).map_err(|error| wrong(&error))?;
                good.operators += u64::from(header.height.0 == 1);
                good.records += header.records;
                tiles.extend(full);
                remembers(&walk, also)?;
                each(entry, &header);
            }
        }
        good.tiles += tiles.len() as u64;
        compare(source, tiles, also).await?;
    }
    let partial = walk.partial_tiles();
    good.tiles += partial.len() as u64;
    compare(source, partial, also).await?;
    walk.matches(&good.checkpoint).map_err(|error| wrong(&error))?;
    // Last: what it stands for is there.
    keep(also, "checkpoint", &note).await?;
    Ok(good)
}

/// At the size of the earlier checkpoint, the tree must be the one that was signed then.
fn remembers(walk: &LogWalk, also: &Also<'_>) -> Result<(), Failure> {
    match &also.earlier {
        Some(earlier) if earlier.size == walk.size() => walk
            .matches(earlier)
            .map_err(|error| Failure::bad("the log was rewritten since the earlier checkpoint").because(&error)),
        _ => Ok(()),
    }
}

async fn bundle_bytes(source: &Source, bundle: BundleId, also: &Also<'_>) -> Result<(BundleId, Vec<u8>), Failure> {
    let path = bundle.to_string();
    let bytes = source.read(&path, BUNDLE_BYTES_MAX).await?;
    keep(also, &path, &bytes).await?;
    Ok((bundle, bytes))
}

/// Holds the served tiles against the ones that the entries make.
async fn compare(source: &Source, tiles: Vec<(TileId, Vec<u8>)>, also: &Also<'_>) -> Result<(), Failure> {
    let compared = futures::stream::iter(tiles).map(async |(tile, expected)| {
        let path = tile.to_string();
        let served = source.read(&path, TILE_BYTES_MAX).await?;
        LogWalk::tile(tile, &expected, &served).map_err(|error| Failure::bad("the log is wrong").because(&error))?;
        keep(also, &path, &served).await
    });
    compared.buffered(FETCHES).try_collect::<Vec<()>>().await.map(drop)
}

async fn keep(also: &Also<'_>, path: &str, bytes: &[u8]) -> Result<(), Failure> {
    let Some(folder) = also.save else { return Ok(()) };
    let at = folder.join(path);
    let made = match at.parent() {
        Some(parent) => tokio::fs::create_dir_all(parent).await,
        None => Ok(()),
    };
    let written = match made {
        Ok(()) => tokio::fs::write(&at, bytes).await,
        Err(error) => Err(error),
    };
    written.map_err(|error| Failure::usage(format!("could not write {}", at.display())).because(&error))
}
