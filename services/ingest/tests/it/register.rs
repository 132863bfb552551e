//! What the register says of an operator, and what ingest makes of it.

use std::time::Duration;

use async_nats::jetstream;
use contracts::{OperatorId, subjects};
use runtime::auth::Stale;
use serde_json::json;
use testkit::{AUDIENCE, ISSUER, register};

use crate::world::{Ingest, Operator, World, eventually, now, records};

/// What `/readyz` says of the register: its status, and the reason under `failing` or `warnings`, whichever it is.
async fn said(ingest: &Ingest) -> (u16, Option<String>) {
    let answer = reqwest::get(format!("{}/readyz", ingest.url)).await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.json::<serde_json::Value>().await.expect("JSON");
    let place = if status == 200 { "warnings" } else { "failing" };
    (status, body[place]["registry"].as_str().map(str::to_owned))
}

/// A token that was asked for with a key.
fn token_of_key(world: &World, operator: &Operator, kid: &str) -> Operator {
    let now_s = now().0 / 1_000;
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": operator.id, "scope": "records:write records:read",
        "iat": now_s, "nbf": now_s - 5, "exp": now_s + 600, "client_key": kid,
    });
    Operator { token: world.issuer.sign(&claims), ..operator.clone() }
}

#[actix_rt::test]
async fn an_unknown_operator_is_refused_until_the_register_knows_it() {
    let world = World::new();
    let ingest = world.ingest("a").await;
    let unknown = world.operator_of(OperatorId::new(uuid::Uuid::new_v4()).expect("not nil"));
    let lines = records(1..3);
    assert_eq!(unknown.send(&ingest, 0, &lines).await.code(), (403, "unknown-operator"));
    assert_eq!(unknown.get(&ingest, "/v1/streams").await.code(), (403, "unknown-operator"));
    register::tell(&world.nats, &[register::standing(unknown.id)]).await;
    let took = eventually("the operator to be known", || async {
        let answer = unknown.send(&ingest, 0, &lines).await;
        (answer.code() != (403, "unknown-operator")).then_some(answer.status)
    });
    assert_eq!(took.await, 201);
}

#[actix_rt::test]
async fn tokens_of_a_revoked_key_are_cut() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let mut standing = register::standing(operator.id);
    standing.version = 2;
    standing.keys = vec![register::key("kid-1", json!({})), register::key("kid-2", json!({}))];
    register::tell(&world.nats, &[standing.clone()]).await;
    let (one, two) = (token_of_key(&world, &operator, "kid-1"), token_of_key(&world, &operator, "kid-2"));
    let status = async |operator: &Operator| operator.get(&ingest, "/v1/streams").await.status.as_u16();
    eventually("the keys to be known", || async { (status(&one).await == 200).then_some(()) }).await;
    assert_eq!(status(&two).await, 200);
    standing.version = 3;
    standing.keys.remove(0);
    register::tell(&world.nats, &[standing]).await;
    eventually("the key to be revoked", || async { (status(&one).await == 401).then_some(()) }).await;
    assert_eq!(one.send(&ingest, 0, &records(1..2)).await.code(), (401, "unauthorized"));
    assert_eq!((status(&two).await, status(&operator).await), (200, 200), "other keys, and tokens of no key, go on");
}

#[actix_rt::test]
async fn an_old_register_is_told_and_work_goes_on_by_policy() {
    let world = World::new();
    register::tell(&world.nats, &[register::standing(world.operator().id)]).await;
    let operator = world.operator_of(world.operators()[0]);
    let config =
        |name, registry_stale| ingest::config::Config { registry_age_s_max: 2, registry_stale, ..world.config(name) };
    let serving = world.ingest_untold(config("serving", Stale::Serve)).await;
    let refusing = world.ingest_untold(config("refusing", Stale::Refuse)).await;
    for (ingest, status) in [(&serving, 200), (&refusing, 503)] {
        assert_eq!(said(ingest).await, (status, Some("licensing was never heard of".to_owned())));
    }

    register::beat(&world.nats, now()).await;
    for ingest in [&serving, &refusing] {
        eventually("the register to be fresh", || async { (said(ingest).await == (200, None)).then_some(()) }).await;
    }
    assert_eq!(operator.send(&refusing, 0, &records(1..2)).await.status, 201);
    // Who goes on by what was known stays in the Service, and says so.
    for (ingest, expected) in [(&serving, 200), (&refusing, 503)] {
        let old = || async {
            let (status, why) = said(ingest).await;
            why.map(|why| (status, why))
        };
        let (status, why) = eventually("the register to be old", old).await;
        assert!(status == expected && why.contains("2 s are allowed"), "{status} {why}");
    }
    assert_eq!(operator.send(&serving, 0, &records(2..3)).await.status, 201);
    let refused = operator.send(&refusing, 0, &records(3..4)).await;
    assert_eq!(refused.code(), (503, "unavailable"));
    assert!(refused.retry_after.is_some());
    let metrics =
        reqwest::get(format!("{}/metrics", serving.url)).await.expect("an answer").text().await.expect("text");
    let age = metrics.lines().find_map(|line| line.strip_prefix("dsom_ingest_registry_age_seconds")).expect("a gauge");
    // All processes of these tests share one page: which of them is seen is not known.
    let age: f64 = age.rsplit(' ').next().and_then(|age| age.parse().ok()).expect("a number");
    assert!(age >= 0.0, "{age}");
}

#[actix_rt::test]
async fn a_register_that_is_made_anew_is_read_anew_and_nobody_is_forgotten() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let client = async_nats::connect(world.nats.url()).await.expect("connects");
    jetstream::new(client).delete_stream(subjects::REGISTRY).await.expect("deletes");
    assert_eq!(operator.send(&ingest, 0, &records(1..2)).await.status, 201);
    // The feed notices at the latest when a heartbeat is missed.
    let newcomer = world.operator_of(OperatorId::new(uuid::Uuid::new_v4()).expect("not nil"));
    register::publish(&world.nats, &[register::standing(newcomer.id)]).await;
    let began = std::time::Instant::now();
    while newcomer.get(&ingest, "/v1/streams").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "the new stream is not read");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(operator.send(&ingest, 0, &records(2..3)).await.status, 201);
}
