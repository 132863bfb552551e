//! Reads the command line and runs one command.

use std::process::ExitCode;

use clap::Parser as _;
use dsom::commands::{Arguments, run};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            dsom::out::aside(format_args!("dsom: {}", failure.text));
            ExitCode::from(failure.exit as u8)
        }
    }
}
