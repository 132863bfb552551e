//! The whole path: `TX`, block, log, `LEDGER`.

use contracts::block::SealedBlock;
use contracts::{Height, Seq, StreamNo, subjects};
use testkit::NatsServer;

use crate::world::{connect, frame, key, open, operator, publish, sealed, start, until};

#[actix::test]
async fn a_frame_on_tx_becomes_a_block_in_the_log_and_is_announced() {
    let nats = NatsServer::start();
    let dir = tempfile::tempdir().unwrap();
    let bus = connect(&nats).await;
    let store = open(dir.path());
    let running = start(&bus, &store).await;
    for (one, first) in [(1, 1), (1, 51), (2, 1)] {
        publish(&bus, &frame(operator(one), 3, first, 50, 20)).await;
    }
    sealed(&store, operator(1), 3, 100).await;
    sealed(&store, operator(2), 3, 50).await;
    let head = store.head(operator(1)).await.unwrap();
    let headers = store.headers(operator(1), Height(1), 100).await.unwrap();
    assert_eq!(headers.len() as u64, head.height.0);
    assert_eq!(head.total, 100);
    let size = until("the log", || async {
        let logged =
            store.logged(operator(1)).await.unwrap() == head.height && store.logged(operator(2)).await.unwrap().0 > 0;
        let size = store.log_size().await.unwrap();
        (logged && running.shown.borrow().size == size).then_some(size)
    })
    .await;
    let checkpoint = key().open(&store.checkpoint().await.unwrap().unwrap().note).unwrap();
    assert_eq!(checkpoint.size, size);
    let leaves: Vec<_> =
        store.entries(0, 1_000).await.unwrap().iter().map(|entry| ledger::leaf_hash(&entry.header)).collect();
    assert_eq!(checkpoint.root, ledger::root(&leaves));

    until("LEDGER", || async { (store.announced().await.unwrap() == size).then_some(()) }).await;
    let last = bus.last_of(subjects::LEDGER, &subjects::ledger_block(operator(1))).await.unwrap().unwrap();
    let block = SealedBlock::decode(&last.payload).unwrap();
    assert_eq!(ledger::block_hash(&block.header), head.hash);
    let note = bus.last_of(subjects::LEDGER, subjects::LEDGER_CHECKPOINT).await.unwrap().unwrap();
    assert_eq!(key().open(&note.payload).unwrap().size, size);

    let height = store.height_holding(operator(1), StreamNo(3), Seq::new(51).unwrap()).await.unwrap();
    assert!(height.is_some());
    running.stop().await;
}
