//! Who is in the register: `/v1/operators` page by page, and `/v1/operators.csv` as one table for whoever takes it elsewhere.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use contracts::{OperatorId, UnixMillis};
use runtime::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::as_of::Asks;
use super::people::Reader;
use super::table::Table;
use super::{Service, as_of, schemas};
use crate::actors::now;
use crate::domain::operator::fact::Moment;
use crate::domain::operator::view::{LicenceView, OperatorView};
use crate::domain::operator::{Operator, Stage};

/// Operators shown on a page, when not said and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 500;

/// Which operators.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// A part of the name, a brand, the EDRPOU code, a licence number or a domain.
    q: Option<String>,
    /// How far it has come: `applying`, `registered`, `keys`, `sandbox`, `conformance`, `live`.
    #[param(value_type = Option<String>)]
    stage: Option<Stage>,
    /// `true`: only those that are late with their integration or an entry in the register.
    overdue: Option<bool>,
    /// A moment (RFC 3339 UTC) that has passed: what was known then.
    #[param(value_type = Option<String>)]
    as_of: Option<Moment>,
    /// Operators on a page, 1 to 500.
    limit: Option<usize>,
    /// The id after which the page begins: `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<OperatorId>,
}

/// Which operators of a table, which has all of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WhichRows {
    /// A part of the name, a brand, the EDRPOU code, a licence number or a domain.
    q: Option<String>,
    /// How far it has come: `applying`, `registered`, `keys`, `sandbox`, `conformance`, `live`.
    #[param(value_type = Option<String>)]
    stage: Option<Stage>,
    /// `true`: only those that are late with their integration or an entry in the register.
    overdue: Option<bool>,
    /// A moment (RFC 3339 UTC) that has passed: what was known then.
    #[param(value_type = Option<String>)]
    as_of: Option<Moment>,
}

/// A page of operators.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorPage)]
pub struct Page<'a> {
    /// Ascending by id.
    #[schema(value_type = Vec<schemas::operator::Operator>)]
    operators: Vec<OperatorView<'a>>,
    /// `after` of the next page; null where there are no more.
    #[schema(value_type = Option<String>, format = "uuid", required = true)]
    next: Option<OperatorId>,
}

/// Operators, ascending by id, a page at a time.
#[utoipa::path(
    get, path = "/v1/operators", tag = "operators", params(Which), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "A page of operators", body = Page))
)]
pub async fn json(request: HttpRequest, _: Reader, service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    let Which { q, stage, overdue, as_of, limit, after } = super::query(&request)?;
    let limit = super::limit(limit, PAGE, PAGE_MAX)?;
    let (found, at) = chosen(&service, WhichRows { q, stage, overdue, as_of }).await?;
    let mut found = found.into_iter().filter(|operator| after.is_none_or(|after| operator.id > after));
    let page: Vec<Arc<Operator>> = found.by_ref().take(limit).collect();
    let next = found.next().and(page.last()).map(|last| last.id);
    let operators = page.iter().map(|operator| operator.view(&service.calendar, at)).collect();
    Ok(HttpResponse::Ok().json(Page { operators, next }))
}

/// The same as a table (RFC 4180) of all that are chosen; several values of a cell are separated by `; `. What a clerk hands on: the
/// whole is the JSON, page by page.
#[utoipa::path(
    get, path = "/v1/operators.csv", tag = "operators", params(WhichRows), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "The table", content_type = "text/csv", body = String))
)]
pub async fn csv(request: HttpRequest, _: Reader, service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    let (found, at) = chosen(&service, super::query(&request)?).await?;
    let mut table = Table::new([
        "id",
        "version",
        "changed_at",
        "edrpou",
        "name",
        "name_latin",
        "brands",
        "address",
        "email",
        "phone",
        "stage",
        "registered_at",
        "live_due",
        "live_since",
        "late",
        "licences",
        "keys",
        "signature_required",
    ]);
    found.iter().for_each(|operator| row(&mut table, &service, operator, at));
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, "no-store"));
    Ok(table.answer(answer, "operators.csv"))
}

fn row(table: &mut Table, service: &Service, operator: &Operator, at: UnixMillis) {
    let Some(entity) = &operator.entity else { return };
    let view = operator.view(&service.calendar, at);
    let brands: Vec<&str> = entity.brands.iter().map(|brand| brand.as_str()).collect();
    let keys: Vec<&str> = view.keys.iter().filter(|key| key.revoked_at.is_none()).map(|key| key.kid).collect();
    let licences: Vec<String> = view.licences.iter().map(licence).collect();
    let yes = |holds: bool| if holds { "true" } else { "false" };
    table.row([
        &view.id,
        &view.version.to_string(),
        &view.changed_at,
        &entity.edrpou.to_string(),
        entity.name.as_str(),
        entity.name_latin.as_ref().map(|name| name.as_str()).unwrap_or_default(),
        &brands.join("; "),
        entity.address.as_str(),
        entity.email.as_str(),
        entity.phone.as_ref().map(|phone| phone.as_str()).unwrap_or_default(),
        word(&json!(view.stage)),
        view.registered_at.as_deref().unwrap_or_default(),
        &view.integration.map(|clock| clock.due.to_string()).unwrap_or_default(),
        view.live_since.as_deref().unwrap_or_default(),
        yes(operator.is_late(&service.calendar, at)),
        &licences.join("; "),
        &keys.join("; "),
        yes(view.signature_required),
    ]);
}

/// A licence in a cell: `1 betting active Б-001 2031-11-23T22:00:00.000Z`.
fn licence(licence: &LicenceView<'_>) -> String {
    let parts = [
        licence.id.to_string(),
        licence.kind.as_str().to_owned(),
        word(&json!(licence.state)).to_owned(),
        licence.number.unwrap_or_default().to_owned(),
        licence.expires.clone().unwrap_or_default(),
    ];
    parts.join(" ").trim_end().to_owned()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Those that are wanted, ascending by id, and the moment that they are shown at.
async fn chosen(service: &Service, which: WhichRows) -> Result<(Vec<Arc<Operator>>, UnixMillis), ApiError> {
    let WhichRows { q, stage, overdue, as_of } = which;
    let moment = as_of::past(as_of, now())?;
    let mut all = service.operators_at(moment, Asks::Person).await?;
    let (at, wanted) = (moment.unwrap_or_else(now), q.map(|q| q.to_lowercase()));
    all.retain(|operator| {
        stage.is_none_or(|stage| operator.stage() == stage)
            && wanted.as_deref().is_none_or(|wanted| holds(operator, wanted))
            && overdue.is_none_or(|overdue| operator.is_late(&service.calendar, at) == overdue)
    });
    Ok((all, at))
}

fn holds(operator: &Operator, wanted: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    let Some(entity) = &operator.entity else { return false };
    has(entity.name.as_str())
        || entity.name_latin.as_ref().is_some_and(|name| has(name.as_str()))
        || entity.brands.iter().any(|brand| has(brand.as_str()))
        || entity.edrpou.to_string() == wanted
        || operator.id.to_string() == wanted
        || operator.licences.iter().any(|licence| {
            licence.number.as_ref().is_some_and(|number| has(number.as_str()))
                || licence.places.domains.iter().any(|domain| {
                    // As it is stored and as people read it.
                    has(domain.as_str()) || domain.in_unicode().is_some_and(|read| has(&read))
                })
        })
}
