//! What every service's OpenAPI document has beside its routes: the bearer token, and each refusal of the catalogue with an example.

use contracts::problems::Code;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

/// The refusals of a route: path, method, and the codes, in groups.
pub type Refusals = (&'static str, &'static str, &'static [&'static [Code]]);

/// What is answered before there is a request, by the HTTP parser.
const BARE: &str = "Every refusal is `application/problem+json`. Only what is refused before it is a request has neither a body nor an id, \
    and ends the connection: 400 when the request line or the headers are malformed or frame the body twice, 408 when the head does not \
    arrive within 5 s, 431 when it has more than 128 KiB or 96 headers.";

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
    /// Of `invalid-records`, `invalid-form` and some of `conflict`: each thing that is wrong, at most 100 of them.
    #[schema(nullable = false, max_items = 100)]
    errors: Option<Vec<ProblemPart>>,
    /// Of `gap` and `not-consecutive`: the seq to send from.
    #[schema(nullable = false)]
    expected_seq: Option<u64>,
    /// Of `not-consecutive`, `reserialised` and `rewrite-attempt`: the seq of the record in question.
    #[schema(nullable = false)]
    seq: Option<u64>,
    /// Of `not-consecutive`: the place of the record in the batch, from 0.
    #[schema(nullable = false)]
    index: Option<u64>,
    /// Of `reserialised` and `rewrite-attempt`: how many records differ.
    #[schema(nullable = false)]
    records: Option<u64>,
    /// Of `reserialised` and `rewrite-attempt`: the RFC 6962 leaf hash of the record as it was accepted, base64.
    #[schema(nullable = false)]
    accepted_leaf: Option<String>,
    /// Of `reserialised` and `rewrite-attempt`: the leaf hash of the record as it was sent now, base64.
    #[schema(nullable = false)]
    sent_leaf: Option<String>,
    /// Of `bad-signature`, and of `unauthorized` where a token is bound to a certificate: a stable word for why.
    #[schema(nullable = false)]
    reason: Option<String>,
    /// Of `stale`: the version that is there now.
    #[schema(nullable = false)]
    version: Option<u64>,
    /// Of `gone`: the serial that was asked for.
    #[schema(nullable = false)]
    since: Option<u32>,
}

/// One thing that is wrong with a body.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a test holds it to what is sent")]
pub struct ProblemPart {
    /// JSON pointer: into the record, or into the form.
    pointer: String,
    /// The same for people.
    detail: String,
    /// Stable word for what is wrong; forms about operators have none.
    #[schema(nullable = false)]
    code: Option<String>,
    /// The place of the record in the batch, from 0; of records alone.
    #[schema(nullable = false)]
    index: Option<u64>,
    /// The seq of the record, where it could be read; of records alone.
    seq: Option<u64>,
}

/// A JWK Set (RFC 7517).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a test holds it to what is sent")]
pub struct JwkSet {
    /// The key that signs, and those before and after it.
    keys: Vec<PublicKey>,
}

/// An Ed25519 public key (RFC 8037).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a test holds it to what is sent")]
pub struct PublicKey {
    /// `OKP`.
    kty: String,
    /// `Ed25519`.
    crv: String,
    /// `EdDSA`.
    alg: String,
    /// `sig`.
    r#use: String,
    /// Its RFC 7638 thumbprint.
    kid: String,
    /// 32 bytes, base64url without padding.
    x: String,
}

/// The finished document, pretty-printed. [`Problem`] must be among its schemas.
pub fn finish(mut routes: OpenApi, refusals: &[Refusals]) -> String {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    routes.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let so_far = routes.info.description.take().unwrap_or_default();
    routes.info.description = Some(format!("{so_far}\n\n{BARE}"));
    let mut document = json!(routes);
    name_operations(&mut document);
    for (path, method, codes) in refusals {
        let answers = document.pointer_mut(&format!("/paths/{}/{method}/responses", path.replace('/', "~1")));
        if let Some(Value::Object(answers)) = answers {
            codes.iter().copied().flatten().chain(&[Code::HeadTooBig]).for_each(|code| list(answers, *code));
        }
    }
    format!("{document:#}\n")
}

/// Gives each operation a name of its own, as OpenAPI asks for: those of the functions are alike. `get_operators_by_operator_history`.
fn name_operations(document: &mut Value) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    for (path, operations) in paths {
        let words = path.split('/').filter(|segment| !segment.is_empty() && *segment != "v1").map(|segment| {
            let variable = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let plain = |text: &str| text.trim_start_matches('.').replace(['.', '-'], "_");
            variable.map_or_else(|| plain(segment), |name| format!("by_{}", plain(name)))
        });
        let name = words.collect::<Vec<_>>().join("_");
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                operation.insert("operationId".to_owned(), format!("{method}_{name}").into());
            }
        }
    }
}

/// Compares a document with the one in git; `UPDATE=1` in the environment writes it. For a test of each service.
///
/// # Errors
/// What to do about the difference.
pub fn compare(path: &std::path::Path, document: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE").is_some() {
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(path, document)).map_err(|error| error.to_string())?;
    }
    match std::fs::read_to_string(path).unwrap_or_default() == document {
        true => Ok(()),
        false => Err(format!("{} differs: run the tests with UPDATE=1 and look at the difference", path.display())),
    }
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
