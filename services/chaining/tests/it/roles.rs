//! The parts of a process that shares the work, one by one: a chain that was overtaken, the notice to the log's writer, the follower.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use async_trait::async_trait;
use chaining::actors::chain::{BlockSealed, Chain, Surroundings, Take, Told};
use chaining::actors::follower::{Follower, Herald};
use chaining::actors::log::Shown;
use chaining::domain::partitions::Partitions;
use chaining::events::{BusHerald, hear_sealed};
use chaining::fsck::{Scope, fsck};
use chaining::metrics::Metrics;
use chaining::storage::Store;
use chaining::trace::Traces;
use contracts::{Height, StreamNo, UnixMillis};
use testkit::NatsServer;
use tokio::sync::{mpsc, watch};

use crate::doubles::{Doubled, Flip};
use crate::world::{Nobody, SOON, append, connect, frame, key, log_everything, open, operator, until};

/// Longer than a follower leaves the checkpoint alone, twice.
const FOLLOWED: Duration = Duration::from_millis(600);

/// Stands where the log stands and passes on what it is told.
pub struct Ear(mpsc::UnboundedSender<BlockSealed>);

impl Ear {
    pub fn open() -> (Recipient<BlockSealed>, mpsc::UnboundedReceiver<BlockSealed>) {
        let (heard, hears) = mpsc::unbounded_channel();
        (Self(heard).start().recipient(), hears)
    }
}

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<BlockSealed> for Ear {
    type Result = ();

    fn handle(&mut self, sealed: BlockSealed, _: &mut Self::Context) {
        self.0.send(sealed).unwrap();
    }
}

#[async_trait]
impl Herald for Nobody {
    async fn sealed(&self, _: BlockSealed) {}
}

async fn soon<T>(what: &str, coming: impl Future<Output = Option<T>>) -> T {
    let came = tokio::time::timeout(SOON, coming).await;
    came.unwrap_or_else(|_| panic!("{what} did not come in {SOON:?}")).unwrap()
}

#[actix::test]
async fn a_chain_that_was_overtaken_goes_on_though_what_it_missed_is_trimmed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (told, mut tells) = mpsc::unbounded_channel();
    let (sealed, _hears) = Ear::open();
    let (kept, witness, metrics) = (store.clone(), Arc::new(Nobody), Metrics::new());
    let around = Surroundings { store: kept, witness, told, sealed, metrics, traces: Traces::default() };
    let chain = Chain::new(operator(1), around).unwrap().start();
    let take = |first, tx_seq, round| Take {
        stream: StreamNo(0),
        tx_seq,
        round,
        bytes: frame(operator(1), 0, first, 20, 5).encode().into(),
        trace: None,
    };
    chain.send(take(1, 1, 0)).await.unwrap();
    let first = soon("the first block", tells.recv()).await;
    assert!(matches!(&first, Told::Sealed { tx_seqs } if tx_seqs[..] == [1]), "{first:?}");

    // This process sleeps; the other owner seals 21 to 26, and the messages at 2 and 3 are trimmed.
    append(&store, operator(1), 2).await;
    let mut round = 0;
    chain.send(take(27, 4, round)).await.unwrap();
    loop {
        match soon("an answer", tells.recv()).await {
            Told::Rewind { round: missed, .. } if missed == round => {
                round += 1;
                chain.send(take(27, 4, round)).await.unwrap();
            }
            Told::Sealed { tx_seqs } => break assert_eq!(tx_seqs, [4]),
            told => panic!("{told:?}"),
        }
    }
    assert_eq!(round, 1, "read again once");
    let head = store.head(operator(1)).await.unwrap();
    assert_eq!((head.height, head.total, head.sealed_through(StreamNo(0))), (Height(4), 46, 46));
}

#[actix::test]
async fn the_writer_hears_when_what_others_sealed_was_accepted() {
    let nats = NatsServer::start();
    let (here, there) = (connect(&nats).await, connect(&nats).await);
    let herald = BusHerald { bus: there };
    let block = |height| BlockSealed {
        operator: operator(1),
        height: Height(height),
        accepted_at: vec![UnixMillis(1_700_000_000_001), UnixMillis(1_700_000_000_002)],
    };
    // Nobody listens yet: no harm, and no waiting.
    tokio::time::timeout(Duration::from_secs(3), herald.sealed(block(1))).await.unwrap();
    let (log, mut hears) = Ear::open();
    let _answering = hear_sealed(&here, log);
    let told = async {
        loop {
            herald.sealed(block(2)).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let heard = tokio::select! {
        heard = soon("a notice", hears.recv()) => heard,
        () = told => unreachable!(),
    };
    let sent = block(2);
    assert_eq!((heard.operator, heard.height, heard.accepted_at), (sent.operator, sent.height, sent.accepted_at));
}

fn follow(store: Arc<dyn Store>) -> (Addr<Follower>, watch::Receiver<Shown>) {
    let (follower, shown) = Follower::new(store, key(), Arc::new(Nobody));
    (follower.start(), shown)
}

#[actix::test]
async fn a_follower_shows_the_stored_checkpoint_and_none_that_does_not_verify() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_sound, sound) = follow(store.clone());
    until("to be ready without a log", async || sound.borrow().ready.then_some(())).await;
    assert_eq!(sound.borrow().note, None);
    append(&store, operator(1), 3).await;
    log_everything(&store).await;
    let (_deceived, deceived) = follow(Arc::new(Doubled::flipped(&store, Flip::Checkpoint(40))));
    until("the checkpoint", async || (sound.borrow().size == 3).then_some(())).await;
    let note = store.checkpoint().await.unwrap().unwrap().note;
    assert_eq!(*sound.borrow(), Shown { ready: true, size: 3, note: Some(note), frozen: None });
    tokio::time::sleep(FOLLOWED).await;
    assert_eq!(*deceived.borrow(), Shown::default(), "a checkpoint with one bit flipped");
}

#[actix::test]
async fn only_the_chains_of_its_share_are_looked_at_when_a_process_starts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in [0, 1, 2] {
        append(&store, operator(n), 6).await;
    }
    let damaged = Doubled::flipped(&store, Flip::Frame(operator(1), Height(5), 0, 160));
    for (ordinal, ok, chains) in [(0, true, 2), (1, false, 0)] {
        let of = &Partitions::of(ordinal, 2).unwrap();
        let report = fsck(&damaged, key().verifier(), Scope::Newest { blocks: 4, of }, &mut |_| ()).await;
        assert_eq!((report.ok, report.checked.chains), (ok, chains), "{report:?}");
    }
}
