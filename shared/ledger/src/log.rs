//! The log over its tiles: the right edge that grows, and proofs made from stored tiles.

use std::collections::BTreeMap;

use contracts::Hash;

use crate::hash::block_hash;
use crate::tile::{TILE_WIDTH, TileError, TileId, decode_tile, encode_tile, nodes_at};
use crate::tree::{Frontier, RangeError, consistency_ranges, fold_right, inclusion_ranges, proof_over, root};

/// Tree height of a tile.
const TILE_HEIGHT: u32 = 8;

/// A tile and its bytes.
pub type TileFile = (TileId, Vec<u8>);

/// Eight levels of 256 hold 2^64 leaves.
const LEVELS: usize = 8;

/// Why stored tiles gave no answer; `E` is the reader's own error.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError<E> {
    /// What was asked lies outside the log.
    #[error("the log has no such place")]
    Range(#[source] RangeError),
    /// A tile is not what its name says.
    #[error("a stored tile is malformed")]
    Tile(#[source] TileError),
    /// The tile could not be read.
    #[error("tile {tile} could not be read")]
    Read {
        /// Which.
        tile: TileId,
        /// Why.
        #[source]
        cause: E,
    },
}

/// The log's right edge: its size and the hashes of each level's partial tile. What a writer keeps, in 64 KiB at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// From level 0 up, each less than 256 hashes.
    levels: [Vec<Hash>; LEVELS],
}

impl Edge {
    /// The edge of the empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tiles [`Edge::load`] will ask for.
    pub fn tiles(size: u64) -> Vec<TileId> {
        (0..LEVELS as u8)
            .filter_map(|level| {
                let nodes = nodes_at(level, size);
                TileId::of(level, nodes / TILE_WIDTH, size)
            })
            .collect()
    }

    /// The edge of a log of this size, from its partial tiles.
    pub fn load<E, B: AsRef<[u8]>>(
        size: u64,
        mut read: impl FnMut(TileId) -> Result<B, E>,
    ) -> Result<Self, ReadError<E>> {
        let mut edge = Self { size, levels: Default::default() };
        for tile in Self::tiles(size) {
            let bytes = read(tile).map_err(|cause| ReadError::Read { tile, cause })?;
            let hashes = decode_tile(tile, bytes.as_ref()).map_err(ReadError::Tile)?;
            if let Some(level) = edge.levels.get_mut(usize::from(tile.level)) {
                *level = hashes;
            }
        }
        Ok(edge)
    }

    /// How many entries the log has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The log's root.
    pub fn root(&self) -> Hash {
        // Coarsest level first, the frontiers of the partial tiles are the frontier of the whole tree.
        let perfect: Vec<Hash> = self
            .levels
            .iter()
            .rev()
            .flat_map(|hashes| hashes.iter().copied().collect::<Frontier>().nodes().to_vec())
            .collect();
        fold_right(&perfect).unwrap_or_else(|| block_hash(b""))
    }

    /// Adds one entry's leaf hash and returns the tiles that became full by it: none, or one a level from 0 up.
    pub fn push(&mut self, leaf: Hash) -> Vec<TileFile> {
        let mut full = Vec::new();
        let mut carry = leaf;
        self.size += 1;
        for (level, hashes) in (0..).zip(&mut self.levels) {
            hashes.push(carry);
            if (hashes.len() as u64) < TILE_WIDTH {
                break;
            }
            let hashes = std::mem::take(hashes);
            carry = root(&hashes);
            let index = nodes_at(level, self.size) / TILE_WIDTH - 1;
            full.push((TileId { level, index, width: TILE_WIDTH as u16 }, encode_tile(&hashes)));
        }
        full
    }

