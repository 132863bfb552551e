//! Where the services of a mesh keep their data: in its folder, or on a CQL server.

use std::path::PathBuf;

use crate::Failure;

/// Which engine, and where its server is.
#[derive(Debug, Clone, clap::Args)]
pub struct Engine {
    /// Where the services keep their data
    #[arg(long, value_enum, default_value = "embedded")]
    pub store: Kind,
    /// CQL servers as host:port, separated by commas (with --store scylla)
    #[arg(long, env = "SCYLLA_NODES")]
    pub nodes: Option<String>,
    /// What the names of the keyspaces begin with (with --store scylla)
    #[arg(long, default_value = "dsom")]
    pub keyspace: String,
}

/// The engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Files in the folder of the mesh
    Embedded,
    /// ScyllaDB, or Apache Cassandra 5
    Scylla,
}

impl Engine {
    /// The settings of a service, by the end of their name in its environment. One copy of each row, and the schema at start:
    /// this is for one machine.
    ///
    /// # Errors
    /// No node is named.
    pub fn settings(&self, service: &str) -> Result<Vec<(&'static str, String)>, Failure> {
        if self.store == Kind::Embedded {
            return Ok(Vec::new());
        }
        let none = || Failure::usage("no CQL server is named: give --nodes host:port; `make cql` starts one here");
        let nodes = self.nodes.clone().filter(|nodes| !nodes.is_empty()).ok_or_else(none)?;
        Ok(vec![
            ("STORE", "scylla".to_owned()),
            ("SCYLLA_NODES", nodes),
            ("SCYLLA_KEYSPACE", format!("{}_{service}", self.keyspace)),
            ("SCYLLA_REPLICATION_FACTOR", "1".to_owned()),
            ("SCYLLA_MIGRATE", "true".to_owned()),
        ])
    }

    /// The folder and process of the CQL server that `make cql` runs here, if it is used.
    pub fn server(&self) -> Option<(PathBuf, u32)> {
        let folder = PathBuf::from(std::env::var_os("DSOM_CQL_DIR")?);
        let pid = std::fs::read_to_string(folder.join("pid")).ok()?.trim().parse().ok()?;
        (self.store == Kind::Scylla).then_some((folder, pid))
    }
}
