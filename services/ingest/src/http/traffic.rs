//! `GET /v1/traffic`: what was sent to the sandbox, and what it answered.

use std::sync::Arc;

use actix_web::{FromRequest as _, HttpRequest, HttpResponse, web};
use contracts::OperatorId;
use contracts::problems::Code;
use runtime::{ApiError, Caller, Person, Role};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

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

/// What was sent to the sandbox and what it answered, the oldest first; 404 in the market. Operators see their own with
/// `records:read`, people those of `operator`. `next` is there when there may be more.
#[utoipa::path(
    get, path = "/v1/traffic", tag = "sandbox", params(Which), security(("bearer" = ["records:read"])),
    responses((status = 200, description = "`exchanges`, each with its `number`, and `next`", body = Object))
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
    Ok(HttpResponse::Ok().json(json!({"exchanges": page, "next": next})))
}
