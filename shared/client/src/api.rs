//! Requests to ingest, and what their answers mean.

use std::time::{Duration, Instant};

use contracts::receipt::Receipt;
use contracts::{Seq, StreamNo};
use ledger::batch_signature::{BadSignature, BatchSignature, Covered};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;

use crate::pause::Pause;
use crate::{BadReceipt, Batch, Config, ReceiptKeys};

/// Most bytes of an answer that is read.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How batches are written.
const NDJSON: &str = "application/x-ndjson";

/// Ingest as an operator sees it.
pub struct Api {
    http: reqwest::Client,
    config: Config,
}

/// A request that was refused for good (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: String,
    /// What is wrong.
    #[serde(default)]
    pub detail: String,
    /// The seq that was expected, where the code is `gap`.
    #[serde(default)]
    pub expected_seq: Option<u64>,
    /// Names the request in the server's log.
    #[serde(default)]
    pub request_id: Option<String>,
}

/// Why sending ended.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The server refused; repeating would not help.
    #[error("refused with {} {}: {}", .0.status, .0.code, .0.detail)]
    Refused(Refusal),
    /// A receipt is not what was promised: keep it, and tell the regulator.
    #[error("a receipt can't be trusted")]
    Receipt(#[source] BadReceipt),
    /// An answer that no such server gives.
    #[error("the server's answer can't be read: {0}")]
    Answer(String),
    /// The stream has no seq left.
    #[error("the stream has no seq left")]
    Exhausted,
    /// Nobody answered. Only requests that are not repeated for ever end so.
    #[error("could not reach {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The batch could not be packed.
    #[error("the batch could not be packed")]
    Pack(#[source] std::io::Error),
    /// The batch could not be signed: the path under the URL can't be, or the clock is before 1970.
    #[error("the batch could not be signed")]
    Sign(#[source] BadSignature),
    /// The sender has ended before.
    #[error("the sender has ended")]
    Ended,
}

/// One try's result.
enum Answer<T> {
    Done(T),
    /// The outcome is unknown, or it is not our turn: the same request again, after a while.
    Again(Option<Duration>, String),
}

#[derive(Deserialize)]
struct Streams {
    streams: Vec<StreamHead>,
}

#[derive(Deserialize)]
struct StreamHead {
    stream: StreamNo,
    next_seq: Seq,
}

impl Api {
    /// Opens no connection yet.
    ///
    /// # Errors
    /// The TLS backend could not be set up.
    pub fn new(config: Config) -> Result<Self, SendError> {
        let http = reqwest::Client::builder().timeout(config.try_timeout).tcp_nodelay(true).build();
        let http = http.map_err(|source| SendError::Unreachable { url: config.url.clone(), source })?;
        Ok(Self { http, config })
    }

    /// What it was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The next seq of a stream, asked for until there is an answer.
    ///
    /// # Errors
    /// [`SendError::Refused`], [`SendError::Answer`].
    pub async fn next_seq(&self, stream: StreamNo) -> Result<Seq, SendError> {
        let streams: Streams = self.for_ever(|| self.get("/v1/streams", true)).await?;
        let found = streams.streams.into_iter().find(|head| head.stream == stream);
        Ok(found.map_or(Seq::FIRST, |head| head.next_seq))
    }

    /// The keys receipts are signed with, asked for until there is an answer.
    ///
    /// # Errors
    /// [`SendError::Refused`], [`SendError::Answer`].
    pub async fn receipt_keys(&self) -> Result<ReceiptKeys, SendError> {
        let keys: serde_json::Value = self.for_ever(|| self.get("/v1/receipt-keys", false)).await?;
        let keys = ReceiptKeys::parse(keys.to_string().as_bytes());
        keys.map_err(|error| SendError::Answer(format!("not a JWK Set: {error}")))
    }

    /// The keys again, because those at hand lack a receipt's. A new key is published before it signs, but while processes are
    /// restarted one after the other, or behind a cache, a set may be older than the receipt: it is asked for again, with pauses, until
    /// it has the key or [`Config::receipt_key_timeout`] has passed.
    ///
    /// # Errors
    /// [`SendError::Refused`], [`SendError::Answer`].
    pub async fn receipt_keys_for(&self, receipt: &Receipt) -> Result<ReceiptKeys, SendError> {
        let (began, mut pause) = (Instant::now(), Pause::new(self.config.pause_max));
        loop {
            let keys = self.receipt_keys().await?;
            if !keys.lack_key_of(receipt) || began.elapsed() >= self.config.receipt_key_timeout {
                return Ok(keys);
            }
            let wait = pause.next(None);
            tracing::debug!(wait_ms = wait.as_millis() as u64, "the receipt's key is not published yet");
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a batch until it is accepted or refused.
    ///
    /// # Errors
    /// [`SendError::Refused`], [`SendError::Answer`].
    pub async fn send(&self, stream: StreamNo, batch: &Batch) -> Result<Receipt, SendError> {
        self.for_ever(|| self.post(stream, batch)).await
    }

    async fn for_ever<T, F: Future<Output = Result<Answer<T>, SendError>>>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<T, SendError> {
        let mut pause = Pause::new(self.config.pause_max);
        loop {
            match request().await? {
                Answer::Done(answer) => return Ok(answer),
                Answer::Again(asked, why) => {
                    let wait = pause.next(asked);
                    tracing::debug!(wait_ms = wait.as_millis() as u64, why, "sending the same again");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str, token: bool) -> Result<Answer<T>, SendError> {
        let mut request = self.http.get(format!("{}{path}", self.config.url));
        if token {
            request = request.bearer_auth((self.config.token)());
        }
        read(request.send().await).await
    }

    async fn post(&self, stream: StreamNo, batch: &Batch) -> Result<Answer<Receipt>, SendError> {
        let url = format!("{}/v1/streams/{stream}/batches", self.config.url);
        let signature = self.sign(&url, batch)?;
        let mut request = self
            .http
            .post(url)
            .bearer_auth((self.config.token)())
            .header(CONTENT_TYPE, NDJSON)
            .header("dsom-batch-root", batch.root.to_string())
            .body(batch.body.clone());
        if let Some(encoding) = batch.encoding.header() {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        if let Some(signature) = signature {
            request = request.header("signature-input", signature.signature_input());
            request = request.header("signature", signature.signature());
        }
        read(request.send().await).await
    }

    /// The batch's signature, where there is a key. The path signed is the one on the wire, after the URL was
    /// normalised.
    fn sign(&self, url: &str, batch: &Batch) -> Result<Option<BatchSignature>, SendError> {
        // A URL that can't be read fails when it is sent to, with or without a signature.
        let (Some(key), Ok(url)) = (&self.config.batch_key, Url::parse(url)) else { return Ok(None) };
        let covered = Covered::new(url.path(), NDJSON, batch.root).map_err(SendError::Sign)?;
        key.sign(&covered).map(Some).map_err(SendError::Sign)
    }
}

/// Sorts an answer: good, to be repeated, or refused.
async fn read<T: serde::de::DeserializeOwned>(
    answer: Result<Response, reqwest::Error>,
) -> Result<Answer<T>, SendError> {
    let answer = match answer {
        Ok(answer) => answer,
        // Whatever went wrong on the way, the request may have arrived.
        Err(error) => return Ok(Answer::Again(None, error.to_string())),
    };
    let status = answer.status();
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT {
        return Ok(Answer::Again(asked.map(Duration::from_secs), status.to_string()));
    }
    let body = match bounded(answer).await {
        Ok(body) => body,
        Err(why) => return Ok(Answer::Again(None, why)),
    };
    if status.is_success() {
        let read = serde_json::from_slice(&body).map(Answer::Done);
        return read.map_err(|error| SendError::Answer(error.to_string()));
    }
    match serde_json::from_slice::<Refusal>(&body) {
        Ok(refusal) => Err(SendError::Refused(refusal)),
        Err(error) => Err(SendError::Answer(format!("{status}: {error}"))),
    }
}

async fn bounded(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return Err("the answer is too long".to_owned());
        }
    }
    Ok(body)
}
