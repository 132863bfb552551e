//! `dsom migrate-store`: moves what a mesh kept in its folder to a CQL server.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use indicatif::ProgressBar;
use serde_json::Value;

use super::Data;
use super::fsck::words;
use super::migrate::{SERVICES, Server};
use crate::Failure;
use crate::mesh::{Layout, MeshFile, keys};

/// The services that the sandbox has, too.
const OF_SANDBOX: [&str; 2] = ["ingest", "chaining"];

/// Copies what a stopped mesh keeps in its folder, its sandbox too, to a CQL server, and checks the copy
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom migrate-store --data .dsom --nodes 127.0.0.1:9042 --replication-factor 1\n  dsom up --data .dsom --store scylla --nodes 127.0.0.1:9042\n\nStop the mesh before. The folder stays as it is; once the mesh runs on the server, its stores there are out of date.\nStopped half-way, run it again: what is there is left."
)]
pub struct MigrateStore {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    server: Server,
}

impl MigrateStore {
    pub(super) fn run(self) -> Result<(), Failure> {
        let layout = Layout::existing(&self.data.dir)?;
        if MeshFile::read(&self.data.dir).is_ok() {
            return Err(Failure::usage(format!("a mesh runs in {}: stop it first", layout.root().display())));
        }
        for service in SERVICES {
            self.copy(&layout, service, service, keys::LOG)?;
        }
        for service in OF_SANDBOX.into_iter().filter(|service| layout.path("sandbox").join(service).exists()) {
            self.copy(&layout, service, &format!("sandbox/{service}"), keys::SANDBOX_LOG)?;
        }
        say!("The copy is whole. Start the mesh on it: dsom up --data {} --store scylla", self.data.dir.display());
        Ok(())
    }

    /// Copies what a service has in `folder`.
    fn copy(&self, layout: &Layout, service: &str, folder: &str, log: &str) -> Result<(), Failure> {
        let cannot = |error: std::io::Error| Failure::unreachable("could not run it").because(&error);
        let name = folder.replace('/', "_");
        self.server.migrate(service, &name)?;
        let mut command = self.server.command(service, &name)?;
        command.arg("transfer");
        if service == "chaining" {
            command.arg(keys::log_vkey(layout, log)?);
        }
        let prefix = format!("DSOM_{}_", service.to_uppercase());
        command.env(format!("{prefix}DATA_DIR"), layout.path(folder));
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(cannot)?;
        let bar = ProgressBar::new_spinner();
        let mut done = None;
        for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
            let Ok(Value::Object(said)) = serde_json::from_str(&line.map_err(cannot)?) else { continue };
            for (what, counts) in &said {
                let counts = counts.as_object().map(words).unwrap_or_default();
                match what.as_str() {
                    "done" => done = Some(counts),
                    what => bar.set_message(format!("{folder} {what}: {counts}")),
                }
            }
            bar.tick();
        }
        bar.finish_and_clear();
        match (child.wait().map_err(cannot)?.success(), done) {
            (true, Some(counts)) => {
                say!("{folder}: {counts}");
                Ok(())
            }
            _ => Err(Failure::bad(format!("the store of {folder} is not copied whole; run it again"))),
        }
    }
}
