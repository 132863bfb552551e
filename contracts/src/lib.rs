//! What others may rely on: the words of DSOM's wire, as types that refuse nonsense.
//!
//! Nothing here does I/O, reads a clock or knows a service. Bytes come in, typed values go out.

pub mod ask;
pub mod batch;
pub mod block;
pub mod conformance;
pub mod events;
pub mod export;
pub mod frame;
pub mod hash;
pub mod ids;
pub mod money;
pub mod problems;
pub mod receipt;
pub mod record;
pub mod registry;
pub mod subjects;
pub mod time;
pub mod traffic;

pub use hash::Hash;
pub use ids::{Height, OperatorId, RecordId, Seq, StreamNo};
pub use time::UnixMillis;
