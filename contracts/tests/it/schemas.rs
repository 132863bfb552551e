//! The JSON Schemas in `contracts/schemas`, made from the words and limits of the types. `UPDATE=1` writes them anew.

use contracts::money::{Currency, Minor};
use contracts::problems::Code;
use contracts::record::{
    AdjustmentKind, AdjustmentStatus, Channel, Method, Outcome, PayoutKind, RecordCode, RefundReason, Vertical,
};
use contracts::registry::{Flag, LicenceKind};
use contracts::{Seq, ask, events, receipt, registry, traffic};
use serde_json::{Map, Value, json};

fn integer(min: u64, max: u64) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn words(words: &[&str]) -> Value {
    json!({ "enum": words })
}

fn uuid() -> Value {
    let form =
        "^(?!0{8}-0{4}-0{4}-0{4}-0{12}$)(?!f{8}-f{4}-f{4}-f{4}-f{12}$)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
    pattern(form)
}

fn hash() -> Value {
    pattern("^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")
}

fn amount() -> Value {
    integer(0, Minor::MAX)
}

fn seq() -> Value {
    integer(1, Seq::MAX)
}

/// An object of these properties and no other; the last list names those that may be absent.
fn object(properties: &[(&str, Value)], optional: &[&str]) -> Value {
    let required: Vec<&str> =
        properties.iter().map(|(name, _)| *name).filter(|name| !optional.contains(name)).collect();
    let properties: Map<String, Value> = properties.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// A type of record: what all have, and its own.
fn of_type(kind: &str, least: u64, own: Vec<(&str, Value)>, optional: &[&str]) -> Value {
    let pseudonym = || pattern("^[A-Za-z0-9_-]{20,64}$");
    let mut all = vec![
        ("seq", seq()),
        ("id", uuid()),
        ("type", json!({ "const": kind })),
        (
            "at",
            pattern(
                "^20[2-9][0-9]-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$|^2[1-9][0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$",
            ),
        ),
        ("amount", integer(least, Minor::MAX)),
        ("currency", words(&Currency::codes().collect::<Vec<_>>())),
        ("channel", words(Channel::WORDS)),
        ("player", pseudonym()),
        ("session", pseudonym()),
        ("corrects", uuid()),
    ];
    all.extend(own);
    object(&all, &[&["player", "session", "corrects"], optional].concat())
}

fn record() -> Value {
    let mut wager = of_type(
        "wager",
        1,
        vec![
            ("vertical", words(Vertical::WORDS)),
            ("game", pattern("^[a-z][a-z0-9.-]{2,63}$")),
            ("build", pattern("^[0-9a-f]{64}$")),
            ("round", pattern("^[A-Za-z0-9_:-]{1,64}$")),
            ("cash", amount()),
            ("bonus", amount()),
            ("jackpot", amount()),
            ("odds", pattern("^[1-9][0-9]{0,5}(\\.[0-9]{1,4})?$")),
            ("outcome", words(Outcome::WORDS)),
        ],
        &["build", "cash", "bonus", "jackpot", "odds", "outcome"],
    );
    wager["dependentRequired"] = json!({ "cash": ["bonus"], "bonus": ["cash"] });
    wager["if"] = json!({ "required": ["odds"] });
    wager["then"] = json!({ "properties": { "vertical": { "enum": ["betting", "virtual"] } } });
    let mut payout = of_type(
        "payout",
        0,
        vec![("wager", uuid()), ("kind", words(PayoutKind::WORDS)), ("withheld", amount())],
        &["withheld"],
    );
    payout["if"] = json!({ "properties": { "kind": { "const": "loss" } } });
    payout["then"] = json!({ "properties": { "amount": { "const": 0 } } });
    payout["else"] = json!({ "properties": { "amount": { "minimum": 1 } } });
    let refund = of_type("refund", 1, vec![("wager", uuid()), ("reason", words(RefundReason::WORDS))], &[]);
    let mut adjustment = of_type(
        "adjustment",
        0,
        vec![
            ("kind", words(AdjustmentKind::WORDS)),
            ("method", words(Method::WORDS)),
            ("status", words(AdjustmentStatus::WORDS)),
            ("balance", amount()),
        ],
        &["method", "balance"],
    );
    adjustment["if"] = json!({ "properties": { "kind": { "enum": ["deposit", "withdrawal"] } } });
    adjustment["then"] = json!({ "required": ["method"] });
    json!({
        "description": "What a schema can't say: at most 2,048 bytes, no name twice, integers without fraction or exponent, cash + bonus = amount, jackpot and withheld at most amount, odds from 1.01 to 100000, dates that exist and are at most 5 s ahead, no personal data in player and session.",
        "oneOf": [wager, payout, refund, adjustment],
    })
}

/// How an operator stands, as `REGISTRY` tells it.
fn operator_standing() -> Value {
    let millis = || json!({ "type": "integer", "description": "milliseconds since 1970-01-01T00:00:00Z" });
    let list = |items: Value| json!({ "type": "array", "items": items });
    let states = [
        "applied",
        "under_review",
        "approved",
        "fee_due",
        "active",
        "suspended",
        "revoked",
        "surrendered",
        "expired",
        "refused",
    ];
    let active = object(&[("from", millis()), ("until", json!({ "type": ["integer", "null"] }))], &["until"]);
    let licence = object(
        &[
            ("licence", json!({ "type": "string" })),
            ("kind", words(&LicenceKind::ALL.map(LicenceKind::as_str))),
            ("state", words(&states)),
            ("active", list(active)),
            ("ends", millis()),
        ],
        &["ends"],
    );
    let key = object(
        &[
            ("kid", pattern("^[A-Za-z0-9_-]{43}$")),
            ("jwk", json!({ "type": "object" })),
            ("env", words(&["live", "test"])),
            ("not_before", millis()),
            ("expires", millis()),
        ],
        &[],
    );
    object(
        &[
            ("operator", uuid()),
            ("version", json!({ "type": "integer", "minimum": 1 })),
            ("head", hash()),
            ("at", millis()),
            ("name", json!({ "type": "string" })),
            ("licences", list(licence)),
            ("keys", list(key)),
            ("signature_required", json!({ "type": "boolean" })),
        ],
        &["head"],
    )
}

fn schemas() -> Vec<(&'static str, Value)> {
    let millis = || json!({ "type": "integer", "description": "milliseconds since 1970-01-01T00:00:00Z" });
    let text = || json!({ "type": "string" });
    let stream = || integer(0, 255);
    let count = || json!({ "type": "integer", "minimum": 0 });
    let claims = object(
        &[
            ("iss", text()),
            ("operator", uuid()),
            ("stream", stream()),
            ("first_seq", seq()),
            ("last_seq", seq()),
            ("count", integer(1, Seq::MAX)),
            ("root", hash()),
            ("accepted_at", pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$")),
            ("env", words(&["live", "test"])),
        ],
        &[],
    );
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let record_codes: Vec<&str> = RecordCode::ALL.iter().map(|(_, code, _)| *code).collect();
    let violation = object(
        &[
            ("index", count()),
            ("seq", json!({ "type": ["integer", "null"] })),
            ("pointer", text()),
            ("code", words(&record_codes)),
            ("detail", text()),
        ],
        &["seq"],
    );
    // Open: an answer may tell more.
    let problem = json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id", "retry"],
        "properties": {
            "type": { "type": "string" }, "title": text(), "status": integer(400, 599), "detail": text(),
            "code": words(&codes), "request_id": text(), "retry": words(&["same-bytes", "fix", "never"]),
            "expected_seq": seq(), "errors": { "type": "array", "maxItems": 100, "items": violation },
        },
    });
    let operator = || ("operator", uuid());
    vec![
        ("record", record()),
        ("receipt", object(&[("receipt", text()), ("claims", claims.clone())], &[])),
        ("claims", claims),
        ("problem", problem),
        (
            "rewrite-attempt",
            object(
                &[
                    operator(),
                    ("stream", stream()),
                    ("seq", seq()),
                    ("accepted_leaf", hash()),
                    ("sent_leaf", hash()),
                    ("differing", count()),
                    ("at", millis()),
                ],
                &[],
            ),
        ),
        (
            "flagged-records",
            object(
                &[
                    operator(),
                    ("stream", stream()),
                    ("flag", words(&Flag::ALL.map(Flag::as_str))),
                    ("first_seq", seq()),
                    ("last_seq", seq()),
                    ("records", count()),
                    ("at", millis()),
                ],
                &[],
            ),
        ),
        (
            "damaged-frame",
            object(&[operator(), ("stream", stream()), ("tx_seq", count()), ("reason", text()), ("at", millis())], &[]),
        ),
        ("operator-standing", operator_standing()),
        ("beat", object(&[("at", millis())], &[])),
        ("exchange", exchange()),
        ("chain-stopped", object(&[operator(), ("reason", text()), ("at", millis())], &[])),
        ("log-frozen", object(&[("origin", text()), ("size", count()), ("reason", text()), ("at", millis())], &[])),
        ("store-damaged", object(&[operator(), ("reason", text()), ("at", millis())], &["operator"])),
        ("frames-query", object(&[operator(), ("stream", stream()), ("from", seq()), ("to", seq())], &[])),
        (
            "sealed-notice",
            object(
                &[
                    operator(),
                    ("height", json!({ "type": "integer", "minimum": 1 })),
                    ("accepted_at", json!({ "type": "array", "items": millis() })),
                ],
                &[],
            ),
        ),
    ]
}

