//! A store that dies at a chosen write, or reads back with one bit flipped.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chaining::domain::chain::{Head, NewBlock};
use chaining::domain::partitions::Partitions;
use chaining::storage::{Appended, LogEntry, Published, Sequenced, StorageError, Store, StoredBlock, StoredCheckpoint};
use contracts::{Height, OperatorId, Seq, StreamNo};
use ledger::TileId;

/// When the process dies: with the write done and its answer lost, or before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

/// What reads back wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flip {
    Header(OperatorId, Height, usize),
    Frame(OperatorId, Height, usize, usize),
    Entry(u64, usize),
    Tile(u8, u64, usize),
    Checkpoint(usize),
}

pub struct Doubled {
    pub inner: Arc<dyn Store>,
    /// Writes until death, and how it comes. `None`: lives. Zero and below: dead.
    pub death: Mutex<Option<(i64, When)>>,
    pub flip: Option<Flip>,
}

impl Doubled {
    pub fn dying(inner: &Arc<dyn Store>, at_write: i64, when: When) -> Self {
        Self { inner: inner.clone(), death: Mutex::new(Some((at_write, when))), flip: None }
    }

    pub fn flipped(inner: &Arc<dyn Store>, flip: Flip) -> Self {
        Self { inner: inner.clone(), death: Mutex::new(None), flip: Some(flip) }
    }

    pub fn is_dead(&self) -> bool {
        self.death.lock().unwrap().is_some_and(|(left, _)| left <= 0)
    }

    fn alive(&self) -> Result<(), StorageError> {
        if self.is_dead() { Err(dead()) } else { Ok(()) }
    }

    /// Counts a write; the one at which the process dies is done or not, and never answered.
    async fn write<T>(&self, doing: impl Future<Output = Result<T, StorageError>>) -> Result<T, StorageError> {
        self.alive()?;
        let dies = {
            let mut death = self.death.lock().unwrap();
            if let Some((left, _)) = death.as_mut() {
                *left -= 1;
            }
            death.filter(|(left, _)| *left <= 0).map(|(_, when)| when)
        };
        match dies {
            Some(When::Before) => Err(dead()),
            Some(When::After) => doing.await.and(Err(dead())),
            None => doing.await,
        }
    }
}

fn dead() -> StorageError {
    StorageError::Damaged { what: "a dead process".into() }
}

fn flipped(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    let at = at % bytes.len();
    bytes[at] ^= 1;
    bytes.into()
}

#[async_trait]
impl Store for Doubled {
    async fn operators(&self, after: Option<OperatorId>, limit: usize) -> Result<Vec<OperatorId>, StorageError> {
        self.alive()?;
        self.inner.operators(after, limit).await
    }

    async fn head(&self, operator: OperatorId) -> Result<Head, StorageError> {
        self.alive()?;
        self.inner.head(operator).await
    }

    async fn append_block_if_head_is(&self, block: NewBlock) -> Result<Appended, StorageError> {
        self.write(self.inner.append_block_if_head_is(block)).await
    }

    async fn block(&self, operator: OperatorId, height: Height) -> Result<Option<StoredBlock>, StorageError> {
        self.alive()?;
        let mut block = self.inner.block(operator, height).await?;
        if let Some(block) = &mut block {
            match &self.flip {
                Some(Flip::Header(o, h, at)) if (*o, *h) == (operator, height) => {
                    block.header = flipped(&block.header, *at);
                }
                Some(Flip::Frame(o, h, n, at)) if (*o, *h) == (operator, height) => {
                    block.frames[*n] = flipped(&block.frames[*n], *at);
                }
                _ => {}
            }
        }
        Ok(block)
    }

    async fn headers(&self, operator: OperatorId, from: Height, limit: usize) -> Result<Vec<Bytes>, StorageError> {
        self.alive()?;
        self.inner.headers(operator, from, limit).await
    }

    async fn height_holding(
        &self,
        operator: OperatorId,
        stream: StreamNo,
        seq: Seq,
    ) -> Result<Option<Height>, StorageError> {
        self.alive()?;
        self.inner.height_holding(operator, stream, seq).await
    }

    async fn log_size(&self) -> Result<u64, StorageError> {
        self.alive()?;
        self.inner.log_size().await
    }

    async fn sequence(&self, expected_size: u64, entries: Vec<LogEntry>) -> Result<Sequenced, StorageError> {
        self.write(self.inner.sequence(expected_size, entries)).await
    }

    async fn entries(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, StorageError> {
        self.alive()?;
        let mut entries = self.inner.entries(from, limit).await?;
        if let Some(Flip::Entry(index, at)) = &self.flip
            && let Some(entry) = index.checked_sub(from).and_then(|n| entries.get_mut(n as usize))
        {
            entry.header = flipped(&entry.header, *at);
        }
        Ok(entries)
    }

    async fn index_of(&self, operator: OperatorId, height: Height) -> Result<Option<u64>, StorageError> {
        self.alive()?;
        self.inner.index_of(operator, height).await
    }

    async fn logged(&self, operator: OperatorId) -> Result<Height, StorageError> {
        self.alive()?;
        self.inner.logged(operator).await
    }

    async fn put_tiles(&self, tiles: Vec<(TileId, Vec<u8>)>) -> Result<(), StorageError> {
        self.write(self.inner.put_tiles(tiles)).await
    }

    async fn tile(&self, level: u8, index: u64) -> Result<Option<Bytes>, StorageError> {
        self.alive()?;
        let tile = self.inner.tile(level, index).await?;
        Ok(match &self.flip {
            Some(Flip::Tile(l, i, at)) if (*l, *i) == (level, index) => tile.map(|tile| flipped(&tile, *at)),
            _ => tile,
        })
    }

    async fn publish_checkpoint(&self, checkpoint: StoredCheckpoint) -> Result<Published, StorageError> {
        self.write(self.inner.publish_checkpoint(checkpoint)).await
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StorageError> {
        self.alive()?;
        let mut checkpoint = self.inner.checkpoint().await?;
        if let (Some(Flip::Checkpoint(at)), Some(checkpoint)) = (&self.flip, &mut checkpoint) {
            checkpoint.note = flipped(&checkpoint.note, *at);
        }
        Ok(checkpoint)
    }

    async fn announced(&self) -> Result<u64, StorageError> {
        self.alive()?;
        self.inner.announced().await
    }

    async fn advance_announced(&self, announced: u64) -> Result<(), StorageError> {
        self.write(self.inner.advance_announced(announced)).await
    }

    async fn position(&self, partitions: &Partitions) -> Result<u64, StorageError> {
        self.alive()?;
        self.inner.position(partitions).await
    }

    async fn put_position(&self, partitions: &Partitions, position: u64) -> Result<(), StorageError> {
        self.write(self.inner.put_position(partitions, position)).await
    }

    fn well(&self) -> Result<(), String> {
        if self.is_dead() { Err("dead".into()) } else { Ok(()) }
    }
}
