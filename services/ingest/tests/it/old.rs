//! Accepted records that are no longer on `TX`: chaining has them, and ingest's own index may be gone.

use std::time::Duration;

use bus::{Answering, Bus};
use bytes::Bytes;
use contracts::ask::{FramesAnswer, FramesQuery};
use contracts::frame::Frame;
use contracts::{Seq, StreamNo, subjects};

use futures::{FutureExt as _, StreamExt as _};

use crate::world::{Operator, World, eventually, records, root};

/// What chaining does for ingest: seals what is on `TX` and trims it. The frames it has sealed.
async fn seal(world: &World, bus: &Bus, operator: &Operator) -> Vec<Bytes> {
    let subject = subjects::tx(operator.id, StreamNo(0));
    let (mut frames, mut place) = (Vec::new(), 1);
    while let Some(message) = bus.next_of(subjects::TX, &subject, place).await.expect("reads") {
        place = message.seq + 1;
        frames.push(message.payload);
    }
    bus.trim(subjects::TX, place - 1).await.expect("trims");
    assert_eq!(world.frames(operator.id, 0).await.len(), 1, "the last message stays, for the fence");
    frames
}

/// Answers for what is sealed, once this returns. Two frames an answer, so that who needs more must ask again.
async fn answer_for(bus: &Bus, frames: Vec<Bytes>, operator: &Operator) -> Answering {
    let answering = bus.answer(subjects::ASK_FRAMES, move |question| {
        let query: FramesQuery = serde_json::from_slice(&question).expect("a question");
        let decoded = frames.iter().map(|bytes| (Frame::decode(bytes).expect("a frame"), bytes.clone()));
        let mut sealed_through = 0;
        let wanted: Vec<_> = decoded
            .inspect(|(frame, _)| sealed_through = frame.last_seq())
            .filter(|(frame, _)| frame.last_seq() >= query.from.get() && frame.first_seq() <= query.to)
            .map(|(_, bytes)| bytes)
            .collect();
        let answer = FramesAnswer { sealed_through, frames: wanted.into_iter().take(2).collect() };
        std::future::ready(Ok(answer.encode()))
    });
    let question = FramesQuery { operator: operator.id, stream: StreamNo(0), from: Seq::FIRST, to: Seq::FIRST };
    let question = Bytes::from(serde_json::to_vec(&question).expect("json"));
    eventually("the answering to begin", || async {
        bus.ask(subjects::ASK_FRAMES, question.clone(), Duration::from_secs(1)).await.ok()
    })
    .await;
    answering
}

#[actix_rt::test]
async fn what_was_sealed_and_trimmed_is_checked_against_chaining_even_without_an_index() {
    let world = World::new();
    let (first, operator, bus) = (world.ingest("a").await, world.operator(), world.bus().await);
    let all = records(1..61);
    let mut receipts = Vec::new();
    for batch in all.chunks(6) {
        receipts.push(operator.send(&first, 0, batch).await.claims(&first).await);
    }
    let sealed = seal(&world, &bus, &operator).await;
    world.without_chaining();
    let _chaining = answer_for(&bus, sealed, &operator).await;
    let unsealed = records(61..64);
    receipts.push(operator.send(&first, 0, &unsealed).await.claims(&first).await);
    first.running.stop().await;

    // "a" has its index, "wiped" has none.
    for name in ["a", "wiped"] {
        let ingest = world.ingest(name).await;
        for (batch, receipt) in all.chunks(6).chain([&unsealed[..]]).zip(&receipts) {
            let again = operator.send(&ingest, 0, batch).await;
            assert_eq!(again.status, 200, "{name}");
            assert_eq!(again.claims(&ingest).await, *receipt, "{name}");
            for seq in [receipt.first_seq.get(), receipt.last_seq.get()] {
                assert_eq!(operator.receipt(&ingest, 0, seq).await.claims(&ingest).await, *receipt, "{name}");
            }
        }
        // Across many sealed frames and into the unsealed one.
        let across = [&all[3..], &unsealed[..2]].concat();
        let claims = operator.send(&ingest, 0, &across).await.claims(&ingest).await;
        assert_eq!(claims.root, root(&across));
        assert_eq!(claims.accepted_at, receipts[10].accepted_at);
        let mut forged = across.clone();
        forged[50] = forged[50].replace("\"amount\":100", "\"amount\":101");
        let answer = operator.send(&ingest, 0, &forged).await;
        assert_eq!(answer.code(), (409, "rewrite-attempt"), "{name}");
        assert_eq!(answer.body["seq"], 54);
        ingest.running.stop().await;
    }
}

