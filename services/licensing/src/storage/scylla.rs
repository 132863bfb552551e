//! The register on a CQL server: each verb is one insert `IF NOT EXISTS`. When an answer is lost, what is there is read at `SERIAL`, and
//! tells by its bytes, its holder or its turn whether it is ours.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use contracts::UnixMillis;
use futures::{StreamExt, TryStreamExt};
use store::StoreError as EngineError;
use store::cql::{Cas, CompareAndSet, Cql, Migration, Read, Settings, Write};
use uuid::Uuid;

use super::{Admission, Appended, Claim, Store, StoreError};
use crate::domain::history::{Change, EntityId, Kind};

/// The numbered schema files, in order.
pub(super) const SCHEMA: &[Migration] =
    &[Migration { name: "0001_register", text: include_str!("../../schema/0001_register.cql") }];

/// Versions of a history that lie in one partition, of 1 MiB at most each. The suite crosses the bounds of small ones.
const VERSIONS_IN_BUCKET: u64 = if cfg!(test) { 4 } else { 64 };
/// Changes read at a time: an answer of 16 MiB at most.
const CHANGES_AT_A_TIME: usize = 16;
/// Parts the assertions lie in: each takes one compare-and-set at a time.
const SHELVES: u8 = 4;
/// Assertions let in by one compare-and-set, at most.
const GROUP_MAX: usize = 64;
/// How much longer than the assertion its row stays, in seconds: clocks differ.
const LINGER_S: i64 = 120;
/// Entities asked about at a time.
const ASKED_MAX: usize = 16;
/// How often a group is tried that others get in the way of.
const TRIES_MAX: usize = 8;

/// The register in a keyspace of a CQL server.
#[derive(Clone)]
pub struct ScyllaStore {
    cql: Cql,
    append: CompareAndSet,
    change: Read,
    changes: Read,
    name_entity: Write,
    entities: Read,
    later: Read,
    claim: CompareAndSet,
    holder: Read,
    admit: CompareAndSet,
    admitted: Read,
}

