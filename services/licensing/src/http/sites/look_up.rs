//! How a domain or an account stands, and everything the list holds, page by page.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use contracts::UnixMillis;
use contracts::problems::Code;
use runtime::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::super::as_of::{self, AsOf};
use super::super::{form::tagged, limit, query, schemas};
use super::form;
use super::view::{StandingView, SubjectView};
use crate::actors::sites::{ListAccess, Shown};
use crate::domain::operator::fact::Moment;
use crate::domain::sites::domain_name::DomainName;
use crate::domain::sites::list::Row;
use crate::domain::sites::look_up::{look_up_account, look_up_at};
use crate::domain::sites::serial::Serial;
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

/// A page of the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SitePage)]
pub struct Page<'a> {
    /// The serial of the list.
    #[schema(value_type = u32)]
    serial: Serial,
    /// Sites in DNS order, then accounts.
    entries: Vec<Listed<'a>>,
    /// `after` of the next page; null where there are no more.
    #[schema(required = true)]
    next: Option<String>,
}

/// A subject something was decided about, and how it stands by itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListedSubject)]
pub struct Listed<'a> {
    #[serde(flatten)]
    subject: SubjectView<'a>,
    #[serde(flatten)]
    standing: StandingView<'a>,
}

/// How a domain stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteLookUp)]
pub struct FoundSite<'a> {
    /// The domain that was asked for, as A-labels.
    site: &'a str,
    /// The same as people read it; null where that is the same text.
    #[schema(required = true)]
    unicode: Option<String>,
    /// The domain that decides: this one, or one above it; null where none does.
    #[schema(required = true)]
    by: Option<&'a str>,
    #[serde(flatten)]
    standing: StandingView<'a>,
    /// The serial of the list.
    #[schema(value_type = u32)]
    serial: Serial,
}

/// How an account stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountLookUp)]
pub struct FoundAccount<'a> {
    #[schema(value_type = schemas::sites::SocialAccount)]
    account: &'a SocialAccount,
    #[serde(flatten)]
    standing: StandingView<'a>,
    /// The serial of the list.
    #[schema(value_type = u32)]
    serial: Serial,
}

/// Everything that was ever decided about, sites in DNS order, then accounts. Nobody needs a token.
#[utoipa::path(
    get, path = "/v1/sites", tag = "sites", params(Which), security(()),
    responses((status = 200, description = "A page of the list", body = Page, headers(("ETag" = String, description = "The version that is shown"))))
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
    let page = web::block(move || json!(page(&shown, after.as_ref(), which.q.as_deref(), most, moment))).await;
    let page = page.map_err(|error| ApiError::internal(&error))?;
    let answer = HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(page);
    // What was is nothing to write on.
    Ok(if moment.is_none() { tagged(version, answer) } else { answer })
}

fn page<'a>(
    shown: &'a Shown,
    after: Option<&Subject>,
    wanted: Option<&str>,
    most: usize,
    moment: Option<UnixMillis>,
) -> Page<'a> {
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
    let taken: Vec<Row<'a>> = rows.by_ref().take(most).collect();
    let next = rows.next().and(taken.last()).map(|row| row.subject.to_string());
    let listed = |row: Row<'a>| Listed {
        subject: SubjectView::new(row.subject, row.in_unicode.map(Cow::Borrowed)),
        standing: StandingView::new(row.standing),
    };
    Page { serial: list.serial_at(moment), entries: taken.into_iter().map(listed).collect(), next }
}

/// How a domain stands, or stood at a moment: by itself, or by the nearest domain above it that decides (`by`). Any case,
/// IDN or A-labels.
#[utoipa::path(
    get, path = "/v1/sites/{domain}", tag = "sites", security(()),
    params(("domain" = String, Path, description = "The domain alone", example = "казино.укр"), AsOf),
    responses((
        status = 200, body = FoundSite,
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
    Ok(answer(&FoundSite {
        site: domain.as_str(),
        unicode: domain.in_unicode(),
        by: found.as_ref().map(|found| found.by.as_str()),
        standing: StandingView::new(found.as_ref().map_or(Standing::Unlisted, |found| found.standing)),
        serial: sites.list().serial_at(moment),
    }))
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
        status = 200, body = FoundAccount,
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
    let standing = StandingView::new(look_up_account(sites.list(), &account, moment));
    Ok(answer(&FoundAccount { account: &account, standing, serial: sites.list().serial_at(moment) }))
}

fn answer(shown: &impl Serialize) -> HttpResponse {
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
