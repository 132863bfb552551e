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
use super::{Service, operators, refusal, schemas};
use crate::domain::history::{Author, Event, made_at};
use crate::domain::operator::Operator;
use crate::domain::operator::difference::Difference;

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
/// from change to change (SHA-256 of a zero byte and the bytes) up to `head` of the operator.
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
    let limit = super::limit(which.limit, PAGE, PAGE_MAX)?;
    let after = which.after.unwrap_or_default();
    let mut operator = Operator::unknown(id);
    let (mut changes, mut more) = (Vec::new(), false);
    while !more {
        let page = service.store.changes(Operator::entity_id(id), operator.head.version, READ).await;
        let page = page.map_err(|error| refusal::store(&error))?;
        let last = page.len() < READ;
        for change in page {
            if change.version <= after {
                operator.follow(&change.bytes).map_err(|error| ApiError::internal(&error))?;
                continue;
            }
            if changes.len() == limit {
                more = true;
                break;
            }
            let told = operator.follow_telling(&change.bytes, &service.calendar);
            let (event, differences) = told.map_err(|error| ApiError::internal(&error))?;
            let (hash, change) = (operator.head.hash, STANDARD.encode(&change.bytes));
            let Event { version, at, by, fact, .. } = event;
            changes.push(Changed { version, at, by, fact, differences, hash, change });
        }
        if last {
            break;
        }
    }
    if operator.head.version == 0 {
        return Err(ApiError::new(Code::NotFound, format!("there is no operator {id}")));
    }
    let next = more.then(|| after + changes.len() as u64);
    Ok(HttpResponse::Ok().json(Page { changes, next }))
}

impl Service {
    /// An operator as it was at a moment.
    pub(super) async fn as_of(&self, id: OperatorId, moment: UnixMillis) -> Result<Option<Arc<Operator>>, ApiError> {
        let mut operator = Operator::unknown(id);
        loop {
            let page = self.store.changes(Operator::entity_id(id), operator.head.version, READ).await;
            let page = page.map_err(|error| refusal::store(&error))?;
            for change in &page {
                if made_at(&change.bytes).is_some_and(|at| at > moment) {
                    return Ok(operator.entity.is_some().then(|| Arc::new(operator)));
                }
                operator.follow(&change.bytes).map_err(|error| ApiError::internal(&error))?;
            }
            if page.len() < READ {
                return Ok(operator.entity.is_some().then(|| Arc::new(operator)));
            }
        }
    }
}
