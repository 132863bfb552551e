//! The register on the embedded engine: every write is one batch of the one writer, checked and applied whole.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use contracts::UnixMillis;
use store::{Engine, Keyspace, Limits};
use uuid::Uuid;

use super::{Admission, Appended, Claim, Store, StoreError};
use crate::domain::history::{Change, EntityId, Kind};

/// Expired assertions forgotten with each write of new ones, at most.
const FORGOTTEN_MAX: usize = 1_024;

/// The register in a directory of its own.
#[derive(Clone)]
pub struct EmbeddedStore {
    engine: Engine,
    changes: Keyspace,
    claims: Keyspace,
    assertions: Keyspace,
    ends: Keyspace,
}

impl EmbeddedStore {
    /// Opens or creates the register in `dir`.
    ///
    /// # Errors
    /// [`StoreError`]: the directory is in use, damaged or not ours to write.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let engine = Engine::open(dir, Limits::default()).map_err(StoreError)?;
        let changes = engine.large_values("changes").map_err(StoreError)?;
        let claims = engine.small_values("claims").map_err(StoreError)?;
        let assertions = engine.small_values("assertions").map_err(StoreError)?;
        let ends = engine.small_values("assertion_ends").map_err(StoreError)?;
        Ok(Self { engine, changes, claims, assertions, ends })
    }

    /// Every claim and who holds it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn claims(&self) -> Result<Vec<(Claim, EntityId)>, StoreError> {
        let claims = self.claims.clone();
        let read = move || {
            let rows = claims.iter().map(|row| {
                let (key, holder) = row.into_inner()?;
                let named = std::str::from_utf8(&key).ok().and_then(|key| key.split_once('\0'));
                let claim = named.map(|(scope, name)| Claim { scope: scope.to_owned().into(), name: name.to_owned() });
                claim.zip(read_entity(&holder)).ok_or(store::StoreError::Damaged("a claim"))
            });
            rows.collect()
        };
        self.engine.read(read).await.map_err(StoreError)
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn append(&self, entity: EntityId, change: &Change) -> Result<Appended, StoreError> {
        let (changes, change) = (self.changes.clone(), change.clone());
        let write = move |batch: &mut store::Changes| {
            let key = change_key(entity, change.version);
            if let Some(there) = changes.get(key)? {
                return Ok(if *there == *change.bytes { Appended::Done } else { Appended::Overtaken });
            }
            // No hole: the change before must be there.
            let before = change.version.saturating_sub(1);
            if before > 0 && !changes.contains_key(change_key(entity, before))? {
                return Ok(Appended::Overtaken);
            }
            batch.insert(&changes, key, change.bytes);
            Ok(Appended::Done)
        };
        self.engine.write(write).await.map_err(StoreError)
    }

    async fn changes(&self, entity: EntityId, after: u64, limit: usize) -> Result<Vec<Change>, StoreError> {
        let changes = self.changes.clone();
        let read = move || {
            let rows = changes.range(change_key(entity, after.saturating_add(1))..=change_key(entity, u64::MAX));
            let rows = rows.take(limit).map(|row| {
                let (key, bytes) = row.into_inner()?;
                let version = key.last_chunk().map(|version| u64::from_be_bytes(*version));
                let version = version.ok_or(store::StoreError::Damaged("a change"))?;
                Ok(Change { version, bytes: bytes.to_vec() })
            });
            rows.collect()
        };
        self.engine.read(read).await.map_err(StoreError)
    }

    async fn entities(&self, kind: Kind) -> Result<Vec<EntityId>, StoreError> {
        let changes = self.changes.clone();
        let read = move || {
            let (mut found, mut next) = (Vec::new(), Uuid::nil());
            // From the first change of one entity to the first of the next.
            loop {
                let from = change_key(EntityId { kind, id: next }, 0);
                let to = change_key(EntityId { kind, id: Uuid::max() }, u64::MAX);
                let Some(row) = changes.range(from..=to).next() else { return Ok(found) };
                let key = row.key()?;
                let id = key.get(1..17).and_then(|id| Uuid::from_slice(id).ok());
                let id = id.ok_or(store::StoreError::Damaged("a change"))?;
                found.push(EntityId { kind, id });
                match id.as_u128().checked_add(1) {
                    Some(after) => next = Uuid::from_u128(after),
                    None => return Ok(found),
                }
            }
        };
        self.engine.read(read).await.map_err(StoreError)
    }

    async fn grown(&self, known: &BTreeMap<EntityId, u64>) -> Result<Vec<EntityId>, StoreError> {
        let (changes, known) = (self.changes.clone(), known.clone());
        let read = move || {
            let mut grown = Vec::new();
            for (entity, version) in known {
                if changes.contains_key(change_key(entity, version.saturating_add(1)))? {
                    grown.push(entity);
                }
            }
            Ok(grown)
        };
        self.engine.read(read).await.map_err(StoreError)
    }

    async fn claim(&self, claim: &Claim, holder: EntityId) -> Result<EntityId, StoreError> {
        let (claims, key) = (self.claims.clone(), format!("{}\0{}", claim.scope, claim.name));
        let write = move |batch: &mut store::Changes| match claims.get(&key)? {
            Some(there) => read_entity(&there).ok_or(store::StoreError::Damaged("a claim")),
            None => {
                batch.insert(&claims, key, entity_key(holder));
                Ok(holder)
            }
        };
        self.engine.write(write).await.map_err(StoreError)
    }

    async fn admit(&self, assertions: &[Admission], now: UnixMillis) -> Result<Vec<bool>, StoreError> {
        let (known, ends, wanted) = (self.assertions.clone(), self.ends.clone(), assertions.to_vec());
        let write = move |batch: &mut store::Changes| {
            let mut seen = std::collections::BTreeSet::new();
            let mut let_in = Vec::with_capacity(wanted.len());
            for one in wanted {
                let fresh = seen.insert(one.digest) && !known.contains_key(one.digest)?;
                if fresh {
                    batch.insert(&known, one.digest, []);
                    batch.insert(&ends, end_key(one), []);
                }
                let_in.push(fresh);
            }
            let end = |expires| end_key(Admission { digest: [0; 32], expires });
            for row in ends.range(end(UnixMillis(0))..end(now)).take(FORGOTTEN_MAX) {
                let key = row.key()?;
                batch.remove(&known, key.get(8..).unwrap_or_default());
                batch.remove(&ends, key);
            }
            Ok(let_in)
        };
        self.engine.write(write).await.map_err(StoreError)
    }

    fn reachable(&self) -> Result<(), String> {
        self.engine.well()
    }
}

