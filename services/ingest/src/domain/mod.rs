//! Facts to decisions, without clock, network or store: batches, their order, differences, rates.

pub mod batch;
pub mod budget;
pub mod difference;
pub mod line;
pub mod rate;

pub use batch::{Batch, StreamHead, StreamKey};
pub use budget::{Budget, Lease};
pub use difference::{Difference, Verdict};
