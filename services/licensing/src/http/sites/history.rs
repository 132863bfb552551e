//! `GET /v1/sites/history`: who decided what and when, with the hashes that hold it together.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contracts::Hash;
use runtime::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::super::people::Reader;
use super::super::{limit, query, refusal, schemas};
use crate::actors::sites::ListAccess;
use crate::domain::history::{Author, Change, Event};

/// Changes on a page, when not said and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 200;
/// A page ends with the change that makes it larger than this: each has at most a megabyte.
const PAGE_BYTES: usize = 4 << 20;
/// Changes read from the store at a time.
const READ: usize = 8;

/// Which changes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The version after which the page begins: `next` of the page before.
    after: Option<u64>,
    /// Changes on a page, 1 to 200; fewer when they are large.
    limit: Option<usize>,
}

/// A page of the list's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SitesHistory)]
pub struct Page {
    /// In order.
    changes: Vec<Changed>,
    /// `after` of the next page; null where there are no more.
    #[schema(required = true)]
    next: Option<u64>,
}

/// A change of the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SitesChange)]
pub struct Changed {
    /// Its place, from 1.
    version: u64,
    /// When it was made.
    #[schema(format = "date-time")]
    at: String,
    #[schema(value_type = schemas::history::Author)]
    by: Author,
    #[schema(value_type = schemas::history::SitesFact)]
    r#type: Value,
    /// SHA-256 of a zero byte and its bytes, base64.
    #[schema(value_type = String)]
    hash: Hash,
    /// The bytes that were hashed: a JSON object in base64.
    #[schema(format = "byte")]
    change: String,
}

/// The changes of the list in order. Each has the bytes that were hashed, base64 in `change`: with them anybody can
/// follow `previous` from change to change (SHA-256 of a zero byte and the bytes).
#[utoipa::path(
    get, path = "/v1/sites/history", tag = "sites", params(Which), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "A page of changes", body = Page))
)]
pub async fn get(request: HttpRequest, _: Reader, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    let which: Which = query(&request)?;
    let most = limit(which.limit, PAGE, PAGE_MAX)?;
    let (mut changes, mut bytes) = (Vec::new(), 0);
    let mut last = which.after.unwrap_or_default();
    let mut more = true;
    while more && changes.len() < most && bytes < PAGE_BYTES {
        let page = list.changes(last, READ.min(most - changes.len())).await.map_err(|error| refusal::store(&error))?;
        more = !page.is_empty();
        for change in page {
            last = change.version;
            bytes += change.bytes.len();
            changes.push(shown(&change)?);
        }
    }
    let next = (more && last < list.shown().sites.head().version).then_some(last);
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Page { changes, next }))
}

fn shown(change: &Change) -> Result<Changed, ApiError> {
    let event: Event<Value> = serde_json::from_slice(&change.bytes).map_err(|error| ApiError::internal(&error))?;
    let Event { version, at, by, mut fact, .. } = event;
    let r#type = fact.get_mut("type").map(Value::take).unwrap_or_default();
    let (hash, change) = (ledger::leaf_hash(&change.bytes), STANDARD.encode(&change.bytes));
    Ok(Changed { version, at, by, r#type, hash, change })
}
