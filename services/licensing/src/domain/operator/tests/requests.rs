//! What an operator asks for itself, and that clerks decide it.

use super::forged::refused;
use super::*;
use crate::domain::client::ClientId;
use crate::domain::history::Event;
use crate::domain::operator::request::{REQUESTS_MAX, author};

impl Desk {
    pub(super) fn ask(&mut self, decision: Decision, env: Env) -> Result<Uuid, Refusal> {
        self.now += 1;
        self.next += 1;
        let (now, proposal, by) = (UnixMillis(self.now), Uuid::from_u128(self.next), author(client(env)));
        let fact = self.operator.decide(Command::Request { proposal, decision, env }, &by, now, RULES)?;
        let (change, _) = self.operator.head.next(Operator::entity_id(id()), now, &by, &fact).expect("small");
        self.operator.follow(&change.bytes).expect("follows");
        self.changes.push(change.bytes);
        Ok(proposal)
    }
}

fn client(env: Env) -> ClientId {
    ClientId { operator: id(), env }
}

fn kid(seed: u8) -> String {
    key_of(seed).1.thumbprint()
}

fn revoke(seed: u8) -> Decision {
    Decision::RevokeKey { kid: kid(seed), reason: reason() }
}

fn endorse(proposal: Uuid) -> Command {
    Command::Confirm { proposal, ground: Some(ground()) }
}

#[test]
fn a_request_takes_effect_when_a_clerk_has_taken_it_up_and_another_confirms() {
    let mut desk = Desk::live();
    let standing = desk.operator.standing();
    let asked = desk.ask(add_key(3, Env::Live, desk.now), Env::Live).expect("asked");
    assert_eq!(desk.operator.own_keys(UnixMillis(desk.now)).requests.len(), 1);
    let event: Event<Fact> = serde_json::from_slice(desk.changes.last().expect("a change")).expect("reads");
    assert_eq!(event.by.sub, format!("operator:dsom_live_{}", id()));
    assert_eq!(event.by.role, "operator");
    desk.done(1, endorse(asked));
    assert_eq!(desk.operator.standing().keys, standing.keys, "nothing changes yet");
    desk.done(2, confirm(asked));
    assert!(desk.operator.keys.iter().any(|key| key.kid == kid(3) && key.env == Env::Live));
    let asked = desk.ask(revoke(1), Env::Live).expect("asked");
    desk.done(2, endorse(asked));
    desk.done(1, confirm(asked));
    assert!(desk.operator.standing().keys.iter().all(|key| key.kid != kid(1)));
    assert!(desk.operator.own_keys(UnixMillis(desk.now)).requests.is_empty());
    // What is stored makes the same operator.
    let mut again = Operator::unknown(id());
    desk.changes.iter().for_each(|bytes| again.follow(bytes).expect("follows"));
    assert_eq!(again, desk.operator);
}

#[test]
fn one_clerk_and_a_request_decide_nothing() {
    let mut desk = Desk::live();
    let asked = desk.ask(add_key(3, Env::Live, desk.now), Env::Live).expect("asked");
    let without = desk.try_do(1, confirm(asked));
    assert!(matches!(without, Err(Refusal::Invalid { pointer, .. }) if pointer == "/ground"), "it needs a ground");
    desk.done(1, endorse(asked));
    assert_eq!(desk.try_do(1, confirm(asked)), Err(Refusal::OwnProposal));
    let swapped = desk.try_do(2, endorse(asked));
    assert!(matches!(swapped, Err(Refusal::Invalid { pointer, .. }) if pointer == "/ground"), "it has its ground");
    assert_eq!(desk.operator.keys.len(), 2, "nothing changed");
    let calendar = crate::domain::calendar::Calendar::new("Europe/Kyiv", []).expect("a calendar");
    let shown = json!(desk.operator.view(&calendar, UnixMillis(desk.now)));
    assert_eq!(
        (&shown["proposals"][0]["endorsed_by"], &shown["proposals"][0]["ground"]["document"]),
        (&json!("clerk-1"), &json!("1"))
    );
    // Of a clerk's own proposal no ground is taken at its confirmation.
    let proposal = desk.propose(revoke(2)).expect("proposed");
    assert!(matches!(desk.try_do(2, endorse(proposal)), Err(Refusal::Invalid { .. })));
}

#[test]
fn an_operator_does_not_see_that_a_clerk_has_taken_its_request_up() {
    let mut desk = Desk::live();
    let asked = desk.ask(revoke(1), Env::Live).expect("asked");
    let until = desk.now + RULES.proposal_life_ms;
    let shown = |desk: &Desk, now: i64| json!(desk.operator.own_keys(UnixMillis(now)).requests);
    let before = shown(&desk, desk.now);
    assert_eq!(before[0]["expires"], json!(UnixMillis(until).to_string()));
    desk.now += 500;
    desk.done(1, endorse(asked));
    assert_eq!(shown(&desk, desk.now), before);
    assert_eq!((shown(&desk, until - 1), shown(&desk, until)), (before, json!([])));
    // Its second clerk has the time of a proposal all the same.
    desk.now = until + 100;
    desk.done(2, confirm(asked));
}

