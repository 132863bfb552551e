//! One actor a file. Each owns a piece of state that must change in one order.

pub mod chain;
pub mod follower;
pub mod log;

use std::time::SystemTime;

use async_trait::async_trait;
use contracts::{Hash, Height, OperatorId, UnixMillis};

/// What others were told, as far as it can be asked: it shows when our store was set back to an earlier state.
///
/// Both questions end with a reason in words when they can't be answered now.
#[async_trait]
pub trait Witness: Send + Sync + 'static {
    /// Height and hash of the newest announced block of an operator.
    async fn last_block(&self, operator: OperatorId) -> Result<Option<(Height, Hash)>, String>;

    /// The newest announced checkpoint, as a signed note.
    async fn last_checkpoint(&self) -> Result<Option<Vec<u8>>, String>;
}

/// What the wall clock says. The domain gets it as an argument.
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(since.as_millis() as i64)
}
