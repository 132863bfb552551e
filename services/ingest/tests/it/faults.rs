//! Faults of the broker and of ingest itself: refused clearly, recovered from alone, nothing lost or doubled.

use std::process::Command;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use contracts::subjects;
use testkit::{Process, binary, free_port};

use crate::world::{Ingest, Operator, World, eventually, records};

async fn accepted(operator: &Operator, to: &Ingest, lines: &[String]) -> u16 {
    eventually("the batch to be accepted", || async {
        let status = operator.send(to, 0, lines).await.status.as_u16();
        (status != 503).then_some(status)
    })
    .await
}

#[actix_rt::test]
async fn a_taken_port_ends_a_start_before_anything_is_touched() {
    let world = World::new();
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = held.local_addr().expect("an address");
    let config = ingest::config::Config { listen, ..world.config("a") };
    let error = ingest::start(config).await.err().expect("another program listens there");
    assert!(matches!(error, ingest::error::StartError::Serve { addr, .. } if addr == listen), "{error:?}");
    assert!(!world.data_dir("a").exists(), "the index was made");
}

#[actix_rt::test]
async fn a_broker_that_is_down_is_503_at_once_and_comes_back_by_itself() {
    let mut world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    assert_eq!(operator.send(&ingest, 0, &records(1..3)).await.status, 201);
    assert_eq!(ready(&ingest).await, 200);
    world.nats.kill9();
    let lines = records(3..6);
    let answer = operator.send(&ingest, 0, &lines).await;
    assert_eq!(answer.code(), (503, "unavailable"));
    assert!(answer.retry_after.is_some());
    let began = Instant::now();
    for path in ["/v1/streams", "/v1/receipts?stream=9&seq=1"] {
        assert_eq!(operator.get(&ingest, path).await.code(), (503, "unavailable"), "{path}");
    }
    assert_eq!(operator.send(&ingest, 0, &lines).await.code(), (503, "unavailable"));
    // Each that waited for the broker would take five seconds.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(ready(&ingest).await, 503);
    world.nats.restart();
    let began = Instant::now();
    // What was on its way when the broker went may arrive once it is back, before it is sent again.
    let status = accepted(&operator, &ingest, &lines).await;
    assert!([200, 201].contains(&status), "{status}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(world.records(operator.id, 0).await.len(), 5);
}

async fn ready(ingest: &Ingest) -> u16 {
    reqwest::get(format!("{}/readyz", ingest.url)).await.expect("an answer").status().as_u16()
}

#[actix_rt::test]
async fn a_broker_that_hangs_leaves_the_outcome_unknown_and_a_repeat_finds_it() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    assert_eq!(operator.send(&ingest, 0, &records(1..3)).await.status, 201);
    world.nats.pause();
    let lines = records(3..6);
    let began = Instant::now();
    let answer = operator.send(&ingest, 0, &lines).await;
    world.nats.resume();
    assert_eq!(answer.code(), (503, "unavailable"));
    assert!(began.elapsed() < Duration::from_secs(16), "{:?}", began.elapsed());
    let status = accepted(&operator, &ingest, &lines).await;
    assert!([200, 201].contains(&status));
    assert_eq!(world.records(operator.id, 0).await.len(), 5);
}

#[actix_rt::test]
async fn a_full_stream_is_said_clearly_and_room_ends_it() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let client = async_nats::connect(world.nats.url()).await.expect("connects");
    let jetstream = jetstream::new(client);
    let resize = |bytes: i64| {
        let jetstream = &jetstream;
        async move {
            let mut stream = jetstream.get_stream(subjects::TX).await.expect("the stream");
            let config = stream.info().await.expect("info").config.clone();
            jetstream.update_stream(jetstream::stream::Config { max_bytes: bytes, ..config }).await.expect("resizes");
        }
    };
    resize(40_000).await;
    let mut next = 1;
    let (full, lines) = loop {
        let lines = records(next..next + 100);
        let answer = operator.send(&ingest, 0, &lines).await;
        if answer.status != 201 {
            break (answer, lines);
        }
        next += 100;
        assert!(next < 2_000, "40 KB hold no 2,000 records");
    };
    assert_eq!(full.code(), (503, "unavailable"));
    assert!(full.body["detail"].as_str().expect("text").contains("full"), "{}", full.body);
    assert!(full.retry_after.expect("seconds") > 0);
    // What is accepted can still be asked for.
    assert_eq!(operator.receipt(&ingest, 0, 1).await.status, 200);
    assert_eq!(ready(&ingest).await, 200);
    resize(1 << 30).await;
    assert_eq!(accepted(&operator, &ingest, &lines).await, 201);
    assert_eq!(world.records(operator.id, 0).await.len() as u64, next + 99);
}

#[actix_rt::test]
async fn a_broker_that_lost_accepted_records_is_not_written_to() {
    let mut world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    assert_eq!(operator.send(&ingest, 0, &records(1..3)).await.status, 201);
    let before = world.bus().await.last_of(subjects::TX, &subjects::tx(operator.id, contracts::StreamNo(0))).await;
    assert!(before.expect("reads").is_some());
    ingest.running.stop().await;
    world.nats.stop();
    std::fs::remove_dir_all(world.nats.dir().join("store")).expect("removes");
    world.nats.restart();
    let Err(refused) = ingest::start(world.config("a")).await else { panic!("it must not start over a lost stream") };
    assert!(format!("{refused:?}").contains("Lost"), "{refused:?}");
}

