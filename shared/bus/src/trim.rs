//! Trimming: gives back the room of what is worked off, and keeps the last message of every subject, for the fence lives in
//! it: a subject without messages expects sequence 0 again, and two writers could both begin anew.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::PurgeError;
use futures::StreamExt;

use crate::connect::Bus;
use crate::read::ReadError;

/// Subjects read at a time while looking for their last messages.
const SUBJECTS_BATCH: usize = 1_000;

/// What trimming gave back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Messages removed.
    pub messages: u64,
}

/// Why a stream was not trimmed, or not wholly. Nothing that should stay is gone: trim again.
#[derive(Debug, thiserror::Error)]
pub enum TrimError {
    /// The last messages of the subjects could not be read.
    #[error("cannot read the subjects of {stream}")]
    Read {
        /// Which stream.
        stream: String,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// The server did not remove them.
    #[error("cannot purge {stream}")]
    Purge {
        /// Which stream.
        stream: String,
        /// Why.
        #[source]
        source: PurgeError,
    },
}

impl Bus {
    /// Removes the messages of `stream` up to and including `up_to`, but for the last one of each subject.
    ///
    /// # Errors
    /// [`TrimError`]
    pub async fn trim(&self, stream: &str, up_to: u64) -> Result<Trimmed, TrimError> {
        let read = |source| TrimError::Read { stream: stream.to_owned(), source };
        let lasts = self.lasts(stream).await.map_err(read)?;
        let Some(floor) = lasts.iter().map(|(_, last)| *last).min() else { return Ok(Trimmed::default()) };
        let handle = self.handle(stream).await.map_err(read)?;
        let purge = |source| TrimError::Purge { stream: stream.to_owned(), source };
        // Whole blocks at once: cheap. A purge spares the message of its sequence.
        let mut messages = handle.purge().sequence(floor.min(up_to + 1)).await.map_err(purge)?.purged;
        if floor <= up_to {
            for (subject, last) in &lasts {
                let to = (*last).min(up_to + 1);
                if to > floor {
                    messages += handle.purge().filter(subject.as_str()).sequence(to).await.map_err(purge)?.purged;
                }
            }
        }
        Ok(Trimmed { messages })
    }

    /// The subjects of a stream and the sequence of the last message of each.
    async fn lasts(&self, stream: &str) -> Result<Vec<(String, u64)>, ReadError> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::LastPerSubject,
            filter_subject: ">".to_owned(),
            ack_policy: AckPolicy::None,
            headers_only: true,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: std::time::Duration::from_secs(5),
            ..pull::Config::default()
        };
        let away = |error: async_nats::Error| ReadError::Away(error);
        let consumer = self
            .inner
            .jetstream
            .create_consumer_on_stream(config, stream)
            .await
            .map_err(|error| away(Box::new(error)))?;
        let mut waiting = consumer.cached_info().num_pending;
        let mut lasts = Vec::new();
        while waiting > 0 {
            let mut batch = consumer
                .fetch()
                .max_messages(SUBJECTS_BATCH)
                .messages()
                .await
                .map_err(|error| away(Box::new(error)))?;
            while let Some(message) = batch.next().await {
                let message = message.map_err(away)?;
                let info = message.info().map_err(away)?;
                waiting = info.pending;
                lasts.push((message.subject.to_string(), info.stream_sequence));
            }
        }
        let _forgotten_by_itself =
            self.inner.jetstream.delete_consumer_from_stream(&consumer.cached_info().name, stream).await;
        Ok(lasts)
    }
}
