//! What a form says of a body that is not as it must be: which member, and why.

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use super::*;
use crate::domain::operator::fact::LegalEntity;
use crate::http::operators::{Application, ProposalForm, StepForm};

const PROPOSAL: &str = "13013f29-b9df-4b82-ad28-e51596b7e0b4";

fn refused<T: DeserializeOwned>(body: &Value) -> (String, String) {
    let Err(error) = parse::<T>(body.to_string().as_bytes()) else { panic!("it was read: {body}") };
    assert_eq!(error.code, Code::InvalidForm, "{error}");
    let told = &error.field("errors").expect("errors")[0];
    let member = |name: &str| told[name].as_str().expect("a text").to_owned();
    let (pointer, detail) = (member("pointer"), member("detail"));
    assert!(error.detail.ends_with(&detail) && error.detail.starts_with(&pointer), "{error}");
    (pointer, detail)
}

fn entity(change: impl FnOnce(&mut Value)) -> Value {
    let mut entity = json!({
        "edrpou": "14360570", "name": "ТОВ «Приклад»", "brands": ["A"], "address": "Київ", "email": "office@example.ua",
    });
    change(&mut entity);
    entity
}

fn proposal(decision: &Value) -> Value {
    let ground = json!({"law": "ст. 14", "document": "7", "document_hash": contracts::Hash::ZERO});
    json!({"id": PROPOSAL, "decision": decision, "ground": ground})
}

#[test]
fn the_example_of_the_catalogue_is_what_comes() {
    let wrong = entity(|entity| entity["edrpou"] = json!("14360571"));
    let error = parse::<LegalEntity>(wrong.to_string().as_bytes()).expect_err("a wrong digit");
    assert_eq!(error.detail, Code::InvalidForm.problem().example);
}

#[test]
fn a_wrong_member_is_named_at_every_depth() {
    let told = |pointer: &str, detail: &str| (pointer.to_owned(), detail.to_owned());
    let wrong = |name: &str, value: Value| refused::<LegalEntity>(&entity(|entity| entity[name] = value));
    assert_eq!(wrong("name", json!("")), told("/name", "the text is empty"));
    assert_eq!(wrong("name", json!(7)), told("/name", "must be a text, not a number"));
    assert_eq!(wrong("brands", json!(["A", " "])), told("/brands/1", "the text is empty"));
    assert_eq!(wrong("name", json!("ТОВ\u{200b}")), told("/name", "the text holds the invisible character U+200B"));
    assert_eq!(wrong("a/b", json!(1)).0, "/a~1b");
    let without = entity(|entity| drop(entity.as_object_mut().expect("an object").remove("email")));
    assert_eq!(refused::<LegalEntity>(&without), told("/email", "is missing"));
    let decision = |decision: Value| refused::<ProposalForm>(&proposal(&decision));
    let activate =
        |number: &str, expires: &str| json!({"type": "activate", "licence": 1, "number": number, "expires": expires});
    assert_eq!(decision(activate("", "2031-11-23T22:00:00Z")), told("/decision/number", "the text is empty"));
    assert_eq!(decision(activate("Б-1", "tomorrow")).0, "/decision/expires");
    let place = json!({"type": "place", "licence": 1, "places": {"domains": ["a.ua", "http://a.ua"]}});
    assert_eq!(decision(place).0, "/decision/places/domains/1");
    assert_eq!(decision(json!({"type": "aprove"})).0, "/decision/type");
    assert_eq!(decision(json!({"licence": 1})), told("/decision/type", "is missing"));
    assert_eq!(decision(json!({"type": "go_live", "licence": 1})).0, "/decision/licence");
    let huge = json!({"type": "approve", "licence": 4_294_967_296_u64});
    assert_eq!(decision(huge), told("/decision/licence", "must be a whole number from 0 to 4294967295"));
    assert_eq!(refused::<StepForm>(&json!({"type": "pay", "document": "1"})), told("/paid_at", "is missing"));
    let kind = refused::<Application>(&json!({"kind": "roulette"}));
    assert!(kind.0 == "/kind" && kind.1.starts_with("\"roulette\" is none of online_casino, "), "{kind:?}");
}

#[test]
fn a_list_is_no_object_at_any_depth() {
    let list = json!(["14360570", "ТОВ", null, [], "Київ", "a@b.ua", null]);
    assert_eq!(refused::<LegalEntity>(&list), (String::new(), "must be an object, not a list".to_owned()));
    assert_eq!(refused::<StepForm>(&json!(["review"])).0, "");
    assert_eq!(refused::<StepForm>(&json!({"type": "bill", "fee": [100, "UAH"]})).0, "/fee");
    assert_eq!(refused::<Application>(&json!({"kind": "betting", "places": [[], ["a.ua"], []]})).0, "/places");
    assert_eq!(refused::<ProposalForm>(&proposal(&json!(["approve", 1]))).0, "/decision");
    assert_eq!(
        refused::<ProposalForm>(&proposal(&json!({"type": "place", "licence": 1, "places": []}))).0,
        "/decision/places"
    );
    let step: StepForm = parse(br#"{"type":"bill","fee":{"amount":100,"currency":"UAH"}}"#).expect("a step");
    assert!(matches!(step, StepForm::Bill { .. }));
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    let twice = br#"{"type":"review","type":"pay"}"#;
    assert_eq!(parse::<StepForm>(twice).expect_err("twice").code, Code::InvalidForm);
    let twice = br#"{"kind":"betting","kind":"lottery"}"#;
    let error = parse::<Application>(twice).expect_err("twice");
    assert_eq!(error.detail, "/kind: is there twice");
    assert_eq!(parse::<Application>(b"{").expect_err("cut short").code, Code::BadBody);
}

#[test]
fn a_version_has_one_tag() {
    let version = |tag: &str| if_match(&TestRequest::default().insert_header((IF_MATCH, tag)).to_http_request());
    assert_eq!(version("\"12\"").expect("a version"), 12);
    for tag in ["12", "\"+12\"", "\"012\"", "\"\"", "W/\"12\"", "\"1\", \"2\"", "*"] {
        assert_eq!(version(tag).expect_err(tag).code, Code::Stale, "{tag}");
    }
}
