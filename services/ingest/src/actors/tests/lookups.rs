//! Looking up what is old, when that hangs.

use super::*;

/// Two accepted batches, and another process, which knows nothing of them yet.
async fn other() -> World {
    let first = World::new();
    first.send(1, &[A, B]).await.expect("accepted");
    first.send(3, &[A]).await.expect("accepted");
    World::over(first.fake, first.store)
}

#[actix::test]
async fn receipts_are_looked_up_in_turns_and_work_for_nobody_ends() {
    let world = other().await;
    let ask = || {
        let (reply, answer) = oneshot::channel();
        let find = Find { seq: Seq::FIRST, reply };
        world.registry.tell(world.key, Order::Find(find)).expect("room");
        answer
    };
    *world.fake.hangs.lock().unwrap() = true;
    let hanging: Vec<_> = (0..4).map(|_| ask()).collect();
    let late: Vec<_> = (0..3).map(|_| ask()).collect();
    for answer in late {
        assert_eq!(answer.await.expect("an answer"), Err(Unavailable::Busy));
    }
    *world.fake.hangs.lock().unwrap() = false;
    // Those hang on, but their callers have gone: the turns are free again.
    drop(hanging);
    assert_eq!(world.find(1).await, Some((1, 2)));
}

#[actix::test]
async fn comparisons_are_made_in_turns_and_work_for_nobody_ends() {
    let world = other().await;
    *world.fake.hangs.lock().unwrap() = true;
    let hanging: Vec<_> = (0..4).map(|_| world.tell(2, &[B])).collect();
    let late: Vec<_> = (0..3).map(|_| world.tell(2, &[B])).collect();
    for answer in late {
        assert_eq!(answer.await.expect("an answer"), Err(Refusal::Unavailable(Unavailable::Busy)));
    }
    // What is new does not wait for them.
    assert!(appended(&world.send(4, &[A]).await));
    *world.fake.hangs.lock().unwrap() = false;
    drop(hanging);
    assert!(world.send(2, &[B]).await.is_ok_and(|accepted| !accepted.appended));
}

#[actix::test]
async fn what_nobody_waits_for_is_not_judged_again() {
    let world = World::new();
    world.send(1, &[A]).await.expect("accepted");
    *world.fake.delay.lock().unwrap() = Duration::from_millis(30);
    world.fake.script.lock().unwrap().push_back(Script::LostUnanswered);
    let flying = world.tell(2, &[A]);
    // Waits for the flight, and its caller goes; then the flight is in doubt, and all are judged anew.
    drop(world.tell(3, &[B]));
    assert!(appended(&flying.await.expect("an answer")));
    assert!(appended(&world.send(3, &[A]).await), "its place was not taken");
    let state = world.registry.snapshot(world.key).await.expect("alive");
    assert_eq!((state.flying, state.ready, state.ahead, state.waiting), (0, 0, 0, 0));
}
