//! `GET /v1/export/{operator}`: whole blocks as one file, streamed block by block.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use contracts::Height;
use contracts::export::{Line, MEDIA_TYPE};
use contracts::frame::{BadFrame, Unpacker};
use contracts::problems::Code;
use futures::stream;
use runtime::{ApiError, Reader};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Service, part, readable, unavailable};
use crate::domain::read::OpenBlock;

/// Which blocks.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// First height; 1 when absent.
    from_height: Option<String>,
    /// Last height; the chain's head when absent.
    to_height: Option<String>,
}

/// Blocks of the chain with all their records, in the format `dsom.export.v1`, for checking offline. A file without its last line
/// was cut short.
#[utoipa::path(
    get,
    path = "/v1/export/{operator}",
    tag = "chains",
    params(("operator" = String, Path, description = "The operator: the caller itself, or any for people"), Range),
    security(("bearer" = ["records:read"]), ("bearer" = ["inspector"]), ("bearer" = ["tax"]), ("bearer" = ["auditor"])),
    responses((status = 200, description = "The export", content_type = "application/vnd.dsom.export.v1"))
)]
pub async fn get(
    request: HttpRequest,
    reader: Reader,
    path: web::Path<String>,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    let operator = readable(&reader, &path)?;
    let bad = |detail: String| ApiError::new(Code::BadRequest, detail);
    let range: Range = runtime::query(&request)?;
    let head = service.store.head(operator).await.map_err(unavailable)?.height.0;
    let from = range.from_height.as_deref().map(|text| part::<Height>("from_height", text)).transpose()?;
    let to = range.to_height.as_deref().map(|text| part::<Height>("to_height", text)).transpose()?;
    let (from, to) = (from.map_or(1, |height| height.0), to.map_or(head, |height| height.0));
    if to > head || from > to + 1 {
        return Err(bad(format!("the chain has blocks 1 to {head}")));
    }
    let title = format!("{}{}", Line::Title, Line::Operator(operator));
    let service = service.get_ref().clone();
    let first = (from, 0_u64, Some(title));
    let body = stream::try_unfold(first, move |(next, records, title)| {
        let service = Arc::clone(&service);
        async move {
            if let Some(title) = title {
                return Ok(Some((Bytes::from(title), (next, records, None))));
            }
            // One past the end stands for the last line, two past for nothing more.
            if next > to {
                let end = Line::End { blocks: to + 1 - from, records }.to_string();
                return Ok((next == to + 1).then(|| (Bytes::from(end), (next + 1, records, None))));
            }
            // Given back after each block: a reader that is slow holds up nobody.
            let turn = service.turns.whenever().await?;
            let (stored, open) = service.open_block(&turn, operator, Height(next)).await?;
            let records = records + open.header.records;
            let text = web::block(move || write(&stored.header, &open)).await;
            let text = text.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&error))?;
            Ok::<_, ApiError>(Some((text, (next + 1, records, None))))
        }
    });
    Ok(HttpResponse::Ok().content_type(MEDIA_TYPE).streaming(body))
}

/// One block of the file.
fn write(header: &[u8], open: &OpenBlock) -> Result<Bytes, BadFrame> {
    let mut unpacker = Unpacker::new().map_err(|_| BadFrame::Unpack("no memory to unpack"))?;
    let mut text = Line::Block { bytes: header.len() }.to_string().into_bytes();
    text.extend_from_slice(header);
    for frame in &open.frames {
        let mut seq = frame.first_seq().get();
        for part in frame.parts() {
            for record in unpacker.unpack(part)? {
                let at = contracts::Seq::new(seq).ok_or(BadFrame::Value { field: "a seq", value: seq })?;
                let line = Line::Record { stream: frame.stream, seq: at, bytes: record.len() };
                text.extend_from_slice(line.to_string().as_bytes());
                text.extend_from_slice(record);
                text.push(b'\n');
                seq += 1;
            }
        }
    }
    Ok(text.into())
}
