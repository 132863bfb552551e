//! A feed: the messages of a stream from a given place on, each once and in order, through whatever happens to the server.
//!
//! The consumer on the server is ephemeral, for the truth about what was worked off is in the owner's store. It is thrown
//! away and made anew, from the message after the last one handed out, whenever the connection was lost, a heartbeat was
//! missed, the server forgot it, or nothing comes although something waits.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use bytes::Bytes;
use contracts::frame::FRAME_BYTES_MAX;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connect::{Bus, Link};
use crate::headers::Headers;
use crate::read::ReadError;

/// Messages handed out and not yet acknowledged.
const PENDING_MESSAGES_MAX: i64 = 512;
/// Bytes handed out and not yet acknowledged or dropped.
const PENDING_BYTES_MAX: usize = 64 << 20;
/// Messages asked of the server at a time. Small: what is asked for waits in our memory.
const BATCH_MESSAGES: usize = 64;
/// Bytes asked of the server at a time; no less than the largest frame and its headers, or that one would never come.
const BATCH_BYTES: usize = FRAME_BYTES_MAX + (1 << 20);
/// How often the server says that it is still there while nothing is to be sent. Two missed ones end the consumer.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a request for messages stands.
const EXPIRES: Duration = Duration::from_secs(30);
/// When the server sends a message again that was not acknowledged. The feed hands nothing out twice: this only gives back
/// the place of a message whose acknowledgement was lost.
const ACK_WAIT: Duration = Duration::from_secs(60);
/// How long the server keeps a consumer nobody asks.
const INACTIVE: Duration = Duration::from_secs(120);
/// How long nothing may come before the server is asked whether something waits.
const SILENCE: Duration = Duration::from_secs(15);
/// Pause between two attempts to make the consumer anew.
const REBUILD_DELAY: Duration = Duration::from_millis(200);

/// Why a feed cannot go on by itself.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The stream is gone.
    #[error("stream {0} is gone")]
    NoStream(String),
    /// The stream ends before the place where the feed is to go on: the server has lost messages, or is another one.
    #[error(
        "stream {stream} ends at {last}, but was read up to {read}: the server has lost messages, or is another one"
    )]
    Rewound {
        /// Which.
        stream: String,
        /// The sequence of its last message.
        last: u64,
        /// The sequence of the last message read from it.
        read: u64,
    },
}

/// A message handed out. Dropping it without [`Delivery::ack`] leaves it to the feed's [`Feed::rewind`].
pub struct Delivery {
    /// Its subject.
    pub subject: String,
    /// Its place in the stream.
    pub seq: u64,
    /// Its bytes.
    pub payload: Bytes,
    /// Its headers.
    pub headers: Headers,
    /// Messages after it that wait in the stream.
    pub pending: u64,
    token: Token,
}

/// What is left of a [`Delivery`] once its bytes are elsewhere: the right to acknowledge it.
struct Token {
    bus: Bus,
    link: Link,
    reply: Option<async_nats::Subject>,
    unacked: Arc<Mutex<BTreeSet<u64>>>,
    _room: OwnedSemaphorePermit,
}

impl Delivery {
    /// Says that what the message tells is durable. Never waits for the server: a lost acknowledgement does no harm.
    pub async fn ack(self) {
        let Token { bus, link, reply, unacked, _room } = self.token;
        lock(&unacked).remove(&self.seq);
        // Another connection means another consumer, which does not know this message.
        let known = *bus.inner.link.borrow() == link;
        if let (Some(reply), true) = (reply, known) {
            let _lost_does_no_harm = bus.inner.client.publish(reply, Bytes::from_static(b"+ACK")).await;
        }
    }
}

/// The messages of a stream, in order. See the module's text.
pub struct Feed {
    bus: Bus,
    stream: String,
    filters: Vec<String>,
    /// The last message handed out.
    read: u64,
    open: Option<Open>,
    /// Arrived and waiting for room, kept here so that [`Feed::next`] can be cancelled.
    held: Option<Message>,
    room: Arc<Semaphore>,
    unacked: Arc<Mutex<BTreeSet<u64>>>,
}

/// A consumer that works, and the connection it was made over.
struct Open {
    link: Link,
    consumer: PullConsumer,
    messages: pull::Stream,
    /// Messages the consumer has sent; it numbers them without holes.
    received: u64,
}

impl Bus {
    /// A feed of the messages of `stream` that match any of `filters` (none: all), from `start_seq` on. Asks the server
    /// nothing before [`Feed::next`].
    pub fn consume(&self, stream: &str, filters: &[String], start_seq: u64) -> Feed {
        Feed {
            bus: self.clone(),
            stream: stream.to_owned(),
            filters: filters.to_vec(),
            read: start_seq.saturating_sub(1),
            open: None,
            held: None,
            room: Arc::new(Semaphore::new(PENDING_BYTES_MAX)),
            unacked: Arc::default(),
        }
    }
}

