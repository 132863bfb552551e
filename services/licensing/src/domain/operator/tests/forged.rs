//! Changes that are well linked and that no two people have decided: whoever can write to the store can make them.

use super::*;
use crate::domain::history::BadHistory;

/// Why a change that was never decided is none.
pub(super) fn refused(desk: &Desk, by: &Author, at: i64, fact: &Fact) -> &'static str {
    let (change, _) = desk.operator.head.next(Operator::entity_id(id()), UnixMillis(at), by, fact).expect("small");
    let mut read = desk.operator.clone();
    let refused = read.follow(&change.bytes).expect_err("it can't have been");
    assert_eq!(read, desk.operator, "it is as before");
    match refused {
        BadHistory::Impossible { version, reason } if version == desk.operator.head.version + 1 => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_nobody_could_decide_is_no_change() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let resume = desk.propose(Decision::Resume { licence: 1 });
    assert!(matches!(resume, Err(Refusal::Conflict(_))), "it is active");
    let (now, expires) = (desk.now, Moment(UnixMillis(desk.now + 1_000)));
    let suspend = desk.propose(Decision::Suspend { licence: 1, reason: reason() }).expect("proposed");
    let (confirmed, declined) =
        (Fact::Confirmed { proposal: suspend }, Fact::Declined { proposal: suspend, reason: reason() });
    assert_eq!(refused(&desk, &clerk(1), now, &confirmed), "who proposed it confirmed it");
    assert_eq!(refused(&desk, &clerk(2), desk.now + RULES.proposal_life_ms, &confirmed), "no such proposal waited");
    assert_eq!(refused(&desk, &clerk(2), desk.now + RULES.proposal_life_ms, &declined), "no such proposal waited");
    let twice =
        Fact::Proposed { proposal: suspend, expires, decision: Decision::Resume { licence: 1 }, ground: ground() };
    assert_eq!(refused(&desk, &clerk(1), now, &twice), "it was proposed before");
    assert_eq!(refused(&desk, &clerk(1), now, &Fact::Registered { entity: entity() }), "it was registered before");
    assert_eq!(
        refused(&desk, &clerk(1), now, &Fact::ReviewBegan { licence: 1 }),
        "its licence could not take this step"
    );
    assert_eq!(refused(&desk, &clerk(1), now, &Fact::ReviewBegan { licence: 2 }), "it had no such licence");
    let paid = Fact::Paid { licence: 1, paid_at: expires, document: "п-1".parse().expect("a line") };
    assert_eq!(refused(&desk, &clerk(1), now, &paid), "no fee was due");
    let other = serde_json::from_value(json!({
        "edrpou": "20077720", "name": "ТОВ «Приклад»", "address": "Київ", "email": "office@example.ua",
    }));
    assert_eq!(
        refused(&desk, &clerk(1), now, &Fact::Amended { entity: other.expect("an entity") }),
        "it got another code"
    );

    desk.done(2, confirm(suspend));
    for over in [&confirmed, &declined] {
        assert_eq!(refused(&desk, &clerk(2), desk.now, over), "no such proposal waited", "answered");
    }
    assert_eq!(
        refused(&desk, &clerk(2), desk.now, &Fact::Confirmed { proposal: Uuid::nil() }),
        "no such proposal waited"
    );
    assert_eq!(
        refused(&Desk::new(), &clerk(1), now, &Fact::Certified { certificate: String::new() }),
        "it was not registered"
    );
}

#[test]
fn a_proposal_that_nobody_could_make_takes_no_effect() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    desk.decided(add_key(1, Env::Live, desk.now)).expect("a key");
    let (_, jwk) = key_of(1);
    let unpaid =
        Decision::Activate { licence: 2, number: "Б-2".parse().expect("a line"), expires: Moment(UnixMillis(9)) };
    desk.done(1, Command::Apply { kind: LicenceKind::Lottery, places: Places::default() });
    for (n, decision, why) in [
        (1, Decision::Resume { licence: 1 }, "its licence could not take this step"),
        (2, Decision::GoLive {}, "it had passed no checks"),
        (3, add_key(1, Env::Live, desk.now), "the key was registered before"),
        (4, Decision::RevokeKey { kid: "x".to_owned(), reason: reason() }, "there was no such key"),
        (5, unpaid, "its fee was not paid"),
        (6, Decision::Place { licence: 9, places: Places::default() }, "it had no such licence"),
    ] {
        let (proposal, at) = (Uuid::from_u128(1_000 + n), UnixMillis(desk.now));
        let expires = Moment(UnixMillis(desk.now + 1_000));
        let proposed = Fact::Proposed { proposal, expires, decision, ground: ground() };
        let head = desk.operator.head;
        let (change, _) = head.next(Operator::entity_id(id()), at, &clerk(1), &proposed).expect("small");
        desk.operator.follow(&change.bytes).expect("a proposal says nothing yet");
        assert_eq!(refused(&desk, &clerk(2), desk.now, &Fact::Confirmed { proposal }), why);
    }
    let revoked = Decision::RevokeKey { kid: jwk.thumbprint(), reason: reason() };
    desk.decided(revoked).expect("what two people decide goes on");
}
