//! Where the services of a mesh keep their data: in its folder, or on a CQL server.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Layout;
use crate::Failure;

/// Where a folder notes which engine its mesh was last started on.
const NOTE: &str = "engine.json";

/// Which engine, and where its server is.
#[derive(Debug, Clone, clap::Args, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Files in the folder of the mesh
    Embedded,
    /// ScyllaDB, or Apache Cassandra 5
    Scylla,
}

impl Engine {
    /// Notes in the folder of a mesh that it keeps its data here: who looks at the folder later must not take its empty stores for all
    /// there is.
    ///
    /// # Errors
    /// The note could not be written.
    pub fn note(&self, layout: &Layout) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Failure::bad("no JSON").because(&error))?;
        layout.write(NOTE, &(text + "\n"))
    }

    /// What a mesh in this folder was last started on; `None` where it is not noted: nothing was started, or by an older `dsom`.
    ///
    /// # Errors
    /// The note can't be read.
    pub fn noted(layout: &Layout) -> Result<Option<Self>, Failure> {
        let path = layout.path(NOTE);
        if !path.exists() {
            return Ok(None);
        }
        let cannot = |error: &dyn std::error::Error| {
            Failure::usage(format!("{} can't be read: start the mesh once, which writes it", path.display()))
                .because(error)
        };
        let text = fs::read_to_string(&path).map_err(|error| cannot(&error))?;
        serde_json::from_str(&text).map(Some).map_err(|error| cannot(&error))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_knows_where_its_mesh_keeps_its_data() {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::existing(folder.path()).expect("a folder");
        assert!(Engine::noted(&layout).expect("reads").is_none());
        let engine = Engine { store: Kind::Scylla, nodes: Some("10.0.0.1:9042".into()), keyspace: "dsom".into() };
        engine.note(&layout).expect("writes");
        let noted = Engine::noted(&layout).expect("reads").expect("a note");
        assert_eq!((noted.store, noted.nodes, noted.keyspace), (engine.store, engine.nodes, engine.keyspace));
        fs::write(folder.path().join(NOTE), "{").expect("writes");
        assert!(Engine::noted(&layout).is_err(), "half a note is none");
    }
}
