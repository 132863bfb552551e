//! The desk of one operator: it owns the operator's latest state, so that of everything wanted at a time one thing happens, and then the
//! next is held against what that left. Other processes have desks for the same operator; the store tells who was first.

use std::sync::Arc;

use actix::prelude::*;
use contracts::OperatorId;

use super::directory::LoadError;
use super::follower::Follower;
use super::now;
use super::teller::{Tell, Teller};
use crate::domain::history::{Author, TooLarge};
use crate::domain::operator::Operator;
use crate::domain::operator::decide::{Command, Refusal, Rules};
use crate::domain::sites::domain_name::DomainName;
use crate::storage::{Appended, Claim, StoreError};

/// How decisions are made here.
#[derive(Debug, Clone)]
pub struct House {
    /// How long a proposal may wait, in milliseconds.
    pub proposal_life_ms: i64,
    /// The issuer of tokens: audience of proofs of possession.
    pub issuer: String,
}

/// Something wanted of an operator.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Arc<Operator>, DecideError>")]
pub struct Decide {
    /// The version it was decided on; 0 for an operator that is not there.
    pub expected: u64,
    /// What.
    pub command: Command,
    /// Who.
    pub by: Author,
}

/// Why nothing happened.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The operator has gone on since it was read.
    #[error("the operator is at version {version}")]
    Stale {
        /// Its version.
        version: u64,
    },
    /// The register's rules.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A name is another operator's.
    #[error("{scope} {name} belongs to another operator")]
    Claimed {
        /// What is named.
        scope: &'static str,
        /// The name.
        name: String,
    },
    /// Too much was said at once.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The register can't be read or written: the outcome is unknown.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What is stored or was told of the operator does not fit together: people must put it right.
    #[error("nothing can be decided about the operator now: {0}")]
    Held(String),
    /// Too much is going on, or the process is ending: nothing was begun.
    #[error("the desk does not answer")]
    Away,
}

impl From<StoreError> for DecideError {
    fn from(error: StoreError) -> Self {
        Self::Load(error.into())
    }
}

/// See the module's text.
pub struct Desk {
    operator: Arc<Operator>,
    work: Arc<Work>,
}

/// What all desks work with.
pub struct Work {
    /// The register, what readers see of it, and the block list, which must not hold licensed domains.
    pub follower: Arc<Follower>,
    /// Who tells the mesh.
    pub teller: Addr<Teller>,
    /// How decisions are made.
    pub house: House,
}

impl Desk {
    /// The desk of an operator, known or not.
    pub fn new(id: OperatorId, work: Arc<Work>) -> Self {
        let operator = work.follower.directory().get(id).unwrap_or_else(|| Arc::new(Operator::unknown(id)));
        Self { operator, work }
    }
}

impl Actor for Desk {
    type Context = Context<Self>;
}

impl Supervised for Desk {}

impl Handler<Decide> for Desk {
    type Result = AtomicResponse<Self, Result<Arc<Operator>, DecideError>>;

    fn handle(&mut self, wanted: Decide, _: &mut Context<Self>) -> Self::Result {
        let (work, operator) = (Arc::clone(&self.work), Arc::clone(&self.operator));
        let decided = async move { decide(&work, operator, wanted).await };
        AtomicResponse::new(Box::pin(decided.into_actor(self).map(|outcome, desk, _| {
            let (latest, answer) = outcome;
            desk.operator = latest;
            answer
        })))
    }
}

type Outcome = (Arc<Operator>, Result<Arc<Operator>, DecideError>);

async fn decide(work: &Work, operator: Arc<Operator>, wanted: Decide) -> Outcome {
    let (id, before) = (operator.id, operator.head);
    // Another process may have gone on: the store knows.
    let read = work.follower.read_on(Arc::clone(&operator)).await;
    if let Some(why) = work.follower.directory().held(id) {
        return (operator, Err(DecideError::Held(why)));
    }
    let latest = match read {
        Ok(latest) => latest,
        Err(error) => return (operator, Err(error.into())),
    };
    let (latest, answer) = match step(work, &latest, wanted).await {
        Ok(done) => {
            let done = Arc::new(done);
            work.follower.show(Arc::clone(&done)).await;
            (Arc::clone(&done), Ok(done))
        }
        // Of an append that failed it is not known whether it is durable. If the store does not say now, the teller finds it later.
        Err(error @ DecideError::Load(_)) => {
            (work.follower.read_on(Arc::clone(&latest)).await.unwrap_or(latest), Err(error))
        }
        Err(error) => (latest, Err(error)),
    };
    // The answer waits for the register alone; that the mesh is told is the teller's to see to.
    if latest.head != before && work.teller.send(Tell(id)).await.is_err() {
        tracing::error!(operator = %id, "the teller is gone: the mesh is told at the next start");
    }
    (latest, answer)
}

async fn step(work: &Work, latest: &Operator, wanted: Decide) -> Result<Operator, DecideError> {
    let Decide { expected, command, by } = wanted;
    if latest.has_done(&command) || latest.repeats(&command, &by, now().max(latest.head.at)) {
        return Ok(latest.clone());
    }
    if expected != latest.head.version {
        return Err(DecideError::Stale { version: latest.head.version });
    }
    // As the history will have it: a clock that goes back does not open a proposal again.
    let (now, house) = (now().max(latest.head.at), &work.house);
    let rules = Rules { proposal_life_ms: house.proposal_life_ms, issuer: &house.issuer };
    let fact = latest.decide(command, &by, now, rules)?;
    let (entity, store) = (Operator::entity_id(latest.id), work.follower.store());
    let (change, _) = latest.head.next(entity, now, &by, &fact)?;
    // Read before it is written: what can't be read is never stored.
    let mut done = latest.clone();
    done.follow(&change.bytes).map_err(|source| LoadError::Damaged { operator: latest.id, source })?;
    check_domains(work, &done.domains_gained(latest)).await?;
    for (scope, name) in latest.claims(&fact) {
        // Numbers that were claimed before they were compared in a folded form.
        if scope == "licence" && work.follower.directory().number_is_taken(latest.id, &name) {
            return Err(DecideError::Claimed { scope, name });
        }
        let claim = Claim { scope: scope.into(), name };
        if store.claim(&claim, entity).await? != entity {
            return Err(DecideError::Claimed { scope, name: claim.name });
        }
    }
    if store.append(entity, &change).await? == Appended::Overtaken {
        return Err(DecideError::Stale { version: change.version });
    }
    Ok(done)
}

/// A domain that is blocked, or announced, comes under no licence; nor does one above or below it: resolvers would go on to block it, or a
/// part of it. It has to be lifted first.
async fn check_domains(work: &Work, gained: &[DomainName]) -> Result<(), DecideError> {
    if gained.is_empty() {
        return Ok(());
    }
    // Another process may have listed one of them a moment ago.
    work.follower.list().catch_up().await.map_err(|_| DecideError::Away)?;
    let sites = work.follower.list().shown().sites;
    match gained.iter().find_map(|domain| Some((domain, sites.list().touched(domain)?))) {
        Some((domain, listed)) => {
            Err(Refusal::Conflict(format!("{domain} can't be licensed: {listed} is on the block list; lift it first"))
                .into())
        }
        None => Ok(()),
    }
}
