//! The history of an entity: changes that only grow, each holding the hash of the one before it.
//!
//! A change is one JSON object, kept as the bytes it was first written in. Its hash is the RFC 6962 leaf hash of those bytes, and
//! the next change names it in `previous` (32 zero bytes in the first one): whoever holds the last hash can check all before it.

use std::fmt;

use contracts::{Hash, UnixMillis};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Largest change, in bytes: a decision about some thousands of sites.
pub const CHANGE_BYTES_MAX: usize = 1 << 20;

/// What has a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A legal entity with its licences and keys.
    Operator,
    /// The list of blocked sites: one entity, [`EntityId::SITES`].
    Sites,
}

impl Kind {
    /// As it is written in changes and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Sites => "sites",
        }
    }
}

/// Names an entity: `operator/13013f29-b9df-4b82-ad28-e51596b7e0b4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId {
    /// Of which kind.
    pub kind: Kind,
    /// Which of them.
    pub id: Uuid,
}

impl EntityId {
    /// The list of blocked sites.
    pub const SITES: Self = Self { kind: Kind::Sites, id: Uuid::from_u128(0x5d50_4d51_0000_4000_8000_0000_0000_0001) };
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.id)
    }
}

/// Who made a change: the subject of a token, never a name of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Author {
    /// `sub` of the token.
    pub sub: String,
    /// The role it acted in.
    pub role: String,
}

/// A change as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event<F> {
    /// Whose history: `<kind>/<id>`.
    pub entity: String,
    /// Its place, from 1.
    pub version: u64,
    /// Hash of the change before it.
    pub previous: Hash,
    /// When, RFC 3339 UTC with milliseconds.
    pub at: String,
    /// Who.
    pub by: Author,
    /// What.
    pub fact: F,
}

/// A change ready to be stored: its place and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place, from 1.
    pub version: u64,
    /// The JSON object.
    pub bytes: Vec<u8>,
}

/// Where a history ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of changes.
    pub version: u64,
    /// Hash of the last one.
    pub hash: Hash,
    /// When the last one was made.
    pub at: UnixMillis,
}

/// Why bytes are no next change of a history. They were written by this system, so each of these means damage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHistory {
    /// Not a change, or with a fact that is not known.
    #[error("change {version} can't be read: {reason}")]
    Unreadable {
        /// Its place.
        version: u64,
        /// What the reader says.
        reason: String,
    },
    /// Of another entity, another place, or after another change.
    #[error("change {version} has another {field} than it must have")]
    Differs {
        /// Its place.
        version: u64,
        /// Which member.
        field: &'static str,
    },
    /// It follows, but what it says can't have been: it was not written by this system, or not in this place.
    #[error("change {version} can't have been: {reason}")]
    Impossible {
        /// Its place.
        version: u64,
        /// Why.
        reason: &'static str,
    },
}

/// A fact too large to be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the change has {0} bytes, at most {CHANGE_BYTES_MAX} are allowed")]
pub struct TooLarge(pub usize);

/// When a change was made, read from its bytes alone; `None` when they are no change.
pub fn made_at(bytes: &[u8]) -> Option<UnixMillis> {
    let event: Event<serde::de::IgnoredAny> = serde_json::from_slice(bytes).ok()?;
    UnixMillis::parse(&event.at)
}

impl Head {
    /// Before the first change.
    pub const EMPTY: Self = Self { version: 0, hash: Hash::ZERO, at: UnixMillis(0) };

    /// Writes the next change. A clock that went back does not make a history go back: the time of a change is never before that of
    /// the one before it.
    ///
    /// # Errors
    /// [`TooLarge`]
    pub fn next<F: Serialize>(
        &self,
        entity: EntityId,
        now: UnixMillis,
        by: &Author,
        fact: F,
    ) -> Result<(Change, Event<F>), TooLarge> {
        let event = Event {
            entity: entity.to_string(),
            version: self.version + 1,
            previous: self.hash,
            at: now.max(self.at).to_string(),
            by: by.clone(),
            fact,
        };
        // These types have no form the encoder refuses.
        let bytes = serde_json::to_vec(&event).unwrap_or_default();
        if bytes.is_empty() || bytes.len() > CHANGE_BYTES_MAX {
            return Err(TooLarge(bytes.len()));
        }
        Ok((Change { version: event.version, bytes }, event))
    }

