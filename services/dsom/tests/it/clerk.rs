//! What clerks type, against a stand-in for licensing: what is asked for, and what is shown of the answer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::licensing::Licensing;

const ONE: &str = "13013f29-b9df-4b82-ad28-e51596b7e0b4";
const OTHER: &str = "5d0c6f0e-3a52-4b0e-9f6b-6c1f6a1d2e3f";

fn document() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("order.txt");
    std::fs::write(&path, "order").expect("writes");
    (folder, path.display().to_string())
}

#[test]
fn what_is_typed_names_one_thing_and_never_another_path() {
    let licensing = Licensing::start(|_, _| (200, json!({})));
    let crafted = format!("x/../../../{OTHER}/proposals/{OTHER}/confirmation?");
    for arguments in [
        &["operator", "confirm", ONE, &crafted][..],
        &["operator", "decline", ONE, &crafted, "--reason", "a"],
        &["operator", "show", "../register"],
        &["licence", "review", ONE, "1/../2"],
        &["site", "confirm", "../x"],
        &["site", "show", "../operators"],
        &["site", "show", ".."],
        &["site", "show", "telegram/.."],
        &["site", "show", "https://bad.example/x"],
    ] {
        let (code, out, err) = licensing.clerk(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
    }
    assert_eq!(licensing.lines(), [""; 0], "nothing was asked for");
    licensing.clerk(&["site", "show", "сайт.укр%2f..#&a"]);
    licensing.clerk(&["site", "search", "a&limit=1"]);
    assert_eq!(
        licensing.lines(),
        [
            "GET /v1/sites/%D1%81%D0%B0%D0%B9%D1%82.%D1%83%D0%BA%D1%80%252f..%23%26a",
            "GET /v1/sites?limit=1000&q=a%26limit%3D1"
        ],
        "one part, one value"
    );
}

#[test]
fn every_error_of_a_refusal_is_shown() {
    // As docs/ERRORS.md has them.
    let licensing = Licensing::start(|line, _| match line.starts_with("GET") {
        true => (404, json!({"status": 404, "code": "not-found", "detail": "there is no operator"})),
        false => (
            422,
            json!({"status": 422, "code": "invalid-form", "detail": "/edrpou: the last digit must be 0 (and 1 more)", "errors": [
                {"pointer": "/edrpou", "code": "bad-edrpou", "detail": "the last digit must be 0"},
                {"pointer": "/name", "code": "bad-text", "detail": "the text is empty"},
            ]}),
        ),
    });
    let (_folder, file) = document();
    std::fs::write(&file, "{}").expect("writes");
    let (code, _, err) = licensing.clerk(&["operator", "register", ONE, "--entity", &file]);
    assert_eq!(code, 1);
    assert_eq!(
        err,
        "dsom: 422 invalid-form: /edrpou: the last digit must be 0 (and 1 more)\n  /edrpou bad-edrpou: the last digit must be 0\n  /name bad-text: the text is empty\n"
    );
    let away = Licensing::start(|_, _| (502, json!("<html>Bad Gateway</html>")));
    let (code, _, err) = away.clerk(&["operator", "show", ONE]);
    assert!(code == 3 && err.contains("answered 502"), "{code} {err}");
}

#[test]
fn lists_are_shown_to_their_last_page() {
    let licensing = Licensing::start(|line, _| {
        let second = line.contains("after=");
        let next = if second { Value::Null } else { json!("a_b c") };
        let id = if second { OTHER } else { ONE };
        let proposal = json!({"id": id, "by": "clerk-1", "decision": {"type": "go_live"}});
        let change =
            json!({"version": 3, "at": "t", "by": {"sub": "clerk-9", "role": "clerk"}, "fact": {"type": "registered"}});
        let site =
            json!({"id": id, "by": {"sub": "clerk-8", "role": "clerk"}, "blocks": 2, "lifts": 1, "expires": "e"});
        let proposals = if line.contains("/sites/") { site } else { json!({"operator": id, "proposal": proposal}) };
        let all = json!({"operators": [{"id": id}], "proposals": [proposals], "changes": [change], "next": next});
        (200, all)
    });
    let first = |what: &[&str]| licensing.clerk(what).1;
    let operators = first(&["operator", "list", "--stage", "live", "--overdue"]);
    assert!(operators.contains(ONE) && operators.contains(OTHER), "{operators}");
    let waiting = first(&["operator", "proposals"]);
    assert!(waiting.contains(&format!("{OTHER} {OTHER}  {{\"type\":\"go_live\"}} by clerk-1")), "{waiting}");
    let sites = first(&["site", "proposals"]);
    assert!(sites.contains(&format!("{OTHER}  2 to block, 1 to lift, proposed by clerk-8, until e")), "{sites}");
    assert_eq!(first(&["operator", "history", ONE]).matches("   3 t clerk-9 (clerk) registered").count(), 2);
    assert_eq!(
        licensing.lines(),
        [
            "GET /v1/operators?stage=live&overdue=true&limit=500".to_owned(),
            "GET /v1/operators?stage=live&overdue=true&limit=500&after=a_b%20c".to_owned(),
            "GET /v1/proposals?limit=500".to_owned(),
            "GET /v1/proposals?limit=500&after=a_b%20c".to_owned(),
            "GET /v1/sites/proposals?open=true&limit=200".to_owned(),
            "GET /v1/sites/proposals?open=true&limit=200&after=a_b%20c".to_owned(),
            format!("GET /v1/operators/{ONE}/history?limit=200"),
            format!("GET /v1/operators/{ONE}/history?limit=200&after=a_b%20c"),
        ]
    );
}

#[test]
fn the_past_the_register_and_the_list_are_read_by_command() {
    let licensing = Licensing::start(|line, _| {
        let body = match line.split([' ', '?']).nth(1).expect("a path") {
            "/v1/register" => {
                json!({"licences": [{"number": "Б-001", "kind": "betting", "state": "active", "edrpou": "14360570"}]})
            }
            "/v1/register.csv" | "/v1/operators.csv" => json!("number,kind\r\n"),
            "/v1/accounts/telegram/casino_ua" => {
                json!({"standing": "blocked", "account": {"platform": "telegram", "handle": "casino_ua"}})
            }
            "/v1/sites/www.b.example" => {
                json!({"standing": "blocked", "site": "www.b.example", "unicode": null, "by": "b.example"})
            }
            "/v1/sites" => json!({"entries": [
                {"site": "xn--80aswg.example", "unicode": "сайт.example", "standing": "blocked", "entry": {"blocked_from": "2026-11-01"}},
                {"account": {"platform": "telegram", "handle": "casino_ua"}, "standing": "lifted"},
            ]}),
            path if path.starts_with("/v1/sites/proposals/") => json!({
                "id": OTHER, "outcome": "open", "by": {"sub": "clerk-1", "role": "clerk"}, "blocks": 1, "lifts": 1, "expires": "e",
                "ground": {"law": "l", "document": "d", "document_hash": "h="},
                "measure": {
                    "blocks": [{"site": "a.example", "evidence": {"text": "bets", "reference": "act 1"}, "blocked_from": "2026-11-01"}],
                    "lifts": [{"account": {"platform": "x", "handle": "b"}, "reason": "stopped"}],
                },
            }),
            // The fact of a change, as it was hashed: {"fact":{"proposal":"p-1"}}.
            "/v1/sites/history" => json!({"changes": [
                {"version": 4, "at": "t", "by": {"sub": "clerk-2", "role": "clerk"}, "type": "confirmed", "change": "eyJmYWN0Ijp7InByb3Bvc2FsIjoicC0xIn19"},
            ]}),
            _ => json!({"id": ONE, "name": "N", "version": 3, "stage": "live"}),
        };
        (200, body)
    });
    let at = "2026-11-23T08:00:00Z";
    for (arguments, shown, asked) in [
        (&["register"][..], "Б-001   betting  active", "GET /v1/register"),
        (
            &["register", "--csv", "--as-of", at],
            "number,kind\r\n",
            "GET /v1/register.csv?as_of=2026-11-23T08%3A00%3A00Z",
        ),
        (&["operator", "list", "--csv", "--q", "Є"], "number,kind\r\n", "GET /v1/operators.csv?q=%D0%84"),
        (
            &["operator", "show", ONE, "--as-of", at],
            "at version 3, live",
            &format!("GET /v1/operators/{ONE}?as_of=2026-11-23T08%3A00%3A00Z"),
        ),
        (&["operator", "proposals", "--as-of", at], "", "GET /v1/proposals?limit=500&as_of=2026-11-23T08%3A00%3A00Z"),
        (
            &["site", "show", "telegram/casino_ua"],
            "telegram/casino_ua: blocked\n",
            "GET /v1/accounts/telegram/casino_ua",
        ),
        (&["site", "show", "www.b.example"], "www.b.example: blocked, by b.example\n", "GET /v1/sites/www.b.example"),
        (
            &["site", "search", "сайт"],
            "blocked   2026-11-01 сайт.example (xn--80aswg.example)\nlifted               telegram/casino_ua\n",
            "GET /v1/sites?limit=1000&q=%D1%81%D0%B0%D0%B9%D1%82",
        ),
        (
            &["site", "proposals", OTHER],
            "until e\nlaw: l\ndocument: d, SHA-256 h=\nblock a.example from 2026-11-01: bets (act 1)\nlift x/b: stopped\n",
            &format!("GET /v1/sites/proposals/{OTHER}"),
        ),
        (&["site", "history"], "   4 t clerk-2 (clerk) confirmed p-1\n", "GET /v1/sites/history?limit=200"),
    ] {
        let public = ["register", "site"].contains(&arguments[0])
            && !["history", "proposals"].contains(arguments.get(1).unwrap_or(&""));
        let given = match arguments[0] {
            "register" => [arguments, &["--licensing", &licensing.url]].concat(),
            _ => [arguments, &["--licensing", &licensing.url, "--token", "a.b.c"]].concat(),
        };
        let (code, text) = crate::said(&given);
        assert!(code == 0 && text.contains(shown), "{arguments:?}: {code} {text}");
        let last = licensing.asked().pop().expect("something was asked");
        assert_eq!((last.line.as_str(), last.token.is_none()), (asked, public), "{arguments:?}");
    }
    let (code, _, err) = licensing.clerk(&["operator", "show", ONE, "--as-of", "yesterday"]);
    assert!(code == 2 && err.contains("not a moment"), "{err}");
}

#[test]
fn a_history_that_ends_too_early_is_shown_and_fails() {
    let licensing = Licensing::start(|_, _| {
        let change = json!({"version": 1, "at": "t", "by": {"sub": "clerk-1", "role": "clerk"}, "type": "proposed", "fact": {"type": "registered"}});
        (
            200,
            json!({"changes": [change], "next": null, "damaged": {"version": 2, "reason": "its author has no such role"}}),
        )
    });
    for arguments in [&["operator", "history", ONE][..], &["site", "history"]] {
        let (code, out, err) = licensing.clerk(arguments);
        assert!(code == 1 && out.starts_with("   1 t clerk-1 (clerk) "), "{arguments:?}: {code} {out}");
        assert!(err.contains("is damaged and ends here: its author has no such role"), "{err}");
    }
}

#[test]
fn places_are_proposed_and_what_goes_is_told() {
    let licensing = Licensing::start(|_, _| {
        let licences = json!([{"id": 1, "domains": ["x.example"]}, {"id": 2, "domains": ["a.example", "b.example"], "venues": []}]);
        (200, json!({"id": ONE, "licences": licences}))
    });
    let (_folder, order) = document();
    let ground = ["--law", "l", "--document", "d", "--document-file", &order];
    let named = ["licence", "place", ONE, "2", "--domain", "b.example", "--domain", "c.example", "--venue", "Київ"];
    let (code, out, err) = licensing.clerk(&[&named[..], &ground].concat());
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("adds domains: c.example\ntakes away domains: a.example\n") && err.contains("adds venues: Київ"),
        "{err}"
    );
    let sent = licensing.asked().pop().expect("a proposal");
    assert_eq!(sent.line, format!("POST /v1/operators/{ONE}/proposals"));
    assert_eq!(
        sent.body["decision"],
        json!({"type": "place", "licence": 2, "places": {"venues": ["Київ"], "domains": ["b.example", "c.example"], "apps": []}})
    );
    assert_eq!(json!(out.trim()), sent.body["id"]);
    // To name none would take all away.
    assert_eq!(licensing.clerk(&[&["licence", "place", ONE, "2"][..], &ground].concat()).0, 2);
}

