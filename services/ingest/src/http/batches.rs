//! `POST /v1/streams/{stream}/batches`: a batch in, a receipt out.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use contracts::batch::Media;
use contracts::frame::BatchMeta;
use contracts::problems::Code;
use contracts::{Hash, StreamNo};
use runtime::{ApiError, Caller};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::body::{self, Coding};
use super::prepare::{Prepared, Sent, prepare};
use super::sandbox::{self, Test};
use super::{Service, refusal, signature};
use crate::actors::{Accepted, Append, Order, Unavailable, now};
use crate::domain::StreamKey;

/// How long a batch may take from the mailbox to its answer: the reorder window, a publish and a look at the head, each at its
/// own limit. After that the outcome is unknown.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// The root over the records as the operator computed it.
pub(super) const BATCH_ROOT: HeaderName = HeaderName::from_static("dsom-batch-root");

/// Appends a batch to one of the caller's streams.
///
/// The batch is accepted whole or not at all. Retrying the same bytes is safe for ever and gives the same claims. A batch that
/// begins beyond the next seq waits up to 2 s for the hole to fill; one that begins inside what is accepted, with the same bytes
/// there, has the rest appended and gets a receipt for all of it.
///
/// Each record's `id` is unique per operator for ever. Twice in one batch it is refused here (`invalid-records`, `contradiction` at
/// `/id`); across batches it is compared by reconciliation, not at the door.
#[utoipa::path(
    post,
    path = "/v1/streams/{stream}/batches",
    tag = "batches",
    params(
        ("stream" = u8, Path, description = "One of the caller's streams, 0 to 255"),
        ("DSOM-Batch-Root" = Option<String>, Header, description = "Base64 of the RFC 6962 root over the records, checked"),
        ("Signature-Input" = Option<String>, Header, description = "RFC 9421 in the profile of docs/SIGNATURES.md; with Signature"),
        ("Signature" = Option<String>, Header, description = "The operator's signature of DSOM-Batch-Root, which must be there, too"),
        ("DSOM-Test-Answer" = Option<String>, Header, description = "The sandbox alone: `gap`, `unavailable` or `lost`"),
        ("DSOM-Test-Delay" = Option<u32>, Header, description = "The sandbox alone: milliseconds to answer later, at most 30,000"),
        ("Content-Encoding" = Option<String>, Header, description = "`identity`, `gzip` or `zstd`"),
    ),
    request_body(
        description = "1 to 10,000 records with consecutive seqs, at most 8 MiB unpacked and 4 MiB as sent: a record a line, each \
                       ended by LF, or one JSON object or array of objects",
        content(
            (String = "application/x-ndjson"),
            (super::openapi::Records = "application/json"),
        )
    ),
    security(("bearer" = ["records:write"])),
    responses(
        (status = 201, description = "Records were appended", body = super::openapi::ReceiptDoc),
        (status = 200, description = "All of it was accepted before", body = super::openapi::ReceiptDoc),
    )
)]
pub async fn post(
    request: HttpRequest,
    caller: Caller,
    stream: web::Path<String>,
    payload: web::Payload,
    service: web::Data<Arc<Service>>,
) -> Result<HttpResponse, ApiError> {
    caller.require(super::RECORDS_WRITE)?;
    let stream = stream.parse::<StreamNo>();
    let stream = stream.map_err(|error| ApiError::new(Code::BadRequest, format!("stream: {error}")))?;
    let key = StreamKey { operator: caller.operator(), stream };
    match service.sandbox.clone() {
        Some(sandbox) => {
            // To its end, also when the caller hangs up before: what was appended must be on record.
            let work = async move { sandbox.answer(&request, &caller, key, payload, &service).await };
            actix_web::rt::spawn(work.in_current_span()).await.map_err(|error| ApiError::internal(&error))?
        }
        None => {
            sandbox::refuse(request.headers())?;
            append(&request, key, payload, &service, None).await
        }
    }
}

/// Appends a batch; `test` says what the sandbox was asked to answer instead, and learns what was sent.
pub(super) async fn append(
    request: &HttpRequest,
    key: StreamKey,
    payload: web::Payload,
    service: &Service,
    test: Option<&mut Test>,
) -> Result<HttpResponse, ApiError> {
    let StreamKey { operator, stream } = key;
    let standing = service.standing(operator)?;
    let (media, coding, announced) = (media(request)?, coding(request)?, announced_root(request)?);
    let signature = signature::read(request, announced, &standing, service.env, now())?;

    let mut lease = service.budget.lease(operator);
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    let body = body::read(payload, length, &mut lease).await.map_err(|error| refusal::body(&error))?;
    let sum_up = test.is_some();
    let sent = Sent { body, coding, media, now: now(), standing, signature, sum_up, lease };
    let Prepared { batch, part, beside, summary, lease } =
        prepare(sent, &service.packers).await.map_err(refusal::unfit)?;
    if announced.is_some_and(|root| root != batch.root()) {
        return Err(refusal::root_mismatch(batch.root()));
    }
    service.admit(operator, batch.count())?;
    if let Some(test) = test {
        test.batch = summary;
        test.before_append(service, key).await?;
    }

    let (reply, answer) = oneshot::channel();
    let span = tracing::Span::current();
    let append = Append { batch: Arc::clone(&batch), part, beside, lease, span, reply };
    service.registry.tell(key, Order::Append(append)).map_err(refusal::overloaded)?;
    let gone = || refusal::unavailable(Unavailable::Broker);
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| gone())?.map_err(|_| gone())?;
    let Accepted { accepted_at, appended } =
        answer.map_err(|refused| refusal::refusal(stream, batch.first_seq(), refused))?;
    let status = if appended { HttpResponse::Created() } else { HttpResponse::Ok() };
    let meta = BatchMeta { first_seq: batch.first_seq(), count: batch.count(), accepted_at, root: batch.root() };
    service.receipt(status, key, meta)
}

fn media(request: &HttpRequest) -> Result<Media, ApiError> {
    let given = request.headers().get(header::CONTENT_TYPE).map(|v| v.to_str().unwrap_or("?"));
    let essence = given.and_then(|given| given.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-ndjson") {
        Ok(Media::Ndjson)
    } else if essence.eq_ignore_ascii_case("application/json") {
        Ok(Media::Json)
    } else {
        let detail = "Content-Type must be application/x-ndjson or application/json";
        Err(ApiError::new(Code::UnsupportedMediaType, detail))
    }
}

fn coding(request: &HttpRequest) -> Result<Coding, ApiError> {
    let mut all = request.headers().get_all(header::CONTENT_ENCODING);
    let given = match (all.next(), all.next()) {
        (None, _) => return Ok(Coding::Identity),
        (Some(one), None) => one.to_str().unwrap_or("?").trim().to_ascii_lowercase(),
        (Some(_), Some(_)) => "?".to_owned(),
    };
    match given.as_str() {
        "" | "identity" => Ok(Coding::Identity),
        "gzip" | "x-gzip" => Ok(Coding::Gzip),
        "zstd" => Ok(Coding::Zstd),
        _ => Err(ApiError::new(Code::BadBody, "Content-Encoding must be identity, gzip or zstd, and only one of them")),
    }
}

fn announced_root(request: &HttpRequest) -> Result<Option<Hash>, ApiError> {
    let Some(value) = request.headers().get(BATCH_ROOT) else { return Ok(None) };
    let root = value.to_str().unwrap_or("?").parse::<Hash>();
    root.map(Some).map_err(|error| ApiError::new(Code::BadRequest, format!("DSOM-Batch-Root: {error}")))
}