#[actix_rt::test]
async fn without_chaining_only_what_the_index_knows_can_be_answered() {
    let world = World::new();
    let (first, operator, bus) = (world.ingest("a").await, world.operator(), world.bus().await);
    let all = records(1..13);
    for batch in all.chunks(3) {
        assert_eq!(operator.send(&first, 0, batch).await.status, 201);
    }
    seal(&world, &bus, &operator).await;
    world.without_chaining();
    first.running.stop().await;

    let ingest = world.ingest("a").await;
    assert_eq!(operator.send(&ingest, 0, &all[..3]).await.status, 200, "an exact retry needs nobody");
    let answer = operator.send(&ingest, 0, &all[1..3]).await;
    assert_eq!(answer.code(), (503, "unavailable"));
    assert!(answer.body["detail"].as_str().expect("text").contains("chaining"));
    let fresh = records(13..15);
    assert_eq!(operator.send(&ingest, 0, &fresh).await.status, 201, "new records need nobody");

    let wiped = world.ingest("wiped").await;
    assert_eq!(operator.receipt(&wiped, 0, 1).await.code(), (503, "unavailable"));
    assert_eq!(operator.receipt(&wiped, 0, 12).await.status, 200, "the last message still rests on TX");
    assert_eq!(operator.send(&wiped, 0, &fresh).await.status, 200);
}

#[actix_rt::test]
async fn a_chaining_that_hangs_is_not_asked_again_and_again() {
    let world = World::new();
    let (first, operator, bus) = (world.ingest("a").await, world.operator(), world.bus().await);
    for batch in records(1..7).chunks(1) {
        assert_eq!(operator.send(&first, 0, batch).await.status, 201);
    }
    seal(&world, &bus, &operator).await;
    world.without_chaining();
    first.running.stop().await;
    let client = async_nats::connect(world.nats.url()).await.expect("connects");
    let mut questions = client.subscribe(subjects::ASK_FRAMES).await.expect("subscribes");
    client.flush().await.expect("the server knows");

    let ingest = world.ingest("wiped").await;
    for seq in 1..6 {
        let answer = operator.receipt(&ingest, 0, seq).await;
        assert_eq!(answer.code(), (503, "unavailable"));
        assert!(answer.body["detail"].as_str().expect("text").contains("chaining"), "{}", answer.body);
    }
    let mut asked = 0;
    while questions.next().now_or_never().is_some() {
        asked += 1;
    }
    // One question an answer would be five, and four an answer twenty. A slow machine may ask again after the rest.
    assert!((1..=3).contains(&asked), "{asked}");
}

#[actix_rt::test]
async fn what_chaining_has_sealed_is_not_accepted_again_over_a_broker_that_lost_it() {
    let mut world = World::new();
    let (first, operator) = (world.ingest("a").await, world.operator());
    let all = records(1..7);
    assert_eq!(operator.send(&first, 0, &all).await.status, 201);
    let sealed = seal(&world, &world.bus().await, &operator).await;
    first.running.stop().await;
    world.without_chaining();
    world.nats.stop();
    std::fs::remove_dir_all(world.nats.dir().join("store")).expect("removes");
    world.nats.restart();
    // The register was lost with it.
    testkit::register::publish(
        &world.nats,
        &world.operators().iter().copied().map(testkit::register::standing).collect::<Vec<_>>(),
    )
    .await;

    // Nothing says that TX ever held anything, but for chaining.
    let wiped = world.ingest("wiped").await;
    let forged = records(1..7);
    assert_eq!(operator.send(&wiped, 0, &forged).await.code(), (503, "unavailable"), "chaining does not answer");
    let bus = world.bus().await;
    let _chaining = answer_for(&bus, sealed, &operator).await;
    let answer = operator.send(&wiped, 0, &forged).await;
    assert_eq!(answer.code(), (503, "unavailable"));
    assert!(answer.body["detail"].as_str().expect("text").contains("lost"), "{}", answer.body);
    assert_eq!(world.frames(operator.id, 0).await.len(), 0);
}
