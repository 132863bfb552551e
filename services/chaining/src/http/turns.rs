//! Turns to read: each holds a whole block in memory, unpacked, so only some are given at a time.

use std::sync::Arc;
use std::time::Duration;

use contracts::problems::Code;
use runtime::ApiError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests that hold a block at a time. A block is 1 MiB packed as a rule and 8 MiB at most, some five times that unpacked.
pub const READS_AT_ONCE_MAX: usize = 8;
/// How long a request waits for its turn. More would only queue what the caller gives up on.
pub const TURN_WAIT_MAX: Duration = Duration::from_secs(2);

/// Gives turns, in the order they are asked for.
#[derive(Debug)]
pub struct Turns {
    free: Arc<Semaphore>,
    wait_max: Duration,
}

/// The right to hold a block; given back when dropped.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held, not used")] OwnedSemaphorePermit);

impl Turns {
    /// So many at a time, each waited for so long.
    pub fn new(at_once: usize, wait_max: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(at_once)), wait_max }
    }

    /// A turn for a request that has not been answered yet.
    ///
    /// # Errors
    /// None came in time: 503, with when to ask again.
    pub async fn soon(&self) -> Result<Turn, ApiError> {
        let busy = |_| ApiError::new(Code::Unavailable, "too many records are being read at once").retry_after(1);
        tokio::time::timeout(self.wait_max, self.whenever()).await.map_err(busy)?
    }

    /// A turn for an answer that has begun: it may take its time, and must not break off.
    ///
    /// # Errors
    /// The service is stopping.
    pub async fn whenever(&self) -> Result<Turn, ApiError> {
        let turn = Arc::clone(&self.free).acquire_owned().await;
        turn.map(Turn).map_err(|_| ApiError::new(Code::Unavailable, "the service is stopping"))
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new(READS_AT_ONCE_MAX, TURN_WAIT_MAX)
    }
}
