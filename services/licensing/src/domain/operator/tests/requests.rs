//! What an operator asks for itself, and that a clerk decides it.

use super::*;
use crate::domain::client::ClientId;
use crate::domain::history::Event;
use crate::domain::operator::request::{REQUESTS_MAX, author};

impl Desk {
    fn ask(&mut self, decision: Decision, env: Env) -> Result<Uuid, Refusal> {
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

#[test]
fn a_request_takes_effect_when_one_clerk_confirms_it() {
    let mut desk = Desk::live();
    let standing = desk.operator.standing();
    let asked = desk.ask(add_key(3, Env::Live, desk.now), Env::Live).expect("asked");
    assert_eq!(desk.operator.standing().keys, standing.keys, "nothing changes yet");
    assert_eq!(desk.operator.own_keys(UnixMillis(desk.now)).requests.len(), 1);
    let event: Event<Fact> = serde_json::from_slice(desk.changes.last().expect("a change")).expect("reads");
    assert_eq!(event.by.sub, format!("operator:dsom_live_{}", id()));
    assert_eq!(event.by.role, "operator");
    desk.done(1, Command::Confirm { proposal: asked });
    assert!(desk.operator.keys.iter().any(|key| key.kid == kid(3) && key.env == Env::Live));
    let asked = desk.ask(revoke(1), Env::Live).expect("asked");
    desk.done(1, Command::Confirm { proposal: asked });
    assert!(desk.operator.standing().keys.iter().all(|key| key.kid != kid(1)));
    assert!(desk.operator.own_keys(UnixMillis(desk.now)).requests.is_empty());
    // A clerk may refuse it, and it ends like any proposal.
    let asked = desk.ask(revoke(3), Env::Live).expect("asked");
    desk.done(1, Command::Decline { proposal: asked, reason: reason() });
    let asked = desk.ask(revoke(3), Env::Live).expect("asked again");
    desk.now += RULES.proposal_life_ms;
    assert!(matches!(desk.try_do(1, Command::Confirm { proposal: asked }), Err(Refusal::ProposalOver(_))));
    // What is stored makes the same operator.
    let mut again = Operator::unknown(id());
    desk.changes.iter().for_each(|bytes| again.follow(bytes).expect("follows"));
    assert_eq!(again, desk.operator);
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
    desk.done(2, Command::Confirm { proposal: clerks });
    desk.now += RULES.proposal_life_ms;
    desk.ask(revoke(1), Env::Live).expect("those before are over");
    assert!(matches!(desk.ask(revoke(1), Env::Live), Err(Refusal::Conflict(_))), "the same, twice");
}
