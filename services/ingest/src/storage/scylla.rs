//! The index on a CQL server: one row a frame. Nothing here is conditional: rows of a frame are the same whoever writes them, and
//! the timestamp of the statement keeps a place on `TX` that is known.

use async_trait::async_trait;
use contracts::frame::BatchMeta;
use contracts::{Hash, Seq, UnixMillis};
use store::StoreError as EngineError;
use store::cql::{Cql, Migration, Read, Settings, Timestamp, Write};

use super::{AcceptedFrame, KnownBatch, Store, StoreError};
use crate::domain::StreamKey;

/// The numbered schema files, in order.
pub(super) const SCHEMA: &[Migration] =
    &[Migration { name: "0001_accepted", text: include_str!("../../schema/0001_accepted.cql") }];

/// Seqs of a stream whose frames lie in one partition. More than a frame can hold, so that one reaches into the next bucket at most. The
/// suite crosses the bounds of smaller ones.
const SEQS_IN_BUCKET: u64 = if cfg!(test) { 16_384 } else { 131_072 };
/// Timestamps of rows whose place on `TX` is not known, and is.
const UNPLACED: i64 = 1;
const PLACED: i64 = 2;

/// The index in a keyspace of a CQL server.
#[derive(Clone)]
pub struct ScyllaStore {
    cql: Cql,
    put: Write,
    up_to: Read,
    hint: Read,
    advance_hint: Write,
    any: Read,
}

type BatchColumns = (i32, Timestamp, Vec<u8>);
type FrameRow = (i64, i64, Vec<BatchColumns>);

impl ScyllaStore {
    /// Connects, and prepares every statement.
    ///
    /// # Errors
    /// [`StoreError`]: no server, no schema, or another one.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        Self::connect(settings).await.map_err(StoreError)
    }

    async fn connect(settings: &Settings) -> Result<Self, EngineError> {
        let cql = Cql::open(settings, "ingest", SCHEMA).await?;
        Ok(Self {
            put: cql
                .write(
                    "INSERT INTO @frames (operator, stream, bucket, first_seq, tx_seq, batches) VALUES (?, ?, ?, ?, ?, ?) \
                     USING TIMESTAMP ?",
                )
                .await?,
            up_to: cql
                .read(
                    "SELECT first_seq, tx_seq, batches FROM @frames WHERE operator = ? AND stream = ? AND bucket = ? \
                     AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1",
                )
                .await?,
            hint: cql.read("SELECT first_seq FROM @streams WHERE operator = ? AND stream = ?").await?,
            advance_hint: cql
                .write("INSERT INTO @streams (operator, stream, first_seq) VALUES (?, ?, ?) USING TIMESTAMP ?")
                .await?,
            any: cql.read("SELECT first_seq FROM @streams LIMIT 1").await?,
            cql,
        })
    }

    /// The row of a bucket with the largest first seq up to `seq`.
    async fn row(&self, key: StreamKey, bucket: u64, seq: u64) -> Result<Option<Vec<KnownBatch>>, EngineError> {
        let values = (key.operator.uuid(), i16::from(key.stream.0), column(bucket), column(seq));
        let row: Option<FrameRow> = self.cql.row(&self.up_to, values).await?;
        row.map(batches).transpose()
    }

    async fn put(&self, frames: Vec<AcceptedFrame>) -> Result<(), EngineError> {
        let (mut rows, mut hints) = (Vec::with_capacity(frames.len()), Vec::new());
        for frame in frames {
            let Some(first) = frame.batches.first().map(|batch| batch.first_seq.get()) else { continue };
            let (operator, stream) = (frame.key.operator.uuid(), i16::from(frame.key.stream.0));
            let columns =
                |batch: &BatchMeta| (batch.count as i32, Timestamp(batch.accepted_at.0), batch.root.0.to_vec());
            let batches: Vec<BatchColumns> = frame.batches.iter().map(columns).collect();
            let timestamp = if frame.tx_seq == 0 { UNPLACED } else { PLACED };
            let place = column(frame.tx_seq);
            rows.push((operator, stream, column(first / SEQS_IN_BUCKET), column(first), place, batches, timestamp));
            hints.push((operator, stream, column(first), column(first)));
        }
        self.cql.run_each(&self.put, rows).await?;
        // One hint a stream: the last one.
        hints.sort_unstable();
        hints.reverse();
        hints.dedup_by_key(|(operator, stream, ..)| (*operator, *stream));
        self.cql.run_each(&self.advance_hint, hints).await
    }

    async fn holding(&self, key: StreamKey, seq: Seq) -> Result<Option<KnownBatch>, EngineError> {
        let bucket = seq.get() / SEQS_IN_BUCKET;
        for bucket in (bucket.saturating_sub(1)..=bucket).rev() {
            if let Some(batches) = self.row(key, bucket, seq.get()).await? {
                let holds =
                    |batch: &KnownBatch| (batch.meta.first_seq..).contains(&seq) && seq.get() <= batch.meta.last_seq();
                return Ok(batches.into_iter().find(holds));
            }
        }
        Ok(None)
    }

    async fn last(&self, key: StreamKey) -> Result<Option<KnownBatch>, EngineError> {
        let values = (key.operator.uuid(), i16::from(key.stream.0));
        let hint: Option<(i64,)> = self.cql.row(&self.hint, values).await?;
        let Some((hint,)) = hint else { return Ok(None) };
        let bucket = hint as u64 / SEQS_IN_BUCKET;
        Ok(self.row(key, bucket, Seq::MAX).await?.and_then(|mut batches| batches.pop()))
    }
}

#[async_trait]
impl Store for ScyllaStore {
    async fn remember(&self, frames: Vec<AcceptedFrame>) -> Result<(), StoreError> {
        self.put(frames).await.map_err(StoreError)
    }

    async fn batch_holding(&self, key: StreamKey, seq: Seq) -> Result<Option<KnownBatch>, StoreError> {
        self.holding(key, seq).await.map_err(StoreError)
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        let any: Option<(i64,)> = self.cql.row(&self.any, ()).await.map_err(StoreError)?;
        Ok(any.is_none())
    }

    async fn last_batch(&self, key: StreamKey) -> Result<Option<KnownBatch>, StoreError> {
        self.last(key).await.map_err(StoreError)
    }
}

/// A number as a column: seqs and places are far below 2^63.
fn column(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn batches((first_seq, tx_seq, columns): FrameRow) -> Result<Vec<KnownBatch>, EngineError> {
    let damaged = EngineError::Damaged("a row of accepted batches");
    let read = |first_seq: &mut u64, (count, accepted_at, root): BatchColumns| {
        let meta = BatchMeta {
            first_seq: Seq::new(*first_seq)?,
            count: u32::try_from(count).ok()?,
            accepted_at: UnixMillis(accepted_at.0),
            root: Hash(root.try_into().ok()?),
        };
        *first_seq += u64::from(meta.count);
        Some(KnownBatch { meta, tx_seq: u64::try_from(tx_seq).ok()? })
    };
    let Ok(mut next) = u64::try_from(first_seq) else { return Err(damaged) };
    let known: Option<Vec<KnownBatch>> = columns.into_iter().map(|columns| read(&mut next, columns)).collect();
    known.ok_or(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_conforms() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let open = async || Box::new(ScyllaStore::open(&settings).await.expect("opens")) as Box<dyn Store>;
        super::super::conformance::run(open).await;
    }
}
