//! The OpenAPI document, derived from the routes; every refusal of the catalogue that a route can give is listed with it.

use contracts::problems::Code;
use runtime::openapi::{Problem, Refusals, finish};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::people::{CLERKS, READERS};

/// What every route with a token can answer.
const ALWAYS: &[Code] = &[Code::Unauthorized, Code::Forbidden, Code::Unavailable, Code::Internal];
/// What a route that names something can answer.
const NAMED: &[Code] = &[Code::BadRequest, Code::NotFound];
/// What a form can be refused for.
const FORM: &[Code] = &[Code::BadBody, Code::UnsupportedMediaType, Code::TooBig, Code::InvalidForm];
/// What a change can be refused for.
const CHANGE: &[Code] = &[Code::PreconditionRequired, Code::Stale, Code::Conflict, Code::TooManyRequests];
/// The refusals of each route of the register.
const REGISTER: &[Refusals] = &[
    ("/v1/operators", "get", &[ALWAYS, &[Code::BadRequest]]),
    ("/v1/operators.csv", "get", &[ALWAYS, &[Code::BadRequest]]),
    ("/v1/operators/{operator}", "get", &[ALWAYS, NAMED]),
    ("/v1/operators/{operator}", "put", &[ALWAYS, &[Code::BadRequest], FORM, CHANGE]),
    ("/v1/operators/{operator}/history", "get", &[ALWAYS, NAMED]),
    ("/v1/operators/{operator}/keys/requests", "get", &[ALWAYS, NAMED]),
    ("/v1/operators/{operator}/keys/requests", "post", &[ALWAYS, NAMED, FORM, CHANGE]),
    ("/v1/operators/{operator}/licences", "post", &[ALWAYS, NAMED, FORM, CHANGE]),
    ("/v1/operators/{operator}/licences/{licence}/steps", "post", &[ALWAYS, NAMED, FORM, CHANGE]),
    ("/v1/operators/{operator}/proposals", "post", &[ALWAYS, NAMED, FORM, CHANGE]),
    (
        "/v1/operators/{operator}/proposals/{proposal}/confirmation",
        "post",
        &[ALWAYS, NAMED, FORM, CHANGE, &[Code::OwnProposal, Code::ProposalOver]],
    ),
    (
        "/v1/operators/{operator}/proposals/{proposal}/refusal",
        "post",
        &[ALWAYS, NAMED, FORM, CHANGE, &[Code::ProposalOver]],
    ),
    ("/v1/operators/{operator}/certificates", "post", &[ALWAYS, NAMED, FORM, CHANGE]),
    ("/v1/proposals", "get", &[ALWAYS, &[Code::BadRequest]]),
    ("/v1/register", "get", &[&[Code::BadRequest, Code::Unavailable, Code::Internal]]),
    ("/v1/register.csv", "get", &[&[Code::BadRequest, Code::Unavailable, Code::Internal]]),
];

/// The routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "DSOM licensing",
        description = "The register of operators and licences, decided by two people; and the issuer of every token.",
        license(name = "Apache-2.0")
    ),
    paths(
        super::token::post,
        super::metadata::server,
        super::metadata::live,
        super::metadata::test,
        super::register::json,
        super::register::csv,
        super::roster::json,
        super::roster::csv,
        super::operators::get,
        super::operators::put,
        super::operators::apply,
        super::operators::step,
        super::operators::propose,
        super::operators::confirm,
        super::operators::decline,
        super::operators::certify,
        super::waiting::get,
        super::history::get,
        super::key_requests::get,
        super::key_requests::post,
        super::sites::decisions::list,
        super::sites::decisions::get,
        super::sites::decisions::propose,
        super::sites::decisions::confirm,
        super::sites::decisions::decline,
        super::sites::feeds::json,
        super::sites::feeds::text,
        super::sites::feeds::zone,
        super::sites::feeds::json_signature,
        super::sites::feeds::text_signature,
        super::sites::feeds::zone_signature,
        super::sites::history::get,
        super::sites::look_up::list,
        super::sites::look_up::site,
        super::sites::look_up::account
    ),
    components(schemas(Problem))
)]
struct Routes;

/// The document, pretty-printed.
pub fn document() -> String {
    let refusals = [REGISTER, super::sites::REFUSALS].concat();
    let mut document: Value = serde_json::from_str(&finish(Routes::openapi(), &refusals)).unwrap_or_default();
    operations(&mut document).for_each(|(method, operation)| {
        declare_conditions(method, operation);
        declare_roles(method, operation);
    });
    format!("{document:#}\n")
}

/// Every operation of the document, with its method.
fn operations(document: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    paths.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut).flatten()
}

/// Routes are annotated with the clerk alone: each role that is let in stands in the document, one as good as another.
fn declare_roles(method: &str, operation: &mut Value) {
    let Some(security) = operation.get_mut("security").filter(|security| **security == json!([{"bearer": ["clerk"]}]))
    else {
        return;
    };
    let roles = if method == "get" { READERS } else { CLERKS };
    *security = roles.iter().map(|role| json!({"bearer": [role.as_str()]})).collect();
}

