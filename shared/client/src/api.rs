//! Requests to ingest, and what their answers mean.

use std::time::{Duration, Instant};

use contracts::receipt::Receipt;
use contracts::{Seq, StreamNo};
use ledger::batch_signature::{BatchSignature, Covered};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;

use crate::pause::Pause;
use crate::{Batch, Config, ReceiptKeys, Refusal, SendError, Waiting};

/// Most bytes of an answer that is read.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Characters of an answer that is no problem document, of which a refusal tells.
const TOLD_CHARS_MAX: usize = 200;
/// How long tokens that were just granted may be refused: a server that could not ask for the issuer's keys asks again within 10 s.
const NEW_TOKEN_REFUSED_MAX: Duration = Duration::from_secs(30);
/// How batches are written.
const NDJSON: &str = "application/x-ndjson";

/// Ingest as an operator sees it.
pub struct Api {
    http: reqwest::Client,
    config: Config,
}

/// One try's result.
enum Answer<T> {
    Done(T),
    /// The outcome is unknown, or it is not our turn: the same request again, after a while.
    Again(Option<Duration>, String),
    /// The token was refused.
    Unauthorized(Box<Refusal>),
}

/// How long a request has been tried, and what came of it.
struct Tries {
    attempt: u64,
    since: Instant,
    /// Since when nothing but tokens is refused, although others are granted.
    renewed: Option<Instant>,
    reason: String,
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
        let streams: Streams = self.for_ever(|token| self.get("/v1/streams", Some(token))).await?;
        let found = streams.streams.into_iter().find(|head| head.stream == stream);
        Ok(found.map_or(Seq::FIRST, |head| head.next_seq))
    }

    /// The keys receipts are signed with, asked for until there is an answer.
    ///
    /// # Errors
    /// [`SendError::Refused`], [`SendError::Answer`].
    pub async fn receipt_keys(&self) -> Result<ReceiptKeys, SendError> {
        let keys: serde_json::Value = self.for_ever(|_| self.get("/v1/receipt-keys", None)).await?;
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
        self.for_ever(|token| self.post(stream, batch, token)).await
    }

    /// The receipt of the accepted batch that holds a record, asked for until there is an answer. It is not checked.
    ///
    /// # Errors
    /// [`SendError::Refused`] (404: nothing is accepted there), [`SendError::Answer`].
    pub async fn receipt(&self, stream: StreamNo, seq: Seq) -> Result<Receipt, SendError> {
        let path = format!("/v1/receipts?stream={stream}&seq={seq}");
        self.for_ever(|token| self.get(&path, Some(token))).await
    }

    /// Asks until there is an answer, each time with the token that there is then.
    async fn for_ever<T, F: Future<Output = Result<Answer<T>, SendError>>>(
        &self,
        request: impl Fn(String) -> F,
    ) -> Result<T, SendError> {
        let mut pause = Pause::new(self.config.pause_max);
        let mut tries = Tries { attempt: 0, since: Instant::now(), renewed: None, reason: "no answer".to_owned() };
        loop {
            let Some(left) = self.left(&tries) else {
                return Err(SendError::GaveUp { after: tries.since.elapsed(), why: tries.reason });
            };
            tries.attempt += 1;
            let token = self.config.token.token();
            let answer = match tokio::time::timeout(left, request(token.clone())).await {
                Ok(answer) => answer,
                // The last reason that is known says more than that there was no time for another.
                Err(_) => continue,
            };
            let asked = match answer {
                Ok(Answer::Again(asked, why)) => {
                    tries.reason = why;
                    tries.renewed = None;
                    asked
                }
                Ok(Answer::Unauthorized(refusal)) => {
                    self.renew(&token, refusal, &mut tries).await?;
                    None
                }
                Ok(Answer::Done(answer)) => {
                    self.answered(&tries);
                    return Ok(answer);
                }
                Err(error) => {
                    self.answered(&tries);
                    return Err(error);
                }
            };
            let wait = pause.next(asked);
            tracing::debug!(wait_ms = wait.as_millis() as u64, why = tries.reason.as_str(), "sending the same again");
            let Tries { attempt, since, ref reason, .. } = tries;
            self.config.observer.waiting(&Waiting { attempt, reason: reason.clone(), since });
            tokio::time::sleep(wait.min(self.left(&tries).unwrap_or_default())).await;
        }
    }

    /// Tells the observer, if it knows of waiting.
    fn answered(&self, tries: &Tries) {
        if tries.attempt > 1 {
            self.config.observer.answered();
        }
    }

    /// How long a request may still be tried; `None` when it is over.
    fn left(&self, tries: &Tries) -> Option<Duration> {
        match self.config.give_up_after {
            None => Some(Duration::MAX),
            Some(after) => after.checked_sub(tries.since.elapsed()).filter(|left| !left.is_zero()),
        }
    }

    /// Has another token got. An error when that is in vain.
    async fn renew(&self, refused: &str, refusal: Box<Refusal>, tries: &mut Tries) -> Result<(), SendError> {
        match self.config.token.renew(refused).await {
            Ok(()) => {
                let first = *tries.renewed.get_or_insert_with(Instant::now);
                if first.elapsed() > NEW_TOKEN_REFUSED_MAX {
                    return Err(SendError::Refused(refusal));
                }
                tries.reason = format!("the token is refused: {}", refusal.detail);
            }
            Err(source) if source.is_passing() => tries.reason = format!("no new token: {source}"),
            Err(source) => return Err(SendError::Token { refusal, source }),
        }
        Ok(())
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        token: Option<String>,
    ) -> Result<Answer<T>, SendError> {
        let mut request = self.http.get(format!("{}{path}", self.config.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        read(request.send().await).await
    }

    async fn post(&self, stream: StreamNo, batch: &Batch, token: String) -> Result<Answer<Receipt>, SendError> {
        let url = format!("{}/v1/streams/{stream}/batches", self.config.url);
        let signature = self.sign(&url, batch)?;
        let mut request = self
            .http
            .post(url)
            .bearer_auth(token)
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
        Err(error) => return Ok(Answer::Again(None, no_answer(&error))),
    };
    let status = answer.status();
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let again =
        status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT;
    let body = match bounded(answer).await {
        Ok(body) => body,
        Err(_) if again => Vec::new(),
        Err(why) => return Ok(Answer::Again(None, why)),
    };
    if status.is_success() {
        let read = serde_json::from_slice(&body).map(Answer::Done);
        return read.map_err(|error| SendError::Answer(error.to_string()));
    }
    let refusal = serde_json::from_slice::<Refusal>(&body);
    match (status, refusal) {
        (_, Ok(refusal)) if again && !refusal.detail.is_empty() => {
            Ok(Answer::Again(asked.map(Duration::from_secs), format!("{status}: {}", refusal.detail)))
        }
        _ if again => Ok(Answer::Again(asked.map(Duration::from_secs), status.to_string())),
        (StatusCode::UNAUTHORIZED, refusal) => {
            Ok(Answer::Unauthorized(Box::new(refusal.unwrap_or_else(|_| told(status, "unauthorized", &body)))))
        }
        // A proxy on the way may take less than the server behind it, and knows nothing of problem documents.
        (StatusCode::PAYLOAD_TOO_LARGE, Err(_)) => Err(SendError::Refused(Box::new(told(status, "too-big", &body)))),
        (_, Ok(refusal)) => Err(SendError::Refused(Box::new(refusal))),
        (_, Err(error)) => Err(SendError::Answer(format!("{status}: {error}"))),
    }
}

/// A refusal in words that are no problem document.
fn told(status: StatusCode, code: &str, body: &[u8]) -> Refusal {
    let detail: String = String::from_utf8_lossy(body).chars().take(TOLD_CHARS_MAX).collect();
    Refusal { status: status.as_u16(), code: code.to_owned(), detail, ..Refusal::default() }
}

/// Why there was no answer, in the words of whoever knows best.
fn no_answer(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    format!("no answer: {cause}")
}

async fn bounded(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| no_answer(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return Err("the answer is too long".to_owned());
        }
    }
    Ok(body)
}
