//! What every implementation of [`Store`] must do, as one suite. Panics where one does not: for tests only.

use std::sync::Arc;

use contracts::frame::BatchMeta;
use contracts::{Hash, Seq, StreamNo, UnixMillis};

use super::{AcceptedFrame, KnownBatch, Store};
use crate::domain::StreamKey;

/// Runs the suite. `open` opens the same store each time; the one before is dropped by then.
pub async fn run(open: impl AsyncFn() -> Box<dyn Store>) {
    rows_are_found_by_any_seq_they_hold(&*open().await).await;
    long_streams_have_no_seams(&*open().await).await;
    streams_do_not_mix(&*open().await).await;
    repeating_changes_nothing(&*open().await).await;
    of_rivals_the_one_that_knows_the_place_stays(open().await.into()).await;
    what_was_remembered_is_there_after_reopening(open).await;
}

fn key(operator: u8, stream: u8) -> StreamKey {
    let operator = format!("13013f29-b9df-4b82-ad28-e51596b7e0{operator:02x}").parse().expect("a UUID");
    StreamKey { operator, stream: StreamNo(stream) }
}

fn meta(first: u64, count: u32) -> BatchMeta {
    let accepted_at = UnixMillis(1_792_864_829_498 + first as i64);
    BatchMeta { first_seq: seq(first), count, accepted_at, root: Hash([count as u8; 32]) }
}

fn frame(key: StreamKey, tx_seq: u64, batches: &[BatchMeta]) -> AcceptedFrame {
    AcceptedFrame { key, tx_seq, batches: batches.to_vec() }
}

fn seq(n: u64) -> Seq {
    Seq::new(n).expect("in range")
}

async fn rows_are_found_by_any_seq_they_hold(store: &dyn Store) {
    let key = key(1, 0);
    assert_eq!(store.last_batch(key).await.expect("reads"), None);
    assert_eq!(store.batch_holding(key, seq(1)).await.expect("reads"), None);
    assert!(store.is_empty().await.expect("reads"));
    // Two frames side by side, a hole (another replica's frames), then two more with a hole between.
    let metas = [meta(1, 3), meta(4, 1), meta(5, 1), meta(9, 2), meta(300, 10_000)];
    let frames = [(10, &metas[..2]), (11, &metas[2..3]), (14, &metas[3..4]), (15, &metas[4..])];
    let places = [10, 10, 11, 14, 15];
    store.remember(frames.map(|(tx_seq, metas)| frame(key, tx_seq, metas)).to_vec()).await.expect("remembers");
    assert!(!store.is_empty().await.expect("reads"));
    let expected = [
        (1, Some(0)),
        (3, Some(0)),
        (4, Some(1)),
        (5, Some(2)),
        (6, None),
        (8, None),
        (9, Some(3)),
        (10, Some(3)),
        (11, None),
        (299, None),
        (300, Some(4)),
        (10_299, Some(4)),
        (10_300, None),
    ];
    for (n, which) in expected {
        let found = store.batch_holding(key, seq(n)).await.expect("reads");
        let expected = which.map(|i: usize| KnownBatch { meta: metas[i], tx_seq: places[i] });
        assert_eq!(found, expected, "seq {n}");
    }
    let last = store.last_batch(key).await.expect("reads");
    assert_eq!(last, Some(KnownBatch { meta: metas[4], tx_seq: 15 }));
}

/// Frames on both sides of every power of two from 2^14 to 2^20, and across it: wherever an implementation cuts, nothing is lost.
async fn long_streams_have_no_seams(store: &dyn Store) {
    let key = key(6, 1);
    let mut metas = Vec::new();
    for bound in (14..=20).map(|power| 1_u64 << power) {
        // One before it; after a hole, one from before it to behind it; then one behind it, and one that begins at a smaller bound.
        metas.extend([meta(bound - 500, 3), meta(bound - 400, 900), meta(bound + 600, 1)]);
        metas.push(meta(bound + bound / 2, 10));
    }
    let frames = metas.iter().zip(1..).map(|(meta, place)| frame(key, place, &[*meta])).collect();
    store.remember(frames).await.expect("remembers");
    for (meta, place) in metas.iter().zip(1..) {
        let (first, last) = (meta.first_seq.get(), meta.last_seq());
        for n in [first, last] {
            let found = store.batch_holding(key, seq(n)).await.expect("reads");
            assert_eq!(found, Some(KnownBatch { meta: *meta, tx_seq: place }), "seq {n}");
        }
        for n in [first - 1, last + 1] {
            assert_eq!(store.batch_holding(key, seq(n)).await.expect("reads"), None, "seq {n}");
        }
    }
    let last = metas.last().copied();
    assert_eq!(store.last_batch(key).await.expect("reads").map(|batch| batch.meta), last);
}

/// Two that learn of one frame at the same time, one without its place on `TX`: whoever comes last, the place is known.
async fn of_rivals_the_one_that_knows_the_place_stays(store: Arc<dyn Store>) {
    for round in 0..5_u64 {
        let key = key(7, round as u8);
        let rivals = (0..4).map(|n| {
            let store = Arc::clone(&store);
            let row = frame(key, if n % 2 == 0 { 0 } else { 90 + round }, &[meta(1 + round, 2)]);
            tokio::spawn(async move { store.remember(vec![row]).await.expect("remembers") })
        });
        for rival in futures::future::join_all(rivals).await {
            rival.expect("ends");
        }
        let known = KnownBatch { meta: meta(1 + round, 2), tx_seq: 90 + round };
        assert_eq!(store.last_batch(key).await.expect("reads"), Some(known));
        assert_eq!(store.batch_holding(key, seq(2 + round)).await.expect("reads"), Some(known));
    }
}

async fn streams_do_not_mix(store: &dyn Store) {
    let (mine, next, other) = (key(2, 7), key(2, 8), key(3, 7));
    store.remember(vec![frame(mine, 1, &[meta(5, 5)])]).await.expect("remembers");
    for elsewhere in [next, other, key(2, 6), key(1, 255)] {
        assert_eq!(store.batch_holding(elsewhere, seq(7)).await.expect("reads"), None);
    }
    assert_eq!(store.last_batch(next).await.expect("reads"), None);
    store.remember(vec![frame(next, 2, &[meta(100, 1)])]).await.expect("remembers");
    assert_eq!(store.last_batch(mine).await.expect("reads").map(|b| b.meta), Some(meta(5, 5)));
}

async fn repeating_changes_nothing(store: &dyn Store) {
    let key = key(4, 0);
    let row = frame(key, 77, &[meta(1, 2)]);
    let unplaced = AcceptedFrame { tx_seq: 0, ..row.clone() };
    for rows in [vec![unplaced.clone()], vec![row.clone()], vec![row.clone(), row], vec![unplaced], vec![]] {
        let placed = rows.iter().all(|r| r.tx_seq == 0) && !rows.is_empty();
        let before = store.last_batch(key).await.expect("reads");
        store.remember(rows).await.expect("remembers");
        let after = store.last_batch(key).await.expect("reads");
        let tx_seq = if placed { before.map_or(0, |b| b.tx_seq) } else { 77 };
        assert_eq!(after, Some(KnownBatch { meta: meta(1, 2), tx_seq }));
    }
}

async fn what_was_remembered_is_there_after_reopening(open: impl AsyncFn() -> Box<dyn Store>) {
    let key = key(5, 0);
    open().await.remember(vec![frame(key, 1, &[meta(1, 1)])]).await.expect("remembers");
    let found = open().await.last_batch(key).await.expect("reads");
    assert_eq!(found, Some(KnownBatch { meta: meta(1, 1), tx_seq: 1 }));
}
