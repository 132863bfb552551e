//! Decisions about the list: one clerk proposes, another confirms.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use contracts::UnixMillis;
use contracts::problems::Code;
use runtime::ApiError;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::as_of::{self, AsOf};
use super::super::people::{Clerk, Reader};
use super::super::{form as forms, limit, query, schemas};
use super::form::{ProposalForm, RefusalForm};
use super::refusal;
use super::view::{ProposalAndSerial, ProposalView};
use crate::actors::sites::{Decide, Decided, ListAccess};
use crate::domain::history::Author;
use crate::domain::operator::fact::Moment;
use crate::domain::sites::decide::Order;
use crate::domain::sites::state::Sites;

/// Proposals on a page, when not said and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 200;

/// Which proposals.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// `true`: only those that may still be confirmed.
    open: Option<bool>,
    /// A moment (RFC 3339 UTC) that has passed: how they stood then, without those that were made later.
    #[param(value_type = Option<String>)]
    as_of: Option<Moment>,
    /// Proposals on a page, 1 to 200.
    limit: Option<usize>,
    /// The id after which the page begins: `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Uuid>,
}

/// A page of proposals about the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteProposalPage)]
pub struct Page<'a> {
    /// The latest first, without what they hold.
    proposals: Vec<ProposalView<'a>>,
    /// `after` of the next page; null where there are no more.
    #[schema(required = true)]
    next: Option<Uuid>,
}

/// Proposals about the list, the latest first. The ETag is what a write must send as If-Match.
#[utoipa::path(
    get, path = "/v1/sites/proposals", tag = "sites", params(Which), security(("bearer" = ["clerk"])),
    responses((
        status = 200, description = "A page of proposals", body = Page,
        headers(("ETag" = String, description = "The version that is shown"))
    ))
)]
pub async fn list(request: HttpRequest, _: Reader, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    let which: Which = query(&request)?;
    let most = limit(which.limit, PAGE, PAGE_MAX)?;
    let moment = as_of::past(which.as_of, list.now())?;
    let sites = list.shown().sites;
    let at = moment.unwrap_or_else(|| present(&list, &sites));
    let all = sites.proposals().newest(which.after);
    let all = all.ok_or_else(|| ApiError::new(Code::BadRequest, "after: there is no such proposal"))?;
    let then = all.filter(|one| moment.is_none_or(|moment| one.at <= moment));
    let mut chosen = then.filter(|one| which.open.is_none_or(|open| one.waits(at) == open));
    let taken: Vec<_> = chosen.by_ref().take(most).collect();
    let next = chosen.next().and(taken.last()).map(|one| one.id);
    let proposals = taken.into_iter().map(|one| ProposalView::new(one, at, None)).collect();
    let answer = private(HttpResponse::Ok()).json(Page { proposals, next });
    // What was is nothing to write on.
    Ok(if moment.is_none() { forms::tagged(sites.head().version, answer) } else { answer })
}

/// A proposal, now or as of a moment; while it is open, with all it holds.
#[utoipa::path(
    get, path = "/v1/sites/proposals/{proposal}", tag = "sites", security(("bearer" = ["clerk"])),
    params(("proposal" = String, Path, description = "Its id"), AsOf),
    responses((status = 200, description = "The proposal", body = ProposalAndSerial, headers(("ETag" = String, description = "The version that is shown"))))
)]
pub async fn get(
    request: HttpRequest,
    _: Reader,
    id: web::Path<String>,
    list: web::Data<ListAccess>,
) -> Result<HttpResponse, ApiError> {
    let (id, moment) = (proposal_id(&id)?, as_of::of_query(&request, list.now())?);
    let sites = list.shown().sites;
    let at = moment.unwrap_or_else(|| present(&list, &sites));
    let proposal = sites.proposals().get(id).filter(|one| moment.is_none_or(|moment| one.at <= moment));
    let proposal = proposal.ok_or_else(|| none(id))?;
    let held = match proposal.waits(at) {
        true => list.held(proposal).await.map_err(|error| super::super::refusal::store(&error))?,
        false => None,
    };
    let serial = sites.list().serial_at(moment);
    let shown = ProposalAndSerial { proposal: ProposalView::new(proposal, at, held.as_deref()), serial };
    let answer = private(HttpResponse::Ok()).json(shown);
    // What was is nothing to write on.
    Ok(if moment.is_none() { forms::tagged(sites.head().version, answer) } else { answer })
}