fn exchange() -> Value {
    let millis = || json!({ "type": "integer", "description": "milliseconds since 1970-01-01T00:00:00Z" });
    let text = || json!({ "type": "string" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let each = json!({ "type": "object", "additionalProperties": count() });
    let sent = object(
        &[
            ("first_seq", seq()),
            ("count", count()),
            ("root", hash()),
            ("earliest", millis()),
            ("latest", millis()),
            ("types", each.clone()),
            ("verticals", each),
        ],
        &[],
    );
    let optional =
        ["client_key", "media", "coding", "forced", "delayed_ms", "batch", "code", "expected_seq", "retry_after_s"];
    object(
        &[
            ("at", millis()),
            ("operator", uuid()),
            ("stream", integer(0, 255)),
            ("client_key", text()),
            ("media", text()),
            ("coding", text()),
            ("signed", json!({ "type": "boolean" })),
            ("forced", words(&traffic::Forced::ALL.map(traffic::Forced::as_str))),
            ("delayed_ms", count()),
            ("batch", sent),
            ("status", integer(200, 599)),
            ("code", text()),
            ("expected_seq", seq()),
            ("retry_after_s", count()),
            ("took_ms", count()),
        ],
        &optional,
    )
}

#[test]
fn the_schemas_are_made_from_the_types() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for (name, mut schema) in schemas() {
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
        schema["title"] = name.into();
        let made = format!("{schema:#}\n");
        let path = folder.join(format!("{name}.json"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&folder).expect("writable");
            std::fs::write(&path, &made).expect("writable");
        }
        let stored = std::fs::read_to_string(&path).expect("a schema: run with UPDATE=1");
        assert_eq!(stored, made, "{name} is old: run with UPDATE=1");
    }
}

/// Each event and answer as our types write it has the names its schema asks for, and no other.
#[test]
fn the_types_write_what_the_schemas_name() {
    let id = "13013f29-b9df-4b82-ad28-e51596b7e0b4";
    let zero = contracts::Hash::ZERO.to_string();
    let claims = json!({ "iss": "x", "operator": id, "stream": 0, "first_seq": 1, "last_seq": 1, "count": 1, "root": zero, "accepted_at": "2026-10-24T18:00:29.498Z", "env": "live" });
    let rewrite = json!({ "operator": id, "stream": 0, "seq": 1, "accepted_leaf": zero, "sent_leaf": zero, "differing": 1, "at": 0 });
    let damaged = json!({ "operator": id, "stream": 0, "tx_seq": 1, "reason": "x", "at": 0 });
    let flagged = json!({ "operator": id, "stream": 0, "flag": "after-suspension", "first_seq": 1, "last_seq": 1, "records": 1, "at": 0 });
    let licence = json!({ "licence": "1", "kind": "betting", "state": "fee_due", "active": [{ "from": 0, "until": null }], "ends": 1 });
    let key = json!({ "kid": "x", "jwk": {}, "env": "live", "not_before": 0, "expires": 0 });
    let standing = json!({ "operator": id, "version": 1, "head": zero, "at": 0, "name": "x", "licences": [licence], "keys": [key], "signature_required": false });
    let sent = json!({ "first_seq": 1, "count": 1, "root": zero, "earliest": 0, "latest": 0, "types": { "wager": 1 }, "verticals": { "slots": 1 } });
    let exchange = json!({ "at": 0, "operator": id, "stream": 0, "client_key": "x", "media": "x", "coding": "x", "signed": false, "forced": "gap", "delayed_ms": 1, "batch": sent, "status": 409, "code": "gap", "expected_seq": 1, "retry_after_s": 2, "took_ms": 0 });
    let stopped = json!({ "operator": id, "reason": "x", "at": 0 });
    let frozen = json!({ "origin": "x", "size": 0, "reason": "x", "at": 0 });
    let query = json!({ "operator": id, "stream": 0, "from": 1, "to": 1 });
    let notice = json!({ "operator": id, "height": 1, "accepted_at": [0] });
    fn again<T: serde::de::DeserializeOwned + serde::Serialize>(value: &Value) -> Value {
        let read: T = serde_json::from_value(value.clone()).expect("the type reads it");
        serde_json::to_value(read).expect("the type writes it")
    }
    for (name, written) in [
        ("claims", again::<receipt::Claims>(&claims)),
        ("rewrite-attempt", again::<events::RewriteAttempt>(&rewrite)),
        ("flagged-records", again::<events::FlaggedRecords>(&flagged)),
        ("operator-standing", again::<registry::OperatorStanding>(&standing)),
        ("beat", again::<registry::Beat>(&json!({ "at": 0 }))),
        ("exchange", again::<traffic::Exchange>(&exchange)),
        ("damaged-frame", again::<events::DamagedFrame>(&damaged)),
        ("chain-stopped", again::<events::ChainStopped>(&stopped)),
        ("log-frozen", again::<events::LogFrozen>(&frozen)),
        ("store-damaged", again::<events::StoreDamaged>(&stopped)),
        ("frames-query", again::<ask::FramesQuery>(&query)),
        ("sealed-notice", again::<ask::SealedNotice>(&notice)),
    ] {
        let (_, schema) = schemas().into_iter().find(|(n, _)| *n == name).expect("a schema");
        let asked: Vec<&String> = schema["properties"].as_object().expect("properties").keys().collect();
        let mut names: Vec<&String> = written.as_object().expect("an object").keys().collect();
        names.sort();
        let mut asked = asked;
        asked.sort();
        assert_eq!(names, asked, "{name}");
    }
}
