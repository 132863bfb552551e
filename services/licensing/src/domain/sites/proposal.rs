//! Proposals about the list: open until another confirms, somebody declines, or their time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contracts::UnixMillis;
use uuid::Uuid;

use super::fact::Fact;
use super::measure::Measure;
use crate::domain::history::{Author, Event};
use crate::domain::operator::fact::Ground;
use crate::domain::text::Line;

/// A decision that waits for another's confirmation, or waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its id, chosen by who proposed it.
    pub id: Uuid,
    /// Who proposed it.
    pub by: Author,
    /// When.
    pub at: UnixMillis,
    /// The place in the history of the change that proposed it: what it held stands there, when it is let go of here.
    pub version: u64,
    /// From when on it may no longer be confirmed.
    pub expires: UnixMillis,
    /// What it rests on.
    pub ground: Ground,
    /// How many subjects are to be blocked.
    pub blocks: usize,
    /// How many are to be lifted.
    pub lifts: usize,
    /// What became of it.
    pub phase: Phase,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing yet: this is what is proposed.
    Open(Arc<Measure>),
    /// It was decided.
    Confirmed {
        /// By whom.
        by: Author,
        /// When.
        at: UnixMillis,
    },
    /// It was refused, or taken back.
    Declined {
        /// By whom.
        by: Author,
        /// When.
        at: UnixMillis,
        /// Why.
        reason: Line<1000>,
    },
    /// Nobody answered in time.
    Expired,
}

impl Proposal {
    /// What is proposed, if it may still be confirmed.
    pub fn open(&self, now: UnixMillis) -> Option<&Arc<Measure>> {
        match &self.phase {
            Phase::Open(measure) if now < self.expires => Some(measure),
            _ => None,
        }
    }

    /// Whether it waited for an answer at a moment.
    pub fn waits(&self, at: UnixMillis) -> bool {
        at < self.expires && self.answered(at).is_none()
    }

    /// The answer that it had at a moment, after which nothing of it was open: who gave it, when, and why if it was declined.
    pub fn answered(&self, at: UnixMillis) -> Option<Answer<'_>> {
        let answer = match &self.phase {
            Phase::Open(_) | Phase::Expired => return None,
            Phase::Confirmed { by, at } => Answer { by, at: *at, declined: None },
            Phase::Declined { by, at, reason } => Answer { by, at: *at, declined: Some(reason) },
        };
        (answer.at <= at).then_some(answer)
    }

    /// What had become of it at a moment, as on the wire.
    pub fn outcome(&self, at: UnixMillis) -> &'static str {
        match self.answered(at) {
            Some(Answer { declined: None, .. }) => "confirmed",
            Some(_) => "declined",
            None if at < self.expires => "open",
            None => "expired",
        }
    }
}

/// What ended a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Who gave it.
    pub by: &'a Author,
    /// When.
    pub at: UnixMillis,
    /// Why it was declined; `None`: it was confirmed.
    pub declined: Option<&'a Line<1000>>,
}

/// What a change of the history proposed, and under which id; `None` when it proposed nothing.
pub fn proposed(change: &[u8]) -> Option<(Uuid, Measure)> {
    let event: Event<Fact> = serde_json::from_slice(change).ok()?;
    match event.fact {
        Fact::Proposed { proposal, measure, .. } => Some((proposal, measure)),
        _ => None,
    }
}

/// All proposals, the latest last.
#[derive(Debug, Clone, Default)]
pub struct Proposals {
    all: Vec<Arc<Proposal>>,
    places: BTreeMap<Uuid, usize>,
    open: BTreeSet<(UnixMillis, Uuid)>,
}

impl Proposals {
    /// One of them.
    pub fn get(&self, id: Uuid) -> Option<&Proposal> {
        self.places.get(&id).and_then(|place| self.all.get(*place)).map(|proposal| &**proposal)
    }

    /// All before one of them, or all; the latest first. `None` when that one is not known.
    pub fn newest(&self, before: Option<Uuid>) -> Option<impl Iterator<Item = &Proposal>> {
        let end = match before {
            None => self.all.len(),
            Some(id) => *self.places.get(&id)?,
        };
        Some(self.all.get(..end)?.iter().rev().map(|proposal| &**proposal))
    }

    /// How many may still be confirmed.
    pub fn open(&self, now: UnixMillis) -> usize {
        self.open.iter().rev().take_while(|(expires, _)| now < *expires).count()
    }

    pub(super) fn add(&mut self, proposal: Proposal) {
        self.open.insert((proposal.expires, proposal.id));
        self.places.insert(proposal.id, self.all.len());
        self.all.push(Arc::new(proposal));
    }

    pub(super) fn close(&mut self, id: Uuid, phase: Phase) {
        let Some(proposal) = self.places.get(&id).and_then(|place| self.all.get_mut(*place)) else { return };
        self.open.remove(&(proposal.expires, id));
        // A new one: the old one with its measure stays with those who still read it.
        *proposal = Arc::new(Proposal { phase, ..Proposal::clone(proposal) });
    }

    /// Lets go of what those held whose time is over.
    pub(super) fn expire(&mut self, now: UnixMillis) {
        while let Some((_, id)) = self.open.first().copied().filter(|(expires, _)| *expires <= now) {
            self.close(id, Phase::Expired);
        }
    }
}
