//! The OpenAPI document, derived from the routes; every refusal of the catalogue that a route can give is listed with it.

use contracts::problems::Code;
use runtime::openapi::{Problem, Refusals, finish};
use utoipa::OpenApi;

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
    finish(Routes::openapi(), &refusals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_document_in_git_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/openapi/licensing.json");
        runtime::openapi::compare(&path, &document()).expect("the document in git is this one");
    }

    #[test]
    fn every_route_that_refuses_is_a_route() {
        let document: Value = serde_json::from_str(&document()).expect("JSON");
        for (path, method, _) in REGISTER.iter().chain(crate::http::sites::REFUSALS) {
            assert!(document["paths"][path][method].is_object(), "{method} {path}");
        }
    }
}
