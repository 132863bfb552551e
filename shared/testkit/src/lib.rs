//! Test only: starts nats-server, services and the mesh on free ports.
//!
//! Everything here fails loudly: a test that cannot build its world panics with what it lacked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test only")]

mod nats;
mod wait;

pub use nats::{NatsConfig, NatsServer};
pub use wait::{free_port, wait_for};
