//! Operators as callers of licensing itself, as an extractor of handlers: with a token of one of its two worlds.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use contracts::OperatorId;
use contracts::problems::Code;
use contracts::registry::Env;
use futures::future::LocalBoxFuture;
use runtime::{ApiError, Caller};

use super::Service;
use crate::domain::client::ClientId;
use crate::domain::operator::KEYS_PROPOSE;

/// An operator's client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Which.
    pub id: ClientId,
    caller: Caller,
}

impl Client {
    /// Refuses a client that may not ask for this operator's keys.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub fn may_propose(&self, operator: OperatorId) -> Result<(), ApiError> {
        self.caller.require(KEYS_PROPOSE)?;
        self.caller.require_own(operator)
    }
}

impl FromRequest for Client {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let Some(service) = request.app_data::<web::Data<Arc<Service>>>() else {
                tracing::error!("a route takes a client, but its service was started without keys");
                return Err(ApiError::new(Code::Internal, "see request_id"));
            };
            let (world, env) = match service.test.auth.is_issuer_of(&request) {
                true => (&service.test, Env::Test),
                false => (&service.live, Env::Live),
            };
            let caller = world.auth.caller(&request).await?;
            let named = caller.client_id().and_then(|id| id.parse::<ClientId>().ok());
            match named.filter(|id| id.operator == caller.operator() && id.env == env) {
                Some(id) => Ok(Self { id, caller }),
                None => Err(ApiError::new(Code::Unauthorized, "the token's client_id is not as expected")),
            }
        })
    }
}