impl ScyllaStore {
    /// Connects, and prepares every statement.
    ///
    /// # Errors
    /// [`StoreError`]: no server, no schema, or another one.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        Self::connect(settings).await.map_err(StoreError)
    }

    async fn connect(settings: &Settings) -> Result<Self, EngineError> {
        let cql = Cql::open(settings, "licensing", SCHEMA).await?;
        Ok(Self {
            append: cql
                .compare_and_set(
                    "INSERT INTO @changes (entity, bucket, version, bytes) VALUES (?, ?, ?, ?) IF NOT EXISTS",
                )
                .await?,
            change: cql
                .serial_read("SELECT bytes FROM @changes WHERE entity = ? AND bucket = ? AND version = ?")
                .await?,
            changes: cql
                .serial_read(
                    "SELECT version, bytes FROM @changes WHERE entity = ? AND bucket = ? AND version >= ? LIMIT ?",
                )
                .await?,
            name_entity: cql.write("INSERT INTO @entities (kind, id) VALUES (?, ?) USING TIMESTAMP 1").await?,
            entities: cql.read("SELECT id FROM @entities WHERE kind = ?").await?,
            // Asked every few seconds of every entity, so not at `SERIAL`: a quorum has a change before it is done.
            later: cql.read("SELECT version FROM @changes WHERE entity = ? AND bucket = ? AND version = ?").await?,
            claim: cql
                .compare_and_set(
                    "INSERT INTO @claims (scope, name, holder_kind, holder) VALUES (?, ?, ?, ?) IF NOT EXISTS",
                )
                .await?,
            holder: cql.serial_read("SELECT holder_kind, holder FROM @claims WHERE scope = ? AND name = ?").await?,
            admit: cql
                .compare_and_set(
                    "INSERT INTO @assertions (shelf, digest, turn) VALUES (?, ?, ?) IF NOT EXISTS USING TTL ?",
                )
                .await?,
            admitted: cql.serial_read("SELECT digest, turn FROM @assertions WHERE shelf = ? AND digest IN ?").await?,
            cql,
        })
    }

    async fn put(&self, entity: EntityId, change: &Change) -> Result<Appended, EngineError> {
        let name = entity.to_string();
        if change.version == 1 {
            self.cql.run(&self.name_entity, (entity.kind.as_str(), entity.id)).await?;
        } else if self.bytes(&name, change.version.saturating_sub(1)).await?.is_none() {
            // No hole: the change before must be there.
            return Ok(Appended::Overtaken);
        }
        let values = (&name, bucket(change.version), column(change.version), &change.bytes);
        match self.cql.cas(&self.append, values).await? {
            Cas::Applied => Ok(Appended::Done),
            Cas::Refused => self.settled(&name, change).await,
            Cas::Unknown(error) => match self.bytes(&name, change.version).await? {
                Some(there) if there == change.bytes => Ok(Appended::Done),
                Some(_) => Ok(Appended::Overtaken),
                None => Err(error),
            },
        }
    }

    async fn settled(&self, name: &str, change: &Change) -> Result<Appended, EngineError> {
        let there = self.bytes(name, change.version).await?;
        Ok(if there.as_ref() == Some(&change.bytes) { Appended::Done } else { Appended::Overtaken })
    }

    async fn bytes(&self, name: &str, version: u64) -> Result<Option<Vec<u8>>, EngineError> {
        let row: Option<(Vec<u8>,)> = self.cql.row(&self.change, (name, bucket(version), column(version))).await?;
        Ok(row.map(|(bytes,)| bytes))
    }

    /// Some changes at a time, from one partition to the next. There are no holes: where one is missing the history ends.
    async fn read(&self, entity: EntityId, after: u64, limit: usize) -> Result<Vec<Change>, EngineError> {
        let (name, mut changes, mut next) = (entity.to_string(), Vec::new(), after.saturating_add(1));
        while changes.len() < limit {
            let wanted = (limit - changes.len()).min(CHANGES_AT_A_TIME);
            let values = (&name, bucket(next), column(next), i32::try_from(wanted).unwrap_or(i32::MAX));
            let rows: Vec<(i64, Vec<u8>)> = self.cql.rows(&self.changes, values).await?;
            let (found, asked) = (rows.len(), bucket(next));
            for (version, bytes) in rows {
                let version = u64::try_from(version).map_err(|_| EngineError::Damaged("a change"))?;
                if version != next {
                    return Err(EngineError::Damaged("a history with a hole"));
                }
                changes.push(Change { version, bytes });
                next += 1;
            }
            if found < wanted && bucket(next) == asked {
                break;
            }
        }
        Ok(changes)
    }

    async fn has_grown(&self, entity: EntityId, version: u64) -> Result<Option<EntityId>, EngineError> {
        // There are no holes: whoever has more has the next.
        let next = version.saturating_add(1);
        let row: Option<(i64,)> = self.cql.row(&self.later, (entity.to_string(), bucket(next), column(next))).await?;
        Ok(row.map(|_| entity))
    }

    async fn take_name(&self, claim: &Claim, holder: EntityId) -> Result<EntityId, EngineError> {
        let values = (&*claim.scope, &claim.name, holder.kind.as_str(), holder.id);
        let lost = match self.cql.cas(&self.claim, values).await? {
            Cas::Applied => return Ok(holder),
            Cas::Refused => EngineError::Damaged("a claim that is gone"),
            Cas::Unknown(error) => error,
        };
        let row: Option<(String, Uuid)> = self.cql.row(&self.holder, (&*claim.scope, &claim.name)).await?;
        let (kind, id) = row.ok_or(lost)?;
        Ok(EntityId { kind: read_kind(&kind)?, id })
    }

    /// Lets a group of one shelf in; says which of its digests are there by this attempt.
    async fn let_in(&self, shelf: i8, group: &[Admission], now: UnixMillis) -> Result<BTreeSet<[u8; 32]>, EngineError> {
        let turn = Uuid::new_v4();
        let mut wanted: BTreeMap<[u8; 32], i32> = BTreeMap::new();
        for one in group {
            let ttl = (one.expires.0.saturating_sub(now.0) / 1000).clamp(1, 86_400) + LINGER_S;
            wanted.insert(one.digest, i32::try_from(ttl).unwrap_or(i32::MAX));
        }
        let mut ours = BTreeSet::new();
        for _ in 0..TRIES_MAX {
            let rows = wanted.iter().map(|(digest, ttl)| (shelf, digest.to_vec(), turn, *ttl)).collect();
            let cas = self.cql.cas_all(&self.admit, rows).await?;
            if matches!(cas, Cas::Applied) {
                ours.extend(wanted.into_keys());
                return Ok(ours);
            }
            let digests: Vec<Vec<u8>> = wanted.keys().map(|digest| digest.to_vec()).collect();
            let there: Vec<(Vec<u8>, Uuid)> = self.cql.rows(&self.admitted, (shelf, digests)).await?;
            match cas {
                // Nothing is there: it was not done, and whether it still will be is not known.
                Cas::Unknown(error) if there.is_empty() => return Err(error),
                _ => {}
            }
            for (digest, by) in there {
                let digest = digest.try_into().map_err(|_| EngineError::Damaged("an assertion"))?;
                wanted.remove(&digest);
                if by == turn {
                    ours.insert(digest);
                }
            }
            if wanted.is_empty() {
                return Ok(ours);
            }
        }
        Err(EngineError::Damaged("assertions that neither come in nor are there"))
    }
}

