//! A whole mesh on this machine: its folder, its keys, its processes.

pub mod engine;
pub mod files;
pub mod keys;
pub mod nats;
pub mod process;
pub mod run;

pub use engine::Engine;
pub use files::{Addresses, Layout, MeshFile, SandboxFile};
pub use run::{Mesh, Ports, sibling};
