//! Where headers may be in the log. A place alone says only that somebody wanted to put a header there: each round that failed leaves
//! some behind, any number of them for one header. So they are read page by page to the end.

use contracts::{Height, OperatorId};
use store::StoreError;
use store::cql::{Cql, Read, Write};

use super::{column, number};

/// Heights whose places lie in one partition.
const HEIGHTS_IN_BUCKET: u64 = if cfg!(test) { 8 } else { 65_536 };
/// Places looked at in one read: one is enough, but for what writers that lost left behind.
const PAGE: i32 = 16;

#[derive(Clone)]
pub(super) struct Places {
    cql: Cql,
    put: Write,
    of: Read,
    down: Read,
}

impl Places {
    pub(super) async fn prepare(cql: Cql) -> Result<Self, StoreError> {
        let select = "SELECT height, place FROM @log_places WHERE operator = ? AND bucket = ? AND";
        let downwards = "ORDER BY height DESC, place DESC LIMIT ?";
        Ok(Self {
            put: cql.write("INSERT INTO @log_places (operator, bucket, height, place) VALUES (?, ?, ?, ?)").await?,
            of: cql.read(&format!("{select} height = ? AND place < ? {downwards}")).await?,
            down: cql.read(&format!("{select} (height, place) < (?, ?) {downwards}")).await?,
            cql,
        })
    }

    /// The partition that the places of a height lie in.
    pub(super) fn bucket(height: Height) -> u64 {
        height.0 / HEIGHTS_IN_BUCKET
    }

    pub(super) async fn put(&self, places: Vec<(OperatorId, Height, u64)>) -> Result<(), StoreError> {
        let row = |(operator, height, place): (OperatorId, Height, u64)| {
            (operator.uuid(), column(Self::bucket(height)), column(height.0), column(place))
        };
        self.cql.run_each(&self.put, places.into_iter().map(row).collect()).await
    }

    /// A page of the places of a header, from the highest down or from below one; empty at the end.
    pub(super) async fn of(
        &self,
        operator: OperatorId,
        height: Height,
        below: Option<u64>,
    ) -> Result<Vec<u64>, StoreError> {
        let below = below.map_or(i64::MAX, column);
        let values = (operator.uuid(), column(Self::bucket(height)), column(height.0), below, PAGE);
        let rows: Vec<(i64, i64)> = self.cql.rows(&self.of, values).await?;
        rows.into_iter().map(|(_, place)| number(place)).collect()
    }

    /// A page of the places of an operator in a partition, from the greatest height and place down or from below one; empty at the end.
    pub(super) async fn down(
        &self,
        operator: OperatorId,
        bucket: u64,
        below: Option<(Height, u64)>,
    ) -> Result<Vec<(Height, u64)>, StoreError> {
        let (height, place) = below.map_or((i64::MAX, i64::MAX), |(height, place)| (column(height.0), column(place)));
        let values = (operator.uuid(), column(bucket), height, place, PAGE);
        let rows: Vec<(i64, i64)> = self.cql.rows(&self.down, values).await?;
        rows.into_iter().map(|(height, place)| Ok((Height(number(height)?), number(place)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ScyllaStore;
    use super::*;
    use crate::storage::conformance::operator;
    use crate::storage::{LogEntry, Sequenced, Store};

    fn entry(n: u8, height: u64) -> LogEntry {
        LogEntry { operator: operator(n), height: Height(height), header: format!("{n} {height}").into() }
    }

    /// A log in which another operator has the first 45 places.
    async fn filled(settings: &store::cql::Settings) -> ScyllaStore {
        let store = ScyllaStore::open(settings).await.expect("opens");
        for size in [0, 15, 30] {
            let entries = (size + 1..=size + 15).map(|height| entry(2, height)).collect();
            assert_eq!(store.sequence(size, entries).await.expect("writes"), Sequenced::Sequenced);
        }
        store
    }

    fn left(height: u64, places: impl Iterator<Item = u64>) -> Vec<(OperatorId, Height, u64)> {
        places.map(|place| (operator(1), Height(height), place)).collect()
    }

    /// Forty rounds that failed before it got its place, and forty writers that were under way when it did.
    #[tokio::test]
    async fn the_true_place_is_found_among_any_number_of_stale_ones() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let store = filled(&settings).await;
        store.log.places.put(left(1, 0..40)).await.expect("writes");
        assert_eq!(store.index_of(operator(1), Height(1)).await.expect("reads"), None);
        assert_eq!(store.sequence(45, vec![entry(1, 1)]).await.expect("writes"), Sequenced::Sequenced);
        assert_eq!(store.index_of(operator(1), Height(1)).await.expect("reads"), Some(45));
        store.log.places.put(left(1, 46..86)).await.expect("writes");
        assert_eq!(store.index_of(operator(1), Height(1)).await.expect("reads"), Some(45));
        let again = ScyllaStore::open(&settings).await.expect("opens").sequence(46, vec![entry(1, 1)]).await;
        assert!(again.is_err(), "a second place for one header: {again:?}");
    }

    /// A page that ends among the places of one height: what of them lies below is not passed over.
    #[tokio::test]
    async fn a_height_whose_places_straddle_a_page_is_logged() {
        let Some(settings) = testkit::CqlKeyspace::new() else { return };
        let store = filled(&settings).await;
        let entries = (1..=3).map(|height| entry(1, height)).collect();
        assert_eq!(store.sequence(45, entries).await.expect("writes"), Sequenced::Sequenced);
        // Height 3 is at 47. Downwards come ten of height 4, then twenty of 3 that are stale, then the true one.
        store.log.places.put(left(4, 0..10)).await.expect("writes");
        store.log.places.put(left(3, 60..80)).await.expect("writes");
        let other = ScyllaStore::open(&settings).await.expect("opens");
        assert_eq!(other.logged(operator(1)).await.expect("reads"), Height(3));
        assert_eq!(other.sequence(48, vec![entry(1, 4)]).await.expect("writes"), Sequenced::Sequenced);
        assert_eq!(other.index_of(operator(1), Height(4)).await.expect("reads"), Some(48));
    }
}
