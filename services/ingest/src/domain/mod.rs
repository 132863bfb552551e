//! Facts to decisions, without clock, network or store: batches, their order, differences.

pub mod attempts;
pub mod batch;
pub mod beside;
pub mod budget;
pub mod difference;
pub mod exchange;
pub mod flags;
pub mod line;
pub mod pace;
pub mod signature;

pub use batch::{Batch, StreamHead, StreamKey};
pub use beside::Beside;
pub use budget::{Budget, Lease};
pub use difference::{Difference, Verdict};
pub use flags::{Flagged, Flags};
pub use pace::Pace;
