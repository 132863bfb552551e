//! `GET /v1/receipts`: the receipt of an accepted batch, however old.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use contracts::problems::Code;
use contracts::{Seq, StreamNo};
use runtime::{ApiError, Caller};
use serde::Deserialize;
use tokio::sync::oneshot;
use utoipa::IntoParams;

use super::{Service, refusal};
use crate::actors::{Find, Order, Unavailable};
use crate::domain::StreamKey;

/// How long looking up may take: chaining and the broker are asked a few times.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Which record's batch.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The stream, 0 to 255.
    #[param(example = "3")]
    stream: String,
    /// The seq of any of the batch's records.
    #[param(example = "14222")]
    seq: String,
}

/// The receipt of the accepted batch that holds a record. A batch that was accepted in two parts, because its beginning was there
/// already, has a receipt for each part here.
#[utoipa::path(
    get,
    path = "/v1/receipts",
    tag = "receipts",
    params(Which),
    security(("bearer" = ["records:read"])),
    responses((status = 200, description = "The receipt", body = super::openapi::ReceiptDoc))
)]
pub async fn get(
    request: HttpRequest,
    caller: Caller,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    super::may_read(&caller)?;
    let bad = |detail: String| ApiError::new(Code::BadRequest, detail);
    let which: Which = runtime::query(&request)?;
    let stream: StreamNo = which.stream.parse().map_err(|error| bad(format!("stream: {error}")))?;
    let seq: Seq = which.seq.parse().map_err(|error| bad(format!("seq: {error}")))?;
    let key = StreamKey { operator: caller.operator(), stream };
    let (reply, answer) = oneshot::channel();
    service.registry.tell(key, Order::Find(Find { seq, reply })).map_err(refusal::overloaded)?;
    let gone = || refusal::unavailable(Unavailable::Broker);
    let found = tokio::time::timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| gone())?.map_err(|_| gone())?;
    match found.map_err(refusal::unavailable)? {
        Some(meta) => service.receipt(HttpResponse::Ok(), key, meta),
        None => Err(ApiError::new(Code::NotFound, format!("seq {seq} of stream {stream} is not accepted"))),
    }
}
