//! Checkers of others (`e2e/go`), where Go is installed, and a copy of the log for them to look at.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a checker may think; one that hangs has not accepted.
const THINK: Duration = Duration::from_secs(120);
/// What tessera's fsck says; it exits 0 whatever it found.
const GOOD: &str = "Successfully fsck'd log with size";

/// The checkers, built.
pub struct Others {
    dir: tempfile::TempDir,
}

impl Others {
    /// Builds them; `None`, said loudly, where there is no Go, or no network to get its modules from and this is no CI.
    pub fn build() -> Option<Self> {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("go");
        if Command::new("go").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            eprintln!("\n*** NOT CHECKED BY THE TOOLS OF OTHERS: there is no `go` here ***\n");
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, package) in [("fsck", "github.com/transparency-dev/tessera/cmd/fsck"), ("prooftool", "./prooftool")]
        {
            let mut go = Command::new("go");
            go.args(["build", "-o"]).arg(dir.path().join(name)).arg(package).current_dir(&module);
            let built = go.output().expect("go runs");
            if !built.status.success() {
                let why = String::from_utf8_lossy(&built.stderr).into_owned();
                assert!(std::env::var_os("CI").is_none(), "the tools of others do not build: {why}");
                eprintln!("\n*** NOT CHECKED BY THE TOOLS OF OTHERS: they do not build here ***\n{why}\n");
                return None;
            }
        }
        Some(Self { dir })
    }

    /// Whether tessera's fsck accepts the log at `url` (which ends in `/log/`).
    pub fn log_is_good(&self, url: &str, vkey: &str) -> bool {
        let key = self.dir.path().join("vkey");
        std::fs::write(&key, format!("{vkey}\n")).expect("a key file");
        let mut fsck = Command::new(self.dir.path().join("fsck"));
        fsck.arg(format!("--storage_url={url}")).arg(format!("--public_key={}", key.display()));
        fsck.args(["--ui=false", "-N", "4", "-v", "0"]);
        let mut child =
            fsck.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("fsck runs");
        let mut stderr = child.stderr.take().expect("a pipe");
        let reader = std::thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).expect("UTF-8");
            said
        });
        let began = Instant::now();
        while child.try_wait().expect("fsck is waited for").is_none() {
            if began.elapsed() > THINK {
                child.kill().expect("fsck is killed");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let said = reader.join().expect("what fsck said");
        let good = said.contains(GOOD);
        // On failure it also prints whole tiles in hexadecimal.
        let told = said.lines().find(|line| if good { line.contains(GOOD) } else { line.contains("fsck.go") });
        let (told, seconds) = (told.unwrap_or(&said), began.elapsed().as_secs_f64());
        println!("fsck: {} after {seconds:.1} s: {told:.160}", if good { "good" } else { "refused" });
        good
    }

    /// Whether the reader of others accepts a proof file.
    pub fn proof_is_good(&self, file: &[u8], vkey: &str) -> bool {
        let path = self.dir.path().join("record.tlog-proof");
        std::fs::write(&path, file).expect("a proof file");
        let mut tool = Command::new(self.dir.path().join("prooftool"));
        tool.args(["-vkey", vkey, "-proof"]).arg(&path);
        tool.output().expect("prooftool runs").status.success()
    }
}

/// What of a log was read, by path.
pub type Copied = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A copy of a log, served. What is missing is fetched from `from`, the base URL of chaining, as long as there is one.
pub struct Mirror {
    /// Base URL of the copy, with `/log/`.
    pub url: String,
    /// The copy.
    pub files: Copied,
}

impl Mirror {
    /// Serves a copy until the test ends.
    pub fn start(from: Option<String>, files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/log/", listener.local_addr().expect("an address"));
        let files = Arc::new(Mutex::new(files));
        let copy = Arc::clone(&files);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (copy, from) = (Arc::clone(&copy), from.clone());
                std::thread::spawn(move || serve(client, &copy, from.as_deref()));
            }
        });
        Self { url, files }
    }
}

/// Answers one request and closes.
fn serve(client: TcpStream, copy: &Copied, from: Option<&str>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let path = first.split(' ').nth(1)?.to_owned();
    let mut found = copy.lock().ok()?.get(&path).cloned();
    if let (None, Some(from)) = (&found, from) {
        found = fetch(from, &path);
        if let Some(bytes) = &found {
            copy.lock().ok()?.insert(path, bytes.clone());
        }
    }
    let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let mut client = client;
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    client.write_all(head.as_bytes()).ok()?;
    client.write_all(&body).ok()
}

fn fetch(from: &str, path: &str) -> Option<Vec<u8>> {
    let (mut server, mut answer) = (TcpStream::connect(from.trim_start_matches("http://")).ok()?, Vec::new());
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes()).ok()?;
    server.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    answer.starts_with(b"HTTP/1.1 200").then(|| answer[end + 4..].to_vec())
}

/// A copy with one byte changed.
pub fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    copy[at] ^= 1;
    copy
}
