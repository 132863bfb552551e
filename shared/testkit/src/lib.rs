//! Test only: starts nats-server, services and the mesh on free ports.
#![doc = include_str!("../README.md")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot build its world must stop"
)]

mod answers;
mod between;
mod cql;
mod data;
mod issuer;
mod methods;
mod nats;
mod process;
mod proxy;
pub mod register;
mod wait;

pub use answers::{Answers, Exchanged};
pub use between::{APPLIED, CqlProxy, Happened};
pub use cql::CqlKeyspace;
pub use data::{DataFile, data_dir, data_files, expected};
pub use issuer::{AUDIENCE, ISSUER, Issuer};
pub use methods::every_path_knows_its_methods;
pub use nats::{NatsConfig, NatsServer};
pub use process::{Process, binary};
pub use proxy::{Fault, Proxy};
pub use scylla_proxy;
pub use wait::{free_port, wait_for};
