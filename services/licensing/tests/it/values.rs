//! Requests that mean the same, and methods: what a client that does not know better meets.

use reqwest::Method;
use serde_json::json;

use crate::world::{Case, World, moment};

#[actix_rt::test]
async fn the_same_proposal_again_is_answered_as_the_first_time() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.license("betting").await;
    let suspend = Case::proposal(&json!({"type": "suspend", "licence": 1, "reason": "бо так"}));
    let before = case.tag.clone();
    case.post("clerk-1", "/proposals", Some(&suspend)).await;
    let after = case.tag.clone();
    // Whoever lost the answer has the old tag; whoever read the operator again has the new one.
    for tag in [&before, &after] {
        case.tag.clone_from(tag);
        let again = case.try_post("clerk-1", "/proposals", Some(&suspend)).await;
        assert_eq!((again.status.as_u16(), again.etag.as_ref()), (200, Some(&after)), "nothing more has happened");
    }
    let mut other = suspend.clone();
    other["decision"]["reason"] = json!("інакше");
    case.try_post("clerk-1", "/proposals", Some(&other)).await.refused(409, "conflict");
    case.try_post("clerk-2", "/proposals", Some(&suspend)).await.refused(409, "conflict");
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn a_number_is_of_one_operator_however_it_is_written() {
    let world = World::new();
    let licensing = world.licensing().await;
    let (mut one, mut other) = (Case::new(&world, &licensing), Case::new(&world, &licensing));
    one.license("betting").await;
    other.license("betting").await;
    let places = json!({"domains": ["казино-один.укр"]});
    other.post("clerk-1", "/licences", Some(&json!({"kind": "lottery", "places": places}))).await;
    other.post("clerk-1", "/licences/2/steps", Some(&json!({"type": "review"}))).await;
    other.decide(json!({"type": "approve", "licence": 2})).await;
    let fee = json!({"type": "bill", "fee": {"amount": 1, "currency": "UAH"}});
    other.post("clerk-1", "/licences/2/steps", Some(&fee)).await;
    let paid = json!({"type": "pay", "paid_at": moment(-1), "document": "1"});
    other.post("clerk-1", "/licences/2/steps", Some(&paid)).await;
    let number = format!("л - {}", one.edrpou);
    let entry = json!({"type": "activate", "licence": 2, "number": number, "expires": moment(86_400)});
    let proposal = Case::proposal(&entry);
    other.post("clerk-1", "/proposals", Some(&proposal)).await;
    let path = format!("/proposals/{}/confirmation", proposal["id"].as_str().expect("an id"));
    other.try_post("clerk-2", &path, None).await.refused(409, "conflict");

    // Its domain is found as people write it.
    let token = world.person("clerk-1", "clerk");
    for q in ["казино-один.укр", "КАЗИНО-ОДИН", "xn--"] {
        let url = reqwest::Url::parse_with_params(&format!("{}/v1/operators", licensing.url), [("q", q)]);
        let url = url.expect("an address").to_string();
        let found = world.send(Method::GET, &url, Some(&token), None, None).await.ok();
        assert_eq!(found["operators"][0]["id"], json!(other.id), "{q}");
    }
    let url = format!("{}/v1/operators?limit=abc", licensing.url);
    let refused = world.send(Method::GET, &url, Some(&token), None, None).await;
    refused.refused(400, "bad-request");
    assert!(refused.body["detail"].as_str().expect("a detail").starts_with("limit: "), "{refused:?}");
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn every_path_knows_its_methods() {
    let world = World::new();
    let licensing = world.licensing().await;
    testkit::every_path_knows_its_methods(licensing.running.addr()).await;
    for path in ["/v1/sites.rpz", "/v1/register.csv", "/jwks.json", "/readyz"] {
        let ask = async |method| {
            world.http.request(method, format!("{}{path}", licensing.url)).send().await.expect("answers")
        };
        let (get, head) = (ask(Method::GET).await, ask(Method::HEAD).await);
        assert_eq!(head.status(), get.status(), "{path}");
        for name in ["content-type", "content-length", "etag"] {
            assert_eq!(head.headers().get(name), get.headers().get(name), "{path} {name}");
        }
        assert!(head.bytes().await.expect("answers").is_empty() && !get.bytes().await.expect("answers").is_empty());
    }
    licensing.running.stop().await;
}
