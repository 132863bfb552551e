//! The streams of DSOM, declared here and nowhere else.
//!
//! All keep what they hold until somebody trims it (limits retention, `discard: new`): nothing is ever dropped to make
//! room, a full stream refuses. One subject of `ALERTS` refuses before the stream is full, so that nobody can take it all. Messages cannot be deleted one by one (`deny_delete`); purging must stay allowed, for
//! trimming is purging.

use std::num::NonZeroU8;
use std::time::Duration;

use async_nats::jetstream::stream::{Compression, Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, context::CreateStreamErrorKind};
use contracts::subjects;

use crate::connect::Bus;
use crate::login::{self, Part};
use crate::read::ReadError;

/// How long the server remembers message ids. Only an optimisation for repeats within a moment: what makes a repeat harmless
/// at any time is the fence and the sequence numbers inside. Kept in the server's memory.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Alerts of one kind about one operator that may lie in `ALERTS`: a few days of one a minute, about 2.5 MB. Who causes more of them
/// than people look at fills its own share, and alerts about all others are still taken.
pub const ALERTS_OF_SUBJECT_MAX: i64 = 4_096;

/// Bytes each stream may hold on disk. Together they must fit `max_file_store` of the server, which must fit the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamBytes {
    /// `TX`: accepted and not yet trimmed; how long chaining may be away.
    pub tx: u64,
    /// `LEDGER`: sealed blocks; how long a reader of them may be away.
    pub ledger: u64,
    /// `ALERTS`.
    pub alerts: u64,
    /// `REGISTRY`: one message an operator.
    pub registry: u64,
}

impl Default for StreamBytes {
    fn default() -> Self {
        Self { tx: 8 << 30, ledger: 8 << 30, alerts: 256 << 20, registry: 64 << 20 }
    }
}

/// What to do about a stream that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostStreams {
    /// Make it: this deployment is new, or the stream is known to hold nothing that is missed.
    Create,
    /// Fail: our stores say that it existed. JetStream has lost streams before (nats-server #6888, #5382), and an empty one
    /// in its place would begin to number anew and hide the loss. A person decides.
    Refuse,
    /// Leave `TX` to those who write and read it: whether it may be made is not ours to judge.
    Leave,
}

/// Why the streams are not as declared.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// A stream is missing that our stores know of.
    #[error(
        "stream {0} is missing, and what it held with it: restore the JetStream directory, or say that it may begin anew"
    )]
    Lost(&'static str),
    /// A stream is there with another configuration than ours, and the server will not change it.
    #[error("stream {stream} is configured otherwise: {difference}")]
    Differs {
        /// Which.
        stream: &'static str,
        /// What is other than declared.
        difference: String,
    },
    /// `TX` is another mesh's.
    #[error(
        "stream TX is sealed into the log {found}, and this process writes {own}: this is the NATS of another mesh"
    )]
    OtherLog {
        /// The log that the stream is marked with.
        found: String,
        /// The one it was to be.
        own: String,
    },
    /// The server cannot give the streams the room they are to have.
    #[error("the server has no room for stream {stream}: {reason}; raise max_file_store or lower the stream's size")]
    NoRoom {
        /// Which.
        stream: &'static str,
        /// What the server said.
        reason: String,
    },
    /// A stream is missing that others make: try again.
    #[error("stream {0} is not there yet: who keeps it makes it at its start")]
    NotYet(&'static str),
    /// The server does not answer: try again.
    #[error("nats did not answer")]
    Away(#[source] async_nats::Error),
}

fn declared(bytes: StreamBytes, replicas: NonZeroU8) -> [Config; 4] {
    let stream = |name: &str, subject: &str, bytes: u64, description: &str| Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        description: Some(description.to_owned()),
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        max_message_size: -1,
        num_replicas: usize::from(replicas.get()),
        duplicate_window: DUPLICATE_WINDOW,
        deny_delete: true,
        allow_direct: true,
        // Frames and blocks are packed already.
        compression: Some(Compression::None),
        ..Config::default()
    };
    [
        stream(subjects::TX, subjects::TX_ALL, bytes.tx, "accepted batches, trimmed by chaining once sealed"),
        stream(subjects::LEDGER, subjects::LEDGER_ALL, bytes.ledger, "sealed blocks and checkpoints"),
        Config {
            max_messages_per_subject: ALERTS_OF_SUBJECT_MAX,
            // The subject refuses; without this it would drop its oldest.
            discard_new_per_subject: true,
            ..stream(subjects::ALERTS, subjects::ALERTS_ALL, bytes.alerts, "what a person must look at")
        },
        Config {
            // The last word is all there is to know: with `discard: new` a full subject still replaces its own message.
            max_messages_per_subject: 1,
            ..stream(subjects::REGISTRY, subjects::REGISTRY_ALL, bytes.registry, "who may do what")
        },
    ]
}

