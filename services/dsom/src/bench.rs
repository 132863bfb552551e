//! The speed of a whole mesh under open-loop load, generator included, on this machine.
//!
//! Load is open-loop: each request has an intended start, and its latency counts from there, so a slow mesh cannot hide by slowing
//! the generator (coordinated omission). Lags are the mesh's own: from the time stamped into a receipt until the block, or the
//! checkpoint over it, is durable; they are read from chaining's histograms, so a quantile is exact to its bucket.

pub mod alone;
pub mod load;
pub mod measure;
pub mod point;
pub mod report;
pub mod watch;
