//! A keyspace of the test's own on the CQL server that `SCYLLA_NODES` names.

use store::cql::{EngineKind, Settings};

/// Settings of a new keyspace; `None` where there is no server, which is said, and which is a failure with `CI=true`: what needs a
/// server is tested wherever one can be had. `make test` starts one.
pub fn cql_settings() -> Option<Settings> {
    let Some(nodes) = std::env::var("SCYLLA_NODES").ok().filter(|nodes| !nodes.is_empty()) else {
        assert!(std::env::var("CI").is_err(), "SCYLLA_NODES names no CQL server; run the tests with `make test`");
        eprintln!("SKIPPED: SCYLLA_NODES names no CQL server (`make cql` starts one)");
        return None;
    };
    Some(Settings {
        engine: EngineKind::Scylla,
        nodes: Some(nodes),
        keyspace: Some(format!("test_{:016x}", rand::random::<u64>())),
        replication_factor: Some(1),
        migrate: true,
        ..Settings::default()
    })
}
