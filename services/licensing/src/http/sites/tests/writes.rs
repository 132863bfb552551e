//! What clerks may do, and every way to be refused.

use super::*;
use crate::domain::history::{Author, EntityId};
use crate::domain::sites::fact::Fact;

#[actix_rt::test]
async fn a_decision_takes_two_clerks_and_its_version() {
    let site = Site::new().await;
    let body = blocks(&["a.ua"]);
    let path = format!("/v1/sites/proposals/{}", body["id"].as_str().expect("an id"));
    let proposed = site.post("ann", "/v1/sites/proposals", Some(&body)).await;
    assert_eq!((proposed.status, proposed.header("etag"), proposed.header("location")), (201, "\"1\"", &*path));
    let shown = proposed.json();
    assert_eq!((&shown["outcome"], &shown["by"]["sub"], &shown["blocks"]), (&json!("open"), &json!("ann"), &json!(1)));
    assert_eq!((&shown["expires"], shown.get("measure")), (&json!("2026-11-24T06:00:00.000Z"), None));
    assert_eq!(site.post("ann", "/v1/sites/proposals", Some(&body)).await.status, 200, "the same again");
    let mut other = blocks(&["b.ua"]);
    other["id"] = body["id"].clone();
    site.post("ann", "/v1/sites/proposals", Some(&other)).await.refused(409, "conflict");

    let whole = site.read("eve", "auditor", &path).await;
    let held = &whole.json()["measure"]["blocks"][0];
    assert_eq!((&held["site"], &held["evidence"]["text"]), (&json!("a.ua"), &json!("takes bets without a licence")));
    let confirmation = format!("{path}/confirmation");
    site.post("ann", &confirmation, None).await.refused(403, "own-proposal");
    let bob = format!("Bearer {}", site.token("bob", "chief_clerk"));
    let without = site.send(Method::POST, &confirmation, &[("authorization", &bob)], None).await;
    without.refused(428, "precondition-required");
    let old = site.send(Method::POST, &confirmation, &[("authorization", &bob), ("if-match", "\"0\"")], None).await;
    assert_eq!(old.refused(412, "stale")["version"], 1);
    let confirmed = site.post("bob", &confirmation, None).await;
    assert_eq!((confirmed.status, confirmed.header("etag")), (200, "\"2\""));
    let shown = confirmed.json();
    assert_eq!(
        (&shown["outcome"], &shown["answer"]["by"]["sub"], &shown["serial"]),
        (&json!("confirmed"), &json!("bob"), &json!(1))
    );
    site.post("bob", &confirmation, None).await.refused(409, "proposal-over");
    assert!(site.get("/v1/sites.txt").await.text().ends_with("\na.ua\n"), "the answer came when the feeds showed it");

    let again =
        site.post("ann", "/v1/sites/proposals", Some(&blocks(&["c.ua", "a.ua"]))).await.refused(409, "conflict");
    assert_eq!(
        again["errors"],
        json!([{"pointer": "/blocks/1", "code": "already-listed", "detail": "a.ua: it is in the list"}])
    );
    let unlisted = site.post("ann", "/v1/sites/proposals", Some(&lift("b.ua"))).await.refused(409, "conflict");
    assert_eq!(unlisted["errors"][0]["code"], "not-listed");
}

