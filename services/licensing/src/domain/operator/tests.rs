//! An operator led through its life, and led astray.

mod forged;
mod go_live;
mod history;
mod register;
mod requests;
mod room;
mod values;

use contracts::registry::{Env, Flag, LicenceKind, LicenceState};
use contracts::{Hash, OperatorId, UnixMillis};
use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::decide::{Command, Refusal, Rules};
use super::fact::{Decision, Fact, Ground, LegalEntity, Moment};
use super::keys::{ProofClaims, PublicJwk};
use super::licence::{Fee, HeldDomain, Places};
use super::{Operator, Stage};
use crate::domain::history::Author;

const RULES: Rules<'static> = Rules { proposal_life_ms: 1_000, issuer: "https://register.example" };

/// An operator whose changes are kept, with a clock of its own.
struct Desk {
    operator: Operator,
    now: i64,
    next: u128,
    changes: Vec<Vec<u8>>,
}

fn clerk(n: u8) -> Author {
    Author { sub: format!("clerk-{n}"), role: "clerk".to_owned() }
}

fn id() -> OperatorId {
    "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID")
}

fn entity() -> LegalEntity {
    serde_json::from_value(json!({
        "edrpou": "14360570", "name": "ТОВ «Приклад»", "brands": ["Example"], "address": "Київ", "email": "office@example.ua",
    }))
    .expect("an entity")
}

fn ground() -> Ground {
    Ground {
        law: "ст. 1".parse().expect("a line"),
        document: "1".parse().expect("a line"),
        document_hash: Hash([7; 32]),
    }
}

pub(crate) fn key_of(seed: u8) -> (SigningKey, PublicJwk) {
    use base64::Engine;
    let key = SigningKey::from_bytes(&[seed; 32]);
    let x = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    (key, PublicJwk { kty: "OKP".into(), crv: "Ed25519".into(), x, y: None })
}

