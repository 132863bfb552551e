//! What the actors need of the bus, in the words of streams and frames. `events` does it with JetStream and chaining.

use async_trait::async_trait;
use bytes::Bytes;
use contracts::frame::Frame;
use contracts::{OperatorId, Seq, StreamNo};

use crate::domain::{Difference, Flagged, StreamKey};

/// A frame as it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its place on `TX`: the fence, when it is the last of its stream. 0 when chaining gave it.
    pub tx_seq: u64,
    /// The frame.
    pub frame: Frame,
}

/// Why an answer could not be had now. It may be later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The broker is not connected, or does not answer.
    #[error("the broker does not answer")]
    Broker,
    /// The stream of accepted batches is full until what is sealed is trimmed.
    #[error("the broker is full until what is sealed has been trimmed")]
    Full,
    /// What this operator may have in the stream of alerts is full.
    #[error("the alerts about this operator are full until a person has looked at them")]
    Alerts,
    /// What is sealed can't be looked up: chaining does not answer.
    #[error("what is sealed cannot be looked up: chaining does not answer")]
    Chaining,
    /// Too much that is old is being looked up already.
    #[error("too many accepted records are being looked up")]
    Busy,
    /// The broker holds less of this stream than was accepted. A person must act.
    #[error("the broker has lost accepted records of this stream")]
    Lost,
    /// Other writers were faster, again and again.
    #[error("too many writers on this stream")]
    Contended,
    /// A frame that was stored can't be read.
    #[error("a stored frame is damaged")]
    Damaged,
}

/// Why a frame is not, or may not be, appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another writer was faster: nothing was added.
    #[error("another writer was faster")]
    Fence,
    /// Nothing was added.
    #[error("{0}")]
    Refused(#[source] Unavailable),
    /// It may have been added.
    #[error("whether the frame was stored is not known")]
    Unknown,
}

/// The bus as the actors see it.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// The last frame of a stream; `None` for a stream nothing was ever accepted on.
    async fn last(&self, key: StreamKey) -> Result<Option<Stored>, Unavailable>;

    /// Appends a frame, which begins at `first`, durably if the last one still is `fence` (0: there is none). Gives its place.
    async fn append(&self, key: StreamKey, first: Seq, frame: Bytes, fence: u64) -> Result<u64, AppendError>;

    /// Accepted frames in order, without holes, that together hold all of `from..=to`, which MUST have been accepted. `hint` is
    /// a place on `TX` at or before the first of them, 0 if none is known.
    async fn frames(&self, key: StreamKey, from: Seq, to: u64, hint: u64) -> Result<Vec<Stored>, Unavailable>;

    /// Seq of the last sealed record of a stream, 0 for none, as chaining says. [`Unavailable::Chaining`] when it does not say.
    async fn sealed_through(&self, key: StreamKey) -> Result<u64, Unavailable>;

    /// The streams of an operator on which something was accepted, ascending.
    async fn streams(&self, operator: OperatorId) -> Result<Vec<StreamNo>, Unavailable>;

    /// Reports a rewrite attempt durably. The same one reported again within a moment is one event.
    async fn alert(&self, key: StreamKey, difference: Difference) -> Result<(), Unavailable>;

    /// Reports flagged records durably.
    async fn alert_flagged(&self, key: StreamKey, flagged: Flagged) -> Result<(), Unavailable>;
}