impl Feed {
    /// Goes back, or on, to `start_seq`. What was handed out and not acknowledged may come again.
    pub fn rewind(&mut self, start_seq: u64) {
        self.read = start_seq.saturating_sub(1);
        self.open = None;
        self.held = None;
        self.unacked = Arc::default();
    }

    /// Waits for the next message, for as long as it takes. Safe to cancel.
    ///
    /// # Errors
    /// [`FeedError`]: the owner decides, then may call again.
    pub async fn next(&mut self) -> Result<Delivery, FeedError> {
        loop {
            let Some(held) = &self.held else {
                match self.arrival().await? {
                    Some(message) => self.held = Some(message),
                    None => {
                        self.open = None;
                        tokio::time::sleep(REBUILD_DELAY).await;
                    }
                }
                continue;
            };
            let bytes = u32::try_from(held.length.clamp(1, PENDING_BYTES_MAX)).unwrap_or(u32::MAX);
            // The semaphore is never closed.
            let Ok(room) = self.room.clone().acquire_many_owned(bytes).await else { continue };
            let (Some(held), Some(open)) = (self.held.take(), &self.open) else { continue };
            let Some((seq, pending)) = held.info().ok().map(|info| (info.stream_sequence, info.pending)) else {
                continue;
            };
            self.read = seq;
            lock(&self.unacked).insert(seq);
            let link = open.link.clone();
            let message = held.message;
            return Ok(Delivery {
                subject: message.subject.to_string(),
                seq,
                payload: message.payload,
                headers: Headers(message.headers.unwrap_or_default()),
                pending,
                token: Token {
                    bus: self.bus.clone(),
                    link,
                    reply: message.reply,
                    unacked: self.unacked.clone(),
                    _room: room,
                },
            });
        }
    }

    /// The next message not handed out before; `None` when the consumer must be made anew.
    async fn arrival(&mut self) -> Result<Option<Message>, FeedError> {
        if self.open.is_none() {
            self.open = self.open().await?;
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        let mut link = self.bus.link();
        loop {
            let arrived = tokio::select! {
                biased;
                _ = link.wait_for(|now| *now != open.link) => return Ok(None),
                arrived = tokio::time::timeout(SILENCE, open.messages.next()) => arrived,
            };
            let message = match arrived {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => {
                    tracing::warn!(stream = self.stream, %error, "making the consumer of {} anew", self.stream);
                    return Ok(None);
                }
                Ok(None) => return Ok(None),
                Err(_silence) => match open.consumer.get_info().await {
                    Ok(info) if info.num_pending == 0 || !lock(&self.unacked).is_empty() => continue,
                    _ => {
                        tracing::warn!(
                            stream = self.stream,
                            "nothing comes from {} although something waits",
                            self.stream
                        );
                        return Ok(None);
                    }
                },
            };
            let Ok(info) = message.info() else { return Ok(None) };
            let (seq, nth) = (info.stream_sequence, info.consumer_sequence);
            if nth != open.received + 1 {
                tracing::warn!(stream = self.stream, nth, "a message of {} was lost on the way", self.stream);
                return Ok(None);
            }
            open.received = nth;
            if seq > self.read {
                return Ok(Some(message));
            }
            // Sent again. If the owner has acknowledged it, the server missed that.
            if !lock(&self.unacked).contains(&seq) {
                let _lost_does_no_harm = message.ack().await;
            }
        }
    }

    /// Makes a consumer that begins after the last message handed out; `None` when it did not work and may the next time.
    async fn open(&self) -> Result<Option<Open>, FeedError> {
        let mut link = self.bus.link();
        let Ok(link) = link.wait_for(|now| matches!(now, Link::Up(_))).await.map(|link| link.clone()) else {
            return Ok(None);
        };
        match self.bus.state_of(&self.stream).await {
            Ok(state) if state.last_seq < self.read => {
                return Err(FeedError::Rewound { stream: self.stream.clone(), last: state.last_seq, read: self.read });
            }
            Ok(_) => {}
            Err(ReadError::NoStream(stream)) => return Err(FeedError::NoStream(stream)),
            Err(error) => {
                tracing::warn!(stream = self.stream, %error, "cannot read stream {}", self.stream);
                return Ok(None);
            }
        }
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.read + 1 },
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: PENDING_MESSAGES_MAX,
            filter_subjects: self.filters.clone(),
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = match self.bus.api(&self.stream).create_consumer_on_stream(config, &self.stream).await {
            Ok(consumer) => consumer,
            Err(error) => {
                tracing::warn!(stream = self.stream, %error, "cannot make a consumer of {}", self.stream);
                return Ok(None);
            }
        };
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH_MESSAGES)
            .max_bytes_per_batch(BATCH_BYTES)
            .heartbeat(HEARTBEAT)
            .expires(EXPIRES)
            .messages()
            .await;
        Ok(messages.ok().map(|messages| Open { link, consumer, messages, received: 0 }))
    }
}

fn lock(set: &Mutex<BTreeSet<u64>>) -> std::sync::MutexGuard<'_, BTreeSet<u64>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}
