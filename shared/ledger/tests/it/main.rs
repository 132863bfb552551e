//! The ledger seen from outside: published vectors, properties, the shared data, and golden proofs made elsewhere.

// Helpers of tests are not themselves tests to clippy.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::needless_range_loop)]

mod batch_signatures;
mod data;
mod golden;
mod log;
mod notes;
mod tree;
mod vectors;
