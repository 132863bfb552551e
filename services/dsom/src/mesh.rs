//! A whole mesh on this machine: its folder, its keys, its processes.

pub mod engine;
pub mod files;
pub mod keys;
mod leftover;
pub mod logins;
pub mod nats;
mod ports;
pub mod process;
mod ready;
pub mod run;

pub use engine::Engine;
pub use files::{Addresses, Layout, MeshFile, SandboxFile};
pub use ports::Ports;
pub use run::{Mesh, sibling};
