//! `GET /v1/chains/{operator}`: where an operator's chain ends.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use contracts::{Hash, Height, OperatorId, StreamNo};
use runtime::{ApiError, Reader};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Service, readable, unavailable};

/// Where a chain ends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Chain)]
struct Chain {
    /// Whose chain.
    #[schema(value_type = String, format = Uuid)]
    operator: OperatorId,
    /// Height of the last block; 0 before the first.
    #[schema(value_type = u64)]
    height: Height,
    /// Hash of the last block's header, base64.
    #[schema(value_type = String)]
    hash: Hash,
    /// Records in all blocks.
    total: u64,
    /// Height of the last block that is in the public log.
    #[schema(value_type = u64)]
    logged: Height,
    /// How far each stream is sealed.
    streams: Vec<Stream>,
}

/// How far a stream is sealed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SealedStream)]
struct Stream {
    /// Which stream.
    #[schema(value_type = u8)]
    stream: StreamNo,
    /// Seq of its last sealed record.
    sealed_seq: u64,
}

/// Where the chain ends, and how far each stream is sealed.
#[utoipa::path(
    get,
    path = "/v1/chains/{operator}",
    tag = "chains",
    params(("operator" = String, Path, description = "The operator: the caller itself, or any for people")),
    security(("bearer" = ["records:read"]), ("bearer" = ["inspector"]), ("bearer" = ["tax"]), ("bearer" = ["auditor"])),
    responses((status = 200, description = "The chain's head", body = Chain))
)]
pub async fn get(
    reader: Reader,
    path: web::Path<String>,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let operator = readable(&reader, &path)?;
    let head = service.store.head(operator).await.map_err(unavailable)?;
    let logged = service.store.logged(operator).await.map_err(unavailable)?;
    let streams = head.streams.iter().map(|(stream, at)| Stream { stream: *stream, sealed_seq: at.get() }).collect();
    let chain = Chain { operator, height: head.height, hash: head.hash, total: head.total, logged, streams };
    Ok(HttpResponse::Ok().json(chain))
}
