//! `GET /v1/proposals`: decisions about operators that wait for a second person, page by page.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use contracts::problems::Code;
use contracts::{OperatorId, UnixMillis};
use runtime::ApiError;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::as_of::Asks;
use super::people::Reader;
use super::{Service, as_of, schemas};
use crate::actors::now;
use crate::domain::operator::fact::Moment;
use crate::domain::operator::view::ProposalView;

/// Proposals on a page, when not said and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 500;

/// Which proposals.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// A moment (RFC 3339 UTC) that has passed: what waited then.
    #[param(value_type = Option<String>)]
    as_of: Option<Moment>,
    /// Proposals on a page, 1 to 500.
    limit: Option<usize>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
}

/// A page of decisions that wait.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WaitingPage)]
pub struct Page<'a> {
    /// The oldest first.
    proposals: Vec<Waiting<'a>>,
    /// `after` of the next page; null where there are no more.
    #[schema(required = true)]
    next: Option<String>,
}

/// A decision that waits for a second person.
#[derive(Debug, Serialize, ToSchema)]
pub struct Waiting<'a> {
    /// About whom.
    #[schema(value_type = String, format = "uuid")]
    operator: OperatorId,
    #[schema(value_type = schemas::operator::OperatorProposal)]
    proposal: ProposalView<'a>,
}

/// Decisions of all operators that wait for a second person, the oldest first.
#[utoipa::path(
    get, path = "/v1/proposals", tag = "decisions", params(Which), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "A page of proposals", body = Page))
)]
pub async fn get(request: HttpRequest, _: Reader, service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    let which: Which = super::query(&request)?;
    let (limit, moment) = (super::limit(which.limit, PAGE, PAGE_MAX)?, as_of::past(which.as_of, now())?);
    let after = which.after.as_deref().map(place_of).transpose()?;
    let (all, at) = (service.operators_at(moment, Asks::Person).await?, moment.unwrap_or_else(now));
    let mut waiting: Vec<_> = all
        .iter()
        .flat_map(|operator| {
            operator.view(&service.calendar, at).proposals.into_iter().map(move |one| (operator.id, one))
        })
        .filter(|(_, one)| after.is_none_or(|(at, id)| (&*one.at, &*one.id) > (at, id)))
        .collect();
    waiting.sort_by(|(_, one), (_, other)| (&one.at, &one.id).cmp(&(&other.at, &other.id)));
    let more = waiting.len() > limit;
    waiting.truncate(limit);
    let next = waiting.last().filter(|_| more).map(|(_, last)| format!("{}_{}", last.at, last.id));
    let proposals = waiting.into_iter().map(|(operator, proposal)| Waiting { operator, proposal }).collect();
    Ok(HttpResponse::Ok().json(Page { proposals, next }))
}

/// The time and the id of the last proposal of a page, each in its one form, so that they compare as text.
fn place_of(text: &str) -> Result<(&str, &str), ApiError> {
    let canonical = |(at, id): &(&str, &str)| {
        UnixMillis::parse(at).is_some_and(|read| read.to_string() == *at)
            && Uuid::parse_str(id).is_ok_and(|read| read.to_string() == *id)
    };
    let read = text.split_once('_').filter(canonical);
    read.ok_or_else(|| ApiError::new(Code::BadRequest, "after must be next of the page before"))
}
