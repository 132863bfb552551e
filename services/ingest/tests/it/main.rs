//! Ingest seen from outside: over HTTP, with a real nats-server.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on must stop")]
#![allow(clippy::print_stdout, reason = "a seed must be seen")]

mod answers;
mod bodies;
mod faults;
mod old;
mod replicas;
mod tokens;
mod world;
