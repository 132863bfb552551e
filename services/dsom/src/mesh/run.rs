//! Starts the parts of a mesh in order, waits until they are ready, keeps `mesh.json` true, stops them in reverse.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::process::{OnRestart, Plan, Supervised, signal};
use super::{Addresses, Engine, Layout, MeshFile, SandboxFile, keys, nats};
use crate::Failure;
use crate::conformance::CHECKLIST;

/// How long a part may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(60);
/// How often readiness is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where free ports are looked for: below those the kernel gives to connections (from 32768 on, ip(7)), which could be taken again before
/// a part listens there, or while it is started again.
const FREE_PORTS: Range<u16> = 10_000..28_000;

/// Which ports a mesh takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ports {
    /// 7101, 7102, 7103, 7122 and 7123; the sandbox 7111, 7112, 7132 and 7133.
    Default,
    /// Whatever is free.
    Free,
}

/// Where all of a mesh listens.
#[derive(Debug, Clone, Copy)]
struct Everything {
    licensing: u16,
    market: Addresses,
    sandbox: Addresses,
}

impl Ports {
    /// The issuer of tokens: the address of licensing (RFC 8414). Where that is another one at each start, a name that stays: tokens
    /// outlive a restart.
    fn issuer(self, licensing: u16) -> String {
        match self {
            Self::Default => format!("http://127.0.0.1:{licensing}"),
            Self::Free => "http://licensing.dsom.localhost".to_owned(),
        }
    }

    fn addresses(self) -> Result<Everything, Failure> {
        let ports = match self {
            Self::Default => [7103, 7101, 7102, 7122, 7123, 7111, 7112, 7132, 7133],
            Self::Free => {
                let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
                // Meshes that start side by side begin at other places.
                let (all, from) = (FREE_PORTS.len(), std::process::id() as usize * 10 % FREE_PORTS.len());
                let found: Vec<u16> = FREE_PORTS.cycle().skip(from).take(all).filter(free).take(9).collect();
                found.try_into().map_err(|_| Failure::unreachable("no free port on 127.0.0.1"))?
            }
        };
        let [licensing, market @ .., s1, s2, s3, s4] = ports;
        let world =
            |[ingest, chaining, nats, nats_monitor]: [u16; 4]| Addresses { ingest, chaining, nats, nats_monitor };
        Ok(Everything { licensing, market: world(market), sandbox: world([s1, s2, s3, s4]) })
    }
}

