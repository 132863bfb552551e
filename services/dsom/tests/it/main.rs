//! The command as people run it: its exit codes, its help, what it accepts as evidence and what it refuses.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::expect_used, reason = "a test that cannot go on must stop")]

mod clerk;
mod evidence;
mod health;
mod keys;
mod licensing;
mod mesh;
mod send;
// The SDK's own server: these tests use a part of it.
#[path = "../../../../shared/client/tests/it/server.rs"]
#[expect(dead_code, reason = "the SDK's tests use the rest")]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
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
