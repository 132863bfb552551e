//! Two people, one version, one winner.

use contracts::registry::Env;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Case, Licensing, World, answer};

#[actix_rt::test]
async fn nobody_confirms_their_own_and_every_write_names_a_version() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.license("betting").await;
    let suspend = Case::proposal(&json!({"type": "suspend", "licence": 1, "reason": "бо так"}));
    let path = format!("/proposals/{}/confirmation", suspend["id"].as_str().expect("an id"));
    let old = case.tag.clone();
    case.post("clerk-1", "/proposals", Some(&suspend)).await;
    case.try_post("clerk-1", &path, None).await.refused(403, "own-proposal");

    let token = world.person("clerk-2", "clerk");
    let confirm = async |tag: Option<&str>| world.send(Method::POST, &case.path(&path), Some(&token), tag, None).await;
    confirm(None).await.refused(428, "precondition-required");
    for stale in [&*old, "\"0\"", "\"x\"", "W/\"9\"", "*", "9"] {
        confirm(Some(stale)).await.refused(412, "stale");
    }
    // What was refused changed nothing.
    let shown = world.send(Method::GET, &case.path(""), Some(&token), None, None).await;
    assert_eq!(shown.etag.as_ref(), Some(&case.tag));
    assert_eq!(shown.ok()["licences"][0]["state"], json!("active"));
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn of_concurrent_confirmations_exactly_one_wins() {
    let world = World::new();
    let licensing = world.licensing().await;
    rivals(&world, &[&licensing]).await;
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn of_concurrent_confirmations_on_two_processes_exactly_one_wins() {
    let Some(world) = World::on_cql() else { return };
    let (one, other) = (world.licensing().await, world.licensing().await);
    rivals(&world, &[&one, &other]).await;
    one.running.stop().await;
    other.running.stop().await;
}

/// Eight clerks confirm one proposal at once, at any of the processes.
async fn rivals(world: &World, processes: &[&Licensing]) {
    let mut case = Case::new(world, processes[0]);
    case.license("betting").await;
    for round in 0..5 {
        let decision = if round % 2 == 0 {
            json!({"type": "suspend", "licence": 1, "reason": "бо так"})
        } else {
            json!({"type": "resume", "licence": 1})
        };
        let proposal = Case::proposal(&decision);
        case.post("clerk-1", "/proposals", Some(&proposal)).await;
        let path = format!("/proposals/{}/confirmation", proposal["id"].as_str().expect("an id"));
        let clerks = (2..10).map(|n| {
            let token = world.person(&format!("clerk-{n}"), "clerk");
            let url = format!("{}/v1/operators/{}{path}", processes[n % processes.len()].url, case.id);
            let tag = case.tag.clone();
            async move { world.send(Method::POST, &url, Some(&token), Some(&tag), None).await }
        });
        let answers = futures::future::join_all(clerks).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status.is_success()).collect();
        assert_eq!(won.len(), 1, "round {round}");
        answers.iter().filter(|answer| !answer.status.is_success()).for_each(|answer| answer.refused(412, "stale"));
        case.tag = won[0].etag.clone().expect("a tag");
    }
}

#[actix_rt::test]
async fn roles_and_tokens_are_looked_at_on_every_route() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    let operator =
        case.token(&case.assertion(Env::Live)).await.ok()["access_token"].as_str().expect("a token").to_owned();
    let body = json!({});
    let id = uuid::Uuid::new_v4();
    let writes = [
        (Method::PUT, case.path("")),
        (Method::POST, case.path("/licences")),
        (Method::POST, case.path("/licences/1/steps")),
        (Method::POST, case.path("/proposals")),
        (Method::POST, case.path(&format!("/proposals/{id}/confirmation"))),
        (Method::POST, case.path(&format!("/proposals/{id}/refusal"))),
        (Method::POST, case.path("/certificates")),
    ];
    let reads = [
        (Method::GET, case.path("")),
        (Method::GET, case.path("/history")),
        (Method::GET, format!("{}/v1/operators", case.url)),
        (Method::GET, format!("{}/v1/proposals", case.url)),
    ];
    let before = world.send(Method::GET, &case.path(""), Some(&world.person("a", "auditor")), None, None).await;
    for (method, url) in writes.iter().chain(&reads) {
        let send =
            async |token: Option<&str>| world.send(method.clone(), url, token, Some(&case.tag), Some(&body)).await;
        send(None).await.refused(401, "unauthorized");
        // An operator's token is no person's.
        send(Some(&operator)).await.refused(401, "unauthorized");
        send(Some(&world.person("x", "nobody"))).await.refused(403, "forbidden");
    }
    for (method, url) in &writes {
        for role in ["inspector", "tax", "analyst", "auditor"] {
            let token = world.person("x", role);
            world.send(method.clone(), url, Some(&token), Some(&case.tag), Some(&body)).await.refused(403, "forbidden");
        }
    }
    let after = world.send(Method::GET, &case.path(""), Some(&world.person("a", "auditor")), None, None).await;
    assert_eq!(before.etag, after.etag);
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn forms_with_members_of_their_own_are_refused() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    let token = world.person("clerk-1", "clerk");
    let put = async |case: &Case<'_>, body: &Value| {
        world.send(Method::PUT, &case.path(""), Some(&token), None, Some(body)).await
    };
    for (member, value) in [("id", json!(1)), ("stage", json!("live")), ("live_since", json!(1)), ("version", json!(7))]
    {
        let mut body = case.entity();
        body[member] = value;
        put(&case, &body).await.refused(422, "invalid-form");
    }
    for (member, value) in [
        ("edrpou", json!("14360571")),
        ("name", json!("")),
        ("name", json!("a\nb")),
        ("email", json!("nobody")),
        ("brands", json!(7)),
    ] {
        let mut body = case.entity();
        body[member] = value;
        put(&case, &body).await.refused(422, "invalid-form");
    }
    assert_eq!(case.register().await["version"], json!(1));
    // The same again does nothing more; other values need the version they are decided on.
    assert_eq!(case.register().await["version"], json!(1));
    let mut other = case.entity();
    other["name"] = json!("Інша назва");
    put(&case, &other).await.refused(428, "precondition-required");
    // Another operator with the same code.
    let mut twin = Case::new(&world, &licensing);
    twin.edrpou = case.edrpou.clone();
    put(&twin, &twin.entity()).await.refused(409, "conflict");
    // What is no JSON, and no form at all.
    let raw = async |body: &'static str, kind: &str| {
        let request = world.http.put(twin.path("")).bearer_auth(&token).header("content-type", kind).body(body);
        answer(request).await.status.as_u16()
    };
    assert_eq!(raw("{", "application/json").await, 400);
    assert_eq!(raw("{}", "text/plain").await, 415);
    twin.edrpou = crate::world::edrpou();
    put(&twin, &twin.entity()).await.ok();
    licensing.running.stop().await;
}
