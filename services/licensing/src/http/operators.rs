//! `/v1/operators/{operator}`: an operator, and everything that is wanted of it.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use contracts::problems::Code;
use contracts::registry::LicenceKind;
use contracts::{OperatorId, UnixMillis};
use runtime::ApiError;
use serde::Deserialize;
use uuid::Uuid;

use super::as_of::{self, AsOf};
use super::people::{Clerk, Reader};
use super::{Service, form, refusal, schemas};
use crate::actors::{Decide, now};
use crate::domain::history::Author;
use crate::domain::operator::Operator;
use crate::domain::operator::decide::Command;
use crate::domain::operator::fact::{Decision, Ground, LegalEntity, Moment};
use crate::domain::operator::licence::{Fee, Places};
use crate::domain::tagged::tagged;
use crate::domain::text::Line;

/// An operator, now or as of a moment. The ETag is what a write must send as If-Match; as of a moment there is none.
#[utoipa::path(
    get, path = "/v1/operators/{operator}", tag = "operators", params(schemas::OfOperator, AsOf), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "The operator", body = schemas::operator::Operator, headers(("ETag" = String, description = "The version that is shown"))))
)]
pub async fn get(
    request: HttpRequest,
    _: Reader,
    id: web::Path<String>,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let (id, moment) = (operator_id(&id)?, as_of::of_query(&request, now())?);
    let operator = match moment {
        None => service.directory.get(id),
        Some(moment) => service.as_of(id, moment).await?,
    };
    let operator = operator.ok_or_else(|| ApiError::new(Code::NotFound, format!("there is no operator {id}")))?;
    Ok(match moment {
        None => shown(&service, &operator, HttpResponse::Ok(), now()),
        // What was is nothing to write on.
        Some(moment) => HttpResponse::Ok().json(operator.view(&service.calendar, moment)),
    })
}

/// Takes an operator into the register, under an id that the caller makes up: the same request again does nothing more.
#[utoipa::path(
    put, path = "/v1/operators/{operator}", tag = "operators",
    request_body = schemas::LegalEntity, params(schemas::OfOperator), security(("bearer" = ["clerk"])),
    responses((status = 201, description = "The operator", body = schemas::operator::Operator), (status = 200, description = "It was there already, or was changed", body = schemas::operator::Operator))
)]
pub async fn put(
    request: HttpRequest,
    Clerk(by): Clerk,
    id: web::Path<String>,
    payload: web::Payload,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let id = operator_id(&id)?;
    let entity: LegalEntity = form::read(&request, payload).await?;
    if let Some(known) = service.directory.get(id)
        && known.entity.as_ref() == Some(&entity)
    {
        return Ok(shown(&service, &known, HttpResponse::Ok(), now()));
    }
    if request.headers().contains_key("if-match") {
        let expected = form::if_match(&request)?;
        return service.decide(id, expected, Command::Amend(entity), by).await;
    }
    let wanted = Decide { expected: 0, command: Command::Register(entity), by };
    let operator = service.desks.decide(id, wanted).await.map_err(|error| match error {
        crate::actors::DecideError::Stale { version } => ApiError::new(
            Code::PreconditionRequired,
            format!("operator {id} is there at version {version}: send If-Match"),
        ),
        error => refusal::decide(error),
    })?;
    Ok(shown(&service, &operator, HttpResponse::Created(), now()))
}

/// An application for a licence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    kind: LicenceKind,
    #[serde(default)]
    places: Places,
}

/// Files an application for a licence.
#[utoipa::path(
    post, path = "/v1/operators/{operator}/licences", tag = "licences",
    request_body = schemas::Application, params(schemas::OfOperator), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "The operator", body = schemas::operator::Operator))
)]
pub async fn apply(
    request: HttpRequest,
    Clerk(by): Clerk,
    id: web::Path<String>,
    payload: web::Payload,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let (id, expected) = (operator_id(&id)?, form::if_match(&request)?);
    let Application { kind, places } = form::read(&request, payload).await?;
    service.decide(id, expected, Command::Apply { kind, places }, by).await
}

tagged! {
    /// What becomes of a licence without a second person.
    #[derive(Debug)]
    pub enum StepForm {
        /// Begin to look at it.
        Review {},
        /// Ask for the fee.
        Bill {
            /// How much.
            fee: Fee,
        },
        /// Take note that the fee was paid.
        Pay {
            /// When the money came.
            paid_at: Moment,
            /// The number of the payment.
            document: Line<200>,
        },
    }
}

/// Begins a review, asks for the fee, or takes note of it.
#[utoipa::path(
    post, path = "/v1/operators/{operator}/licences/{licence}/steps", tag = "licences", request_body = schemas::LicenceStep,
    params(schemas::OfLicence), security(("bearer" = ["clerk"])), responses((status = 200, description = "The operator", body = schemas::operator::Operator))
)]
pub async fn step(
    request: HttpRequest,
    Clerk(by): Clerk,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let (id, licence) = path.into_inner();
    let (id, expected) = (operator_id(&id)?, form::if_match(&request)?);
    let licence: u32 = licence.parse().map_err(|_| ApiError::new(Code::BadRequest, "licence must be a number"))?;
    let command = match form::read(&request, payload).await? {
        StepForm::Review {} => Command::Review { licence },
        StepForm::Bill { fee } => Command::Bill { licence, fee },
        StepForm::Pay { paid_at, document } => Command::Pay { licence, paid_at, document },
    };
    service.decide(id, expected, command, by).await
}

