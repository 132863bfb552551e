//! What clerks meet at the register: numbers, ends, and who is late.

use super::*;
use crate::domain::calendar::Calendar;

const DAY_MS: i64 = 86_400_000;

fn calendar() -> Calendar {
    Calendar::new("Europe/Kyiv", []).expect("a calendar")
}

impl Desk {
    /// An application more, up to the paid fee; gives its id.
    fn paid(&mut self) -> u32 {
        self.done(1, Command::Apply { kind: LicenceKind::Lottery, places: Places::default() });
        let licence = self.operator.licences.len() as u32;
        self.done(1, Command::Review { licence });
        self.decided(Decision::Approve { licence }).expect("approved");
        self.done(1, Command::Bill { licence, fee: Fee { amount: 100, currency: "UAH".into() } });
        let paid_at = Moment(UnixMillis(self.now));
        self.done(1, Command::Pay { licence, paid_at, document: "п-2".parse().expect("a line") });
        licence
    }

    fn is_late(&self) -> bool {
        self.operator.is_late(&calendar(), UnixMillis(self.now))
    }
}

fn enter(licence: u32, number: &str, until: i64) -> Decision {
    let number = number.parse().expect("a line");
    Decision::Activate { licence, number, expires: Moment(UnixMillis(until)) }
}

#[test]
fn two_licences_of_an_operator_have_two_numbers() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let licence = desk.paid();
    let twice = desk.decided(enter(licence, "Б-1", desk.now + DAY_MS));
    assert!(matches!(&twice, Err(Refusal::Conflict(why)) if why.contains("licence 1")), "{twice:?}");
    // Not when both are proposed before one is confirmed either.
    let other = desk.paid();
    let both = [licence, other].map(|one| desk.propose(enter(one, "Л-1", desk.now + DAY_MS)).expect("proposed"));
    desk.done(2, confirm(both[0]));
    assert!(matches!(desk.try_do(2, confirm(both[1])), Err(Refusal::Conflict(_))));
    // Nor the number of one that has ended: the register knows it for ever.
    desk.decided(Decision::Surrender { licence: 1 }).expect("given back");
    assert!(matches!(desk.decided(enter(other, "Б-1", desk.now + DAY_MS)), Err(Refusal::Conflict(_))));
    desk.decided(enter(other, "Л-2", desk.now + DAY_MS)).expect("in the register");
}

#[test]
fn nothing_is_confirmed_after_its_own_end() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let licence = desk.paid();
    let proposal = desk.propose(enter(licence, "Л-1", desk.now + 100)).expect("proposed");
    desk.now += 100;
    assert!(matches!(desk.try_do(2, confirm(proposal)), Err(Refusal::Conflict(_))), "a licence");
    assert_eq!(desk.operator.licences[1].state, LicenceState::FeeDue);
    let Decision::AddKey { jwk, env, not_before, proof, .. } = add_key(1, Env::Live, desk.now) else { return };
    let expires = Moment(UnixMillis(desk.now + 100));
    let proposal = desk.propose(Decision::AddKey { jwk, env, not_before, expires, proof }).expect("proposed");
    desk.now += 100;
    assert!(matches!(desk.try_do(2, confirm(proposal)), Err(Refusal::Conflict(_))), "a key");
}

#[test]
fn who_was_refused_is_not_late_with_an_entry() {
    let mut desk = Desk::new();
    desk.done(1, Command::Register(entity()));
    let licence = desk.paid();
    assert!(!desk.is_late());
    desk.now += 5 * DAY_MS;
    assert!(desk.is_late(), "a business day has passed since the fee");
    desk.decided(Decision::Refuse { licence, reason: reason() }).expect("refused");
    assert!(!desk.is_late());
}

#[test]
fn who_holds_no_licence_is_not_late_on_its_way_into_the_market() {
    let mut desk = Desk::new();
    desk.done(1, Command::Register(entity()));
    let licence = desk.paid();
    desk.decided(enter(licence, "Л-1", desk.now + 300 * DAY_MS)).expect("in the register");
    desk.now += 200 * DAY_MS;
    assert!(desk.is_late(), "six months have passed");
    desk.now += 200 * DAY_MS;
    assert!(!desk.is_late(), "its licence is over");
    // Who comes back has six months again.
    let again = desk.paid();
    desk.decided(enter(again, "Л-2", desk.now + 300 * DAY_MS)).expect("in the register");
    assert!(!desk.is_late());
    desk.now += 200 * DAY_MS;
    assert!(desk.is_late());
    desk.decided(Decision::Revoke { licence: again, reason: reason() }).expect("revoked");
    assert!(!desk.is_late());
    // Who went live in time was not late, and is not when its licences have ended.
    let mut desk = Desk::live();
    desk.now += 400 * DAY_MS;
    assert!(!desk.is_late());
}
