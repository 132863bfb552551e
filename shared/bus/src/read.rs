//! Reading single messages and the state of a stream.
//!
//! A direct get is answered by any server that holds the stream, and one that follows may be behind what was acknowledged. Where
//! there are several, single messages are therefore asked of the leader.

use async_nats::jetstream;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{
    DirectGetError, DirectGetErrorKind, Info, InfoError, RawMessageError, RawMessageErrorKind, Stream,
};
use bytes::Bytes;
use futures::TryStreamExt;

use crate::connect::{Bus, Cut};
use crate::headers::Headers;

/// A message as it rests in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its subject.
    pub subject: String,
    /// Its place in the stream.
    pub seq: u64,
    /// Its bytes.
    pub payload: Bytes,
    /// Its headers.
    pub headers: Headers,
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamState {
    /// Sequence of the first message that is left; one more than `last_seq` when none is.
    pub first_seq: u64,
    /// Sequence of the last message ever taken.
    pub last_seq: u64,
    /// Messages held.
    pub messages: u64,
    /// Bytes held.
    pub bytes: u64,
    /// Bytes it may hold, -1 for any number.
    pub bytes_max: i64,
}

/// Why a stream could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such stream.
    #[error("there is no stream {0}")]
    NoStream(String),
    /// The server does not answer in time, or not at all: try again.
    #[error("nats did not answer")]
    Away(#[source] async_nats::Error),
}

impl Bus {
    /// The last message of a subject, for instance the fence of a stream of records.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn last_of(&self, stream: &str, subject: &str) -> Result<Option<StoredMessage>, ReadError> {
        let handle = self.handle(stream).await?;
        if self.is_replicated() {
            let asked = handle.get_last_raw_message_by_subject(subject);
            return led(stream, self.while_up(asked).await.map_err(cut)?);
        }
        found(stream, self.while_up(handle.direct_get_last_for_subject(subject)).await.map_err(cut)?)
    }

    /// The first message of a subject at or after a place in the stream.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn next_of(
        &self,
        stream: &str,
        subject: &str,
        from_seq: u64,
    ) -> Result<Option<StoredMessage>, ReadError> {
        let handle = self.handle(stream).await?;
        if self.is_replicated() {
            let asked = handle.get_first_raw_message_by_subject(subject, from_seq.max(1));
            return led(stream, self.while_up(asked).await.map_err(cut)?);
        }
        let asked = handle.direct_get_next_for_subject(subject, Some(from_seq.max(1)));
        found(stream, self.while_up(asked).await.map_err(cut)?)
    }

    /// The subjects of a stream that match a filter and hold a message, ascending.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn subjects(&self, stream: &str, filter: &str) -> Result<Vec<String>, ReadError> {
        let handle = self.handle(stream).await?;
        let info = handle.info_with_subjects(filter).await.map_err(|error| away_or_lost(stream, error))?;
        let mut subjects: Vec<String> =
            info.map_ok(|(subject, _)| subject).try_collect().await.map_err(|error| away_or_lost(stream, error))?;
        subjects.sort_unstable();
        Ok(subjects)
    }

    /// How many messages the fullest subject of a stream holds.
    pub(crate) async fn fullest_subject(&self, stream: &str) -> Result<usize, ReadError> {
        let handle = self.handle(stream).await?;
        let info = handle.info_with_subjects(">").await.map_err(|error| away_or_lost(stream, error))?;
        let most = info.try_fold(0, |most, (_, held)| std::future::ready(Ok(held.max(most))));
        most.await.map_err(|error| away_or_lost(stream, error))
    }

    /// What a stream holds.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn state_of(&self, stream: &str) -> Result<StreamState, ReadError> {
        let info = self.info_of(stream).await?;
        Ok(StreamState {
            first_seq: info.state.first_sequence,
            last_seq: info.state.last_sequence,
            messages: info.state.messages,
            bytes: info.state.bytes,
            bytes_max: info.config.max_bytes,
        })
    }

    /// Up to where every durable consumer of a stream has acknowledged; `None` when it has none.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn durable_floor(&self, stream: &str) -> Result<Option<u64>, ReadError> {
        let mut consumers = self.handle(stream).await?.consumers();
        let mut floor = None;
        while let Some(consumer) = consumers.try_next().await.map_err(|error| ReadError::Away(Box::new(error)))? {
            if consumer.config.durable_name.is_some() {
                let acknowledged = consumer.ack_floor.stream_sequence;
                floor = Some(floor.map_or(acknowledged, |floor: u64| floor.min(acknowledged)));
            }
        }
        Ok(floor)
    }

    pub(crate) async fn info_of(&self, stream: &str) -> Result<Info, ReadError> {
        let handle = self.handle(stream).await?;
        let info = self.while_up(handle.get_info()).await.map_err(cut)?;
        info.map_err(|error| away_or_lost(stream, error))
    }

    fn is_replicated(&self) -> bool {
        self.inner.replicas.get() > 1
    }

    /// A handle to a stream; asks the server nothing.
    pub(crate) async fn handle(&self, stream: &str) -> Result<Stream<()>, ReadError> {
        let handle = self.api(stream).get_stream_no_info(stream).await;
        handle.map_err(|error| ReadError::Away(Box::new(error)))
    }
}

fn cut(cut: Cut) -> ReadError {
    ReadError::Away(Box::new(cut))
}

fn found(stream: &str, answer: Result<StreamMessage, DirectGetError>) -> Result<Option<StoredMessage>, ReadError> {
    match answer {
        Ok(message) => Ok(Some(stored(message))),
        Err(error) => match error.kind() {
            DirectGetErrorKind::NotFound => Ok(None),
            // Nobody answers for a stream that does not exist; nor while the server is away.
            DirectGetErrorKind::ErrorResponse(async_nats::StatusCode::NO_RESPONDERS, _) => {
                Err(ReadError::NoStream(stream.to_owned()))
            }
            _ => Err(ReadError::Away(Box::new(error))),
        },
    }
}

/// As [`found`], for an answer of the stream's leader.
fn led(stream: &str, answer: Result<StreamMessage, RawMessageError>) -> Result<Option<StoredMessage>, ReadError> {
    match answer {
        Ok(message) => Ok(Some(stored(message))),
        Err(error) => match error.kind() {
            RawMessageErrorKind::NoMessageFound => Ok(None),
            RawMessageErrorKind::JetStream(refusal)
                if refusal.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND =>
            {
                Err(ReadError::NoStream(stream.to_owned()))
            }
            _ => Err(ReadError::Away(Box::new(error))),
        },
    }
}

fn stored(message: StreamMessage) -> StoredMessage {
    StoredMessage {
        subject: message.subject.to_string(),
        seq: message.sequence,
        payload: message.payload,
        headers: Headers(message.headers),
    }
}

pub(crate) fn away_or_lost(stream: &str, error: InfoError) -> ReadError {
    let refusal = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    match refusal.map(jetstream::Error::error_code) {
        Some(jetstream::ErrorCode::STREAM_NOT_FOUND) => ReadError::NoStream(stream.to_owned()),
        _ => ReadError::Away(Box::new(error)),
    }
}
