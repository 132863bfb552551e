//! What everybody may read, and how far back clerks may look.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use licensing::domain::history::Author;
use licensing::domain::operator::Operator;
use licensing::domain::operator::fact::Fact;
use licensing::storage::{Appended, EmbeddedStore, Store as _};
use reqwest::Method;
use serde_json::json;

use crate::world::{Answer, Case, World, answer, moment};

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
    let csv = answer(world.http.get(format!("{}/v1/register.csv", licensing.url))).await;
    assert!(csv.headers["content-type"].to_str().expect("text").starts_with("text/csv"));
    let csv = csv.ok();
    let csv = csv.as_str().expect("a table");
    assert!(csv.starts_with("\u{feff}number,"), "spreadsheets tell UTF-8 by its mark");
    let lines: Vec<&str> = csv.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].contains(&entered.edrpou) && lines[1].contains("active"));
    licensing.running.stop().await;
}

/// `review`: the moment its review began; `proposed`: that its suspension was proposed.
async fn everything_is_shown_as_of(case: &Case<'_>, review: &str, proposed: &str) {
    let token = case.world.person("auditor-1", "auditor");
    let get =
        async |path: &str| case.world.send(Method::GET, &format!("{}{path}", case.url), Some(&token), None, None).await;
    let state = |body: &serde_json::Value| body["operators"][0]["licences"][0]["state"].clone();
    assert_eq!(state(&get("/v1/operators").await.ok()), json!("suspended"));
    assert_eq!(state(&get(&format!("/v1/operators?as_of={review}")).await.ok()), json!("under_review"));
    let long_ago = moment(-3_600);
    assert_eq!(get(&format!("/v1/operators?as_of={long_ago}")).await.ok()["operators"], json!([]));
    let waiting = get(&format!("/v1/proposals?as_of={proposed}")).await.ok();
    assert_eq!(waiting["proposals"][0]["proposal"]["decision"]["type"], json!("suspend"));
    assert_eq!(get("/v1/proposals").await.ok()["proposals"], json!([]));
    let licences = async |query: &str| get(&format!("/v1/register{query}")).await.ok()["licences"].clone();
    assert_eq!(licences("").await[0]["state"], json!("suspended"));
    assert_eq!(licences(&format!("?as_of={proposed}")).await[0]["state"], json!("active"));
    assert_eq!(licences(&format!("?as_of={review}")).await, json!([]));
    let table = |answer: Answer| answer.ok().as_str().expect("a table").lines().map(str::to_owned).collect::<Vec<_>>();
    let then = table(get(&format!("/v1/register.csv?as_of={proposed}")).await);
    assert!(then.len() == 2 && then[1].contains(",\"active\","), "{then:?}");
    // The same chosen operators, to hand on.
    let rows = table(get(&format!("/v1/operators.csv?q={}", case.edrpou)).await);
    assert_eq!(rows.len(), 2);
    let expected = format!("1 betting suspended Л-{}", case.edrpou);
    assert!(rows[0].starts_with("\u{feff}id,version,") && rows[1].contains(&expected), "{rows:?}");
    assert_eq!(table(get(&format!("/v1/operators.csv?as_of={long_ago}")).await).len(), 1);
    assert_eq!(table(get("/v1/operators.csv?stage=live").await).len(), 1);
    // Its domain was nobody's before the licence was entered.
    let site = async |query: &str| get(&format!("/v1/sites/example.ua{query}")).await.ok()["standing"].clone();
    assert_eq!(site("").await, json!("licensed"));
    assert_eq!(site(&format!("?as_of={proposed}")).await, json!("licensed"));
    assert_eq!(site(&format!("?as_of={review}")).await, json!("unlisted"));
    for path in ["/v1/operators", "/v1/operators.csv", "/v1/proposals", "/v1/register", "/v1/register.csv"] {
        get(&format!("{path}?as_of={}", moment(3_600))).await.refused(400, "bad-request");
    }
}