pub(crate) fn sign(key: &SigningKey, header: &serde_json::Value, claims: &serde_json::Value) -> String {
    use base64::Engine;
    let part = |value: &serde_json::Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(signed.as_bytes()).to_bytes();
    format!("{signed}.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature))
}

fn add_key(seed: u8, env: Env, now: i64) -> Decision {
    let (key, jwk) = key_of(seed);
    let claims = ProofClaims {
        sub: id().to_string(),
        aud: RULES.issuer.to_owned(),
        jkt: jwk.thumbprint(),
        env,
        iat: now / 1000,
    };
    let proof = sign(&key, &json!({"alg": "Ed25519", "typ": "dsom-pop+jwt"}), &json!(claims));
    let (not_before, expires) = (Moment(UnixMillis(now)), Moment(UnixMillis(now + 86_400_000)));
    Decision::AddKey { jwk, env, not_before, expires, proof }
}

impl Desk {
    fn new() -> Self {
        Self { operator: Operator::unknown(id()), now: 1_000_000, next: 1, changes: vec![] }
    }

    fn try_do(&mut self, by: u8, command: Command) -> Result<(), Refusal> {
        self.now += 1;
        let now = UnixMillis(self.now);
        let fact = self.operator.decide(command, &clerk(by), now, RULES)?;
        let entity = Operator::entity_id(id());
        let (change, _) = self.operator.head.next(entity, now, &clerk(by), &fact).expect("small");
        self.operator.follow(&change.bytes).expect("follows");
        self.changes.push(change.bytes);
        Ok(())
    }

    fn done(&mut self, by: u8, command: Command) {
        self.try_do(by, command).expect("is done");
    }

    fn propose(&mut self, decision: Decision) -> Result<Uuid, Refusal> {
        self.next += 1;
        let proposal = Uuid::from_u128(self.next);
        self.try_do(1, Command::Propose { proposal, decision, ground: ground() })?;
        Ok(proposal)
    }

    fn decided(&mut self, decision: Decision) -> Result<(), Refusal> {
        let proposal = self.propose(decision)?;
        self.try_do(2, confirm(proposal))
    }

    /// Up to a licence of this kind in the register.
    fn licensed(kind: LicenceKind) -> Self {
        let mut desk = Self::new();
        desk.done(1, Command::Register(entity()));
        desk.done(1, Command::Apply { kind, places: Places::default() });
        desk.done(1, Command::Review { licence: 1 });
        desk.decided(Decision::Approve { licence: 1 }).expect("approved");
        desk.done(1, Command::Bill { licence: 1, fee: Fee { amount: 100, currency: "UAH".into() } });
        let paid_at = Moment(UnixMillis(desk.now));
        desk.done(1, Command::Pay { licence: 1, paid_at, document: "п-1".parse().expect("a line") });
        desk.decided(activate(desk.now)).expect("in the register");
        desk
    }

    fn live() -> Self {
        let mut desk = Self::licensed(LicenceKind::Betting);
        desk.decided(add_key(1, Env::Live, desk.now)).expect("a key");
        desk.decided(add_key(2, Env::Test, desk.now)).expect("a key");
        desk.done(1, Command::Certify { certificate: certificate(desk.now) });
        desk.decided(Decision::GoLive {}).expect("live");
        desk
    }

    fn state(&self) -> LicenceState {
        self.operator.licences[0].state_at(UnixMillis(self.now))
    }
}

fn confirm(proposal: Uuid) -> Command {
    Command::Confirm { proposal, ground: None }
}

fn activate(now: i64) -> Decision {
    let expires = Moment(UnixMillis(now + 1_000_000));
    Decision::Activate { licence: 1, number: "Б-1".parse().expect("a line"), expires }
}

/// A certificate of a moment; its signature was looked at before it comes here.
fn certificate(now: i64) -> String {
    sign(&key_of(8).0, &json!({"alg": "EdDSA", "typ": "dsom-conformance+jwt"}), &json!({"iat": now / 1000}))
}

fn reason() -> crate::domain::text::Line<1000> {
    "бо так".parse().expect("a line")
}

#[test]
fn an_operator_goes_from_application_to_live() {
    let mut desk = Desk::new();
    desk.done(1, Command::Register(entity()));
    assert_eq!((desk.operator.stage(), desk.operator.scopes(Env::Live).len()), (Stage::Applying, 0));
    let mut desk = Desk::licensed(LicenceKind::Betting);
    assert_eq!((desk.state(), desk.operator.stage()), (LicenceState::Active, Stage::Registered));
    for (decision, stage) in
        [(add_key(1, Env::Live, desk.now), Stage::Keys), (add_key(2, Env::Test, desk.now), Stage::Sandbox)]
    {
        assert!(matches!(desk.decided(Decision::GoLive {}), Err(Refusal::Conflict(_))));
        desk.decided(decision).expect("a key");
        assert_eq!(desk.operator.stage(), stage);
    }
    desk.done(1, Command::Certify { certificate: certificate(desk.now) });
    assert_eq!(desk.operator.scopes(Env::Live).len(), 0);
    desk.decided(Decision::GoLive {}).expect("live");
    assert_eq!(desk.operator.scopes(Env::Live), ["records:write", "records:read", "keys:propose"]);
    // What is stored makes the same operator.
    let mut again = Operator::unknown(id());
    desk.changes.iter().for_each(|bytes| again.follow(bytes).expect("follows"));
    assert_eq!(again, desk.operator);
}

#[test]
fn nobody_decides_alone_late_or_twice() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let suspend = Decision::Suspend { licence: 1, reason: reason() };
    let proposal = desk.propose(suspend.clone()).expect("proposed");
    assert_eq!(desk.try_do(1, confirm(proposal)), Err(Refusal::OwnProposal));
    assert_eq!(desk.state(), LicenceState::Active);
    desk.done(2, confirm(proposal));
    assert_eq!(desk.state(), LicenceState::Suspended);
    assert!(matches!(desk.try_do(3, confirm(proposal)), Err(Refusal::ProposalOver(_))));

    let late = desk.propose(Decision::Resume { licence: 1 }).expect("proposed");
    desk.now += RULES.proposal_life_ms;
    assert!(matches!(desk.try_do(2, confirm(late)), Err(Refusal::ProposalOver(_))));

    // Who proposed may take back; then it is over for everybody.
    let own = desk.propose(Decision::Resume { licence: 1 }).expect("proposed");
    desk.done(1, Command::Decline { proposal: own, reason: reason() });
    assert!(matches!(desk.try_do(2, confirm(own)), Err(Refusal::ProposalOver(_))));

    // Two proposals of one thing: the second meets another state.
    let (first, second) = (
        desk.propose(Decision::Resume { licence: 1 }).expect("proposed"),
        desk.propose(Decision::Resume { licence: 1 }).expect("proposed"),
    );
    desk.done(2, confirm(first));
    assert!(matches!(desk.try_do(2, confirm(second)), Err(Refusal::Conflict(_))));
}

