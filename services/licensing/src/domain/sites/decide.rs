//! From an order to the change it becomes, or to its refusal. Nothing is changed here.

use contracts::UnixMillis;
use jiff::civil::Date;
use uuid::Uuid;

use super::fact::Fact;
use super::licensed::Licensed;
use super::list::Conflict;
use super::measure::Measure;
use super::proposal::{Phase, Proposal};
use super::rpz::Zone;
use super::state::Sites;
use crate::domain::history::{Author, Change, EntityId, TooLarge};
use crate::domain::operator::fact::{Ground, Moment};
use crate::domain::text::Line;

/// Most proposals that wait: each may hold a megabyte.
pub const WAITING_MAX: usize = 100;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Propose a decision.
    Propose {
        /// Its id, chosen by who proposes: repeating the request does not propose twice.
        proposal: Uuid,
        /// What is to be blocked and lifted.
        measure: Measure,
        /// What that rests on.
        ground: Ground,
    },
    /// Confirm another's proposal.
    Confirm {
        /// Which.
        proposal: Uuid,
    },
    /// Refuse a proposal, or take one's own back.
    Decline {
        /// Which.
        proposal: Uuid,
        /// Why.
        reason: Line<1000>,
    },
    /// Put in force what was announced for a day that has come.
    Begin,
    /// Let the zone have this form.
    SetZone {
        /// Which.
        zone: Zone,
    },
}

/// What orders are held against, beside the state.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Now.
    pub now: UnixMillis,
    /// The day of now in the regulator's time zone.
    pub day: Date,
    /// How long a proposal may wait, in milliseconds.
    pub proposal_life_ms: i64,
    /// The licensed domains.
    pub licensed: &'a Licensed,
}

/// What an order comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// The next change of the history.
    Change(Change),
    /// It was done before: the same proposal is there, or the zone has this form.
    Already,
}

/// Why an order is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was given with another version in mind.
    #[error("the list is at version {version}")]
    Stale {
        /// The version it has.
        version: u64,
    },
    /// There is no such proposal.
    #[error("there is no proposal {0}")]
    NoProposal(Uuid),
    /// The id names another proposal.
    #[error("the id {0} names another proposal")]
    OtherProposal(Uuid),
    /// Who proposed it can't confirm it.
    #[error("who proposed a decision can't confirm it: another must")]
    OwnProposal,
    /// It was confirmed, declined, or has expired.
    #[error("the proposal is {0}")]
    ProposalOver(&'static str),
    /// What is in the list or licensed is in the way.
    #[error("{} of the subjects can't be blocked or lifted", .0.len())]
    Conflicts(Vec<Conflict>),
    /// Too many wait.
    #[error("{WAITING_MAX} proposals wait: answer some of them first")]
    TooManyWait,
    /// Nothing is announced for this day or one before it.
    #[error("nothing is due")]
    NothingDue,
    /// It does not fit into one change.
    #[error("the decision is too large: put it as several, or shorten the evidence")]
    TooLarge(#[source] TooLarge),
}

impl Sites {
    /// The change an order becomes. `version` is the one its author had in mind, if any.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn decide(
        &self,
        order: Order,
        by: &Author,
        version: Option<u64>,
        around: Circumstances<'_>,
    ) -> Result<Decided, Refusal> {
        // As the history will have it: a clock that goes back does not open a proposal again.
        let now = around.now.max(self.head().at);
        if let Order::Propose { proposal: id, measure, ground } = &order
            && let Some(known) = self.proposals().get(*id)
        {
            return if same(known, by, measure, ground) {
                Ok(Decided::Already)
            } else {
                Err(Refusal::OtherProposal(*id))
            };
        }
        if let Order::SetZone { zone } = &order
            && self.list().zone() == Some(zone)
        {
            return Ok(Decided::Already);
        }
        if version.is_some_and(|version| version != self.head().version) {
            return Err(Refusal::Stale { version: self.head().version });
        }
        let fact = match order {
            Order::Propose { .. } if self.proposals().open(now) >= WAITING_MAX => return Err(Refusal::TooManyWait),
            Order::Propose { proposal, measure, ground } => {
                self.check(&measure, around.licensed)?;
                let expires = Moment(UnixMillis(now.0.saturating_add(around.proposal_life_ms)));
                Fact::Proposed { proposal, expires, measure, ground }
            }
            Order::Confirm { proposal } => {
                let (waiting, measure) = self.waiting(proposal, now)?;
                if waiting.by.sub == by.sub {
                    return Err(Refusal::OwnProposal);
                }
                // Much may have happened since it was proposed.
                self.check(measure, around.licensed)?;
                Fact::Confirmed { proposal, day: around.day }
            }
            Order::Decline { proposal, reason } => {
                self.waiting(proposal, now)?;
                Fact::Declined { proposal, reason }
            }
            Order::Begin if !self.list().is_due(around.day) => return Err(Refusal::NothingDue),
            Order::Begin => Fact::Began { day: around.day },
            Order::SetZone { zone } => Fact::ZoneSet { zone },
        };
        let (change, _) = self.head().next(EntityId::SITES, now, by, fact).map_err(Refusal::TooLarge)?;
        Ok(Decided::Change(change))
    }

    fn waiting(&self, id: Uuid, now: UnixMillis) -> Result<(&Proposal, &Measure), Refusal> {
        let proposal = self.proposals().get(id).ok_or(Refusal::NoProposal(id))?;
        let measure = proposal.open(now).ok_or_else(|| Refusal::ProposalOver(proposal.outcome(now)))?;
        Ok((proposal, measure))
    }

    fn check(&self, measure: &Measure, licensed: &Licensed) -> Result<(), Refusal> {
        let conflicts = self.list().conflicts(measure, Some(licensed));
        if conflicts.is_empty() { Ok(()) } else { Err(Refusal::Conflicts(conflicts)) }
    }
}

/// Whether a proposal is this one. Of one that is over what it held is gone; its id, author, ground and size still
/// tell.
fn same(known: &Proposal, by: &Author, measure: &Measure, ground: &Ground) -> bool {
    let size = (measure.blocks().len(), measure.lifts().len());
    let held = match &known.phase {
        Phase::Open(held) => **held == *measure,
        _ => true,
    };
    held && known.by == *by && known.ground == *ground && (known.blocks, known.lifts) == size
}
