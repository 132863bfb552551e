//! The one command people type: runs the mesh, sends, verifies, measures.
#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this command talks to a person")]

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
