//! How many copies answer before something is done: most of them, always.

use scylla::statement::{Consistency, SerialConsistency};
use serde::Deserialize;

/// Whose majority answers. Nothing weaker can be named: that what was written is read, and that a chain has one end, rests on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Majority {
    /// Of the copies in the data centre of the node that is asked. All processes that write must then be in one data centre.
    #[default]
    #[serde(alias = "LOCAL_QUORUM")]
    LocalQuorum,
    /// Of the copies in all data centres together: slower by the way between them, and right wherever the processes are.
    #[serde(alias = "QUORUM")]
    Quorum,
}

impl Majority {
    /// For reads and writes.
    pub(super) fn plain(self) -> Consistency {
        match self {
            Self::LocalQuorum => Consistency::LocalQuorum,
            Self::Quorum => Consistency::Quorum,
        }
    }

    /// For the rounds of a compare-and-set.
    pub(super) fn serial(self) -> SerialConsistency {
        match self {
            Self::LocalQuorum => SerialConsistency::LocalSerial,
            Self::Quorum => SerialConsistency::Serial,
        }
    }

    /// For reads that settle an unfinished compare-and-set.
    pub(super) fn serial_read(self) -> Consistency {
        match self {
            Self::LocalQuorum => Consistency::LocalSerial,
            Self::Quorum => Consistency::Serial,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    fn read(text: &str) -> Result<Majority, Error> {
        let text: StrDeserializer<Error> = text.into_deserializer();
        Majority::deserialize(text)
    }

    #[test]
    fn a_majority_is_named_and_nothing_weaker() {
        for (text, majority) in [("local_quorum", Majority::LocalQuorum), ("QUORUM", Majority::Quorum)] {
            assert_eq!(read(text), Ok(majority));
        }
        for weaker in ["one", "ONE", "two", "any", "local_one", ""] {
            let refused = read(weaker).expect_err(weaker).to_string();
            assert!(refused.contains("`local_quorum`") && refused.contains("`quorum`"), "{refused}");
        }
    }

    #[test]
    fn the_serial_rounds_ask_the_same_copies_as_the_rest() {
        let local = Majority::default();
        assert_eq!((local.plain(), local.serial_read()), (Consistency::LocalQuorum, Consistency::LocalSerial));
        assert_eq!(local.serial(), SerialConsistency::LocalSerial);
        let all = Majority::Quorum;
        assert_eq!((all.plain(), all.serial_read()), (Consistency::Quorum, Consistency::Serial));
        assert_eq!(all.serial(), SerialConsistency::Serial);
    }
}