#[async_trait]
impl Store for ScyllaStore {
    async fn append(&self, entity: EntityId, change: &Change) -> Result<Appended, StoreError> {
        self.put(entity, change).await.map_err(StoreError)
    }

    async fn changes(&self, entity: EntityId, after: u64, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.read(entity, after, limit).await.map_err(StoreError)
    }

    async fn entities(&self, kind: Kind) -> Result<Vec<EntityId>, StoreError> {
        let rows: Vec<(Uuid,)> = self.cql.pages(&self.entities, (kind.as_str(),)).await.map_err(StoreError)?;
        let mut found: Vec<EntityId> = rows.into_iter().map(|(id,)| EntityId { kind, id }).collect();
        found.sort_unstable();
        Ok(found)
    }

    async fn grown(&self, known: &BTreeMap<EntityId, u64>) -> Result<Vec<EntityId>, StoreError> {
        let asked = futures::stream::iter(known.clone()).map(|(entity, version)| self.has_grown(entity, version));
        let grown = asked.buffered(ASKED_MAX).try_filter_map(|grown| futures::future::ready(Ok(grown)));
        grown.try_collect().await.map_err(StoreError)
    }

    async fn claim(&self, claim: &Claim, holder: EntityId) -> Result<EntityId, StoreError> {
        self.take_name(claim, holder).await.map_err(StoreError)
    }

    async fn admit(&self, assertions: &[Admission], now: UnixMillis) -> Result<Vec<bool>, StoreError> {
        let mut shelves: BTreeMap<u8, Vec<Admission>> = BTreeMap::new();
        for one in assertions {
            let [first, ..] = one.digest;
            shelves.entry(first % SHELVES).or_default().push(*one);
        }
        let groups =
            shelves.iter().flat_map(|(shelf, all)| all.chunks(GROUP_MAX).map(move |group| (*shelf as i8, group)));
        let tried = groups.map(|(shelf, group)| self.let_in(shelf, group, now));
        let mut ours: BTreeSet<[u8; 32]> = BTreeSet::new();
        for digests in futures::future::try_join_all(tried).await.map_err(StoreError)? {
            ours.extend(digests);
        }
        // The first of two that are the same takes the place.
        Ok(assertions.iter().map(|one| ours.remove(&one.digest)).collect())
    }

    fn reachable(&self) -> Result<(), String> {
        self.cql.reachable()
    }
}

/// A number as a column: versions are far below 2^63.
fn column(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The partition a version lies in.
fn bucket(version: u64) -> i64 {
    column(version / VERSIONS_IN_BUCKET)
}

fn read_kind(text: &str) -> Result<Kind, EngineError> {
    let known = [Kind::Operator, Kind::Sites].into_iter().find(|kind| kind.as_str() == text);
    known.ok_or(EngineError::Damaged("the kind of an entity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_conforms() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let open = async || Box::new(ScyllaStore::open(&settings).await.expect("opens")) as Box<dyn Store>;
        super::super::conformance::run(open).await;
    }
}
