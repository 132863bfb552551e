//! `dsom-ingest transfer`: copies the index of accepted batches from the embedded store to a CQL server, and reads each row back.
//!
//! May be repeated and stopped at any time: rows are the same however often they are written.

use std::path::PathBuf;
use std::process::ExitCode;

use runtime::tell;
use serde::Deserialize;
use serde_json::json;
use store::cql::Settings;

use crate::storage::{AcceptedFrame, EmbeddedStore, KnownBatch, ScyllaStore, Store, StoreError};

/// Frames copied at a time.
const FRAMES_AT_A_TIME: usize = 256;

/// What of ingest's configuration this needs.
#[derive(Debug, Clone, Deserialize)]
pub struct TransferConfig {
    /// Where the embedded store lies.
    pub data_dir: PathBuf,
    /// Where the server is.
    pub store: Settings,
}

/// Why the copy is not whole. Run it again once the reason is gone.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A store failed.
    #[error("a store failed")]
    Store(#[source] StoreError),
    /// A row does not read back the same.
    #[error(
        "the frame of {operator} stream {stream} that begins at {first_seq} reads back otherwise: give another keyspace"
    )]
    Differs {
        /// Whose.
        operator: contracts::OperatorId,
        /// Which stream.
        stream: contracts::StreamNo,
        /// The first seq of the frame.
        first_seq: u64,
    },
}

impl From<StoreError> for TransferError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Runs it as a process of its own, on ingest's configuration. Ends with 0 when the copy is whole.
pub fn main() -> ExitCode {
    runtime::once("ingest", |config: TransferConfig| async move {
        let from = EmbeddedStore::open(&config.data_dir)?;
        let to = ScyllaStore::open(&config.store).await?;
        let copied = transfer(&from, &to).await?;
        tell(&json!({"done": {"frames": copied}}));
        Ok::<_, TransferError>(())
    })
}

/// Copies all rows; says how many.
///
/// # Errors
/// [`TransferError`]
pub async fn transfer(from: &EmbeddedStore, to: &ScyllaStore) -> Result<u64, TransferError> {
    let (mut after, mut copied) = (None, 0);
    loop {
        let frames = from.frames_after(after, FRAMES_AT_A_TIME).await?;
        let Some(last) = frames.last() else { return Ok(copied) };
        after = last.batches.first().map(|batch| (last.key, batch.first_seq));
        to.remember(frames.clone()).await?;
        for frame in &frames {
            same(to, frame).await?;
        }
        copied += frames.len() as u64;
        tell(&json!({"progress": {"frames": copied}}));
    }
}

async fn same(to: &ScyllaStore, frame: &AcceptedFrame) -> Result<(), TransferError> {
    let Some(first) = frame.batches.first() else { return Ok(()) };
    let found = to.batch_holding(frame.key, first.first_seq).await?;
    match found == Some(KnownBatch { meta: *first, tx_seq: frame.tx_seq }) {
        true => Ok(()),
        false => Err(TransferError::Differs {
            operator: frame.key.operator,
            stream: frame.key.stream,
            first_seq: first.first_seq.get(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use contracts::frame::BatchMeta;
    use contracts::{Hash, Seq, StreamNo, UnixMillis};

    use super::*;
    use crate::domain::StreamKey;

    #[tokio::test]
    async fn all_rows_arrive() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let dir = tempfile::tempdir().expect("a directory");
        let from = EmbeddedStore::open(dir.path()).expect("opens");
        let operator = "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID");
        // More than a page, over two streams.
        let frame = |n: u64| AcceptedFrame {
            key: StreamKey { operator, stream: StreamNo((n % 2) as u8) },
            tx_seq: n,
            batches: vec![BatchMeta {
                first_seq: Seq::new(n * 5 + 1).expect("in range"),
                count: 5,
                accepted_at: UnixMillis(n as i64),
                root: Hash([n as u8; 32]),
            }],
        };
        let frames: Vec<AcceptedFrame> = (0..600).map(frame).collect();
        from.remember(frames.clone()).await.expect("remembers");
        let to = ScyllaStore::open(&settings).await.expect("opens");
        for _ in 0..2 {
            assert_eq!(transfer(&from, &to).await.expect("copies"), 600);
        }
        for frame in &frames {
            same(&to, frame).await.expect("is there");
        }
        let last = to.last_batch(frames[599].key).await.expect("reads").expect("a batch");
        assert_eq!(last.meta, frames[599].batches[0]);
    }
}
