//! What happens to the list, as it is stored.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::measure::{Measure, day};
use super::rpz::Zone;
use crate::domain::operator::fact::{Ground, Moment};
use crate::domain::text::Line;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact {
    /// One proposed a decision.
    Proposed {
        /// Its id.
        proposal: Uuid,
        /// Up to when it may be confirmed.
        expires: Moment,
        /// What is to be blocked and lifted.
        measure: Measure,
        /// What that rests on.
        ground: Ground,
    },
    /// Another confirmed it: it is decided.
    Confirmed {
        /// Which proposal.
        proposal: Uuid,
        /// The day of it in the regulator's time zone, which is kept so that no other time zone can make it another
        /// day: what is blocked from a later day on is announced, the rest is in force.
        #[serde(with = "day")]
        day: Date,
    },
    /// It was refused, or taken back by who proposed it.
    Declined {
        /// Which proposal.
        proposal: Uuid,
        /// Why.
        reason: Line<1000>,
    },
    /// The zone got another form, by the settings of a process that was started. What is served is the last that was set, by every
    /// process, whatever its own settings: one serial is one zone.
    ZoneSet {
        /// The form.
        zone: Zone,
    },
    /// A day came: what was announced for it, or for a day before it, is in force.
    Began {
        /// The day.
        #[serde(with = "day")]
        day: Date,
    },
}