#[actix_rt::test]
async fn what_waits_comes_page_by_page_and_the_register_with_a_tag() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.license("betting").await;
    let mut all = Vec::new();
    for reason in ["a", "b", "c"] {
        let proposal = Case::proposal(&json!({"type": "suspend", "licence": 1, "reason": reason}));
        case.post("clerk-1", "/proposals", Some(&proposal)).await;
        all.push(proposal["id"].clone());
    }
    let token = world.person("clerk-2", "clerk");
    let get = async |query: &str| {
        world.send(Method::GET, &format!("{}/v1/proposals{query}", case.url), Some(&token), None, None).await
    };
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(&format!("?limit=2{after}")).await.ok();
        let ids = page["proposals"].as_array().expect("a list").iter().map(|one| one["proposal"]["id"].clone());
        seen.extend(ids);
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    // Those of one millisecond come by id.
    let sorted = |mut ids: Vec<serde_json::Value>| {
        ids.sort_by_key(|id| id.to_string());
        ids
    };
    assert_eq!(seen.len(), 3, "none twice");
    assert_eq!(sorted(seen), sorted(all));
    for bad in ["?limit=0", "?limit=501", "?after=x", "?after=2026-11-23T08:00:00.000Z_x", "?more=1"] {
        get(bad).await.refused(400, "bad-request");
    }
    let suspend = json!({"type": "suspend", "licence": 1, "reason": "бо так"});
    for (path, change) in [("/v1/register", suspend), ("/v1/register.csv", json!({"type": "resume", "licence": 1}))] {
        let url = format!("{}{path}", licensing.url);
        let tag = answer(world.http.get(&url)).await.etag.expect("a tag");
        let again = async || answer(world.http.get(&url).header("if-none-match", &tag)).await;
        let same = again().await;
        assert_eq!((same.status.as_u16(), same.etag.as_ref()), (304, Some(&tag)), "{path}");
        case.decide(change).await;
        assert_eq!(again().await.status, 200, "{path} changed");
    }
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
    let then = get(&format!("?as_of={}", at(2))).await;
    assert_eq!(then.etag, None, "nothing to write on");
    let then = then.ok();
    assert_eq!(then["licences"][0]["state"], json!("under_review"));
    assert_eq!(get("").await.ok()["licences"][0]["state"], json!("suspended"));
    get(&format!("?as_of={}", moment(-3_600))).await.refused(404, "not-found");
    get(&format!("?as_of={}", moment(3_600))).await.refused(400, "bad-request");
    everything_is_shown_as_of(&case, &at(2), &at(changes.len() - 2)).await;
    let up_to = get(&format!("/history?as_of={}", at(2))).await.ok();
    let then = changes.iter().filter(|one| one["at"].as_str() <= Some(&*at(2))).count();
    assert_eq!(up_to["changes"], json!(changes[..then]));
    assert_eq!((&up_to["next"], up_to.get("damaged")), (&json!(null), None));
    get(&format!("/history?as_of={}", moment(-3_600))).await.refused(404, "not-found");
    for future in ["/history", "/history?limit=4"] {
        let separator = if future.contains('?') { '&' } else { '?' };
        get(&format!("{future}{separator}as_of={}", moment(3_600))).await.refused(400, "bad-request");
    }
    get("?as_of=yesterday").await.refused(400, "bad-request");
    get("?unknown=1").await.refused(400, "bad-request");
    get("/history?limit=0").await.refused(400, "bad-request");
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn a_history_is_shown_up_to_its_damage_and_the_damage_with_it() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    let version = case.license("betting").await["version"].as_u64().expect("a version");
    let suspend = Case::proposal(&json!({"type": "suspend", "licence": 1, "reason": "бо так"}));
    case.post("clerk-1", "/proposals", Some(&suspend)).await;
    licensing.running.stop().await;
    // Who proposed it confirms it, in the store, well linked and in the same millisecond.
    {
        let store = EmbeddedStore::open(&world.dir.path().join("data")).expect("opens");
        let entity = Operator::entity_id(case.id);
        let mut operator = Operator::unknown(case.id);
        for change in store.changes(entity, 0, 99).await.expect("reads") {
            operator.follow(&change.bytes).expect("follows");
        }
        let (now, by) = (operator.head.at, Author { sub: "clerk-1".to_owned(), role: "clerk".to_owned() });
        let proposal = suspend["id"].as_str().and_then(|id| id.parse().ok()).expect("a UUID");
        let (change, _) = operator.head.next(entity, now, &by, Fact::Confirmed { proposal }).expect("small");
        assert_eq!(change.version, version + 2);
        assert_eq!(store.append(entity, &change).await.expect("appends"), Appended::Done);
    }
    let licensing = world.licensing().await;
    case.url = licensing.url.clone();
    let token = world.person("auditor-1", "auditor");
    let get = async |path: &str| world.send(Method::GET, &case.path(path), Some(&token), None, None).await.ok();
    let reason = format!("change {} can't have been: who proposed it confirmed it", version + 2);
    let damaged = json!({"version": version + 2, "reason": reason});
    let (last, beyond) = (format!("/history?limit=1&after={version}"), format!("/history?after={}", version + 2));
    for (path, shown) in [("/history", version + 1), (&*last, 1), (&*beyond, 0)] {
        let page = get(path).await;
        assert_eq!(page["changes"].as_array().map(|changes| changes.len() as u64), Some(shown), "{path}");
        // A page that is full ends before it, and says that there is more.
        let full = path == last;
        let expected = if full { (json!(version + 1), json!(null)) } else { (json!(null), damaged.clone()) };
        assert_eq!((page["next"].clone(), page["damaged"].clone()), expected, "{path}");
    }
    // So is the operator, now and as of the moment of the damage.
    let forged_at = get("").await["changed_at"].as_str().expect("text").to_owned();
    for path in ["".to_owned(), format!("?as_of={forged_at}")] {
        let known = get(&path).await;
        let state = &known["licences"][0]["state"];
        assert_eq!((&known["version"], state), (&json!(version + 1), &json!("active")), "{path}");
    }
    licensing.running.stop().await;
}
