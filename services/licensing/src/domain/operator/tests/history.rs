//! What a history says that a change has changed.

use super::*;
use crate::domain::calendar::Calendar;
use crate::domain::operator::difference::Difference;

const DAY_MS: i64 = 86_400_000;

/// The pointers that each change of a history tells of.
fn told(desk: &Desk) -> Vec<Vec<Difference>> {
    let calendar = Calendar::new("Europe/Kyiv", []).expect("a calendar");
    let mut operator = Operator::unknown(id());
    let tell = |bytes: &Vec<u8>| operator.follow_telling(bytes, &calendar).expect("follows").1;
    let all = desk.changes.iter().map(tell).collect();
    assert_eq!(operator, desk.operator);
    all
}

#[test]
fn what_time_did_is_nobodys_change() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    // A proposal lapses, the licence expires, and the way into the market is late by then.
    desk.propose(Decision::Suspend { licence: 1, reason: reason() }).expect("proposed");
    desk.now += 200 * DAY_MS;
    assert_eq!(desk.state(), LicenceState::Expired);
    let renamed = LegalEntity { name: "ТОВ «Інша»".parse().expect("a line"), ..entity() };
    desk.done(1, Command::Amend(renamed));
    let expected = Difference {
        pointer: "/name".to_owned(),
        before: Some(json!("ТОВ «Приклад»")),
        after: Some(json!("ТОВ «Інша»")),
    };
    assert_eq!(told(&desk).last(), Some(&vec![expected]));
}

#[test]
fn what_a_decision_did_is_told_from_before_to_after() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    desk.decided(Decision::Suspend { licence: 1, reason: reason() }).expect("suspended");
    let all = told(&desk);
    let state = all.last().expect("one").iter().find(|one| one.pointer == "/licences/0/state");
    let state = state.map(|one| (one.before.clone(), one.after.clone()));
    assert_eq!(state, Some((Some(json!("active")), Some(json!("suspended")))));
    // Before the first change nothing stood there.
    assert!(all.first().expect("one").iter().all(|one| one.before.is_none()));
}
