//! What everybody may read, without a token.

use contracts::UnixMillis;

use super::*;
use crate::actors::sites::SetLicensed;
use crate::actors::sites::tests::{verify, verify_past};
use crate::domain::operator::licence::HeldDomain;

#[actix_rt::test]
async fn a_look_up_takes_any_way_to_write_a_name() {
    let site = Site::new().await;
    let mut body = blocks(&["Казино.УКР."]);
    let telegram = json!({"platform": "Telegram", "handle": "@Casino_UA"});
    let blocks = body["blocks"].as_array_mut().expect("an array");
    let mut account = blocks[0].clone();
    account.as_object_mut().expect("an object").remove("site");
    account["account"] = telegram;
    blocks.push(account);
    site.carry_out(&body).await;
    let operator = "13013f29-b9df-4b82-ad28-e51596b7e0b4";
    let licensed = vec![(
        operator.parse().expect("a UUID"),
        vec![HeldDomain { domain: "good.ua".parse().expect("a name"), until: UnixMillis(i64::MAX) }],
    )];
    site.list.set_licensed(SetLicensed(licensed)).await.expect("answers");

    for asked in ["казино.укр", "КАЗИНО.УКР", "xn--80aodfsg.xn--j1amh", "XN--80AODFSG.XN--J1AMH.", "казино。укр"]
    {
        let found = site.get(&format!("/v1/sites/{}", escaped(asked))).await;
        assert_eq!(found.status, 200, "{asked}");
        let decision = json!({
            "proposal": body["id"], "law": "Law 768-IX, art. 16", "document": "R-101", "document_hash": HASH,
            "at": "2026-11-23T06:00:00.000Z",
        });
        let expected = json!({
            "site": "xn--80aodfsg.xn--j1amh", "unicode": "казино.укр", "by": "xn--80aodfsg.xn--j1amh", "serial": 1,
            "standing": "blocked",
            "entry": {
                "blocked_from": "2026-11-23",
                "evidence": {"reference": "case 17/2026", "hash": HASH},
                "decision": decision,
            },
        });
        assert_eq!(found.json(), expected, "{asked}: and what was found is not told");
    }
    let found = site.get(&format!("/v1/sites/{}", escaped("vip.М.казино.укр"))).await.json();
    assert_eq!((&found["by"], &found["standing"]), (&json!("xn--80aodfsg.xn--j1amh"), &json!("blocked")));
    let found = site.get("/v1/sites/Play.GOOD.ua").await.json();
    assert_eq!(
        (&found["standing"], &found["operator"], &found["by"]),
        (&json!("licensed"), &json!(operator), &json!("good.ua"))
    );
    let found = site.get("/v1/sites/notgood.ua").await.json();
    assert_eq!((&found["standing"], &found["by"]), (&json!("unlisted"), &Value::Null));
    for handle in ["casino_ua", "@CASINO_UA", "%40casino_ua"] {
        let found = site.get(&format!("/v1/accounts/telegram/{handle}")).await.json();
        assert_eq!((&found["standing"], &found["account"]["handle"]), (&json!("blocked"), &json!("casino_ua")));
    }
    assert_eq!(site.get("/v1/accounts/x/casino_ua").await.json()["standing"], "unlisted");

    for bad in [
        "com",
        "a..ua",
        "192.0.2.1",
        "https%3A%2F%2Fa.ua",
        "a%20b.ua",
        "-a.ua",
        "xn--a.ua",
        "%2A.ua",
        "%FF.ua",
        "%00.ua",
    ] {
        site.get(&format!("/v1/sites/{bad}")).await.refused(400, "bad-request");
    }
    for bad in ["myspace/casino", "telegram/a%2Fb", "telegram/%40"] {
        site.get(&format!("/v1/accounts/{bad}")).await.refused(400, "bad-request");
    }
}

