//! Holds answers against the OpenAPI document of a service: who makes a client from it must be able to read each of them.

use std::collections::BTreeMap;
use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Map, Value, json};

/// Where the schemas stand while they are compiled.
const BASE: &str = "https://openapi.dsom.test/document";

/// What the document of a service says of bodies and answers.
pub struct Answers {
    document: Value,
    routes: Vec<Route>,
    schemas: Schemas,
}

struct Route {
    method: String,
    template: String,
    /// Of its JSON body.
    body: Option<SchemaIndex>,
    /// By status and media type; `None`: not JSON.
    answers: BTreeMap<u16, BTreeMap<String, Option<SchemaIndex>>>,
}

/// A request and its answer.
#[derive(Debug, Clone, Copy)]
pub struct Exchanged<'a> {
    /// `GET` and so on.
    pub method: &'a str,
    /// The path, with or without its query.
    pub path: &'a str,
    /// The JSON that was sent.
    pub sent: Option<&'a Value>,
    /// The status of the answer.
    pub status: u16,
    /// Its `Content-Type`.
    pub media: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
}

impl Answers {
    /// Of `contracts/openapi/<service>.json`.
    pub fn of(service: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../contracts/openapi/{service}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::in_document(&text)
    }

    /// Of a document.
    pub fn in_document(text: &str) -> Self {
        let document: Value = serde_json::from_str(&text.replace("#/components/schemas/", "#/$defs/")).expect("JSON");
        // Each schema gets a name among the document's own.
        let mut named = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
        let mut name_of = |schema: &Value| {
            let name = format!("_{}", named.len());
            named.insert(name.clone(), json!({"allOf": [schema]}));
            name
        };
        let mut routes = Vec::new();
        for (template, method, operation) in operations(&document) {
            let body = operation.pointer("/requestBody/content/application~1json/schema").map(&mut name_of);
            let mut answers = BTreeMap::new();
            for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
                let media = answer["content"].as_object().into_iter().flatten().map(|(media, content)| {
                    (
                        media.clone(),
                        is_json(media).then(|| name_of(content.get("schema").unwrap_or(&Value::Bool(false)))),
                    )
                });
                answers.insert(status.parse::<u16>().expect("a status"), media.collect::<BTreeMap<_, _>>());
            }
            routes.push((template.clone(), method.clone(), body, answers));
        }
        named.iter_mut().for_each(|(name, schema)| close(schema, name.starts_with('_')));
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(boon::Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.add_resource(BASE, json!({"$defs": named})).expect("schemas");
        let mut compiled = |name: String| {
            let schema = compiler.compile(&format!("{BASE}#/$defs/{name}"), &mut schemas);
            schema.unwrap_or_else(|error| panic!("{error:#}"))
        };
        let mut known = Vec::new();
        for (template, method, body, answers) in routes {
            let body = body.map(&mut compiled);
            let mut by_status = BTreeMap::new();
            for (status, media) in answers {
                let media = media.into_iter().map(|(media, name)| (media, name.map(&mut compiled)));
                by_status.insert(status, media.collect());
            }
            known.push(Route { method, template, body, answers: by_status });
        }
        Self { document, routes: known, schemas }
    }

    /// Refuses an answer that the document does not have: another route, status, media type or member, or one that is missing. What was
    /// sent and taken must be as the document says, too.
    #[track_caller]
    pub fn hold(&self, exchanged: Exchanged<'_>) {
        let Exchanged { method, path, status, .. } = exchanged;
        if let Some(why) = self.fault(exchanged) {
            panic!("{method} {path}, {status}: {why}");
        }
    }

