//! One suite for every implementation of the store: what each verb promises, also when it is repeated or raced.

use std::sync::Arc;

use bytes::Bytes;
use contracts::{Hash, Height, OperatorId, Seq, StreamNo, UnixMillis};
use ledger::TileId;

use super::{Appended, LogEntry, Published, Sequenced, Store, StoredBlock, StoredCheckpoint};
use crate::domain::chain::{Head, NewBlock, Taken, seal};
use crate::domain::frame::CheckedFrame;
use crate::domain::partitions::Partitions;

/// Runs everything, each on a fresh store.
pub(crate) async fn all(fresh: impl AsyncFn() -> Arc<dyn Store>) {
    an_empty_store_says_so(fresh().await).await;
    blocks_are_appended_at_the_head_only(fresh().await).await;
    of_two_writers_one_wins(fresh().await).await;
    records_are_found_by_stream_and_seq(fresh().await).await;
    records_are_found_among_uneven_blocks(fresh().await).await;
    operators_are_paged(fresh().await).await;
    entries_get_their_places_once(fresh().await).await;
    entries_are_read_across_all_bounds(fresh().await).await;
    of_two_orders_one_wins(fresh().await).await;
    tiles_only_grow(fresh().await).await;
    checkpoints_only_go_forward(fresh().await).await;
    cursors_move(fresh().await).await;
}

pub(crate) fn operator(n: u8) -> OperatorId {
    format!("13013f29-b9df-4b82-ad28-e51596b7e0{n:02x}").parse().expect("a UUID")
}

/// A block after `head` with one frame for each (stream, first, last).
pub(crate) fn block(operator: OperatorId, head: &Head, frames: &[(u8, u64, u64)]) -> NewBlock {
    let taken: Vec<Taken> = frames
        .iter()
        .map(|&(stream, first, last)| {
            let frame = CheckedFrame {
                stream: StreamNo(stream),
                first: Seq::new(first).expect("a seq"),
                last,
                accepted_at: UnixMillis(1),
                bytes: format!("{operator} {stream} {first}-{last} {}", "x".repeat(5_000)).into(),
                leaves: (first..=last).map(|seq| ledger::leaf_hash(&seq.to_le_bytes())).collect(),
            };
            Taken { tx_seq: first, frame }
        })
        .collect();
    seal(operator, head, &taken, UnixMillis(1_792_864_829_498)).expect("records")
}

async fn an_empty_store_says_so(store: Arc<dyn Store>) {
    assert_eq!(store.head(operator(1)).await.expect("reads"), Head::start());
    assert_eq!(store.block(operator(1), Height(1)).await.expect("reads"), None);
    assert!(store.headers(operator(1), Height(1), 10).await.expect("reads").is_empty());
    assert_eq!(store.height_holding(operator(1), StreamNo(0), Seq::FIRST).await.expect("reads"), None);
    assert!(store.operators(None, 10).await.expect("reads").is_empty());
    assert_eq!(store.log_size().await.expect("reads"), 0);
    assert_eq!(store.checkpoint().await.expect("reads"), None);
    assert_eq!(store.tile(0, 0).await.expect("reads"), None);
    assert_eq!(store.logged(operator(1)).await.expect("reads"), Height(0));
    assert_eq!(store.announced().await.expect("reads"), 0);
    assert_eq!(store.position(&Partitions::all()).await.expect("reads"), 0);
    assert_eq!(store.well(), Ok(()));
}

async fn blocks_are_appended_at_the_head_only(store: Arc<dyn Store>) {
    let one = block(operator(1), &Head::start(), &[(0, 1, 5), (7, 1, 2)]);
    let two = block(operator(1), &one.head, &[(0, 6, 9)]);
    let append = |block: &NewBlock| store.append_block_if_head_is(block.clone());
    assert_eq!(append(&two).await.expect("writes"), Appended::HeadMoved, "the block before it is not there");
    assert_eq!(store.head(operator(1)).await.expect("reads"), Head::start());
    assert_eq!(append(&one).await.expect("writes"), Appended::Appended);
    assert_eq!(append(&one).await.expect("writes"), Appended::AlreadyThere);
    let rival = block(operator(1), &Head::start(), &[(0, 1, 4)]);
    assert_eq!(append(&rival).await.expect("writes"), Appended::HeadMoved);
    assert_eq!(append(&two).await.expect("writes"), Appended::Appended);
    assert_eq!(append(&one).await.expect("writes"), Appended::HeadMoved, "long ago");
    assert_eq!(store.head(operator(1)).await.expect("reads"), two.head);
    let stored = StoredBlock { header: one.header_bytes.clone(), frames: one.frames.clone() };
    assert_eq!(store.block(operator(1), Height(1)).await.expect("reads"), Some(stored));
    let headers = store.headers(operator(1), Height(1), 10).await.expect("reads");
    assert_eq!(headers, [one.header_bytes, two.header_bytes.clone()]);
    assert_eq!(store.headers(operator(1), Height(2), 10).await.expect("reads"), [two.header_bytes]);
    assert_eq!(store.headers(operator(1), Height(1), 1).await.expect("reads").len(), 1);
    assert_eq!(store.head(operator(2)).await.expect("reads"), Head::start(), "another operator's chain");
}

