//! What the document says of a body is what is read: one of each, every member there, is taken by the type that reads it, and what the
//! reader needs is what the document asks for.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::domain::operator::fact;
use crate::http::{key_requests, openapi, operators};

fn text() -> String {
    "x".to_owned()
}

fn ground() -> Ground {
    Ground { law: text(), document: text(), document_hash: contracts::Hash::ZERO.to_string() }
}

fn new_key() -> NewKey {
    let jwk = Jwk { kty: text(), crv: text(), x: text(), y: Some(text()) };
    let moment = || "2026-11-23T08:00:00.000Z".to_owned();
    NewKey { jwk, env: World::Live, not_before: moment(), expires: moment(), proof: text() }
}

fn old_key() -> OldKey {
    OldKey { kid: text(), reason: text() }
}

fn places() -> Places {
    Places { venues: vec![text()], domains: vec!["example.ua".to_owned()], apps: vec![text()] }
}

fn decisions() -> Vec<Decision> {
    let reason = || LicenceAndReason { licence: 1, reason: text() };
    let alone = || LicenceAlone { licence: 1 };
    vec![
        Decision::Approve(alone()),
        Decision::Refuse(reason()),
        Decision::Activate { licence: 1, number: text(), expires: "2026-11-23T08:00:00.000Z".to_owned() },
        Decision::Suspend(reason()),
        Decision::Resume(alone()),
        Decision::Revoke(reason()),
        Decision::Surrender(alone()),
        Decision::Place { licence: 1, places: places() },
        Decision::AddKey(new_key()),
        Decision::RevokeKey(old_key()),
        Decision::RequireSignature { required: true },
        Decision::GoLive {},
    ]
}

/// Reads a body as it is, and refuses it without each member that the document calls required.
#[track_caller]
fn is_read_as<T: DeserializeOwned>(name: &str, body: &impl Serialize) {
    let body = json!(body);
    let read = |body: &Value| serde_json::from_value::<T>(body.clone()).map(drop);
    read(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
    let document: Value = serde_json::from_str(&openapi::document()).expect("JSON");
    let required = &document["components"]["schemas"][name]["required"];
    let required: Vec<&str> = required.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for member in body.as_object().expect("an object").keys() {
        let mut without = body.clone();
        without.as_object_mut().expect("an object").remove(member);
        assert_eq!(read(&without).is_err(), required.contains(&member.as_str()), "{name} without {member}");
    }
}

#[test]
fn every_body_is_read_as_it_is_documented() {
    let entity = LegalEntity {
        edrpou: "14360570".to_owned(),
        name: text(),
        name_latin: Some(text()),
        brands: vec![text()],
        address: text(),
        email: text(),
        phone: Some(text()),
    };
    is_read_as::<fact::LegalEntity>("LegalEntity", &entity);
    for kind in
        [Kind::OnlineCasino, Kind::LandCasino, Kind::MachineHall, Kind::Betting, Kind::OnlinePoker, Kind::Lottery]
    {
        is_read_as::<operators::Application>("Application", &Application { kind, places: Some(places()) });
    }
    is_read_as::<operators::RefusalForm>("Refusal", &Refusal { reason: text() });
    is_read_as::<operators::CertificateForm>("Certificate", &Certificate { certificate: text() });
    is_read_as::<operators::ConfirmationForm>("Confirmation", &Confirmation { ground: ground() });
    is_read_as::<fact::Ground>("Ground", &ground());
    for decision in decisions() {
        let id = uuid::Uuid::from_u128(1).to_string();
        is_read_as::<operators::ProposalForm>("Proposal", &Proposal { id, decision, ground: ground() });
    }
    for decision in [KeyDecision::AddKey(new_key()), KeyDecision::RevokeKey(old_key())] {
        let id = uuid::Uuid::from_u128(1).to_string();
        is_read_as::<key_requests::RequestForm>("KeyRequest", &KeyRequest { id, decision });
    }
    let read = |step: LicenceStep| serde_json::from_value::<operators::StepForm>(json!(step)).map(drop);
    read(LicenceStep::Review {}).expect("reads");
    read(LicenceStep::Bill { fee: Fee { amount: 1, currency: text() } }).expect("reads");
    let paid_at = "2026-11-23T08:00:00.000Z".to_owned();
    read(LicenceStep::Pay { paid_at, document: text() }).expect("reads");
    let test_key = KeyDecision::AddKey(NewKey { env: World::Test, ..new_key() });
    serde_json::from_value::<key_requests::KeyDecision>(json!(test_key)).expect("reads");
}
