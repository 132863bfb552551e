//! Several processes over one store: each seals its partitions, one writes the log and trims; and what happens when two own the same
//! by mistake.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Bus, StreamBytes};
use chaining::domain::partitions::Partitions;
use chaining::fsck::{Scope, fsck};
use chaining::metrics::Metrics;
use chaining::pipeline::Pipeline;
use chaining::storage::{ScyllaStore, Store};
use contracts::{Height, OperatorId, StreamNo, subjects};
use testkit::{CqlKeyspace, NatsServer};

use crate::world::{connect, connect_with, frame, key, open, publish, sealed, until};

/// Records of a frame.
const FRAME: u64 = 20;
/// How late a record may be published that another process than the log's writer sealed.
const PUBLISHED: Duration = Duration::from_secs(10);
/// Records of a frame that takes room.
const LARGE_FRAME: u64 = 4_000;
/// A `TX` that twenty large frames fill to almost a half.
const SMALL_TX: StreamBytes = StreamBytes { tx: 2 << 20, ledger: 64 << 20, alerts: 1 << 20, registry: 1 << 20 };
/// What `TX` holds is left alone below this, so trimming may end anywhere under it.
const LEFT_ALONE: u64 = SMALL_TX.tx / 4;

/// Operators whose partitions are these modulo 64: the last byte decides.
fn operator_in(partition: u8) -> OperatorId {
    format!("13013f29-b9df-4b82-ad28-e51596b700{partition:02x}").parse().unwrap()
}

async fn replica(bus: &Bus, store: &Arc<dyn Store>, ordinal: u16, replicas: u16) -> Pipeline {
    let partitions = Partitions::of(ordinal, replicas).unwrap();
    Pipeline::start(bus.clone(), store.clone(), key(), Metrics::new(), partitions).await.unwrap()
}

