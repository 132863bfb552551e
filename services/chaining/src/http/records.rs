//! `GET /v1/records/{operator}/{stream}/{seq}`: a record as it was sent, and its proof.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use contracts::frame::Unpacker;
use contracts::problems::Code;
use contracts::{Hash, Height, OperatorId, Seq, StreamNo};
use ledger::{RecordProof, SignedRecord, TileId, TlogProof, Tree, inclusion_from_tiles, inclusion_tiles};
use runtime::{ApiError, Reader};

use super::turns::Turn;
use super::{Service, part, readable, unavailable};
use crate::domain::read::{Found, OpenBlock, SignedRecords};
use crate::storage::StoredBlock;

/// How long a proof waits for the checkpoint that will cover it: a few of the log's ticks.
const PUBLISH_WAIT: Duration = Duration::from_secs(2);
/// Media type of a proof file, which is text.
const PROOF_TYPE: &str = "text/plain; charset=utf-8";

/// What is said of a record beside its bytes: words with commas between.
const FLAGS: &str = "dsom-flags";

/// The bytes of a record, exactly as the operator sent them. `DSOM-Flags` says what is known of it beside them: `after-suspension`, it
/// is a wager of a time in which the licence was suspended; `outside-licence`, no licence covered it; `reported-late`, it is said to be of
/// a time in which its licence was active, and came more than five minutes after that had ended.
#[utoipa::path(
    get,
    path = "/v1/records/{operator}/{stream}/{seq}",
    tag = "records",
    params(
        ("operator" = String, Path, description = "The operator: the caller itself, or any for people"),
        ("stream" = u8, Path, description = "The stream, 0 to 255"),
        ("seq" = u64, Path, description = "The record's seq"),
    ),
    security(("bearer" = ["records:read"]), ("bearer" = ["inspector"]), ("bearer" = ["tax"]), ("bearer" = ["auditor"])),
    responses((
        status = 200,
        description = "The record",
        content_type = "application/json",
        body = super::openapi::Record,
        headers(("DSOM-Flags" = String, description = "Its flags, with commas between; missing when it has none"))
    ))
)]
pub async fn get(
    reader: Reader,
    path: web::Path<(String, String, String)>,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let place = Place::read(&reader, &path)?;
    let turn = service.turns.soon().await?;
    let (_, open) = place.open(&service, &turn).await?;
    let found = place.find(open).await?.1;
    let mut answer = HttpResponse::Ok();
    if !found.flags.is_empty() {
        let flags: Vec<&str> = found.flags.iter().map(|flag| flag.as_str()).collect();
        answer.insert_header((FLAGS, flags.join(", ")));
    }
    Ok(answer.content_type("application/json").body(found.record))
}

/// One file that shows that the operator sent the record: the record, its place in the batch that the operator signed, and the
/// signature. `docs/SIGNATURES.md` has its form; whose key it is, the register of keys says.
#[utoipa::path(
    get,
    path = "/v1/records/{operator}/{stream}/{seq}/signature",
    tag = "records",
    params(
        ("operator" = String, Path, description = "The operator: the caller itself, or any for people"),
        ("stream" = u8, Path, description = "The stream, 0 to 255"),
        ("seq" = u64, Path, description = "The record's seq"),
    ),
    security(("bearer" = ["records:read"]), ("bearer" = ["inspector"]), ("bearer" = ["tax"]), ("bearer" = ["auditor"])),
    responses((status = 200, description = "A .signed-record file", content_type = "text/plain"))
)]
pub async fn signature(
    reader: Reader,
    path: web::Path<(String, String, String)>,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let place = Place::read(&reader, &path)?;
    let turn = service.turns.soon().await?;
    let (_, open) = place.open(&service, &turn).await?;
    let (open, found) = place.find(open).await?;
    let Some(signed) = open.signature(place.stream, place.seq) else {
        let detail = format!("the batch that held seq {} of stream {} is not signed", place.seq, place.stream);
        return Err(ApiError::new(Code::NotFound, detail));
    };
    let leaves = signed_leaves(&service, &turn, &place, &signed, &open).await?;
    let SignedRecords { first_seq, count, root, text } = signed;
    let made = web::block(move || {
        let leaf = place.seq.get() - first_seq;
        let path = Tree::new(&leaves).inclusion_proof(leaf).map_err(|error| ApiError::internal(&error))?;
        let file = SignedRecord { record: found.record, leaf, count: count.into(), root, path, signature: text };
        file.check_place().map_err(|error| ApiError::internal(&error))?;
        Ok::<_, ApiError>((place, file.to_bytes()))
    });
    let (place, file) = made.await.map_err(|error| ApiError::internal(&error))??;
    Ok(place.file("signed-record", file))
}

/// The leaves of all records that were signed together. Some may have been accepted, and sealed, before the batch that was signed.
async fn signed_leaves(
    service: &Service,
    turn: &Turn,
    place: &Place,
    signed: &SignedRecords,
    own: &OpenBlock,
) -> Result<Vec<Hash>, ApiError> {
    let Place { operator, stream, .. } = *place;
    let end = signed.first_seq + u64::from(signed.count);
    let mut leaves: Vec<Hash> = Vec::new();
    let mut next = signed.first_seq;
    while next < end {
        if own.holds(stream, next) {
            leaves.extend(own.leaves_of(stream, next, end - 1));
        } else {
            let seq = Seq::new(next).ok_or_else(|| place.not_sealed())?;
            let (_, earlier) = Place { operator, stream, seq }.open(service, turn).await?;
            leaves.extend(earlier.leaves_of(stream, next, end - 1));
        }
        next = signed.first_seq + leaves.len() as u64;
    }
    Ok(leaves)
}

