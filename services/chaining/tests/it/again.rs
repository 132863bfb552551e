//! What a chain and the log are told a second time: by others who were faster, and by a `TX` that was made anew.

use std::sync::Arc;

use actix::prelude::*;
use async_trait::async_trait;
use bytes::Bytes;
use chaining::actors::Witness;
use chaining::actors::chain::{Ask, BlockSealed, Chain, Stop, Surroundings, Take, Told};
use chaining::actors::log::steps::recover;
use chaining::domain::frame::Damage;
use chaining::metrics::Metrics;
use chaining::storage::Store;
use contracts::frame::Frame;
use contracts::{Hash, Height, OperatorId, StreamNo};
use tokio::sync::mpsc;

use crate::roles::Ear;
use crate::world::{Nobody, SOON, append, frame, frame_with, key, log_everything, open, operator, record};

/// While it is asked, another process stores more and announces it.
struct Grows(Arc<dyn Store>);

#[async_trait]
impl Witness for Grows {
    async fn last_block(&self, operator: OperatorId) -> Result<Option<(Height, Hash)>, String> {
        append(&self.0, operator, 1).await;
        let head = self.0.head(operator).await.unwrap();
        Ok(Some((head.height, head.hash)))
    }

    async fn last_checkpoint(&self) -> Result<Option<Vec<u8>>, String> {
        append(&self.0, operator(1), 1).await;
        log_everything(&self.0).await;
        Ok(self.0.checkpoint().await.unwrap().map(|stored| stored.note.to_vec()))
    }
}

/// A chain, what it tells, and what must not be dropped before it.
fn chain(
    store: &Arc<dyn Store>,
    witness: Arc<dyn Witness>,
) -> (Addr<Chain>, mpsc::UnboundedReceiver<Told>, mpsc::UnboundedReceiver<BlockSealed>) {
    let (told, tells) = mpsc::unbounded_channel();
    let (sealed, hears) = Ear::open();
    let around = Surroundings { store: store.clone(), witness, told, sealed, metrics: Metrics::new() };
    (Chain::new(operator(1), around).unwrap().start(), tells, hears)
}

#[actix::test]
async fn who_stores_and_announces_while_a_process_starts_has_not_set_the_store_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, operator(1), 2).await;
    log_everything(&store).await;
    let standing = recover(&*store, &key(), &Grows(store.clone())).await.unwrap();
    assert_eq!(standing.edge.size(), 3);
    let (chain, _tells, _hears) = chain(&store, Arc::new(Grows(store.clone())));
    let state = chain.send(Ask).await.unwrap();
    assert_eq!((state.stopped, state.height), (None, Height(4)));
}

fn take(frame: &Frame, tx_seq: u64, round: u64) -> Take {
    Take { stream: StreamNo(0), tx_seq, round, bytes: Bytes::from(frame.encode()) }
}

async fn next(tells: &mut mpsc::UnboundedReceiver<Told>) -> Told {
    tokio::time::timeout(SOON, tells.recv()).await.expect("the chain says nothing").unwrap()
}

#[actix::test]
async fn seqs_that_are_sealed_are_known_by_their_records_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (chain, mut tells, _hears) = chain(&store, Arc::new(Nobody));
    let sent = [frame(operator(1), 0, 1, 20, 5), frame(operator(1), 0, 21, 20, 5)];
    // The second comes twice before its block is there, and then once more.
    for (frame, tx_seq) in [(&sent[0], 1), (&sent[1], 2), (&sent[1], 3)] {
        chain.send(take(frame, tx_seq, 0)).await.unwrap();
    }
    let told = next(&mut tells).await;
    assert!(matches!(&told, Told::Sealed { tx_seqs } if tx_seqs[..] == [1, 2]), "{told:?}");
    assert!(matches!(next(&mut tells).await, Told::Known { tx_seq: 3 }));
    chain.send(take(&sent[0], 4, 1)).await.unwrap();
    assert!(matches!(next(&mut tells).await, Told::Known { tx_seq: 4 }));
    // The same records, accepted again in other batches and another frame.
    chain.send(take(&frame(operator(1), 0, 6, 30, 3), 5, 1)).await.unwrap();
    assert!(matches!(next(&mut tells).await, Told::Known { tx_seq: 5 }));

    // One record is another: its receipt is of a record that no block has.
    let forged = frame_with(operator(1), 0, 11, 20, 5, |seq| record(u8::from(seq == 17), seq));
    chain.send(take(&forged, 6, 1)).await.unwrap();
    let told = next(&mut tells).await;
    let Told::Stopped { stop: Stop::Damaged { tx_seq: 6, damage, .. }, .. } = told else { panic!("{told:?}") };
    assert!(matches!(damage, Damage::Sealed { first, last: 30 } if first.get() == 11), "{damage}");
    assert!(matches!(next(&mut tells).await, Told::Held { tx_seq: 6, .. }));
    assert_eq!(store.head(operator(1)).await.unwrap().total, 40);
}

#[actix::test]
async fn an_echo_with_other_records_stops_the_chain_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (chain, mut tells, _hears) = chain(&store, Arc::new(Nobody));
    chain.send(take(&frame(operator(1), 0, 1, 20, 5), 1, 0)).await.unwrap();
    chain.send(take(&frame_with(operator(1), 0, 1, 20, 5, |seq| record(9, seq)), 2, 0)).await.unwrap();
    let told = next(&mut tells).await;
    assert!(matches!(&told, Told::Sealed { tx_seqs } if tx_seqs[..] == [1]), "{told:?}");
    let told = next(&mut tells).await;
    assert!(matches!(&told, Told::Stopped { stop: Stop::Damaged { tx_seq: 2, .. }, .. }), "{told:?}");
}
