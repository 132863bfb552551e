//! What the way into the market needs at its last step, and what stays open after the licence has ended.

use super::*;

const DAY_MS: i64 = 86_400_000;

impl Desk {
    /// Ready to go live: a licence, both keys and a certificate of so many days ago.
    fn ready(certified_days_ago: i64) -> Self {
        let mut desk = Self::licensed(LicenceKind::Betting);
        desk.decided(add_key(1, Env::Live, desk.now)).expect("a key");
        desk.decided(add_key(2, Env::Test, desk.now)).expect("a key");
        desk.done(1, Command::Certify { certificate: certificate(desk.now - certified_days_ago * DAY_MS) });
        assert_eq!(desk.operator.stage(), Stage::Conformance);
        desk
    }

    #[track_caller]
    fn is_not_live_for(&mut self, word: &str) {
        let refused = self.decided(Decision::GoLive {});
        assert!(matches!(&refused, Err(Refusal::Conflict(why)) if why.contains(word)), "{refused:?}");
        assert_eq!(self.operator.scopes(Env::Live).len(), 0);
    }
}

fn revoke_live() -> Decision {
    Decision::RevokeKey { kid: key_of(1).1.thumbprint(), reason: reason() }
}

#[test]
fn nobody_goes_live_without_a_key_to_send_with() {
    let mut desk = Desk::ready(0);
    desk.decided(revoke_live()).expect("revoked");
    desk.is_not_live_for("live key");
    // A key that is over, or not yet good, is none.
    let mut desk = Desk::ready(0);
    let renewed = Moment(UnixMillis(desk.now + 10 * DAY_MS));
    desk.operator.licences[0].expires = Some(renewed.0);
    desk.now += DAY_MS + 1;
    desk.is_not_live_for("live key");
    desk.decided(add_key(3, Env::Test, desk.now)).expect("a key");
    desk.is_not_live_for("live key");
    desk.decided(add_key(4, Env::Live, desk.now)).expect("a key");
    desk.decided(Decision::GoLive {}).expect("live");
}

#[test]
fn nobody_goes_live_without_a_licence_that_is_active() {
    type End = (&'static str, fn(&mut Desk));
    let ends: [End; 4] = [
        ("suspended", |desk| desk.decided(Decision::Suspend { licence: 1, reason: reason() }).expect("done")),
        ("revoked", |desk| desk.decided(Decision::Revoke { licence: 1, reason: reason() }).expect("done")),
        ("surrendered", |desk| desk.decided(Decision::Surrender { licence: 1 }).expect("done")),
        ("expired", |desk| desk.now += 1_000_000),
    ];
    for (what, end) in ends {
        let mut desk = Desk::ready(0);
        end(&mut desk);
        assert_eq!(json!(desk.state()), what);
        desk.is_not_live_for("licence");
    }
}

#[test]
fn nobody_goes_live_on_an_old_certificate() {
    let mut desk = Desk::ready(185);
    desk.is_not_live_for("certificate");
    desk.done(1, Command::Certify { certificate: certificate(desk.now) });
    desk.decided(Decision::GoLive {}).expect("live");
}

#[test]
fn a_certificate_is_shown_with_its_time_and_told_of_in_the_history() {
    let mut desk = Desk::ready(0);
    let calendar = crate::domain::calendar::Calendar::new("Europe/Kyiv", []).expect("a calendar");
    // Issued 1,000 s after 1970 began; 184 days later it is the fourth of July.
    let (issued, end) = (json!("1970-01-01T00:16:40.000Z"), json!("1970-07-04T00:16:40.000Z"));
    let shown = json!(desk.operator.view(&calendar, UnixMillis(desk.now)));
    assert_eq!(shown["certificate"], json!({"issued_at": issued, "counts_until": end}));
    assert_eq!(json!(Desk::licensed(LicenceKind::Betting).operator.recorded(UnixMillis(0))).get("certificate"), None);

    let told = |desk: &Desk| {
        let mut operator = Operator::unknown(id());
        let all = desk.changes.iter().map(|bytes| operator.follow_telling(bytes).expect("follows").1);
        all.collect::<Vec<_>>().pop().expect("one")
    };
    let filed = json!(told(&desk));
    // How long it counts is a rule and no fact.
    assert!(
        filed.as_array().expect("a list").contains(&json!({"pointer": "/certificate", "after": {"issued_at": issued}}))
    );
    desk.done(1, Command::Certify { certificate: certificate(DAY_MS) });
    let next = json!({"pointer": "/certificate/issued_at", "before": issued, "after": "1970-01-02T00:00:00.000Z"});
    assert_eq!(json!(told(&desk)), json!([next]));
}

#[test]
fn what_is_needed_is_looked_at_when_it_is_confirmed() {
    let mut desk = Desk::ready(0);
    let proposal = desk.propose(Decision::GoLive {}).expect("proposed");
    desk.decided(revoke_live()).expect("revoked");
    assert!(matches!(desk.try_do(2, confirm(proposal)), Err(Refusal::Conflict(_))));
    assert_eq!(desk.operator.live_since, None);
}

#[test]
fn who_is_live_may_send_and_settle_whatever_becomes_of_its_licence() {
    for end in [
        Decision::Suspend { licence: 1, reason: reason() },
        Decision::Revoke { licence: 1, reason: reason() },
        Decision::Surrender { licence: 1 },
    ] {
        let mut desk = Desk::live();
        desk.decided(end).expect("ended");
        assert_eq!(desk.operator.scopes(Env::Live), super::super::SCOPES);
    }
}
