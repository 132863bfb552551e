//! The register as it was at a moment: what was known then. Histories are read up to it, those of operators that have not changed since
//! aside.

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use contracts::UnixMillis;
use contracts::problems::Code;
use futures::{StreamExt, TryStreamExt};
use runtime::ApiError;
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use super::Service;
use crate::domain::operator::Operator;
use crate::domain::operator::fact::Moment;
use crate::domain::sites::licensed::Licensed;

/// Questions about the past of all operators that are answered at a time, by this process: each may read every history. Those that need no
/// token have places of their own, so that nobody without one keeps people from theirs.
const QUESTIONS_MAX: usize = 2;
/// Histories that one question reads at a time.
const HISTORIES_AT_ONCE: usize = 8;

static QUESTIONS: [Semaphore; 2] = [Semaphore::const_new(QUESTIONS_MAX), Semaphore::const_new(QUESTIONS_MAX)];

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asks {
    /// A person of the regulator.
    Person,
    /// Anybody.
    Anybody,
}

/// As of when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AsOf {
    /// A moment (RFC 3339 UTC) that has passed: what was known then.
    #[param(value_type = Option<String>)]
    pub as_of: Option<Moment>,
}

/// The moment of a query that has no other member.
///
/// # Errors
/// 400 `bad-request`.
pub fn of_query(request: &HttpRequest, now: UnixMillis) -> Result<Option<UnixMillis>, ApiError> {
    let AsOf { as_of } = super::query(request)?;
    past(as_of, now)
}

/// A moment that was asked for, if it has passed: nothing is known of the future.
///
/// # Errors
/// 400 `bad-request`.
pub fn past(as_of: Option<Moment>, now: UnixMillis) -> Result<Option<UnixMillis>, ApiError> {
    match as_of {
        Some(Moment(moment)) if moment > now => Err(ApiError::new(Code::BadRequest, "as_of lies in the future")),
        as_of => Ok(as_of.map(|Moment(moment)| moment)),
    }
}

impl Service {
    /// Every operator that was in the register at a moment, ascending by id; `None`: now.
    ///
    /// # Errors
    /// 503 `unavailable`: the store is away, or too many ask about the past.
    pub(super) async fn operators_at(
        &self,
        moment: Option<UnixMillis>,
        who: Asks,
    ) -> Result<Vec<Arc<Operator>>, ApiError> {
        let all = self.directory.all();
        let Some(moment) = moment else { return Ok(all) };
        let too_many = |_| ApiError::new(Code::Unavailable, "too many ask about the past at once");
        let [of_people, of_anybody] = &QUESTIONS;
        let places = match who {
            Asks::Person => of_people,
            Asks::Anybody => of_anybody,
        };
        let _place = places.try_acquire().map_err(too_many)?;
        let then = async |operator: Arc<Operator>| match operator.head.at > moment {
            true => self.as_of(operator.id, moment).await,
            false => Ok(Some(operator)),
        };
        let found = futures::stream::iter(all).map(then).buffered(HISTORIES_AT_ONCE);
        found.try_filter_map(async |operator| Ok(operator)).try_collect().await
    }
}

/// The domains that were licensed at a moment.
///
/// # Errors
/// As [`Service::operators_at`].
pub async fn licensed(request: &HttpRequest, moment: UnixMillis) -> Result<Licensed, ApiError> {
    let Some(service) = request.app_data::<web::Data<Arc<Service>>>() else {
        tracing::error!("a route looks into the register, but its service was started without one");
        return Err(ApiError::new(Code::Internal, "see request_id"));
    };
    let mut licensed = Licensed::default();
    for operator in service.operators_at(Some(moment), Asks::Anybody).await? {
        let held = operator.licensed_domains().into_iter().filter(|one| one.until > moment);
        licensed.set_licensed(operator.id, held.map(|one| one.domain));
    }
    Ok(licensed)
}
