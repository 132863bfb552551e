//! The OpenAPI documents in git as their readers meet them: generators of clients stop at what is not declared.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// The documents by name.
fn documents() -> Vec<(&'static str, Value)> {
    ["chaining", "ingest", "licensing"]
        .map(|name| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("openapi/{name}.json"));
            let text = std::fs::read_to_string(&path).expect("a document");
            (name, serde_json::from_str(&text).expect("JSON"))
        })
        .into()
}

/// Operations as (path, method, operation).
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    paths.flat_map(|(path, methods)| {
        methods.as_object().expect("methods").iter().map(move |(method, operation)| (&**path, &**method, operation))
    })
}

#[test]
fn what_stands_in_braces_is_a_parameter_and_no_other_is() {
    for (name, document) in documents() {
        let mut seen = 0;
        for (path, method, operation) in operations(&document) {
            let declared = operation["parameters"].as_array().into_iter().flatten();
            let declared: Vec<&Value> = declared.filter(|one| one["in"] == "path").collect();
            let named: BTreeSet<&str> = declared.iter().filter_map(|one| one["name"].as_str()).collect();
            let wanted: BTreeSet<&str> =
                path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(variable, _)| variable).collect();
            assert_eq!(named, wanted, "{name}: {method} {path}");
            assert_eq!(named.len(), declared.len(), "{name}: {method} {path} declares one twice");
            // OpenAPI 3.1 section 4.8.12.2: a path parameter is required.
            assert!(declared.iter().all(|one| one["required"] == true), "{name}: {method} {path}");
            seen += 1;
        }
        assert!(seen > 0, "{name} has no operation");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    for (name, document) in documents() {
        let names: Vec<&str> =
            operations(&document).map(|(_, _, one)| one["operationId"].as_str().expect("a name")).collect();
        let different: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(different.len(), names.len(), "{name}: {names:?}");
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(different.iter().all(|one| one.chars().all(word)), "{name}: {names:?}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    for (name, document) in documents() {
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty(), "{name}");
        for reference in found {
            let place = reference.strip_prefix('#').unwrap_or_else(|| panic!("{name}: {reference} leads outside"));
            assert!(document.pointer(place).is_some(), "{name}: {reference}");
        }
    }
}
