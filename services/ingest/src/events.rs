//! The bus as ingest uses it: frames go to `TX` under the fence, alerts to `ALERTS`, old frames are asked of chaining.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bus::{AskError, Bus, Headers, Link, PublishError, ReadError, StoredMessage};
use bytes::Bytes;
use contracts::ask::{FramesAnswer, FramesQuery};
use contracts::events::{
    CE_FLAGGED, CE_FRAME, CE_REWRITE_ATTEMPT, CE_SPECVERSION, FlaggedRecords, REWRITE_ATTEMPT, RewriteAttempt,
};
use contracts::frame::Frame;
use contracts::traffic::{CE_EXCHANGE, Exchange, Kept};
use contracts::{OperatorId, Seq, subjects};

use crate::actors::{AppendError, Broker, Stored, Unavailable, now};
use crate::domain::{Difference, Flagged, StreamKey};

/// How long chaining may take to answer one question of 1 MiB.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);
/// How long chaining may take to say how far a stream is sealed: the first batch of a stream waits for it.
const SEALED_TIMEOUT: Duration = Duration::from_secs(1);
/// Frames are sealed and trimmed while they are looked up: how often to begin again.
const LOOKUPS_MAX: u32 = 4;
/// After a question that chaining left unanswered, how long it is not asked: else each lookup would wait as long as that one did.
const CHAINING_REST: Duration = Duration::from_secs(2);
/// Pause between two lookups.
const LOOKUP_PAUSE: Duration = Duration::from_millis(50);

/// JetStream and chaining, behind one bus.
pub struct JetStream {
    bus: Bus,
    /// Until when chaining is not asked.
    chaining_rests: Mutex<Option<Instant>>,
}

impl JetStream {
    /// Over a connection whose streams are declared.
    pub fn new(bus: Bus) -> Self {
        Self { bus, chaining_rests: Mutex::default() }
    }

