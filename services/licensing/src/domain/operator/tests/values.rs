//! Values that nobody means: refused where they are decided, with their place, and read all the same where a history has them.

use super::*;

const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 366 * DAY_MS;

/// Where a form is wrong.
#[track_caller]
fn place(refused: Result<(), Refusal>) -> String {
    match refused {
        Err(Refusal::Invalid { pointer, .. }) => pointer,
        other => panic!("{other:?}"),
    }
}

fn pay(paid_at: i64, document: &str) -> Command {
    Command::Pay { licence: 1, paid_at: Moment(UnixMillis(paid_at)), document: document.parse().expect("a line") }
}

impl Desk {
    /// Up to the bill, which was made now.
    fn billed() -> Self {
        let mut desk = Self::new();
        desk.now += 10 * DAY_MS;
        desk.done(1, Command::Register(entity()));
        desk.done(1, Command::Apply { kind: LicenceKind::Betting, places: Places::default() });
        desk.done(1, Command::Review { licence: 1 });
        desk.decided(Decision::Approve { licence: 1 }).expect("approved");
        desk.done(1, Command::Bill { licence: 1, fee: Fee { amount: 100, currency: "UAH".into() } });
        desk
    }

    fn paid_at(&self) -> Option<i64> {
        self.operator.licences[0].fee_paid_at.map(|at| at.0)
    }
}

#[test]
fn a_fee_is_paid_after_it_was_asked_for_and_before_now() {
    let mut desk = Desk::billed();
    let billed = desk.now;
    desk.now += DAY_MS;
    // A minute for clocks that differ.
    for wrong in [0, billed - 60_001, desk.now + 61_000] {
        assert_eq!(place(desk.try_do(1, pay(wrong, "п-1"))), "/paid_at", "{wrong}");
    }
    desk.done(1, pay(billed - 60_000, "п-1"));
    desk.done(1, pay(desk.now + 60_000, "п-1"));
}

#[test]
fn a_payment_is_corrected_up_to_the_entry() {
    let mut desk = Desk::billed();
    let billed = desk.now;
    desk.now += 5 * DAY_MS;
    desk.done(1, pay(billed, "п-1"));
    let nothing_new = desk.try_do(1, pay(billed, "п-1"));
    assert!(matches!(&nothing_new, Err(Refusal::Conflict(_))), "{nothing_new:?}");
    desk.done(2, pay(billed, "п-2"));
    desk.done(1, pay(billed + 2 * DAY_MS, "п-2"));
    assert_eq!(desk.paid_at(), Some(billed + 2 * DAY_MS));
    // The history has all three.
    let mut again = Operator::unknown(id());
    desk.changes.iter().for_each(|bytes| again.follow(bytes).expect("follows"));
    assert_eq!(again, desk.operator);
    desk.decided(activate(desk.now)).expect("in the register");
    assert!(matches!(desk.try_do(1, pay(billed, "п-3")), Err(Refusal::Conflict(_))), "it is entered");
}

#[test]
fn a_payment_of_long_ago_that_a_history_has_is_read() {
    let mut desk = Desk::billed();
    let old = Fact::Paid { licence: 1, paid_at: Moment(UnixMillis(0)), document: "п-1".parse().expect("a line") };
    let (change, _) =
        desk.operator.head.next(Operator::entity_id(id()), UnixMillis(desk.now), &clerk(1), &old).expect("small");
    desk.operator.follow(&change.bytes).expect("it was taken then");
    assert_eq!(desk.paid_at(), Some(0));
}

#[test]
fn a_licence_ends_in_ten_years_at_most() {
    let mut desk = Desk::billed();
    desk.done(1, pay(desk.now, "п-1"));
    let until = |at: i64| Decision::Activate {
        licence: 1,
        number: "Б-1".parse().expect("a line"),
        expires: Moment(UnixMillis(at)),
    };
    for wrong in [desk.now, desk.now + 10 * YEAR_MS + 10] {
        assert_eq!(place(desk.propose(until(wrong)).map(drop)), "/decision/expires");
    }
    // One that was proposed when nobody looked is not confirmed.
    let (proposal, expires) = (Uuid::from_u128(9_000), Moment(UnixMillis(desk.now + 1_000)));
    let decision = until(desk.now + 170 * YEAR_MS);
    let proposed = Fact::Proposed { proposal, expires, decision, ground: ground() };
    let head = desk.operator.head;
    let (change, _) = head.next(Operator::entity_id(id()), UnixMillis(desk.now), &clerk(1), &proposed).expect("small");
    desk.operator.follow(&change.bytes).expect("it was taken then");
    let confirmed = desk.try_do(2, confirm(proposal));
    assert!(matches!(&confirmed, Err(Refusal::Conflict(why)) if why.contains("10 years")), "{confirmed:?}");
    desk.decided(until(desk.now + 5 * YEAR_MS)).expect("in the register");
}

#[test]
fn an_entity_has_a_code_a_mail_address_and_each_brand_once() {
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut entity = json!(entity());
        change(&mut entity);
        let entity = serde_json::from_value(entity).expect("a history may have it");
        place(Desk::new().try_do(1, Command::Register(entity)))
    };
    assert_eq!(refused(&|entity| entity["edrpou"] = json!("00000000")), "/edrpou");
    assert_eq!(refused(&|entity| entity["brands"] = json!(["A", "B", "a"])), "/brands/2");
    for bad in [
        "a b@c .d",
        "a@.",
        "a@",
        "@a.ua",
        "a",
        "a@b",
        "a@b@c.ua",
        ".a@b.ua",
        "a.@b.ua",
        "a..b@c.ua",
        "a@ b.ua",
        "a,b@c.ua",
        "\"a\"@b.ua",
        "a@192.0.2.1",
        "a@b_.1",
    ] {
        assert_eq!(refused(&|entity| entity["email"] = json!(bad)), "/email", "{bad}");
    }
    let long = format!("{}@b.ua", "a".repeat(65));
    assert_eq!(refused(&|entity| entity["email"] = json!(long)), "/email");
    for good in ["office@example.ua", "o.ff-ice+1@sub.example.com.ua", "пошта@приклад.укр"] {
        let entity = LegalEntity { email: good.parse().expect("a line"), ..entity() };
        Desk::new().done(1, Command::Register(entity));
    }
}

