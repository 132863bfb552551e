//! Records arrive once, in order, whatever happens on the way; receipts are believed only when they are right.

use std::time::{Duration, Instant};

use client::{BadReceipt, Config, Encoding, SendError, Sender};
use contracts::StreamNo;
use serde_json::json;

use crate::server::{Deed, Server, operator, record};

fn config(server: &Server) -> Config {
    let mut config = Config::new(&server.url, "token", operator());
    config.pause_max = Duration::from_millis(100);
    config.try_timeout = Duration::from_millis(500);
    config.linger = Duration::from_secs(3_600);
    config
}

/// Sends records up to `last` and gives what came of it.
async fn send(config: Config, last: u64) -> Result<Vec<contracts::receipt::Receipt>, SendError> {
    let mut sender = Sender::open(config, StreamNo(3)).await?;
    while sender.next_seq() <= last {
        let record = record(sender.next_seq());
        if sender.push(&record).await.is_err() {
            break;
        }
    }
    sender.finish().await
}

#[tokio::test]
async fn goes_on_from_the_head_of_the_server_in_batches_of_the_size_asked_for() {
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
        let server = Server::start(40, []).await;
        let config = Config { batch_records_max: 25, encoding, ..config(&server) };
        let receipts = send(config, 100).await.expect("accepted");
        let state = server.state.lock().expect("state");
        assert_eq!(state.records, (1..=100).map(record).collect::<Vec<_>>());
        assert_eq!((state.batches.as_slice(), receipts.len()), (&[25, 25, 10][..], 3));
        let named = [("", Encoding::Identity), ("gzip", Encoding::Gzip), ("zstd", Encoding::Zstd)];
        assert!(
            state.encodings.iter().all(|found| named.contains(&(found.as_str(), encoding))),
            "{:?}",
            state.encodings
        );
    }
}

#[tokio::test]
async fn a_batch_has_no_more_bytes_than_asked_for() {
    let server = Server::start(0, []).await;
    let config = Config { batch_bytes_max: 5 * record(10).len(), ..config(&server) };
    send(config, 50).await.expect("accepted");
    let state = server.state.lock().expect("state");
    assert!(state.batches.iter().all(|count| *count <= 5) && state.records.len() == 50, "{:?}", state.batches);
}

#[tokio::test]
async fn a_lonely_record_goes_when_it_has_waited_long_enough() {
    let server = Server::start(0, []).await;
    let config = Config { linger: Duration::from_millis(50), ..config(&server) };
    let mut sender = Sender::open(config, StreamNo(3)).await.expect("open");
    sender.push(&record(1)).await.expect("taken");
    let receipt = tokio::time::timeout(Duration::from_secs(5), sender.receipt()).await.expect("in time");
    assert_eq!(receipt.map(|receipt| receipt.claims.count), Some(1));
    sender.push(&record(2)).await.expect("taken");
    sender.flush().await.expect("taken");
    assert_eq!(sender.receipt().await.map(|receipt| receipt.claims.first_seq.get()), Some(2));
}

#[tokio::test]
async fn unknown_outcomes_are_repeated_until_they_are_known() {
    let deeds = [Deed::LoseTheAnswer, Deed::HangUp, Deed::Busy(None), Deed::TooMany, Deed::Stall, Deed::LoseTheAnswer];
    let count = deeds.len() as u64;
    let server = Server::start(0, deeds).await;
    // Longer than a server takes that is slow by itself.
    let config = Config { batch_records_max: 10, try_timeout: Duration::from_secs(3), ..config(&server) };
    let receipts = send(config, 20).await.expect("accepted");
    let state = server.state.lock().expect("state");
    assert_eq!(state.records, (1..=20).map(record).collect::<Vec<_>>());
    assert_eq!((receipts.len(), state.requests), (2, 2 + count));
}

#[tokio::test]
async fn waits_as_long_as_it_is_asked_to() {
    let server = Server::start(0, [Deed::Busy(Some(1))]).await;
    let started = Instant::now();
    send(Config { pause_max: Duration::from_secs(5), ..config(&server) }, 1).await.expect("accepted");
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_refusal_ends_it_and_says_why() {
    let refusal = json!({"status": 409, "code": "rewrite-attempt", "detail": "seq 1 was accepted with other bytes"});
    let server = Server::start(0, [Deed::Refuse(409, refusal)]).await;
    match send(config(&server), 10).await {
        Err(SendError::Refused(refusal)) => {
            assert_eq!((refusal.status, refusal.code.as_str()), (409, "rewrite-attempt"))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.state.lock().expect("state").requests, 1);
}

#[tokio::test]
async fn a_receipt_for_anything_else_is_not_believed() {
    let lies = [
        ("operator", json!("b802149d-d401-4b4b-b9f7-1a6bb8198295")),
        ("stream", json!(4)),
        ("first_seq", json!(2)),
        ("last_seq", json!(9)),
        ("count", json!(9)),
        ("root", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
    ];
    for (claim, value) in lies {
        let server = Server::start(0, [Deed::Lie(json!({claim: value}))]).await;
        match send(config(&server), 10).await {
            Err(SendError::Receipt(BadReceipt::Differs { name, .. })) => assert_eq!(name, claim),
            other => panic!("{claim}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_new_key_is_looked_up_and_a_strangers_is_refused() {
    // Published at once, and in a set that other processes serve only some time later.
    for asked in [1, 4] {
        let server = Server::start(0, [Deed::NewKey(asked)]).await;
        assert_eq!(send(config(&server), 10).await.expect("accepted").len(), 1, "{asked}");
    }
    let server = Server::start(0, [Deed::StrangerKey]).await;
    let config = Config { receipt_key_timeout: Duration::from_millis(100), ..config(&server) };
    assert!(matches!(send(config, 10).await, Err(SendError::Receipt(BadReceipt::Header(_)))));
}

#[tokio::test]
async fn memory_is_bounded_while_nobody_answers() {
    let server = Server::start(0, [Deed::Stall]).await;
    let config = Config {
        batch_records_max: 10,
        waiting_batches_max: 2,
        try_timeout: Duration::from_secs(600),
        ..config(&server)
    };
    let mut sender = Sender::open(config, StreamNo(3)).await.expect("open");
    let mut taken = 0_u64;
    while tokio::time::timeout(Duration::from_secs(2), sender.push(&record(taken + 1))).await.is_ok() {
        taken += 1;
        assert!(taken < 1_000, "push must wait");
    }
    // One batch in flight, two that wait, one that wants to, and what lies before the collector.
    assert!((40..400).contains(&taken), "{taken}");
}
