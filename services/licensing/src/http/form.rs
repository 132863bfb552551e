//! Bodies and preconditions of writes: a JSON form without a member too many, and the version it was decided on.

mod misfit;
#[cfg(test)]
mod tests;
mod tree;

use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use contracts::problems::Code;
use futures::StreamExt;
use runtime::ApiError;
use serde::de::DeserializeOwned;
use serde_json::json;

use self::misfit::Misfit;
use self::tree::Tree;
use crate::domain::history::CHANGE_BYTES_MAX;

/// Reads the JSON body of a request, at most as large as a change may be.
///
/// # Errors
/// 415, 413, 400 `bad-body`, or 422 `invalid-form` with the member.
pub async fn read<T: DeserializeOwned>(request: &HttpRequest, payload: web::Payload) -> Result<T, ApiError> {
    is_json(request)?;
    parse(&whole(payload).await?)
}

/// The same where the body may be left out.
///
/// # Errors
/// As [`read`].
pub async fn read_if_any<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Option<T>, ApiError> {
    let body = whole(payload).await?;
    if body.is_empty() {
        return Ok(None);
    }
    is_json(request)?;
    parse(&body).map(Some)
}

fn is_json(request: &HttpRequest) -> Result<(), ApiError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    match essence.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(ApiError::new(Code::UnsupportedMediaType, "Content-Type must be application/json")),
    }
}

async fn whole(mut payload: web::Payload) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| ApiError::new(Code::BadBody, error.to_string()))?;
        if body.len() + chunk.len() > CHANGE_BYTES_MAX {
            return Err(ApiError::new(Code::TooBig, format!("the body has more than {CHANGE_BYTES_MAX} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads a form from JSON: every body here is read in this way.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let tree: Tree = serde_json::from_slice(body).map_err(|error| ApiError::new(Code::BadBody, error.to_string()))?;
    T::deserialize(tree).map_err(|Misfit { pointer, detail }| invalid(&pointer, &detail))
}

/// A form with one wrong member.
pub fn invalid(pointer: &str, detail: &str) -> ApiError {
    let place = if pointer.is_empty() { detail.to_owned() } else { format!("{pointer}: {detail}") };
    ApiError::new(Code::InvalidForm, place).with("errors", json!([{"pointer": pointer, "detail": detail}]))
}

/// The version a write was decided on: the strong entity tag of If-Match.
///
/// # Errors
/// 428 `precondition-required`, 412 `stale` for a tag that never was one of ours.
pub fn if_match(request: &HttpRequest) -> Result<u64, ApiError> {
    let mut given = request.headers().get_all(IF_MATCH);
    let (Some(tag), None) = (given.next(), given.next()) else {
        return Err(ApiError::new(Code::PreconditionRequired, "send one If-Match with the ETag that was read"));
    };
    let given = tag.to_str().ok().and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"'));
    // Tags are compared as text (RFC 9110 section 8.8.3.2): another way to write the number is another tag.
    let version = given.and_then(|given| given.parse().ok().filter(|version: &u64| version.to_string() == given));
    version.ok_or_else(|| ApiError::new(Code::Stale, "If-Match holds no ETag of this resource"))
}

/// An answer with the version it shows as its entity tag.
pub fn tagged(version: u64, mut answer: HttpResponse) -> HttpResponse {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

/// Whether the reader has this version (RFC 9110 §13.1.2): a list of tags, compared weakly, or `*`.
pub fn has(request: &HttpRequest, etag: &str) -> bool {
    let given = request.headers().get_all(IF_NONE_MATCH).filter_map(|given| given.to_str().ok());
    let weak = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    // Our tags hold no comma.
    let mut tags = given.flat_map(|given| given.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || weak(tag) == weak(etag))
}