#[test]
fn the_register_is_entered_only_when_the_fee_is_paid() {
    let mut desk = Desk::new();
    desk.done(1, Command::Register(entity()));
    desk.done(1, Command::Apply { kind: LicenceKind::Lottery, places: Places::default() });
    desk.done(1, Command::Review { licence: 1 });
    assert!(matches!(desk.decided(activate(desk.now)), Err(Refusal::Conflict(_))));
    desk.decided(Decision::Approve { licence: 1 }).expect("approved");
    desk.done(1, Command::Bill { licence: 1, fee: Fee { amount: 1, currency: "UAH".into() } });
    assert_eq!(desk.decided(activate(desk.now)), Err(Refusal::Conflict("the fee of licence 1 is not paid".to_owned())));
    let future = Moment(UnixMillis(desk.now + 61_000));
    let document: crate::domain::text::Line<200> = "п-1".parse().expect("a line");
    let refused = desk.try_do(1, Command::Pay { licence: 1, paid_at: future, document });
    assert!(matches!(refused, Err(Refusal::Invalid { pointer, .. }) if pointer == "/paid_at"));
}

#[test]
fn a_key_needs_its_own_proof() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let good = add_key(1, Env::Live, desk.now);
    let Decision::AddKey { jwk, not_before, expires, proof, .. } = good.clone() else { panic!("a key") };
    let with = |proof: String, env| Decision::AddKey { jwk: jwk.clone(), env, not_before, expires, proof };
    let (other, _) = key_of(9);
    let (own, _) = key_of(1);
    let claims = |sub: &str, aud: &str, jkt: &str, iat: i64| json!({"sub": sub, "aud": aud, "jkt": jkt, "env": "live", "iat": iat});
    let header = json!({"alg": "EdDSA", "typ": "dsom-pop+jwt"});
    let (me, aud, jkt, iat) = (id().to_string(), RULES.issuer, jwk.thumbprint(), desk.now / 1000);
    for (what, bad) in [
        ("another key's", with(sign(&other, &header, &claims(&me, aud, &jkt, iat)), Env::Live)),
        ("another operator's", with(sign(&own, &header, &claims("x", aud, &jkt, iat)), Env::Live)),
        ("for another register", with(sign(&own, &header, &claims(&me, "https://x", &jkt, iat)), Env::Live)),
        ("about another key", with(sign(&own, &header, &claims(&me, aud, "x", iat)), Env::Live)),
        ("for the other world", with(proof.clone(), Env::Test)),
        ("old", with(sign(&own, &header, &claims(&me, aud, &jkt, iat - 8 * 86_400)), Env::Live)),
        ("from the future", with(sign(&own, &header, &claims(&me, aud, &jkt, iat + 300)), Env::Live)),
        (
            "an access token",
            with(sign(&own, &json!({"alg": "EdDSA", "typ": "JWT"}), &claims(&me, aud, &jkt, iat)), Env::Live),
        ),
        (
            "alg none",
            with(sign(&own, &json!({"alg": "none", "typ": "dsom-pop+jwt"}), &claims(&me, aud, &jkt, iat)), Env::Live),
        ),
        (
            "alg HS256",
            with(sign(&own, &json!({"alg": "HS256", "typ": "dsom-pop+jwt"}), &claims(&me, aud, &jkt, iat)), Env::Live),
        ),
    ] {
        assert!(matches!(desk.propose(bad), Err(Refusal::Invalid { .. })), "{what}");
    }
    desk.decided(good.clone()).expect("a key");
    assert!(matches!(desk.propose(good), Err(Refusal::Conflict(_))), "once");
    desk.decided(Decision::RevokeKey { kid: jwk.thumbprint(), reason: reason() }).expect("revoked");
    assert!(desk.operator.standing().keys.is_empty());
    assert!(matches!(desk.propose(add_key(1, Env::Live, desk.now)), Err(Refusal::Conflict(_))), "never again");
}

