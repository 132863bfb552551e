//! What other tests are not answered: everything that is answered is held against the document.

use super::*;
use crate::domain::sites::subject::Platform;

#[actix_rt::test]
async fn all_that_an_entry_and_a_proposal_may_be_is_shown_as_documented() {
    let site = Site::new().await;
    let mut body = blocks(&["казино.укр", "later.ua"]);
    let list = body["blocks"].as_array_mut().expect("an array");
    list[1]["blocked_from"] = json!("2026-11-25");
    for platform in Platform::ALL {
        let account = json!({"platform": platform, "handle": "casino_ua"});
        list.push(json!({"account": account, "evidence": list[0]["evidence"], "blocked_from": "2026-11-23"}));
    }
    let path = |body: &Value| format!("/v1/sites/proposals/{}", body["id"].as_str().expect("an id"));
    assert_eq!(site.post("ann", "/v1/sites/proposals", Some(&body)).await.status, 201);
    let whole = site.read("eve", "auditor", &path(&body)).await.json();
    assert_eq!(whole["measure"]["blocks"].as_array().map(Vec::len), Some(2 + Platform::ALL.len()));
    assert_eq!(site.post("bob", &format!("{}/confirmation", path(&body)), None).await.status, 200);

    let feed = site.get("/v1/sites.json").await.json();
    let platforms: Vec<&Value> =
        feed["accounts"].as_array().expect("an array").iter().map(|one| &one["platform"]).collect();
    assert_eq!(json!(platforms), json!(Platform::ALL));
    assert_eq!(site.get("/v1/sites/later.ua").await.json()["standing"], "announced");
    let account = json!({"account": {"platform": "x", "handle": "casino_ua"}, "reason": "closed"});
    site.carry_out(&form(json!([]), json!([account]))).await;
    let delta = site.get("/v1/sites.json?since=1").await.json();
    assert_eq!(delta["lifted_accounts"], json!([account["account"]]));
    let entries = site.get("/v1/sites").await.json()["entries"].take();
    let standings: Vec<&Value> = entries.as_array().expect("an array").iter().map(|one| &one["standing"]).collect();
    assert!(
        ["announced", "blocked", "lifted"].iter().all(|standing| standings.contains(&&json!(standing))),
        "{entries}"
    );

    let lifted = lift("казино.укр");
    assert_eq!(site.post("ann", "/v1/sites/proposals", Some(&lifted)).await.status, 201);
    let whole = site.read("eve", "auditor", &path(&lifted)).await.json();
    assert_eq!(whole["measure"]["lifts"][0]["unicode"], "казино.укр");
    let refusal = json!({"reason": "no"});
    assert_eq!(site.post("bob", &format!("{}/refusal", path(&lifted)), Some(&refusal)).await.status, 200);
    // 40 hours on it is the 25th in Kyiv.
    site.world.pass_ms(40 * 3_600_000);
    site.list.catch_up().await.expect("answers");
    site.list.set_zone().await.expect("is set");
    let history = site.read("eve", "auditor", "/v1/sites/history").await;
    assert_eq!(history.header("cache-control"), "no-store", "it needs a token");
    let history = history.json();
    let types: Vec<&Value> = history["changes"].as_array().expect("an array").iter().map(|one| &one["type"]).collect();
    let expected = ["proposed", "confirmed", "proposed", "confirmed", "proposed", "declined", "began", "zone_set"];
    assert_eq!(json!(types), json!(expected));
}