async fn of_two_writers_one_wins(store: Arc<dyn Store>) {
    let mut head = Head::start();
    for round in 0..10 {
        let last = 10 * (round + 1);
        let rivals: Vec<NewBlock> = (0..4)
            .map(|n| block(operator(1), &head, &[(0, 10 * round + 1, last), (n + 1, round + 1, round + 1)]))
            .collect();
        let tries = rivals.iter().map(|rival| store.append_block_if_head_is(rival.clone()));
        let outcomes: Vec<Appended> =
            futures::future::join_all(tries).await.into_iter().map(|outcome| outcome.expect("writes")).collect();
        let winners: Vec<&NewBlock> =
            rivals.iter().zip(&outcomes).filter(|(_, o)| **o == Appended::Appended).map(|(rival, _)| rival).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        head = store.head(operator(1)).await.expect("reads");
        assert_eq!(head, winners[0].head);
        let stored = store.block(operator(1), head.height).await.expect("reads").expect("the winner");
        assert_eq!(stored.frames, winners[0].frames, "nothing of the others is mixed in");
    }
}

async fn records_are_found_by_stream_and_seq(store: Arc<dyn Store>) {
    let one = block(operator(1), &Head::start(), &[(3, 1, 300), (4, 1, 1)]);
    let two = block(operator(1), &one.head, &[(3, 301, 600)]);
    for block in [&one, &two] {
        store.append_block_if_head_is(block.clone()).await.expect("writes");
    }
    for (stream, seq, height) in [
        (3, 1, Some(1)),
        (3, 300, Some(1)),
        (3, 301, Some(2)),
        (3, 600, Some(2)),
        (3, 601, None),
        (4, 1, Some(1)),
        (4, 2, None),
        (5, 1, None),
        (2, 1, None),
    ] {
        let found = store.height_holding(operator(1), StreamNo(stream), Seq::new(seq).expect("a seq")).await;
        assert_eq!(found.expect("reads"), height.map(Height), "stream {stream} seq {seq}");
    }
    let found = store.height_holding(operator(2), StreamNo(3), Seq::FIRST).await.expect("reads");
    assert_eq!(found, None, "another operator");
}

/// Blocks of very different sizes, and a stream that is in few of them.
async fn records_are_found_among_uneven_blocks(store: Arc<dyn Store>) {
    let (mut head, mut next, mut rare) = (Head::start(), 1, 1);
    let mut expected = Vec::new();
    for height in 1..=40_u64 {
        let count = if height % 7 == 0 { 900 } else { height % 3 + 1 };
        let mut frames = vec![(0, next, next + count - 1)];
        expected.extend([(0, next, height), (0, next + count - 1, height)]);
        if height % 11 == 5 {
            frames.push((9, rare, rare + 1));
            expected.extend([(9, rare, height), (9, rare + 1, height)]);
            rare += 2;
        }
        let block = block(operator(1), &head, &frames);
        (head, next) = (block.head.clone(), next + count);
        assert_eq!(store.append_block_if_head_is(block).await.expect("writes"), Appended::Appended);
    }
    for (stream, seq, height) in expected {
        let found = store.height_holding(operator(1), StreamNo(stream), Seq::new(seq).expect("a seq")).await;
        assert_eq!(found.expect("reads"), Some(Height(height)), "stream {stream} seq {seq}");
    }
    for (stream, seq) in [(0, next), (9, rare), (3, 1)] {
        let found = store.height_holding(operator(1), StreamNo(stream), Seq::new(seq).expect("a seq")).await;
        assert_eq!(found.expect("reads"), None, "stream {stream} seq {seq}");
    }
}

