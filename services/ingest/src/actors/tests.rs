//! The sequencer against a broker and an index in memory that do as they are told.

mod alerts;
mod fake;
mod lookups;

use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::{Seq, StreamNo};
use tokio::sync::oneshot;

use super::*;
use crate::domain::pace::WAIT_MAX;
use crate::domain::{Beside, Flagged, StreamKey};
use crate::storage::KnownBatch;
use fake::{Script, World};

fn appended(answer: &Result<Accepted, Refusal>) -> bool {
    answer.as_ref().is_ok_and(|accepted| accepted.appended)
}

const A: &str = "{\"a\":1}";
const B: &str = "{\"b\":2}";

#[actix::test]
async fn next_repeated_and_overlapping_batches() {
    let world = World::new();
    let first = world.send(1, &[A, B]).await;
    assert!(appended(&first));
    let again = world.send(1, &[A, B]).await.expect("the same");
    assert_eq!(again, Accepted { appended: false, ..first.unwrap() });
    let inner = world.send(2, &[B]).await.expect("a part of it, from the frames");
    assert_eq!(inner, again);
    let beyond = world.send(2, &[B, A, A]).await.expect("begins inside, goes on");
    assert!(beyond.appended && beyond.accepted_at >= again.accepted_at);
    assert_eq!(world.stored(), [(1, 2), (3, 4)]);
    assert_eq!(world.send(2, &[B, A, A]).await, Ok(Accepted { appended: false, ..beyond }));
    assert_eq!((world.find(2).await, world.find(4).await, world.find(5).await), (Some((1, 2)), Some((3, 4)), None));
}

#[actix::test]
async fn other_bytes_are_told_apart_and_a_rewrite_is_alerted_before_it_is_answered() {
    let world = World::new();
    world.send(1, &[A, A, A]).await.expect("accepted");
    let rebuilt = world.send(1, &[A, "{ \"a\":1}", A]).await;
    assert!(matches!(rebuilt, Err(Refusal::Reserialised(d)) if d.seq == 2), "{rebuilt:?}");
    assert!(world.fake.alerts.lock().unwrap().is_empty());
    let rewritten = world.send(2, &["{ \"a\":1}", B, A, A]).await;
    let Err(Refusal::Rewritten(difference)) = rewritten else { panic!("{rewritten:?}") };
    assert_eq!((difference.seq, difference.sent), (3, ledger::leaf_hash(B.as_bytes())));
    assert_eq!(*world.fake.alerts.lock().unwrap(), [difference]);
    *world.fake.alerts_away.lock().unwrap() = true;
    assert_eq!(world.send(1, &[B]).await, Err(Refusal::Unavailable(Unavailable::Broker)));
    assert_eq!(world.stored(), [(1, 3)], "nothing changed");
}

#[actix::test]
async fn out_of_order_batches_wait_and_what_waits_becomes_one_frame() {
    let world = World::new();
    *world.fake.delay.lock().unwrap() = Duration::from_millis(30);
    let answers: Vec<_> = [7, 3, 5, 1, 9, 1, 5].map(|first| world.tell(first, &[A, B])).into_iter().collect();
    let mut appends = 0;
    for answer in answers {
        let accepted = answer.await.expect("an answer").expect("accepted");
        appends += usize::from(accepted.appended);
    }
    assert_eq!(appends, 5);
    let stored = world.stored();
    assert!(stored.len() <= 3, "{stored:?}");
    assert_eq!(stored.last().map(|s| s.1), Some(10));
}

#[actix::test]
async fn where_batches_gather_the_next_frame_waits_for_its_turn() {
    let world = World::new();
    *world.fake.delay.lock().unwrap() = Duration::from_millis(30);
    for answer in [1, 3, 5].map(|first| world.tell(first, &[A, B])) {
        answer.await.expect("an answer").expect("accepted");
    }
    assert!(world.fake.frames.lock().unwrap().last().is_some_and(|last| last.batches().len() > 1), "some gathered");
    *world.fake.delay.lock().unwrap() = Duration::ZERO;
    // Other streams take all turns that may be waited for.
    for _ in 0..1_000 {
        world.registry.pace.lock().unwrap().turn(Instant::now());
    }
    let began = Instant::now();
    world.send(7, &[A]).await.expect("accepted");
    assert!(began.elapsed() >= WAIT_MAX - Duration::from_millis(5), "{:?}", began.elapsed());
}

