//! The desk of one operator: it owns the operator's latest state, so that of everything wanted at a time one thing happens, and then the
//! next is held against what that left. Other processes have desks for the same operator; the store tells who was first.

use std::sync::Arc;

use actix::prelude::*;
use contracts::OperatorId;

use super::directory::{Directory, LoadError, follow};
use super::now;
use super::sites::{ListAccess, SetLicensed};
use super::teller::{Tell, Teller};
use crate::domain::history::{Author, TooLarge};
use crate::domain::operator::Operator;
use crate::domain::operator::decide::{Command, Refusal, Rules};
use crate::storage::{Appended, Claim, Store, StoreError};

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
    /// The register.
    pub store: Arc<dyn Store>,
    /// What readers see.
    pub directory: Arc<Directory>,
    /// Who tells the mesh.
    pub teller: Addr<Teller>,
    /// The block list, which must not hold licensed domains.
    pub list: ListAccess,
    /// How decisions are made.
    pub house: House,
}

impl Desk {
    /// The desk of an operator, known or not.
    pub fn new(id: OperatorId, work: Arc<Work>) -> Self {
        let operator = work.directory.get(id).unwrap_or_else(|| Arc::new(Operator::unknown(id)));
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
    // Another process may have gone on: the store knows.
    let latest = match follow(&*work.store, (*operator).clone()).await {
        Ok(latest) if latest.head == operator.head => operator,
        Ok(latest) => Arc::new(latest),
        Err(error) => return (operator, Err(error.into())),
    };
    match step(work, &latest, wanted).await {
        Ok(done) => {
            let done = Arc::new(done);
            work.directory.put(Arc::clone(&done));
            // The answer waits for the register alone; that the mesh is told is the teller's to see to.
            if work.teller.send(Tell(done.id)).await.is_err() {
                tracing::error!(operator = %done.id, "the teller is gone: the mesh is told at the next start");
            }
            let licensed = SetLicensed(vec![(done.id, done.licensed_domains())]);
            match work.list.set_licensed(licensed).await {
                Ok(touched) => touched.iter().for_each(|one| {
                    tracing::warn!(operator = %done.id, ?one, "a licensed domain touches a blocked one: a person must decide");
                }),
                Err(_) => tracing::error!(operator = %done.id, "the block list does not answer; it is told at the next start"),
            }
            (Arc::clone(&done), Ok(done))
        }
        Err(error) => {
            work.directory.put(Arc::clone(&latest));
            (latest, Err(error))
        }
    }
}

async fn step(work: &Work, latest: &Operator, wanted: Decide) -> Result<Operator, DecideError> {
    let Decide { expected, command, by } = wanted;
    if expected != latest.head.version {
        return Err(DecideError::Stale { version: latest.head.version });
    }
    let (now, house) = (now(), &work.house);
    let rules = Rules { proposal_life_ms: house.proposal_life_ms, issuer: &house.issuer };
    let fact = latest.decide(command, &by, now, rules)?;
    let entity = Operator::entity_id(latest.id);
    for (scope, name) in latest.claims(&fact) {
        let claim = Claim { scope: scope.into(), name };
        if work.store.claim(&claim, entity).await? != entity {
            return Err(DecideError::Claimed { scope, name: claim.name });
        }
    }
    let (change, _) = latest.head.next(entity, now, &by, fact)?;
    if work.store.append(entity, &change).await? == Appended::Overtaken {
        return Err(DecideError::Stale { version: change.version });
    }
    let mut done = latest.clone();
    let followed = done.follow(&change.bytes);
    followed.map_err(|source| LoadError::Damaged { operator: latest.id, source })?;
    Ok(done)
}