/// A decision and what it rests on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalForm {
    /// Chosen by the caller: the same request again does not propose twice.
    id: Uuid,
    decision: Decision,
    ground: Ground,
}

/// Proposes a decision; another must confirm it.
#[utoipa::path(
    post, path = "/v1/operators/{operator}/proposals", tag = "decisions",
    request_body = schemas::Proposal, params(schemas::OfOperator), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "The operator", body = schemas::operator::Operator))
)]
pub async fn propose(
    request: HttpRequest,
    Clerk(by): Clerk,
    id: web::Path<String>,
    payload: web::Payload,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let (id, expected) = (operator_id(&id)?, form::if_match(&request)?);
    let ProposalForm { id: proposal, decision, ground } = form::read(&request, payload).await?;
    service.decide(id, expected, Command::Propose { proposal, decision, ground }, by).await
}

/// What a clerk takes up an operator's request on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmationForm {
    ground: Ground,
}

/// Confirms another's proposal, without a body: it is decided. What the operator asked for becomes a proposal of the clerk who confirms
/// it first, with its `ground` in the body; another clerk confirms that.
#[utoipa::path(
    post, path = "/v1/operators/{operator}/proposals/{proposal}/confirmation", tag = "decisions",
    request_body = Option<schemas::Confirmation>,
    params(schemas::OfProposal), security(("bearer" = ["clerk"])), responses((status = 200, description = "The operator", body = schemas::operator::Operator))
)]
pub async fn confirm(
    request: HttpRequest,
    Clerk(by): Clerk,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let (id, proposal) = proposal_of(path)?;
    let expected = form::if_match(&request)?;
    let ground = form::read_if_any(&request, payload).await?.map(|ConfirmationForm { ground }| ground);
    service.decide(id, expected, Command::Confirm { proposal, ground }, by).await
}

/// Why a proposal is refused or taken back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalForm {
    reason: Line<1000>,
}

/// Refuses a proposal, or takes one's own back.
#[utoipa::path(
    post, path = "/v1/operators/{operator}/proposals/{proposal}/refusal", tag = "decisions", request_body = schemas::Refusal,
    params(schemas::OfProposal), security(("bearer" = ["clerk"])), responses((status = 200, description = "The operator", body = schemas::operator::Operator))
)]
pub async fn decline(
    request: HttpRequest,
    Clerk(by): Clerk,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let (id, proposal) = proposal_of(path)?;
    let expected = form::if_match(&request)?;
    let RefusalForm { reason } = form::read(&request, payload).await?;
    service.decide(id, expected, Command::Decline { proposal, reason }, by).await
}

/// A signed certificate of the published checks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateForm {
    certificate: String,
}

/// Files the certificate that `dsom conformance` signed.
#[utoipa::path(
    post, path = "/v1/operators/{operator}/certificates", tag = "operators",
    request_body = schemas::Certificate, params(schemas::OfOperator), security(("bearer" = ["clerk"])),
    responses((status = 200, description = "The operator", body = schemas::operator::Operator))
)]
pub async fn certify(
    request: HttpRequest,
    Clerk(by): Clerk,
    id: web::Path<String>,
    payload: web::Payload,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let (id, expected) = (operator_id(&id)?, form::if_match(&request)?);
    let CertificateForm { certificate } = form::read(&request, payload).await?;
    let checked = service.certificates.check(&certificate, id, now());
    checked.map_err(|error| form::invalid("/certificate", &error.to_string()))?;
    service.decide(id, expected, Command::Certify { certificate }, by).await
}

impl Service {
    /// Has something done, and shows what the operator is then.
    async fn decide(
        &self,
        id: OperatorId,
        expected: u64,
        command: Command,
        by: Author,
    ) -> Result<HttpResponse, ApiError> {
        let decided = self.desks.decide(id, Decide { expected, command, by }).await;
        let operator = decided.map_err(refusal::decide)?;
        Ok(shown(self, &operator, HttpResponse::Ok(), now()))
    }
}

fn shown(
    service: &Service,
    operator: &Operator,
    mut answer: actix_web::HttpResponseBuilder,
    at: UnixMillis,
) -> HttpResponse {
    form::tagged(operator.head.version, answer.json(operator.view(&service.calendar, at)))
}

pub(super) fn operator_id(text: &str) -> Result<OperatorId, ApiError> {
    text.parse().map_err(|error| ApiError::new(Code::BadRequest, format!("operator: {error}")))
}

fn proposal_of(path: web::Path<(String, String)>) -> Result<(OperatorId, Uuid), ApiError> {
    let (id, proposal) = path.into_inner();
    let proposal = proposal.parse().map_err(|_| ApiError::new(Code::BadRequest, "proposal must be a UUID"))?;
    Ok((operator_id(&id)?, proposal))
}
