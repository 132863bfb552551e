//! Room in `TX`: what one operator's chain waits for takes none from the others.

use std::time::Instant;

use bus::{Bus, Headers, PublishError, StreamBytes};
use contracts::events::CE_FRAME;
use contracts::frame::Frame;
use contracts::{StreamNo, subjects};
use testkit::NatsServer;

use crate::world::{SOON, connect_with, frame, open, operator, publish, publish_bytes, sealed, start};

const SMALL_TX: StreamBytes = StreamBytes { tx: 1 << 20, ledger: 64 << 20, alerts: 1 << 20, registry: 1 << 20 };
/// Records of a frame that takes room.
const LARGE_FRAME: u64 = 4_000;

/// Publishes when there is room; panics when none comes.
async fn publish_patiently(bus: &Bus, frame: &Frame) -> u64 {
    let (subject, bytes, began) = (subjects::tx(frame.operator, frame.stream), frame.encode(), Instant::now());
    let id = ledger::block_hash(&bytes).to_string();
    loop {
        match bus.publish(&subject, Headers::event(CE_FRAME, &id), bytes.clone().into()).await {
            Ok(_) => return bytes.len() as u64,
            Err(PublishError::Full(_)) => assert!(began.elapsed() < SOON, "TX stays full"),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[actix::test]
async fn a_chain_that_stopped_leaves_the_others_room_and_keeps_what_it_waits_for() {
    let nats = NatsServer::start();
    let dir = tempfile::tempdir().unwrap();
    let bus = connect_with(&nats, SMALL_TX).await;
    let store = open(dir.path());
    let running = start(&bus, &store).await;
    let (stopped, well) = (operator(1), [operator(2), operator(3)]);
    let damaged = publish_bytes(&bus, &subjects::tx(stopped, StreamNo(0)), b"not a frame".to_vec()).await;
    let mut waiting = vec![damaged];
    for n in 0..3 {
        waiting.push(publish(&bus, &frame(stopped, 0, n * 20 + 1, 20, 5)).await);
    }
    let (mut sent, mut frames) = (0, 0);
    while sent < SMALL_TX.tx * 3 / 2 {
        for operator in well {
            sent += publish_patiently(&bus, &frame(operator, 0, frames * LARGE_FRAME + 1, LARGE_FRAME, 500)).await;
        }
        frames += 1;
    }
    for operator in well {
        sealed(&store, operator, 0, frames * LARGE_FRAME).await;
        let fence = bus.last_of(subjects::TX, &subjects::tx(operator, StreamNo(0))).await.unwrap();
        assert!(fence.is_some(), "the last message of every subject stays, for the fence");
    }
    for seq in waiting {
        let there = bus.next_of(subjects::TX, &subjects::tx(stopped, StreamNo(0)), seq).await.unwrap();
        assert_eq!(there.map(|message| message.seq), Some(seq), "accepted, not sealed, and gone");
    }
    assert_eq!(store.head(stopped).await.unwrap().total, 0);
    running.stop().await;
}
