//! Chaining as its neighbours see it: frames go into a real `TX`, blocks, proofs and checkpoints come out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop"
)]

mod again;
mod background;
mod cql;
mod doubles;
mod fsck;
mod keep;
mod log;
mod partitions;
mod path;
mod register;
mod remarks;
mod roles;
mod world;
