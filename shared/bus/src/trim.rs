//! Trimming: gives back the room of what is worked off, and keeps the last message of every subject, for the fence lives in
//! it: a subject without messages expects sequence 0 again, and two writers could both begin anew.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::PurgeError;
use futures::{StreamExt, TryStreamExt};

use crate::connect::{Bus, Cut, REQUEST_TIMEOUT};
use crate::read::{ReadError, away_or_lost};

/// Subjects read at a time while looking for their last messages.
const SUBJECTS_BATCH: usize = 1_000;
/// Subjects trimmed one by one in a call.
const PURGES_MAX: usize = 64;
/// The longest a call may take. Far more than it takes with thousands of subjects; what ends it is a server that answers pings and
/// nothing else.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the server keeps the consumer that reads the last messages when nobody asks it.
const INACTIVE: Duration = Duration::from_secs(30);
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
    /// Ends when the connection is lost, and after a minute at the latest: then what was not trimmed is trimmed the next time.
    ///
    /// # Errors
    /// [`TrimError`]
    pub async fn trim(&self, stream: &str, up_to: u64) -> Result<Trimmed, TrimError> {
        self.bounded(stream, self.trim_all(stream, up_to)).await
    }

    /// Removes the messages of the subjects that are `chosen` up to and including `up_to`, but for the last one of each: the
    /// subjects that hold most messages, at most 64 of them a call. For when something below must stay that [`Self::trim`] would take
    /// or be held up by. As bounded as that.
    ///
    /// # Errors
    /// [`TrimError`]
    pub async fn trim_each(
        &self,
        stream: &str,
        up_to: u64,
        chosen: impl Fn(&str) -> bool + Send,
    ) -> Result<Trimmed, TrimError> {
        let work = async {
            let lasts = self.lasts(stream).await.map_err(|source| unread(stream, source))?;
            self.purge_each(stream, up_to, &lasts, chosen).await
        };
        self.bounded(stream, work).await
    }

    /// An answer that never comes must not hold up who trims in turns: over a connection that was lost, none comes.
    async fn bounded(
        &self,
        stream: &str,
        work: impl Future<Output = Result<Trimmed, TrimError>>,
    ) -> Result<Trimmed, TrimError> {
        let away = |error: async_nats::Error| unread(stream, ReadError::Away(error));
        match tokio::time::timeout(CALL_TIMEOUT, self.while_up(work)).await {
            Ok(done) => done.map_err(|cut: Cut| away(Box::new(cut)))?,
            Err(late) => Err(away(Box::new(late))),
        }
    }

    async fn trim_all(&self, stream: &str, up_to: u64) -> Result<Trimmed, TrimError> {
        let read = |source| unread(stream, source);
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
            let purged = handle.purge().sequence(floor.min(end)).await;
            messages = purged.map_err(|source| unpurged(stream, source))?.purged;
        }
        let state = self.state_of(stream).await.map_err(read)?;
        let is_large = state.bytes > u64::try_from(state.bytes_max).unwrap_or(u64::MAX) / SILENT_SHARE;
        if floor <= up_to && is_large {
            messages += self.purge_each(stream, up_to, &lasts, |_| true).await?.messages;
        }
        Ok(Trimmed { messages })
    }

    /// Purges subjects one by one, each up to `up_to` and not its last message.
    async fn purge_each(
        &self,
        stream: &str,
        up_to: u64,
        lasts: &HashMap<String, u64>,
        chosen: impl Fn(&str) -> bool,
    ) -> Result<Trimmed, TrimError> {
        let read = |source| unread(stream, source);
        let handle = self.handle(stream).await.map_err(read)?;
        let end = up_to.saturating_add(1);
        let counts = self.counts(stream, ">").await.map_err(read)?;
        let mut messages = 0;
        for (subject, _) in counts.into_iter().filter(|(subject, _)| chosen(subject)).take(PURGES_MAX) {
            // A subject younger than the look at the last messages is left for the next time.
            let Some(last) = lasts.get(&subject) else { continue };
            // A purge spares the message of its sequence.
            let purged = handle.purge().filter(subject).sequence(end.min(*last)).await;
            messages += purged.map_err(|source| unpurged(stream, source))?.purged;
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
            inactive_threshold: INACTIVE,
            ..pull::Config::default()
        };
        let away = |error: async_nats::Error| ReadError::Away(error);
        let consumer =
            self.api(stream).create_consumer_on_stream(config, stream).await.map_err(|error| away(Box::new(error)))?;
        let mut waiting = consumer.cached_info().num_pending;
        let mut lasts = HashMap::new();
        while waiting > 0 {
            let mut batch = consumer
                .fetch()
                .max_messages(SUBJECTS_BATCH)
                // Without it the client waits for ever for an answer that does not come.
                .expires(REQUEST_TIMEOUT)
                .messages()
                .await
                .map_err(|error| away(Box::new(error)))?;
            let before = lasts.len();
            while let Some(message) = batch.next().await {
                let message = message.map_err(away)?;
                let info = message.info().map_err(away)?;
                waiting = info.pending;
                lasts.insert(message.subject.to_string(), info.stream_sequence);
            }
            if lasts.len() == before && waiting > 0 {
                return Err(away("the server has more subjects and does not name them".into()));
            }
        }
        let _forgotten_by_itself =
            self.api(stream).delete_consumer_from_stream(&consumer.cached_info().name, stream).await;
        Ok(lasts)
    }
}

fn unread(stream: &str, source: ReadError) -> TrimError {
    TrimError::Read { stream: stream.to_owned(), source }
}

fn unpurged(stream: &str, source: PurgeError) -> TrimError {
    TrimError::Purge { stream: stream.to_owned(), source }
}
