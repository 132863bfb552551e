//! How far each partition of `TX` is sealed.
//!
//! A position may go back as well as forward, for `TX` may have been made anew; no timestamp of ours could order that. So it is written by
//! compare-and-set: its rounds have an order of their own, whatever the clocks of the nodes say. It is read back all the same: `TX` is
//! trimmed by it.

use std::collections::HashMap;

use store::StoreError;
use store::cql::{Cas, CompareAndSet, Cql, CqlError, Read};

use super::{column, number};
use crate::domain::partitions::Partitions;

/// How often the first row is tried when others make it, too.
const TRIES_MAX: usize = 4;

#[derive(Clone)]
pub(super) struct Positions {
    cql: Cql,
    find: Read,
    add: CompareAndSet,
    begin: CompareAndSet,
}

impl Positions {
    pub(super) async fn prepare(cql: Cql) -> Result<Self, StoreError> {
        Ok(Self {
            find: cql.read("SELECT reached FROM @positions WHERE id = 0").await?,
            add: cql.compare_and_set("UPDATE @positions SET reached = reached + ? WHERE id = 0 IF EXISTS").await?,
            begin: cql.compare_and_set("INSERT INTO @positions (id, reached) VALUES (0, ?) IF NOT EXISTS").await?,
            cql,
        })
    }

    /// The lowest of them, 0 while one has none.
    pub(super) async fn get(&self, partitions: &Partitions) -> Result<u64, StoreError> {
        let reached = self.reached().await?;
        let of = |partition: u16| reached.get(&(partition as i16)).map_or(Ok(0), |position| number(*position));
        partitions.iter().map(of).try_fold(u64::MAX, |lowest, position| Ok(lowest.min(position?)))
    }

    pub(super) async fn put(&self, partitions: &Partitions, position: u64) -> Result<(), StoreError> {
        let reached: HashMap<i16, i64> =
            partitions.iter().map(|partition| (partition as i16, column(position))).collect();
        self.write(&reached).await?;
        let there = self.reached().await?;
        if reached.iter().all(|(partition, position)| there.get(partition) == Some(position)) {
            return Ok(());
        }
        Err(CqlError::NotReadBack("the position").into())
    }

    /// Done when it returns; an answer that is lost is an error, and the caller writes again.
    async fn write(&self, reached: &HashMap<i16, i64>) -> Result<(), StoreError> {
        for _ in 0..TRIES_MAX {
            for statement in [&self.add, &self.begin] {
                match self.cql.cas(statement, (reached,)).await? {
                    Cas::Applied => return Ok(()),
                    Cas::Refused => {}
                    Cas::Unknown(error) => return Err(error),
                }
            }
        }
        Err(StoreError::Damaged("positions that neither begin nor are there"))
    }

    async fn reached(&self) -> Result<HashMap<i16, i64>, StoreError> {
        let found: Option<(Option<HashMap<i16, i64>>,)> = self.cql.row(&self.find, ()).await?;
        Ok(found.and_then(|(reached,)| reached).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::ScyllaStore;
    use super::*;
    use crate::storage::Store;

    /// What a node whose clock is an hour ahead writes beside the rounds hides all that is written after it.
    #[tokio::test]
    async fn a_position_that_does_not_read_back_is_told() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let store = ScyllaStore::open(&settings).await.expect("opens");
        let (mine, others) = (Partitions::of(3, 64).expect("a share"), Partitions::of(4, 64).expect("a share"));
        store.put_position(&mine, 7).await.expect("writes");
        let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(3_600);
        let ahead = ahead.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_micros() as i64;
        let skewed =
            store.cql.write("UPDATE @positions USING TIMESTAMP ? SET reached = reached + ? WHERE id = 0").await;
        let values = (ahead, HashMap::from([(3_i16, 900_i64)]));
        store.cql.run(&skewed.expect("prepares"), values).await.expect("writes");
        let told = store.put_position(&mine, 8).await;
        let told = crate::error::with_causes(&told.expect_err("is hidden"));
        assert!(told.contains("does not read back"), "{told}");
        store.put_position(&others, 9).await.expect("writes: only that one is hidden");
        assert_eq!(store.position(&others).await.expect("reads"), 9);
    }
}