#[test]
fn what_follows_for_wagers_is_told() {
    use contracts::record::Vertical;
    let mut desk = Desk::live();
    let before = desk.now;
    desk.decided(Decision::Suspend { licence: 1, reason: reason() }).expect("suspended");
    let after = desk.now;
    let standing = desk.operator.standing();
    assert_eq!(standing.flag(Vertical::Betting, UnixMillis(before), UnixMillis(before)), None);
    assert_eq!(standing.flag(Vertical::Betting, UnixMillis(after), UnixMillis(after)), Some(Flag::AfterSuspension));
    assert_eq!(standing.flag(Vertical::Slots, UnixMillis(before), UnixMillis(before)), Some(Flag::OutsideLicence));
    assert_eq!(desk.operator.scopes(Env::Live), ["records:write", "records:read", "keys:propose"], "settlements go on");
    // That it is revoked later takes nothing back of the suspension.
    desk.decided(Decision::Revoke { licence: 1, reason: reason() }).expect("revoked");
    let standing = desk.operator.standing();
    assert_eq!(standing.flag(Vertical::Betting, UnixMillis(after), UnixMillis(after)), Some(Flag::AfterSuspension));
    assert_eq!(
        standing.flag(Vertical::Betting, UnixMillis(desk.now), UnixMillis(desk.now)),
        Some(Flag::OutsideLicence)
    );
}

#[test]
fn domains_are_licensed_up_to_the_end_of_the_licence() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let domain: crate::domain::sites::domain_name::DomainName = "good.ua".parse().expect("a name");
    let places = Places { domains: vec![domain.clone()], ..Places::default() };
    desk.decided(Decision::Place { licence: 1, places }).expect("placed");
    let until = desk.operator.licences[0].expires.expect("an end");
    assert_eq!(desk.operator.licensed_domains(), [HeldDomain { domain, until }]);
    desk.decided(Decision::Suspend { licence: 1, reason: reason() }).expect("suspended");
    assert_eq!(desk.operator.licensed_domains().len(), 1, "a suspension ends nothing");
    desk.decided(Decision::Revoke { licence: 1, reason: reason() }).expect("revoked");
    assert_eq!(desk.operator.licensed_domains(), []);
}

#[test]
fn a_domain_of_a_licence_that_has_ended_is_gained_anew() {
    let mut desk = Desk::licensed(LicenceKind::Betting);
    let domain: crate::domain::sites::domain_name::DomainName = "good.ua".parse().expect("a name");
    let places = Places { domains: vec![domain.clone()], ..Places::default() };
    let before = desk.operator.clone();
    desk.decided(Decision::Place { licence: 1, places }).expect("placed");
    assert_eq!(desk.operator.domains_gained(&before), vec![domain.clone()]);
    let (ends, mut other) = (desk.operator.licences[0].expires.expect("an end"), desk.operator.licences[0].clone());
    other.expires = Some(UnixMillis(i64::MAX));
    for (at, gained) in [(UnixMillis(ends.0 - 1), vec![]), (ends, vec![domain])] {
        let mut after = desk.operator.clone();
        after.licences.push(other.clone());
        after.head.at = at;
        assert_eq!(after.domains_gained(&desk.operator), gained, "at {at}");
    }
}

