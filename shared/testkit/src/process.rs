//! Programs of the workspace as processes of a test.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use crate::nats::signal;
use crate::wait::wait_for;

/// The program `name` of this workspace, built in the same profile as the test: it lies above the test's own `deps`.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let deps = test.parent().unwrap();
    let dir = if deps.ends_with("deps") { deps.parent().unwrap() } else { deps };
    let path = dir.join(name);
    assert!(path.exists(), "{} is not built: cargo build -p {name}", path.display());
    path
}

/// A process that is killed when dropped.
pub struct Process {
    child: Child,
    limit: Duration,
}

impl Process {
    /// Starts it. `limit` is how long it may take to end when asked to.
    pub fn spawn(command: &mut Command, limit: Duration) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, limit }
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it as a crash would (SIGKILL).
    pub fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        signal(self.child.id(), "TERM");
        self.wait()
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let (child, limit) = (&mut self.child, self.limit);
        wait_for("a process to end", limit, || child.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill9();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_stopped_or_killed() {
        let mut sleeper = Process::spawn(Command::new("sleep").arg("60"), Duration::from_secs(5));
        assert!(sleeper.is_running());
        assert!(!sleeper.stop().success());
        assert!(!sleeper.is_running());
    }
}
