//! The OpenAPI document, derived from the routes; every refusal of the catalogue that a route can give is listed with it.

use contracts::problems::Code;
use runtime::openapi::{Problem, Refusals, finish};
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};

/// What every route with a token can answer.
const ALWAYS: &[Code] = &[Code::Unauthorized, Code::Forbidden, Code::Unavailable, Code::Internal];
/// What a route that names something can answer.
const NAMED: &[Code] = &[Code::BadRequest, Code::NotFound];
/// What a route of the public log can answer.
const PUBLIC: &[Code] = &[Code::NotFound, Code::Unavailable, Code::Internal];
/// The refusals of each route.
const REFUSALS: &[Refusals] = &[
    ("/v1/records/{operator}/{stream}/{seq}", "get", &[ALWAYS, NAMED]),
    ("/v1/records/{operator}/{stream}/{seq}/proof", "get", &[ALWAYS, NAMED]),
    ("/v1/records/{operator}/{stream}/{seq}/signature", "get", &[ALWAYS, NAMED]),
    ("/v1/blocks/{operator}/{height}", "get", &[ALWAYS, NAMED]),
    ("/v1/chains/{operator}", "get", &[ALWAYS, &[Code::BadRequest]]),
    ("/v1/export/{operator}", "get", &[ALWAYS, &[Code::BadRequest]]),
    ("/v1/fsck", "post", &[ALWAYS]),
    ("/log/checkpoint", "get", &[PUBLIC]),
    ("/log/vkey", "get", &[]),
    ("/log/tile/{path}", "get", &[PUBLIC]),
];

/// A record in the operator's own bytes; `contracts/schemas/record.json` says what is in it.
#[derive(serde::Serialize, ToSchema)]
pub struct Record(Map<String, Value>);

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
        super::records::signature,
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
    finish(Routes::openapi(), REFUSALS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_in_git_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/openapi/chaining.json");
        runtime::openapi::compare(&path, &document()).expect("the document in git is this one");
    }

    #[test]
    fn it_says_of_every_body_and_answer_what_is_in_it() {
        assert_eq!(testkit::Answers::in_document(&document()).left_open(), Vec::<String>::new());
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