#[test]
fn an_operator_s_own_request_has_the_members_of_the_contract() {
    let licensing = Licensing::start(|_, _| (200, json!({"issuer": "https://issuer.test"})));
    let folder = tempfile::tempdir().expect("a folder");
    let pem = folder.path().join("next.pem").display().to_string();
    let (code, out, err) = licensing.clerk(&["operator", "key-request", ONE, "--pem", &pem, "--env", "test", "--ask"]);
    assert_eq!((code, licensing.lines()), (0, vec!["GET /.well-known/oauth-authorization-server".to_owned()]), "{err}");
    let request: Value = serde_json::from_str(&out).expect("JSON");
    let contract = include_str!("../../../../contracts/openapi/licensing.json");
    let contract: Value = serde_json::from_str(contract).expect("JSON");
    let names = |object: &Value| object.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
    let members = |schema: &str| names(&contract["components"]["schemas"][schema]["properties"]);
    assert_eq!(names(&request), members("KeyRequest"));
    let mut decision = members("NewKey");
    decision.insert("type".into());
    assert_eq!(names(&request["decision"]), decision);
    assert_eq!(request["decision"]["env"], "test");
    // Without it: what a clerk is handed, who has to see which key of whom it is.
    let (_, out, _) = licensing.clerk(&["operator", "key-request", ONE, "--pem", &pem]);
    let handed: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&handed["operator"], &handed["jwk"]), (&json!(ONE), &request["decision"]["jwk"]));
}

