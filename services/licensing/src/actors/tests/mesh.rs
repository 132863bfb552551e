//! What was decided is told, and no beat says so before it is; every process knows every licensed domain.

use super::*;
use crate::actors::sites::tests::{blocks, carry_out, lifts};
use crate::domain::operator::fact::Fact;

#[actix_rt::test]
async fn what_was_stored_though_the_store_failed_is_shown_and_told() {
    let (_dir, store) = store();
    let process = Process::start(&store, Line::default()).await;
    // From now on nobody looks: what is told is told by the desk.
    until("the first beat", || process.line.read(|stream| (stream.beats() == 1).then_some(()))).await;
    let id = new_id();
    store.loses_answer.store(true, Ordering::Relaxed);
    let answer = process.decide(id, 1, Command::Register(entity())).await;
    assert!(matches!(answer, Err(DecideError::Load(_))), "the outcome is unknown: {answer:?}");
    assert_eq!(process.known(id).head.version, 1);
    until("the standing", || process.line.read(|stream| stream.last_of(id))).await;
    // The clerk repeats it, and is shown that it was done.
    let again =
        process.desks.decide(id, Decide { expected: 0, command: Command::Register(entity()), by: clerk(1) }).await;
    assert!(matches!(again, Err(DecideError::Stale { version: 1 })));
}

#[actix_rt::test]
async fn a_process_tells_what_another_that_is_cut_off_decided_before_it_says_that_all_is_told() {
    let (_dir, store) = store();
    let (one, other) = {
        let line = Line::default();
        let other = Process::start(&store, line.another()).await;
        other.beats().await;
        (Process::start(&store, line).await, other)
    };
    one.line.cut.store(true, Ordering::Relaxed);
    let id = new_id();
    let decided = one.decide(id, 1, Command::Register(entity())).await.expect("the store is there");
    let before = other.line.read(|stream| stream.said.len());
    other.beats().await;
    // A beat that was under way when it was decided says nothing of it; the next one must.
    other.beats().await;
    let said = other.line.read(|stream| stream.said[before..].to_vec());
    let told = said.iter().position(|said| *said == Said::Standing(decided.standing())).expect("the other tells it");
    let beat = |said: &Said| matches!(said, Said::Beat(beat) if beat.at >= decided.head.at);
    let first = said.iter().position(beat).expect("a beat");
    assert!(told < first, "{said:?}");
    assert_eq!(other.known(id).head, decided.head);
}

#[actix_rt::test]
async fn while_the_store_is_away_nobody_says_that_all_is_told() {
    let (_dir, store) = store();
    let process = Process::start(&store, Line::default()).await;
    process.beats().await;
    store.away.store(true, Ordering::Relaxed);
    let beats = process.line.read(Stream::beats);
    until("two looks", || {
        process.teller.try_send(Look).expect("is there");
        (store.failed.load(Ordering::Relaxed) >= 2).then_some(())
    })
    .await;
    // The one that was under way when the store went may still have been said.
    assert!(process.line.read(Stream::beats) <= beats + 1);
    store.away.store(false, Ordering::Relaxed);
    process.beats().await;
}

#[actix_rt::test]
async fn a_board_that_was_made_anew_is_told_everything_before_a_beat() {
    let (_dir, store) = store();
    let process = Process::start(&store, Line::default()).await;
    let ids = [new_id(), new_id()];
    for (n, id) in ids.into_iter().enumerate() {
        let mut entity = entity();
        entity.edrpou = ["14360570", "20077720"][n].parse().expect("a code");
        process.decide(id, 1, Command::Register(entity)).await.expect("is done");
    }
    process.beats().await;
    process.beats().await;
    let old = process.line.place().await.expect("is there");
    *process.line.stream.lock().expect("not poisoned") = Stream::default();
    process.line.beat(Beat { at: now() }, old).await.expect("is there");
    assert_eq!(process.line.read(Stream::beats), 0, "a beat of a look at the old one");
    process.beats().await;
    let said = process.line.read(|stream| stream.said.clone());
    let first = said.iter().position(|said| matches!(said, Said::Beat(_))).expect("a beat");
    assert_eq!(first, 2, "{said:?}");
    assert!(ids.iter().all(|id| process.line.read(|stream| stream.last_of(*id)).is_some()));
}

