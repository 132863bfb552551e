//! Writes rows of accepted frames to the store, in groups, in nobody's way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::storage::{AcceptedFrame, Store};

/// Frames that may wait to be written: a few seconds at the highest rate. More are dropped and counted; they are learnt again
/// when they are looked for.
const WAITING_MAX: usize = 16_384;
/// Pause between two groups: nobody waits for a row, and each group costs a sync on a disk that accepting needs more.
const PAUSE: Duration = Duration::from_millis(200);

/// The way to the index. Clones share it.
#[derive(Clone)]
pub struct IndexWriter {
    orders: mpsc::Sender<Order>,
}

enum Order {
    Remember(AcceptedFrame),
    /// Answer when all before it is written.
    Flush(oneshot::Sender<()>),
}

impl IndexWriter {
    /// Starts the task that writes. It ends when the last clone is dropped.
    pub fn start(store: Arc<dyn Store>) -> Self {
        let (orders, mut waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            let mut group = Vec::new();
            while waiting.recv_many(&mut group, WAITING_MAX).await > 0 {
                let (mut frames, mut flushes) = (Vec::with_capacity(group.len()), Vec::new());
                for order in group.drain(..) {
                    match order {
                        Order::Remember(frame) => frames.push(frame),
                        Order::Flush(done) => flushes.push(done),
                    }
                }
                let count = frames.len();
                if let Err(error) = store.remember(frames).await {
                    crate::metrics::index_rows_lost(count);
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        count,
                        "could not write {count} index rows"
                    );
                }
                if flushes.is_empty() {
                    tokio::time::sleep(PAUSE).await;
                }
                // Who asked may be gone.
                flushes.into_iter().for_each(|done| done.send(()).unwrap_or_default());
            }
        });
        Self { orders }
    }

    /// Hands over a row; drops it when too many wait.
    pub fn remember(&self, frame: AcceptedFrame) {
        if self.orders.try_send(Order::Remember(frame)).is_err() {
            crate::metrics::index_rows_lost(1);
        }
    }

    /// Waits until all rows handed over are written, or have failed to be.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.orders.send(Order::Flush(done)).await.is_ok() {
            // The task may have ended: then nothing waits.
            flushed.await.ok();
        }
    }
}
