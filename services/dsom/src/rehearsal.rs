//! An integration as it should be, in the sandbox: what comes of each answer is in [`Line::send`], and it is all there is to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::Tokens;
use contracts::UnixMillis;
use contracts::record::Vertical;
use contracts::traffic::{TEST_ANSWER, TEST_DELAY};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::Failure;
use crate::conformance::DELAY_MS_MIN;
use crate::generate::{Generator, Mix};

/// The stream of the load.
const LOAD: u8 = 0;
/// The stream of the exercises.
const EXERCISES: u8 = 1;
/// How often a batch is sent.
const EVERY: Duration = Duration::from_millis(500);
/// How long one try may take; after that its outcome is unknown.
const TRY_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after a try that was not answered.
const PAUSE: Duration = Duration::from_secs(1);
/// Tries after which a person must look.
const TRIES_MAX: usize = 50;

/// Tokens of the key in use, and of the one that follows it.
pub struct Keys {
    both: [Arc<Tokens>; 2],
    gone_over: AtomicBool,
}

impl Keys {
    /// The first is in use.
    pub fn new(first: Arc<Tokens>, second: Arc<Tokens>) -> Self {
        Self { both: [first, second], gone_over: AtomicBool::new(false) }
    }

    fn token(&self) -> String {
        let [first, second] = &self.both;
        if self.gone_over.load(Ordering::Relaxed) { second.token() } else { first.token() }
    }
}

/// One stream, and how far it has come.
struct Line<'a> {
    http: reqwest::Client,
    url: String,
    keys: &'a Keys,
    next_seq: u64,
}

impl<'a> Line<'a> {
    async fn open(ingest: &str, keys: &'a Keys, stream: u8) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().timeout(TRY_TIMEOUT).build();
        let http = http.map_err(|error| Failure::unreachable("no HTTP client").because(&error))?;
        let url = format!("{ingest}/v1/streams");
        let cannot = |error: reqwest::Error| Failure::unreachable(format!("could not ask {url}")).because(&error);
        let heads = http.get(&url).bearer_auth(keys.token()).send().await.map_err(cannot)?;
        let heads: Value = heads.json().await.map_err(cannot)?;
        let own = |head: &&Value| head.get("stream").and_then(Value::as_u64) == Some(stream.into());
        let head = heads.get("streams").and_then(Value::as_array).and_then(|all| all.iter().find(own));
        let next_seq = head.and_then(|head| head.get("next_seq")?.as_u64()).unwrap_or(1);
        Ok(Self { http, url: format!("{url}/{stream}/batches"), keys, next_seq })
    }

    /// One try; `test` asks the sandbox for an answer. Status, body, and how long to wait.
    async fn once(&self, body: &[u8], test: Option<(&str, String)>) -> Result<(u16, Value, Duration), Failure> {
        let request = self.http.post(&self.url).bearer_auth(self.keys.token());
        let mut request = request.header(CONTENT_TYPE, "application/x-ndjson").body(body.to_vec());
        if let Some((name, value)) = test {
            request = request.header(name, value);
        }
        let cannot =
            |error: reqwest::Error| Failure::unreachable(format!("could not send to {}", self.url)).because(&error);
        let answer = request.send().await.map_err(cannot)?;
        let status = answer.status().as_u16();
        let wait = answer.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
        Ok((status, answer.json().await.map_err(cannot)?, Duration::from_secs(wait.unwrap_or(1))))
    }

    /// Sends a batch that begins with the next seq, until it is taken: the same bytes after 429, 503, and a gap that is none.
    async fn send(&mut self, body: &[u8], records: u64, mut test: Option<(&str, String)>) -> Result<(), Failure> {
        for _ in 0..TRIES_MAX {
            let (status, answer, wait) = match self.once(body, test.take()).await {
                Ok(answered) => answered,
                // Whether it was taken is not known: the same bytes again.
                Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let expected = answer.get("expected_seq").and_then(Value::as_u64);
            match status {
                200 | 201 => {
                    self.next_seq += records;
                    return Ok(());
                }
                408 | 429 | 500..=599 => tokio::time::sleep(wait).await,
                409 if expected == Some(self.next_seq) => {}
                _ => return Err(Failure::bad(format!("{status} {answer}"))),
            }
        }
        Err(Failure::bad(format!("{} did not take a batch in {TRIES_MAX} tries", self.url)))
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Sends at a rate for so long; goes over to the second key half-way. How many records were taken.
///
/// # Errors
/// [`Failure`]: the sandbox does not answer, or refuses.
pub async fn load(ingest: &str, keys: &Keys, rate: u32, seconds: u64) -> Result<u64, Failure> {
    let mut line = Line::open(ingest, keys, LOAD).await?;
    let (mut generator, first) =
        (Generator::new(now_ms().unsigned_abs(), Mix::default(), line.next_seq), line.next_seq);
    let batch = u64::from(rate).div_ceil(2).clamp(1, 10_000);
    let mut ticks = tokio::time::interval(EVERY);
    for tick in 0..seconds * 2 {
        ticks.tick().await;
        keys.gone_over.store(tick >= seconds, Ordering::Relaxed);
        let mut body = Vec::new();
        for _ in 0..batch {
            generator.push_line(&mut body, now_ms());
        }
        line.send(&body, batch, None).await?;
    }
    Ok(line.next_seq - first)
}

/// Goes through everything that does not happen by itself. What was shown.
///
/// # Errors
/// [`Failure`]: the sandbox does not answer, or answers otherwise than asked.
pub async fn exercise(ingest: &str, keys: &Keys) -> Result<Vec<&'static str>, Failure> {
    let mut line = Line::open(ingest, keys, EXERCISES).await?;
    let mut shown = vec!["every vertical"];
    for vertical in Vertical::ALL {
        let body = wager(line.next_seq, vertical.as_str(), 100).to_string();
        line.send(body.as_bytes(), 1, None).await?;
    }
    let delay = DELAY_MS_MIN.to_string();
    for (name, value, what) in [
        (TEST_ANSWER, "gap", "a gap"),
        (TEST_ANSWER, "unavailable", "an answer 503"),
        (TEST_ANSWER, "lost", "a lost answer"),
        (TEST_DELAY, delay.as_str(), "a late answer"),
    ] {
        let body = wager(line.next_seq, "slots", 100).to_string();
        line.send(body.as_bytes(), 1, Some((name, value.to_owned()))).await?;
        shown.push(what);
    }
    // The same record with another amount: refused, not repeated.
    let mut record = wager(line.next_seq, "slots", 100);
    line.send(record.to_string().as_bytes(), 1, None).await?;
    if let Some(amount) = record.get_mut("amount") {
        *amount = json!(101);
    }
    match line.once(record.to_string().as_bytes(), None).await? {
        (409, answer, _) if answer.get("code").and_then(Value::as_str) == Some("rewrite-attempt") => {}
        (status, answer, _) => return Err(Failure::bad(format!("a changed record was answered {status} {answer}"))),
    }
    let body = wager(line.next_seq, "slots", 100).to_string();
    line.send(body.as_bytes(), 1, None).await?;
    shown.push("a refused rewrite");
    Ok(shown)
}

fn wager(seq: u64, vertical: &str, amount: u64) -> Value {
    json!({
        "seq": seq, "id": uuid::Uuid::new_v4(), "type": "wager", "at": UnixMillis(now_ms()).to_string(), "amount": amount,
        "currency": "UAH", "channel": "web", "vertical": vertical, "game": "rehearsal", "round": seq.to_string(),
    })
}
