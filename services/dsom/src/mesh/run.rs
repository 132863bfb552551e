//! Starts the parts of a mesh in order, waits until they are ready, keeps `mesh.json` true, stops them in reverse.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ports::Everything;
use super::process::{OnRestart, Plan, STOP_MAX, Supervised};
use super::{Addresses, Engine, Layout, MeshFile, Ports, SandboxFile, keys, leftover, logins, nats, ready};
use crate::Failure;
use crate::conformance::CHECKLIST;

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
    /// Another mesh runs there, a port is taken, or a part can't be started, ends, or does not become ready.
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
        if leftover::stop(&layout, STOP_MAX).await > 0 {
            say("parts of a mesh that was killed here were still running, and have been stopped");
        }
        let at = ports.addresses()?;
        at.require_free(with_sandbox)?;
        keys::ensure(&layout)?;
        engine.note(&layout)?;
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
        let store = folder.join("jetstream");
        nats::settle(&store).map_err(cannot)?;
        fs::write(&conf, nats::config(name, &store, at)).map_err(cannot)?;
        fs::write(folder.join("accounts.conf"), logins::accounts(!side.prefix.is_empty())).map_err(cannot)?;
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
        let part = Supervised::start(plan, Arc::clone(restarted))?;
        let ended = part.ended();
        self.parts.push(part);
        ready::wait(ready, ended)
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
            ("NATS_NKEY_FILE", path(&logins::file(in_sandbox, service))),
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
                ("REGISTRY_NATS_NKEY_FILE", path(&logins::file(false, logins::READER))),
            ]);
        }
        settings.extend(match (service, in_sandbox) {
            ("licensing", _) => vec![
                ("ISSUER", self.file.issuer.clone()),
                ("TOKEN_KEY", path("keys/token.pem")),
                ("TEST_TOKEN_KEY", path("keys/test-token.pem")),
                ("TEST_TOKEN_AUDIENCE", keys::TEST_TOKEN_AUDIENCE.to_owned()),
                ("CONFORMANCE_JWKS", path("keys/conformance.jwks.json")),
                ("CONFORMANCE_ISSUERS", keys::CONFORMANCE_ISSUER.to_owned()),
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
        // Only what is written is remembered: a disk that was full is tried again.
        let file = MeshFile { pids, ..self.file.clone() };
        self.layout.write_mesh(&file)?;
        self.file = file;
        Ok(())
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
