//! Writes rows of accepted frames to the store, in groups, in nobody's way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::storage::{AcceptedFrame, Store};

/// Frames that may wait to be written: a few seconds at the highest rate. More are dropped and counted; they are learnt again
/// when they are looked for.
const WAITING_MAX: usize = 16_384;
/// Pause between two groups: nobody waits for a row, and each group costs a sync on a disk that accepting needs more.
const PAUSE: Duration = Duration::from_millis(200);

/// The way to the index. Clones share it.
#[derive(Clone)]
pub struct IndexWriter {
    rows: mpsc::Sender<AcceptedFrame>,
}

impl IndexWriter {
    /// Starts the task that writes. It ends when the last clone is dropped and all rows are written.
    pub fn start(store: Arc<dyn Store>) -> (Self, tokio::task::JoinHandle<()>) {
        let (rows, mut waiting) = mpsc::channel(WAITING_MAX);
        let task = tokio::spawn(async move {
            let mut group = Vec::new();
            while waiting.recv_many(&mut group, WAITING_MAX).await > 0 {
                let frames = group.len();
                if let Err(error) = store.remember(std::mem::take(&mut group)).await {
                    crate::metrics::index_rows_lost(frames);
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        frames,
                        "could not write {frames} index rows"
                    );
                }
                if !waiting.is_closed() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
        (Self { rows }, task)
    }

    /// Hands over a row; drops it when too many wait.
    pub fn remember(&self, frame: AcceptedFrame) {
        if self.rows.try_send(frame).is_err() {
            crate::metrics::index_rows_lost(1);
        }
    }
}
