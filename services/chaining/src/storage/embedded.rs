//! The store on the embedded engine: a keyspace a table, one writer thread that syncs in groups.

mod codec;
#[cfg(test)]
mod tests;

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use contracts::{Height, OperatorId, Seq, StreamNo};
use ledger::TileId;
use store::{Changes, Engine, Keyspace, Limits, Slice, StoreError};

use super::{Appended, LogEntry, Published, Sequenced, StorageError, Store, StoredBlock, StoredCheckpoint};
use crate::domain::chain::{Head, NewBlock};
use crate::domain::partitions::Partitions;
use codec::{block_key, number_key, range_key, tile_key};

const LOG_SIZE: &str = "log_size";
const CHECKPOINT: &str = "checkpoint";
const ANNOUNCED: &str = "announced";

/// Chaining's store in a directory of this machine.
#[derive(Clone)]
pub struct EmbeddedStore {
    engine: Engine,
    tables: Tables,
}

#[derive(Clone)]
struct Tables {
    heads: Keyspace,
    blocks: Keyspace,
    frames: Keyspace,
    ranges: Keyspace,
    entries: Keyspace,
    places: Keyspace,
    logged: Keyspace,
    tiles: Keyspace,
    positions: Keyspace,
    state: Keyspace,
}

impl EmbeddedStore {
    /// Opens or creates the store.
    ///
    /// # Errors
    /// [`StorageError::Engine`]: in use, damaged, or not ours to write.
    pub fn open(dir: &Path) -> Result<Self, StorageError> {
        let opened = Engine::open(dir, Limits::default()).and_then(|engine| Self::on(&engine));
        opened.map_err(|source| StorageError::Engine { what: "opening".into(), source })
    }

    /// The store on an engine that is open.
    ///
    /// # Errors
    /// [`StoreError`]: a table can't be opened or made.
    pub fn on(engine: &Engine) -> Result<Self, StoreError> {
        let tables = Tables {
            heads: engine.small_values("heads")?,
            blocks: engine.small_values("blocks")?,
            frames: engine.large_values("frames")?,
            ranges: engine.small_values("ranges")?,
            entries: engine.small_values("log_entries")?,
            places: engine.small_values("log_places")?,
            logged: engine.small_values("logged")?,
            tiles: engine.small_values("log_tiles")?,
            positions: engine.small_values("positions")?,
            state: engine.small_values("state")?,
        };
        Ok(Self { engine: engine.clone(), tables })
    }

    async fn read<T: Send + 'static>(
        &self,
        what: impl Fn() -> String + Send,
        job: impl FnOnce(&Tables) -> Result<Option<T>, StoreError> + Send + 'static,
    ) -> Result<Option<T>, StorageError> {
        let tables = self.tables.clone();
        self.engine.read(move || job(&tables)).await.map_err(|source| failure(what(), source))
    }

    async fn write<T: Send + 'static>(
        &self,
        what: impl Fn() -> String + Send,
        job: impl FnOnce(&Tables, &mut Changes) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let tables = self.tables.clone();
        self.engine.write(move |changes| job(&tables, changes)).await.map_err(|source| failure(what(), source))
    }

    async fn state(&self, name: &'static str) -> Result<u64, StorageError> {
        let number = self.read(|| name.into(), move |tables| number(&tables.state, name)).await?;
        Ok(number.unwrap_or(0))
    }
}

fn failure(what: String, source: StoreError) -> StorageError {
    match source {
        StoreError::Damaged(part) => StorageError::Damaged { what: format!("{part} of {what}") },
        source => StorageError::Engine { what, source },
    }
}

/// A number stored under a key.
fn number(table: &Keyspace, key: impl AsRef<[u8]>) -> Result<Option<u64>, StoreError> {
    table.get(key)?.map(|value| codec::number(&value)).transpose()
}

