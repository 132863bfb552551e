//! Who serves a stream, and how it is reached.

mod alarm;
pub mod broker;
mod flagging;
mod index;
pub mod orders;
mod packing;
mod recent;
mod registry;
pub mod sequencer;
#[cfg(test)]
mod tests;
mod truth;
mod waiting;

pub(crate) use alarm::Raised;
pub use broker::{AppendError, Broker, Stored, Unavailable};
pub use index::IndexWriter;
pub use orders::{Accepted, Append, Find, Order, Refusal, SequencerState};
pub use packing::Packers;
pub use registry::{Overloaded, Registry};
pub use truth::Truth;

use std::time::SystemTime;

use contracts::UnixMillis;

/// The time of day; 1970 when the clock is set before it.
pub(crate) fn now() -> UnixMillis {
    let passed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
}
