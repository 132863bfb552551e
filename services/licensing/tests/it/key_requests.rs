//! Keys that an operator asks for itself, with its own token.

use contracts::registry::Env;
use ed25519_dalek::SigningKey;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Case, World, form, jws, new_key};

const REQUESTS: &str = "/keys/requests";

impl Case<'_> {
    /// A token of the operator with these scopes, asked for with one of its keys.
    async fn scoped(&self, env: Env, key: &SigningKey, scope: &str) -> String {
        let assertion = jws(key, &Case::header(key), &self.claims(env));
        let mut fields = form(&assertion).to_vec();
        fields.push(("scope", scope));
        self.ask(&fields).await.ok()["access_token"].as_str().expect("a token").to_owned()
    }

    async fn request(&self, token: &str, tag: Option<&str>, body: &Value) -> Answer {
        self.world.send(Method::POST, &self.path(REQUESTS), Some(token), tag, Some(body)).await
    }
}

/// The ground on which a clerk takes a request up.
fn ground() -> Value {
    json!({"ground": {"law": "ст. 14", "document": "лист 3", "document_hash": contracts::Hash([8; 32])}})
}

fn asking(decision: &Value) -> Value {
    json!({"id": Uuid::new_v4(), "decision": decision})
}

#[actix_rt::test]
async fn an_operator_rotates_its_key_with_two_clerks() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    let token = case.scoped(Env::Live, &case.live, "keys:propose").await;
    let seen = world.send(Method::GET, &case.path(REQUESTS), Some(&token), None, None).await;
    let tag = seen.etag.clone().expect("a tag");
    let seen = seen.ok();
    assert_eq!((seen["keys"].as_array().map(Vec::len), &seen["requests"]), (Some(2), &json!([])));

    // The next key: asked for, and good only once a clerk has confirmed it.
    let next = new_key();
    let wanted = asking(&case.add_key(&next, Env::Live));
    let answer = case.request(&token, Some(&tag), &wanted).await;
    case.tag = answer.etag.clone().expect("a tag");
    let waiting = answer.ok()["requests"].clone();
    let by = format!("operator:dsom_live_{}", case.id);
    assert_eq!((&waiting[0]["by"], &waiting[0]["ground"]), (&json!(by), &Value::Null));
    let with_next = |case: &Case<'_>| jws(&next, &Case::header(&next), &case.claims(Env::Live));
    assert_eq!(case.token(&with_next(&case)).await.status, 401);
    let clerk = world.person("clerk-1", "clerk");
    let all = world.send(Method::GET, &format!("{}/v1/proposals", case.url), Some(&clerk), None, None).await.ok();
    assert_eq!(all["proposals"][0]["proposal"]["by"], json!(by));
    let confirmation = format!("/proposals/{}/confirmation", wanted["id"].as_str().expect("an id"));
    // Not by the operator: its token is no person's.
    let own = world.send(Method::POST, &case.path(&confirmation), Some(&token), Some(&case.tag), None).await;
    own.refused(401, "unauthorized");
    // One clerk takes it up, and says on what; another confirms it.
    case.try_post("clerk-1", &confirmation, None).await.refused(422, "invalid-form");
    let taken = case.post("clerk-1", &confirmation, Some(&ground())).await;
    let shown = &taken["proposals"][0];
    assert_eq!((&shown["by"], &shown["endorsed_by"]), (&json!(by), &json!("clerk-1")));
    assert_eq!(shown["ground"], ground()["ground"]);
    case.try_post("clerk-1", &confirmation, None).await.refused(403, "own-proposal");
    case.try_post("clerk-2", &confirmation, Some(&ground())).await.refused(422, "invalid-form");
    assert_eq!(case.token(&with_next(&case)).await.status, 401, "not yet");
    case.post("clerk-2", &confirmation, None).await;
    case.token(&with_next(&case)).await.ok();

    // The old one goes the same way, and with it the tokens it got.
    let new_token = case.scoped(Env::Live, &next, "keys:propose").await;
    let kid = Case::header(&case.live)["kid"].clone();
    let wanted = asking(&json!({"type": "revoke_key", "kid": kid, "reason": "заміна"}));
    let answer = case.request(&new_token, Some(&case.tag), &wanted).await;
    case.tag = answer.etag.clone().expect("a tag");
    answer.ok();
    let confirmation = format!("/proposals/{}/confirmation", wanted["id"].as_str().expect("an id"));
    case.post("clerk-2", &confirmation, Some(&ground())).await;
    case.post("clerk-1", &confirmation, None).await;
    case.request(&token, Some(&case.tag), &wanted).await.refused(401, "unauthorized");
    case.request(&new_token, Some(&case.tag), &wanted).await.refused(409, "conflict");

    let history = world.send(Method::GET, &case.path("/history?limit=200"), Some(&clerk), None, None).await.ok();
    // Its own keys and requests are shown as they were, and no future ones.
    let changed = |n: usize| {
        let requests = history["changes"].as_array().expect("changes").iter();
        let asked: Vec<_> = requests.filter(|one| one["fact"]["type"] == json!("requested")).collect();
        asked[n]["at"].as_str().expect("text").to_owned()
    };
    let then = async |moment: &str| {
        let url = format!("{}?as_of={moment}", case.path(REQUESTS));
        world.send(Method::GET, &url, Some(&new_token), None, None).await
    };
    let first = then(&changed(0)).await;
    assert_eq!(first.etag, None, "nothing to write on");
    let first = first.ok();
    assert_eq!(
        (first["keys"].as_array().map(Vec::len), first["requests"].as_array().map(Vec::len)),
        (Some(2), Some(1))
    );
    assert_eq!(first["requests"][0]["decision"]["type"], json!("add_key"));
    let second = then(&changed(1)).await.ok();
    assert_eq!((second["keys"].as_array().map(Vec::len), &second["keys"][0]["revoked_at"]), (Some(3), &Value::Null));
    then(&crate::world::moment(-3_600)).await.refused(404, "not-found");
    then(&crate::world::moment(3_600)).await.refused(400, "bad-request");
    then("yesterday").await.refused(400, "bad-request");

    // Who did what stands in the history.
    let told: Vec<(&str, &str)> = history["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .rev()
        .take(6)
        .map(|one| (one["by"]["sub"].as_str().expect("sub"), one["fact"]["type"].as_str().expect("a type")))
        .collect();
    let expected = [
        ("clerk-1", "confirmed"),
        ("clerk-2", "endorsed"),
        (&*by, "requested"),
        ("clerk-2", "confirmed"),
        ("clerk-1", "endorsed"),
        (&*by, "requested"),
    ];
    assert_eq!(told, expected);
    licensing.running.stop().await;

    // And is read at the next start.
    let licensing = world.licensing().await;
    case.url = licensing.url.clone();
    let seen = world.send(Method::GET, &case.path(REQUESTS), Some(&new_token), None, None).await.ok();
    assert_eq!(seen["keys"].as_array().map(Vec::len), Some(3));
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn nobody_asks_for_anothers_keys_or_for_more_than_keys() {
    let world = World::new();
    let licensing = world.licensing().await;
    let (mut case, mut foreign) = (Case::new(&world, &licensing), Case::new(&world, &licensing));
    case.go_live().await;
    foreign.go_live().await;
    let wanted = asking(&case.add_key(&new_key(), Env::Live));
    let live = case.scoped(Env::Live, &case.live, "keys:propose").await;
    let test = case.scoped(Env::Test, &case.test, "keys:propose").await;
    let theirs = foreign.scoped(Env::Live, &foreign.live, "keys:propose").await;
    let usual = case.token(&case.assertion(Env::Live)).await.ok();
    assert_eq!(usual["scope"], json!("records:write records:read"), "not given unasked");
    let usual = usual["access_token"].as_str().expect("a token").to_owned();
    let before = case.tag.clone();
    let tag = Some(&*before);

    case.request(&theirs, tag, &wanted).await.refused(403, "forbidden");
    case.request(&usual, tag, &wanted).await.refused(403, "forbidden");
    case.request("x.y.z", tag, &wanted).await.refused(401, "unauthorized");
    case.request(&world.person("clerk-1", "clerk"), tag, &wanted).await.refused(401, "unauthorized");
    let seen = async |token: &str| world.send(Method::GET, &case.path(REQUESTS), Some(token), None, None).await;
    seen(&theirs).await.refused(403, "forbidden");
    seen(&usual).await.refused(403, "forbidden");
    // A key of the sandbox opens nothing of the market.
    case.request(&test, tag, &wanted).await.refused(422, "invalid-form");
    let kid = Case::header(&case.live)["kid"].clone();
    let revoke = asking(&json!({"type": "revoke_key", "kid": kid, "reason": "x"}));
    case.request(&test, tag, &revoke).await.refused(404, "not-found");

    case.request(&live, None, &wanted).await.refused(428, "precondition-required");
    for stale in ["\"0\"", "\"1\"", "x", "*"] {
        case.request(&live, Some(stale), &wanted).await.refused(412, "stale");
    }
    let with = |place: &str, name: &str, value: Value| {
        let mut body = wanted.clone();
        match place {
            "" => body[name] = value,
            place => body[place][name] = value,
        }
        body
    };
    for bad in [
        with("", "ground", json!({"law": "ст. 1", "document": "1", "document_hash": contracts::Hash([7; 32])})),
        with("", "by", json!("clerk-1")),
        with("", "outcome", json!("confirmed")),
        with("", "operator", json!(foreign.id)),
        with("decision", "revoked_at", json!(null)),
        with("decision", "kid", json!("x")),
        with("decision", "proof", json!("e30.e30.AA")),
        with("decision", "type", json!("go_live")),
        asking(&json!({"type": "require_signature", "required": false})),
        asking(&json!({"type": "activate", "licence": 1, "number": "Б-9", "expires": crate::world::moment(60)})),
        // The proof is about another's key.
        asking(&foreign.add_key(&new_key(), Env::Live)),
    ] {
        case.request(&live, tag, &bad).await.refused(422, "invalid-form");
    }
    let after = world.send(Method::GET, &case.path(""), Some(&world.person("a", "auditor")), None, None).await;
    assert_eq!(after.etag.as_deref(), tag, "nothing changed");
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn before_it_is_live_an_operator_asks_for_test_keys() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.register().await;
    let test = case.add_key(&case.test, Env::Test);
    case.decide(test).await;
    let token = case.scoped(Env::Test, &case.test, "records:read keys:propose").await;
    for _ in 0..10 {
        let answer = case.request(&token, Some(&case.tag), &asking(&case.add_key(&new_key(), Env::Test))).await;
        case.tag = answer.etag.clone().expect("a tag");
        assert!(answer.ok()["requests"].is_array());
    }
    let one_more = asking(&case.add_key(&new_key(), Env::Test));
    case.request(&token, Some(&case.tag), &one_more).await.refused(409, "conflict");
    // Clerks have room all the same.
    case.post("clerk-1", "/proposals", Some(&Case::proposal(&case.add_key(&new_key(), Env::Live)))).await;
    licensing.running.stop().await;
}