/// One file that proves the record: to any verifier of C2SP tlog-proof that its block's header is in the log, to `dsom verify` the
/// rest. It is verified here before it is handed out.
#[utoipa::path(
    get,
    path = "/v1/records/{operator}/{stream}/{seq}/proof",
    tag = "records",
    params(
        ("operator" = String, Path, description = "The operator: the caller itself, or any for people"),
        ("stream" = u8, Path, description = "The stream, 0 to 255"),
        ("seq" = u64, Path, description = "The record's seq"),
    ),
    security(("bearer" = ["records:read"]), ("bearer" = ["inspector"]), ("bearer" = ["tax"]), ("bearer" = ["auditor"])),
    responses((status = 200, description = "A .tlog-proof file", content_type = "text/plain"))
)]
pub async fn proof(
    reader: Reader,
    path: web::Path<(String, String, String)>,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let place = Place::read(&reader, &path)?;
    // The checkpoint is waited for before the turn, which holds a block in memory.
    let height = place.height(&service).await?;
    let (index, size, note) = published(&service, place.operator, height).await?;
    let turn = service.turns.soon().await?;
    let (stored, open) = place.open(&service, &turn).await?;
    let (open, found) = place.find(open).await?;
    let header_path = header_path(&service, index, size).await?;
    let verifier = service.key.verifier().clone();
    let made = web::block(move || {
        let path = Tree::new(&open.leaves).inclusion_proof(found.leaf).map_err(|error| ApiError::internal(&error))?;
        let record = found.record;
        let extra = RecordProof { record, leaf: found.leaf, path, header: stored.header.to_vec() }.to_bytes();
        let file = TlogProof { extra: Some(extra), index, path: header_path, checkpoint: note.to_vec() }.to_bytes();
        match ledger::verify::record_proof(&file, &verifier) {
            Ok(_) => Ok(file),
            Err(error) => Err(ApiError::internal(&error)),
        }
    });
    let file = made.await.map_err(|error| ApiError::internal(&error))??;
    Ok(place.file("tlog-proof", file))
}

/// A record's name.
struct Place {
    operator: OperatorId,
    stream: StreamNo,
    seq: Seq,
}

impl Place {
    fn read(reader: &Reader, (operator, stream, seq): &(String, String, String)) -> Result<Self, ApiError> {
        Ok(Self { operator: readable(reader, operator)?, stream: part("stream", stream)?, seq: part("seq", seq)? })
    }

    /// An answer that is kept as a file, named after the record.
    fn file(&self, kind: &str, bytes: Vec<u8>) -> HttpResponse {
        let name = format!("{}.{}.{}.{kind}", self.operator, self.stream, self.seq);
        HttpResponse::Ok()
            .content_type(PROOF_TYPE)
            .insert_header(("content-disposition", format!("attachment; filename=\"{name}\"")))
            .body(bytes)
    }

    fn not_sealed(&self) -> ApiError {
        ApiError::new(Code::NotFound, format!("seq {} of stream {} is not sealed", self.seq, self.stream))
    }

    /// The height of the block that holds it.
    async fn height(&self, service: &Service) -> Result<Height, ApiError> {
        let height = service.store.height_holding(self.operator, self.stream, self.seq).await.map_err(unavailable)?;
        height.ok_or_else(|| self.not_sealed())
    }

    /// The block that holds it.
    async fn open(&self, service: &Service, turn: &Turn) -> Result<(StoredBlock, OpenBlock), ApiError> {
        service.open_block(turn, self.operator, self.height(service).await?).await
    }

    /// The record in its block.
    async fn find(&self, open: OpenBlock) -> Result<(OpenBlock, Found), ApiError> {
        let (stream, seq) = (self.stream, self.seq);
        let found = web::block(move || {
            let mut unpacker = Unpacker::new().map_err(|error| ApiError::internal(&error))?;
            let found = open.find(stream, seq, &mut unpacker).map_err(|error| ApiError::internal(&error))?;
            Ok::<_, ApiError>((open, found))
        });
        let (open, found) = found.await.map_err(|error| ApiError::internal(&error))??;
        Ok((open, found.ok_or_else(|| self.not_sealed())?))
    }
}

/// A block's index in the log, and a checkpoint that covers it; waits a little when it is about to come.
async fn published(service: &Service, operator: OperatorId, height: Height) -> Result<(u64, u64, Bytes), ApiError> {
    let mut shown = service.shown.clone();
    let covered = async {
        loop {
            let now = shown.borrow_and_update().clone();
            let index = service.store.index_of(operator, height).await.map_err(unavailable)?;
            if let (Some(index), Some(note)) = (index, now.note)
                && index < now.size
            {
                return Ok((index, now.size, note));
            }
            if shown.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    };
    let late =
        |_| ApiError::new(Code::Unavailable, "the record is sealed, its block is not published yet").retry_after(1);
    tokio::time::timeout(PUBLISH_WAIT, covered).await.map_err(late)?
}

/// The path from an entry to the root of the log at a size.
async fn header_path(service: &Service, index: u64, size: u64) -> Result<Vec<Hash>, ApiError> {
    let mut tiles: Vec<(TileId, Bytes)> = Vec::new();
    for tile in inclusion_tiles(index, size).map_err(|error| ApiError::internal(&error))? {
        let bytes = service.store.tile(tile.level, tile.index).await.map_err(unavailable)?.unwrap_or_default();
        let width = usize::from(tile.width) * 32;
        tiles.push((tile, bytes.slice(..width.min(bytes.len()))));
    }
    let read = |wanted: TileId| {
        let found = tiles.iter().find(|(tile, _)| *tile == wanted).map(|(_, bytes)| bytes.clone());
        Ok::<_, std::convert::Infallible>(found.unwrap_or_default())
    };
    inclusion_from_tiles(index, size, read).map_err(|error| ApiError::internal(&error))
}
