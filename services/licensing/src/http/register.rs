//! The public register of licences: no token, JSON and CSV.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use contracts::UnixMillis;
use contracts::registry::{LicenceKind, LicenceState};
use runtime::ApiError;
use serde::Serialize;
use serde_json::json;

use super::as_of::{self, AsOf};
use super::table::Table;
use super::{Service, form};
use crate::actors::now;
use crate::domain::operator::Operator;
use crate::domain::operator::licence::Licence;

/// A reader who asks again within a minute may be shown the same.
const CACHED: &str = "public, max-age=60";

/// A licence as everybody may see it.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    number: &'a str,
    kind: LicenceKind,
    state: LicenceState,
    since: String,
    entered: String,
    expires: String,
    edrpou: String,
    operator: &'a str,
    brands: Vec<&'a str>,
    venues: Vec<&'a str>,
    domains: Vec<&'a str>,
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
        (status = 200, description = "`generated`, `as_of` if it was asked for, `licences`", body = Object),
        (status = 304, description = "The reader has it: If-None-Match names its ETag")
    )
)]
pub async fn json(request: HttpRequest, service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    let moment = as_of::of_query(&request, now())?;
    let operators = service.operators_at(moment).await?;
    let licences = json!(entries(&operators, moment.unwrap_or_else(now)));
    // Weak: the time it was generated at is not part of it.
    let etag = format!("W/\"{}\"", ledger::leaf_hash(licences.to_string().as_bytes()));
    let Some(mut answer) = unknown(&request, &etag) else { return Ok(known(&etag)) };
    let mut shown = json!({"generated": now().to_string(), "licences": licences});
    if let (Some(moment), Some(shown)) = (moment, shown.as_object_mut()) {
        shown.insert("as_of".to_owned(), moment.to_string().into());
    }
    Ok(answer.json(shown))
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
    let operators = service.operators_at(moment).await?;
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
