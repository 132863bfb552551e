//! How much of proposals is kept.

use super::*;
use crate::domain::history::CHANGE_BYTES_MAX;
use crate::domain::operator::Over;
use crate::domain::operator::decide::WAITING_BYTES_MAX;

/// A decision of half a megabyte.
fn large() -> Decision {
    let venue = |n: usize| format!("Київ, вул. Довга, {n:0>280}");
    let venues = (1..=1_000).map(|n| venue(n).parse().expect("a line")).collect();
    Decision::Place { licence: 1, places: Places { venues, ..Places::default() } }
}

#[test]
fn of_what_is_over_nothing_large_is_kept() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let mut proposed = || desk.propose(large()).expect("proposed");
    let [declined, confirmed, expired] = [proposed(), proposed(), proposed()];
    desk.done(1, Command::Decline { proposal: declined, reason: reason() });
    desk.done(2, confirm(confirmed));
    assert_eq!(desk.operator.proposals.len(), 1);
    let expires = desk.operator.proposals[&expired].expires;
    desk.now += RULES.proposal_life_ms;
    desk.done(1, Command::Amend(LegalEntity { brands: vec![], ..entity() }));
    assert!(desk.operator.proposals.is_empty());
    for (proposal, over, why) in [
        (declined, Over::Declined, "was answered: declined".to_owned()),
        (confirmed, Over::Confirmed, "was answered: confirmed".to_owned()),
        (expired, Over::Expired(expires), format!("expired at {expires}")),
    ] {
        assert_eq!(desk.operator.over.get(&proposal), Some(&over));
        assert_eq!(desk.try_do(2, confirm(proposal)), Err(Refusal::ProposalOver(why)));
        let again = Command::Propose { proposal, decision: Decision::Surrender { licence: 1 }, ground: ground() };
        assert!(matches!(desk.try_do(1, again), Err(Refusal::Conflict(why)) if why.ends_with("exists")));
    }
}

#[test]
fn what_waits_has_an_end() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let mut waiting = Vec::new();
    let refused = loop {
        match desk.propose(large()) {
            Ok(proposal) => waiting.push(proposal),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, Refusal::Conflict(why) if why.contains("too large together")));
    let held: usize = desk.operator.proposals.values().map(|one| one.bytes).sum();
    assert!((WAITING_BYTES_MAX..WAITING_BYTES_MAX + CHANGE_BYTES_MAX).contains(&held), "{held} bytes");
    // The operator's own requests have a room of their own, and a clerk's answer makes some again.
    desk.ask(add_key(7, Env::Live, desk.now), Env::Live).expect("asked");
    desk.done(2, Command::Decline { proposal: waiting[0], reason: reason() });
    desk.propose(large()).expect("there is room again");
}
