//! RFC 9457 answers, made from the catalogue of codes.

use std::cell::RefCell;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use contracts::problems::Code;
use serde_json::{Map, Value, json};

/// The media type of every refusal (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal: a code of the catalogue with what is known about this one.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct ApiError {
    /// The code, which fixes status, title and what may be retried.
    pub code: Code,
    /// What went wrong, for the caller.
    pub detail: String,
    // Boxed, so that a Result with it stays small.
    more: Box<More>,
}

#[derive(Debug, Clone, Default)]
struct More {
    fields: Map<String, Value>,
    retry_after_s: Option<u32>,
}

impl ApiError {
    /// A refusal with its detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), more: Box::default() }
    }

    /// Adds a field of this problem, such as `expected_seq`; the standard fields win over it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a Retry-After header, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.more.retry_after_s = Some(seconds);
        self
    }

    /// A fault of ours: the cause is logged with the request's id, the caller sees only that id.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(cause = %chain(cause), "internal fault");
        Self::new(Code::Internal, "see request_id")
    }

    /// A field added by [`Self::with`].
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.more.fields.get(name)
    }

    /// What its Retry-After says, in seconds.
    pub fn retry_after_s(&self) -> Option<u32> {
        self.more.retry_after_s.or((self.code == Code::Unavailable).then_some(1))
    }

    fn to_json(&self, request_id: &str) -> Value {
        let problem = self.code.problem();
        let mut fields = self.more.fields.clone();
        for (name, value) in [
            ("type", json!(format!("/problems/{}", self.code.as_str()))),
            ("title", json!(problem.title)),
            ("status", json!(problem.status)),
            ("detail", json!(self.detail)),
            ("code", json!(self.code.as_str())),
            ("retry", json!(problem.retry)),
            ("request_id", json!(request_id)),
        ] {
            fields.insert(name.to_owned(), value);
        }
        Value::Object(fields)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.problem().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut answer = HttpResponse::build(self.status_code());
        answer.content_type(PROBLEM_JSON).insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.retry_after_s() {
            answer.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.code == Code::Unauthorized {
            answer.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        let request_id = REQUEST_ID.with_borrow(Clone::clone);
        answer.body(self.to_json(&request_id).to_string())
    }
}

/// A cause and the causes of it, in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        line.push_str(": ");
        line.push_str(&next.to_string());
        cause = next.source();
    }
    line
}

thread_local! {
    // actix makes the answer to an error without the request at hand; `serve` sets this around every poll of a request.
    pub(crate) static REQUEST_ID: RefCell<String> = const { RefCell::new(String::new()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_answers_with_its_status_and_all_fields() {
        for code in Code::ALL {
            let error = ApiError::new(*code, "so it is").with("expected_seq", 7).with("status", 1);
            let answer = error.error_response();
            assert_eq!(answer.status().as_u16(), code.problem().status);
            assert_eq!(answer.headers().get("content-type").map(HeaderValue::as_bytes), Some(PROBLEM_JSON.as_bytes()));
            let json = error.to_json("r-1");
            assert_eq!(json["status"], code.problem().status);
            assert_eq!(json["type"], format!("/problems/{}", code.as_str()));
            assert_eq!(json["expected_seq"], 7);
            assert_eq!(json["request_id"], "r-1");
            for field in ["title", "detail", "code", "retry"] {
                assert!(json[field].is_string(), "{code:?} {field}");
            }
        }
    }

    #[test]
    fn what_may_be_repeated_says_when() {
        let after =
            |error: ApiError| error.error_response().headers().get("retry-after").map(|v| v.as_bytes().to_vec());
        assert_eq!(after(ApiError::new(Code::Unavailable, "")), Some(b"1".to_vec()));
        assert_eq!(after(ApiError::new(Code::TooManyRequests, "").retry_after(3)), Some(b"3".to_vec()));
        assert_eq!(after(ApiError::new(Code::Gap, "")), None);
    }
}
