//! The public register of licences: no token, JSON and CSV.

use std::fmt::Write as _;
use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::{HttpResponse, web};
use contracts::registry::{LicenceKind, LicenceState};
use serde::Serialize;

use super::Service;
use crate::actors::now;
use crate::domain::operator::Operator;
use crate::domain::operator::licence::Licence;

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
fn entries(operators: &[Arc<Operator>]) -> Vec<Entry<'_>> {
    let now = now();
    let entry = |operator: &'_ Operator, licence: &'_ Licence| -> Option<(String, String)> {
        Some((licence.active.first()?.from.to_string(), operator.entity.as_ref()?.edrpou.to_string()))
    };
    let mut all: Vec<Entry<'_>> = operators
        .iter()
        .flat_map(|operator| operator.licences.iter().map(move |licence| (operator, licence)))
        .filter_map(|(operator, licence)| {
            let (entered, edrpou) = entry(operator, licence)?;
            let (entity, state) = (operator.entity.as_ref()?, licence.state_at(now));
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

/// The register of licences: every licence that was ever entered in it, with its state now. Nobody needs a token.
#[utoipa::path(
    get, path = "/v1/register", tag = "register", security(()),
    responses((status = 200, description = "`licences`", body = Object))
)]
pub async fn json(service: web::Data<Arc<Service>>) -> HttpResponse {
    let operators = service.directory.all();
    let licences = entries(&operators);
    let shown = serde_json::json!({"generated": now().to_string(), "licences": licences});
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=60")).json(shown)
}

/// The same as a table (RFC 4180); several values of a cell are separated by `; `.
#[utoipa::path(
    get, path = "/v1/register.csv", tag = "register", security(()),
    responses((status = 200, description = "The table", content_type = "text/csv", body = String))
)]
pub async fn csv(service: web::Data<Arc<Service>>) -> HttpResponse {
    let operators = service.directory.all();
    let mut table =
        String::from("number,kind,state,since,entered,expires,edrpou,operator,brands,venues,domains,apps\r\n");
    for entry in entries(&operators) {
        let state = serde_json::to_value(entry.state).ok();
        let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or_default();
        let cells = [
            entry.number,
            entry.kind.as_str(),
            state,
            &entry.since,
            &entry.entered,
            &entry.expires,
            &entry.edrpou,
            entry.operator,
            &entry.brands.join("; "),
            &entry.venues.join("; "),
            &entry.domains.join("; "),
            &entry.apps.join("; "),
        ];
        let row: Vec<String> = cells.into_iter().map(cell).collect();
        let _ = write!(table, "{}\r\n", row.join(","));
    }
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((CACHE_CONTROL, "public, max-age=60"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"register.csv\""))
        .body(table)
}

/// A cell, quoted where it must be. A text that a spreadsheet would take for a formula begins with an apostrophe.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells_are_those_of_rfc_4180_and_no_formulas() {
        for (text, expected) in [
            ("ТОВ", "ТОВ"),
            ("a,b", "\"a,b\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("=1+1", "'=1+1"),
            ("@x,y", "\"'@x,y\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
