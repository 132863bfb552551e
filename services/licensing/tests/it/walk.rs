//! The way of an operator from its application to the market, and back.

use contracts::registry::{Env, LicenceKind};
use reqwest::Method;
use serde_json::json;

use crate::world::{Case, World, moment};

#[actix_rt::test]
async fn an_operator_goes_from_application_to_live_and_is_suspended() {
    walk(World::new()).await;
}

#[actix_rt::test]
async fn on_a_cql_server_an_operator_goes_the_same_way() {
    if let Some(world) = World::on_cql() {
        walk(world).await;
    }
}

async fn walk(world: World) {
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    let registered = case.register().await;
    assert_eq!((&registered["version"], &registered["stage"]), (&json!(1), &json!("applying")));
    let mut case = Case::new(&world, &licensing);
    let licensed = case.license("betting").await;
    assert_eq!((&licensed["licences"][0]["state"], &licensed["stage"]), (&json!("active"), &json!("registered")));
    // Entered on the day of the fee: in time. The way into the market has begun and is not late.
    assert_eq!(licensed["licences"][0]["register_entry"]["overdue"], json!(false));
    assert_eq!(licensed["integration"]["overdue"], json!(false));

    let mut case = Case::new(&world, &licensing);
    let live = case.go_live().await;
    assert_eq!(live["stage"], json!("live"));
    let token = case.token(&case.assertion(Env::Live)).await.ok();
    assert_eq!(token["scope"], json!("records:write records:read"));

    let reason = "порушення п. 3";
    let suspended = case.decide(json!({"type": "suspend", "licence": 1, "reason": reason})).await;
    assert_eq!(suspended["licences"][0]["state"], json!("suspended"));
    let revoked = case.decide(json!({"type": "revoke", "licence": 1, "reason": reason})).await;
    assert_eq!(revoked["licences"][0]["state"], json!("revoked"));
    let again =
        case.try_post("clerk-1", "/proposals", Some(&Case::proposal(&json!({"type": "resume", "licence": 1})))).await;
    again.refused(409, "conflict");
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn an_operator_late_with_its_integration_is_listed() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.license("lottery").await;
    let token = world.person("inspector-1", "inspector");
    let list = async |query: &str| {
        let url = format!("{}/v1/operators?{query}", licensing.url);
        let found = world.send(reqwest::Method::GET, &url, Some(&token), None, None).await.ok();
        found["operators"].as_array().expect("a list").len()
    };
    // Six months are not over: the clock shows when.
    assert_eq!((list("overdue=true").await, list("overdue=false").await, list("stage=registered").await), (0, 1, 1));
    assert_eq!(
        (list("stage=live").await, list("q=%D0%BF%D1%80%D0%B8%D0%BA%D0%BB%D0%B0%D0%B4").await),
        (0, 1),
        "q: приклад"
    );
    assert_eq!(
        (list(&format!("q={}", case.edrpou)).await, list("q=example.ua").await, list("q=nobody").await),
        (1, 1, 0)
    );
    let shown = world.send(reqwest::Method::GET, &case.path(""), Some(&token), None, None).await.ok();
    let due = shown["integration"]["due"].as_str().expect("a clock").to_owned();
    assert!(due > moment(86_400 * 175) && due < moment(86_400 * 190), "{due}");
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn an_operator_and_its_history_are_shown_with_all_that_they_may_have() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.license("lottery").await;
    let token = world.person("clerk-1", "clerk");
    let mut entity = case.entity();
    (entity["name_latin"], entity["phone"]) = (json!("Example LLC"), json!("+380 44 000 00 00"));
    let amended = world.send(Method::PUT, &case.path(""), Some(&token), Some(&case.tag), Some(&entity)).await;
    case.tag = amended.etag.clone().expect("a tag");
    assert_eq!(amended.ok()["name_latin"], entity["name_latin"]);

    let places = json!({"venues": ["Київ, вул. Прикладна, 2"], "domains": ["example.ua"], "apps": ["ua.example.app"]});
    case.decide(json!({"type": "place", "licence": 1, "places": places})).await;
    for kind in LicenceKind::ALL {
        case.post("clerk-1", "/licences", Some(&json!({"kind": kind}))).await;
    }
    case.decide(json!({"type": "refuse", "licence": 2, "reason": "бо так"})).await;
    let proposal = Case::proposal(&json!({"type": "suspend", "licence": 1, "reason": "бо так"}));
    case.post("clerk-1", "/proposals", Some(&proposal)).await;
    let refusal = format!("/proposals/{}/refusal", proposal["id"].as_str().expect("an id"));
    case.post("clerk-2", &refusal, Some(&json!({"reason": "ні"}))).await;
    let shown = case.decide(json!({"type": "surrender", "licence": 1})).await;
    let licences = shown["licences"].as_array().expect("a list");
    assert_eq!((&licences[0]["state"], &licences[1]["state"]), (&json!("surrendered"), &json!("refused")));
    assert_eq!(json!(licences[1..].iter().map(|one| &one["kind"]).collect::<Vec<_>>()), json!(LicenceKind::ALL));
    assert_eq!(licences[0]["venues"], places["venues"]);

    let history = world.send(Method::GET, &case.path("/history?limit=200"), Some(&token), None, None).await.ok();
    let facts: Vec<&str> =
        history["changes"].as_array().expect("a list").iter().filter_map(|one| one["fact"]["type"].as_str()).collect();
    assert!(facts.contains(&"amended") && facts.contains(&"declined"), "{facts:?}");
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn a_certificate_must_be_signed_for_this_operator_and_say_that_it_passed() {
    let world = World::new();
    let licensing = world.licensing().await;
    let (mut case, other) = (Case::new(&world, &licensing), Case::new(&world, &licensing));
    case.license("betting").await;
    let forged = case.certificate("passed").replace('.', "..");
    let another = case.certificate_of("none", "passed");
    for bad in [case.certificate("failed"), other.certificate("passed"), forged, another, case.assertion(Env::Live)] {
        case.try_post("clerk-1", "/certificates", Some(&json!({"certificate": bad})))
            .await
            .refused(422, "invalid-form");
    }
    // It is said at which place, and for which of its claims.
    let another = json!({"certificate": case.certificate_of("none", "passed")});
    let refused = case.try_post("clerk-1", "/certificates", Some(&another)).await;
    let why = json!([{
        "pointer": "/certificate", "detail": "the claim checklist must be one of [\"dsom.conformance.v1\"]",
    }]);
    assert_eq!(refused.body["errors"], why);
    licensing.running.stop().await;
}
