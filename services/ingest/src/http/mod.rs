//! The routes of ingest: decode, one message to an actor, encode.

pub mod batches;
pub mod body;
pub mod openapi;
mod prepare;
pub mod receipt_keys;
pub mod receipts;
mod refusal;
mod sandbox;
mod signature;
pub mod streams;
pub mod traffic;

use std::sync::Arc;

use actix_web::{HttpResponse, HttpResponseBuilder, web};
use contracts::OperatorId;
use contracts::frame::BatchMeta;
use contracts::receipt::{Claims, Env};
use contracts::registry::OperatorStanding;
use runtime::auth::{NotKnown, Standings};
use runtime::rates::Rates;
use runtime::serve::at;
use runtime::{ApiError, Caller};

use crate::actors::{Packers, Registry, Truth, now};
use crate::domain::{Budget, StreamKey};
use receipt_keys::ReceiptKey;
pub use sandbox::Sandbox;

/// Scope that lets an operator send records.
pub const RECORDS_WRITE: &str = "records:write";
/// Scope that lets an operator read what it sent.
pub const RECORDS_READ: &str = "records:read";

/// What the routes work with.
pub struct Service {
    /// The sequencers.
    pub registry: Registry,
    /// What was accepted.
    pub truth: Arc<Truth>,
    /// For large batches.
    pub packers: Arc<Packers>,
    /// The memory that batches may take.
    pub budget: Arc<Budget>,
    /// Signs receipts.
    pub receipt_key: ReceiptKey,
    /// `iss` of receipts.
    pub issuer: String,
    /// Which world this is.
    pub env: Env,
    /// How fast each operator may send, if that is limited.
    pub rates: Option<Rates<OperatorId>>,
    /// What the sandbox adds; nothing in the market.
    pub sandbox: Option<Arc<Sandbox>>,
    /// How operators stand.
    pub standings: Arc<Standings>,
}

impl Service {
    /// How an operator stands whose batch is to be taken.
    fn standing(&self, operator: OperatorId) -> Result<Arc<OperatorStanding>, ApiError> {
        let known = self.standings.may_take().map(|()| self.standings.get(operator));
        // Nobody comes in who is not known.
        known.and_then(|known| known.ok_or(NotKnown::Unread)).map_err(refusal::not_known)
    }

    /// Lets records in at the operator's rate.
    fn admit(&self, operator: OperatorId, records: u32) -> Result<(), ApiError> {
        let Some(rates) = &self.rates else { return Ok(()) };
        Ok(rates.take(operator, records, now())?)
    }

    /// Signs what was accepted.
    fn receipt(
        &self,
        mut answer: HttpResponseBuilder,
        key: StreamKey,
        meta: BatchMeta,
    ) -> Result<HttpResponse, ApiError> {
        let last_seq = meta.last_seq().try_into();
        let claims = Claims {
            iss: self.issuer.clone(),
            operator: key.operator,
            stream: key.stream,
            first_seq: meta.first_seq,
            last_seq: last_seq.map_err(|error| ApiError::internal(&error))?,
            count: u64::from(meta.count),
            root: meta.root,
            accepted_at: meta.accepted_at.to_string(),
            env: self.env,
        };
        let receipt = self.receipt_key.receipt(&claims).map_err(|error| ApiError::internal(&error))?;
        Ok(answer.content_type("application/json").body(receipt))
    }
}

/// Adds the routes.
pub fn configure(routes: &mut web::ServiceConfig, service: Arc<Service>) {
    routes
        .app_data(web::Data::new(service))
        .service(at("/v1/streams/{stream}/batches", web::post().to(batches::post)))
        .service(at("/v1/streams", web::get().to(streams::get)))
        .service(at("/v1/traffic", web::get().to(traffic::get)))
        .service(at("/v1/receipts", web::get().to(receipts::get)))
        .service(at("/v1/receipt-keys", web::get().to(receipt_keys::get)));
}

/// A token that may send records may do that alone: whoever steals it sees nothing.
fn may_read(caller: &Caller) -> Result<(), ApiError> {
    caller.require(RECORDS_READ)
}
