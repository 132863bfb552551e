//! The OpenAPI document, derived from the routes; every refusal of the catalogue that a route can give is listed with it.

use contracts::problems::Code;
use serde_json::{Map, Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{OpenApi, ToSchema};

/// What every route with a token can answer.
const ALWAYS: &[Code] = &[Code::Unauthorized, Code::Forbidden, Code::Unavailable, Code::Internal];
/// What a route that names something can answer.
const NAMED: &[Code] = &[Code::BadRequest, Code::NotFound];
/// What a route of the public log can answer.
const PUBLIC: &[Code] = &[Code::NotFound, Code::Unavailable, Code::Internal];
/// The refusals of each route.
const REFUSALS: &[(&str, &str, &[&[Code]])] = &[
    ("/v1/records/{operator}/{stream}/{seq}", "get", &[ALWAYS, NAMED]),
    ("/v1/records/{operator}/{stream}/{seq}/proof", "get", &[ALWAYS, NAMED]),
    ("/v1/blocks/{operator}/{height}", "get", &[ALWAYS, NAMED]),
    ("/v1/chains/{operator}", "get", &[ALWAYS, &[Code::BadRequest]]),
    ("/v1/export/{operator}", "get", &[ALWAYS, &[Code::BadRequest]]),
    ("/v1/fsck", "post", &[ALWAYS]),
    ("/log/checkpoint", "get", &[PUBLIC]),
    ("/log/vkey", "get", &[]),
    ("/log/tile/{path}", "get", &[PUBLIC]),
];

/// A refusal (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a test holds it to what is sent")]
pub struct Problem {
    /// `/problems/<code>`, a page that says what it means and who puts it right.
    r#type: String,
    /// One line.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What went wrong this time.
    detail: String,
    /// Stable code.
    code: String,
    /// What may be done with the same request: `same-bytes`, `fix` or `never`.
    retry: String,
    /// The id of this request, also in the header `X-Request-Id`.
    request_id: String,
}

/// The routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "DSOM chaining",
        description = "Records, proofs, chains and the public log. What is handed out has been verified first.",
        license(name = "Apache-2.0")
    ),
    paths(
        super::records::get,
        super::records::proof,
        super::blocks::get,
        super::chains::get,
        super::export::get,
        super::fsck::post,
        super::log::checkpoint,
        super::log::vkey,
        super::log::tile
    ),
    components(schemas(Problem))
)]
struct Routes;

/// The document, pretty-printed.
pub fn document() -> String {
    let mut routes = Routes::openapi();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    routes.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let mut document = json!(routes);
    for (path, method, refusals) in REFUSALS {
        let answers = document.pointer_mut(&format!("/paths/{}/{method}/responses", path.replace('/', "~1")));
        if let Some(Value::Object(answers)) = answers {
            refusals.iter().copied().flatten().for_each(|code| list(answers, *code));
        }
    }
    format!("{document:#}\n")
}

/// Adds a code to the answer of its status.
fn list(answers: &mut Map<String, Value>, code: Code) {
    let problem = code.problem();
    let answer = answers.entry(problem.status.to_string()).or_insert_with(|| {
        json!({"description": "", "content": {"application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}
        }}})
    });
    let so_far = answer.get("description").and_then(Value::as_str).unwrap_or_default();
    let joint = if so_far.is_empty() { "" } else { "; " };
    let description = format!("{so_far}{joint}`{}`: {}", code.as_str(), problem.title);
    let example = json!({"summary": problem.title, "value": {
        "type": format!("/problems/{}", code.as_str()), "title": problem.title, "status": problem.status,
        "detail": problem.example, "code": code.as_str(), "retry": problem.retry, "request_id": "4f1c09ab-1",
    }});
    if let Some(Value::Object(examples)) = answer.pointer_mut("/content/application~1problem+json/examples") {
        examples.insert(code.as_str().to_owned(), example);
    }
    if let Value::Object(answer) = answer {
        answer.insert("description".to_owned(), description.into());
        if matches!(problem.status, 429 | 503) {
            let after =
                json!({"schema": {"type": "integer"}, "description": "Seconds to wait before the same request"});
            answer.insert("headers".to_owned(), json!({"Retry-After": after}));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_in_git_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/openapi/chaining.json");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes the folder");
            std::fs::write(&path, document()).expect("writes");
        }
        let in_git = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(in_git == document(), "run the tests with UPDATE=1 and look at the difference");
    }

    #[test]
    fn every_route_lists_its_refusals() {
        let document: Value = serde_json::from_str(&document()).expect("JSON");
        for (path, method, refusals) in REFUSALS {
            let answers = &document["paths"][path][method]["responses"];
            for code in refusals.iter().copied().flatten() {
                let answer = &answers[code.problem().status.to_string()];
                let example = &answer["content"]["application/problem+json"]["examples"][code.as_str()];
                assert!(example.is_object(), "{method} {path} {}", code.as_str());
            }
        }
    }
}
