//! The feeds: what is blocked, as JSON, as text, and as a DNS response policy zone, each signed; and what changed since
//! a serial; now, or as of a moment.

use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use contracts::problems::Code;
use runtime::ApiError;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::form::has;
use super::super::{as_of, query, schemas};
use super::refusal;
use crate::actors::sites::{Form, ListAccess, SignedFeed, Wanted};
use crate::domain::operator::fact::Moment;
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

/// Which feed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The serial the reader has: only what changed since. 410 when that is none of this list's, or too long ago; of
    /// the zone also when it was set otherwise since.
    #[param(example = 17)]
    since: Option<u32>,
    /// A moment (RFC 3339 UTC) that has passed: the feed as it was served then. Its signature names the moment in the critical
    /// header `as_of`, so that nobody takes it for the feed of now.
    #[param(value_type = Option<String>)]
    as_of: Option<Moment>,
}

/// What is blocked, sites and accounts, as JSON. With `since` only what changed: take out `lifted_sites` and
/// `lifted_accounts`, then add or replace the rest. Nobody needs a token; the header `DSOM-Feed-Signature` is a
/// detached JWS over the body.
#[utoipa::path(
    get, path = "/v1/sites.json", tag = "feeds", params(Which), security(()),
    responses(
        (
            status = 200, description = "The feed", body = schemas::sites::SitesFeed,
            headers(("DSOM-Feed-Signature" = String, description = "A JWS over the body, its payload detached"))
        ),
        (status = 304, description = "The reader has it: If-None-Match names its ETag")
    )
)]
pub async fn json(request: HttpRequest, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    served(&request, &list, Form::Json, JSON).await
}

/// The blocked domains, one a line, each with its subdomains; `#` begins a comment. With `since` only what changed: `-`
/// before what to take out, `+` before what to add.
#[utoipa::path(
    get, path = "/v1/sites.txt", tag = "feeds", params(Which), security(()),
    responses(
        (
            status = 200, description = "The domains, as A-labels", content_type = "text/plain", body = String,
            headers(("DSOM-Feed-Signature" = String, description = "A JWS over the body, its payload detached"))
        ),
        (status = 304, description = "The reader has it: If-None-Match names its ETag")
    )
)]
pub async fn text(request: HttpRequest, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    served(&request, &list, Form::Text, TEXT).await
}

/// The blocked domains as a DNS response policy zone: a master file with the serial in its SOA. With `since` what an
/// incremental transfer holds (RFC 1995): the SOA of now, the SOA with `since`, the records that go, the SOA of now, the
/// records that come, the SOA of now; the SOA of now alone when nothing changed.
#[utoipa::path(
    get, path = "/v1/sites.rpz", tag = "feeds", params(Which), security(()),
    responses(
        (
            status = 200, description = "The zone (RFC 1035 §5)", content_type = "text/dns", body = String,
            headers(("DSOM-Feed-Signature" = String, description = "A JWS over the body, its payload detached"))
        ),
        (status = 304, description = "The reader has it: If-None-Match names its ETag")
    )
)]
pub async fn zone(request: HttpRequest, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    served(&request, &list, Form::Zone, ZONE).await
}

/// The signature of `/v1/sites.json` with the same query.
#[utoipa::path(
    get, path = "/v1/sites.json.jws", tag = "feeds", params(Which), security(()),
    responses((status = 200, description = "A JWS, its payload detached", content_type = "application/jose", body = String))
)]
pub async fn json_signature(request: HttpRequest, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    signature(&request, &list, Form::Json).await
}

/// The signature of `/v1/sites.txt` with the same query.
#[utoipa::path(
    get, path = "/v1/sites.txt.jws", tag = "feeds", params(Which), security(()),
    responses((status = 200, description = "A JWS, its payload detached", content_type = "application/jose", body = String))
)]
pub async fn text_signature(request: HttpRequest, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    signature(&request, &list, Form::Text).await
}

/// The signature of `/v1/sites.rpz` with the same query.
#[utoipa::path(
    get, path = "/v1/sites.rpz.jws", tag = "feeds", params(Which), security(()),
    responses((status = 200, description = "A JWS, its payload detached", content_type = "application/jose", body = String))
)]
pub async fn zone_signature(request: HttpRequest, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    signature(&request, &list, Form::Zone).await
}

/// The feed that a query asks for, and whether it is one of the past.
async fn wanted(request: &HttpRequest, list: &ListAccess, form: Form) -> Result<(SignedFeed, bool), ApiError> {
    let Which { since, as_of } = query(request)?;
    let as_of = as_of::past(as_of, list.now())?;
    let feed = list.feed(Wanted { form, since: since.map(Serial), as_of }).await;
    Ok((feed.map_err(|error| refusal::feed(error, since))?, as_of.is_some()))
}

async fn served(
    request: &HttpRequest,
    list: &ListAccess,
    form: Form,
    media: &'static str,
) -> Result<HttpResponse, ApiError> {
    let (feed, past) = wanted(request, list, form).await?;
    let is_known = !past && has(request, &feed.etag);
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    if past {
        // Without the tag, which may be that of now, and kept by nobody: a cache that looks at the path alone would hand it to who asks
        // for the feed of now.
        answer.insert_header((CACHE_CONTROL, "no-store"));
    } else {
        answer.insert_header((ETAG, feed.etag)).insert_header((CACHE_CONTROL, CACHED));
    }
    if is_known {
        return Ok(answer.finish());
    }
    Ok(answer.insert_header((SIGNATURE, feed.jws)).content_type(media).body(feed.bytes))
}

async fn signature(request: &HttpRequest, list: &ListAccess, form: Form) -> Result<HttpResponse, ApiError> {
    let (feed, past) = wanted(request, list, form).await?;
    // Not to be kept: with a body of another serial it would look like a forgery.
    let kept = if past { "no-store" } else { "no-cache" };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, kept)).content_type(JOSE).body(feed.jws))
}

/// The serial of a feed that is too old is a `Gone`.
pub(super) fn gone(since: u32, detail: &str) -> ApiError {
    ApiError::new(Code::Gone, format!("serial {since}: {detail}; take the whole feed")).with("since", since)
}
