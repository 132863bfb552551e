//! How fast one client and one person may go.

use contracts::registry::Env;
use licensing::config::Config;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::{Case, World, answer, form};

#[actix_rt::test]
async fn one_client_asks_for_tokens_at_its_rate_and_no_other_pays_for_it() {
    let world = World::new();
    let config = Config { client_tokens_per_s_max: 1, client_tokens_burst_max: 3, ..world.config() };
    let licensing = world.licensing_with(config).await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    // Who has not proved itself takes nothing from anybody.
    for _ in 0..5 {
        let forged = crate::world::jws(&crate::world::new_key(), &Case::header(&case.live), &case.claims(Env::Live));
        assert_eq!(case.token(&forged).await.status, 401);
    }
    // A burst of three, and a second fills one: of six at once some are too many.
    let assertions: Vec<String> = (0..6).map(|_| case.assertion(Env::Live)).collect();
    let ask = async |assertion: &String| {
        let request = world.http.post(format!("{}/oauth2/token", case.url)).form(&form(assertion));
        let answer = answer(request).await;
        let after = answer.headers.get("retry-after").map(|after| after.to_str().expect("text").to_owned());
        (answer.status, after, answer.body)
    };
    let answers = futures::future::join_all(assertions.iter().map(ask)).await;
    let given = answers.iter().filter(|(status, ..)| status.is_success()).count();
    assert!((3..6).contains(&given), "{given}");
    let refused = answers.iter().position(|(status, ..)| !status.is_success()).expect("too many");
    let (status, after, body) = &answers[refused];
    assert_eq!((*status, after.as_deref()), (StatusCode::TOO_MANY_REQUESTS, Some("1")));
    assert_eq!(body["error"], json!("slow_down"));
    // The operator's other client goes on, and an assertion that was refused so may be sent again.
    case.token(&case.assertion(Env::Test)).await.ok();
    let began = std::time::Instant::now();
    while !ask(&assertions[refused]).await.0.is_success() {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "never again");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn one_person_changes_things_at_its_rate_and_reads_go_on() {
    let world = World::new();
    let config = Config { author_writes_per_s_max: 1, author_writes_burst_max: 2, ..world.config() };
    let licensing = world.licensing_with(config).await;
    let case = Case::new(&world, &licensing);
    let put = async |by: &str| {
        let token = world.person(by, "clerk");
        world.send(Method::PUT, &case.path(""), Some(&token), None, Some(&case.entity())).await
    };
    let answers = futures::future::join_all((0..8).map(|_| put("clerk-1"))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| !answer.status.is_success()).collect();
    assert!(!refused.is_empty());
    let too_fast = refused.iter().filter(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS).count();
    assert!(too_fast > 0, "{answers:?}");
    put("clerk-2").await.ok();
    for _ in 0..8 {
        let token = world.person("clerk-1", "clerk");
        world.send(Method::GET, &case.path(""), Some(&token), None, None).await.ok();
    }
    licensing.running.stop().await;
}