#[test]
fn forms_are_refused_by_place() {
    let mut desk = Desk::new();
    let bad = LegalEntity { email: "nobody".parse().expect("a line"), ..entity() };
    assert!(
        matches!(desk.try_do(1, Command::Register(bad)), Err(Refusal::Invalid { pointer, .. }) if pointer == "/email")
    );
    assert!(matches!(desk.try_do(1, Command::Review { licence: 1 }), Err(Refusal::NotFound(_))));
    desk.done(1, Command::Register(entity()));
    assert!(matches!(desk.try_do(1, Command::Register(entity())), Err(Refusal::Conflict(_))));
    assert!(matches!(desk.try_do(1, Command::Amend(entity())), Err(Refusal::Conflict(_))));
    // Members that nobody may set are no members (mass assignment).
    let more = json!({"edrpou": "14360570", "name": "A", "address": "B", "email": "a@b.ua", "live_since": 1});
    assert!(serde_json::from_value::<LegalEntity>(more).is_err());
}

/// Every command on licence 1 that somebody may try.
fn any_command() -> impl Strategy<Value = u8> {
    0..14_u8
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_sequence_of_commands_takes_a_forbidden_path(tries in prop::collection::vec((any_command(), 1..4_u8), 1..80)) {
        let mut desk = Desk::new();
        let mut last = None;
        for (what, by) in tries {
            let before = desk.operator.licences.first().map(|licence| licence.state);
            let paid = desk.operator.licences.first().and_then(|licence| licence.fee_paid_at);
            let decision = |decision| Command::Propose { proposal: Uuid::from_u128(u128::from(what) << 64 | desk.now as u128), decision, ground: ground() };
            let command = match what {
                0 => Command::Register(entity()),
                1 if desk.operator.licences.is_empty() => Command::Apply { kind: LicenceKind::Betting, places: Places::default() },
                1 | 2 => Command::Review { licence: 1 },
                3 => decision(Decision::Approve { licence: 1 }),
                4 => decision(Decision::Refuse { licence: 1, reason: reason() }),
                5 => Command::Bill { licence: 1, fee: Fee { amount: 1, currency: "UAH".into() } },
                6 => Command::Pay { licence: 1, paid_at: Moment(UnixMillis(desk.now)), document: "1".parse().expect("a line") },
                7 => decision(activate(desk.now)),
                8 => decision(Decision::Suspend { licence: 1, reason: reason() }),
                9 => decision(Decision::Resume { licence: 1 }),
                10 => decision(Decision::Revoke { licence: 1, reason: reason() }),
                11 => decision(Decision::Surrender { licence: 1 }),
                _ => match last { Some(proposal) => confirm(proposal), None => continue },
            };
            let proposed = match &command { Command::Propose { proposal, .. } => Some(*proposal), _ => None };
            let confirmed = match &command { Command::Confirm { proposal, .. } => desk.operator.proposals.get(proposal).map(|one| one.by.sub.clone()), _ => None };
            let outcome = desk.try_do(by, command);
            if outcome.is_ok() { last = proposed.or(last); }
            let after = desk.operator.licences.first().map(|licence| licence.state);
            if let (Some(before), Some(after)) = (before, after) && before != after {
                use LicenceState as S;
                let alone = matches!((before, after), (S::Applied, S::UnderReview) | (S::Approved, S::FeeDue));
                let together = matches!((before, after),
                    (S::UnderReview, S::Approved) | (S::FeeDue, S::Active) | (S::Active, S::Suspended) | (S::Suspended, S::Active)
                    | (S::Active | S::Suspended, S::Revoked | S::Surrendered)
                    | (S::Applied | S::UnderReview | S::Approved | S::FeeDue, S::Refused));
                prop_assert!(alone || together, "{before:?} to {after:?}");
                prop_assert_eq!(together, confirmed.is_some(), "{:?} to {:?} takes two", before, after);
                if let Some(proposer) = confirmed { prop_assert_ne!(proposer, clerk(by).sub); }
                if (before, after) == (S::FeeDue, S::Active) { prop_assert!(paid.is_some()); }
            }
        }
        let _facts: Vec<Fact> = desk.changes.iter().map(|bytes| {
            serde_json::from_slice::<crate::domain::history::Event<Fact>>(bytes).expect("reads").fact
        }).collect();
    }
}