#[actix::test]
async fn a_hole_that_stays_is_a_gap_after_the_window() {
    let world = World::new();
    world.send(1, &[A]).await.expect("accepted");
    let began = Instant::now();
    assert_eq!(world.send(3, &[A]).await, Err(Refusal::Gap { expected_seq: 2 }));
    let waited = began.elapsed();
    assert!((Duration::from_millis(1_900)..Duration::from_millis(4_000)).contains(&waited), "{waited:?}");
}

#[actix::test]
async fn all_that_wait_for_one_hole_are_told_of_the_gap() {
    let world = World::new();
    let answers: Vec<_> = [3, 3, 3, 5].map(|first| world.tell(first, &[A])).into_iter().collect();
    for answer in answers {
        // One that nobody looks at any more would wait for ever.
        let answer = tokio::time::timeout(Duration::from_secs(10), answer).await.expect("in time");
        assert_eq!(answer.expect("an answer"), Err(Refusal::Gap { expected_seq: 1 }));
    }
    let state = world.registry.snapshot(world.key).await.expect("alive");
    assert_eq!((state.flying, state.ready, state.ahead, state.waiting), (0, 0, 0, 0));
}

#[actix::test]
async fn a_hole_another_replica_filled_is_found_without_a_flight() {
    let world = World::new();
    world.send(1, &[A]).await.expect("accepted");
    let waiting = world.tell(4, &[A]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.fake.foreign(world.key, 2);
    let began = Instant::now();
    assert!(appended(&waiting.await.expect("an answer")));
    assert!(began.elapsed() < Duration::from_millis(1_500));
    assert_eq!(world.find(3).await, Some((2, 3)));
}

#[actix::test]
async fn a_lost_fence_reloads_the_head_and_judges_anew() {
    let world = World::new();
    world.send(1, &[A]).await.expect("accepted");
    world.fake.script.lock().unwrap().push_back(Script::OvertakenBy(1));
    // The other replica's record 2 is another one: ours is a rewrite.
    assert!(matches!(world.send(2, &[A, B]).await, Err(Refusal::Rewritten(d)) if d.seq == 2));
    world.fake.script.lock().unwrap().push_back(Script::OvertakenBy(1));
    // Here it is the same, so the rest is appended.
    let both = world.send(3, &["{\"n\":3}", B]).await;
    assert!(appended(&both));
    assert_eq!(world.stored(), [(1, 1), (2, 2), (3, 3), (4, 4)]);
}

#[actix::test]
async fn an_unknown_outcome_is_resolved_by_looking() {
    let world = World::new();
    world.fake.script.lock().unwrap().extend([Script::StoredUnanswered]);
    assert!(appended(&world.send(1, &[A]).await), "it was stored: this request did it");
    world.fake.script.lock().unwrap().extend([Script::LostUnanswered]);
    assert!(appended(&world.send(2, &[A]).await), "it was not: published again");
    assert_eq!(world.stored(), [(1, 1), (2, 2)]);
    world.fake.script.lock().unwrap().extend([Script::LostUnanswered; 40]);
    assert_eq!(world.send(3, &[A]).await, Err(Refusal::Unavailable(Unavailable::Contended)), "not for ever");
}

#[actix::test]
async fn a_full_or_absent_broker_is_said_at_once_and_recovery_needs_no_restart() {
    let world = World::new();
    world.fake.script.lock().unwrap().push_back(Script::Full);
    assert_eq!(world.send(1, &[A]).await, Err(Refusal::Unavailable(Unavailable::Full)));
    assert!(appended(&world.send(1, &[A]).await));
    *world.fake.away.lock().unwrap() = true;
    for _ in 0..3 {
        assert_eq!(world.send(2, &[A]).await, Err(Refusal::Unavailable(Unavailable::Broker)));
    }
    *world.fake.away.lock().unwrap() = false;
    assert!(appended(&world.send(2, &[A]).await));
}

#[actix::test]
async fn a_broker_that_lost_records_is_not_written_to() {
    let world = World::new();
    world.send(1, &[A]).await.expect("accepted");
    let meta = world.fake.frames.lock().unwrap()[0].batches()[0];
    *world.store.0.lock().unwrap() = Some(KnownBatch { meta, tx_seq: 1 });
    world.fake.frames.lock().unwrap().clear();
    // The running sequencer learns it by its fence, a new one by the index.
    assert_eq!(world.send(2, &[A]).await, Err(Refusal::Unavailable(Unavailable::Lost)));
    let restarted = World::over(world.fake.clone(), world.store.clone());
    assert_eq!(restarted.send(2, &[A]).await, Err(Refusal::Unavailable(Unavailable::Lost)));
}

#[actix::test]
async fn a_stream_the_index_does_not_know_is_begun_if_nothing_of_it_is_sealed() {
    let lost = Err(Refusal::Unavailable(Unavailable::Lost));
    let silent = Err(Refusal::Unavailable(Unavailable::Chaining));
    // Whether the index was empty, what is sealed, how many records the broker holds, and what becomes of the next.
    let cases = [
        (true, Some(0), 0, None),
        (true, Some(2), 0, Some(lost)),
        (false, Some(2), 0, Some(lost)),
        (true, Some(3), 2, Some(lost)),
        (true, Some(2), 2, None),
        (true, None, 0, Some(silent)),
        (true, None, 2, None),
        (false, None, 0, None),
    ];
    for (began_empty, sealed, held, refused) in cases {
        let world = World::begun(Arc::default(), Arc::default(), began_empty);
        if held > 0 {
            world.fake.foreign(world.key, held);
        }
        *world.fake.sealed.lock().unwrap() = sealed;
        let answer = world.send(held + 1, &[A]).await;
        match refused {
            Some(refused) => assert_eq!(answer, refused, "{began_empty} {sealed:?} {held}"),
            None => assert!(appended(&answer), "{began_empty} {sealed:?} {held}: {answer:?}"),
        }
    }
}

#[actix::test]
async fn every_sequencer_shows_its_state() {
    let world = World::new();
    *world.fake.delay.lock().unwrap() = Duration::from_secs(2);
    let answers: Vec<_> = [1, 2, 3, 9].map(|first| world.tell(first, &[A])).into_iter().collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let state = world.registry.snapshot(world.key).await.expect("alive");
    assert_eq!(state.next_seq, Some(1));
    assert_eq!((state.flying + state.ready, state.ahead), (3, 1));
    drop(answers);
    assert_eq!(world.registry.len(), 1);
    world.registry.stop();
    assert!(world.registry.is_empty());
}

#[actix::test]
async fn a_full_mailbox_is_overload_and_empties_again() {
    let world = World::new();
    *world.fake.delay.lock().unwrap() = Duration::from_millis(50);
    let waiting: Arc<std::sync::atomic::AtomicUsize> = Arc::default();
    let places: Vec<_> = (0..3).map(|_| orders::InMailbox::take(&waiting, 3).expect("a place")).collect();
    assert!(orders::InMailbox::take(&waiting, 3).is_none());
    drop(places);
    assert!(orders::InMailbox::take(&waiting, 3).is_some());
    // More at once than actix's own mailbox takes before an actor runs.
    let answers: Vec<_> = (1..=500).map(|first| world.tell(first, &[A])).collect();
    for answer in answers {
        assert!(appended(&answer.await.expect("an answer")));
    }
    let stored = world.stored();
    assert_eq!(stored.last().map(|last| last.1), Some(500));
    assert!(stored.len() < 20, "what waits goes together: {stored:?}");
}
