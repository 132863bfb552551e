//! `dsom-licensing transfer`: moves the register from the embedded engine to a CQL server, and reads it there again. Run it while
//! licensing is stopped; repeated, it writes nothing twice and goes on where it was broken off.

use std::path::PathBuf;
use std::process::ExitCode;

use runtime::tell;
use serde_json::json;
use store::cql::Settings;

use crate::domain::history::Kind;
use crate::storage::{Appended, EmbeddedStore, ScyllaStore, Store, StoreError};

/// Changes moved at a time: of 1 MiB each at most, and three copies of them are held.
const PAGE: usize = 16;

/// What is moved, and where to.
#[derive(Debug, serde::Deserialize)]
pub struct Config {
    store: Settings,
    data_dir: PathBuf,
}

/// Why the register could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// One of the stores.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The CQL server holds another register.
    #[error("version {version} of {entity} is another one on the CQL server: it holds a register of its own")]
    Differs {
        /// Whose.
        entity: String,
        /// Which change.
        version: u64,
    },
}

/// The process.
pub fn main() -> ExitCode {
    runtime::once("licensing", |config: Config| async move {
        let from = EmbeddedStore::open(&config.data_dir)?;
        let to = ScyllaStore::open(&config.store).await?;
        let changes = transfer(&from, &to).await?;
        tell(&json!({"done": {"changes": changes}}));
        Ok::<_, TransferError>(())
    })
}

/// Moves claims first, as they are written first, then every history. Assertions are not moved: they end within minutes, and the issuer
/// is stopped that long. Says how many changes there are.
///
/// # Errors
/// [`TransferError`]
pub async fn transfer(from: &EmbeddedStore, to: &dyn Store) -> Result<u64, TransferError> {
    let mut moved = 0;
    for (claim, holder) in from.claims().await? {
        if to.claim(&claim, holder).await? != holder {
            return Err(TransferError::Differs { entity: holder.to_string(), version: 0 });
        }
    }
    for kind in [Kind::Operator, Kind::Sites] {
        for entity in from.entities(kind).await? {
            let differs = |version| TransferError::Differs { entity: entity.to_string(), version };
            let mut after = 0;
            loop {
                let page = from.changes(entity, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                // What a run before has moved is only read.
                let there = to.changes(entity, after, page.len()).await?;
                for change in page.iter().skip(there.len()) {
                    if to.append(entity, change).await? == Appended::Overtaken {
                        return Err(differs(change.version));
                    }
                }
                let read = to.changes(entity, after, page.len()).await?;
                let mut moved_here = page.iter().enumerate();
                if let Some((_, change)) = moved_here.find(|(n, change)| read.get(*n) != Some(change)) {
                    return Err(differs(change.version));
                }
                after = last.version;
                moved += page.len() as u64;
                tell(&json!({"progress": {"changes": moved}}));
            }
        }
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::history::{Change, EntityId};
    use crate::storage::Claim;

    #[tokio::test]
    async fn everything_is_there_and_a_second_run_changes_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        moves_everything_once(&EmbeddedStore::open(dir.path()).expect("opens")).await;
        let Some(keyspace) = testkit::CqlKeyspace::new() else { return };
        moves_everything_once(&ScyllaStore::open(&keyspace).await.expect("opens")).await;
    }

    async fn moves_everything_once(to: &dyn Store) {
        let dir = tempfile::tempdir().expect("a directory");
        let from = EmbeddedStore::open(dir.path()).expect("opens");
        let entity = EntityId { kind: Kind::Operator, id: uuid::Uuid::from_u128(7) };
        let change = |version: u64| Change { version, bytes: format!("change {version}").into_bytes() };
        for version in 1..=300 {
            from.append(entity, &change(version)).await.expect("appends");
        }
        from.append(EntityId::SITES, &change(1)).await.expect("appends");
        let claim = Claim { scope: "edrpou".into(), name: "14360570".to_owned() };
        from.claim(&claim, entity).await.expect("claims");
        // Broken off after some: the rest follows.
        to.append(entity, &change(1)).await.expect("appends");
        for _ in 0..2 {
            assert_eq!(transfer(&from, to).await.expect("moves"), 301);
            let moved = to.changes(entity, 0, 1_000).await.expect("reads");
            assert_eq!(moved, (1..=300).map(change).collect::<Vec<_>>());
            assert_eq!(to.entities(Kind::Sites).await.expect("reads"), [EntityId::SITES]);
            let other = EntityId { id: uuid::Uuid::from_u128(8), ..entity };
            assert_eq!(to.claim(&claim, other).await.expect("claims"), entity);
        }
        from.append(EntityId::SITES, &change(2)).await.expect("appends");
        to.append(EntityId::SITES, &Change { version: 2, bytes: b"another".to_vec() }).await.expect("appends");
        assert!(matches!(transfer(&from, to).await, Err(TransferError::Differs { version: 2, .. })));
    }
}