#[actix_rt::test]
async fn every_process_knows_the_domains_that_any_has_licensed() {
    let (_dir, store) = store();
    let line = Line::default();
    let (one, other) = (Process::start(&store, line.another()).await, Process::start(&store, line).await);
    let (id, name) = (new_id(), "good.ua".parse().expect("a name"));
    let proposal = one.to_be_licensed(id, "good.ua").await;
    assert_eq!(one.list.shown().licensed.holder(&name), None);
    let licensed = one.decide(id, 2, Command::Confirm { proposal, ground: None }).await.expect("is done");
    assert_eq!(one.list.shown().licensed.holder(&name), Some(id));
    // As it hears of it on REGISTRY.
    assert!(other.follower.agrees(&licensed.standing()).await.expect("the store is there"));
    assert_eq!(other.list.shown().licensed.holder(&name), Some(id));
    let proposal = one.propose(id, Decision::Surrender { licence: 1 }).await;
    one.decide(id, 2, Command::Confirm { proposal, ground: None }).await.expect("is done");
    // As it finds it in the store.
    other.follower.catch_up_all().await.expect("the store is there");
    assert_eq!(other.list.shown().licensed.holder(&name), None);
}

#[actix_rt::test]
async fn no_licence_takes_in_what_is_blocked() {
    let (_dir, store) = store();
    let process = Process::start(&store, Line::default()).await;
    let id = new_id();
    carry_out(&process.list, 1, blocks(&["bad.ua", "worse.ua", "play.worst.ua"])).await;
    let refuses = async |proposal, blocked: &str| {
        let refused = process.decide(id, 2, Command::Confirm { proposal, ground: None }).await;
        assert!(matches!(refused, Err(DecideError::Refused(Refusal::Conflict(why))) if why.contains(blocked)));
    };
    let activate = process.to_be_licensed(id, "bad.ua").await;
    refuses(activate, "bad.ua is on the block list").await;
    carry_out(&process.list, 2, lifts("bad.ua")).await;
    process.decide(id, 2, Command::Confirm { proposal: activate, ground: None }).await.expect("it is lifted");
    // Others that join it later: one below a blocked domain, and one above.
    for (domain, blocked) in [("play.worse.ua", "worse.ua"), ("worst.ua", "play.worst.ua")] {
        let domains = ["bad.ua", domain].map(|name| name.parse().expect("a name")).to_vec();
        let places = Places { domains, ..Places::default() };
        let place = process.propose(id, Decision::Place { licence: 1, places }).await;
        refuses(place, &format!("{blocked} is on the block list")).await;
    }
}

#[actix_rt::test]
async fn a_number_that_was_claimed_as_it_is_written_is_taken_however_it_is_written() {
    let (_dir, store) = store();
    // As an earlier version left it: the claim, in small letters, is no claim of this form.
    let (holder, licence) = (new_id(), 1);
    let [approve, activate] = [Uuid::new_v4(), Uuid::new_v4()];
    let expires = Moment(UnixMillis(now().0 + 86_400_000));
    let entry = Decision::Activate { licence, number: "б-7".parse().expect("a line"), expires };
    let propose = |proposal, decision| Fact::Proposed { proposal, expires, decision, ground: ground() };
    let mut operator = Operator::unknown(holder);
    for (by, fact) in [
        (1, Fact::Registered { entity: entity() }),
        (1, Fact::Applied { kind: LicenceKind::Betting, places: Places::default() }),
        (1, Fact::ReviewBegan { licence }),
        (1, propose(approve, Decision::Approve { licence })),
        (2, Fact::Confirmed { proposal: approve }),
        (1, Fact::Billed { licence, fee: Fee { amount: 100, currency: "UAH".into() } }),
        (1, Fact::Paid { licence, paid_at: Moment(now()), document: "1".parse().expect("a line") }),
        (1, propose(activate, entry)),
        (2, Fact::Confirmed { proposal: activate }),
    ] {
        let name = Operator::entity_id(holder);
        let (change, _) = operator.head.next(name, now(), &clerk(by), &fact).expect("small");
        operator.follow(&change.bytes).expect("follows");
        assert_eq!(store.append(name, &change).await.expect("the store is there"), Appended::Done);
    }
    let process = Process::start(&store, Line::default()).await;
    let other = new_id();
    process.to_be_licensed(other, "good.ua").await;
    let entry = Decision::Activate { licence, number: "Б-7".parse().expect("a line"), expires };
    let proposal = process.propose(other, entry).await;
    let refused = process.decide(other, 2, Command::Confirm { proposal, ground: None }).await;
    assert!(matches!(&refused, Err(DecideError::Claimed { scope: "licence", .. })), "{refused:?}");
}