#[actix_rt::test]
async fn the_list_is_read_page_by_page_and_searched() {
    let site = Site::new().await;
    site.carry_out(&blocks(&["b.ua", "www.b.ua", "казино.укр", "casino.com", "new-casino.com"])).await;
    site.carry_out(&lift("b.ua")).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = site.get(&format!("/v1/sites?limit=2{after}")).await;
        assert_eq!(page.header("etag"), "\"4\"");
        let page = page.json();
        let entries = page["entries"].as_array().expect("an array");
        assert!((1..=2).contains(&entries.len()));
        seen.extend(
            entries
                .iter()
                .map(|entry| format!("{} {}", entry["site"].as_str().unwrap(), entry["standing"].as_str().unwrap())),
        );
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let expected = [
        "casino.com blocked",
        "new-casino.com blocked",
        "b.ua lifted",
        "www.b.ua blocked",
        "xn--80aodfsg.xn--j1amh blocked",
    ];
    assert_eq!(seen, expected);
    for (q, count) in [("CASINO", 2), (&*escaped("Казино"), 1), ("80aodfsg", 1), ("b.ua", 2), ("nothing", 0)] {
        let page = site.get(&format!("/v1/sites?q={q}")).await.json();
        assert_eq!(page["entries"].as_array().map(Vec::len), Some(count), "{q}");
        assert_eq!(page["next"], Value::Null);
    }
    for bad in
        ["limit=0", "limit=1001", "limit=x", "after=x", "after=myspace/y", "more=1", &format!("q={}", "a".repeat(101))]
    {
        site.get(&format!("/v1/sites?{bad}")).await.refused(400, "bad-request");
    }
}

#[actix_rt::test]
async fn feeds_are_tagged_signed_and_told_as_differences() {
    let site = Site::new().await;
    site.carry_out(&blocks(&["a.ua", "b.ua"])).await;
    let mut before = Vec::new();
    for (path, media) in [
        ("/v1/sites.json", "application/json"),
        ("/v1/sites.txt", "text/plain; charset=utf-8"),
        ("/v1/sites.rpz", "text/dns"),
    ] {
        let feed = site.get(path).await;
        assert_eq!((feed.status, feed.header("content-type")), (200, media));
        assert_eq!(feed.header("cache-control"), "public, max-age=60");
        assert!(verify(&site.world.key, feed.header("dsom-feed-signature"), &feed.body), "{path}");
        let signature = site.get(&format!("{path}.jws")).await;
        assert_eq!(
            (signature.text(), signature.header("content-type")),
            (feed.header("dsom-feed-signature"), "application/jose")
        );
        let etag = feed.header("etag").to_owned();
        for tag in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let same = site.send(Method::GET, path, &[("if-none-match", &tag)], None).await;
            assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, &*etag), "{tag}");
        }
        before.push((path, etag));
    }
    site.carry_out(&lift("a.ua")).await;
    for (path, etag) in before {
        let feed = site.send(Method::GET, path, &[("if-none-match", &etag)], None).await;
        assert_eq!(feed.status, 200, "{path} changed");
    }
    let delta = site.get("/v1/sites.json?since=1").await;
    assert_eq!((&delta.json()["lifted_sites"], &delta.json()["serial"]), (&json!(["a.ua"]), &json!(2)));
    assert!(verify(&site.world.key, delta.header("dsom-feed-signature"), &delta.body));
    let delta = site.get("/v1/sites.txt?since=0").await;
    assert!(delta.text().ends_with("\n# serial 2\n# changed 2026-11-23T06:00:00.000Z\n+b.ua\n"), "{}", delta.text());
    assert_eq!(
        site.send(Method::GET, "/v1/sites.txt?since=0", &[("if-none-match", delta.header("etag"))], None).await.status,
        304
    );
    let delta = site.get("/v1/sites.rpz?since=1").await;
    assert!(delta.text().contains("\na.ua CNAME .\n*.a.ua CNAME .\n"), "{}", delta.text());
    assert!(!delta.text().contains("b.ua"), "{}", delta.text());
    assert_eq!(delta.header("content-type"), "text/dns");
    assert!(verify(&site.world.key, delta.header("dsom-feed-signature"), &delta.body));
    for path in ["/v1/sites.json", "/v1/sites.txt", "/v1/sites.rpz"] {
        for unknown in ["3", "4294967295", "2147483650"] {
            let gone = site.get(&format!("{path}?since={unknown}")).await.refused(410, "gone");
            assert_eq!(gone["since"].to_string(), unknown);
        }
        for bad in ["since=-1", "since=x", "since=4294967296", "more=1"] {
            site.get(&format!("{path}?{bad}")).await.refused(400, "bad-request");
        }
    }
}

