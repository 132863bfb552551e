//! Starts the parts of a mesh in order, waits until they are ready, keeps `mesh.json` true, stops them in reverse.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::process::{OnRestart, Plan, Supervised, signal};
use super::{Addresses, Engine, Layout, MeshFile, keys, nats};
use crate::Failure;

/// How long a part may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(60);
/// How often readiness is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Which ports a mesh takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ports {
    /// 7101, 7102, 7103, 7122 and 7123.
    Default,
    /// Whatever is free.
    Free,
}

impl Ports {
    /// The issuer of tokens: the address of licensing (RFC 8414). Where that is another one at each start, a name that stays: tokens
    /// outlive a restart.
    fn issuer(self, at: Addresses) -> String {
        match self {
            Self::Default => format!("http://127.0.0.1:{}", at.licensing),
            Self::Free => "http://licensing.dsom.localhost".to_owned(),
        }
    }

    fn addresses(self) -> Result<Addresses, Failure> {
        match self {
            Self::Default => {
                Ok(Addresses { ingest: 7101, chaining: 7102, licensing: 7103, nats: 7122, nats_monitor: 7123 })
            }
            Self::Free => {
                let held: Vec<_> = (0..5).map(|_| std::net::TcpListener::bind("127.0.0.1:0")).collect();
                let port = |at: usize| {
                    let listener = held.get(at).and_then(|listener| listener.as_ref().ok());
                    let port = listener.and_then(|listener| listener.local_addr().ok()).map(|address| address.port());
                    port.ok_or_else(|| Failure::unreachable("no free port on 127.0.0.1"))
                };
                let (nats, nats_monitor) = (port(3)?, port(4)?);
                Ok(Addresses { ingest: port(0)?, chaining: port(1)?, licensing: port(2)?, nats, nats_monitor })
            }
        }
    }
}

/// A running mesh.
pub struct Mesh {
    layout: Layout,
    engine: Engine,
    parts: Vec<Supervised>,
    file: MeshFile,
    // Held for as long as the mesh runs.
    _lock: File,
}

impl Mesh {
    /// Starts a mesh in a folder and waits until it is ready. `say` is told what happens.
    ///
    /// # Errors
    /// Another mesh runs there, or a part can't be started or does not become ready.
    pub async fn start(
        data: &Path,
        ports: Ports,
        engine: Engine,
        say: Arc<dyn Fn(&str) + Send + Sync>,
    ) -> Result<Self, Failure> {
        let layout = Layout::open(data)?;
        let lock = lock(&layout)?;
        layout.remove_mesh();
        stop_leftover(&layout).await;
        keys::ensure(&layout)?;
        let at = ports.addresses()?;
        let file = MeshFile {
            ingest: format!("http://127.0.0.1:{}", at.ingest),
            chaining: format!("http://127.0.0.1:{}", at.chaining),
            licensing: format!("http://127.0.0.1:{}", at.licensing),
            issuer: ports.issuer(at),
            nats: format!("nats://127.0.0.1:{}", at.nats),
            nats_monitor: format!("http://127.0.0.1:{}", at.nats_monitor),
            log_origin: keys::LOG_ORIGIN.to_owned(),
            log_vkey: keys::log_vkey(&layout)?,
            pids: BTreeMap::new(),
        };
        let mut mesh = Self { layout, engine, parts: Vec::new(), file, _lock: lock };
        match mesh.start_parts(at, say).await {
            Ok(()) => Ok(mesh),
            Err(failure) => {
                mesh.stop().await;
                Err(failure)
            }
        }
    }

    async fn start_parts(&mut self, at: Addresses, say: Arc<dyn Fn(&str) + Send + Sync>) -> Result<(), Failure> {
        let conf = self.layout.path("nats/nats.conf");
        fs::write(&conf, nats::config(&self.layout, at))
            .map_err(|error| Failure::usage(format!("could not write {}", conf.display())).because(&error))?;
        let restarted: OnRestart =
            Arc::new(move |name, how| say(&format!("{name} ended ({how}) and was started again")));
        let server = Plan {
            name: "nats",
            program: nats::find()?,
            arguments: vec!["-c".into(), conf.display().to_string()],
            // JetStream's memory is given back early: the disk is the store.
            environment: vec![("GOMEMLIMIT".into(), "400MiB".into())],
            log: self.layout.path("logs/nats.log"),
        };
        self.part(server, &format!("{}/healthz", self.file.nats_monitor), &restarted).await?;
        // Licensing first: the others want to know who may do what.
        for (name, url) in [
            ("licensing", self.file.licensing.clone()),
            ("chaining", self.file.chaining.clone()),
            ("ingest", self.file.ingest.clone()),
        ] {
            let plan = self.service(name, &url)?;
            self.part(plan, &format!("{url}/readyz"), &restarted).await?;
        }
        self.refresh()
    }

    async fn part(&mut self, plan: Plan, ready: &str, restarted: &OnRestart) -> Result<(), Failure> {
        let (name, log) = (plan.name, plan.log.clone());
        self.parts.push(Supervised::start(plan, Arc::clone(restarted))?);
        wait_ready(ready)
            .await
            .map_err(|why| Failure::unreachable(format!("{name} did not become ready: {why}; see {}", log.display())))
    }

