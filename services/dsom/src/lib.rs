//! The one command people type: runs the mesh, sends, verifies, measures.
#![doc = include_str!("../README.md")]

// First, for the others print with its macros.
#[macro_use]
pub mod out;

pub mod bench;
pub mod commands;
pub mod conformance;
pub mod failure;
pub mod files;
pub mod generate;
pub mod mesh;
pub mod register;
pub mod rehearsal;
pub mod sending;
pub mod signals;
pub mod verify;

pub use failure::{Exit, Failure};
