//! The SDK against an ingest of the tests' own, which answers what it is told to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod sending;
mod server;
mod signing;
mod vectors;
