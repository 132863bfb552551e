//! What a sequencer tells of, and how often.

use super::*;
use crate::domain::attempts::AT_ONCE_MAX;
use crate::domain::flags::tests::flags_of;

#[actix::test]
async fn each_rewrite_attempt_is_told_once_and_who_makes_too_many_must_wait() {
    let mut world = World::new();
    world.send(1, &[A]).await.expect("accepted");
    let attempt = |n: u32| format!("{{\"a\":{}}}", n + 2);
    for n in 0..AT_ONCE_MAX {
        for _ in 0..2 {
            let answer = world.send(1, &[&attempt(n)]).await;
            assert!(matches!(answer, Err(Refusal::Rewritten(_))), "{n}: {answer:?}");
        }
    }
    let told = |world: &World| world.fake.alerts.lock().unwrap().len() as u32;
    assert_eq!(told(&world), AT_ONCE_MAX, "each once");
    let one_more = attempt(AT_ONCE_MAX);
    let answer = world.send(1, &[&one_more]).await;
    let Err(Refusal::Untold { difference, wait_s: 1..=60 }) = answer else { panic!("{answer:?}") };
    assert_eq!(difference.sent, ledger::leaf_hash(one_more.as_bytes()));
    // Another stream does not help, what is known is still refused for what it is, and others are not concerned.
    let own = world.key;
    world.key = StreamKey { stream: StreamNo(1), ..own };
    assert!(matches!(world.send(1, &[&one_more]).await, Err(Refusal::Untold { .. })));
    world.key = own;
    assert!(matches!(world.send(1, &[&attempt(0)]).await, Err(Refusal::Rewritten(_))));
    assert_eq!(told(&world), AT_ONCE_MAX);
    world.key.operator = "13013f29-b9df-4b82-ad28-e51596b7e0b5".parse().unwrap();
    assert!(matches!(world.send(1, &[&one_more]).await, Err(Refusal::Rewritten(_))));
    assert_eq!(told(&world), AT_ONCE_MAX + 1);
}

#[actix::test]
async fn an_attempt_that_could_not_be_told_costs_no_turn() {
    let world = World::new();
    world.send(1, &[A]).await.expect("accepted");
    *world.fake.alerts_away.lock().unwrap() = true;
    for _ in 0..=AT_ONCE_MAX {
        assert_eq!(world.send(1, &[B]).await, Err(Refusal::Unavailable(Unavailable::Broker)));
    }
    *world.fake.alerts_away.lock().unwrap() = false;
    assert!(matches!(world.send(1, &[B]).await, Err(Refusal::Rewritten(_))));
}

/// Alerts are raised behind the answers: waits until there are as many as are expected.
async fn alerted(world: &World, expected: &[Flagged]) {
    let began = Instant::now();
    while world.fake.flagged.lock().unwrap().len() < expected.len() {
        assert!(began.elapsed() < Duration::from_secs(10), "no alert");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(*world.fake.flagged.lock().unwrap(), expected);
}

#[actix::test]
async fn flagged_records_are_alerted_once_they_are_accepted_and_then_gathered() {
    use contracts::registry::Flag::{AfterSuspension, OutsideLicence};
    let world = World::new();
    let flagged = |flag, offsets: &[u32]| Some(Arc::new(Beside { flags: flags_of(flag, offsets), signature: None }));
    let send = async |first, records: &[&str], beside| {
        world.tell_beside(first, records, beside).await.expect("an answer").expect("accepted")
    };
    let told = |flag, first_seq, last_seq, records| Flagged { flag, first_seq, last_seq, records };
    send(1, &[A, B, A], flagged(AfterSuspension, &[0, 2])).await;
    let first = told(AfterSuspension, 1, 3, 2);
    alerted(&world, &[first]).await;
    // A retry changes nothing; of what begins inside the accepted, only the rest counts.
    send(1, &[A, B, A], flagged(AfterSuspension, &[0, 2])).await;
    send(3, &[A, B], flagged(OutsideLicence, &[0, 1])).await;
    alerted(&world, &[first, told(OutsideLicence, 4, 4, 1)]).await;
    // More of the same within a minute waits for its end.
    send(5, &[A], flagged(AfterSuspension, &[0])).await;
    assert_eq!(world.fake.flagged.lock().unwrap().len(), 2);
    let remarks: Vec<_> = world.fake.frames.lock().unwrap().iter().map(|frame| frame.remarks().len()).collect();
    assert_eq!(remarks, [1, 1, 1]);
}

#[actix::test]
async fn a_lost_answer_or_a_broker_that_is_away_loses_no_alert() {
    use contracts::registry::Flag::AfterSuspension;
    let world = World::new();
    let beside = || Some(Arc::new(Beside { flags: flags_of(AfterSuspension, &[0]), signature: None }));
    world.fake.script.lock().unwrap().push_back(Script::StoredUnanswered);
    *world.fake.alerts_away.lock().unwrap() = true;
    assert!(appended(&world.tell_beside(1, &[A, B], beside()).await.expect("an answer")));
    assert!(appended(&world.tell_beside(3, &[A], beside()).await.expect("an answer")));
    *world.fake.alerts_away.lock().unwrap() = false;
    let both = Flagged { flag: AfterSuspension, first_seq: 1, last_seq: 3, records: 2 };
    alerted(&world, &[both]).await;
}