    /// Asks chaining, unless it has just left a question unanswered.
    async fn ask(&self, query: FramesQuery, timeout: Duration) -> Result<Result<FramesAnswer, String>, Unavailable> {
        let question = serde_json::to_vec(&query).map_err(|_| Unavailable::Damaged)?;
        let rests = *self.chaining_rests.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.is_some_and(|until| Instant::now() < until) {
            return Ok(Err("it has just left a question unanswered".to_owned()));
        }
        let answer = self.bus.ask(subjects::ASK_FRAMES, question.into(), timeout).await;
        // To hear that nobody is there takes no time, and one that could not answer this may answer others.
        if matches!(answer, Err(AskError::Late(_))) {
            let until = Instant::now() + CHAINING_REST;
            *self.chaining_rests.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
        Ok(match answer {
            Ok(bytes) => FramesAnswer::decode(&bytes).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Reads while connected; a lost connection ends it at once instead of after the client's time limit.
    async fn read<T>(&self, read: impl Future<Output = Result<T, ReadError>>) -> Result<T, Unavailable> {
        let mut link = self.bus.link();
        let Link::Up(connection) = *link.borrow_and_update() else { return Err(Unavailable::Broker) };
        tokio::select! {
            read = read => read.map_err(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not read from the broker");
                Unavailable::Broker
            }),
            _ = link.wait_for(|now| *now != Link::Up(connection)) => Err(Unavailable::Broker),
        }
    }

    /// Adds sealed frames from `next` on. Says whether chaining answered.
    async fn sealed(
        &self,
        key: StreamKey,
        mut next: u64,
        to: u64,
        found: &mut Vec<Stored>,
    ) -> Result<bool, Unavailable> {
        while let Some(from) = Seq::new(next).filter(|from| from.get() <= to) {
            let Some(to) = Seq::new(to) else { return Err(Unavailable::Damaged) };
            let query = FramesQuery { operator: key.operator, stream: key.stream, from, to };
            let answer = match self.ask(query, ASK_TIMEOUT).await? {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(error, "could not look up sealed frames");
                    return Ok(false);
                }
            };
            for bytes in &answer.frames {
                let stored = Stored { tx_seq: 0, frame: decode(key, bytes)? };
                if stored.frame.first_seq().get() > next || stored.frame.last_seq() < next {
                    return Err(Unavailable::Damaged);
                }
                next = stored.frame.last_seq() + 1;
                found.push(stored);
            }
            if answer.frames.is_empty() {
                break;
            }
        }
        Ok(true)
    }

    /// Adds frames that rest on `TX` from `next` on, as far as they follow one another.
    async fn unsealed(
        &self,
        key: StreamKey,
        mut next: u64,
        to: u64,
        hint: u64,
        found: &mut Vec<Stored>,
    ) -> Result<(), Unavailable> {
        let subject = subjects::tx(key.operator, key.stream);
        let mut place = hint;
        while next <= to {
            let message = self.read(self.bus.next_of(subjects::TX, &subject, place)).await?;
            let Some(stored) = message.map(|message| stored(key, &message)).transpose()? else { break };
            place = stored.tx_seq + 1;
            if stored.frame.first_seq().get() > next {
                break;
            }
            if stored.frame.last_seq() >= next {
                next = stored.frame.last_seq() + 1;
                found.push(stored);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Broker for JetStream {
    async fn last(&self, key: StreamKey) -> Result<Option<Stored>, Unavailable> {
        let subject = subjects::tx(key.operator, key.stream);
        let message = self.read(self.bus.last_of(subjects::TX, &subject)).await?;
        message.map(|message| stored(key, &message)).transpose()
    }

    async fn append(&self, key: StreamKey, first: Seq, frame: Bytes, fence: u64) -> Result<u64, AppendError> {
        let subject = subjects::tx(key.operator, key.stream);
        // No message id: the fence alone makes a repeat harmless, and ids of every frame would fill the server's memory.
        let mut headers = Headers::new();
        headers.insert("ce-specversion", CE_SPECVERSION);
        headers.insert("ce-type", CE_FRAME);
        headers.insert("ce-id", &format!("{}.{}.{first}", key.operator, key.stream));
        let published = self.bus.publish_fenced(&subject, headers, fence, frame).await;
        published.map(|ack| ack.stream_seq).map_err(|error| match error {
            PublishError::Fence { .. } => AppendError::Fence,
            PublishError::Unknown(why) => {
                tracing::warn!(why, "the outcome of a publish is unknown");
                AppendError::Unknown
            }
            error => AppendError::Refused(refused(&error)),
        })
    }

    async fn frames(&self, key: StreamKey, from: Seq, to: u64, hint: u64) -> Result<Vec<Stored>, Unavailable> {
        for lookup in 0..LOOKUPS_MAX {
            let mut found: Vec<Stored> = Vec::new();
            let next = |found: &[Stored]| found.last().map_or(from.get(), |stored| stored.frame.last_seq() + 1);
            let chaining_answers = self.sealed(key, from.get(), to, &mut found).await?;
            let hint = if lookup == 0 { hint } else { 0 };
            self.unsealed(key, next(&found), to, hint, &mut found).await?;
            if next(&found) > to {
                return Ok(found);
            }
            if !chaining_answers {
                return Err(Unavailable::Chaining);
            }
            tokio::time::sleep(LOOKUP_PAUSE).await;
        }
        Err(Unavailable::Lost)
    }

    async fn sealed_through(&self, key: StreamKey) -> Result<u64, Unavailable> {
        if !self.bus.is_up() {
            return Err(Unavailable::Broker);
        }
        // No stream comes so far: the answer carries no frames.
        let end = Seq::new(Seq::MAX).ok_or(Unavailable::Damaged)?;
        let query = FramesQuery { operator: key.operator, stream: key.stream, from: end, to: end };
        match self.ask(query, SEALED_TIMEOUT).await? {
            Ok(answer) => Ok(answer.sealed_through),
            Err(error) => {
                tracing::warn!(error, "could not ask how far a stream is sealed");
                Err(Unavailable::Chaining)
            }
        }
    }

    async fn streams(&self, operator: contracts::OperatorId) -> Result<Vec<contracts::StreamNo>, Unavailable> {
        let filter = subjects::tx_of_operator(operator);
        let subjects = self.read(self.bus.subjects(subjects::TX, &filter)).await?;
        let mut streams: Vec<contracts::StreamNo> =
            subjects.iter().filter_map(|subject| subject.rsplit('.').next()?.parse().ok()).collect();
        streams.sort_unstable();
        Ok(streams)
    }

    async fn alert(&self, key: StreamKey, difference: Difference) -> Result<(), Unavailable> {
        let Difference { seq, accepted, sent, records } = difference;
        let event = RewriteAttempt {
            operator: key.operator,
            stream: key.stream,
            seq: Seq::new(seq).ok_or(Unavailable::Damaged)?,
            accepted_leaf: accepted,
            sent_leaf: sent,
            differing: records,
            at: now(),
        };
        let payload = serde_json::to_vec(&event).map_err(|_| Unavailable::Damaged)?;
        // The very same attempt is the same event, whichever process is told of it.
        let id = format!("{REWRITE_ATTEMPT}.{}.{}.{seq}.{sent}", key.operator, key.stream);
        let headers = Headers::event(CE_REWRITE_ATTEMPT, &id);
        let subject = subjects::alert(REWRITE_ATTEMPT, key.operator);
        let published = self.bus.publish(&subject, headers, payload.into()).await;
        published.map(drop).map_err(|error| untold(&error))
    }

    async fn alert_flagged(&self, key: StreamKey, flagged: Flagged) -> Result<(), Unavailable> {
        let Flagged { flag, first_seq, last_seq, records } = flagged;
        let seq = |seq| Seq::new(seq).ok_or(Unavailable::Damaged);
        let (operator, stream) = (key.operator, key.stream);
        let (first_seq, last_seq) = (seq(first_seq)?, seq(last_seq)?);
        let event = FlaggedRecords { operator, stream, flag, first_seq, last_seq, records, at: now() };
        let payload = serde_json::to_vec(&event).map_err(|_| Unavailable::Damaged)?;
        // What is said again because the answer was lost is the same event.
        let headers =
            Headers::event(CE_FLAGGED, &format!("{}.{operator}.{stream}.{first_seq}-{last_seq}", flag.as_str()));
        let published = self.bus.publish(&subjects::alert(flag.as_str(), operator), headers, payload.into()).await;
        published.map(drop).map_err(|error| untold(&error))
    }
}

fn refused(error: &PublishError) -> Unavailable {
    tracing::warn!(error = error as &dyn std::error::Error, "the broker did not take a message");
    match error {
        PublishError::Full(_) => Unavailable::Full,
        _ => Unavailable::Broker,
    }
}

/// Why an alert was not taken: what one operator may have there is bounded.
fn untold(error: &PublishError) -> Unavailable {
    match refused(error) {
        Unavailable::Full => Unavailable::Alerts,
        other => other,
    }
}

fn stored(key: StreamKey, message: &StoredMessage) -> Result<Stored, Unavailable> {
    Ok(Stored { tx_seq: message.seq, frame: decode(key, &message.payload)? })
}

fn decode(key: StreamKey, bytes: &Bytes) -> Result<Frame, Unavailable> {
    let frame = Frame::decode(bytes).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, stream = %key.stream, "an accepted frame is damaged");
        Unavailable::Damaged
    })?;
    match (frame.operator, frame.stream) == (key.operator, key.stream) {
        true => Ok(frame),
        false => {
            tracing::error!(stream = %key.stream, "an accepted frame lies on the subject of another stream");
            Err(Unavailable::Damaged)
        }
    }
}

/// What the sandbox keeps of requests, on its broker.
pub struct Traffic {
    bus: Bus,
}

impl Traffic {
    /// Over a connection on which the stream is declared.
    pub fn new(bus: Bus) -> Self {
        Self { bus }
    }

    /// Keeps a request, durably.
    ///
    /// # Errors
    /// Says why it could not be kept.
    pub async fn keep(&self, exchange: &Exchange) -> Result<(), String> {
        let body = serde_json::to_vec(exchange).map_err(|error| error.to_string())?;
        let headers = Headers::event(CE_EXCHANGE, &uuid::Uuid::new_v4().to_string());
        let subject = subjects::sandbox_exchange(exchange.operator);
        self.bus.publish(&subject, headers, body.into()).await.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Requests of an operator behind a number, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// Says why they can't be read.
    pub async fn page(&self, operator: OperatorId, after: u64, limit: usize) -> Result<Vec<Kept>, String> {
        let subject = subjects::sandbox_exchange(operator);
        let (mut page, mut next) = (Vec::new(), after.saturating_add(1));
        while page.len() < limit {
            let found = self.bus.next_of(subjects::SANDBOX, &subject, next).await;
            let Some(message) = found.map_err(|error| error.to_string())? else { break };
            next = message.seq + 1;
            match serde_json::from_slice(&message.payload) {
                Ok(exchange) => page.push(Kept { number: message.seq, exchange }),
                // Of another version: it says nothing to this one.
                Err(error) => tracing::warn!(%error, seq = message.seq, "a kept request can't be read"),
            }
        }
        Ok(page)
    }
}
