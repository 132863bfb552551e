//! What everybody may read, and how far back clerks may look.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;

use crate::world::{Case, World, moment};

#[actix_rt::test]
async fn the_public_register_lists_every_licence_that_was_entered() {
    let world = World::new();
    let licensing = world.licensing().await;
    let (mut entered, mut applying) = (Case::new(&world, &licensing), Case::new(&world, &licensing));
    entered.license("betting").await;
    applying.register().await;
    let json = world.send(Method::GET, &format!("{}/v1/register", licensing.url), None, None, None).await.ok();
    let licences = json["licences"].as_array().expect("a list");
    assert_eq!(licences.len(), 1);
    assert_eq!((&licences[0]["state"], &licences[0]["edrpou"]), (&json!("active"), &json!(entered.edrpou)));
    assert_eq!(licences[0]["domains"], json!(["example.ua"]));
    assert!(!json.to_string().contains("compliance@"), "contacts are not for everybody");
    let csv = world.http.get(format!("{}/v1/register.csv", licensing.url)).send().await.expect("answers");
    assert!(csv.headers()["content-type"].to_str().expect("text").starts_with("text/csv"));
    let csv = csv.text().await.expect("text");
    let lines: Vec<&str> = csv.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].contains(&entered.edrpou) && lines[1].contains("active"));
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn a_history_shows_who_and_what_and_can_be_checked_by_anybody() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.license("betting").await;
    let suspended = case.decide(json!({"type": "suspend", "licence": 1, "reason": "бо так"})).await;
    let token = world.person("auditor-1", "auditor");
    let get = async |path: &str| world.send(Method::GET, &case.path(path), Some(&token), None, None).await;
    let mut changes = Vec::new();
    let mut after = json!(0);
    while !after.is_null() {
        let page = get(&format!("/history?limit=4&after={after}")).await.ok();
        changes.extend(page["changes"].as_array().expect("a list").clone());
        after = page["next"].clone();
    }
    assert_eq!(changes.len() as u64, suspended["version"].as_u64().expect("a version"));
    // By hand: SHA-256 of a zero byte and the bytes, from one to the next, up to the head.
    let mut previous = STANDARD.encode([0; 32]);
    for (n, change) in changes.iter().enumerate() {
        let bytes = STANDARD.decode(change["change"].as_str().expect("text")).expect("base64");
        let read: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!((&read["previous"], &read["version"]), (&json!(previous), &json!(n + 1)));
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &[&[0][..], &bytes].concat());
        previous = STANDARD.encode(digest);
        assert_eq!(change["hash"], json!(previous));
    }
    assert_eq!(suspended["head"], json!(previous));
    let last = changes.last().expect("one");
    assert_eq!((&last["by"]["sub"], &last["fact"]["type"]), (&json!("clerk-2"), &json!("confirmed")));
    let state =
        last["differences"].as_array().expect("a list").iter().find(|one| one["pointer"] == "/licences/0/state");
    let state = state.expect("the state differs");
    assert_eq!((&state["before"], &state["after"]), (&json!("active"), &json!("suspended")));

    // As of a moment between two changes, and before the first.
    let at = |n: usize| changes[n]["at"].as_str().expect("text").to_owned();
    let then = get(&format!("?as_of={}", at(2))).await.ok();
    assert_eq!(then["licences"][0]["state"], json!("under_review"));
    assert_eq!(get("").await.ok()["licences"][0]["state"], json!("suspended"));
    get(&format!("?as_of={}", moment(-3_600))).await.refused(404, "not-found");
    get("?as_of=yesterday").await.refused(400, "bad-request");
    get("?unknown=1").await.refused(400, "bad-request");
    get("/history?limit=0").await.refused(400, "bad-request");
    licensing.running.stop().await;
}