impl Bus {
    /// Makes sure that the streams are there, as declared here. A stream of another size, with another number of
    /// copies, or with another bound at which its subjects refuse is given the declared one; any other difference is refused. `lost` says what to do about a stream that is missing: callers whose store knows of
    /// messages pass [`LostStreams::Refuse`].
    ///
    /// On a broker that asks who somebody is, only what is in one's own account is made and changed: others wait for it.
    ///
    /// # Errors
    /// [`DeclareError`]
    pub async fn declare(&self, bytes: StreamBytes, lost: LostStreams) -> Result<(), DeclareError> {
        let declared = declared(bytes, self.inner.replicas);
        for (name, config) in
            [subjects::TX, subjects::LEDGER, subjects::ALERTS, subjects::REGISTRY].into_iter().zip(declared)
        {
            let part = login::part(self.inner.login.as_ref(), name);
            if part == Part::None {
                continue;
            }
            match self.info_of(name).await {
                Ok(info) if part == Part::Guest => fits(name, &config, &info.config)?,
                Ok(info) => self.adopt(name, &config, info.config).await?,
                // Only TX holds what cannot be had again: the others are told anew from the stores.
                Err(ReadError::NoStream(_)) if lost == LostStreams::Refuse && name == subjects::TX => {
                    return Err(DeclareError::Lost(name));
                }
                Err(ReadError::NoStream(_)) if lost == LostStreams::Leave && name == subjects::TX => {}
                Err(ReadError::NoStream(_)) if part == Part::Guest => return Err(DeclareError::NotYet(name)),
                Err(ReadError::NoStream(_)) => {
                    self.api(name).create_stream(config).await.map_err(|error| named(name, error))?;
                    tracing::info!(stream = name, "declared stream {name}");
                }
                Err(error) => return Err(away(error)),
            }
        }
        Ok(())
    }

    async fn adopt(&self, name: &'static str, wanted: &Config, mut found: Config) -> Result<(), DeclareError> {
        fits(name, wanted, &found)?;
        let mut wanted = wanted.clone();
        if wanted.discard_new_per_subject && found.max_messages_per_subject != wanted.max_messages_per_subject {
            // The server would drop the oldest of a subject that holds more than it may: what is there is let stay.
            let held = self.fullest_subject(name).await.map_err(away)?;
            wanted.max_messages_per_subject =
                wanted.max_messages_per_subject.max(i64::try_from(held).unwrap_or(i64::MAX));
        }
        if !take_over(&wanted, &mut found) {
            return Ok(());
        }
        let (bytes, replicas, of_subject) = (found.max_bytes, found.num_replicas, found.max_messages_per_subject);
        tracing::info!(stream = name, bytes, replicas, of_subject, "giving stream {name} other limits");
        self.api(name).update_stream(&found).await.map_err(|error| named(name, error))?;
        Ok(())
    }
}

/// Takes over what may be changed under a running stream; whether anything was to change.
fn take_over(wanted: &Config, found: &mut Config) -> bool {
    let limits = |config: &Config| {
        let of_subject = wanted.discard_new_per_subject.then_some(config.max_messages_per_subject);
        (config.max_bytes, config.num_replicas, config.discard_new_per_subject, of_subject)
    };
    let same = limits(found) == limits(wanted);
    found.max_bytes = wanted.max_bytes;
    found.num_replicas = wanted.num_replicas;
    if wanted.discard_new_per_subject {
        found.max_messages_per_subject = wanted.max_messages_per_subject;
        found.discard_new_per_subject = true;
    }
    !same
}