#[test]
fn places_are_named_once_and_are_the_operators_own() {
    let apply = |places: serde_json::Value| {
        let mut desk = Desk::new();
        desk.done(1, Command::Register(entity()));
        let places = serde_json::from_value(places).expect("a history may have them");
        desk.try_do(1, Command::Apply { kind: LicenceKind::Betting, places })
    };
    assert_eq!(place(apply(json!({"domains": ["dup.ua", "b.ua", "DUP.ua."]}))), "/places/domains/2");
    assert_eq!(place(apply(json!({"venues": ["Київ", "Київ"]}))), "/places/venues/1");
    assert_eq!(place(apply(json!({"apps": ["a", "b", "b"]}))), "/places/apps/2");
    for suffix in ["com.ua", "blogspot.com"] {
        assert_eq!(place(apply(json!({"domains": ["a.ua", suffix]}))), "/places/domains/1", "{suffix}");
        apply(json!({"domains": [format!("a.{suffix}")]})).expect("their own");
    }
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let places = serde_json::from_value(json!({"domains": ["com.ua"]})).expect("places");
    assert_eq!(place(desk.propose(Decision::Place { licence: 1, places }).map(drop)), "/decision/places/domains/0");
}

#[test]
fn an_application_of_long_ago_with_a_public_suffix_is_read_and_not_entered() {
    let mut desk = Desk::new();
    desk.done(1, Command::Register(entity()));
    let places = serde_json::from_value(json!({"domains": ["com.ua"]})).expect("places");
    let old = Fact::Applied { kind: LicenceKind::Betting, places };
    let (change, _) =
        desk.operator.head.next(Operator::entity_id(id()), UnixMillis(desk.now), &clerk(1), &old).expect("small");
    desk.operator.follow(&change.bytes).expect("it was taken then");
    desk.done(1, Command::Review { licence: 1 });
    desk.decided(Decision::Approve { licence: 1 }).expect("approved");
    desk.done(1, Command::Bill { licence: 1, fee: Fee { amount: 100, currency: "UAH".into() } });
    desk.done(1, pay(desk.now, "п-1"));
    let entered = desk.decided(activate(desk.now));
    assert!(matches!(&entered, Err(Refusal::Conflict(why)) if why.contains("com.ua")), "{entered:?}");
    let places = serde_json::from_value(json!({"domains": ["own.com.ua"]})).expect("places");
    desk.decided(Decision::Place { licence: 1, places }).expect("other places");
    desk.decided(activate(desk.now)).expect("in the register");
}

#[test]
fn a_number_is_claimed_as_it_is_compared() {
    let desk = Desk::licensed(LicenceKind::Betting);
    assert!(desk.operator.licences[0].has_number("б\u{2013}１"));
    let mut before = Desk::billed();
    before.done(1, pay(before.now, "п-1"));
    let number = |number: &str| Decision::Activate {
        licence: 1,
        number: number.parse().expect("a line"),
        expires: Moment(UnixMillis(before.now + DAY_MS)),
    };
    let decision = number("б-\u{200b}78");
    let proposal = before.propose(decision).expect("proposed");
    let claims = before.operator.claims(&Fact::Confirmed { proposal });
    assert_eq!(claims, [("licence", "Б-78".to_owned()), ("licence", "б-\u{200b}78".to_owned())]);
}

#[test]
fn states_and_steps_are_named_as_the_api_names_them() {
    let mut desk = Desk::new();
    desk.done(1, Command::Register(entity()));
    desk.done(1, Command::Apply { kind: LicenceKind::Betting, places: Places::default() });
    desk.done(1, Command::Review { licence: 1 });
    let bill = Command::Bill { licence: 1, fee: Fee { amount: 100, currency: "UAH".into() } };
    let told = desk.try_do(1, bill).expect_err("too early").to_string();
    assert_eq!(told, "licence 1 is under_review: it can't take the step bill");
    let told = desk.propose(Decision::GoLive {}).expect_err("too early").to_string();
    assert_eq!(told, "the operator is at the stage applying: live follows conformance");
}

#[test]
fn the_same_proposal_again_is_known_while_it_waits() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let decision = Decision::Suspend { licence: 1, reason: reason() };
    let proposal = desk.propose(decision.clone()).expect("proposed");
    let again = Command::Propose { proposal, decision, ground: ground() };
    let repeats =
        |desk: &Desk, command: &Command, by: u8| desk.operator.repeats(command, &clerk(by), UnixMillis(desk.now));
    assert!(repeats(&desk, &again, 1));
    assert!(!repeats(&desk, &again, 2), "another's");
    let other = Command::Propose { proposal, decision: Decision::Surrender { licence: 1 }, ground: ground() };
    assert!(!repeats(&desk, &other, 1), "another decision");
    let Command::Propose { decision, .. } = again.clone() else { panic!("a proposal") };
    let on_another = Ground { document: "2".parse().expect("a line"), ..ground() };
    assert!(!repeats(&desk, &Command::Propose { proposal, decision, ground: on_another }, 1), "another ground");
    assert!(!repeats(&desk, &confirm(proposal), 1));
    desk.done(2, confirm(proposal));
    assert!(!repeats(&desk, &again, 1), "it is over");
}
