//! The public log over HTTP, as C2SP `tlog-tiles`: checkpoint, tiles, entry bundles, and the public key. No token is needed.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use contracts::problems::Code;
use ledger::{BundleId, TileId, encode_bundle};
use runtime::ApiError;

use super::{Service, unavailable};

/// A checkpoint is news for a second.
const CACHE_SHORT: &str = "max-age=1, must-revalidate";
/// A full tile never changes.
const CACHE_FOR_EVER: &str = "max-age=31536000, immutable";
const OCTETS: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

/// The newest signed checkpoint.
#[utoipa::path(
    get,
    path = "/log/checkpoint",
    tag = "log",
    responses((status = 200, description = "A C2SP tlog-checkpoint", content_type = "text/plain"))
)]
pub async fn checkpoint(service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    let note = service.shown.borrow().note.clone();
    let note = note.ok_or_else(|| ApiError::new(Code::NotFound, "the log has no entry yet"))?;
    Ok(HttpResponse::Ok().content_type(TEXT).insert_header((CACHE_CONTROL, CACHE_SHORT)).body(note))
}

/// The log's public key.
#[utoipa::path(
    get,
    path = "/log/vkey",
    tag = "log",
    responses((status = 200, description = "A C2SP signed-note verifier key", content_type = "text/plain"))
)]
pub async fn vkey(service: web::Data<Arc<Service>>) -> HttpResponse {
    HttpResponse::Ok().content_type(TEXT).body(format!("{}\n", service.key.verifier()))
}

/// A tile, or a bundle of entries.
#[utoipa::path(
    get,
    path = "/log/tile/{path}",
    tag = "log",
    params(("path" = String, Path, description = "`<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`")),
    responses((status = 200, description = "Hashes, or entries", content_type = "application/octet-stream"))
)]
pub async fn tile(path: web::Path<String>, service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    let name = format!("tile/{path}");
    let size = service.shown.borrow().size;
    let (bytes, full) = if let Ok(bundle) = name.parse::<BundleId>() {
        (bundle_bytes(&service, bundle, size).await?, bundle.width == 256)
    } else if let Ok(tile) = name.parse::<TileId>() {
        (tile_bytes(&service, tile, size).await?, tile.is_full())
    } else {
        (None, false)
    };
    let bytes = bytes.ok_or_else(|| ApiError::new(Code::NotFound, "the log has no such tile"))?;
    let cache = if full { CACHE_FOR_EVER } else { CACHE_SHORT };
    let answer = HttpResponse::Ok()
        .content_type(OCTETS)
        .insert_header((CACHE_CONTROL, cache))
        .insert_header((CONTENT_ENCODING, "identity"))
        .body(bytes);
    Ok(answer)
}

/// A tile of any width that a log of this size has or once had.
async fn tile_bytes(service: &Service, tile: TileId, size: u64) -> Result<Option<Bytes>, ApiError> {
    let there = TileId::of(tile.level, tile.index, size).is_some_and(|now| tile.width <= now.width);
    if !there {
        return Ok(None);
    }
    let bytes = service.store.tile(tile.level, tile.index).await.map_err(unavailable)?;
    let width = usize::from(tile.width) * 32;
    Ok(bytes.filter(|bytes| bytes.len() >= width).map(|bytes| bytes.slice(..width)))
}

/// A bundle of any width that a log of this size has or once had.
async fn bundle_bytes(service: &Service, bundle: BundleId, size: u64) -> Result<Option<Bytes>, ApiError> {
    let there = BundleId::of(bundle.index, size).is_some_and(|now| bundle.width <= now.width);
    if !there {
        return Ok(None);
    }
    let (from, width) = (bundle.index * ledger::TILE_WIDTH, usize::from(bundle.width));
    let entries = service.store.entries(from, width).await.map_err(unavailable)?;
    if entries.len() < width {
        return Ok(None);
    }
    let bytes = encode_bundle(entries.iter().map(|entry| entry.header.as_ref()));
    bytes.map(|bytes| Some(bytes.into())).map_err(|error| ApiError::internal(&error))
}