/// Blocks what stands in a file.
fn block(licensing: &Licensing, file: &str, order: &str) -> (i32, String, String) {
    let typed = format!(
        "site block --file {file} --evidence e --reference r --evidence-file {order} --from 2026-11-23 --law l --document d --document-file {order}"
    );
    licensing.clerk(&typed.split(' ').collect::<Vec<_>>())
}

#[test]
fn a_long_file_is_proposed_in_parts_and_a_refusal_names_its_line() {
    let licensing = Licensing::start(|line, body| {
        match (line.starts_with("POST"), body["blocks"][1]["site"].as_str()) {
            (true, Some("bad..example")) => (
                409,
                json!({"status": 409, "code": "conflict", "detail": "2 of the subjects can't be blocked or lifted", "errors": [
                    {"pointer": "/blocks/0", "code": "licensed", "detail": "site-2000.example: it is licensed"},
                    {"pointer": "/blocks/1/site", "code": "bad-domain", "detail": "the domain name has an empty label"},
                ]}),
            ),
            (true, _) => (201, json!({"outcome": "open"})),
            _ => (200, json!({})),
        }
    });
    let (folder, order) = document();
    let file = folder.path().join("sites.txt").display().to_string();
    let mut sites: Vec<String> = (0..2_001).map(|n| format!("site-{n}.example")).collect();
    sites.insert(0, "# a comment".into());
    std::fs::write(&file, sites.join("\n") + "\nbad..example\n").expect("writes");
    let (code, out, err) = block(&licensing, &file, &order);
    let first = out.trim();
    assert_eq!(code, 1);
    for expected in [
        format!("\n  {file} line 2002 (site-2000.example) licensed: site-2000.example: it is licensed\n"),
        format!("\n  {file} line 2003 (bad..example) site bad-domain: the domain name has an empty label\n"),
        format!("\nthe first 2000 of 2002 are proposed and wait: {first}\n"),
        "give the same command again".to_owned(),
    ] {
        assert!(err.contains(&expected), "{expected}: {err}");
    }

    // The line is taken out: the first part has the id it had, the rest is new.
    std::fs::write(&file, sites.join("\n")).expect("writes");
    let (code, out, err) = block(&licensing, &file, &order);
    let ids: Vec<&str> = out.lines().collect();
    assert_eq!((code, ids.len(), ids[0]), (0, 2, first), "{err}");
    let posted = licensing.asked().into_iter().filter(|asked| asked.line == "POST /v1/sites/proposals");
    let posted: Vec<Value> = posted.map(|asked| asked.body).collect();
    assert_eq!((posted.len(), &posted[0]), (4, &posted[2]), "the same request again");
    let ids: BTreeSet<&str> = posted.iter().map(|body| body["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), 3);

    // What can be seen without licensing is seen before anything is proposed.
    sites[1] = "https://bad.example/x".into();
    std::fs::write(&file, sites.join("\n")).expect("writes");
    let (code, _, err) = block(&licensing, &file, &order);
    assert!(code == 1 && err.contains(&format!("{file} line 2 (https://bad.example/x) is a web address")), "{err}");
    assert_eq!(licensing.asked().len(), 8, "nothing more was asked for");
}

#[test]
fn what_came_to_nothing_before_is_proposed_anew_and_what_is_decided_is_not() {
    let seen = AtomicU32::new(0);
    let licensing = Licensing::start(move |line, body| {
        let first = || seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let outcome = match body["lifts"][0]["site"].as_str() {
            Some("done.example") if first() => "confirmed",
            Some("done.example") => {
                let errors = json!([{"pointer": "/lifts/0", "code": "not-listed", "detail": "it is not in the list"}]);
                let detail = "1 of the subjects can't be blocked or lifted";
                return (409, json!({"status": 409, "code": "conflict", "detail": detail, "errors": errors}));
            }
            Some("blocked-again.example") if first() => "confirmed",
            Some("declined.example") if first() => "declined",
            _ => "open",
        };
        (200, if line.starts_with("POST") { json!({"outcome": outcome}) } else { json!({}) })
    });
    let (_folder, order) = document();
    let lift = |site: &str| {
        let ground = ["--reason", "r", "--law", "l", "--document", "d", "--document-file", &order];
        licensing.clerk(&[&["site", "lift", site][..], &ground].concat())
    };
    let (code, out, err) = lift("done.example");
    assert_eq!((code, out.as_str()), (0, ""), "there is nothing to confirm: {err}");
    assert!(err.contains("and they are decided"), "{err}");
    // What was decided was undone since: the same command proposes it again.
    for over in ["declined.example", "blocked-again.example"] {
        let (code, out, err) = lift(over);
        assert_eq!(code, 0, "{over}: {err}");
        let last = licensing.asked();
        let [.., first, _, second] = &last[..] else { panic!("{last:?}") };
        assert_ne!(first.body["id"], second.body["id"], "{over}");
        assert_eq!(json!(out.trim()), second.body["id"], "{over}");
    }
}
