//! `GET /v1/operators/{operator}/history`: who did what and when, what stood there before and after, and the hashes that hold it together.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contracts::problems::Code;
use contracts::{Hash, OperatorId, UnixMillis};
use runtime::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::people::Reader;
use super::{Service, as_of, operators, refusal, schemas};
use crate::actors::now;
use crate::domain::history::{Author, Event, made_at};
use crate::domain::operator::Operator;
use crate::domain::operator::difference::Difference;
use crate::domain::operator::fact::Moment;

/// Changes on a page, when not said and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 200;
/// Changes read from the store at a time.
const READ: usize = 256;

/// Which changes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The version after which the page begins: `next` of the page before.
    after: Option<u64>,
    /// Changes on a page, 1 to 200.
    limit: Option<usize>,
    /// A moment (RFC 3339 UTC) that has passed: the changes up to it.
    #[param(value_type = Option<String>)]
    as_of: Option<Moment>,
}

/// A page of an operator's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorHistory)]
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

/// A change of an operator.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorChange)]
pub struct Changed {
    /// Its place, from 1.
    version: u64,
    /// When it was made.
    #[schema(format = "date-time")]
    at: String,
    #[schema(value_type = schemas::history::Author)]
    by: Author,
    #[schema(value_type = schemas::history::OperatorFact)]
    fact: Value,
    /// What it made of the operator; what changes with every change is not among it.
    #[schema(value_type = Vec<schemas::history::Difference>)]
    differences: Vec<Difference>,
    /// SHA-256 of a zero byte and its bytes, base64.
    #[schema(value_type = String)]
    hash: Hash,
    /// The bytes that were hashed: a JSON object in base64.
    #[schema(format = "byte")]
    change: String,
}

/// The changes of an operator in order. Each has the bytes that were hashed, base64 in `change`: with them anybody can follow `previous`
/// from change to change (SHA-256 of a zero byte and the bytes) up to `head` of the operator. With `as_of` those up to a moment. Where
/// the history is damaged it ends, and `damaged` says at which version and by what: nothing is decided about the operator until people
/// have put it right.
#[utoipa::path(
    get, path = "/v1/operators/{operator}/history", tag = "operators", params(schemas::OfOperator, Which), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "A page of changes", body = Page))
)]
pub async fn get(
    request: HttpRequest,
    _: Reader,
    id: web::Path<String>,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let (id, which) = (operators::operator_id(&id)?, super::query::<Which>(&request)?);
    let (limit, moment) = (super::limit(which.limit, PAGE, PAGE_MAX)?, as_of::past(which.as_of, now())?);
    let after = which.after.unwrap_or_default();
    let mut operator = Operator::unknown(id);
    let (mut changes, mut more, mut damage) = (Vec::new(), false, None);
    'read: loop {
        let page = service.store.changes(Operator::entity_id(id), operator.head.version, READ).await;
        let page = page.map_err(|error| refusal::store(&error))?;
        let last = page.len() < READ;
        for change in page {
            if moment.is_some_and(|moment| made_at(&change.bytes).is_some_and(|at| at > moment)) {
                break 'read;
            }
            if changes.len() == limit {
                more = true;
                break 'read;
            }
            let told = match change.version <= after {
                true => operator.follow(&change.bytes).map(|()| None),
                false => operator.follow_telling(&change.bytes).map(Some),
            };
            match told {
                Ok(None) => {}
                Ok(Some((event, differences))) => {
                    let (hash, change) = (operator.head.hash, STANDARD.encode(&change.bytes));
                    let Event { version, at, by, fact, .. } = event;
                    changes.push(Changed { version, at, by, fact, differences, hash, change });
                }
                Err(bad) => {
                    damage = Some(Damaged { version: change.version, reason: bad.to_string() });
                    break 'read;
                }
            }
        }
        if last {
            break;
        }
    }
    if operator.head.version == 0 && damage.is_none() {
        return Err(ApiError::new(Code::NotFound, format!("there is no operator {id}")));
    }
    let next = more.then(|| after + changes.len() as u64);
    Ok(HttpResponse::Ok().json(Page { changes, next, damaged: damage }))
}

/// Where a history ends because nobody can have decided what follows: people have to look at it, so it is shown and no fault of the
/// reader's request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DamagedHistory)]
pub struct Damaged {
    /// The version that can't be read.
    pub version: u64,
    /// Why.
    pub reason: String,
}

impl Service {
    /// An operator as it was at a moment. Of one whose history is damaged by then, as far as it is known, as without a moment.
    pub(super) async fn as_of(&self, id: OperatorId, moment: UnixMillis) -> Result<Option<Arc<Operator>>, ApiError> {
        let mut operator = Operator::unknown(id);
        let known = |operator: Operator| operator.entity.is_some().then(|| Arc::new(operator));
        loop {
            let page = self.store.changes(Operator::entity_id(id), operator.head.version, READ).await;
            let page = page.map_err(|error| refusal::store(&error))?;
            for change in &page {
                let is_later = made_at(&change.bytes).is_some_and(|at| at > moment);
                if is_later || operator.follow(&change.bytes).is_err() {
                    return Ok(known(operator));
                }
            }
            if page.len() < READ {
                return Ok(known(operator));
            }
        }
    }
}