/// Sends frames of every operator's stream 0, from that of `first` on, `count` of each, a moment apart.
async fn send(bus: &Bus, operators: &[OperatorId], first: u64, count: u64) {
    for n in first..first + count {
        for operator in operators {
            publish(bus, &frame(*operator, 0, n * FRAME + 1, FRAME, 5)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every record is in exactly one block and under the checkpoint that everybody shows.
async fn all_published(store: &Arc<dyn Store>, operators: &[OperatorId], frames: u64, shown: &[&Pipeline]) {
    for operator in operators {
        sealed(store, *operator, 0, frames * FRAME).await;
        let head = store.head(*operator).await.unwrap();
        assert_eq!((head.total, head.sealed_through(StreamNo(0))), (frames * FRAME, frames * FRAME));
    }
    let began = Instant::now();
    until("the log", || async {
        let mut blocks = 0;
        for operator in operators {
            let head = store.head(*operator).await.unwrap();
            let logged = store.index_of(*operator, head.height).await.unwrap();
            blocks += head.height.0;
            logged?;
        }
        let seen = shown.iter().all(|pipeline| pipeline.shown.borrow().size == blocks);
        seen.then_some(())
    })
    .await;
    assert!(began.elapsed() < PUBLISHED, "published after {:?}", began.elapsed());
    let newest = store.checkpoint().await.unwrap().unwrap();
    for pipeline in shown {
        let shown = pipeline.shown.borrow().clone();
        assert_eq!((shown.frozen, shown.note), (None, Some(newest.note.clone())));
    }
    key().open(&newest.note).unwrap();
    let report = fsck(&**store, key().verifier(), Scope::Everything, &mut |_| ()).await;
    assert!(report.ok, "{:?}", report.first);
}

/// The same with the embedded store, shared inside this process, and with two connections to a CQL server.
async fn on_each_engine<F: AsyncFn(Arc<dyn Store>, Arc<dyn Store>)>(test: F) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(Path::new(dir.path()));
    test(store.clone(), store).await;
    let Some(keyspace) = CqlKeyspace::new() else { return };
    let one: Arc<dyn Store> = Arc::new(ScyllaStore::open(&keyspace).await.unwrap());
    let other: Arc<dyn Store> = Arc::new(ScyllaStore::open(&keyspace).await.unwrap());
    test(one, other).await;
}

#[actix::test]
async fn two_processes_seal_their_partitions_and_one_publishes_all() {
    on_each_engine(async |one, other| {
        let nats = NatsServer::start();
        let (bus, beside) = (connect(&nats).await, connect(&nats).await);
        let operators = [operator_in(0), operator_in(1), operator_in(2), operator_in(63)];
        let (even, odd) = (replica(&bus, &one, 0, 2).await, replica(&beside, &other, 1, 2).await);
        send(&bus, &operators, 0, 15).await;
        all_published(&one, &operators, 15, &[&even, &odd]).await;

        // One of them is away: its chains wait, and nothing of theirs is trimmed; the others go on.
        odd.stop().await;
        send(&bus, &operators, 15, 5).await;
        sealed(&one, operators[0], 0, 20 * FRAME).await;
        assert_eq!(one.head(operators[1]).await.unwrap().total, 15 * FRAME);
        let odd_ones = Partitions::of(1, 2).unwrap();
        until("the position", || async {
            let even_ones = one.position(&Partitions::of(0, 2).unwrap()).await.unwrap();
            (even_ones > one.position(&odd_ones).await.unwrap()).then_some(())
        })
        .await;
        let odd = replica(&beside, &other, 1, 2).await;
        all_published(&one, &operators, 20, &[&even, &odd]).await;

        // The log's writer is away: the others seal, nobody hears of it, and it finds what it missed.
        even.stop().await;
        send(&bus, &operators, 20, 5).await;
        sealed(&one, operators[3], 0, 25 * FRAME).await;
        let even = replica(&bus, &one, 0, 2).await;
        all_published(&one, &operators, 25, &[&even, &odd]).await;
        even.stop().await;
        odd.stop().await;
    })
    .await;
}

#[actix::test]
async fn two_processes_that_own_the_same_neither_fork_nor_skip() {
    on_each_engine(async |one, other| {
        let nats = NatsServer::start();
        let (bus, beside) = (connect(&nats).await, connect(&nats).await);
        let operators = [operator_in(0), operator_in(1)];
        // Both own everything, and both write the log.
        let (first, second) = (replica(&bus, &one, 0, 1).await, replica(&beside, &other, 0, 1).await);
        send(&bus, &operators, 0, 20).await;
        all_published(&one, &operators, 20, &[]).await;
        for operator in operators {
            let head = other.head(operator).await.unwrap();
            assert_eq!(head, one.head(operator).await.unwrap());
            let headers = other.headers(operator, Height(1), 1_000).await.unwrap();
            assert_eq!(headers.len() as u64, head.height.0, "a chain without a hole");
        }
        assert!(first.shown.borrow().frozen.is_none() && second.shown.borrow().frozen.is_none());
        // Both are alive: each goes on alone.
        first.stop().await;
        send(&bus, &operators, 20, 2).await;
        all_published(&one, &operators, 22, &[&second]).await;
        second.stop().await;
    })
    .await;
}

#[actix::test]
async fn a_silent_share_holds_nothing_back_and_one_that_is_away_only_what_is_its_own() {
    let nats = NatsServer::start();
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (bus, beside) = (connect_with(&nats, SMALL_TX).await, connect_with(&nats, SMALL_TX).await);
    let (busy, rare) = (operator_in(0), operator_in(1));
    let (even, odd) = (replica(&bus, &store, 0, 2).await, replica(&beside, &store, 1, 2).await);
    publish(&bus, &frame(rare, 0, 1, FRAME, 5)).await;
    let mut sent = 0;
    for n in 0..20 {
        let frame = frame(busy, 0, n * LARGE_FRAME + 1, LARGE_FRAME, 500);
        sent += frame.encode().len() as u64;
        publish(&bus, &frame).await;
    }
    assert!(sent > LEFT_ALONE, "there is nothing to trim");
    until("TX to be trimmed although nothing comes for one share", || async {
        (bus.state_of(subjects::TX).await.unwrap().bytes < LEFT_ALONE).then_some(())
    })
    .await;

    odd.stop().await;
    let mut waiting = Vec::new();
    for n in 1..5 {
        waiting.push(publish(&bus, &frame(rare, 0, n * FRAME + 1, FRAME, 5)).await);
    }
    for n in 20..40 {
        publish(&bus, &frame(busy, 0, n * LARGE_FRAME + 1, LARGE_FRAME, 500)).await;
    }
    sealed(&store, busy, 0, 40 * LARGE_FRAME).await;
    until("TX to be trimmed of what the other share sealed", || async {
        (bus.state_of(subjects::TX).await.unwrap().bytes < LEFT_ALONE).then_some(())
    })
    .await;
    assert!(store.position(&Partitions::of(0, 2).unwrap()).await.unwrap() > *waiting.last().unwrap());
    for seq in waiting {
        let there = bus.next_of(subjects::TX, &subjects::tx(rare, StreamNo(0)), seq).await.unwrap();
        assert_eq!(there.map(|message| message.seq), Some(seq), "accepted, not sealed, and gone");
    }

    let odd = replica(&beside, &store, 1, 2).await;
    sealed(&store, rare, 0, 5 * FRAME).await;
    let report = fsck(&*store, key().verifier(), Scope::Everything, &mut |_| ()).await;
    assert!(report.ok && report.checked.records == 40 * LARGE_FRAME + 5 * FRAME, "{report:?}");
    even.stop().await;
    odd.stop().await;
}
