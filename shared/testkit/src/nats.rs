//! A real nats-server of the test's own.

use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use contracts::frame::FRAME_BYTES_MAX;

use crate::wait::{free_port, wait_for};

/// How long a server may take to listen, or to stop.
const START: Duration = Duration::from_secs(10);

/// What a test may choose about its server.
#[derive(Debug, Clone)]
pub struct NatsConfig {
    /// `sync_interval`, `always` unless the test is about servers that do not sync.
    pub sync_interval: String,
    /// Bytes JetStream may use.
    pub max_file_store_bytes: u64,
    /// Further lines of its configuration.
    pub more: String,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self { sync_interval: "always".to_owned(), max_file_store_bytes: 64 << 30, more: String::new() }
    }
}

/// A nats-server with JetStream in a directory of its own, killed and removed on drop.
pub struct NatsServer {
    dir: tempfile::TempDir,
    port: u16,
    monitor_port: u16,
    child: Option<Child>,
}

impl NatsServer {
    /// Starts one on free ports, syncing always.
    pub fn start() -> Self {
        Self::start_with(&NatsConfig::default())
    }

    /// Starts one on free ports.
    pub fn start_with(config: &NatsConfig) -> Self {
        let dir = tempfile::Builder::new().prefix("dsom-nats-").tempdir().unwrap();
        let mut server = Self { dir, port: free_port(), monitor_port: free_port(), child: None };
        server.configure(config);
        server.run();
        server
    }

    /// Writes another configuration; the server takes it up when it is restarted.
    pub fn configure(&self, config: &NatsConfig) {
        let text = format!(
            "server_name: \"test-{port}\"\nlisten: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitor}\"\n\
             max_payload: {payload}\nmax_pending: {pending}\n\
             jetstream {{ store_dir: \"{store}\", sync_interval: {sync}, max_memory_store: 256MB, max_file_store: {bytes} }}\n{more}\n",
            port = self.port,
            monitor = self.monitor_port,
            payload = (FRAME_BYTES_MAX + (64 << 10)).next_multiple_of(1 << 20),
            pending = 256 << 20,
            store = self.dir.path().join("store").display(),
            sync = config.sync_interval,
            bytes = config.max_file_store_bytes,
            more = config.more,
        );
        std::fs::write(self.dir.path().join("nats.conf"), text).unwrap();
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Where the server tells about itself.
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }

    /// The server's own directory: its configuration, its log `nats.log` and JetStream's `store`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// Kills it as a crash would (SIGKILL).
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it in good order (SIGTERM).
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(child.id(), "TERM");
            wait_for("nats-server to stop", START, || child.try_wait().unwrap());
        }
    }

    /// Starts it again, on the same ports and the same store.
    pub fn restart(&mut self) {
        self.stop();
        self.run();
    }

    /// Freezes it (SIGSTOP): connections stand, nothing is answered. Threads run on for some milliseconds after the
    /// signal is sent, time enough to answer, so this waits until the last one stands.
    pub fn pause(&self) {
        signal(self.pid(), "STOP");
        wait_for("nats-server to freeze", START, || stands(self.pid()).then_some(()));
    }

    /// Lets a frozen one go on (SIGCONT).
    pub fn resume(&self) {
        signal(self.pid(), "CONT");
    }

    fn run(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("nats.log")).unwrap();
        let program = nats_server_binary();
        let child = Command::new(&program)
            .arg("-c")
            .arg(self.dir.path().join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        self.child = Some(child);
        let listens = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
        wait_for("nats-server to listen", START, || {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "nats-server ended: {}", self.log());
            (listens(self.port) && listens(self.monitor_port)).then_some(())
        });
    }

    fn log(&self) -> String {
        let mut text = String::new();
        std::fs::File::open(self.dir.path().join("nats.log")).unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Sends a signal to a process of the test's own.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().unwrap();
    assert!(sent.success(), "cannot send {name} to {pid}");
}

/// Whether every thread of a process is stopped (state `T` of `/proc/PID/task/TID/stat`, proc(5)).
fn stands(pid: u32) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|thread| {
        // One that has ended meanwhile is looked for again. The name before the state may hold anything, brackets, too.
        std::fs::read_to_string(thread.unwrap().path().join("stat"))
            .is_ok_and(|stat| stat.rsplit_once(") ").unwrap().1.starts_with('T'))
    })
}

/// `$NATS_SERVER`, else the one `make` has put under the repository, else the one of the path.
fn nats_server_binary() -> PathBuf {
    if let Some(named) = std::env::var_os("NATS_SERVER") {
        return named.into();
    }
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.dsom/tools/nats/bin/nats-server");
    if ours.exists() { ours } else { "nats-server".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_paused_says_nothing_until_it_is_resumed() {
        let server = NatsServer::start();
        let greeting = || {
            let mut client = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            client.read(&mut [0; 4]).is_ok()
        };
        for _ in 0..10 {
            server.pause();
            assert!(stands(server.pid()) && !greeting());
            server.resume();
            wait_for("a greeting", START, || greeting().then_some(()));
        }
    }
}