fn stored_head(tables: &Tables, operator: OperatorId) -> Result<Head, StoreError> {
    let head = tables.heads.get(operator.as_bytes())?;
    head.map_or_else(|| Ok(Head::start()), |value| codec::head(&value))
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn operators(&self, after: Option<OperatorId>, limit: usize) -> Result<Vec<OperatorId>, StorageError> {
        let found = self.read(
            || "the list of operators".into(),
            move |tables| {
                let from = after.map_or(0, |operator| operator.uuid().as_u128() + 1);
                let keys = tables.heads.range(from.to_be_bytes()..).take(limit);
                keys.map(|guard| codec::operator(&guard.key()?)).collect::<Result<Vec<_>, _>>().map(Some)
            },
        );
        Ok(found.await?.unwrap_or_default())
    }

    async fn head(&self, operator: OperatorId) -> Result<Head, StorageError> {
        let head =
            self.read(|| format!("the head of {operator}"), move |tables| stored_head(tables, operator).map(Some));
        Ok(head.await?.unwrap_or_else(Head::start))
    }

    async fn append_block_if_head_is(&self, block: NewBlock) -> Result<Appended, StorageError> {
        let (operator, height) = (block.header.operator, block.header.height);
        // Copied here, not on the one thread that writes; a frame also lets go of the network buffer it came in.
        let frames: Vec<Slice> = block.frames.iter().map(|frame| Slice::from(&frame[..])).collect();
        let row = codec::block_row(frames.len() as u32, &block.header_bytes);
        self.write(
            || format!("block {height} of {operator}"),
            move |tables, changes| {
                let head = stored_head(tables, operator)?;
                if head.height == block.head.height && head.hash == block.head.hash {
                    return Ok(Appended::AlreadyThere);
                }
                if head.height.0 + 1 != height.0 || head.hash != block.header.previous {
                    return Ok(Appended::HeadMoved);
                }
                let key = block_key(operator, height);
                for (n, frame) in frames.into_iter().enumerate() {
                    changes.insert(&tables.frames, codec::frame_key(operator, height, n as u32), frame);
                }
                changes.insert(&tables.blocks, key, row);
                for range in &block.header.streams {
                    let value = [number_key(height.0), number_key(range.first.get())].concat();
                    changes.insert(&tables.ranges, range_key(operator, range.stream, range.last.get()), value);
                }
                changes.insert(&tables.heads, *operator.as_bytes(), codec::head_bytes(&block.head));
                Ok(Appended::Appended)
            },
        )
        .await
    }

    async fn block(&self, operator: OperatorId, height: Height) -> Result<Option<StoredBlock>, StorageError> {
        self.read(
            || format!("block {height} of {operator}"),
            move |tables| {
                let Some(row) = tables.blocks.get(block_key(operator, height))? else { return Ok(None) };
                let (count, header) = codec::block_parts(&row)?;
                let mut frames = Vec::with_capacity(count.min(1_024) as usize);
                for n in 0..count {
                    let frame = tables.frames.get(codec::frame_key(operator, height, n))?;
                    let frame = frame.ok_or(StoreError::Damaged("a missing frame"))?;
                    frames.push(Bytes::copy_from_slice(&frame));
                }
                Ok(Some(StoredBlock { header, frames }))
            },
        )
        .await
    }

    async fn headers(&self, operator: OperatorId, from: Height, limit: usize) -> Result<Vec<Bytes>, StorageError> {
        let headers = self.read(
            || format!("headers of {operator} from {from}"),
            move |tables| {
                let mut headers = Vec::new();
                for n in 0..limit as u64 {
                    let Some(row) = tables.blocks.get(block_key(operator, Height(from.0 + n)))? else { break };
                    headers.push(codec::block_parts(&row)?.1);
                }
                Ok(Some(headers))
            },
        );
        Ok(headers.await?.unwrap_or_default())
    }

    async fn height_holding(
        &self,
        operator: OperatorId,
        stream: StreamNo,
        seq: Seq,
    ) -> Result<Option<Height>, StorageError> {
        self.read(
            || format!("the block of {operator} that holds stream {stream} seq {seq}"),
            move |tables| {
                let reach = range_key(operator, stream, seq.get())..=range_key(operator, stream, u64::MAX);
                let Some(guard) = tables.ranges.range(reach).next() else { return Ok(None) };
                let (height, first) = codec::two_numbers(&guard.value()?)?;
                Ok((first <= seq.get()).then_some(Height(height)))
            },
        )
        .await
    }

    async fn log_size(&self) -> Result<u64, StorageError> {
        self.state(LOG_SIZE).await
    }

    async fn sequence(&self, expected_size: u64, entries: Vec<LogEntry>) -> Result<Sequenced, StorageError> {
        self.write(
            || format!("log entries from {expected_size}"),
            move |tables, changes| {
                let size = number(&tables.state, LOG_SIZE)?.unwrap_or(0);
                if size != expected_size {
                    return Ok(Sequenced::SizeMoved { size });
                }
                let mut index = size;
                for entry in entries {
                    let place = block_key(entry.operator, entry.height);
                    if tables.places.contains_key(place)? {
                        return Err(StoreError::Damaged("a second place for one header"));
                    }
                    changes.insert(&tables.entries, number_key(index), codec::entry_bytes(&entry));
                    changes.insert(&tables.places, place, number_key(index));
                    changes.insert(&tables.logged, *entry.operator.as_bytes(), number_key(entry.height.0));
                    index += 1;
                }
                changes.insert(&tables.state, LOG_SIZE, number_key(index));
                Ok(Sequenced::Sequenced)
            },
        )
        .await
    }

    async fn entries(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, StorageError> {
        let entries = self.read(
            || format!("log entries from {from}"),
            move |tables| {
                let mut entries = Vec::new();
                for index in (from..).take(limit) {
                    let Some(value) = tables.entries.get(number_key(index))? else { break };
                    entries.push(codec::entry(&value)?);
                }
                Ok(Some(entries))
            },
        );
        Ok(entries.await?.unwrap_or_default())
    }

    async fn index_of(&self, operator: OperatorId, height: Height) -> Result<Option<u64>, StorageError> {
        let key = block_key(operator, height);
        let what = || format!("the log index of block {height} of {operator}");
        self.read(what, move |tables| number(&tables.places, key)).await
    }

    async fn logged(&self, operator: OperatorId) -> Result<Height, StorageError> {
        let what = || format!("the logged height of {operator}");
        let height = self.read(what, move |tables| number(&tables.logged, operator.as_bytes())).await?;
        Ok(Height(height.unwrap_or(0)))
    }

    async fn put_tiles(&self, tiles: Vec<(TileId, Vec<u8>)>) -> Result<(), StorageError> {
        self.write(
            || "log tiles".into(),
            move |tables, changes| {
                for (tile, hashes) in tiles {
                    let key = tile_key(tile.level, tile.index);
                    let held = tables.tiles.size_of(key)?.unwrap_or(0);
                    if (held as usize) < hashes.len() {
                        changes.insert(&tables.tiles, key, hashes);
                    }
                }
                Ok(())
            },
        )
        .await
    }

    async fn tile(&self, level: u8, index: u64) -> Result<Option<Bytes>, StorageError> {
        self.read(
            || format!("tile {level}/{index}"),
            move |tables| Ok(tables.tiles.get(tile_key(level, index))?.map(|value| Bytes::copy_from_slice(&value))),
        )
        .await
    }

    async fn publish_checkpoint(&self, checkpoint: StoredCheckpoint) -> Result<Published, StorageError> {
        let size = checkpoint.size;
        self.write(
            || format!("the checkpoint at {size}"),
            move |tables, changes| {
                if let Some(value) = tables.state.get(CHECKPOINT)? {
                    let held = codec::checkpoint(&value)?.size;
                    if held >= size {
                        return Ok(Published::NotNewer { size: held });
                    }
                }
                changes.insert(&tables.state, CHECKPOINT, codec::checkpoint_bytes(&checkpoint));
                Ok(Published::Published)
            },
        )
        .await
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StorageError> {
        self.read(
            || "the checkpoint".into(),
            |tables| tables.state.get(CHECKPOINT)?.map(|value| codec::checkpoint(&value)).transpose(),
        )
        .await
    }

    async fn announced(&self) -> Result<u64, StorageError> {
        self.state(ANNOUNCED).await
    }

    async fn advance_announced(&self, announced: u64) -> Result<(), StorageError> {
        self.write(
            || "the number of announced entries".into(),
            move |tables, changes| {
                if number(&tables.state, ANNOUNCED)?.unwrap_or(0) < announced {
                    changes.insert(&tables.state, ANNOUNCED, number_key(announced));
                }
                Ok(())
            },
        )
        .await
    }

    async fn position(&self, partitions: &Partitions) -> Result<u64, StorageError> {
        let partitions: Vec<u16> = partitions.iter().collect();
        let lowest = self.read(
            || "the position".into(),
            move |tables| {
                let mut lowest = None;
                for partition in partitions {
                    let position = number(&tables.positions, partition.to_be_bytes())?.unwrap_or(0);
                    lowest = Some(lowest.map_or(position, |lowest: u64| lowest.min(position)));
                }
                Ok(lowest)
            },
        );
        Ok(lowest.await?.unwrap_or(0))
    }

    async fn put_position(&self, partitions: &Partitions, position: u64) -> Result<(), StorageError> {
        let partitions: Vec<u16> = partitions.iter().collect();
        self.write(
            || "the position".into(),
            move |tables, changes| {
                for partition in partitions {
                    changes.insert(&tables.positions, partition.to_be_bytes(), number_key(position));
                }
                Ok(())
            },
        )
        .await
    }

    fn well(&self) -> Result<(), String> {
        self.engine.well()
    }
}