/// Proposes to block and to lift, 1 to 2,000 subjects at a time; another must confirm it.
#[utoipa::path(
    post, path = "/v1/sites/proposals", tag = "sites", request_body = ProposalForm, security(("bearer" = ["clerk"])),
    responses(
        (
            status = 201, description = "The proposal", body = ProposalAndSerial,
            headers(("Location" = String, description = "Where the proposal is"))
        ),
        (
            status = 200, description = "It was there already", body = ProposalAndSerial,
            headers(("Location" = String, description = "Where the proposal is"))
        )
    )
)]
pub async fn propose(
    request: HttpRequest,
    Clerk(by): Clerk,
    payload: web::Payload,
    list: web::Data<ListAccess>,
) -> Result<HttpResponse, ApiError> {
    let version = forms::if_match(&request)?;
    let form: ProposalForm = forms::read(&request, payload).await?;
    let proposal = form.id;
    // Some thousand names to be read.
    let checked = web::block(move || form.checked()).await.map_err(|error| ApiError::internal(&error))?;
    let (measure, ground) = checked?;
    let decided = decide(&list, version, by, Order::Propose { proposal, measure, ground }).await?;
    let mut answer = if decided.new { HttpResponse::Created() } else { HttpResponse::Ok() };
    answer.insert_header((LOCATION, format!("/v1/sites/proposals/{proposal}")));
    shown(&list, proposal, answer)
}

/// Confirms another's proposal: it is decided, and what it blocks from today on is in force.
#[utoipa::path(
    post, path = "/v1/sites/proposals/{proposal}/confirmation", tag = "sites", security(("bearer" = ["clerk"])),
    params(("proposal" = String, Path, description = "Its id")),
    responses((status = 200, description = "The proposal", body = ProposalAndSerial))
)]
pub async fn confirm(
    request: HttpRequest,
    Clerk(by): Clerk,
    id: web::Path<String>,
    list: web::Data<ListAccess>,
) -> Result<HttpResponse, ApiError> {
    let (proposal, version) = (proposal_id(&id)?, forms::if_match(&request)?);
    decide(&list, version, by, Order::Confirm { proposal }).await?;
    shown(&list, proposal, HttpResponse::Ok())
}

/// Refuses a proposal, or takes one's own back.
#[utoipa::path(
    post, path = "/v1/sites/proposals/{proposal}/refusal", tag = "sites", request_body = schemas::Refusal,
    params(("proposal" = String, Path, description = "Its id")), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "The proposal", body = ProposalAndSerial))
)]
pub async fn decline(
    request: HttpRequest,
    Clerk(by): Clerk,
    id: web::Path<String>,
    payload: web::Payload,
    list: web::Data<ListAccess>,
) -> Result<HttpResponse, ApiError> {
    let (proposal, version) = (proposal_id(&id)?, forms::if_match(&request)?);
    let RefusalForm { reason } = forms::read(&request, payload).await?;
    decide(&list, version, by, Order::Decline { proposal, reason }).await?;
    shown(&list, proposal, HttpResponse::Ok())
}

async fn decide(list: &ListAccess, version: u64, by: Author, order: Order) -> Result<Decided, ApiError> {
    list.decide(Decide { order, by, version }).await.map_err(refusal::order)
}

/// A proposal after something was done about it.
fn shown(list: &ListAccess, id: Uuid, answer: HttpResponseBuilder) -> Result<HttpResponse, ApiError> {
    let sites = list.shown().sites;
    let proposal = sites.proposals().get(id).ok_or_else(|| none(id))?;
    let proposal = ProposalView::new(proposal, present(list, &sites), None);
    let shown = ProposalAndSerial { proposal, serial: sites.list().serial() };
    Ok(forms::tagged(sites.head().version, private(answer).json(shown)))
}

/// Now, and not before the last change: a clock that goes back takes no answer back.
fn present(list: &ListAccess, sites: &Sites) -> UnixMillis {
    list.now().max(sites.head().at)
}

fn none(id: Uuid) -> ApiError {
    ApiError::new(Code::NotFound, format!("there is no proposal {id}"))
}

fn private(mut answer: HttpResponseBuilder) -> HttpResponseBuilder {
    answer.insert_header((CACHE_CONTROL, "no-store"));
    answer
}

fn proposal_id(text: &str) -> Result<Uuid, ApiError> {
    text.parse().map_err(|_| ApiError::new(Code::BadRequest, "the proposal's id must be a UUID"))
}