async fn operators_are_paged(store: Arc<dyn Store>) {
    for n in [9, 2, 5] {
        let first = block(operator(n), &Head::start(), &[(0, 1, 1)]);
        store.append_block_if_head_is(first).await.expect("writes");
    }
    assert_eq!(store.operators(None, 2).await.expect("reads"), [operator(2), operator(5)]);
    assert_eq!(store.operators(Some(operator(5)), 2).await.expect("reads"), [operator(9)]);
    assert!(store.operators(Some(operator(9)), 2).await.expect("reads").is_empty());
}

fn entry(n: u8, height: u64) -> LogEntry {
    LogEntry { operator: operator(n), height: Height(height), header: format!("header {n} {height}").into() }
}

async fn entries_get_their_places_once(store: Arc<dyn Store>) {
    let first = vec![entry(1, 1), entry(2, 1), entry(1, 2)];
    assert_eq!(store.sequence(1, first.clone()).await.expect("writes"), Sequenced::SizeMoved { size: 0 });
    assert_eq!(store.sequence(0, first.clone()).await.expect("writes"), Sequenced::Sequenced);
    assert_eq!(store.sequence(0, first.clone()).await.expect("writes"), Sequenced::SizeMoved { size: 3 });
    assert_eq!(store.sequence(3, vec![entry(2, 2)]).await.expect("writes"), Sequenced::Sequenced);
    assert_eq!(store.log_size().await.expect("reads"), 4);
    let all = [first, vec![entry(2, 2)]].concat();
    assert_eq!(store.entries(0, 100).await.expect("reads"), all);
    assert_eq!(store.entries(2, 1).await.expect("reads"), all[2..3]);
    assert!(store.entries(4, 10).await.expect("reads").is_empty());
    for (index, entry) in all.iter().enumerate() {
        let found = store.index_of(entry.operator, entry.height).await.expect("reads");
        assert_eq!(found, Some(index as u64));
    }
    assert_eq!(store.index_of(operator(1), Height(3)).await.expect("reads"), None);
    assert_eq!(store.logged(operator(1)).await.expect("reads"), Height(2));
    assert_eq!(store.logged(operator(3)).await.expect("reads"), Height(0));
    let twice = store.sequence(4, vec![entry(1, 2)]).await;
    assert!(twice.is_err(), "one header has one place: {twice:?}");
    assert_eq!(store.log_size().await.expect("reads"), 4);
}

async fn entries_are_read_across_all_bounds(store: Arc<dyn Store>) {
    let (mut all, mut heights) = (Vec::new(), [0_u64; 2]);
    for round in 0..20_u64 {
        let mut chunk = Vec::new();
        for n in 0..=round % 5 {
            let n = (n + round) as usize % 2;
            heights[n] += 1;
            chunk.push(entry(n as u8 + 1, heights[n]));
        }
        let size = all.len() as u64;
        assert_eq!(store.sequence(size, chunk.clone()).await.expect("writes"), Sequenced::Sequenced);
        all.extend(chunk);
        assert_eq!(store.log_size().await.expect("reads"), all.len() as u64);
    }
    for from in 0..=all.len() {
        for limit in [1, 2, 7, 100] {
            let found = store.entries(from as u64, limit).await.expect("reads");
            assert_eq!(found, all[from..all.len().min(from + limit)], "{limit} from {from}");
        }
    }
    for (index, entry) in all.iter().enumerate() {
        let found = store.index_of(entry.operator, entry.height).await.expect("reads");
        assert_eq!(found, Some(index as u64));
    }
    for (n, height) in (1..).zip(heights) {
        assert_eq!(store.logged(operator(n)).await.expect("reads"), Height(height));
    }
}

async fn of_two_orders_one_wins(store: Arc<dyn Store>) {
    for round in 0..10_u64 {
        let size = store.log_size().await.expect("reads");
        let orders = [vec![entry(1, round + 1), entry(2, round + 1)], vec![entry(2, round + 1), entry(1, round + 1)]];
        let tries = orders.iter().map(|order| store.sequence(size, order.clone()));
        let outcomes = futures::future::join_all(tries).await;
        let won: Vec<usize> = (0..2).filter(|n| matches!(outcomes[*n], Ok(Sequenced::Sequenced))).collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        assert_eq!(store.entries(size, 10).await.expect("reads"), orders[won[0]], "nothing of the other is mixed in");
        for (index, entry) in (size..).zip(&orders[won[0]]) {
            assert_eq!(store.index_of(entry.operator, entry.height).await.expect("reads"), Some(index));
        }
    }
}