#[actix_rt::test]
async fn a_proposal_may_be_refused_or_expire() {
    let site = Site::new().await;
    let [declined, expired] = [blocks(&["a.ua"]), blocks(&["b.ua"])];
    let path = |body: &Value, verb: &str| format!("/v1/sites/proposals/{}/{verb}", body["id"].as_str().expect("an id"));
    for body in [&declined, &expired] {
        assert_eq!(site.post("ann", "/v1/sites/proposals", Some(body)).await.status, 201);
    }
    let refusal = path(&declined, "refusal");
    site.post("bob", &refusal, Some(&json!({"reason": " "}))).await.refused(422, "invalid-form");
    let answer = site.post("bob", &refusal, Some(&json!({"reason": "no evidence"}))).await;
    assert_eq!((answer.status, &answer.json()["answer"]["reason"]), (200, &json!("no evidence")));
    site.world.pass_ms(86_400_000);
    site.post("bob", &path(&expired, "confirmation"), None).await.refused(409, "proposal-over");
    let unknown = format!("/v1/sites/proposals/{}/confirmation", Uuid::new_v4());
    site.post("bob", &unknown, None).await.refused(404, "not-found");
    site.post("bob", "/v1/sites/proposals/x/confirmation", None).await.refused(400, "bad-request");

    let page = site.read("ann", "clerk", "/v1/sites/proposals?limit=1").await;
    assert_eq!((page.header("etag"), page.json()["proposals"][0]["outcome"].as_str()), ("\"3\"", Some("expired")));
    let next = format!("/v1/sites/proposals?after={}", page.json()["next"].as_str().expect("more"));
    let page = site.read("ann", "clerk", &next).await.json();
    assert_eq!((&page["proposals"][0]["outcome"], &page["next"]), (&json!("declined"), &Value::Null));
    let open = site.read("ann", "clerk", "/v1/sites/proposals?open=true").await.json();
    assert_eq!(open["proposals"], json!([]));
    let bad = format!("/v1/sites/proposals?after={}", Uuid::new_v4());
    site.read("ann", "clerk", &bad).await.refused(400, "bad-request");
    site.read("ann", "clerk", &format!("/v1/sites/proposals/{}", Uuid::new_v4())).await.refused(404, "not-found");
}

#[actix_rt::test]
async fn decisions_are_shown_as_of_a_moment() {
    let site = Site::new().await;
    let (one, other) = (blocks(&["a.ua"]), blocks(&["b.ua"]));
    let path = |body: &Value| format!("/v1/sites/proposals/{}", body["id"].as_str().expect("an id"));
    assert_eq!(site.post("ann", "/v1/sites/proposals", Some(&one)).await.status, 201);
    site.world.pass_ms(1_000);
    assert_eq!(site.post("bob", &format!("{}/confirmation", path(&one)), None).await.status, 200);
    site.world.pass_ms(1_000);
    assert_eq!(site.post("ann", "/v1/sites/proposals", Some(&other)).await.status, 201);
    let read = async |path: &str| site.read("eve", "auditor", path).await;
    let at = |ms: u32| format!("as_of=2026-11-23T06:00:{:02}.{:03}Z", ms / 1_000, ms % 1_000);

    let then = read(&format!("{}?{}", path(&one), at(999))).await;
    assert!(!then.headers.contains_key("etag"), "nothing to write on");
    let then = then.json();
    assert_eq!((&then["outcome"], &then["serial"], then.get("answer")), (&json!("open"), &json!(0), None));
    assert_eq!(then["measure"]["blocks"][0]["site"], json!("a.ua"), "what it held, from the history");
    let after = read(&format!("{}?{}", path(&one), at(1_000))).await.json();
    assert_eq!((&after["outcome"], &after["answer"]["by"]["sub"]), (&json!("confirmed"), &json!("bob")));
    assert_eq!((after.get("measure"), &after["serial"]), (None, &json!(1)));
    read(&format!("{}?{}", path(&other), at(1_999))).await.refused(404, "not-found");

    let outcomes = async |query: &str| {
        let page = read(&format!("/v1/sites/proposals?{query}")).await;
        let shown = page.json()["proposals"].as_array().expect("an array").clone();
        let words: Vec<_> = shown.iter().map(|one| one["outcome"].as_str().expect("a word").to_owned()).collect();
        (words.join(" "), page.headers.contains_key("etag"))
    };
    assert_eq!(outcomes("").await, ("open confirmed".to_owned(), true));
    assert_eq!(outcomes(&at(1_999)).await, ("confirmed".to_owned(), false));
    assert_eq!(outcomes(&at(999)).await, ("open".to_owned(), false));
    assert_eq!(outcomes(&format!("open=false&{}", at(999))).await, (String::new(), false));

    let versions = async |query: &str| {
        let page = read(&format!("/v1/sites/history?{query}")).await.json();
        (page["changes"].as_array().expect("an array").len(), page["next"].clone())
    };
    assert_eq!(versions("").await, (3, Value::Null));
    assert_eq!(versions("limit=2").await, (2, json!(2)));
    assert_eq!(versions(&format!("limit=2&{}", at(1_999))).await, (2, Value::Null), "the third is of a later moment");
    assert_eq!(versions(&format!("limit=1&{}", at(1_999))).await, (1, json!(1)));
    assert_eq!(versions(&at(999)).await, (1, Value::Null));
    for path in ["/v1/sites/proposals", &path(&one), "/v1/sites/history"] {
        for bad in [&*at(2_001), "as_of=yesterday", "more=1"] {
            read(&format!("{path}?{bad}")).await.refused(400, "bad-request");
        }
    }
}

