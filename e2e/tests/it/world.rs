//! A mesh in a folder of the test's own, and an operator's view of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use contracts::OperatorId;
use dsom::mesh::MeshFile;
use serde_json::Value;
use testkit::{CqlKeyspace, Process, binary};
use tokio::sync::{Mutex, MutexGuard};

/// How long a mesh may take until it is ready, and until it has stopped.
pub const MESH: Duration = Duration::from_secs(60);
/// How long what is accepted may take until it is in the public log.
pub const PUBLISHED: Duration = Duration::from_secs(30);
/// How often something is looked at.
const EVERY: Duration = Duration::from_millis(20);

/// Meshes share two cores: one under load, or with faults, at a time, and one beside it that only answers.
static LOADED: Mutex<()> = Mutex::const_new(());
static CALM: Mutex<()> = Mutex::const_new(());

/// Waits for the turn of a test that puts its mesh under load, or breaks it.
pub async fn turn() -> MutexGuard<'static, ()> {
    LOADED.lock().await
}

/// Waits for the turn of a test whose mesh has little to do.
pub async fn calm_turn() -> MutexGuard<'static, ()> {
    CALM.lock().await
}

/// Looks until `look` gives something, and panics when `limit` has passed without.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, limit: Duration, look: impl Fn() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(began.elapsed() < limit, "waited {limit:?} for {what}");
        tokio::time::sleep(EVERY).await;
    }
}

/// `dsom up` on a folder.
pub struct World {
    dir: tempfile::TempDir,
    /// What `up` is told of the engine, and whether to run a sandbox.
    engine: Vec<String>,
    /// Beside that of this process.
    environment: Vec<(&'static str, &'static str)>,
    /// The keyspaces' first part of the name; dropped with it.
    keyspaces: Option<(String, CqlKeyspace)>,
    up: Option<Process>,
    /// For requests of the test's own.
    pub http: reqwest::Client,
}

