//! `dsom migrate`: brings the schema of every service up to date, before the services are started.

use std::path::PathBuf;
use std::process::Command;

use crate::Failure;
use crate::mesh::sibling;

/// The services that have a schema.
pub(super) const SERVICES: [&str; 3] = ["licensing", "ingest", "chaining"];

/// A CQL server and the keyspaces of the services on it. What is not given here is taken from `DSOM_<SERVICE>_SCYLLA_…`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Server {
    /// CQL servers as host:port, separated by commas
    #[arg(long, env = "SCYLLA_NODES")]
    nodes: Option<String>,
    /// The data centre of the copies
    #[arg(long)]
    datacenter: Option<String>,
    /// Copies of each row, when a keyspace is made [default: 3]
    #[arg(long)]
    replication_factor: Option<u8>,
    /// What the names of the keyspaces begin with [default: dsom, where no DSOM_<SERVICE>_SCYLLA_KEYSPACE is set]
    #[arg(long)]
    keyspace: Option<String>,
    /// Who we are to the server, where it asks
    #[arg(long)]
    user: Option<String>,
    /// File with that user's password
    #[arg(long)]
    password_file: Option<PathBuf>,
}

impl Server {
    /// A service's own binary, told where the server is; `name` is what its keyspace is called after.
    pub(super) fn command(&self, service: &str, name: &str) -> Result<Command, Failure> {
        let mut command = Command::new(sibling(&format!("dsom-{service}"))?);
        let prefix = format!("DSOM_{}_", service.to_uppercase());
        for (setting, value) in self.settings(service, name) {
            command.env(format!("{prefix}SCYLLA_{setting}"), value);
        }
        command.env(format!("{prefix}STORE"), "scylla");
        Ok(command)
    }

    /// Brings the schema of a service up to date; `name` as in [`Self::command`].
    pub(super) fn migrate(&self, service: &str, name: &str) -> Result<(), Failure> {
        let ended = self.command(service, name)?.arg("migrate").status();
        let ended = ended.map_err(|error| Failure::unreachable("could not run it").because(&error))?;
        if !ended.success() {
            return Err(Failure::unreachable(format!("the schema of {service} is not up to date")));
        }
        Ok(())
    }

    /// What is given here; it goes before what the environment says.
    fn settings(&self, service: &str, name: &str) -> Vec<(&'static str, String)> {
        let keyspace = match &self.keyspace {
            Some(prefix) => Some(format!("{prefix}_{name}")),
            // The service's own, which it names itself.
            None if name == service => None,
            None => Some(format!("dsom_{name}")),
        };
        let settings = [
            ("NODES", self.nodes.clone()),
            ("DATACENTER", self.datacenter.clone()),
            ("REPLICATION_FACTOR", self.replication_factor.map(|copies| copies.to_string())),
            ("KEYSPACE", keyspace),
            ("USER", self.user.clone()),
            ("PASSWORD_FILE", self.password_file.as_ref().map(|path| path.display().to_string())),
        ];
        settings.into_iter().filter_map(|(setting, value)| Some((setting, value?))).collect()
    }
}

/// Brings the schema of every service on a CQL server up to date
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom migrate --nodes 10.0.0.1:9042,10.0.0.2:9042 --datacenter kyiv --replication-factor 3\n\nWhat is applied stays as it is, so it may be run before every start. One process at a time changes a schema;\nothers wait."
)]
pub struct Migrate {
    #[command(flatten)]
    server: Server,
    /// Only this service; may be given again
    #[arg(long, value_parser = SERVICES)]
    service: Vec<String>,
}

impl Migrate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let chosen = |service: &&str| self.service.is_empty() || self.service.iter().any(|only| only == service);
        for service in SERVICES.into_iter().filter(chosen) {
            self.server.migrate(service, service)?;
            say!("{service}: up to date");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_left_to_the_environment() {
        let none = Server {
            nodes: None,
            datacenter: None,
            replication_factor: None,
            keyspace: None,
            user: None,
            password_file: None,
        };
        assert_eq!(none.settings("ingest", "ingest"), []);
        // The service knows nothing of the sandbox beside it.
        assert_eq!(none.settings("ingest", "sandbox_ingest"), [("KEYSPACE", "dsom_sandbox_ingest".to_owned())]);
        let named = Server { keyspace: Some("k".to_owned()), replication_factor: Some(1), ..none };
        let expected = [("REPLICATION_FACTOR", "1".to_owned()), ("KEYSPACE", "k_ingest".to_owned())];
        assert_eq!(named.settings("ingest", "ingest"), expected);
    }
}
