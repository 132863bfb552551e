//! The feeds: what is blocked, as JSON, as text, and as a DNS response policy zone, each signed; and what changed since
//! a serial.

use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use contracts::problems::Code;
use runtime::ApiError;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::form::has;
use super::super::{query, schemas};
use super::refusal;
use crate::actors::sites::{Form, ListAccess, SignedFeed};
use crate::domain::sites::serial::Serial;

/// The signature of a feed: a compact JWS (EdDSA) over the body as it is, detached (RFC 7797).
const SIGNATURE: HeaderName = HeaderName::from_static("dsom-feed-signature");
/// A feed may be as old as a reader asks for it often.
const CACHED: &str = "public, max-age=60";

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// RFC 4027.
const ZONE: &str = "text/dns";
const JOSE: &str = "application/jose";

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// The serial the reader has: only what changed since. 410 when that is none of this list's, or too long ago.
    #[param(example = 17)]
    since: Option<u32>,
}

/// What is blocked, sites and accounts, as JSON. With `since` only what changed: take out `lifted_sites` and
/// `lifted_accounts`, then add or replace the rest. Nobody needs a token; the header `DSOM-Feed-Signature` is a
/// detached JWS over the body.
#[utoipa::path(
    get, path = "/v1/sites.json", tag = "feeds", params(Since), security(()),
    responses(
        (
            status = 200, description = "The feed", body = schemas::sites::SitesFeed,
            headers(("DSOM-Feed-Signature" = String, description = "A JWS over the body, its payload detached"))
        ),
        (status = 304, description = "The reader has it: If-None-Match names its ETag")
    )
)]
pub async fn json(request: HttpRequest, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    match query::<Since>(&request)?.since {
        None => Ok(answer(&request, &list.feeds().json, JSON)),
        Some(since) => delta(&request, &list, Form::Json, since, JSON).await,
    }
}

/// The blocked domains, one a line, each with its subdomains; `#` begins a comment. With `since` only what changed: `-`
/// before what to take out, `+` before what to add.
#[utoipa::path(
    get, path = "/v1/sites.txt", tag = "feeds", params(Since), security(()),
    responses(
        (
            status = 200, description = "The domains, as A-labels", content_type = "text/plain", body = String,
            headers(("DSOM-Feed-Signature" = String, description = "A JWS over the body, its payload detached"))
        ),
        (status = 304, description = "The reader has it: If-None-Match names its ETag")
    )
)]
pub async fn text(request: HttpRequest, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    match query::<Since>(&request)?.since {
        None => Ok(answer(&request, &list.feeds().text, TEXT)),
        Some(since) => delta(&request, &list, Form::Text, since, TEXT).await,
    }
}

/// The blocked domains as a DNS response policy zone: a master file with the serial in its SOA. With `since` what an
/// incremental transfer holds (RFC 1995): the SOA of now, the SOA with `since`, the records that go, the SOA of now, the
/// records that come, the SOA of now; the SOA of now alone when nothing changed.
#[utoipa::path(
    get, path = "/v1/sites.rpz", tag = "feeds", params(Since), security(()),
    responses(
        (
            status = 200, description = "The zone (RFC 1035 §5)", content_type = "text/dns", body = String,
            headers(("DSOM-Feed-Signature" = String, description = "A JWS over the body, its payload detached"))
        ),
        (status = 304, description = "The reader has it: If-None-Match names its ETag")
    )
)]
pub async fn zone(request: HttpRequest, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    match query::<Since>(&request)?.since {
        None => Ok(answer(&request, &list.feeds().zone, ZONE)),
        Some(since) => delta(&request, &list, Form::Zone, since, ZONE).await,
    }
}

/// The signature of `/v1/sites.json` as it is now.
#[utoipa::path(
    get, path = "/v1/sites.json.jws", tag = "feeds", security(()),
    responses((status = 200, description = "A JWS, its payload detached", content_type = "application/jose", body = String))
)]
pub async fn json_signature(list: web::Data<ListAccess>) -> HttpResponse {
    signature(&list.feeds().json)
}

/// The signature of `/v1/sites.txt` as it is now.
#[utoipa::path(
    get, path = "/v1/sites.txt.jws", tag = "feeds", security(()),
    responses((status = 200, description = "A JWS, its payload detached", content_type = "application/jose", body = String))
)]
pub async fn text_signature(list: web::Data<ListAccess>) -> HttpResponse {
    signature(&list.feeds().text)
}

/// The signature of `/v1/sites.rpz` as it is now.
#[utoipa::path(
    get, path = "/v1/sites.rpz.jws", tag = "feeds", security(()),
    responses((status = 200, description = "A JWS, its payload detached", content_type = "application/jose", body = String))
)]
pub async fn zone_signature(list: web::Data<ListAccess>) -> HttpResponse {
    signature(&list.feeds().zone)
}

async fn delta(
    request: &HttpRequest,
    list: &ListAccess,
    form: Form,
    since: u32,
    media: &'static str,
) -> Result<HttpResponse, ApiError> {
    let feed = list.delta(form, Serial(since)).await.map_err(|error| refusal::delta(error, since))?;
    Ok(answer(request, &feed, media))
}

fn answer(request: &HttpRequest, feed: &SignedFeed, media: &'static str) -> HttpResponse {
    let mut answer = if has(request, &feed.etag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((ETAG, feed.etag.clone())).insert_header((CACHE_CONTROL, CACHED));
    if has(request, &feed.etag) {
        return answer.finish();
    }
    answer.insert_header((SIGNATURE, feed.jws.clone())).content_type(media).body(feed.bytes.clone())
}

fn signature(feed: &SignedFeed) -> HttpResponse {
    // Not to be kept: with a body of another serial it would look like a forgery.
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).content_type(JOSE).body(feed.jws.clone())
}

/// The serial of a feed that is too old is a `Gone`.
pub(super) fn gone(since: u32, detail: &str) -> ApiError {
    ApiError::new(Code::Gone, format!("serial {since}: {detail}; take the whole feed")).with("since", since)
}
