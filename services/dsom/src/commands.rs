//! The command line: one file a command.

mod bench;
mod conformance;
mod desk;
mod fsck;
mod health;
mod keys;
mod licence;
mod migrate;
mod migrate_store;
mod operator;
mod register;
mod rehearse;
mod send;
mod simulate;
mod site;
mod token;
mod up;
mod verify;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use contracts::receipt::Env;

use crate::{Failure, out};

/// Runs the DSOM mesh on this machine, sends to it, verifies what it publishes, measures it.
#[derive(Debug, Parser)]
#[command(
    name = "dsom",
    version,
    after_help = "Exit codes: 0 good, 1 the check failed or the data is bad, 2 wrong usage, 3 could not reach."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
    Token(token::Token),
    Operator(operator::Operator),
    Licence(licence::Licence),
    Site(site::Site),
    Register(register::Register),
    Rehearse(rehearse::Rehearse),
    Conformance(conformance::Conformance),
    Keys(keys::Keys),
    Send(send::Send),
    Simulate(simulate::Simulate),
    Verify(verify::Verify),
    Fsck(fsck::Fsck),
    Health(health::Health),
    Migrate(migrate::Migrate),
    MigrateStore(migrate_store::MigrateStore),
    Bench(bench::Bench),
}

/// The folder of a mesh.
#[derive(Debug, Clone, clap::Args)]
pub struct Data {
    /// Folder of the mesh
    #[arg(long = "data", value_name = "DIR", default_value = ".dsom", env = "DSOM_DATA_DIR")]
    pub dir: PathBuf,
}

/// The world that `--sandbox` chooses.
fn world(sandbox: bool) -> Env {
    if sandbox { Env::Test } else { Env::Live }
}

/// Runs what the command line asks for.
///
/// # Errors
/// [`Failure`], with the exit code and what to tell the person.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let ended = match arguments.command {
        Command::Up(up) => wait(up.run()),
        Command::Token(token) => wait(token.run()),
        Command::Operator(operator) => wait(operator.run()),
        Command::Licence(licence) => wait(licence.run()),
        Command::Site(site) => wait(site.run()),
        Command::Register(register) => wait(register.run()),
        Command::Rehearse(rehearse) => wait(rehearse.run()),
        Command::Conformance(conformance) => wait(conformance.run()),
        Command::Keys(keys) => keys.run(),
        Command::Send(send) => wait(send.run()),
        Command::Simulate(simulate) => wait(simulate.run()),
        Command::Verify(verify) => wait(verify.run()),
        Command::Fsck(fsck) => wait(fsck.run()),
        Command::Health(health) => wait(health.run()),
        Command::Migrate(migrate) => migrate.run(),
        Command::MigrateStore(migrate) => migrate.run(),
        Command::Bench(bench) => wait(bench.run()),
    };
    ended.and_then(|()| out::is_whole())
}

/// Runs a command that waits for others.
fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::unreachable("no threads").because(&error))?;
    let ended = runtime.block_on(command);
    // The load of an interrupted bench would go on to its end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}
