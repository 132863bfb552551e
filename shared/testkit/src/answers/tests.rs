//! A document with what is subtle about closing a schema: members from several parts, one part of several, and templates that overlap.

use serde_json::json;

use super::*;

fn document(schema: Value) -> Answers {
    let answer = |schema: Value| json!({"description": "", "content": {"application/json": {"schema": schema}}});
    let refusal = json!({"description": "", "content": {"application/problem+json": {"schema": {"type": "object"}}}});
    let body = json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Named"}}}});
    let text = json!({
        "paths": {
            "/things/{thing}": {
                "get": {"responses": {"200": answer(schema), "304": {"description": ""}, "404": refusal}},
                "post": {"requestBody": body, "responses": {"201": answer(json!({"$ref": "#/components/schemas/Named"}))}},
            },
            "/things/history": {"get": {"responses": {"200": answer(json!({"type": "array", "items": {"type": "integer"}}))}}},
            "/things/table": {"get": {"responses": {"200": {"description": "", "content": {"text/csv": {}}}}}},
        },
        "components": {"schemas": {
            "Named": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            "Dated": {"allOf": [
                {"$ref": "#/components/schemas/Named"},
                {"type": "object", "required": ["at"], "properties": {"at": {"type": "string", "format": "date-time"}}},
            ]},
            "Step": {"oneOf": [
                {"type": "object", "required": ["type"], "properties": {"type": {"enum": ["stop"]}}},
                {"type": "object", "required": ["type", "by"], "properties": {
                    "type": {"enum": ["go"]}, "by": {"$ref": "#/components/schemas/Named"},
                }},
            ]},
        }},
    });
    Answers::in_document(&text.to_string())
}

fn fault(known: &Answers, value: &Value) -> Option<String> {
    let (method, path, media) = ("GET", "/things/7?more=1", Some("application/json; charset=utf-8"));
    known.fault(Exchanged { method, path, sent: None, status: 200, media, body: value.to_string().as_bytes() })
}

fn of(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[test]
fn an_answer_has_the_members_of_all_its_parts_and_no_other() {
    let known = document(of("Dated"));
    assert_eq!(fault(&known, &json!({"name": "a", "at": "2026-11-23T08:00:00Z"})), None);
    for bad in [
        json!({"name": "a", "at": "2026-11-23T08:00:00Z", "more": 1}),
        json!({"name": "a", "at": "today"}),
        json!({"name": 1, "at": "2026-11-23T08:00:00Z"}),
        json!({"at": "2026-11-23T08:00:00Z"}),
        json!({"name": "a"}),
        json!([]),
    ] {
        assert!(fault(&known, &bad).is_some(), "{bad}");
    }
}

#[test]
fn one_of_several_is_closed_as_the_one_that_it_is_and_so_is_what_it_holds() {
    let known = document(of("Step"));
    assert_eq!(fault(&known, &json!({"type": "stop"})), None);
    assert_eq!(fault(&known, &json!({"type": "go", "by": {"name": "a"}})), None);
    for bad in [
        json!({"type": "stop", "by": {"name": "a"}}),
        json!({"type": "go"}),
        json!({"type": "go", "by": {"name": "a", "more": 1}}),
        json!({"type": "back"}),
    ] {
        assert!(fault(&known, &bad).is_some(), "{bad}");
    }
}

#[test]
fn routes_statuses_media_and_bodies_are_those_of_the_document() {
    let known = document(of("Named"));
    let good = Exchanged {
        method: "GET",
        path: "/things/7",
        sent: None,
        status: 200,
        media: Some("application/json"),
        body: br#"{"name": "a"}"#,
    };
    let history = Exchanged { path: "/things/history", body: b"[1]", ..good };
    let table = Exchanged { path: "/things/table", media: Some("text/csv; charset=utf-8"), body: b"a\n", ..good };
    let named = json!({"name": "a"});
    let made = Exchanged { method: "POST", sent: Some(&named), status: 201, ..good };
    let same = Exchanged { status: 304, media: None, body: b"", ..good };
    let gone = Exchanged { status: 404, media: Some("application/problem+json"), body: b"{}", ..good };
    for one in [good, history, table, made, same, gone] {
        assert_eq!(known.fault(one), None, "{one:?}");
    }
    let other = json!({"name": "a", "more": 1});
    for bad in [
        Exchanged { method: "DELETE", ..good },
        Exchanged { path: "/things", ..good },
        Exchanged { path: "/things/7/8", ..good },
        Exchanged { status: 201, ..good },
        Exchanged { media: Some("text/plain"), ..good },
        Exchanged { media: None, ..good },
        Exchanged { body: b"", ..good },
        Exchanged { body: b"{", ..good },
        Exchanged { body: b"{}", ..same },
        Exchanged { media: Some("application/json"), ..gone },
        Exchanged { body: br#"{"name": "a"}"#, ..history },
        Exchanged { sent: Some(&other), ..made },
    ] {
        assert!(known.fault(bad).is_some(), "{bad:?}");
    }
}

#[test]
fn what_a_document_leaves_open_is_found() {
    assert_eq!(document(of("Dated")).left_open(), ["get /things/{thing} 404"]);
    let open = json!({"type": "array", "items": {"type": ["object", "null"], "properties": {}}});
    assert_eq!(document(open).left_open(), ["get /things/{thing} 200", "get /things/{thing} 404"]);
    let said = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    assert_eq!(document(said).left_open(), ["get /things/{thing} 404"]);
}
