//! Licensing seen from outside: over HTTP, with a real nats-server.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on must stop")]
#![allow(clippy::print_stdout, reason = "a figure must be seen")]

mod attacks;
mod cql;
mod decisions;
mod key_requests;
mod limits;
mod mesh;
mod register;
mod speed;
mod tokens;
mod values;
mod walk;
mod world;
mod zone;
