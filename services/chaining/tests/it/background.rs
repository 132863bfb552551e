//! The check of everything after a start finds what nobody asked for.

use contracts::events::{CE_STORE_DAMAGED, StoreDamaged};
use contracts::{Height, subjects};
use store::{Engine, Limits};
use testkit::NatsServer;

use crate::register::{config, get};
use crate::world::{append, connect, log_everything, open, operator, until};

/// Blocks of the chain: more than a start looks at before it serves.
const BLOCKS: u64 = 12;
const OLD: Height = Height(2);

#[actix::test]
async fn a_bit_flipped_in_an_old_block_is_found_and_told_while_the_process_serves() {
    let (nats, dir) = (NatsServer::start(), tempfile::tempdir().unwrap());
    // As ingest would have: chaining does not make TX over a store with blocks.
    let bus = connect(&nats).await;
    let data = dir.path().join("data");
    {
        let store = open(&data);
        append(&store, operator(1), BLOCKS).await;
        log_everything(&store).await;
    }
    {
        let engine = Engine::open(&data, Limits::default()).unwrap();
        let frames = engine.large_values("frames").unwrap();
        let key = [&operator(1).as_bytes()[..], &OLD.0.to_be_bytes(), &0_u32.to_be_bytes()].concat();
        let mut frame = frames.get(&key).unwrap().unwrap().to_vec();
        frame[160] ^= 1;
        let flip = move |changes: &mut store::Changes| {
            changes.insert(&frames, key, frame);
            Ok(())
        };
        engine.write(flip).await.unwrap();
    }

    let running = chaining::start(config(&nats, dir.path())).await.unwrap();
    let addr = running.addr();
    let place = format!("record operator {} height {OLD}", operator(1));
    until("the warning", || async {
        let answer = get(addr, "/readyz").await;
        answer.contains(&format!("\"stored\":\"damaged: {place}")).then_some(())
    })
    .await;
    let metrics = get(addr, "/metrics").await;
    assert!(metrics.lines().any(|line| line.starts_with("dsom_chaining_store_damaged{") && line.ends_with(" 1")));
    let subject = format!("alerts.store-damaged.{}", operator(1));
    let alert = until("the alert", || async { bus.last_of(subjects::ALERTS, &subject).await.unwrap() }).await;
    assert_eq!(alert.headers.get("ce-type"), Some(CE_STORE_DAMAGED));
    let told: StoreDamaged = serde_json::from_slice(&alert.payload).unwrap();
    assert_eq!(told.operator, Some(operator(1)));
    assert!(told.reason.starts_with(&place), "{}", told.reason);
    running.stop().await;
}
