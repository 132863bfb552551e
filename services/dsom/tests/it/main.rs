//! The command as people run it: its exit codes, its help, what it accepts as evidence and what it refuses.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::expect_used, reason = "a test that cannot go on must stop")]

mod evidence;
mod health;
mod keys;
mod mesh;
mod send;
#[path = "../../../../shared/client/tests/it/server.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the SDK's own server, of which these tests use a part")]
mod server;
mod usage;
mod verify;

use std::process::{Command, Output, Stdio};

/// Runs `dsom` to its end.
fn dsom(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dsom"));
    command.args(arguments).stdin(Stdio::null()).output().expect("dsom runs")
}

/// The exit code, and all it said.
fn said(arguments: &[&str]) -> (i32, String) {
    let out = dsom(arguments);
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code().expect("an exit code"), text)
}