#[actix_rt::test]
async fn a_history_ends_where_it_is_damaged_and_says_so() {
    let site = Site::new().await;
    site.carry_out(&blocks(&["a.ua"])).await;
    let read = async |query: &str| site.read("eve", "auditor", &format!("/v1/sites/history{query}")).await.json();
    // It is linked well, and nobody can have decided it: there is no such proposal.
    let by = Author { sub: "eve".to_owned(), role: "clerk".to_owned() };
    let reason = "бо так".parse().expect("a line");
    let (now, head) = (site.list.now(), site.list.shown().sites.head());
    let forged = Fact::Declined { proposal: Uuid::nil(), reason };
    site.world.forge(&head.next(EntityId::SITES, now, &by, forged).expect("small").0).await;
    for (query, shown) in [("", 2), ("?limit=1&after=1", 1), ("?after=2", 0), ("?after=9", 0)] {
        let page = read(query).await;
        let damaged =
            json!({"version": 3, "reason": "change 3 of the block list can't have been: no such proposal was open"});
        let expected = if shown == 1 { (Value::Null, json!(2)) } else { (damaged, Value::Null) };
        assert_eq!(page["changes"].as_array().map(Vec::len), Some(shown), "{query}");
        assert_eq!((page["damaged"].clone(), page["next"].clone()), expected, "{query}");
    }
}

#[actix_rt::test]
async fn writing_needs_a_clerk_and_looking_into_it_a_reader() {
    let site = Site::new().await;
    let id = Uuid::new_v4();
    let reads = ["/v1/sites/proposals".to_owned(), format!("/v1/sites/proposals/{id}"), "/v1/sites/history".to_owned()];
    let writes = [
        "/v1/sites/proposals".to_owned(),
        format!("/v1/sites/proposals/{id}/confirmation"),
        format!("/v1/sites/proposals/{id}/refusal"),
    ];
    for path in &reads {
        site.get(path).await.refused(401, "unauthorized");
        site.send(Method::GET, path, &[("authorization", "Bearer x")], None).await.refused(401, "unauthorized");
    }
    for path in &writes {
        let body = blocks(&["a.ua"]);
        site.send(Method::POST, path, &[("if-match", "\"0\"")], Some(&body)).await.refused(401, "unauthorized");
        for role in ["auditor", "inspector", "analyst", "tax"] {
            let bearer = format!("Bearer {}", site.token("eve", role));
            let headers = [("authorization", &*bearer), ("if-match", "\"0\"")];
            site.send(Method::POST, path, &headers, Some(&body)).await.refused(403, "forbidden");
        }
    }
    assert_eq!(site.list.shown().sites.head().version, 0);
}

