//! Records arrive once, in order, whatever happens on the way; receipts are believed only when they are right.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::{BadReceipt, BadRecord, Config, Encoding, Observer, RecordError, SendError, Sender, Waiting};
use contracts::StreamNo;
use contracts::receipt::Receipt;
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
async fn send(config: Config, last: u64) -> Result<Vec<Receipt>, SendError> {
    let mut sender = Sender::open(config, StreamNo(3)).await?;
    while sender.next_seq() <= last {
        let record = record(sender.next_seq());
        if sender.push(&record).await.is_err() {
            break;
        }
    }
    sender.finish().await.map_err(|unfinished| unfinished.error)
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

#[tokio::test]
async fn a_refusal_names_the_records_and_keeps_the_receipts_before_it() {
    let errors = json!([{"index": 2, "seq": 13, "pointer": "/amount", "code": "out-of-range", "detail": "below 0"}]);
    let refusal = json!({
        "status": 422, "code": "invalid-records", "detail": "1 violations of the record's rules", "retry": "fix", "errors": errors,
    });
    let server = Server::start(0, [Deed::NewKey(1), Deed::Refuse(422, refusal)]).await;
    let mut sender =
        Sender::open(Config { batch_records_max: 10, ..config(&server) }, StreamNo(3)).await.expect("open");
    for seq in 1..=20 {
        sender.push(&record(seq)).await.expect("taken");
    }
    let unfinished = sender.finish().await.expect_err("the second batch is refused");
    let ranges: Vec<_> =
        unfinished.receipts.iter().map(|r| (r.claims.first_seq.get(), r.claims.last_seq.get())).collect();
    assert_eq!(ranges, [(1, 10)], "what was promised is handed out");
    let SendError::Refused(refusal) = unfinished.error else { panic!("{:?}", unfinished.error) };
    let named = RecordError {
        index: 2,
        seq: Some(13),
        pointer: "/amount".into(),
        code: "out-of-range".into(),
        detail: "below 0".into(),
    };
    assert_eq!((refusal.errors.as_slice(), refusal.retry.as_deref()), (&[named][..], Some("fix")));
}

#[tokio::test]
async fn a_refused_rewrite_names_both_versions() {
    let refusal = json!({
        "status": 409, "code": "rewrite-attempt", "detail": "", "retry": "never", "seq": 7, "records": 2,
        "accepted_leaf": "AAAA", "sent_leaf": "BBBB",
    });
    let server = Server::start(0, [Deed::Refuse(409, refusal)]).await;
    let Err(SendError::Refused(refusal)) = send(config(&server), 10).await else { panic!("it is refused") };
    assert_eq!((refusal.seq, refusal.records), (Some(7), Some(2)));
    assert_eq!((refusal.accepted_leaf.as_deref(), refusal.sent_leaf.as_deref()), (Some("AAAA"), Some("BBBB")));
}

#[tokio::test]
async fn a_record_that_cannot_be_sent_is_not_taken_and_the_others_are() {
    let server = Server::start(0, []).await;
    let mut sender = Sender::open(config(&server), StreamNo(3)).await.expect("open");
    sender.push(&record(1)).await.expect("taken");
    let long = format!("{{\"seq\":2,\"note\":\"{}\"}}", "x".repeat(2_048)).into_bytes();
    let two = [record(2), record(3)].join(&b'\n');
    for (bad, why) in [
        (long.clone(), BadRecord::TooLong { bytes: long.len() }),
        (two, BadRecord::LineFeed),
        (record(3), BadRecord::Seq { found: Some(3) }),
        (b"no record".to_vec(), BadRecord::Seq { found: None }),
    ] {
        match sender.push(&bad).await {
            Err(SendError::BadRecord { seq: 2, why: found }) => assert_eq!(found, why),
            other => panic!("{other:?}"),
        }
    }
    sender.push(&record(2)).await.expect("taken");
    assert_eq!(sender.finish().await.expect("accepted").len(), 1);
    assert_eq!(server.state.lock().expect("state").records, [record(1), record(2)]);
}

#[tokio::test]
async fn batches_are_never_larger_than_a_server_takes() {
    let server = Server::start(0, []).await;
    let limits = (usize::MAX, usize::MAX);
    let config = Config { batch_records_max: limits.0, batch_bytes_max: limits.1, ..config(&server) };
    let mut sender = Sender::open(config, StreamNo(3)).await.expect("open");
    for seq in 1..=10_001_u64 {
        sender.push(format!("{{\"seq\":{seq}}}").as_bytes()).await.expect("taken");
    }
    sender.finish().await.expect("accepted");
    assert_eq!(server.state.lock().expect("state").batches, [10_000, 1]);
}

#[tokio::test]
async fn what_is_too_big_for_a_proxy_goes_in_halves() {
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
        // As packed, so that each encoding is split at least once.
        let most = if encoding == Encoding::Identity { 30 * record(10).len() } else { 120 };
        let server = Server::start(0, [Deed::Narrow(most)]).await;
        let receipts = send(Config { encoding, ..config(&server) }, 100).await.expect("accepted");
        let state = server.state.lock().expect("state");
        assert_eq!(state.records, (1..=100).map(record).collect::<Vec<_>>(), "{encoding:?}");
        assert!(state.batches.len() > 1 && receipts.len() == state.batches.len(), "{encoding:?}: {:?}", state.batches);
    }
    let server = Server::start(0, [Deed::Narrow(10)]).await;
    let config = Config { encoding: Encoding::Identity, ..config(&server) };
    let Err(SendError::Refused(refusal)) = send(config, 2).await else { panic!("one record can't be split") };
    assert_eq!((refusal.status, refusal.code.as_str()), (413, "too-big"));
}