/// The first thing in which a stream breaks a promise of ours.
fn difference(wanted: &Config, found: &Config) -> Option<String> {
    let checks = [
        ("subjects", wanted.subjects != found.subjects, format!("{:?}", found.subjects)),
        ("storage", wanted.storage != found.storage, format!("{:?}", found.storage)),
        ("retention", wanted.retention != found.retention, format!("{:?}", found.retention)),
        ("discard", wanted.discard != found.discard, format!("{:?}", found.discard)),
        ("max_age", found.max_age != Duration::ZERO, format!("{:?}", found.max_age)),
        ("max_msgs", found.max_messages > 0, found.max_messages.to_string()),
        (
            "max_msgs_per_subject",
            // Where a full subject refuses, how much it may hold is taken over.
            !wanted.discard_new_per_subject
                && found.max_messages_per_subject.max(0) != wanted.max_messages_per_subject.max(0),
            found.max_messages_per_subject.to_string(),
        ),
        (
            "discard_new_per_subject",
            found.discard_new_per_subject && !wanted.discard_new_per_subject,
            "true".to_owned(),
        ),
        ("max_msg_size", found.max_message_size > 0, found.max_message_size.to_string()),
        ("deny_delete", !found.deny_delete, "false".to_owned()),
        ("deny_purge", found.deny_purge, "true".to_owned()),
        ("allow_direct", !found.allow_direct, "false".to_owned()),
        ("sealed", found.sealed, "true".to_owned()),
    ];
    checks.into_iter().find(|(_, differs, _)| *differs).map(|(field, _, value)| format!("{field} is {value}"))
}

fn fits(stream: &'static str, wanted: &Config, found: &Config) -> Result<(), DeclareError> {
    match difference(wanted, found) {
        None => Ok(()),
        Some(difference) => Err(DeclareError::Differs { stream, difference }),
    }
}

fn away(error: ReadError) -> DeclareError {
    DeclareError::Away(Box::new(error))
}

pub(crate) fn named(stream: &'static str, error: jetstream::context::CreateStreamError) -> DeclareError {
    match error.kind() {
        CreateStreamErrorKind::JetStream(refusal) => {
            let reason = refusal.to_string();
            match refusal.error_code() {
                jetstream::ErrorCode::STORAGE_RESOURCES_EXCEEDED
                | jetstream::ErrorCode::INSUFFICIENT_RESOURCES
                | jetstream::ErrorCode::ACCOUNT_RESOURCES_EXCEEDED => DeclareError::NoRoom { stream, reason },
                _ => DeclareError::Differs { stream, difference: reason },
            }
        }
        _ => DeclareError::Away(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_promise_is_a_difference() {
        let [tx, ..] = declared(StreamBytes::default(), NonZeroU8::MIN);
        assert_eq!(difference(&tx, &tx), None);
        let other = Config { discard: DiscardPolicy::Old, ..tx.clone() };
        assert_eq!(difference(&tx, &other), Some("discard is Old".to_owned()));
        let other = Config { max_age: Duration::from_secs(60), ..tx.clone() };
        assert_eq!(difference(&tx, &other), Some("max_age is 60s".to_owned()));
        let other = Config { max_messages_per_subject: 1, ..tx.clone() };
        assert!(difference(&tx, &other).is_some());
        let [.., registry] = declared(StreamBytes::default(), NonZeroU8::MIN);
        let other = Config { discard_new_per_subject: true, ..registry.clone() };
        assert_eq!(difference(&registry, &other), Some("discard_new_per_subject is true".to_owned()));
    }

    #[test]
    fn alerts_that_knew_no_bound_are_given_one() {
        let [_, _, wanted, _] = declared(StreamBytes::default(), NonZeroU8::MIN);
        let old = Config { max_messages_per_subject: -1, discard_new_per_subject: false, ..wanted.clone() };
        for mut found in [old.clone(), Config { max_messages_per_subject: 7, ..old }] {
            assert_eq!(difference(&wanted, &found), None);
            assert!(take_over(&wanted, &mut found));
            assert_eq!((found.max_messages_per_subject, found.discard_new_per_subject), (ALERTS_OF_SUBJECT_MAX, true));
            assert!(!take_over(&wanted, &mut found));
        }
    }

    #[test]
    fn size_and_number_of_copies_are_taken_over() {
        let three = NonZeroU8::new(3).expect("not zero");
        let [wanted, ..] = declared(StreamBytes::default(), three);
        let [one, ..] = declared(StreamBytes::default(), NonZeroU8::MIN);
        assert_eq!(difference(&wanted, &one), None);
        for mut found in [one, Config { max_bytes: 1, ..wanted.clone() }] {
            assert!(take_over(&wanted, &mut found));
            assert_eq!((found.num_replicas, found.max_bytes), (3, 8 << 30));
            assert!(!take_over(&wanted, &mut found));
        }
    }
}
