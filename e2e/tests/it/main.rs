//! The whole mesh as processes, seen from outside. The binaries must be built before: `cargo build --bins`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a test measured is for the person who runs it")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot see its mesh must stop"
)]

mod bitrot;
mod broker;
mod check;
mod cluster;
mod collector;
mod containers;
mod engine;
mod full;
mod go;
mod image;
mod licensing;
mod load;
mod manifests;
mod mesh;
mod moving;
mod nemesis;
mod others;
mod pages;
mod replicas;
mod sandbox;
mod sharing;
mod sites;
mod telemetry;
mod verify;
mod world;