/// An ingest process of its own, which a test can kill.
struct Outside {
    process: Process,
    ingest: String,
}

impl Outside {
    async fn start(world: &World, name: &str) -> Self {
        world.tell().await;
        let port = free_port();
        let config = world.config(name);
        let mut command = Command::new(binary("dsom-ingest"));
        command
            .env("DSOM_INGEST_LISTEN", format!("127.0.0.1:{port}"))
            .env("DSOM_INGEST_NATS_URL", config.nats_url)
            .env("DSOM_INGEST_NATS_MONITOR_URL", config.nats_monitor_url)
            .env("DSOM_INGEST_DATA_DIR", world.data_dir(name))
            .env("DSOM_INGEST_JWKS", config.jwks)
            .env("DSOM_INGEST_TOKEN_ISSUER", config.token_issuer)
            .env("DSOM_INGEST_TOKEN_AUDIENCE", config.token_audience)
            .env("DSOM_INGEST_RECEIPT_KEY", config.receipt_key)
            .env("DSOM_INGEST_RECEIPT_ISSUER", config.receipt_issuer)
            .env("DSOM_INGEST_ENV", "live")
            .env("DSOM_PRODUCTION", "false");
        let process = Process::spawn(&mut command, Duration::from_secs(40));
        let url = format!("http://127.0.0.1:{port}");
        eventually("ingest to be ready", || async {
            let answer = reqwest::get(format!("{url}/readyz")).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        Self { process, ingest: url }
    }
}

#[actix_rt::test]
async fn a_process_killed_at_any_moment_leaves_every_receipt_true() {
    let world = World::new();
    let operator = world.operator();
    let mut receipts = Vec::new();
    let mut next = 1;
    for round in 0..3 {
        let mut outside = Outside::start(&world, "killed").await;
        let url = outside.ingest.clone();
        let to = |path: &str| format!("{url}{path}");
        let killed_at = Instant::now() + Duration::from_millis(150 + 130 * round);
        let mut batch = records(next..next + 20);
        // Sends until the process is gone; what got no answer is repeated to the next one.
        loop {
            if Instant::now() > killed_at {
                outside.process.kill9();
            }
            let request = world.http.post(to("/v1/streams/0/batches")).bearer_auth(&operator.token);
            let sent = request.header("Content-Type", "application/x-ndjson").body(batch.join("\n")).send().await;
            let Ok(answer) = sent else { break };
            let Ok(body) = answer.json::<serde_json::Value>().await else { break };
            receipts.push((batch, body["claims"].clone()));
            next += 20;
            batch = records(next..next + 20);
        }
        let ingest = world.ingest("after").await;
        let answer = operator.send(&ingest, 0, &batch).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        receipts.push((batch, answer.body["claims"].clone()));
        next += 20;
        ingest.running.stop().await;
    }
    assert!(receipts.len() > 6, "{} batches were accepted", receipts.len());
    let ingest = world.ingest("killed").await;
    for (batch, claims) in &receipts {
        let again = operator.send(&ingest, 0, batch).await;
        assert_eq!((again.status.as_u16(), &again.body["claims"]), (200, claims));
        let seq = claims["last_seq"].as_u64().expect("a number");
        assert_eq!(operator.receipt(&ingest, 0, seq).await.body["claims"], *claims);
    }
    let kept = world.records(operator.id, 0).await;
    assert!(kept.iter().eq(receipts.iter().flat_map(|(batch, _)| batch).map(String::as_bytes)));
}

#[actix_rt::test]
async fn a_process_asked_to_stop_answers_what_it_has_and_ends_well() {
    let world = World::new();
    let operator = world.operator();
    let mut outside = Outside::start(&world, "stopped").await;
    let url = format!("{}/v1/streams/0/batches", outside.ingest);
    let send = |lines: Vec<String>| {
        let request = world.http.post(&url).bearer_auth(&operator.token).header("Content-Type", "application/x-ndjson");
        request.body(lines.join("\n")).send()
    };
    assert_eq!(send(records(1..5)).await.expect("an answer").status(), 201);
    // Waits for a hole while the process is told to stop: it is answered all the same.
    let waiting = actix_rt::spawn(send(records(9..10)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stopped = tokio::task::spawn_blocking(move || outside.process.stop());
    assert_eq!(waiting.await.expect("ends").expect("an answer").status(), 409);
    assert!(stopped.await.expect("ends").success());
    // Its index was written before it ended: the receipt needs neither chaining nor a look at TX.
    let index = ingest::storage::EmbeddedStore::open(&world.data_dir("stopped")).expect("opens");
    let key = ingest::domain::StreamKey { operator: operator.id, stream: contracts::StreamNo(0) };
    let last = ingest::storage::Store::last_batch(&index, key).await.expect("reads").expect("a row");
    assert_eq!(last.meta.last_seq(), 4);
}
