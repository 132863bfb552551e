//! Ingest seen from outside: over HTTP, with a real nats-server.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on must stop")]
#![allow(clippy::print_stdout, reason = "a seed must be seen")]

mod answers;
mod bodies;
mod faults;
mod flags;
mod old;
mod register;
mod replicas;
mod sandbox;
mod signatures;
mod tokens;
mod vectors;
mod world;
