//! How a subject stands, and the steps that led there.

use std::sync::Arc;

use contracts::{OperatorId, UnixMillis};
use jiff::civil::Date;
use uuid::Uuid;

use super::measure::Evidence;
use crate::domain::operator::fact::Ground;
use crate::domain::text::Line;

/// A confirmed decision, as its entries and liftings name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The proposal that was confirmed.
    pub proposal: Uuid,
    /// What it rests on.
    pub ground: Ground,
    /// When it was confirmed.
    pub at: UnixMillis,
}

/// An entry of the list. It never changes: lifting it is a step beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Why.
    pub evidence: Evidence,
    /// By which decision.
    pub by: Arc<Resolution>,
    /// The first day it is blocked.
    pub blocked_from: Date,
}

/// The end of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifting {
    /// Why.
    pub reason: Line<1000>,
    /// By which decision.
    pub by: Arc<Resolution>,
}

/// How a subject stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Nothing is decided about it.
    Unlisted,
    /// It will be blocked.
    Announced(&'a Entry),
    /// It is blocked.
    Blocked(&'a Entry),
    /// It was blocked, or announced, and is no longer.
    Lifted(&'a Entry, &'a Lifting),
    /// It is this operator's licensed domain.
    Licensed(OperatorId),
}

impl Standing<'_> {
    /// As on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unlisted => "unlisted",
            Self::Announced(_) => "announced",
            Self::Blocked(_) => "blocked",
            Self::Lifted(..) => "lifted",
            Self::Licensed(_) => "licensed",
        }
    }

    /// Whether it is blocked.
    pub fn is_blocked(&self) -> bool {
        matches!(self, Self::Blocked(_))
    }

    /// Whether an entry about it has not ended.
    pub fn is_listed(&self) -> bool {
        matches!(self, Self::Announced(_) | Self::Blocked(_))
    }
}

/// One step of a subject: how it stands from a revision of the list on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The revision it belongs to. Steps that change nothing in force belong to the revision they found.
    pub revision: usize,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Announced(Arc<Entry>),
    Blocked(Arc<Entry>),
    Lifted(Arc<Entry>, Arc<Lifting>),
}

impl Step {
    pub(super) fn standing(&self) -> Standing<'_> {
        match &self.what {
            What::Announced(entry) => Standing::Announced(entry),
            What::Blocked(entry) => Standing::Blocked(entry),
            What::Lifted(entry, lifting) => Standing::Lifted(entry, lifting),
        }
    }

    pub(super) fn entry(&self) -> &Arc<Entry> {
        match &self.what {
            What::Announced(entry) | What::Blocked(entry) | What::Lifted(entry, _) => entry,
        }
    }
}
