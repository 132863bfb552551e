//! Goes around every request: its id, its span, its measure, and a problem instead of a bare refusal.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{RequestHead, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpResponse, ResponseError};
use contracts::problems::Code;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use tracing::Instrument;
use tracing::field::Empty;

use crate::ApiError;
use crate::problem::REQUEST_ID;

/// The header that carries the id of a request, both ways.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id taken from a caller.
const ID_CHARS_MAX: usize = 64;
/// Bytes of a request's head, and lines of its headers. Both are below what actix-http takes (128 KiB, 96 lines), so that who sends too
/// much is told so by a problem; beyond that it answers itself, without one.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 64;

static SECONDS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    opentelemetry::global::meter("dsom_http")
        .f64_histogram("dsom_http_request_seconds")
        .with_description("Time to answer a request, by route and status.")
        .with_boundaries(vec![0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0])
        .build()
});
// Told apart from other processes by a random part, within this one by counting.
static PROCESS: LazyLock<u32> = LazyLock::new(rand::random);
static COUNT: AtomicU64 = AtomicU64::new(1);

pub(crate) async fn around(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let id = taken(request.headers()).unwrap_or_else(made);
    let (method, refused) = (request.method().clone(), too_big(request.head()));
    if method == Method::HEAD {
        // The same in every way but that no body is sent (RFC 9110 section 9.3.2); actix-web would want a second route for each path.
        request.head_mut().method = Method::GET;
    }
    let span = tracing::info_span!(
        "request",
        method = method.as_str(),
        request_id = id,
        otel.kind = Empty,
        otel.status_code = Empty,
        http.route = Empty,
        http.response.status_code = Empty,
    );
    let exported = crate::telemetry::continue_trace(&span, request.headers());

    let mut answer = match refused {
        Some(refused) => request.into_response(answer_to(&refused, &id)),
        None => {
            let mut slot = id.clone();
            let mut call = pin!(next.call(request).instrument(span.clone()));
            let answer = poll_fn(|cx| {
                REQUEST_ID.with_borrow_mut(|current| std::mem::swap(current, &mut slot));
                let polled = call.as_mut().poll(cx);
                REQUEST_ID.with_borrow_mut(|current| std::mem::swap(current, &mut slot));
                polled
            })
            .await?;
            // Handlers' errors are answers by now; `?` is for errors of a service's own middleware, of which there is none.
            as_problem(answer.map_into_boxed_body(), &id)
        }
    };
    if method == Method::HEAD {
        answer = answer.map_body(|_, body| Unsent(body.size()).boxed());
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    // Asked after routing, which remembers what matched: asked before, every request would be routed twice.
    let route = answer.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    let status = answer.status();
    span.in_scope(|| tracing::debug!(route, status = status.as_u16(), "answered"));
    if exported {
        crate::telemetry::describe(&span, &method, &route, status);
    }
    SECONDS.record(
        began.elapsed().as_secs_f64(),
        &[KeyValue::new("route", route), KeyValue::new("status", i64::from(status.as_u16()))],
    );
    Ok(answer)
}

/// Refuses a head over the limits. As it was sent: what is between a name, a value and the line's end, spaces aside, counts.
fn too_big(head: &RequestHead) -> Option<ApiError> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = head.method.as_str().len() + target + "  HTTP/1.1\r\n".len();
    let header = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + ": \r\n".len();
    let (count, bytes) = (head.headers.len(), line + head.headers.iter().map(header).sum::<usize>());
    let refused = count > HEADERS_MAX || bytes > HEAD_BYTES_MAX;
    let detail = || {
        format!("the head has {bytes} bytes and {count} headers: at most {HEAD_BYTES_MAX} and {HEADERS_MAX} are taken")
    };
    refused.then(|| ApiError::new(Code::HeadTooBig, detail()))
}

/// The answer that tells of a refusal, with the request's id.
fn answer_to(refused: &ApiError, id: &str) -> HttpResponse {
    REQUEST_ID.with_borrow_mut(|current| id.clone_into(current));
    let answer = refused.error_response();
    REQUEST_ID.with_borrow_mut(String::clear);
    answer
}

/// actix's own refusals (405, a path value of a wrong form) are bare text: they become problems, too.
fn as_problem(answer: ServiceResponse, id: &str) -> ServiceResponse {
    let bare = match answer.headers().get(CONTENT_TYPE) {
        None => true,
        Some(kind) => kind.as_bytes().starts_with(b"text/plain"),
    };
    let status = answer.status();
    if !bare || !(status.is_client_error() || status.is_server_error()) {
        return answer;
    }
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => (Code::NotFound, "no such resource"),
        StatusCode::METHOD_NOT_ALLOWED => (Code::MethodNotAllowed, "the resource does not know this method"),
        StatusCode::PAYLOAD_TOO_LARGE => (Code::TooBig, "the body is too big"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (Code::UnsupportedMediaType, "the media type is not accepted"),
        StatusCode::REQUEST_TIMEOUT => (Code::RequestTimeout, "the request did not arrive in time"),
        StatusCode::SERVICE_UNAVAILABLE => (Code::Unavailable, "not now"),
        status if status.is_server_error() => (Code::Internal, "see request_id"),
        _ => (Code::BadRequest, "the request is not of its form"),
    };
    let allow = answer.headers().get(ALLOW).cloned();
    let mut problem = answer.into_response(answer_to(&ApiError::new(code, detail), id));
    if let Some(allow) = allow {
        problem.headers_mut().insert(ALLOW, with_head(allow));
    }
    problem
}

/// The methods of a resource: what knows GET knows HEAD.
fn with_head(allow: HeaderValue) -> HeaderValue {
    let known = allow.to_str().unwrap_or_default();
    let gets = known.split(',').any(|method| method.trim() == "GET");
    HeaderValue::from_str(&format!("{known}, HEAD")).ok().filter(|_| gets).unwrap_or(allow)
}

/// The size of a body that is not sent.
struct Unsent(BodySize);

impl MessageBody for Unsent {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

/// The caller's id, when it can be put in a log as it is.
fn taken(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID_HEADER)?.to_str().ok()?;
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    ((1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(safe)).then(|| id.to_owned())
}

fn made() -> String {
    format!("{:08x}-{:x}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}