/// Kind and id: 17 bytes.
fn entity_key(EntityId { kind, id }: EntityId) -> [u8; 17] {
    let mut key = [0; 17];
    let (head, rest) = key.split_at_mut(1);
    head.copy_from_slice(&[match kind {
        Kind::Operator => 1,
        Kind::Sites => 2,
    }]);
    rest.copy_from_slice(id.as_bytes());
    key
}

fn read_entity(bytes: &[u8]) -> Option<EntityId> {
    let (kind, id) = bytes.split_first()?;
    let kind = match kind {
        1 => Kind::Operator,
        2 => Kind::Sites,
        _ => return None,
    };
    Some(EntityId { kind, id: Uuid::from_slice(id).ok()? })
}

/// Kind, id, version; big-endian, so that the order of keys is that of versions.
fn change_key(entity: EntityId, version: u64) -> [u8; 25] {
    let mut key = [0; 25];
    let (head, tail) = key.split_at_mut(17);
    head.copy_from_slice(&entity_key(entity));
    tail.copy_from_slice(&version.to_be_bytes());
    key
}

/// When it expires, then what it is: what is over comes first.
fn end_key(Admission { digest, expires }: Admission) -> [u8; 40] {
    let mut key = [0; 40];
    let (head, tail) = key.split_at_mut(8);
    head.copy_from_slice(&u64::try_from(expires.0).unwrap_or_default().to_be_bytes());
    tail.copy_from_slice(&digest);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_conforms() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().to_path_buf();
        let open = async || Box::new(EmbeddedStore::open(&path).expect("opens")) as Box<dyn Store>;
        super::super::conformance::run(open).await;
    }
}
