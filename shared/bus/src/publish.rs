//! Publishing: nothing is published until the server has synced it and said so.

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::{self, message::PublishMessage};
use bytes::Bytes;

use crate::connect::{Bus, Cut};
use crate::headers::Headers;

/// The server has the message on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// Its place in the stream: the next expected last sequence of its subject.
    pub stream_seq: u64,
    /// It was there already, under the same id; this publish added nothing.
    pub duplicate: bool,
}

/// Why a message is not, or may not be, in the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Another message was published on the subject since: nothing was added.
    #[error("another writer was faster, the last message of the subject is {last:?}")]
    Fence {
        /// The sequence of the subject's last message; 0 for none. A clustered server may not say.
        last: Option<u64>,
    },
    /// The stream or the disk is full: nothing was added. It passes when what is sealed has been trimmed.
    #[error("the stream is full: {0}")]
    Full(String),
    /// Not connected, or to a server that may not be used: nothing was sent.
    #[error("not connected to nats")]
    Away,
    /// No acknowledgement came: the message may or may not be in the stream. Publish it again under the same fence, or read
    /// the subject's last message, to know.
    #[error("no acknowledgement: {0}")]
    Unknown(&'static str),
    /// Larger than the server's `max_payload`: nothing was added, and never will be.
    #[error("{bytes} bytes are more than the server takes ({max})")]
    TooLarge {
        /// Size of the payload.
        bytes: usize,
        /// The server's `max_payload`.
        max: usize,
    },
    /// No stream takes this subject: it was deleted, or never declared.
    #[error("no stream takes this subject")]
    NoStream,
    /// The server refused it for another reason: nothing was added.
    #[error("the server refused the message: {0}")]
    Refused(String),
}

impl Bus {
    /// Publishes, and waits until the server has synced it.
    ///
    /// # Errors
    /// [`PublishError`], within the time limit of one request (5 s).
    pub async fn publish(&self, subject: &str, headers: Headers, payload: Bytes) -> Result<Ack, PublishError> {
        self.send(subject, headers, payload).await
    }

    /// Publishes only if the subject's last message still is `expected_last` (its stream sequence; 0: the subject is empty).
    /// The server looks at the fence before the id: repeated after it was stored, the message meets its own fence.
    ///
    /// # Errors
    /// [`PublishError`], [`PublishError::Fence`] when another writer was faster.
    pub async fn publish_fenced(
        &self,
        subject: &str,
        mut headers: Headers,
        expected_last: u64,
        payload: Bytes,
    ) -> Result<Ack, PublishError> {
        headers.0.insert(async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected_last.to_string());
        self.send(subject, headers, payload).await
    }

    async fn send(&self, subject: &str, mut headers: Headers, payload: Bytes) -> Result<Ack, PublishError> {
        let inner = &self.inner;
        let bytes = payload.len();
        headers.stamp(&inner.source);
        let message = PublishMessage::build().payload(payload).headers(headers.0);
        let exchange = async {
            // The semaphore is never closed.
            let _turn = inner.publishes.acquire().await;
            inner.jetstream.send_publish(subject.to_owned(), message).await?.await
        };
        match self.while_up(exchange).await {
            Ok(Ok(ack)) => Ok(Ack { stream_seq: ack.sequence, duplicate: ack.duplicate }),
            Ok(Err(error)) => Err(self.name_error(&error, bytes)),
            Err(Cut::Before) => Err(PublishError::Away),
            Err(Cut::During) => Err(PublishError::Unknown("the connection was lost")),
        }
    }

    fn name_error(&self, error: &jetstream::context::PublishError, bytes: usize) -> PublishError {
        let refusal = std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
        match (error.kind(), refusal) {
            (PublishErrorKind::WrongLastSequence, refusal) => {
                PublishError::Fence { last: refusal.and_then(last_named) }
            }
            (PublishErrorKind::TimedOut, _) => PublishError::Unknown("it did not come in time"),
            (PublishErrorKind::BrokenPipe, _) => PublishError::Unknown("the connection was closed"),
            (PublishErrorKind::StreamNotFound, _) => PublishError::NoStream,
            (PublishErrorKind::MaxPayloadExceeded, _) => {
                PublishError::TooLarge { bytes, max: self.inner.client.max_payload() }
            }
            (_, Some(refusal)) if refusal.error_code() == jetstream::ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT => {
                PublishError::Fence { last: None }
            }
            (_, Some(refusal)) if is_full(refusal) => PublishError::Full(refusal.to_string()),
            (_, Some(refusal)) if refusal.error_code() == jetstream::ErrorCode::STREAM_STORE_FAILED => {
                PublishError::Unknown("the server could not write")
            }
            (_, Some(refusal)) => PublishError::Refused(refusal.to_string()),
            (_, None) => PublishError::Unknown("the client gave up"),
        }
    }
}

/// nats-server answers 10077 with these words when a stream's own limit is reached, 10023 or 10047 when the server's is. With
/// other words 10077 is a failing disk.
fn is_full(refusal: &jetstream::Error) -> bool {
    match refusal.error_code() {
        jetstream::ErrorCode::STREAM_STORE_FAILED => refusal.to_string().starts_with("maximum "),
        code => {
            code == jetstream::ErrorCode::INSUFFICIENT_RESOURCES
                || code == jetstream::ErrorCode::STORAGE_RESOURCES_EXCEEDED
        }
    }
}

/// The number in `wrong last sequence: 17`.
fn last_named(refusal: &jetstream::Error) -> Option<u64> {
    let text = refusal.to_string();
    let digits = text.split("wrong last sequence: ").nth(1)?;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
