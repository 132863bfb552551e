//! C2SP tlog-tiles: how the log's tree and entries are cut into files, and what those are called.

use std::fmt;
use std::str::FromStr;

use contracts::Hash;

use crate::text::number;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// A level above this would need more than 2^64 leaves.
const LEVEL_MAX: u8 = 7;
/// The longest entry a bundle can carry: its length is a u16.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// A tile of the tree: up to 256 hashes that stand side by side at one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 for leaves; each level up is 256 times coarser.
    pub level: u8,
    /// The place in the level.
    pub index: u64,
    /// Hashes in it, 1 to 256; less than 256 is a partial tile.
    pub width: u16,
}

/// A bundle of up to 256 entries, the ones under the level 0 tile of the same index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    /// The place.
    pub index: u64,
    /// Entries in it, 1 to 256.
    pub width: u16,
}

/// The path names no tile and no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the path of a tile")]
pub struct BadPath(String);

/// The bytes are not what their name says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// A tile has another number of bytes than its hashes need.
    #[error("tile {tile} has {bytes} bytes, not {expected}")]
    Size {
        /// Which.
        tile: TileId,
        /// How many it has.
        bytes: usize,
        /// 32 a hash.
        expected: usize,
    },
    /// A bundle ends inside an entry, or has too few or too many entries.
    #[error("bundle {bundle} is malformed after {entries} entries")]
    Bundle {
        /// Which.
        bundle: BundleId,
        /// Entries read so far.
        entries: usize,
    },
    /// An entry is longer than a bundle can say.
    #[error("an entry of {bytes} bytes does not fit a bundle")]
    Entry {
        /// Its length.
        bytes: usize,
    },
}

impl TileId {
    /// The tile of a tree of this size; `None` when the tree has none there.
    pub fn of(level: u8, index: u64, size: u64) -> Option<Self> {
        let width = width_at(index, nodes_at(level, size))?;
        Some(Self { level, index, width })
    }

    /// Whether it has all 256 hashes and can never change.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_WIDTH
    }
}

impl BundleId {
    /// The bundle of a log of this size; `None` when the log has none there.
    pub fn of(index: u64, size: u64) -> Option<Self> {
        Some(Self { index, width: width_at(index, size)? })
    }
}

/// How many hashes there are at a tile level of a tree of this size.
pub(crate) fn nodes_at(level: u8, size: u64) -> u64 {
    if level > LEVEL_MAX { 0 } else { size >> (8 * u32::from(level)) }
}

fn width_at(index: u64, count: u64) -> Option<u16> {
    let left = count.checked_sub(index.checked_mul(TILE_WIDTH)?)?;
    u16::try_from(left.min(TILE_WIDTH)).ok().filter(|w| *w > 0)
}

/// The tiles that a tree of `new_size` has and one of `old_size` has not, lowest level first.
pub fn tiles_for_growth(old_size: u64, new_size: u64) -> Vec<TileId> {
    let changed = |level| {
        let (old, new) = (nodes_at(level, old_size), nodes_at(level, new_size));
        let range = if old < new { old / TILE_WIDTH..new.div_ceil(TILE_WIDTH) } else { 0..0 };
        range.filter_map(move |index| TileId::of(level, index, new_size))
    };
    (0..=LEVEL_MAX).flat_map(changed).collect()
}

/// The bundles that a log of `new_size` has and one of `old_size` has not.
pub fn bundles_for_growth(old_size: u64, new_size: u64) -> Vec<BundleId> {
    let range = if old_size < new_size { old_size / TILE_WIDTH..new_size.div_ceil(TILE_WIDTH) } else { 0..0 };
    range.filter_map(|index| BundleId::of(index, new_size)).collect()
}

/// A tile's bytes: its hashes, one after another.
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|h| h.0).collect()
}

/// The hashes of a tile. The bytes may be those of the full tile, for partial ones may be gone by then.
pub fn decode_tile(tile: TileId, bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
    let expected = usize::from(tile.width) * 32;
    let full = bytes.len() == TILE_WIDTH as usize * 32;
    let ours = bytes.get(..expected).filter(|ours| full || ours.len() == bytes.len());
    let ours = ours.ok_or(TileError::Size { tile, bytes: bytes.len(), expected })?;
    Ok(ours.as_chunks::<32>().0.iter().map(|h| Hash(*h)).collect())
}

/// A bundle's bytes: each entry after its length as a big-endian u16.
pub fn encode_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| TileError::Entry { bytes: entry.len() })?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle; exactly as many as its name says.
pub fn decode_bundle(bundle: BundleId, bytes: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::with_capacity(usize::from(bundle.width));
    let mut rest = bytes;
    while !rest.is_empty() {
        let bad = TileError::Bundle { bundle, entries: entries.len() };
        let (length, after) = rest.split_first_chunk::<2>().ok_or(bad.clone())?;
        let (entry, after) = after.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(bad)?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() != usize::from(bundle.width) {
        return Err(TileError::Bundle { bundle, entries: entries.len() });
    }
    Ok(entries)
}

/// `tile/<L>/<N>[.p/<W>]`, relative to the log's prefix.
impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_place(f, self.index, self.width)
    }
}

/// `tile/entries/<N>[.p/<W>]`, relative to the log's prefix.
impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_place(f, self.index, self.width)
    }
}

/// The index in groups of three digits, all but the last after an `x`; the width if partial.
fn write_place(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut divisor = 1;
    while index / divisor >= 1000 {
        divisor *= 1000;
    }
    while divisor > 1 {
        write!(f, "x{:03}/", index / divisor % 1000)?;
        divisor /= 1000;
    }
    write!(f, "{:03}", index % 1000)?;
    if u64::from(width) < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
}

impl FromStr for TileId {
    type Err = BadPath;
    fn from_str(path: &str) -> Result<Self, BadPath> {
        let parse = || {
            let (level, place) = path.strip_prefix("tile/")?.split_once('/')?;
            let level = number(level).and_then(|l| u8::try_from(l).ok()).filter(|l| *l <= 63)?;
            let (index, width) = read_place(place)?;
            Some(Self { level, index, width })
        };
        parse().ok_or_else(|| BadPath(path.chars().take(120).collect()))
    }
}

impl FromStr for BundleId {
    type Err = BadPath;
    fn from_str(path: &str) -> Result<Self, BadPath> {
        let place = path.strip_prefix("tile/entries/").and_then(read_place);
        let (index, width) = place.ok_or_else(|| BadPath(path.chars().take(120).collect()))?;
        Ok(Self { index, width })
    }
}

fn read_place(text: &str) -> Option<(u64, u16)> {
    let (place, width) = match text.split_once(".p/") {
        Some((place, width)) => (place, number(width).filter(|w| (1..TILE_WIDTH).contains(w))?),
        None => (text, TILE_WIDTH),
    };
    let (high, last) = place.rsplit_once('/').map_or((None, place), |(high, last)| (Some(high), last));
    let mut index = 0u64;
    for (at, group) in high.into_iter().flat_map(|h| h.split('/')).enumerate() {
        let group = group.strip_prefix('x').and_then(three_digits)?;
        // One name a tile: no leading group of zeros.
        if at == 0 && group == 0 {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(group)?;
    }
    let index = index.checked_mul(1000)?.checked_add(three_digits(last)?)?;
    Some((index, u16::try_from(width).ok()?))
}

fn three_digits(text: &str) -> Option<u64> {
    (text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}