#[actix_rt::test]
async fn a_form_tells_all_that_is_wrong_with_it() {
    let site = Site::new().await;
    let mut body = blocks(&["http://a.ua", "b.ua", "b.ua."]);
    body["ground"]["document_hash"] = json!("x");
    body["blocks"][1]["blocked_from"] = json!("2026-11-31");
    body["blocks"][1]["evidence"]["text"] = json!("a\nb");
    body["blocks"][2]["account"] = json!({"platform": "myspace", "handle": "a"});
    body["lifts"] = json!([{"account": {"platform": "x", "handle": "@"}, "reason": "so"}, {"reason": ""}]);
    let errors = site.post("ann", "/v1/sites/proposals", Some(&body)).await.refused(422, "invalid-form");
    let told: Vec<_> = errors["errors"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|error| format!("{} {}", error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    let expected = [
        "/ground/document_hash bad-hash",
        "/blocks/0/site bad-domain",
        "/blocks/1/evidence/text bad-text",
        "/blocks/1/blocked_from bad-date",
        "/blocks/2 one-subject",
        "/lifts/0/account/handle bad-handle",
        "/lifts/1 one-subject",
        "/lifts/1/reason bad-text",
    ];
    assert_eq!(told, expected);
    for day in ["0000-01-01", "-000001-01-01", "1999-12-31", "2100-01-01"] {
        let mut body = blocks(&["a.ua"]);
        body["blocks"][0]["blocked_from"] = json!(day);
        let refused = site.post("ann", "/v1/sites/proposals", Some(&body)).await.refused(422, "invalid-form");
        assert_eq!(refused["errors"][0]["pointer"], "/blocks/0/blocked_from", "{day}");
    }
    let twice =
        site.post("ann", "/v1/sites/proposals", Some(&blocks(&["b.ua", "B.ua."]))).await.refused(422, "invalid-form");
    assert_eq!(
        twice["errors"][0],
        json!({"pointer": "/blocks/1", "code": "repeated", "detail": "the subject is named before"})
    );
    let none = site.post("ann", "/v1/sites/proposals", Some(&form(json!([]), json!([])))).await;
    assert_eq!(none.refused(422, "invalid-form")["errors"][0]["code"], "subjects");
    let many: Vec<String> = (0..2_001).map(|n| format!("a{n}.ua")).collect();
    let many = blocks(&many.iter().map(String::as_str).collect::<Vec<_>>());
    site.post("ann", "/v1/sites/proposals", Some(&many)).await.refused(422, "invalid-form");
    let mut unknown = blocks(&["b.ua"]);
    unknown["blocks"][0]["more"] = json!(1);
    site.post("ann", "/v1/sites/proposals", Some(&unknown)).await.refused(422, "invalid-form");
    let wrong: Vec<String> = (0..300).map(|n| format!("a{n}")).collect();
    let wrong = blocks(&wrong.iter().map(String::as_str).collect::<Vec<_>>());
    let errors = site.post("ann", "/v1/sites/proposals", Some(&wrong)).await.refused(422, "invalid-form");
    assert_eq!(errors["errors"].as_array().map(Vec::len), Some(100));
    assert_eq!(site.list.shown().sites.head().version, 0);
}

#[actix_rt::test]
async fn the_history_can_be_followed_from_outside() {
    let site = Site::new().await;
    for name in ["a.ua", "b.ua", "c.ua"] {
        site.carry_out(&blocks(&[name])).await;
    }
    let (mut previous, mut after, mut seen) = (contracts::Hash::ZERO.to_string(), 0, 0);
    loop {
        let page = site.read("eve", "auditor", &format!("/v1/sites/history?limit=4&after={after}")).await.json();
        for change in page["changes"].as_array().expect("an array") {
            use base64::Engine as _;
            let bytes = change["change"].as_str().expect("text");
            let bytes = base64::engine::general_purpose::STANDARD.decode(bytes).expect("base64");
            let event: Value = serde_json::from_slice(&bytes).expect("JSON");
            assert_eq!(event["previous"], previous);
            previous = ledger::leaf_hash(&bytes).to_string();
            assert_eq!((&change["hash"], &change["version"]), (&json!(previous), &event["version"]));
            seen += 1;
        }
        let Some(next) = page["next"].as_u64() else { break };
        after = next;
    }
    assert_eq!((seen, after), (6, 4));
    assert_eq!(previous, site.list.shown().sites.head().hash.to_string());
    for bad in ["limit=0", "limit=201", "after=x"] {
        site.read("eve", "auditor", &format!("/v1/sites/history?{bad}")).await.refused(400, "bad-request");
    }
}
