//! The index on the embedded engine: one keyspace, keys in order of seqs, 44 bytes a batch and 33 a frame.

use std::path::Path;

use async_trait::async_trait;
use contracts::frame::BatchMeta;
use contracts::{Hash, OperatorId, Seq, StreamNo, UnixMillis};
use store::{Engine, Guard, Keyspace, Limits};

use super::{AcceptedFrame, KnownBatch, Store, StoreError};
use crate::domain::StreamKey;

/// Count, time accepted and root of one batch.
const BATCH_BYTES: usize = 4 + 8 + 32;

/// The index in a directory of its own.
#[derive(Clone)]
pub struct EmbeddedStore {
    engine: Engine,
    batches: Keyspace,
}

impl EmbeddedStore {
    /// Opens or creates the index in `dir`.
    ///
    /// # Errors
    /// [`StoreError`]: the directory is in use, damaged or not ours to write.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let engine = Engine::open(dir, Limits::default()).map_err(StoreError)?;
        let batches = engine.small_values("batches").map_err(StoreError)?;
        Ok(Self { engine, batches })
    }

    /// The frames after the one that begins at this seq, in order of their keys, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn frames_after(
        &self,
        after: Option<(StreamKey, Seq)>,
        limit: usize,
    ) -> Result<Vec<AcceptedFrame>, StoreError> {
        let batches = self.batches.clone();
        let read = move || {
            let from = after.map_or([0; 25], |(key, seq)| row_key(key, seq.get() + 1));
            let rows = batches.range(from..).take(limit).map(|row| {
                let (key, value) = row.into_inner()?;
                read_frame(&key, &value).ok_or(store::StoreError::Damaged("a row of accepted batches"))
            });
            rows.collect()
        };
        self.engine.read(read).await.map_err(StoreError)
    }

    /// The batches of the row with the largest first seq up to `seq`.
    async fn last_up_to(&self, key: StreamKey, seq: u64) -> Result<Vec<KnownBatch>, StoreError> {
        let batches = self.batches.clone();
        let find = move || {
            let mut rows = batches.range(row_key(key, 0)..=row_key(key, seq));
            let Some((key, value)) = rows.next_back().map(Guard::into_inner).transpose()? else {
                return Ok(Vec::new());
            };
            read_row(&key, &value).ok_or(store::StoreError::Damaged("a row of accepted batches"))
        };
        self.engine.read(find).await.map_err(StoreError)
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn remember(&self, frames: Vec<AcceptedFrame>) -> Result<(), StoreError> {
        let batches = self.batches.clone();
        let write = move |changes: &mut store::Changes| {
            for frame in frames {
                let Some(first) = frame.batches.first() else { continue };
                let key = row_key(frame.key, first.first_seq.get());
                if frame.tx_seq != 0 || !batches.contains_key(key)? {
                    changes.insert(&batches, key, row_value(&frame));
                }
            }
            Ok(())
        };
        self.engine.write(write).await.map_err(StoreError)
    }

    async fn batch_holding(&self, key: StreamKey, seq: Seq) -> Result<Option<KnownBatch>, StoreError> {
        let batches = self.last_up_to(key, seq.get()).await?;
        Ok(batches
            .into_iter()
            .find(|batch| (batch.meta.first_seq..).contains(&seq) && seq.get() <= batch.meta.last_seq()))
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        let batches = self.batches.clone();
        self.engine.read(move || Ok(batches.is_empty()?)).await.map_err(StoreError)
    }

    async fn last_batch(&self, key: StreamKey) -> Result<Option<KnownBatch>, StoreError> {
        Ok(self.last_up_to(key, Seq::MAX).await?.pop())
    }

    fn well(&self) -> Result<(), String> {
        self.engine.well()
    }
}

/// Operator, stream, first seq; big-endian, so that order of bytes is order of seqs.
fn row_key(key: StreamKey, first_seq: u64) -> [u8; 25] {
    let mut out = [0; 25];
    let (operator, rest) = out.split_at_mut(16);
    operator.copy_from_slice(key.operator.as_bytes());
    let (stream, seq) = rest.split_at_mut(1);
    stream.copy_from_slice(&[key.stream.0]);
    seq.copy_from_slice(&first_seq.to_be_bytes());
    out
}

/// Place on `TX` u64, then of each batch: count u32, accepted at i64, root; little-endian.
fn row_value(frame: &AcceptedFrame) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + frame.batches.len() * BATCH_BYTES);
    out.extend_from_slice(&frame.tx_seq.to_le_bytes());
    for batch in &frame.batches {
        out.extend_from_slice(&batch.count.to_le_bytes());
        out.extend_from_slice(&batch.accepted_at.0.to_le_bytes());
        out.extend_from_slice(&batch.root.0);
    }
    out
}

/// The frame of a row; `None` when the bytes are not what [`row_key`] and [`row_value`] make.
fn read_frame(key: &[u8], value: &[u8]) -> Option<AcceptedFrame> {
    let (operator, rest) = key.split_first_chunk::<16>()?;
    let operator = OperatorId::new(uuid::Uuid::from_bytes(*operator))?;
    let known = read_row(key, value)?;
    Some(AcceptedFrame {
        key: StreamKey { operator, stream: StreamNo(*rest.first()?) },
        tx_seq: known.first()?.tx_seq,
        batches: known.into_iter().map(|batch| batch.meta).collect(),
    })
}

/// `None` when the bytes are not what [`row_key`] and [`row_value`] make.
fn read_row(key: &[u8], value: &[u8]) -> Option<Vec<KnownBatch>> {
    let mut first_seq = u64::from_be_bytes(*key.last_chunk()?);
    let (tx_seq, rest) = value.split_first_chunk()?;
    let tx_seq = u64::from_le_bytes(*tx_seq);
    let (rows, []) = rest.as_chunks::<BATCH_BYTES>() else { return None };
    let read = |row: &[u8; BATCH_BYTES]| {
        let (count, rest) = row.split_first_chunk()?;
        let (accepted_at, root) = rest.split_first_chunk()?;
        let meta = BatchMeta {
            first_seq: Seq::new(first_seq)?,
            count: u32::from_le_bytes(*count),
            accepted_at: UnixMillis(i64::from_le_bytes(*accepted_at)),
            root: Hash(root.try_into().ok()?),
        };
        first_seq += u64::from(meta.count);
        Some(KnownBatch { meta, tx_seq })
    };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_conforms() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().to_path_buf();
        let open = async || Box::new(EmbeddedStore::open(&path).expect("opens")) as Box<dyn Store>;
        super::super::conformance::run(open).await;
    }
}
