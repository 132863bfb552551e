//! `GET /v1/blocks/{operator}/{height}`: a block's header, and where it stands.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use contracts::registry::Flag;
use contracts::{Hash, Height, StreamNo};
use runtime::{ApiError, Reader};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Service, part, readable, unavailable};
use crate::domain::read::FlaggedRun;

/// A block.
#[derive(Debug, Serialize, ToSchema)]
struct Block {
    /// The header, verbatim: nine lines of text.
    header: String,
    /// SHA-256 of the header, base64.
    #[schema(value_type = String)]
    hash: Hash,
    /// Its index in the public log, once it is there.
    log_index: Option<u64>,
    /// Bytes its records take, packed.
    packed_bytes: u64,
    /// The records that have a flag.
    flags: Vec<Flagged>,
}

/// Records that follow one another and have a flag.
#[derive(Debug, Serialize, ToSchema)]
struct Flagged {
    /// Their stream.
    #[schema(value_type = u8)]
    stream: StreamNo,
    /// `after-suspension`, `outside-licence` or `reported-late`.
    #[schema(value_type = String)]
    flag: Flag,
    /// Seq of the first.
    first_seq: u64,
    /// Seq of the last.
    last_seq: u64,
}

impl From<FlaggedRun> for Flagged {
    fn from(run: FlaggedRun) -> Self {
        let FlaggedRun { stream, flag, first_seq, last_seq } = run;
        Self { stream, flag, first_seq, last_seq }
    }
}

/// A block of the chain, checked against its records before it is shown.
#[utoipa::path(
    get,
    path = "/v1/blocks/{operator}/{height}",
    tag = "chains",
    params(
        ("operator" = String, Path, description = "The operator: the caller itself, or any for people"),
        ("height" = u64, Path, description = "The block's height, from 1"),
    ),
    security(("bearer" = ["records:read"]), ("bearer" = ["inspector"]), ("bearer" = ["tax"]), ("bearer" = ["auditor"])),
    responses((status = 200, description = "The block", body = Block))
)]
pub async fn get(
    reader: Reader,
    path: web::Path<(String, String)>,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let operator = readable(&reader, &path.0)?;
    let height: Height = part("height", &path.1)?;
    let turn = service.turns.soon().await?;
    let (stored, open) = service.open_block(&turn, operator, height).await?;
    let log_index = service.store.index_of(operator, height).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(Block {
        hash: ledger::block_hash(&stored.header),
        header: String::from_utf8_lossy(&stored.header).into_owned(),
        log_index,
        flags: open.flagged().map(Flagged::from).collect(),
        packed_bytes: stored.frames.iter().map(|frame| frame.len() as u64).sum(),
    }))
}
