//! `GET /v1/sites/history`: who decided what and when, with the hashes that hold it together.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contracts::Hash;
use runtime::ApiError;
use runtime::problem::chain;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::super::history::Damaged;
use super::super::people::Reader;
use super::super::{as_of, limit, query, refusal, schemas};
use crate::actors::sites::ListAccess;
use crate::domain::history::{Author, Change, Event, made_at};
use crate::domain::operator::fact::Moment;
use crate::domain::sites::state::Sites;

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
    /// A moment (RFC 3339 UTC) that has passed: the changes up to it.
    #[param(value_type = Option<String>)]
    as_of: Option<Moment>,
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
    /// Where the history ends although there is more of it; only then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    damaged: Option<Damaged>,
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
/// follow `previous` from change to change (SHA-256 of a zero byte and the bytes). With `as_of` those up to a moment. Where the
/// history is damaged it ends, and `damaged` says at which version and by what.
#[utoipa::path(
    get, path = "/v1/sites/history", tag = "sites", params(Which), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "A page of changes", body = Page))
)]
pub async fn get(request: HttpRequest, _: Reader, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    let which: Which = query(&request)?;
    let most = limit(which.limit, PAGE, PAGE_MAX)?;
    let moment = as_of::past(which.as_of, list.now())?;
    let is_later = |change: &Change| moment.is_some_and(|moment| made_at(&change.bytes).is_some_and(|at| at > moment));
    let (mut changes, mut bytes, mut damage) = (Vec::new(), 0, None);
    let after = which.after.unwrap_or_default();
    // What this process has not taken in yet it checks here.
    let mut known = list.shown().sites;
    let mut last = after.min(known.head().version);
    let mut more = true;
    while more && damage.is_none() {
        let full = changes.len() == most || bytes >= PAGE_BYTES;
        // Of a full page it is only asked whether another follows.
        let wanted = if full { 1 } else { READ.min(most - changes.len()) };
        let page = list.changes(last, wanted).await.map_err(|error| refusal::store(&error))?;
        let then: Vec<Change> = page.into_iter().take_while(|change| !is_later(change)).collect();
        more = then.len() == wanted;
        if full {
            break;
        }
        for change in then {
            match checked(&mut known, &change) {
                Ok(shown) if change.version > after => {
                    bytes += change.bytes.len();
                    changes.push(shown);
                }
                Ok(_) => {}
                Err(reason) => {
                    damage = Some(Damaged { version: change.version, reason });
                    break;
                }
            }
            last = change.version;
        }
    }
    let next = (more && damage.is_none()).then_some(last);
    let page = Page { changes, next, damaged: damage };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(page))
}

/// A change as it is shown; or why it is none of this history.
fn checked(known: &mut Arc<Sites>, change: &Change) -> Result<Changed, String> {
    if change.version > known.head().version {
        Arc::make_mut(known).follow(&change.bytes).map_err(|bad| chain(&bad))?;
    }
    let event: Event<Value> = serde_json::from_slice(&change.bytes).map_err(|error| error.to_string())?;
    let Event { version, at, by, mut fact, .. } = event;
    let r#type = fact.get_mut("type").map(Value::take).unwrap_or_default();
    let (hash, change) = (ledger::leaf_hash(&change.bytes), STANDARD.encode(&change.bytes));
    Ok(Changed { version, at, by, r#type, hash, change })
}
