//! What the sandbox adds: answers that a test asks for by a header, and a record of every request. The market refuses such headers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use contracts::Seq;
use contracts::problems::Code;
use contracts::traffic::{Exchange, Forced, Sent, TEST_ANSWER, TEST_DELAY, TEST_DELAY_MS_MAX};
use runtime::people::People;
use runtime::{ApiError, Caller};

use super::{Service, batches, refusal, signature};
use crate::actors::now;
use crate::domain::StreamKey;
use crate::events::Traffic;

const ANSWER: HeaderName = HeaderName::from_static(TEST_ANSWER);
const DELAY: HeaderName = HeaderName::from_static(TEST_DELAY);
/// Seconds after which a test may ask again: what `Retry-After` of a forced 503 says.
const AGAIN_S: u32 = 2;
/// Characters of a header that are kept.
const HEADER_CHARS_MAX: usize = 100;

/// The sandbox's own.
pub struct Sandbox {
    /// Where requests are kept.
    pub traffic: Traffic,
    /// People who may look at them.
    pub people: Option<Arc<People>>,
}

/// What a request asks of the sandbox, and what was learnt of its batch.
#[derive(Debug, Default)]
pub(super) struct Test {
    forced: Option<Forced>,
    delay_ms: u32,
    /// Whether the answer is the one that was asked for, and not another that came before it.
    carried_out: bool,
    pub(super) batch: Option<Sent>,
}

/// The market has no headers for tests.
pub(super) fn refuse(headers: &HeaderMap) -> Result<(), ApiError> {
    match [ANSWER, DELAY].iter().find(|name| headers.contains_key(*name)) {
        Some(name) => Err(ApiError::new(Code::TestHeader, format!("{name} is for the sandbox alone"))),
        None => Ok(()),
    }
}

impl Test {
    fn read(&mut self, headers: &HeaderMap) -> Result<(), ApiError> {
        let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let bad = |name: HeaderName, right: String| ApiError::new(Code::BadRequest, format!("{name} must be {right}"));
        let read = |text| Forced::ALL.into_iter().find(|forced| forced.as_str() == text);
        self.forced = match text(&ANSWER).map(read) {
            Some(None) => return Err(bad(ANSWER, "gap, unavailable or lost".to_owned())),
            known => known.flatten(),
        };
        let delay = text(&DELAY).map(|text| text.parse().ok().filter(|delay| *delay <= TEST_DELAY_MS_MAX));
        self.delay_ms = delay
            .map(|read| read.ok_or_else(|| bad(DELAY, format!("milliseconds, at most {TEST_DELAY_MS_MAX}"))))
            .transpose()?
            .unwrap_or_default();
        Ok(())
    }

    /// The answer that was asked for in place of an append, if one was.
    pub(super) async fn before_append(&mut self, service: &Service, key: StreamKey) -> Result<(), ApiError> {
        match self.forced {
            None | Some(Forced::Lost) => Ok(()),
            Some(Forced::Unavailable) => {
                self.carried_out = true;
                Err(forced("nothing was taken, as the test asked"))
            }
            Some(Forced::Gap) => {
                let heads = service.truth.heads(key.operator).await.map_err(refusal::unavailable)?;
                let head = heads.iter().find(|head| head.stream == key.stream).map_or(0, |head| head.last);
                self.carried_out = true;
                let detail = "nothing was taken, as the test asked; the stream goes on at expected_seq";
                Err(ApiError::new(Code::Gap, detail).with("expected_seq", head + 1))
            }
        }
    }
}

fn forced(detail: &str) -> ApiError {
    ApiError::new(Code::Unavailable, detail).retry_after(AGAIN_S)
}

impl Sandbox {
    /// Answers a batch as the market would, or as the test asks; what was asked and answered is kept before the answer goes out. When
    /// it can't be kept the answer goes out all the same: it is the record of a test, and the test goes on.
    pub(super) async fn answer(
        &self,
        request: &HttpRequest,
        caller: &Caller,
        key: StreamKey,
        payload: web::Payload,
        service: &Service,
    ) -> Result<HttpResponse, ApiError> {
        let (at, began) = (now(), Instant::now());
        let mut test = Test::default();
        let mut answer = match test.read(request.headers()) {
            Ok(()) => batches::append(request, key, payload, service, Some(&mut test)).await,
            Err(refused) => Err(refused),
        };
        if test.forced == Some(Forced::Lost) && answer.is_ok() {
            test.carried_out = true;
            answer = Err(forced("the batch was taken and its receipt is lost, as the test asked"));
        }
        let refused = answer.as_ref().err();
        let status = match (&answer, refused) {
            (Ok(answer), _) => answer.status().as_u16(),
            (_, Some(refused)) => refused.code.problem().status,
            (Err(_), None) => 500,
        };
        let sent = |name: HeaderName| {
            let text = request.headers().get(name)?.to_str().ok()?;
            Some(text.chars().take(HEADER_CHARS_MAX).collect())
        };
        let took = began.elapsed() + Duration::from_millis(test.delay_ms.into());
        let exchange = Exchange {
            at,
            operator: key.operator,
            stream: key.stream,
            client_key: caller.client_key().map(str::to_owned),
            media: sent(header::CONTENT_TYPE),
            coding: sent(header::CONTENT_ENCODING),
            signed: request.headers().contains_key(signature::SIGNATURE),
            forced: test.forced.filter(|_| test.carried_out),
            delayed_ms: test.delay_ms,
            batch: test.batch,
            status,
            code: refused.map(|refused| refused.code.as_str().to_owned()),
            expected_seq: refused.and_then(|refused| refused.field("expected_seq")?.as_u64()).and_then(Seq::new),
            retry_after_s: refused.and_then(ApiError::retry_after_s),
            took_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
        };
        if let Err(error) = self.traffic.keep(&exchange).await {
            tracing::warn!(operator = %key.operator, error, "a request to the sandbox could not be kept");
        }
        tokio::time::sleep(Duration::from_millis(test.delay_ms.into())).await;
        answer
    }
}