#[test]
fn a_request_ends_like_any_proposal() {
    let mut desk = Desk::live();
    let asked = desk.ask(revoke(1), Env::Live).expect("asked");
    desk.done(1, Command::Decline { proposal: asked, reason: reason() });
    assert!(matches!(desk.try_do(1, endorse(asked)), Err(Refusal::ProposalOver(_))));
    let asked = desk.ask(revoke(1), Env::Live).expect("asked again");
    desk.now += RULES.proposal_life_ms;
    assert!(matches!(desk.try_do(1, endorse(asked)), Err(Refusal::ProposalOver(_))));
    // Taken up, it has the time of a proposal for its second clerk.
    let asked = desk.ask(revoke(1), Env::Live).expect("asked again");
    desk.now += RULES.proposal_life_ms - 100;
    desk.done(1, endorse(asked));
    desk.now += RULES.proposal_life_ms - 100;
    desk.done(2, confirm(asked));
    // What has changed in between is looked at when it is taken up, too.
    let asked = desk.ask(revoke(2), Env::Test).expect("asked");
    desk.decided(revoke(2)).expect("revoked by clerks");
    assert!(matches!(desk.try_do(1, endorse(asked)), Err(Refusal::Conflict(_))));
}

#[test]
fn what_one_clerk_or_the_operator_makes_of_a_request_is_no_change() {
    let mut desk = Desk::live();
    let asked = desk.ask(revoke(1), Env::Live).expect("asked");
    let own = desk.propose(revoke(2)).expect("proposed");
    let expires = Moment(UnixMillis(desk.now + 5_000));
    let endorsed = |proposal| Fact::Endorsed { proposal, expires, ground: ground() };
    let confirmed = Fact::Confirmed { proposal: asked };
    let (operator, late) = (author(client(Env::Test)), desk.now + RULES.proposal_life_ms);
    let requester = Author { role: "clerk".to_owned(), ..author(client(Env::Live)) };
    assert_eq!(refused(&desk, &clerk(1), desk.now, &confirmed), "no clerk had taken it up");
    assert_eq!(refused(&desk, &operator, desk.now, &endorsed(asked)), "an operator did what clerks do");
    assert_eq!(refused(&desk, &requester, desk.now, &endorsed(asked)), "who asked for it took it up");
    assert_eq!(refused(&desk, &clerk(1), late, &endorsed(asked)), "no such proposal waited");
    assert_eq!(refused(&desk, &clerk(2), desk.now, &endorsed(own)), "it was a clerk's already");
    assert_eq!(refused(&desk, &clerk(2), desk.now, &endorsed(Uuid::nil())), "no such proposal waited");
    desk.done(1, endorse(asked));
    assert_eq!(refused(&desk, &clerk(1), desk.now, &confirmed), "who proposed it confirmed it");
    assert_eq!(refused(&desk, &operator, desk.now, &confirmed), "an operator did what clerks do");
    assert_eq!(refused(&desk, &clerk(2), desk.now, &endorsed(asked)), "it was a clerk's already");
    desk.done(2, confirm(asked));
    assert_eq!(refused(&desk, &clerk(2), desk.now, &endorsed(asked)), "no such proposal waited");
}

#[test]
fn an_operator_asks_for_keys_of_its_own_world_alone() {
    let mut desk = Desk::live();
    let refused = desk.ask(add_key(3, Env::Live, desk.now), Env::Test);
    assert!(matches!(refused, Err(Refusal::Invalid { pointer, .. }) if pointer == "/decision/env"));
    assert!(matches!(desk.ask(revoke(1), Env::Test), Err(Refusal::NotFound(_))), "a live key");
    assert!(matches!(desk.ask(revoke(9), Env::Live), Err(Refusal::NotFound(_))), "nobody's key");
    for other in [
        Decision::GoLive {},
        Decision::RequireSignature { required: true },
        Decision::Resume { licence: 1 },
        activate(desk.now),
    ] {
        let refused = desk.ask(other, Env::Live);
        assert!(matches!(refused, Err(Refusal::Invalid { pointer, .. }) if pointer == "/decision/type"));
    }
    // A key without its proof is as bad as from a clerk.
    let Decision::AddKey { jwk, env, not_before, expires, .. } = add_key(3, Env::Live, desk.now) else { return };
    let Decision::AddKey { proof, .. } = add_key(4, Env::Live, desk.now) else { return };
    let refused = desk.ask(Decision::AddKey { jwk, env, not_before, expires, proof }, Env::Live);
    assert!(matches!(refused, Err(Refusal::Invalid { pointer, .. }) if pointer == "/decision/proof"));
}

#[test]
fn few_requests_wait_and_none_twice_and_clerks_keep_their_room() {
    let mut desk = Desk::live();
    for seed in 10..10 + REQUESTS_MAX as u8 {
        desk.ask(add_key(seed, Env::Live, desk.now), Env::Live).expect("asked");
    }
    assert!(matches!(desk.ask(add_key(50, Env::Live, desk.now), Env::Live), Err(Refusal::Conflict(_))));
    let clerks = desk.propose(add_key(51, Env::Live, desk.now)).expect("a clerk has room");
    assert_eq!(desk.operator.own_keys(UnixMillis(desk.now)).requests.len(), REQUESTS_MAX, "a clerk's is not shown");
    desk.done(2, confirm(clerks));
    desk.now += RULES.proposal_life_ms;
    desk.ask(revoke(1), Env::Live).expect("those before are over");
    assert!(matches!(desk.ask(revoke(1), Env::Live), Err(Refusal::Conflict(_))), "the same, twice");
}
