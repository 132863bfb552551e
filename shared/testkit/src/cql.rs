//! Keyspaces of a test's own on the CQL server that `SCYLLA_NODES` names.

use std::ops::Deref;

use scylla::client::session_builder::SessionBuilder;
use store::cql::{EngineKind, Settings};

/// Settings of a new keyspace, which is dropped with them: a server slows down with every table it has.
pub struct CqlKeyspace {
    settings: Settings,
    names: Vec<String>,
}

impl CqlKeyspace {
    /// `None` where there is no server, which is said, and which is a failure with `CI=true`: what needs a server is tested wherever
    /// one can be had. `make test` starts one.
    pub fn new() -> Option<Self> {
        let name = format!("test_{:016x}", rand::random::<u64>());
        Self::named(&name, vec![name.clone()])
    }

    /// Of a mesh that is told to begin its keyspaces' names with `prefix`.
    pub fn of_mesh(prefix: &str) -> Option<Self> {
        let of = ["licensing", "ingest", "chaining", "sandbox_ingest", "sandbox_chaining"];
        Self::named(prefix, of.map(|service| format!("{prefix}_{service}")).to_vec())
    }

    fn named(keyspace: &str, names: Vec<String>) -> Option<Self> {
        let Some(nodes) = std::env::var("SCYLLA_NODES").ok().filter(|nodes| !nodes.is_empty()) else {
            assert!(std::env::var("CI").is_err(), "SCYLLA_NODES names no CQL server; run the tests with `make test`");
            eprintln!("SKIPPED: SCYLLA_NODES names no CQL server (`make cql` starts one)");
            return None;
        };
        let settings = Settings {
            engine: EngineKind::Scylla,
            nodes: Some(nodes),
            keyspace: Some(keyspace.to_owned()),
            replication_factor: Some(1),
            migrate: true,
            ..Settings::default()
        };
        Some(Self { settings, names })
    }

    /// Empties every table of the service, which is faster than to make them anew; what was applied of the schema stays noted.
    pub async fn empty(&self) {
        let nodes = self.nodes();
        let session = server(&nodes).build().await.unwrap();
        for keyspace in &self.names {
            let tables = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
            let tables = session.query_unpaged(tables, (keyspace,)).await.unwrap().into_rows_result().unwrap();
            for row in tables.rows::<(String,)>().unwrap() {
                let (table,) = row.unwrap();
                if !table.starts_with("schema_") {
                    session.query_unpaged(format!("TRUNCATE {keyspace}.{table}"), ()).await.unwrap();
                }
            }
        }
    }

    /// `host:port` of the server.
    pub fn nodes(&self) -> String {
        self.settings.nodes.clone().unwrap_or_default()
    }
}

impl Deref for CqlKeyspace {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Drop for CqlKeyspace {
    fn drop(&mut self) {
        let (nodes, names) = (self.nodes(), std::mem::take(&mut self.names));
        // A thread of its own: this one may be inside a runtime.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // A server that is gone took the keyspace with it.
                let Ok(session) = server(&nodes).build().await else { return };
                for name in names {
                    let _gone = session.query_unpaged(format!("DROP KEYSPACE IF EXISTS {name}"), ()).await;
                }
            });
        });
        let _dropped = dropping.join();
    }
}

/// A session that knows no schema and waits for none: the tests beside it change theirs all the time.
fn server(nodes: &str) -> SessionBuilder {
    SessionBuilder::new().known_nodes(nodes.split(',')).fetch_schema_metadata(false).auto_await_schema_agreement(false)
}
