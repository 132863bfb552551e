//! `GET /v1/traffic`: what was sent to the sandbox, and what it answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{FromRequest as _, HttpRequest, HttpResponse, web};
use contracts::OperatorId;
use contracts::problems::Code;
use contracts::traffic::Kept;
use runtime::{ApiError, Caller, Person, Role};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Service;

/// Requests on a page, when not said and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;
/// Who may look at what operators do in the sandbox.
const READERS: &[Role] = &[Role::Clerk, Role::ChiefClerk, Role::Inspector, Role::Auditor];

/// Which requests.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Whose, for people; an operator sees its own.
    #[param(value_type = Option<String>)]
    operator: Option<OperatorId>,
    /// The number after which the page begins: `next` of the page before.
    after: Option<u64>,
    /// Requests on a page, 1 to 1,000.
    limit: Option<usize>,
}

/// A page of what was sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrafficPage)]
pub struct Page {
    /// The oldest first.
    #[schema(value_type = Vec<KeptDoc>)]
    exchanges: Vec<Kept>,
    /// `after` of the next page; null where there are no more.
    #[schema(required = true)]
    next: Option<u64>,
}

/// A request for a batch, as the sandbox answered it.
#[derive(ToSchema)]
#[schema(as = Exchange)]
#[expect(dead_code, reason = "only its schema is used; what tests are answered is held against it")]
struct KeptDoc {
    /// Its place among all that is kept: only grows, with holes.
    number: u64,
    /// When its head had arrived, Unix milliseconds.
    at: i64,
    /// Whose.
    #[schema(format = Uuid)]
    operator: String,
    /// To which of its streams, 0 to 255.
    stream: u8,
    /// The registered key that the caller's token was asked for with: its RFC 7638 thumbprint.
    #[schema(nullable = false)]
    client_key: Option<String>,
    /// `Content-Type` as sent, at most 100 characters of it.
    #[schema(nullable = false)]
    media: Option<String>,
    /// `Content-Encoding` as sent, at most 100 characters of it.
    #[schema(nullable = false)]
    coding: Option<String>,
    /// Whether a `Signature` of the batch was sent.
    signed: bool,
    /// The answer that the request asked for with `DSOM-Test-Answer`, if it is this one: `gap`, `unavailable` or `lost`.
    #[schema(nullable = false)]
    forced: Option<String>,
    /// How late it asked to be answered, in milliseconds; missing when that is not at all.
    #[schema(nullable = false)]
    delayed_ms: Option<u32>,
    /// The batch, where it could be read.
    #[schema(nullable = false)]
    batch: Option<SentDoc>,
    /// Status of the answer.
    status: u16,
    /// Code of a refusal.
    #[schema(nullable = false)]
    code: Option<String>,
    /// The next seq, as a `gap` told it.
    #[schema(nullable = false)]
    expected_seq: Option<u64>,
    /// After how many seconds to ask again, as the answer said.
    #[schema(nullable = false)]
    retry_after_s: Option<u32>,
    /// From the head's arrival to the answer, in milliseconds, with the delay that was asked for.
    took_ms: u32,
}

/// A batch that could be read.
#[derive(ToSchema)]
#[schema(as = SentBatch)]
#[expect(dead_code, reason = "only its schema is used; what tests are answered is held against it")]
struct SentDoc {
    /// Seq of its first record.
    first_seq: u64,
    /// Number of records.
    count: u32,
    /// RFC 6962 root over the records' bytes, base64: two requests with the same root sent the same bytes.
    root: String,
    /// Earliest `at` of its records, Unix milliseconds.
    earliest: i64,
    /// Latest `at` of its records, Unix milliseconds.
    latest: i64,
    /// Number of records by type: `wager`, `payout`, `refund`, `adjustment`.
    types: BTreeMap<String, u32>,
    /// Number of wagers by vertical.
    verticals: BTreeMap<String, u32>,
}

/// What was sent to the sandbox and what it answered, the oldest first; 404 in the market. Operators see their own with
/// `records:read`, people those of `operator`. `next` is there when there may be more.
#[utoipa::path(
    get, path = "/v1/traffic", tag = "sandbox", params(Which), security(("bearer" = ["records:read"])),
    responses((status = 200, description = "A page of requests and their answers", body = Page))
)]
pub async fn get(request: HttpRequest, service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    let Some(sandbox) = &service.sandbox else {
        return Err(ApiError::new(Code::NotFound, "there is no such record in the market: this is the sandbox's"));
    };
    let bad = |detail: String| ApiError::new(Code::BadRequest, detail);
    let Which { operator, after, limit } = runtime::query(&request)?;
    let limit = limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(bad(format!("limit must be 1 to {PAGE_MAX}")));
    }
    let operator = match operator {
        None => {
            let caller = Caller::extract(&request).await?;
            super::may_read(&caller)?;
            caller.operator()
        }
        Some(operator) if sandbox.people.is_some() => {
            Person::extract(&request).await?.one_of(READERS)?;
            operator
        }
        Some(_) => {
            return Err(ApiError::new(Code::Forbidden, "people are not known here: DSOM_OIDC_ISSUER is not set"));
        }
    };
    let page = sandbox.traffic.page(operator, after.unwrap_or(0), limit).await;
    let page = page.map_err(|error| ApiError::new(Code::Unavailable, error))?;
    let next = (page.len() == limit).then(|| page.last().map(|kept| kept.number)).flatten();
    Ok(HttpResponse::Ok().json(Page { exchanges: page, next }))
}
