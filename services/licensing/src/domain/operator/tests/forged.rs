//! Changes that are well linked and that no two people have decided: whoever can write to the store can make them.

use super::*;
use crate::domain::client::ClientId;
use crate::domain::history::BadHistory;
use crate::domain::operator::request::author;

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

/// Takes a forged change in that nothing is wrong with.
fn forge(desk: &mut Desk, by: &Author, at: i64, fact: &Fact) {
    let (change, _) = desk.operator.head.next(Operator::entity_id(id()), UnixMillis(at), by, fact).expect("small");
    desk.operator.follow(&change.bytes).expect("follows");
}

#[test]
fn what_time_has_ended_is_over_for_a_change_that_is_read_too() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    desk.done(1, Command::Certify { certificate: certificate(desk.now) });
    let ends = desk.operator.licences[0].expires.expect("an end").0;
    let mut key = add_key(5, Env::Live, desk.now);
    if let Decision::AddKey { expires, .. } = &mut key {
        *expires = Moment(UnixMillis(ends));
    }
    let mut proposed = Vec::new();
    for (n, (suspended, decision, why)) in [
        (true, Decision::Resume { licence: 1 }, "its licence could not take this step"),
        (false, Decision::Suspend { licence: 1, reason: reason() }, "its licence could not take this step"),
        (true, Decision::Revoke { licence: 1, reason: reason() }, "its licence could not take this step"),
        (false, Decision::Surrender { licence: 1 }, "its licence could not take this step"),
        (true, Decision::Place { licence: 1, places: Places::default() }, "its licence was over"),
        (false, Decision::GoLive {}, "it had no active licence"),
        (false, key, "the key would have been over"),
    ]
    .into_iter()
    .enumerate()
    {
        let proposal = Uuid::from_u128(1_000 + n as u128);
        let (now, expires) = (desk.now, Moment(UnixMillis(ends + 1_000)));
        forge(&mut desk, &clerk(1), now, &Fact::Proposed { proposal, expires, decision, ground: ground() });
        proposed.push((suspended, proposal, why));
    }
    for (suspended, proposal, why) in proposed {
        let mut desk = Desk { operator: desk.operator.clone(), changes: Vec::new(), ..desk };
        if suspended {
            desk.decided(Decision::Suspend { licence: 1, reason: reason() }).expect("suspended");
        }
        let confirmed = Fact::Confirmed { proposal };
        assert_eq!(refused(&desk, &clerk(2), ends, &confirmed), why);
        forge(&mut desk, &clerk(2), ends - 1, &confirmed);
    }
    let expires = Moment(UnixMillis(desk.now + 500));
    let over = Decision::Activate { licence: 2, number: "Б-2".parse().expect("a line"), expires };
    let mut desk = Desk::licensed(LicenceKind::Betting);
    desk.done(1, Command::Apply { kind: LicenceKind::Lottery, places: Places::default() });
    desk.done(1, Command::Review { licence: 2 });
    desk.decided(Decision::Approve { licence: 2 }).expect("approved");
    desk.done(1, Command::Bill { licence: 2, fee: Fee { amount: 1, currency: "UAH".into() } });
    let paid_at = Moment(UnixMillis(desk.now));
    desk.done(1, Command::Pay { licence: 2, paid_at, document: "п-2".parse().expect("a line") });
    let (now, proposal) = (desk.now, Uuid::from_u128(2_000));
    let late = Moment(UnixMillis(expires.0.0 + 1));
    forge(&mut desk, &clerk(1), now, &Fact::Proposed { proposal, expires: late, decision: over, ground: ground() });
    let confirmed = Fact::Confirmed { proposal };
    assert_eq!(refused(&desk, &clerk(2), expires.0.0, &confirmed), "its licence would have been over");
    forge(&mut desk, &clerk(2), expires.0.0 - 1, &confirmed);
}

#[test]
fn only_clerks_do_what_clerks_do() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let suspend = desk.propose(Decision::Suspend { licence: 1, reason: reason() }).expect("proposed");
    let facts = [
        Fact::Amended { entity: entity() },
        Fact::Applied { kind: LicenceKind::Lottery, places: Places::default() },
        Fact::Confirmed { proposal: suspend },
        Fact::Declined { proposal: suspend, reason: reason() },
        Fact::Certified { certificate: certificate(desk.now) },
    ];
    for fact in &facts {
        for role in ["auditor", "inspector", "system", "Clerk", ""] {
            let by = Author { role: role.to_owned(), ..clerk(2) };
            assert_eq!(refused(&desk, &by, desk.now, fact), "who is no clerk did what clerks do", "{role}");
        }
        for role in ["clerk", "chief_clerk"] {
            let mut desk = Desk { operator: desk.operator.clone(), changes: Vec::new(), ..desk };
            let now = desk.now;
            forge(&mut desk, &Author { role: role.to_owned(), ..clerk(2) }, now, fact);
        }
    }
}

#[test]
fn only_an_operator_asks_for_keys_of_its_own() {
    let mut desk = Desk::live();
    let now = desk.now;
    let asked = |decision| {
        let (proposal, expires) = (Uuid::from_u128(3_000), Moment(UnixMillis(now + 1_000)));
        Fact::Requested { proposal, expires, decision }
    };
    let revoke = |seed: u8| Decision::RevokeKey { kid: key_of(seed).1.thumbprint(), reason: reason() };
    let own = |env| author(ClientId { operator: id(), env });
    let (live, test) = (own(Env::Live), own(Env::Test));
    let other = OperatorId::new(Uuid::from_u128(7)).expect("not nil");
    let foreign = author(ClientId { operator: other, env: Env::Live });
    let as_clerk = Author { role: "clerk".to_owned(), ..live.clone() };
    let as_operator = Author { role: "operator".to_owned(), ..clerk(1) };
    for (by, decision, why) in [
        (&clerk(1), revoke(1), "another than an operator asked for it"),
        (&as_clerk, revoke(1), "another than an operator asked for it"),
        (&as_operator, revoke(1), "another than its own client asked for it"),
        (&foreign, revoke(1), "another than its own client asked for it"),
        (&test, revoke(1), "its client could not ask for it"),
        (&live, revoke(2), "its client could not ask for it"),
        (&live, revoke(9), "its client could not ask for it"),
        (&test, add_key(3, Env::Live, now), "its client could not ask for it"),
        (&live, add_key(3, Env::Test, now), "its client could not ask for it"),
        (&live, Decision::RequireSignature { required: false }, "its client could not ask for it"),
        (&live, Decision::Resume { licence: 1 }, "its client could not ask for it"),
    ] {
        assert_eq!(refused(&desk, by, now, &asked(decision)), why, "{by:?}");
    }
    for (by, decision) in [(&live, revoke(1)), (&test, revoke(2)), (&live, add_key(3, Env::Live, now))] {
        let mut desk = Desk { operator: desk.operator.clone(), changes: Vec::new(), ..desk };
        forge(&mut desk, by, now, &asked(decision));
    }
    desk.decided(revoke(1)).expect("clerks need nobody to ask");
}