impl World {
    /// A new folder; nothing runs.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("dsom-e2e-").tempdir().expect("a temporary folder");
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().expect("an HTTP client");
        Self { dir, engine: Vec::new(), environment: Vec::new(), keyspaces: None, up: None, http }
    }

    /// As [`World::new`], with keyspaces of its own on the CQL server; on another than `SCYLLA_NODES` names if `nodes` does. `None`
    /// where there is no server.
    pub fn on_cql(nodes: Option<String>) -> Option<Self> {
        let mut world = Self::new();
        world.moved_to_cql(nodes).then_some(world)
    }

    /// From its next start on the mesh is on the CQL server; `false` where there is none.
    fn moved_to_cql(&mut self, nodes: Option<String>) -> bool {
        let prefix = format!("e2e_{:016x}", rand::random::<u64>());
        let Some(keyspaces) = CqlKeyspace::of_mesh(&prefix) else { return false };
        let nodes = nodes.unwrap_or_else(|| keyspaces.nodes());
        self.engine.extend(["--store", "scylla", "--nodes", &nodes, "--keyspace", &prefix].map(str::to_owned));
        self.keyspaces = Some((prefix, keyspaces));
        true
    }

    /// Copies what a stopped mesh keeps in its folder to the CQL server, where it goes on from its next start; gives what was said, or
    /// `None` where there is no server.
    pub fn migrate_store(&mut self) -> Option<String> {
        self.moved_to_cql(None).then(|| self.migrate_store_again())
    }

    /// The same once more.
    pub fn migrate_store_again(&self) -> String {
        let (prefix, keyspaces) = self.keyspaces.as_ref().expect("a mesh on a CQL server");
        let to = ["--nodes", &keyspaces.nodes(), "--keyspace", prefix, "--replication-factor", "1"];
        self.dsom_ok(&[&["migrate-store"], &to[..]].concat(), &[])
    }

    /// Whether it keeps its data in its folder.
    pub fn is_embedded(&self) -> bool {
        self.keyspaces.is_none()
    }

    /// What the mesh gets in its environment when it is started.
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (&'static str, &'static str)>) {
        self.environment.extend(variables);
    }

    /// Settings of a service that keeps its data where the mesh's own does: on the CQL server.
    pub fn cql_settings(&self, service: &str) -> Vec<(String, String)> {
        let (prefix, keyspaces) = self.keyspaces.as_ref().expect("a mesh on a CQL server");
        let name = |field: &str| format!("DSOM_{}_{field}", service.to_uppercase());
        vec![
            (name("STORE"), "scylla".to_owned()),
            (name("SCYLLA_NODES"), keyspaces.nodes()),
            (name("SCYLLA_KEYSPACE"), format!("{prefix}_{service}")),
        ]
    }

    /// A new folder with a mesh that is ready.
    pub async fn started() -> Self {
        let mut world = Self::new();
        world.up().await;
        world
    }

    /// As [`World::started`], with a sandbox.
    pub async fn with_sandbox() -> Self {
        let mut world = Self::new();
        world.engine = vec!["--sandbox".to_owned()];
        world.up().await;
        world
    }

    /// Starts the mesh and waits until it is ready.
    pub async fn up(&mut self) {
        self.begin();
        until("the mesh to be ready", MESH, || async { self.mesh_if_ready() }).await;
    }

    /// Starts the mesh.
    pub fn begin(&mut self) {
        let mut command = Command::new(binary("dsom"));
        command.args(["up", "--ports", "free", "--data"]).arg(self.dir.path()).args(&self.engine);
        command.envs(self.environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.up = Some(Process::spawn(&mut command, MESH));
    }

    /// Stops the mesh in good order.
    pub fn stop(&mut self) {
        if let Some(mut up) = self.up.take() {
            let ended = up.stop();
            assert!(ended.success(), "`dsom up` ended with {ended}");
        }
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `mesh.json`, if the mesh is ready.
    pub fn mesh_if_ready(&self) -> Option<MeshFile> {
        MeshFile::read(self.dir.path()).ok()
    }

    /// `mesh.json`.
    pub fn mesh(&self) -> MeshFile {
        self.mesh_if_ready().expect("the mesh is ready")
    }

    /// Runs `dsom` with `--data`.
    pub fn dsom(&self, arguments: &[&str], rest: &[PathBuf]) -> Output {
        let (command, more) = arguments.split_first().expect("a command");
        let mut dsom = Command::new(binary("dsom"));
        dsom.arg(command).arg("--data").arg(self.dir.path()).args(more).args(rest);
        dsom.stdin(Stdio::null()).output().expect("dsom runs")
    }

    /// Runs `dsom` and gives what it printed.
    pub fn dsom_ok(&self, arguments: &[&str], rest: &[PathBuf]) -> String {
        let out = self.dsom(arguments, rest);
        assert!(out.status.success(), "dsom {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("UTF-8")
    }

    /// A bearer token.
    pub fn token(&self, operator: OperatorId, scope: &str) -> String {
        let operator = operator.to_string();
        self.dsom_ok(&["token", "--operator", &operator, "--scope", scope], &[]).trim().to_owned()
    }

    /// The body of a GET, or `None` when there is no good answer.
    pub async fn get(&self, url: &str, token: Option<&str>) -> Option<Vec<u8>> {
        let mut request = self.http.get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        Some(answer.bytes().await.ok()?.to_vec())
    }

    /// Where an operator's chain ends.
    pub async fn chain(&self, operator: OperatorId, token: &str) -> Option<Value> {
        let url = format!("{}/v1/chains/{operator}", self.mesh_if_ready()?.chaining);
        serde_json::from_slice(&self.get(&url, Some(token)).await?).ok()
    }

    /// Waits until so many records of an operator are sealed and all its blocks are in the public log.
    pub async fn published(&self, operator: OperatorId, token: &str, records: u64) -> Value {
        until(&format!("{records} records of {operator} to be published"), PUBLISHED, || async {
            let chain = self.chain(operator, token).await?;
            (chain["total"].as_u64()? >= records && chain["logged"] == chain["height"]).then_some(chain)
        })
        .await
    }

    /// All of an operator's chain, as one file.
    pub async fn export(&self, operator: OperatorId, token: &str) -> Vec<u8> {
        let url = format!("{}/v1/export/{operator}", self.mesh().chaining);
        until("an export", Duration::from_secs(10), || self.get(&url, Some(token))).await
    }

    /// The proof file of a record.
    pub async fn proof(&self, operator: OperatorId, stream: u64, seq: u64, token: &str) -> Vec<u8> {
        let url = format!("{}/v1/records/{operator}/{stream}/{seq}/proof", self.mesh().chaining);
        until("a proof", Duration::from_secs(10), || self.get(&url, Some(token))).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Some(mut up) = self.up.take() else { return };
        if std::thread::panicking() {
            for name in ["licensing", "ingest", "chaining", "nats", "sandbox-ingest", "sandbox-chaining"] {
                let log = std::fs::read_to_string(self.dir.path().join(format!("logs/{name}.log"))).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(8).collect();
                eprintln!("the last of {name}'s log, newest first:\n{}", last.join("\n"));
            }
        }
        // A supervisor that is killed would leave nats-server behind.
        signal(up.pid(), "TERM");
        let began = Instant::now();
        while up.is_running() && began.elapsed() < MESH {
            std::thread::sleep(EVERY);
        }
    }
}

/// Sends a signal to a process of the mesh; `false` when there is no such process.
pub fn signal(pid: u32, name: &str) -> bool {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).stderr(Stdio::null()).status();
    sent.is_ok_and(|status| status.success())
}

/// Whether a process runs.
pub fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
