//! The list with its proposals, as its history makes them.

use std::sync::Arc;

use super::fact::Fact;
use super::list::BlockList;
use super::proposal::{Phase, Proposal, Proposals};
use super::serial::Serial;
use super::standing::Resolution;
use crate::domain::calendar::Calendar;
use crate::domain::history::{BadHistory, EntityId, Event, Head};
use crate::domain::operator::request::CLERK_ROLES;

/// The list with its proposals. A copy shares all that is large.
#[derive(Debug, Clone)]
pub struct Sites {
    head: Head,
    list: BlockList,
    proposals: Proposals,
}

/// Why a change is not the next of this history. Each was checked before it was written, so each of these means damage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSites {
    /// It does not follow the change before it.
    #[error("the history of the block list is damaged")]
    History(#[source] BadHistory),
    /// It follows, but what it says can't have been.
    #[error("change {version} of the block list can't have been: {reason}")]
    Impossible {
        /// Its place.
        version: u64,
        /// Why.
        reason: &'static str,
    },
}

impl Default for Sites {
    fn default() -> Self {
        Self { head: Head::EMPTY, list: BlockList::new(Serial(0)), proposals: Proposals::default() }
    }
}

impl Sites {
    /// Where its history ends.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The list.
    pub fn list(&self) -> &BlockList {
        &self.list
    }

    /// The proposals.
    pub fn proposals(&self) -> &Proposals {
        &self.proposals
    }

    /// Takes in the next change of the history, as stored.
    ///
    /// # Errors
    /// [`BadSites`]; it is as before.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<(), BadSites> {
        let mut head = self.head;
        let event = head.follow::<Fact>(EntityId::SITES, bytes).map_err(BadSites::History)?;
        self.take(event, head).map_err(|reason| BadSites::Impossible { version: head.version, reason })?;
        self.head = head;
        // What a proposal held is let go of at a time that the history fixes, not at one that the reader of it has.
        self.proposals.expire(head.at);
        Ok(())
    }

    fn take(
        &mut self,
        Event { by, fact, .. }: Event<Fact>,
        Head { version, at, .. }: Head,
    ) -> Result<(), &'static str> {
        // What time and settings bring is written by licensing itself.
        if !matches!(fact, Fact::Began { .. } | Fact::ZoneSet { .. }) && !CLERK_ROLES.contains(&by.role.as_str()) {
            return Err("who is no clerk did what clerks do");
        }
        // A day that had not come puts in force what was announced, before its time.
        if let Fact::Confirmed { day, .. } | Fact::Began { day } = &fact
            && *day > Calendar::latest_day(at)
        {
            return Err("its day had not come");
        }
        match fact {
            Fact::Proposed { proposal: id, .. } if self.proposals.get(id).is_some() => return Err("proposed twice"),
            Fact::Proposed { proposal: id, expires, measure, ground } => {
                let (blocks, lifts) = (measure.blocks().len(), measure.lifts().len());
                let phase = Phase::Open(Arc::new(measure));
                let expires = expires.0;
                self.proposals.add(Proposal { id, by, at, version, expires, ground, blocks, lifts, phase });
            }
            Fact::Confirmed { proposal: id, day } => {
                let proposal = self.proposals.get(id).ok_or("there is no such proposal")?;
                let measure = Arc::clone(proposal.open(at).ok_or("the proposal was over")?);
                if proposal.by.sub == by.sub {
                    return Err("who proposed it confirmed it");
                }
                if !self.list.conflicts(&measure, None).is_empty() {
                    return Err("the list forbade it");
                }
                let ground = proposal.ground.clone();
                let resolution = Resolution { proposal: id, ground, at };
                self.list.carry_out(&measure, &Arc::new(resolution), day);
                self.proposals.close(id, Phase::Confirmed { by, at });
            }
            Fact::Declined { proposal: id, reason } => {
                let open = self.proposals.get(id).and_then(|proposal| proposal.open(at));
                open.ok_or("no such proposal was open")?;
                self.proposals.close(id, Phase::Declined { by, at, reason });
            }
            Fact::ZoneSet { zone } if self.list.zone() == Some(&zone) => return Err("the zone had this form"),
            Fact::ZoneSet { zone } => self.list.set_zone(zone, at),
            Fact::Began { day } if !self.list.is_due(day) => return Err("nothing was announced for this day"),
            Fact::Began { day } => self.list.begin(day, at),
        }
        Ok(())
    }
}
