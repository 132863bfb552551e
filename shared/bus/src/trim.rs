//! Trimming: gives back the room of what is worked off, and keeps the last message of every subject, for the fence lives in
//! it: a subject without messages expects sequence 0 again, and two writers could both begin anew.

use std::collections::HashMap;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::PurgeError;
use futures::{StreamExt, TryStreamExt};

use crate::connect::Bus;
use crate::read::{ReadError, away_or_lost};

/// Subjects read at a time while looking for their last messages.
const SUBJECTS_BATCH: usize = 1_000;
/// Subjects trimmed one by one in a call.
const PURGES_MAX: usize = 64;
/// What a silent subject may hold back before the others are trimmed one by one: this part of the stream's size.
const SILENT_SHARE: u64 = 8;

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
    /// First everything below the lowest such last message goes, in whole blocks. If the stream then still holds more than an
    /// eighth of what it may, a subject that fell silent holds the rest: the subjects that hold most messages are trimmed one by
    /// one, at most 64 of them a call.
    ///
    /// Measured with nats-server 2.15.1 under 100 MB/s on 20 subjects: about 90 ms a call, and about 210 ms where all of them are
    /// trimmed one by one. It asks for the last message of every subject, so with thousands of busy subjects a call takes
    /// seconds: call it every few seconds, not for every block.
    ///
    /// # Errors
    /// [`TrimError`]
    pub async fn trim(&self, stream: &str, up_to: u64) -> Result<Trimmed, TrimError> {
        let read = |source| TrimError::Read { stream: stream.to_owned(), source };
        let purge = |source| TrimError::Purge { stream: stream.to_owned(), source };
        let state = self.state_of(stream).await.map_err(read)?;
        if state.first_seq > up_to {
            return Ok(Trimmed::default());
        }
        let lasts = self.lasts(stream).await.map_err(read)?;
        let Some(floor) = lasts.values().min().copied() else { return Ok(Trimmed::default()) };
        let handle = self.handle(stream).await.map_err(read)?;
        let end = up_to.saturating_add(1);
        let mut messages = 0;
        if floor.min(end) > state.first_seq {
            // A purge spares the message of its sequence.
            messages = handle.purge().sequence(floor.min(end)).await.map_err(purge)?.purged;
        }
        let state = self.state_of(stream).await.map_err(read)?;
        let is_large = state.bytes > u64::try_from(state.bytes_max).unwrap_or(u64::MAX) / SILENT_SHARE;
        if floor <= up_to && is_large {
            for (subject, _) in self.counts(stream, ">").await.map_err(read)?.into_iter().take(PURGES_MAX) {
                // A subject younger than the look at the last messages is left for the next time.
                let Some(last) = lasts.get(&subject) else { continue };
                let to = end.min(*last);
                messages += handle.purge().filter(subject).sequence(to).await.map_err(purge)?.purged;
            }
        }
        Ok(Trimmed { messages })
    }

    /// The subjects that hold more than one message, those that hold most first.
    async fn counts(&self, stream: &str, filter: &str) -> Result<Vec<(String, usize)>, ReadError> {
        let info = self.handle(stream).await?.info_with_subjects(filter).await;
        let counts = info.map_err(|error| away_or_lost(stream, error))?;
        let counts = counts.try_filter(|(_, count)| std::future::ready(*count > 1)).try_collect::<Vec<_>>().await;
        let mut counts = counts.map_err(|error| away_or_lost(stream, error))?;
        counts.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
        Ok(counts)
    }

    /// The subjects of a stream and the sequence of the last message of each.
    async fn lasts(&self, stream: &str) -> Result<HashMap<String, u64>, ReadError> {
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
        let mut lasts = HashMap::new();
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
                lasts.insert(message.subject.to_string(), info.stream_sequence);
            }
        }
        let _forgotten_by_itself =
            self.inner.jetstream.delete_consumer_from_stream(&consumer.cached_info().name, stream).await;
        Ok(lasts)
    }
}