#[actix_rt::test]
async fn the_list_is_shown_as_of_a_moment() {
    let site = Site::new().await;
    site.carry_out(&blocks(&["a.ua"])).await;
    site.world.pass_ms(1_000);
    site.carry_out(&blocks(&["b.ua"])).await;
    let names = async |query: &str| {
        let page = site.get(&format!("/v1/sites{query}")).await;
        let names: Vec<String> = page.json()["entries"]
            .as_array()
            .expect("entries")
            .iter()
            .map(|one| one["site"].as_str().expect("a site").to_owned())
            .collect();
        (names.join(" "), page.json()["serial"].to_string(), page.headers.contains_key("etag"))
    };
    let expected = |names: &str, serial: &str, tagged| (names.to_owned(), serial.to_owned(), tagged);
    assert_eq!(names("").await, expected("a.ua b.ua", "2", true));
    assert_eq!(names("?as_of=2026-11-23T06:00:00.999Z").await, expected("a.ua", "1", false));
    assert_eq!(names("?as_of=2026-11-23T05:59:59.999Z").await, expected("", "0", false));
    let account = site.get("/v1/accounts/x/casino?as_of=2026-11-23T06:00:00Z").await;
    assert_eq!((&account.json()["standing"], &account.json()["serial"]), (&json!("unlisted"), &json!(1)));
    for path in ["/v1/sites", "/v1/sites/a.ua", "/v1/accounts/x/casino"] {
        site.get(&format!("{path}?as_of=2026-11-23T06:00:01.001Z")).await.refused(400, "bad-request");
        site.get(&format!("{path}?as_of=yesterday")).await.refused(400, "bad-request");
    }
}

#[actix_rt::test]
async fn the_feeds_are_served_as_of_a_moment_and_never_as_those_of_now() {
    let site = Site::new().await;
    site.carry_out(&blocks(&["a.ua"])).await;
    let paths = ["/v1/sites.json", "/v1/sites.txt", "/v1/sites.rpz"];
    let mut then = Vec::new();
    for path in paths {
        then.push((path, site.get(path).await, site.get(&format!("{path}?since=0")).await));
    }
    site.world.pass_ms(1_000);
    site.carry_out(&lift("a.ua")).await;
    let moment = "2026-11-23T06:00:00.999Z";
    for (path, whole, delta) in then {
        for (query, was) in [(String::new(), whole), ("&since=0".to_owned(), delta)] {
            let url = format!("{path}?as_of={moment}{query}");
            let feed = site.send(Method::GET, &url, &[("if-none-match", was.header("etag"))], None).await;
            assert_eq!((feed.status, &feed.body), (200, &was.body), "{url}");
            assert_eq!(
                (feed.header("content-type"), feed.header("cache-control")),
                (was.header("content-type"), "no-store")
            );
            assert!(!feed.headers.contains_key("etag"), "{url}");
            let signature = feed.header("dsom-feed-signature");
            assert!(verify_past(&site.world.key, signature, &feed.body, moment), "{url}");
            let beside = site.get(&format!("{path}.jws?as_of={moment}{query}")).await;
            assert_eq!((beside.text(), beside.header("cache-control")), (signature, "no-store"), "{url}");
        }
        // The signature of a delta lies beside it, too.
        let delta = site.get(&format!("{path}?since=1")).await;
        assert_eq!(site.get(&format!("{path}.jws?since=1")).await.text(), delta.header("dsom-feed-signature"));
        for asked in [path.to_owned(), format!("{path}.jws")] {
            site.get(&format!("{asked}?as_of={moment}&since=2")).await.refused(410, "gone");
            for bad in ["as_of=2026-11-23T06:00:01.001Z", "as_of=yesterday", "more=1"] {
                site.get(&format!("{asked}?{bad}")).await.refused(400, "bad-request");
            }
        }
    }
}