/// What was written is there when the same store is opened again. `open` opens it; the one before is dropped by then.
pub(crate) async fn reopened(open: impl AsyncFn() -> Arc<dyn Store>) {
    let mut head = Head::start();
    let (mut entries, checkpoint) =
        (Vec::new(), StoredCheckpoint { size: 20, root: Hash([7; 32]), note: "a note".into() });
    {
        let store = open().await;
        for n in 0..20 {
            let next = block(operator(1), &head, &[(0, n * 10 + 1, n * 10 + 10)]);
            head = next.head.clone();
            entries.push(LogEntry { operator: operator(1), height: head.height, header: next.header_bytes.clone() });
            store.append_block_if_head_is(next).await.expect("writes");
        }
        assert_eq!(store.sequence(0, entries.clone()).await.expect("writes"), Sequenced::Sequenced);
        store.publish_checkpoint(checkpoint.clone()).await.expect("writes");
        store.put_position(&Partitions::all(), 77).await.expect("writes");
    }
    let store = open().await;
    assert_eq!(store.head(operator(1)).await.expect("reads"), head);
    assert_eq!(store.headers(operator(1), Height(1), 100).await.expect("reads").len(), 20);
    assert_eq!(store.entries(0, 100).await.expect("reads"), entries);
    assert_eq!(store.logged(operator(1)).await.expect("reads"), Height(20));
    assert_eq!(store.checkpoint().await.expect("reads"), Some(checkpoint));
    assert_eq!(store.position(&Partitions::all()).await.expect("reads"), 77);
    let (hash, size) = (head.hash, store.log_size().await.expect("reads"));
    let next = block(operator(1), &head, &[(0, 201, 201)]);
    assert_eq!((next.header.previous, size), (hash, 20));
    assert_eq!(store.append_block_if_head_is(next).await.expect("writes"), Appended::Appended);
}

async fn tiles_only_grow(store: Arc<dyn Store>) {
    let put = |level, index, width: u8| {
        let id = TileId { level, index, width: width.into() };
        store.put_tiles(vec![(id, (0..width).flat_map(|n| [n; 32]).collect())])
    };
    put(0, 0, 3).await.expect("writes");
    put(0, 0, 5).await.expect("writes");
    put(0, 0, 4).await.expect("is late, and writes nothing");
    put(1, 0, 1).await.expect("writes");
    assert_eq!(store.tile(0, 0).await.expect("reads").map(|tile| tile.len()), Some(5 * 32));
    assert_eq!(store.tile(1, 0).await.expect("reads").map(|tile| tile.len()), Some(32));
    assert_eq!(store.tile(0, 1).await.expect("reads"), None);
}

async fn checkpoints_only_go_forward(store: Arc<dyn Store>) {
    let checkpoint =
        |size: u64| StoredCheckpoint { size, root: Hash([size as u8; 32]), note: Bytes::from(format!("note {size}")) };
    assert_eq!(store.publish_checkpoint(checkpoint(5)).await.expect("writes"), Published::Published);
    for size in [5, 4] {
        let late = StoredCheckpoint { note: "another".into(), ..checkpoint(size) };
        assert_eq!(store.publish_checkpoint(late).await.expect("writes"), Published::NotNewer { size: 5 });
    }
    assert_eq!(store.checkpoint().await.expect("reads"), Some(checkpoint(5)));
    assert_eq!(store.publish_checkpoint(checkpoint(6)).await.expect("writes"), Published::Published);
    assert_eq!(store.checkpoint().await.expect("reads"), Some(checkpoint(6)));
}

async fn cursors_move(store: Arc<dyn Store>) {
    store.advance_announced(7).await.expect("writes");
    store.advance_announced(3).await.expect("is late, and writes nothing");
    assert_eq!(store.announced().await.expect("reads"), 7);
    let (all, even) = (Partitions::all(), Partitions::of(0, 2).expect("a share"));
    store.put_position(&even, 900).await.expect("writes");
    assert_eq!(store.position(&even).await.expect("reads"), 900);
    assert_eq!(store.position(&all).await.expect("reads"), 0, "half of them have none");
    store.put_position(&all, 1_000).await.expect("writes");
    store.put_position(&even, 12).await.expect("goes back");
    assert_eq!(store.position(&even).await.expect("reads"), 12);
    assert_eq!(store.position(&Partitions::of(1, 2).expect("a share")).await.expect("reads"), 1_000);
    assert_eq!(store.position(&all).await.expect("reads"), 12);
}