/// Conditional requests (RFC 9110 section 13), by what a route answers: one that asks for the version takes it as If-Match, one that says
/// 304 takes If-None-Match, and both show their version.
fn declare_conditions(method: &str, operation: &mut Value) {
    let answers = |operation: &Value, status: &str| operation.pointer(&format!("/responses/{status}")).is_some();
    let (changes, cached) = (answers(operation, "428"), answers(operation, "304"));
    let named = |name: &str, needed: bool, what: &str| json!({"name": name, "in": "header", "required": needed, "description": what, "schema": {"type": "string"}});
    let mut parameters = Vec::new();
    if changes {
        // What is put where nothing was has no version yet.
        let what = "The ETag that was read: what is decided is decided on that version";
        parameters.push(named("If-Match", method != "put", what));
    }
    if cached {
        parameters.push(named("If-None-Match", false, "The ETag that the reader has"));
    }
    let Some(operation) = operation.as_object_mut().filter(|_| changes || cached) else { return };
    if let Some(declared) = operation.entry("parameters").or_insert_with(|| json!([])).as_array_mut() {
        declared.extend(parameters);
    }
    let answers = operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten();
    for (_, answer) in answers.filter(|(status, _)| ["200", "201", "304"].contains(&status.as_str())) {
        if let Some(answer) = answer.as_object_mut() {
            let tag = json!({"description": "The version that is shown", "schema": {"type": "string"}});
            if let Some(headers) = answer.entry("headers").or_insert_with(|| json!({})).as_object_mut() {
                headers.insert("ETag".to_owned(), tag);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_in_git_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/openapi/licensing.json");
        runtime::openapi::compare(&path, &document()).expect("the document in git is this one");
    }

    #[test]
    fn it_says_of_every_body_and_answer_what_is_in_it() {
        assert_eq!(testkit::Answers::in_document(&document()).left_open(), Vec::<String>::new());
    }

    #[test]
    fn every_route_that_refuses_is_a_route() {
        let document: Value = serde_json::from_str(&document()).expect("JSON");
        for (path, method, _) in REGISTER.iter().chain(crate::http::sites::REFUSALS) {
            assert!(document["paths"][path][method].is_object(), "{method} {path}");
        }
    }

    #[test]
    fn headers_that_a_reader_needs_are_declared_beside_the_version() {
        let document: Value = serde_json::from_str(&document()).expect("JSON");
        for (path, method, status, header) in [
            ("/v1/sites.json", "get", "200", "DSOM-Feed-Signature"),
            ("/v1/sites.txt", "get", "200", "DSOM-Feed-Signature"),
            ("/v1/sites.rpz", "get", "200", "DSOM-Feed-Signature"),
            ("/v1/sites.json", "get", "200", "ETag"),
            ("/v1/sites/proposals", "post", "201", "Location"),
            ("/v1/sites/proposals", "post", "201", "ETag"),
            ("/oauth2/token", "post", "429", "Retry-After"),
            ("/oauth2/token", "post", "503", "Retry-After"),
        ] {
            let declared = &document["paths"][path][method]["responses"][status]["headers"][header];
            assert!(declared["schema"].is_object(), "{method} {path} {status} {header}");
        }
    }

    #[test]
    fn conditions_are_declared_where_they_are_asked_for() {
        let document: Value = serde_json::from_str(&document()).expect("JSON");
        let header = |path: &str, method: &str, name: &str| {
            let operation = &document["paths"][path][method];
            let declared = operation["parameters"].as_array().into_iter().flatten();
            let found: Vec<&Value> = declared.filter(|one| one["in"] == "header" && one["name"] == name).collect();
            assert!(found.len() < 2, "{method} {path}: {name} twice");
            found.first().map(|one| one["required"] == true)
        };
        for (path, method, needed) in [
            ("/v1/operators/{operator}", "put", Some(false)),
            ("/v1/operators/{operator}/proposals", "post", Some(true)),
            ("/v1/operators/{operator}/keys/requests", "post", Some(true)),
            ("/v1/sites/proposals", "post", Some(true)),
            ("/v1/operators/{operator}", "get", None),
            ("/v1/register", "get", None),
        ] {
            assert_eq!(header(path, method, "If-Match"), needed, "{method} {path}");
        }
        for path in ["/v1/register", "/v1/register.csv", "/v1/sites.rpz"] {
            assert_eq!(header(path, "get", "If-None-Match"), Some(false), "{path}");
        }
        // Whoever is to send a version is told it by what it reads.
        for path in ["/v1/operators/{operator}", "/v1/operators/{operator}/keys/requests", "/v1/sites", "/v1/register"]
        {
            assert!(document["paths"][path]["get"]["responses"]["200"]["headers"]["ETag"].is_object(), "{path}");
        }
    }
}
