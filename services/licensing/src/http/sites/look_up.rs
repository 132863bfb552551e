//! How a domain or an account stands, and everything the list holds, page by page.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use contracts::UnixMillis;
use contracts::problems::Code;
use runtime::ApiError;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::super::as_of::{self, AsOf};
use super::super::{form::tagged, limit, query};
use super::{form, view};
use crate::actors::sites::{ListAccess, Shown};
use crate::domain::operator::fact::Moment;
use crate::domain::sites::domain_name::DomainName;
use crate::domain::sites::list::Row;
use crate::domain::sites::look_up::{look_up_account, look_up_at};
use crate::domain::sites::standing::Standing;
use crate::domain::sites::subject::{SocialAccount, Subject};

/// Entries on a page, when not said and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;
/// Longest text that is searched for, in characters.
const SEARCH_CHARS_MAX: usize = 100;

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// A part of the domain, as A-labels or as people read it, or of `platform/handle`.
    q: Option<String>,
    /// A moment (RFC 3339 UTC) that has passed: how they stood then.
    #[param(value_type = Option<String>)]
    as_of: Option<Moment>,
    /// Entries on a page, 1 to 1,000.
    limit: Option<usize>,
    /// The subject after which the page begins: `next` of the page before.
    after: Option<String>,
}

/// Everything that was ever decided about, sites in DNS order, then accounts. Nobody needs a token.
#[utoipa::path(
    get, path = "/v1/sites", tag = "sites", params(Which), security(()),
    responses((status = 200, description = "`serial`, `entries`, and `next` where there are more", body = Object, headers(("ETag" = String, description = "The version that is shown"))))
)]
pub async fn list(request: HttpRequest, list: web::Data<ListAccess>) -> Result<HttpResponse, ApiError> {
    let which: Which = query(&request)?;
    let most = limit(which.limit, PAGE, PAGE_MAX)?;
    let bad = |detail: &str| ApiError::new(Code::BadRequest, detail);
    if which.q.as_ref().is_some_and(|q| q.chars().count() > SEARCH_CHARS_MAX) {
        return Err(bad("q has at most 100 characters"));
    }
    let after =
        which.after.as_deref().map(subject_of).transpose().map_err(|detail| bad(&format!("after: {detail}")))?;
    let moment = as_of::past(which.as_of, list.now())?;
    let shown = list.shown();
    let version = shown.sites.head().version;
    // A search may have to look at all of the list.
    let page = web::block(move || page(&shown, after.as_ref(), which.q.as_deref(), most, moment)).await;
    let page = page.map_err(|error| ApiError::internal(&error))?;
    let answer = HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(page);
    // What was is nothing to write on.
    Ok(if moment.is_none() { tagged(version, answer) } else { answer })
}

fn page(
    shown: &Shown,
    after: Option<&Subject>,
    wanted: Option<&str>,
    most: usize,
    moment: Option<UnixMillis>,
) -> Value {
    let (list, wanted) = (shown.sites.list(), wanted.map(|wanted| wanted.trim().to_lowercase()));
    let holds = |row: &Row<'_>, wanted: &str| {
        row.in_unicode.is_some_and(|text| text.contains(wanted))
            || match row.subject {
                Subject::Site(domain) => domain.as_str().contains(wanted),
                Subject::Account(_) => row.subject.to_string().contains(wanted),
            }
    };
    let named = list.all(after).filter(|row| wanted.as_deref().is_none_or(|wanted| holds(row, wanted)));
    // At a moment, without what was decided later. Only of those that are asked for: it is looked up one by one.
    let then = named.map(|row| match moment {
        Some(_) => Row { standing: list.standing_at(row.subject, moment), ..row },
        None => row,
    });
    let mut rows = then.filter(|row| row.standing != Standing::Unlisted);
    let taken: Vec<Row<'_>> = rows.by_ref().take(most).collect();
    let next = rows.next().and(taken.last()).map(|row| row.subject.to_string());
    let entry = |row: &Row<'_>| {
        let mut shown = view::subject(row.subject, row.in_unicode);
        if let (Some(shown), Value::Object(standing)) = (shown.as_object_mut(), view::standing(&row.standing)) {
            shown.extend(standing);
        }
        shown
    };
    json!({"serial": list.serial_at(moment), "entries": taken.iter().map(entry).collect::<Vec<_>>(), "next": next})
}

/// How a domain stands, or stood at a moment: by itself, or by the nearest domain above it that decides (`by`). Any case,
/// IDN or A-labels.
#[utoipa::path(
    get, path = "/v1/sites/{domain}", tag = "sites", security(()),
    params(("domain" = String, Path, description = "The domain alone", example = "казино.укр"), AsOf),
    responses((
        status = 200, body = Object,
        description = "`standing` is `blocked`, `announced`, `lifted`, `licensed` or `unlisted`"
    ))
)]
pub async fn site(
    request: HttpRequest,
    domain: web::Path<String>,
    list: web::Data<ListAccess>,
) -> Result<HttpResponse, ApiError> {
    let domain: DomainName =
        domain.parse().map_err(|error| ApiError::new(Code::BadRequest, format!("domain: {error}")))?;
    let moment = as_of::of_query(&request, list.now())?;
    let Shown { sites, mut licensed } = list.shown();
    if let Some(moment) = moment {
        licensed = Arc::new(as_of::licensed(&request, moment).await?);
    }
    let found = look_up_at(sites.list(), &licensed, &domain, moment);
    let mut shown = match &found {
        Some(found) => view::standing(&found.standing),
        None => json!({"standing": "unlisted"}),
    };
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("unicode".to_owned(), domain.in_unicode().into());
        shown.insert("site".to_owned(), domain.as_str().into());
        shown.insert("by".to_owned(), found.map(|found| found.by.as_str().to_owned()).into());
        shown.insert("serial".to_owned(), json!(sites.list().serial_at(moment)));
    }
    Ok(answer(&shown))
}

/// How a social account stands, or stood at a moment. Any case, with or without `@`.
#[utoipa::path(
    get, path = "/v1/accounts/{platform}/{handle}", tag = "sites", security(()),
    params(
        ("platform" = String, Path, description = "`telegram` and so on", example = "telegram"),
        ("handle" = String, Path, description = "The handle alone", example = "casino_ua"),
        AsOf,
    ),
    responses((
        status = 200, body = Object,
        description = "`standing` is `blocked`, `announced`, `lifted` or `unlisted`"
    ))
)]
pub async fn account(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    list: web::Data<ListAccess>,
) -> Result<HttpResponse, ApiError> {
    let account = form::account(&path.0, &path.1).map_err(|error| ApiError::new(Code::BadRequest, error.detail))?;
    let (sites, moment) = (list.shown().sites, as_of::of_query(&request, list.now())?);
    let mut shown = view::standing(&look_up_account(sites.list(), &account, moment));
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("account".to_owned(), json!(account));
        shown.insert("serial".to_owned(), json!(sites.list().serial_at(moment)));
    }
    Ok(answer(&shown))
}

fn answer(shown: &Value) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(shown)
}

/// Reads a subject as a page names it: a domain, or `platform/handle`.
fn subject_of(text: &str) -> Result<Subject, String> {
    let Some((platform, handle)) = text.split_once('/') else {
        return text
            .parse()
            .map(Subject::Site)
            .map_err(|error: crate::domain::sites::domain_name::BadDomainName| error.to_string());
    };
    let account: SocialAccount = form::account(platform, handle).map_err(|error| error.detail)?;
    Ok(Subject::Account(account))
}