    fn fault(&self, Exchanged { method, path, sent, status, media, body }: Exchanged<'_>) -> Option<String> {
        let Some(route) = self.route(method, path) else { return Some("the document knows no such route".to_owned()) };
        if let (200..300, Some(schema), Some(sent)) = (status, route.body, sent)
            && let Err(error) = self.schemas.validate(sent, schema)
        {
            return Some(format!("what was taken is not documented: {error}\n{sent:#}"));
        }
        let Some(answers) = route.answers.get(&status) else {
            return Some(format!("{} has no such status in the document", route.template));
        };
        match (answers.is_empty(), body.is_empty()) {
            (true, true) => return None,
            (true, false) => return Some("a body, of which the document does not know".to_owned()),
            (false, true) => return Some("no body, and the document has one".to_owned()),
            (false, false) => {}
        }
        let essence = media.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match answers.get(essence) {
            None => Some(format!("the document does not have {media:?}")),
            Some(None) => None,
            Some(Some(schema)) => match serde_json::from_slice::<Value>(body) {
                Err(error) => Some(format!("no JSON: {error}")),
                Ok(value) => self.schemas.validate(&value, *schema).err().map(|error| format!("{error}\n{value:#}")),
            },
        }
    }

    /// The route of a path: of several the one with the fewest variables.
    fn route(&self, method: &str, path: &str) -> Option<&Route> {
        let path = path.split('?').next().unwrap_or_default();
        let named = |template: &str| template.starts_with('{');
        let fits = |template: &str| {
            let (wanted, given) = (template.split('/'), path.split('/'));
            wanted.clone().count() == given.clone().count()
                && wanted.zip(given).all(|(wanted, given)| named(wanted) || wanted == given)
        };
        let found =
            self.routes.iter().filter(|route| route.method.eq_ignore_ascii_case(method) && fits(&route.template));
        found.min_by_key(|route| route.template.split('/').filter(|part| named(part)).count())
    }

    /// Where the document leaves open what JSON is sent or answered: an object of which nothing is said, or no schema at all.
    pub fn left_open(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (template, method, operation) in operations(&self.document) {
            let answers = operation["responses"].as_object().into_iter().flatten();
            let contents = answers.map(|(status, answer)| (status.as_str(), &answer["content"]));
            for (of, content) in contents.chain([("body", &operation["requestBody"]["content"])]) {
                for (media, content) in content.as_object().into_iter().flatten() {
                    match content.get("schema") {
                        Some(schema) => look(&format!("{method} {template} {of}"), schema, &mut found),
                        None if is_json(media) => found.push(format!("{method} {template} {of}")),
                        None => {}
                    }
                }
            }
        }
        for (name, schema) in self.document["components"]["schemas"].as_object().into_iter().flatten() {
            look(name, schema, &mut found);
        }
        found
    }
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(template, methods)| {
        methods.as_object().into_iter().flatten().map(move |(method, operation)| (template, method, operation))
    })
}

fn is_json(media: &str) -> bool {
    media == "application/json" || media.ends_with("+json")
}

/// Closes a schema, if it is the whole of a value: members that it does not name are refused. A part of one (`allOf` and its like) names
/// some of the members only, and is closed with the rest.
fn close(schema: &mut Value, whole: bool) {
    let Some(keywords) = schema.as_object_mut() else { return };
    for (keyword, below) in keywords.iter_mut() {
        match (keyword.as_str(), below) {
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => parts.iter_mut().for_each(|part| close(part, false)),
            ("properties", Value::Object(members)) => members.values_mut().for_each(|member| close(member, true)),
            ("items" | "additionalProperties", below) => close(below, true),
            _ => {}
        }
    }
    if whole && ["$ref", "properties", "allOf", "anyOf", "oneOf"].iter().any(|one| keywords.contains_key(*one)) {
        keywords.insert("unevaluatedProperties".to_owned(), false.into());
    }
}

/// Finds objects of which a schema says nothing.
fn look(place: &str, schema: &Value, found: &mut Vec<String>) {
    let Value::Object(keywords) = schema else { return };
    let is_object = keywords.get("type").is_some_and(|kind| {
        kind == "object" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"))
    });
    let says = |keyword: &str| {
        keywords.get(keyword).and_then(Value::as_object).is_some_and(|said: &Map<_, _>| !said.is_empty())
    };
    if is_object && !says("properties") && !keywords.contains_key("additionalProperties") {
        found.push(place.to_owned());
    }
    for (keyword, below) in keywords {
        match (keyword.as_str(), below) {
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts.iter().for_each(|part| look(place, part, found))
            }
            ("properties", Value::Object(members)) => {
                members.iter().for_each(|(name, member)| look(&format!("{place}/{name}"), member, found));
            }
            ("items" | "additionalProperties", below) => look(place, below, found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
