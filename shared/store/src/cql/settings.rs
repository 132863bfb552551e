//! Which engine a service keeps its data in, and where a CQL server is.

use std::path::PathBuf;

use serde::Deserialize;

use super::{CqlError, Majority};
use crate::StoreError;

/// The engines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// In a directory of this machine.
    #[default]
    Embedded,
    /// On a CQL server: ScyllaDB, or Apache Cassandra 5.
    Scylla,
}

/// Of a service: `DSOM_<SERVICE>_STORE` is the engine, `DSOM_<SERVICE>_SCYLLA_NODES` and so on the rest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The engine.
    #[serde(default)]
    pub engine: EngineKind,
    /// `host:port` of some nodes, separated by commas; the others are learnt from them.
    pub nodes: Option<String>,
    /// The data centre of this process; needed where there are several.
    pub datacenter: Option<String>,
    /// Name of the keyspace; `dsom_<service>` when absent.
    pub keyspace: Option<String>,
    /// Copies of each row in a data centre, when the keyspace is made; 3 when absent.
    pub replication_factor: Option<u8>,
    /// Who we are to the server, where it asks.
    pub user: Option<String>,
    /// File with that user's password.
    pub password_file: Option<PathBuf>,
    /// Whether the schema is brought up to date at start. For development: elsewhere `dsom migrate` is run before.
    #[serde(default)]
    pub migrate: bool,
    /// Whose majority answers a read or a write.
    #[serde(default)]
    pub consistency: Majority,
    /// Whether the keyspace has tablets, when it is made on a ScyllaDB that has them; what the server does by itself when absent.
    pub tablets: Option<bool>,
    /// Whether this is production, where nodes that may lose what they acknowledged are refused. Whoever loads the configuration sets it.
    #[serde(default)]
    pub production: bool,
}

/// What of a service's configuration `migrate` needs.
#[derive(Debug, Clone, Deserialize)]
pub struct StoreConfig {
    /// As in the service's own configuration.
    pub store: Settings,
}

impl Settings {
    /// Copies of each row.
    pub(super) fn copies(&self) -> u8 {
        self.replication_factor.unwrap_or(3)
    }

    /// The keyspace of a service.
    pub(super) fn keyspace(&self, service: &str) -> String {
        self.keyspace.clone().unwrap_or_else(|| format!("dsom_{service}"))
    }

    pub(super) fn nodes(&self) -> Result<Vec<String>, StoreError> {
        let listed = self.nodes.as_deref().unwrap_or_default().split(',');
        let nodes: Vec<String> = listed.map(|node| node.trim().to_owned()).filter(|node| !node.is_empty()).collect();
        if nodes.is_empty() {
            let why = "scylla_nodes names no node: give host:port of one at least; `make cql` starts one here";
            return Err(CqlError::Settings(why.to_owned()).into());
        }
        Ok(nodes)
    }

    pub(super) fn password(&self) -> Result<String, StoreError> {
        let Some(path) = &self.password_file else {
            let why = "scylla_user is set and scylla_password_file is not";
            return Err(CqlError::Settings(why.to_owned()).into());
        };
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| CqlError::Settings(format!("{} can't be read: {error}", path.display())))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}
