//! Reads the command line and runs one command.
#![allow(clippy::print_stderr, reason = "this command talks to a person")]

use std::process::ExitCode;

use clap::Parser as _;
use dsom::commands::{Arguments, run};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("dsom: {}", failure.text);
            ExitCode::from(failure.exit as u8)
        }
    }
}
