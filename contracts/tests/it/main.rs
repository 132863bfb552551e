//! Black-box tests of the contracts: the files that others build on.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod asyncapi;
mod openapi;
mod schemas;
mod vectors;
