//! What a history says that a change has changed.

use super::*;
use crate::domain::operator::difference::Difference;

const DAY_MS: i64 = 86_400_000;

/// The pointers that each change of a history tells of.
fn told(desk: &Desk) -> Vec<Vec<Difference>> {
    let mut operator = Operator::unknown(id());
    let tell = |bytes: &Vec<u8>| operator.follow_telling(bytes).expect("follows").1;
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
fn what_is_due_by_the_calendar_of_today_is_no_difference() {
    let desk = Desk::licensed(LicenceKind::Betting);
    let all = told(&desk);
    let has = |pointer: &str| all.iter().flatten().any(|one| one.pointer == pointer);
    // The fee was paid and the licence entered: both facts are told, and neither clock that they set going.
    assert!(has("/licences/0/fee_paid_at") && has("/licences/0/fee_document") && has("/registered_at"));
    assert!(!has("/integration") && !has("/licences/0/register_entry") && !json!(all).to_string().contains("\"due\""));
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
