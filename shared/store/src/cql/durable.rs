//! Asks the nodes whether they sync what they acknowledge, as `docs/ENGINES.md` wants it.

use std::sync::Arc;

use scylla::cluster::Node;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;

use super::answers::unreadable;
use super::{Cql, CqlError};
use crate::StoreError;

/// Where Cassandra shows its settings, and where ScyllaDB does: each node its own.
const SETTINGS: [&str; 2] = [
    "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'",
    "SELECT value FROM system.config WHERE name = 'commitlog_sync'",
];

/// Fails in production when a node that is connected acknowledges before it syncs; elsewhere it is only said. What a node does not tell
/// (its tables of settings want a grant of their own) is said, too.
pub(super) async fn check(cql: &Cql, production: bool) -> Result<(), StoreError> {
    let mut lazy = Vec::new();
    for node in cql.session.get_cluster_state().get_nodes_info().iter().filter(|node| node.is_connected()) {
        let address = node.address.to_string();
        match asked(cql, node).await {
            Ok(how) if is_synced(&how) => {}
            Ok(how) => lazy.push(format!("{address} ({how})")),
            Err(error) => tracing::warn!(
                error = %error_chain(&error),
                "{address} does not say whether its commit log is synced before a write is acknowledged"
            ),
        }
    }
    if lazy.is_empty() {
        return Ok(());
    }
    let lazy = CqlError::NotSyncing(lazy.join(", "));
    if production {
        return Err(lazy.into());
    }
    tracing::warn!("{lazy}");
    Ok(())
}

/// How a node syncs its commit log, in its own word.
async fn asked(cql: &Cql, node: &Arc<Node>) -> Result<String, StoreError> {
    let mut answer = Err(CqlError::Answer("no setting commitlog_sync".to_owned()).into());
    for statement in SETTINGS {
        let mut statement = Statement::new(statement);
        // A node's own table: there is one copy, and it is that node's.
        statement.set_consistency(Consistency::One);
        statement.set_is_idempotent(true);
        let this = NodeIdentifier::Node(Arc::clone(node));
        statement.set_load_balancing_policy(Some(SingleTargetLoadBalancingPolicy::new(this, None)));
        match cql.session.query_unpaged(statement, ()).await {
            Ok(rows) => {
                let rows = rows.into_rows_result().map_err(unreadable)?;
                if let Some((value,)) = rows.maybe_first_row::<(String,)>().map_err(unreadable)? {
                    return Ok(value);
                }
            }
            // There is no such table on the other kind of server.
            Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Invalid, _))) => {}
            Err(error) => answer = Err(error.into()),
        }
    }
    answer
}

/// `batch` and `group` sync before they acknowledge; `periodic` does not. ScyllaDB shows values as JSON.
fn is_synced(how: &str) -> bool {
    matches!(how.trim_matches('"').to_ascii_lowercase().as_str(), "batch" | "group")
}

fn error_chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", error_chain(cause)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_acknowledged_before_it_is_synced_is_known() {
        for synced in ["batch", "\"batch\"", "group", "BATCH"] {
            assert!(is_synced(synced), "{synced}");
        }
        for lazy in ["periodic", "\"periodic\"", "", "null"] {
            assert!(!is_synced(lazy), "{lazy}");
        }
    }
}