    /// What to run for one of our services.
    fn service(&self, name: &'static str, url: &str) -> Result<Plan, Failure> {
        let prefix = format!("DSOM_{}_", name.to_ascii_uppercase());
        let path = |inside: &str| self.layout.path(inside).display().to_string();
        let mut settings = vec![
            ("LISTEN", url.trim_start_matches("http://").to_owned()),
            ("NATS_URL", self.file.nats.clone()),
            ("NATS_MONITOR_URL", self.file.nats_monitor.clone()),
            ("DATA_DIR", path(name)),
            ("TOKEN_AUDIENCE", keys::TOKEN_AUDIENCE.to_owned()),
        ];
        settings.extend(self.engine.settings(name)?);
        if name != "licensing" {
            settings.extend([
                ("JWKS", format!("{}/jwks.json", self.file.licensing)),
                ("TOKEN_ISSUER", self.file.issuer.clone()),
            ]);
        }
        match name {
            "licensing" => settings.extend([
                ("ISSUER", self.file.issuer.clone()),
                ("TOKEN_KEY", path("keys/token.pem")),
                ("TEST_TOKEN_KEY", path("keys/test-token.pem")),
                ("TEST_TOKEN_AUDIENCE", keys::TEST_TOKEN_AUDIENCE.to_owned()),
                ("CONFORMANCE_JWKS", path("keys/conformance.jwks.json")),
                ("RPZ_ORIGIN", keys::RPZ_ORIGIN.to_owned()),
                ("RPZ_SERVER", format!("ns.{}", keys::RPZ_ORIGIN)),
                ("RPZ_CONTACT", format!("hostmaster.{}", keys::RPZ_ORIGIN)),
            ]),
            "ingest" => settings.extend([
                ("RECEIPT_KEY", path("keys/receipt.pem")),
                ("RECEIPT_ISSUER", keys::RECEIPT_ISSUER.to_owned()),
                ("ENV", "test".to_owned()),
            ]),
            _ => settings.extend([("LOG_KEY", path("keys/log.key")), ("LOG_ORIGIN", keys::LOG_ORIGIN.to_owned())]),
        }
        let mut environment: Vec<(String, String)> =
            settings.into_iter().map(|(name, value)| (format!("{prefix}{name}"), value)).collect();
        environment.push(("DSOM_STOP_WITH_STDIN".into(), "1".into()));
        for (field, value) in [
            ("ISSUER", keys::TOKEN_ISSUER.to_owned()),
            ("AUDIENCE", keys::TOKEN_AUDIENCE.to_owned()),
            ("JWKS", path("keys/issuer.jwks.json")),
        ] {
            environment.push((format!("DSOM_OIDC_{field}"), value));
        }
        Ok(Plan {
            name,
            program: sibling(&format!("dsom-{name}"))?,
            arguments: Vec::new(),
            environment,
            log: self.layout.path(&format!("logs/{name}.log")),
        })
    }

    /// Its addresses and processes.
    pub fn file(&self) -> &MeshFile {
        &self.file
    }

    /// Its folder.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Writes `mesh.json` anew when a process id has changed.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn refresh(&mut self) -> Result<(), Failure> {
        let mut pids: BTreeMap<String, u32> =
            self.parts.iter().map(|part| (part.name().to_owned(), part.pid())).collect();
        pids.insert("dsom".to_owned(), std::process::id());
        if pids == self.file.pids {
            return Ok(());
        }
        self.file.pids = pids;
        self.layout.write_mesh(&self.file)
    }

    /// Stops the parts, the last started first.
    pub async fn stop(mut self) {
        self.layout.remove_mesh();
        while let Some(part) = self.parts.pop() {
            part.stop().await;
        }
    }
}

fn lock(layout: &Layout) -> Result<File, Failure> {
    let path = layout.path("lock");
    let file = File::create(&path)
        .map_err(|error| Failure::usage(format!("could not open {}", path.display())).because(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(Failure::usage(format!("a mesh runs in {} already", layout.root().display()))),
    }
}

/// Stops a nats-server of this folder that outlived a killed supervisor: it would hold the store.
async fn stop_leftover(layout: &Layout) {
    let conf = layout.path("nats/nats.conf").display().to_string();
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for pid in processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if line.split(|b| *b == 0).any(|argument| argument == conf.as_bytes()) {
            signal(pid, "TERM").await;
            while Path::new(&format!("/proc/{pid}")).exists() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// One of our binaries, which lie beside this one.
///
/// # Errors
/// It is not there.
pub fn sibling(name: &str) -> Result<PathBuf, Failure> {
    let here = std::env::current_exe().map_err(|error| Failure::unreachable("no path of our own").because(&error))?;
    let path = here.with_file_name(name);
    match path.exists() {
        true => Ok(path),
        false => Err(Failure::unreachable(format!("{} is not there; build it with `make build`", path.display()))),
    }
}

/// Waits until a URL answers 200; says what the last answer was when it does not.
async fn wait_ready(url: &str) -> Result<(), String> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().map_err(|error| error.to_string())?;
    let deadline = tokio::time::Instant::now() + READY_MAX;
    loop {
        let why = match http.get(url).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => format!("{} {}", answer.status(), answer.text().await.unwrap_or_default()),
            Err(error) => error.to_string(),
        };
        if tokio::time::Instant::now() > deadline {
            return Err(why);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