    /// Adds entries and returns every tile that a log of the new size has and the old one had not, with its bytes.
    pub fn append(&mut self, leaves: &[Hash]) -> Vec<TileFile> {
        let old_size = self.size;
        let mut tiles: Vec<_> = leaves.iter().flat_map(|leaf| self.push(*leaf)).collect();
        let grown = |tile: &TileId| nodes_at(tile.level, old_size) < nodes_at(tile.level, self.size);
        tiles.extend(self.partial_tiles().into_iter().filter(|(tile, _)| grown(tile)));
        tiles
    }

    /// The partial tiles of the log as it is.
    pub fn partial_tiles(&self) -> Vec<TileFile> {
        Self::tiles(self.size)
            .into_iter()
            .filter_map(|tile| Some((tile, encode_tile(self.levels.get(usize::from(tile.level))?))))
            .collect()
    }
}

/// The tiles that [`inclusion_from_tiles`] will ask for.
pub fn inclusion_tiles(index: u64, size: u64) -> Result<Vec<TileId>, RangeError> {
    Ok(needed(&inclusion_ranges(index, size)?, size))
}

/// The tiles that [`consistency_from_tiles`] will ask for.
pub fn consistency_tiles(old_size: u64, new_size: u64) -> Result<Vec<TileId>, RangeError> {
    Ok(needed(&consistency_ranges(old_size, new_size)?, new_size))
}

/// The inclusion proof of an entry in a log of this size, from its tiles. Each tile is asked for once.
pub fn inclusion_from_tiles<E, B: AsRef<[u8]>>(
    index: u64,
    size: u64,
    read: impl FnMut(TileId) -> Result<B, E>,
) -> Result<Vec<Hash>, ReadError<E>> {
    from_tiles(&inclusion_ranges(index, size).map_err(ReadError::Range)?, size, read)
}

/// The consistency proof between two sizes of a log, from the tiles of the newer. Each tile is asked for once.
pub fn consistency_from_tiles<E, B: AsRef<[u8]>>(
    old_size: u64,
    new_size: u64,
    read: impl FnMut(TileId) -> Result<B, E>,
) -> Result<Vec<Hash>, ReadError<E>> {
    from_tiles(&consistency_ranges(old_size, new_size).map_err(ReadError::Range)?, new_size, read)
}

/// Where a perfect node is: its tile, and the hashes of the tile that lie under it.
fn tile_of(level: u32, index: u64, size: u64) -> Option<(TileId, std::ops::Range<usize>)> {
    let within = level % TILE_HEIGHT;
    let first = index << within;
    let tile = TileId::of((level / TILE_HEIGHT) as u8, first / TILE_WIDTH, size)?;
    let start = (first % TILE_WIDTH) as usize;
    Some((tile, start..start + (1 << within)))
}

fn needed(ranges: &[(u64, u64)], size: u64) -> Vec<TileId> {
    let mut tiles = Vec::new();
    let Ok(_) = proof_over(ranges, &mut |level, index| {
        tiles.extend(tile_of(level, index, size).map(|(tile, _)| tile));
        Ok::<_, std::convert::Infallible>(Hash::ZERO)
    });
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}

fn from_tiles<E, B: AsRef<[u8]>>(
    ranges: &[(u64, u64)],
    size: u64,
    mut read: impl FnMut(TileId) -> Result<B, E>,
) -> Result<Vec<Hash>, ReadError<E>> {
    let mut tiles: BTreeMap<TileId, Vec<Hash>> = BTreeMap::new();
    for tile in needed(ranges, size) {
        let bytes = read(tile).map_err(|cause| ReadError::Read { tile, cause })?;
        tiles.insert(tile, decode_tile(tile, bytes.as_ref()).map_err(ReadError::Tile)?);
    }
    proof_over(ranges, &mut |level, index| {
        // `needed` walked the same ranges, so the tile is there and wide enough.
        let hashes = tile_of(level, index, size).and_then(|(tile, under)| tiles.get(&tile)?.get(under));
        debug_assert!(hashes.is_some(), "no tile was read for level {level}, index {index}");
        Ok(root(hashes.unwrap_or_default()))
    })
}
