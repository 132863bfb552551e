//! `dsom migrate`: brings the schema of every service up to date, before the services are started.

use std::path::PathBuf;
use std::process::Command;

use crate::Failure;
use crate::mesh::sibling;

/// The services that have a schema.
const SERVICES: [&str; 2] = ["ingest", "chaining"];

/// Brings the schema of every service on a CQL server up to date
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom migrate --nodes 10.0.0.1:9042,10.0.0.2:9042 --datacenter kyiv --replication-factor 3\n\nWhat is applied stays as it is, so it may be run before every start. One process at a time changes a schema;\nothers wait. The settings are those of the services, DSOM_<SERVICE>_SCYLLA_…; what is given here comes first."
)]
pub struct Migrate {
    /// CQL servers as host:port, separated by commas
    #[arg(long, env = "SCYLLA_NODES")]
    nodes: Option<String>,
    /// The data centre of the copies
    #[arg(long)]
    datacenter: Option<String>,
    /// Copies of each row, when a keyspace is made [default: 3]
    #[arg(long)]
    replication_factor: Option<u8>,
    /// Who we are to the server, where it asks
    #[arg(long)]
    user: Option<String>,
    /// File with that user's password
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// Only this service
    #[arg(long, value_parser = SERVICES)]
    service: Option<String>,
}

impl Migrate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let chosen = |service: &&str| self.service.as_deref().is_none_or(|only| only == *service);
        for service in SERVICES.into_iter().filter(chosen) {
            let mut command = Command::new(sibling(&format!("dsom-{service}"))?);
            command.arg("migrate");
            let path = self.password_file.as_ref().map(|path| path.display().to_string());
            let settings = [
                ("NODES", self.nodes.clone()),
                ("DATACENTER", self.datacenter.clone()),
                ("REPLICATION_FACTOR", self.replication_factor.map(|copies| copies.to_string())),
                ("USER", self.user.clone()),
                ("PASSWORD_FILE", path),
            ];
            for (name, value) in settings {
                if let Some(value) = value {
                    command.env(format!("DSOM_{}_SCYLLA_{name}", service.to_uppercase()), value);
                }
            }
            command.env(format!("DSOM_{}_STORE", service.to_uppercase()), "scylla");
            let ended = command.status();
            let ended = ended.map_err(|error| Failure::unreachable("could not run it").because(&error))?;
            if !ended.success() {
                return Err(Failure::unreachable(format!("the schema of {service} is not up to date")));
            }
            println!("{service}: up to date");
        }
        Ok(())
    }
}
