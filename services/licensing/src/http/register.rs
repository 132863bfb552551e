//! The public register of licences: no token, JSON and CSV.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use contracts::UnixMillis;
use contracts::registry::{LicenceKind, LicenceState};
use runtime::ApiError;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::as_of::{self, AsOf, Asks};
use super::table::Table;
use super::{Service, form, schemas};
use crate::actors::now;
use crate::domain::operator::Operator;
use crate::domain::operator::licence::Licence;

/// A reader who asks again within a minute may be shown the same.
const CACHED: &str = "public, max-age=60";

/// The register.
#[derive(Debug, Serialize, ToSchema)]
pub struct Register {
    /// When it was read.
    #[schema(format = "date-time")]
    generated: String,
    /// The moment it is shown at; missing when that is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    as_of: Option<String>,
    /// Every licence that was ever entered, ascending by number.
    #[schema(value_type = Vec<Entry>)]
    licences: Value,
}

/// A licence as everybody may see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RegisterEntry)]
pub struct Entry<'a> {
    /// Its number in the register.
    number: &'a str,
    #[schema(value_type = schemas::Kind)]
    kind: LicenceKind,
    #[schema(value_type = schemas::operator::LicenceState)]
    state: LicenceState,
    /// Since when it is in this state.
    #[schema(format = "date-time")]
    since: String,
    /// When it was entered.
    #[schema(format = "date-time")]
    entered: String,
    /// Up to when it holds.
    #[schema(format = "date-time")]
    expires: String,
    /// The operator's code in the Unified State Register.
    #[schema(example = "14360570")]
    edrpou: String,
    /// The operator's name.
    operator: &'a str,
    /// Its brands.
    brands: Vec<&'a str>,
    /// Addresses of venues.
    venues: Vec<&'a str>,
    /// Domains with their subdomains.
    domains: Vec<&'a str>,
    /// Ids of apps in their shops.
    apps: Vec<&'a str>,
}

/// Every licence that was ever entered, ascending by number.
fn entries(operators: &[Arc<Operator>], at: UnixMillis) -> Vec<Entry<'_>> {
    let entry = |operator: &'_ Operator, licence: &'_ Licence| -> Option<(String, String)> {
        Some((licence.active.first()?.from.to_string(), operator.entity.as_ref()?.edrpou.to_string()))
    };
    let mut all: Vec<Entry<'_>> = operators
        .iter()
        .flat_map(|operator| operator.licences.iter().map(move |licence| (operator, licence)))
        .filter_map(|(operator, licence)| {
            let (entered, edrpou) = entry(operator, licence)?;
            let (entity, state) = (operator.entity.as_ref()?, licence.state_at(at));
            let since = if state == licence.state { Some(licence.since) } else { licence.expires };
            Some(Entry {
                number: licence.number.as_ref()?.as_str(),
                kind: licence.kind,
                state,
                since: since?.to_string(),
                entered,
                expires: licence.expires?.to_string(),
                edrpou,
                operator: entity.name.as_str(),
                brands: entity.brands.iter().map(|brand| brand.as_str()).collect(),
                venues: licence.places.venues.iter().map(|venue| venue.as_str()).collect(),
                domains: licence.places.domains.iter().map(|domain| domain.as_str()).collect(),
                apps: licence.places.apps.iter().map(|app| app.as_str()).collect(),
            })
        })
        .collect();
    all.sort_by(|one, other| one.number.cmp(other.number));
    all
}

/// The register of licences: every licence that was ever entered in it, with its state now or as of a moment. Nobody needs a token.
#[utoipa::path(
    get, path = "/v1/register", tag = "register", params(AsOf), security(()),
    responses(
        (status = 200, description = "The register", body = Register),
        (status = 304, description = "The reader has it: If-None-Match names its ETag")
    )
)]
pub async fn json(request: HttpRequest, service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    let moment = as_of::of_query(&request, now())?;
    let operators = service.operators_at(moment, Asks::Anybody).await?;
    let licences = json!(entries(&operators, moment.unwrap_or_else(now)));
    // Weak: the time it was generated at is not part of it.
    let etag = format!("W/\"{}\"", ledger::leaf_hash(licences.to_string().as_bytes()));
    let Some(mut answer) = unknown(&request, &etag) else { return Ok(known(&etag)) };
    let (generated, as_of) = (now().to_string(), moment.map(|moment| moment.to_string()));
    Ok(answer.json(Register { generated, as_of, licences }))
}

/// The same as a table (RFC 4180); several values of a cell are separated by `; `.
#[utoipa::path(
    get, path = "/v1/register.csv", tag = "register", params(AsOf), security(()),
    responses(
        (status = 200, description = "The table", content_type = "text/csv", body = String),
        (status = 304, description = "The reader has it: If-None-Match names its ETag")
    )
)]
pub async fn csv(request: HttpRequest, service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    let moment = as_of::of_query(&request, now())?;
    let operators = service.operators_at(moment, Asks::Anybody).await?;
    let mut table = Table::new([
        "number", "kind", "state", "since", "entered", "expires", "edrpou", "operator", "brands", "venues", "domains",
        "apps",
    ]);
    for entry in entries(&operators, moment.unwrap_or_else(now)) {
        table.row([
            entry.number,
            entry.kind.as_str(),
            json!(entry.state).as_str().unwrap_or_default(),
            &entry.since,
            &entry.entered,
            &entry.expires,
            &entry.edrpou,
            entry.operator,
            &entry.brands.join("; "),
            &entry.venues.join("; "),
            &entry.domains.join("; "),
            &entry.apps.join("; "),
        ]);
    }
    let etag = format!("\"{}\"", ledger::leaf_hash(table.text().as_bytes()));
    Ok(match unknown(&request, &etag) {
        Some(answer) => table.answer(answer, "register.csv"),
        None => known(&etag),
    })
}

/// The answer to a reader who has another version.
fn unknown(request: &HttpRequest, etag: &str) -> Option<HttpResponseBuilder> {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, CACHED)).insert_header((ETAG, etag));
    (!form::has(request, etag)).then_some(answer)
}

/// The answer to a reader who has this version.
fn known(etag: &str) -> HttpResponse {
    HttpResponse::NotModified().insert_header((CACHE_CONTROL, CACHED)).insert_header((ETAG, etag)).finish()
}
