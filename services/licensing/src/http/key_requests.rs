//! `/v1/operators/{operator}/keys/requests`: what an operator asks for itself. One clerk takes a request up
//! as a proposal, another confirms it.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use contracts::problems::Code;
use contracts::registry::Env;
use runtime::ApiError;
use serde::Deserialize;
use uuid::Uuid;

use super::as_of::{self, AsOf};
use super::clients::Client;
use super::{Service, form, operators, people, refusal, schemas};
use crate::actors::{Decide, now};
use crate::domain::operator::Operator;
use crate::domain::operator::decide::Command;
use crate::domain::operator::fact::{Decision, Moment};
use crate::domain::operator::keys::PublicJwk;
use crate::domain::operator::request as asking;
use crate::domain::tagged::tagged;
use crate::domain::text::Line;

/// What an operator asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestForm {
    /// Chosen by the caller: the same request again does not ask twice.
    id: Uuid,
    decision: KeyDecision,
}

tagged! {
    /// Of all decisions, those that an operator may ask for.
    #[derive(Debug)]
    pub enum KeyDecision {
        /// Let a key sign.
        AddKey {
            /// The public key.
            jwk: PublicJwk,
            /// The world of the token: live or test.
            env: Env,
            /// From when.
            not_before: Moment,
            /// Up to when.
            expires: Moment,
            /// A compact JWS by the key about itself.
            proof: String,
        },
        /// A key must not sign any more.
        RevokeKey {
            /// Its thumbprint.
            kid: String,
            /// Why.
            reason: Line<1000>,
        },
    }
}

impl From<KeyDecision> for Decision {
    fn from(wanted: KeyDecision) -> Self {
        match wanted {
            KeyDecision::AddKey { jwk, env, not_before, expires, proof } => {
                Self::AddKey { jwk, env, not_before, expires, proof }
            }
            KeyDecision::RevokeKey { kid, reason } => Self::RevokeKey { kid, reason },
        }
    }
}

/// The caller's keys, and what it asked for that waits for a clerk, now or as of a moment. The ETag is what a request must send as
/// If-Match.
#[utoipa::path(
    get, path = "/v1/operators/{operator}/keys/requests", tag = "keys", params(schemas::OfOperator, AsOf), security(("bearer" = ["keys:propose"])),
    responses((status = 200, description = "`version`, `keys`, `requests`", body = schemas::operator::OwnKeys, headers(("ETag" = String, description = "The version that is shown"))))
)]
pub async fn get(
    request: HttpRequest,
    client: Client,
    id: web::Path<String>,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let id = operators::operator_id(&id)?;
    client.may_propose(id)?;
    let none = || ApiError::new(Code::NotFound, format!("there is no operator {id}"));
    match as_of::of_query(&request, now())? {
        None => service.directory.get(id).map(|operator| shown(&operator)).ok_or_else(none),
        // What was is nothing to write on.
        Some(moment) => {
            let then = service.as_of(id, moment).await?.ok_or_else(none)?;
            Ok(HttpResponse::Ok().json(then.own_keys(moment)))
        }
    }
}

/// Asks for a key of the caller's own to be registered (with the proof that the caller holds it) or revoked. One clerk takes it
/// up, another confirms it; until then nothing changes. At most 10 wait at a time, for as long as any proposal.
#[utoipa::path(
    post, path = "/v1/operators/{operator}/keys/requests", tag = "keys", request_body = schemas::KeyRequest,
    params(schemas::OfOperator), security(("bearer" = ["keys:propose"])), responses((status = 200, description = "`version`, `keys`, `requests`", body = schemas::operator::OwnKeys))
)]
pub async fn post(
    request: HttpRequest,
    client: Client,
    id: web::Path<String>,
    payload: web::Payload,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let id = operators::operator_id(&id)?;
    client.may_propose(id)?;
    let by = asking::author(client.id);
    people::at_rate(&request, &by)?;
    let expected = form::if_match(&request)?;
    let RequestForm { id: proposal, decision } = form::read(&request, payload).await?;
    let command = Command::Request { proposal, decision: decision.into(), env: client.id.env };
    let decided = service.desks.decide(id, Decide { expected, command, by }).await;
    Ok(shown(&*decided.map_err(refusal::decide)?))
}

fn shown(operator: &Operator) -> HttpResponse {
    form::tagged(operator.head.version, HttpResponse::Ok().json(operator.own_keys(now())))
}