/// One of the two worlds, as its parts see it.
struct Side<'a> {
    /// Before the names of its parts, and its folder.
    prefix: &'static str,
    ingest: &'a str,
    chaining: &'a str,
    nats: &'a str,
    nats_monitor: &'a str,
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
    /// Starts a mesh in a folder, with a sandbox or without, and waits until it is ready. `say` is told what happens.
    ///
    /// # Errors
    /// Another mesh runs there, or a part can't be started or does not become ready.
    pub async fn start(
        data: &Path,
        ports: Ports,
        engine: Engine,
        with_sandbox: bool,
        say: Arc<dyn Fn(&str) + Send + Sync>,
    ) -> Result<Self, Failure> {
        let layout = Layout::open(data)?;
        let lock = lock(&layout)?;
        layout.remove_mesh();
        stop_leftover(&layout).await;
        keys::ensure(&layout)?;
        let at = ports.addresses()?;
        let http = |port: u16| format!("http://127.0.0.1:{port}");
        let nats = |port: u16| format!("nats://127.0.0.1:{port}");
        let sandbox = || -> Result<SandboxFile, Failure> {
            Ok(SandboxFile {
                ingest: http(at.sandbox.ingest),
                chaining: http(at.sandbox.chaining),
                nats: nats(at.sandbox.nats),
                nats_monitor: http(at.sandbox.nats_monitor),
                log_origin: keys::SANDBOX_LOG_ORIGIN.to_owned(),
                log_vkey: keys::log_vkey(&layout, keys::SANDBOX_LOG)?,
            })
        };
        let file = MeshFile {
            ingest: http(at.market.ingest),
            chaining: http(at.market.chaining),
            licensing: http(at.licensing),
            issuer: ports.issuer(at.licensing),
            nats: nats(at.market.nats),
            nats_monitor: http(at.market.nats_monitor),
            log_origin: keys::LOG_ORIGIN.to_owned(),
            log_vkey: keys::log_vkey(&layout, keys::LOG)?,
            sandbox: with_sandbox.then(sandbox).transpose()?,
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

    async fn start_parts(&mut self, at: Everything, say: Arc<dyn Fn(&str) + Send + Sync>) -> Result<(), Failure> {
        let restarted: OnRestart =
            Arc::new(move |name, how| say(&format!("{name} ended ({how}) and was started again")));
        let file = self.file.clone();
        let market = Side {
            prefix: "",
            ingest: &file.ingest,
            chaining: &file.chaining,
            nats: &file.nats,
            nats_monitor: &file.nats_monitor,
        };
        self.broker("nats", &market, at.market, &restarted).await?;
        // Licensing first: the others want to know who may do what.
        let plan = self.service("licensing", "licensing", &file.licensing, &market)?;
        self.part(plan, &format!("{}/readyz", file.licensing), &restarted).await?;
        self.world(["chaining", "ingest"], &market, &restarted).await?;
        if let Some(SandboxFile { ingest, chaining, nats, nats_monitor, .. }) = &file.sandbox {
            let sandbox = Side { prefix: "sandbox", ingest, chaining, nats, nats_monitor };
            self.broker("sandbox-nats", &sandbox, at.sandbox, &restarted).await?;
            self.world(["sandbox-chaining", "sandbox-ingest"], &sandbox, &restarted).await?;
        }
        self.refresh()
    }

    async fn broker(
        &mut self,
        name: &'static str,
        side: &Side<'_>,
        at: Addresses,
        restarted: &OnRestart,
    ) -> Result<(), Failure> {
        let folder = self.layout.path(side.prefix).join("nats");
        let conf = folder.join("nats.conf");
        let cannot =
            |error: std::io::Error| Failure::usage(format!("could not write {}", conf.display())).because(&error);
        fs::create_dir_all(&folder).map_err(cannot)?;
        fs::write(&conf, nats::config(name, &folder.join("jetstream"), at)).map_err(cannot)?;
        let server = Plan {
            name,
            program: nats::find()?,
            arguments: vec!["-c".into(), conf.display().to_string()],
            // JetStream's memory is given back early: the disk is the store.
            environment: vec![("GOMEMLIMIT".into(), "400MiB".into())],
            log: self.layout.path(&format!("logs/{name}.log")),
            health: Some(format!("{}/healthz", side.nats_monitor)),
        };
        self.part(server, &format!("{}/healthz", side.nats_monitor), restarted).await
    }

    /// Chaining and ingest of a world, by these names.
    async fn world(
        &mut self,
        [chaining, ingest]: [&'static str; 2],
        side: &Side<'_>,
        restarted: &OnRestart,
    ) -> Result<(), Failure> {
        for (name, service, url) in [(chaining, "chaining", side.chaining), (ingest, "ingest", side.ingest)] {
            let plan = self.service(name, service, url, side)?;
            self.part(plan, &format!("{url}/readyz"), restarted).await?;
        }
        Ok(())
    }

    async fn part(&mut self, plan: Plan, ready: &str, restarted: &OnRestart) -> Result<(), Failure> {
        let (name, log) = (plan.name, plan.log.clone());
        self.parts.push(Supervised::start(plan, Arc::clone(restarted))?);
        wait_ready(ready)
            .await
            .map_err(|why| Failure::unreachable(format!("{name} did not become ready: {why}; see {}", log.display())))
    }

    /// What to run for one of our services.
    fn service(&self, name: &'static str, service: &str, url: &str, side: &Side<'_>) -> Result<Plan, Failure> {
        let prefix = format!("DSOM_{}_", service.to_ascii_uppercase());
        let path = |inside: &str| self.layout.path(inside).display().to_string();
        let in_sandbox = !side.prefix.is_empty();
        let data = self.layout.path(side.prefix).join(service);
        let audience = if in_sandbox { keys::TEST_TOKEN_AUDIENCE } else { keys::TOKEN_AUDIENCE };
        let mut settings = vec![
            ("LISTEN", url.trim_start_matches("http://").to_owned()),
            ("NATS_URL", side.nats.to_owned()),
            ("NATS_MONITOR_URL", side.nats_monitor.to_owned()),
            ("DATA_DIR", data.display().to_string()),
            ("TOKEN_AUDIENCE", audience.to_owned()),
        ];
        settings.extend(self.engine.settings(&name.replace('-', "_"))?);
        if service != "licensing" {
            let jwks = if in_sandbox { "test/jwks.json" } else { "jwks.json" };
            settings.extend([
                ("JWKS", format!("{}/{jwks}", self.file.licensing)),
                ("TOKEN_ISSUER", self.file.issuer.clone()),
            ]);
        }
        if in_sandbox {
            settings.extend([
                ("REGISTRY_NATS_URL", self.file.nats.clone()),
                ("REGISTRY_NATS_MONITOR_URL", self.file.nats_monitor.clone()),
            ]);
        }
        settings.extend(match (service, in_sandbox) {
            ("licensing", _) => vec![
                ("ISSUER", self.file.issuer.clone()),
                ("TOKEN_KEY", path("keys/token.pem")),
                ("TEST_TOKEN_KEY", path("keys/test-token.pem")),
                ("TEST_TOKEN_AUDIENCE", keys::TEST_TOKEN_AUDIENCE.to_owned()),
                ("CONFORMANCE_JWKS", path("keys/conformance.jwks.json")),
                // The second is that of operators whom `dsom` itself takes through the register.
                ("CONFORMANCE_CHECKLISTS", format!("{CHECKLIST},{}", keys::UNCHECKED)),
                ("RPZ_ORIGIN", keys::RPZ_ORIGIN.to_owned()),
                ("RPZ_SERVER", format!("ns.{}", keys::RPZ_ORIGIN)),
                ("RPZ_CONTACT", format!("hostmaster.{}", keys::RPZ_ORIGIN)),
                // Operators of a development mesh are enrolled by two clerks who are no people.
                ("AUTHOR_WRITES_PER_S_MAX", "10000".to_owned()),
            ],
            ("ingest", false) => vec![
                ("RECEIPT_KEY", path("keys/receipt.pem")),
                ("RECEIPT_ISSUER", keys::RECEIPT_ISSUER.to_owned()),
                ("ENV", "live".to_owned()),
            ],
            ("ingest", true) => vec![
                ("RECEIPT_KEY", path(keys::SANDBOX_RECEIPT)),
                ("RECEIPT_ISSUER", keys::SANDBOX_RECEIPT_ISSUER.to_owned()),
                ("ENV", "test".to_owned()),
            ],
            (_, false) => vec![("LOG_KEY", path(keys::LOG)), ("LOG_ORIGIN", keys::LOG_ORIGIN.to_owned())],
            (_, true) => {
                vec![("LOG_KEY", path(keys::SANDBOX_LOG)), ("LOG_ORIGIN", keys::SANDBOX_LOG_ORIGIN.to_owned())]
            }
        });
        let mut environment: Vec<(String, String)> =
            settings.into_iter().map(|(name, value)| (format!("{prefix}{name}"), value)).collect();
        environment.push(("DSOM_STOP_WITH_STDIN".into(), "1".into()));
        // Its keys and names are for development, whatever the market's ingest says of its world.
        environment.push(("DSOM_PRODUCTION".into(), "false".into()));
        for (field, value) in [
            ("ISSUER", keys::TOKEN_ISSUER.to_owned()),
            ("AUDIENCE", keys::TOKEN_AUDIENCE.to_owned()),
            ("JWKS", path("keys/issuer.jwks.json")),
        ] {
            environment.push((format!("DSOM_OIDC_{field}"), value));
        }
        Ok(Plan {
            name,
            program: sibling(&format!("dsom-{service}"))?,
            arguments: Vec::new(),
            environment,
            log: self.layout.path(&format!("logs/{name}.log")),
            // Ours end by themselves when they can't go on.
            health: None,
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

/// Stops every nats-server of this folder that outlived a killed supervisor: it would hold the store.
async fn stop_leftover(layout: &Layout) {
    let confs = ["nats/nats.conf", "sandbox/nats/nats.conf"].map(|conf| layout.path(conf).display().to_string());
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for pid in processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if line.split(|b| *b == 0).any(|argument| confs.iter().any(|conf| argument == conf.as_bytes())) {
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
