//! `GET /v1/streams`: how far each of the caller's streams has come.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use contracts::StreamNo;
use runtime::{ApiError, Caller};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Service, refusal};
use crate::domain::StreamHead;

/// The caller's streams on which something was accepted, ascending.
#[derive(Debug, Serialize, ToSchema)]
pub struct Streams {
    streams: Vec<StreamState>,
}

/// How far one stream has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct StreamState {
    /// 0 to 255.
    #[schema(value_type = u8, example = 3)]
    stream: StreamNo,
    /// The last accepted seq.
    #[schema(example = 14222)]
    head: u64,
    /// The seq that is expected next.
    #[schema(example = 14223)]
    next_seq: u64,
    /// When the last record was accepted: RFC 3339 UTC.
    #[schema(example = "2026-10-24T18:00:29.498Z")]
    accepted_at: String,
}

impl From<StreamHead> for StreamState {
    fn from(head: StreamHead) -> Self {
        let StreamHead { stream, last, accepted_at } = head;
        Self { stream, head: last, next_seq: last + 1, accepted_at: accepted_at.to_string() }
    }
}

/// How far each of the caller's streams has come. Streams on which nothing was accepted are not listed: they begin with seq 1.
#[utoipa::path(
    get,
    path = "/v1/streams",
    tag = "streams",
    security(("bearer" = ["records:read"])),
    responses((status = 200, description = "The caller's streams", body = Streams))
)]
pub async fn get(caller: Caller, service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    super::may_read(&caller)?;
    let heads = service.truth.heads(caller.operator()).await.map_err(refusal::unavailable)?;
    let streams = heads.into_iter().map(StreamState::from).collect();
    Ok(HttpResponse::Ok().json(Streams { streams }))
}
