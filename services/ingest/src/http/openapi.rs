//! The OpenAPI document, derived from the routes; every refusal of the catalogue that a route can give is listed with it.

use contracts::problems::Code;
use runtime::openapi::{Problem, Refusals, finish};
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};

/// What every route with a token can answer.
const ALWAYS: &[Code] =
    &[Code::Unauthorized, Code::Forbidden, Code::UnknownOperator, Code::Unavailable, Code::Internal];
/// What a batch can be refused for.
const BATCH: &[Code] = &[
    Code::BadBody,
    Code::BadRequest,
    Code::TestHeader,
    Code::RequestTimeout,
    Code::Reserialised,
    Code::RewriteAttempt,
    Code::Gap,
    Code::TooBig,
    Code::UnsupportedMediaType,
    Code::InvalidRecords,
    Code::NotConsecutive,
    Code::RootMismatch,
    Code::BadSignature,
    Code::SignatureRequired,
    Code::EmptyBatch,
    Code::TooManyRecords,
    Code::TooManyRequests,
];
/// The refusals of each route.
const REFUSALS: &[Refusals] = &[
    ("/v1/streams/{stream}/batches", "post", &[ALWAYS, BATCH]),
    ("/v1/streams", "get", &[ALWAYS, &[Code::BadRequest]]),
    ("/v1/traffic", "get", &[ALWAYS, &[Code::BadRequest, Code::NotFound]]),
    ("/v1/receipts", "get", &[ALWAYS, &[Code::BadRequest, Code::NotFound]]),
    ("/v1/receipt-keys", "get", &[&[Code::Internal]]),
];

/// The signed promise for a batch.
#[derive(ToSchema)]
#[schema(as = Receipt)]
#[expect(dead_code, reason = "only its schema is used; a test holds it to the type that is sent")]
pub struct ReceiptDoc {
    /// The claims as a compact JWS: EdDSA, `typ` `dsom-receipt+jwt`, `kid` names a key of `/v1/receipt-keys`.
    receipt: String,
    /// The same claims in the open.
    claims: ClaimsDoc,
}

/// What a receipt promises.
#[derive(ToSchema)]
#[schema(as = Claims)]
#[expect(dead_code, reason = "only its schema is used; a test holds it to the type that is sent")]
pub struct ClaimsDoc {
    /// Who promises.
    iss: String,
    /// Whose batch.
    #[schema(format = Uuid)]
    operator: String,
    /// In which stream, 0 to 255.
    stream: u8,
    /// Seq of its first record.
    first_seq: u64,
    /// Seq of its last record.
    last_seq: u64,
    /// Number of records.
    count: u64,
    /// RFC 6962 root over its records in order: base64 of 32 bytes.
    root: String,
    /// When the last of it was accepted: RFC 3339 UTC with milliseconds.
    #[schema(format = DateTime)]
    accepted_at: String,
    /// `live`, or `test` in the sandbox.
    env: String,
}

/// A record, or an array of 1 to 10,000 records with consecutive seqs. Each one's own bytes are the evidence.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
pub enum Records {
    /// One record.
    One(Map<String, Value>),
    /// Several.
    Several(Vec<Map<String, Value>>),
}

/// The routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "DSOM ingest",
        description = "Operators send records and get signed receipts. A receipt is the regulator's promise.",
        license(name = "Apache-2.0")
    ),
    paths(
        super::batches::post,
        super::streams::get,
        super::traffic::get,
        super::receipts::get,
        super::receipt_keys::get
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
    use serde_json::json;
    use std::collections::BTreeSet;

    fn parsed() -> Value {
        serde_json::from_str(&document()).expect("JSON")
    }

    #[test]
    fn the_document_in_git_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/openapi/ingest.json");
        runtime::openapi::compare(&path, &document()).expect("the document in git is this one");
    }

    #[test]
    fn it_says_of_every_body_and_answer_what_is_in_it() {
        assert_eq!(testkit::Answers::in_document(&document()).left_open(), Vec::<String>::new());
    }

    #[test]
    fn every_code_that_ingest_can_give_is_listed_and_exampled() {
        let document = parsed();
        let mut listed = BTreeSet::new();
        for (path, method, _) in REFUSALS {
            let operation = &document["paths"][path][method];
            assert!(operation.is_object(), "{method} {path} is a route");
            for answer in operation["responses"].as_object().expect("answers").values() {
                if let Some(examples) = answer["content"]["application/problem+json"]["examples"].as_object() {
                    listed.extend(examples.keys().cloned());
                }
            }
        }
        let all: BTreeSet<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
        // A method a route does not know belongs to none of its operations; what clerks and readers put right, to none of ingest's.
        let elsewhere = |code: &str| {
            let who = code.parse::<Code>().map(|code| code.problem().who);
            code == "method-not-allowed" || matches!(who, Ok("clerk" | "reader"))
        };
        let missing: Vec<_> = all.difference(&listed).filter(|code| !elsewhere(code)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_schema_of_a_receipt_names_what_is_sent() {
        let claims = json!({
            "iss": "", "operator": "13013f29-b9df-4b82-ad28-e51596b7e0b4", "stream": 0, "first_seq": 1, "last_seq": 1,
            "count": 1, "root": contracts::Hash::ZERO, "accepted_at": "", "env": "test",
        });
        let sent: contracts::receipt::Claims = serde_json::from_value(claims).expect("claims");
        let names = |value: &Value| value.as_object().map(|o| o.keys().cloned().collect::<BTreeSet<_>>());
        let document = parsed();
        let schema = &document["components"]["schemas"]["Claims"];
        assert_eq!(names(&schema["properties"]), names(&json!(sent)));
    }
}