#[derive(Default)]
struct Notes {
    reasons: Mutex<Vec<String>>,
    answered: Mutex<u64>,
    accepted: Mutex<Vec<u64>>,
}

impl Observer for Notes {
    fn waiting(&self, waiting: &Waiting) {
        let mut reasons = self.reasons.lock().unwrap();
        reasons.push(waiting.reason.clone());
        assert_eq!(waiting.attempt, reasons.len() as u64);
    }

    fn answered(&self) {
        *self.answered.lock().unwrap() += 1;
    }

    fn accepted(&self, receipt: &Receipt) {
        self.accepted.lock().unwrap().push(receipt.claims.last_seq.get());
    }
}

#[tokio::test]
async fn who_asks_is_told_why_it_waits_and_what_is_accepted() {
    let server = Server::start(0, [Deed::Busy(None), Deed::HangUp]).await;
    let notes = Arc::new(Notes::default());
    let config = Config { observer: Arc::clone(&notes) as _, try_timeout: Duration::from_secs(5), ..config(&server) };
    send(config, 5).await.expect("accepted");
    let reasons = notes.reasons.lock().unwrap();
    assert!(reasons.len() == 2 && reasons[0].starts_with("503") && reasons[1].starts_with("no answer"), "{reasons:?}");
    assert_eq!((*notes.answered.lock().unwrap(), notes.accepted.lock().unwrap().as_slice()), (1, &[5][..]));
}

#[tokio::test]
async fn who_has_no_time_for_ever_gives_up() {
    let server = Server::start(0, std::iter::repeat_n(Deed::Busy(None), 1_000)).await;
    let config = Config {
        batch_records_max: 10,
        give_up_after: Some(Duration::from_secs(1)),
        try_timeout: Duration::from_secs(600),
        ..config(&server)
    };
    match send(config.clone(), 20).await {
        Err(SendError::GaveUp { after, why }) => {
            assert!(after >= Duration::from_secs(1) && why.starts_with("503"), "{why}")
        }
        other => panic!("{other:?}"),
    }
    // A server that takes the connection and says nothing is given up, too.
    let silent = Server::start(0, [Deed::Stall]).await;
    let config = Config { url: silent.url.clone(), ..config };
    assert!(matches!(send(config, 5).await, Err(SendError::GaveUp { .. })));
}
