//! A store that does not hold what it held, or holds what nobody decided: nothing more is decided on it.

use super::*;
use crate::domain::operator::fact::Fact;

/// Appends a change straight to the store.
async fn forge(store: &Shaky, latest: &Operator, by: u8, fact: &Fact) {
    let entity = Operator::entity_id(latest.id);
    let (change, _) = latest.head.next(entity, now(), &clerk(by), fact).expect("small");
    assert_eq!(store.append(entity, &change).await.expect("appends"), Appended::Done);
}

#[actix_rt::test]
async fn a_decision_of_one_takes_no_effect_and_stops_that_operator_alone() {
    let (_dir, store) = store();
    let (process, id, bystander) = (Process::start(&store, Line::default()).await, new_id(), new_id());
    let proposal = process.to_be_licensed(id, "good.ua").await;
    let before = process.known(id);
    forge(&store, &before, 1, &Fact::Confirmed { proposal }).await;
    process.follower.catch_up_all().await.expect("the store is there");
    assert_eq!(process.known(id), before, "it has no licence");
    let refused = process.decide(id, 2, Command::Confirm { proposal, ground: None }).await;
    assert!(
        matches!(&refused, Err(DecideError::Held(why)) if why.contains("who proposed it confirmed it")),
        "{refused:?}"
    );
    let mut other = entity();
    other.edrpou = "20077720".parse().expect("a code");
    process.decide(bystander, 1, Command::Register(other)).await.expect("the others go on");
    process.beats().await;
    process.beats().await;
    assert!(process.line.read(|stream| stream.last_of(bystander)).is_some());
    assert_eq!(process.line.read(|stream| stream.last_of(id)), Some(before.standing()), "the mesh knows of no licence");
    // So it is after a start, too.
    let directory = Directory::load(&*store).await.expect("loads");
    assert_eq!(directory.get(id), Some(before));
    assert!(directory.held(id).is_some() && directory.held(bystander).is_none());
}

#[actix_rt::test]
async fn a_store_that_lost_what_was_told_decides_nothing_about_it() {
    let (_dir, store) = store();
    let line = Line::default();
    let process = Process::start(&store, line.clone()).await;
    let id = new_id();
    let decided = process.decide(id, 1, Command::Register(entity())).await.expect("is done");
    process.beats().await;
    let agrees = async |told: &OperatorStanding| process.follower.agrees(told).await.expect("the store is there");
    let (told, amend) = (decided.standing(), |name: &str| {
        let mut entity = entity();
        entity.name = name.parse().expect("a name");
        Command::Amend(entity)
    });
    assert!(agrees(&told).await);
    assert!(agrees(&OperatorStanding { head: None, ..told.clone() }).await, "an older process does not say");
    for contradiction in [
        OperatorStanding { version: 4, ..told.clone() },
        OperatorStanding { version: 4, head: None, ..told.clone() },
        OperatorStanding { head: Some(Hash([1; 32])), ..told.clone() },
    ] {
        assert!(!agrees(&contradiction).await);
        let refused = process.decide(id, 1, amend("Інша назва")).await;
        assert!(matches!(refused, Err(DecideError::Held(_))), "{refused:?}");
        assert_eq!(process.known(id).head, decided.head);
    }
    assert!(agrees(&told).await);
    process.decide(id, 1, amend("Інша назва")).await.expect("all is well");
    assert!(agrees(&told).await, "an earlier version of the same history");
    assert!(!agrees(&OperatorStanding { head: Some(Hash([1; 32])), ..told.clone() }).await, "of another one");

    // The teller finds it out, too, and knows when what was told is gone.
    let ahead = OperatorStanding { version: 4, ..told };
    line.try_write(|stream| stream.said.push(Said::Standing(ahead))).expect("is there");
    assert!(agrees(&process.known(id).standing()).await);
    process.decide(id, 1, amend("Третя назва")).await.expect("nobody has read it yet");
    until("doubt", || process.follower.directory().held(id)).await;
    *line.stream.lock().expect("not poisoned") = Stream::default();
    process.beats().await;
    assert_eq!(process.follower.directory().held(id), None);
    process.decide(id, 1, amend("Четверта назва")).await.expect("REGISTRY was made anew");
}
