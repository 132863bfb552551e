//! What a decision about the list holds: what is to be blocked, with its evidence, and what is to be lifted.

use std::collections::BTreeSet;

use contracts::Hash;
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

use super::subject::Subject;
use crate::domain::text::Line;

/// Most subjects of one decision: with short evidence they fit into one change of the history.
pub const SUBJECTS_MAX: usize = 2_000;

/// What an entry rests on. The document itself is elsewhere; its hash pins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What was found. Not for the public.
    pub text: Line<2000>,
    /// Where the document is filed.
    pub reference: Line<200>,
    /// SHA-256 of the document.
    pub hash: Hash,
}

/// A subject that is to be blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// What.
    pub subject: Subject,
    /// Why.
    pub evidence: Evidence,
    /// The first day it is blocked, in the regulator's time zone: `2026-11-23`. A day gone by is as good as today.
    #[serde(with = "day")]
    pub blocked_from: Date,
}

/// A subject whose entry is to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    /// What.
    pub subject: Subject,
    /// Why.
    pub reason: Line<1000>,
}

/// 1 to [`SUBJECTS_MAX`] subjects, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Measure {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blocks: Vec<Block>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lifts: Vec<Lift>,
}

/// A subject's place in a measure, for who has to find it in a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In [`Measure::blocks`].
    Block(usize),
    /// In [`Measure::lifts`].
    Lift(usize),
}

/// Why subjects don't make a measure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMeasure {
    /// None, or too many.
    #[error("a decision is about 1 to {max} subjects, not {found}", max = SUBJECTS_MAX)]
    Number {
        /// How many there are.
        found: usize,
    },
    /// Some are named more than once.
    #[error("{} subjects are named more than once", .0.len())]
    Repeated(Vec<Place>),
}

impl Measure {
    /// # Errors
    /// [`BadMeasure`]
    pub fn new(blocks: Vec<Block>, lifts: Vec<Lift>) -> Result<Self, BadMeasure> {
        let found = blocks.len() + lifts.len();
        if !(1..=SUBJECTS_MAX).contains(&found) {
            return Err(BadMeasure::Number { found });
        }
        let mut seen = BTreeSet::new();
        let blocked = blocks.iter().enumerate().map(|(n, block)| (Place::Block(n), &block.subject));
        let lifted = lifts.iter().enumerate().map(|(n, lift)| (Place::Lift(n), &lift.subject));
        let twice = blocked.chain(lifted).filter(|(_, subject)| !seen.insert(*subject));
        let repeated: Vec<Place> = twice.map(|(place, _)| place).collect();
        if repeated.is_empty() { Ok(Self { blocks, lifts }) } else { Err(BadMeasure::Repeated(repeated)) }
    }

    /// What is to be blocked.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// What is to be lifted.
    pub fn lifts(&self) -> &[Lift] {
        &self.lifts
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    #[serde(default)]
    blocks: Vec<Block>,
    #[serde(default)]
    lifts: Vec<Lift>,
}

impl TryFrom<Unchecked> for Measure {
    type Error = BadMeasure;
    fn try_from(Unchecked { blocks, lifts }: Unchecked) -> Result<Self, BadMeasure> {
        Self::new(blocks, lifts)
    }
}

/// Reads a date as `2026-11-23` and nothing else; the general parser takes times behind the date, too.
pub fn read_day(text: &str) -> Option<Date> {
    text.parse().ok().filter(|date: &Date| date.to_string() == text)
}

/// Days that a block may begin on: others are slips of the pen, which would stand in the public feeds.
pub const BLOCKED_FROM: std::ops::RangeInclusive<Date> = date(2000, 1, 1)..=date(2099, 12, 31);

/// A date as ISO 8601 text.
pub(super) mod day {
    use jiff::civil::Date;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(date)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::read_day(&text).ok_or_else(|| D::Error::custom("not a date as YYYY-MM-DD"))
    }
}