    /// Reads the next change, as it was stored, and goes on to it.
    ///
    /// # Errors
    /// [`BadHistory`]; the head is as before.
    pub fn follow<F: DeserializeOwned>(&mut self, entity: EntityId, bytes: &[u8]) -> Result<Event<F>, BadHistory> {
        let version = self.version + 1;
        let event: Event<F> = serde_json::from_slice(bytes)
            .map_err(|error| BadHistory::Unreadable { version, reason: error.to_string() })?;
        let at = UnixMillis::parse(&event.at);
        let checks = [
            ("entity", event.entity == entity.to_string()),
            ("version", event.version == version),
            ("previous", event.previous == self.hash),
            ("at", at.is_some_and(|at| at >= self.at)),
        ];
        if let Some((field, _)) = checks.into_iter().find(|(_, holds)| !holds) {
            return Err(BadHistory::Differs { version, field });
        }
        *self = Self { version, hash: ledger::leaf_hash(bytes), at: at.unwrap_or(self.at) };
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTITY: EntityId = EntityId { kind: Kind::Operator, id: Uuid::from_u128(7) };

    fn author() -> Author {
        Author { sub: "clerk-1".to_owned(), role: "clerk".to_owned() }
    }

    fn history(facts: &[&str]) -> Vec<Change> {
        let mut head = Head::EMPTY;
        let write = |(n, fact): (usize, &&str)| {
            let (change, _) = head.next(ENTITY, UnixMillis(1_000 * n as i64), &author(), *fact).expect("small");
            head.follow::<String>(ENTITY, &change.bytes).expect("follows");
            change
        };
        facts.iter().enumerate().map(write).collect()
    }

    #[test]
    fn a_change_is_plain_json_and_names_the_one_before() {
        let changes = history(&["a", "b"]);
        let first = r#"{"entity":"operator/00000000-0000-0000-0000-000000000007","version":1,"previous":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","at":"1970-01-01T00:00:00.000Z","by":{"sub":"clerk-1","role":"clerk"},"fact":"a"}"#;
        assert_eq!(String::from_utf8_lossy(&changes[0].bytes), first);
        // printf '\0%s' '<first>' | openssl sha256 -binary | base64
        assert!(String::from_utf8_lossy(&changes[1].bytes).contains(&ledger::leaf_hash(first.as_bytes()).to_string()));
    }

    #[test]
    fn nothing_can_be_changed_left_out_or_put_elsewhere() {
        let changes = history(&["a", "b", "c"]);
        let read = |bytes: &[Vec<u8>]| {
            let mut head = Head::EMPTY;
            bytes.iter().try_for_each(|bytes| head.follow::<String>(ENTITY, bytes).map(drop))
        };
        let good: Vec<Vec<u8>> = changes.iter().map(|change| change.bytes.clone()).collect();
        assert_eq!(read(&good), Ok(()));
        for edited in 0..2 {
            let mut bad = good.clone();
            let text = String::from_utf8(bad[edited].clone()).expect("text");
            bad[edited] = text.replace("clerk-1", "clerk-2").into_bytes();
            assert!(read(&bad).is_err(), "change {edited} edited");
        }
        let without = [good[0].clone(), good[2].clone()];
        assert!(read(&without).is_err());
        let swapped = [good[0].clone(), good[2].clone(), good[1].clone()];
        assert!(read(&swapped).is_err());
        let mut head = Head::EMPTY;
        let other = EntityId { id: Uuid::from_u128(8), ..ENTITY };
        assert_eq!(head.follow::<String>(other, &good[0]), Err(BadHistory::Differs { version: 1, field: "entity" }));
        assert_eq!(head, Head::EMPTY);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_take_the_history_with_it() {
        let mut head = Head::EMPTY;
        for now in [5_000, 4_000] {
            let (change, event) = head.next(ENTITY, UnixMillis(now), &author(), "x").expect("small");
            assert_eq!(event.at, "1970-01-01T00:00:05.000Z");
            assert_eq!(made_at(&change.bytes), Some(UnixMillis(5_000)));
            head.follow::<String>(ENTITY, &change.bytes).expect("follows");
        }
    }

    #[test]
    fn a_change_has_a_limit() {
        let large = "x".repeat(CHANGE_BYTES_MAX);
        assert!(matches!(Head::EMPTY.next(ENTITY, UnixMillis(0), &author(), large), Err(TooLarge(_))));
    }
}
