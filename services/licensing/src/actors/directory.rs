//! Every operator as far as this process knows, for those who only read: some hundreds, whole in memory; and those about whom nothing may
//! be decided, with the reason.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use contracts::OperatorId;
use runtime::auth::{Register, Unfit};

use crate::domain::history::{BadHistory, Kind};
use crate::domain::operator::Operator;
use crate::storage::{Store, StoreError};

/// Changes read at a time.
const PAGE: usize = 256;

/// Why the register could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it holds.
    #[error("the history of {operator} is damaged")]
    Damaged {
        /// Whose.
        operator: OperatorId,
        /// How.
        #[source]
        source: BadHistory,
    },
}

/// Why an operator is held: what is known of it is shown, and nothing is decided about it until people have put it right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// Its history goes on with what is no change of it.
    Damaged,
    /// `REGISTRY` was told of a history that the store does not have: it was put back to an earlier time.
    Contradicted,
}

/// Operators by id.
#[derive(Default)]
pub struct Directory {
    known: RwLock<BTreeMap<OperatorId, Arc<Operator>>>,
    held: RwLock<BTreeMap<(OperatorId, Doubt), String>>,
}

impl Directory {
    /// Reads every history; each is checked from its first change. One that is damaged is known up to there, and held.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let directory = Self::default();
        for entity in store.entities(Kind::Operator).await? {
            let Some(id) = OperatorId::new(entity.id) else { continue };
            let mut operator = Arc::new(Operator::unknown(id));
            match follow(store, &mut operator).await {
                Ok(()) => {}
                Err(LoadError::Store(error)) => return Err(error),
                Err(damaged) => directory.hold(id, Doubt::Damaged, runtime::problem::chain(&damaged)),
            }
            if operator.entity.is_some() {
                directory.put(operator);
            }
        }
        Ok(directory)
    }

    /// An operator, if it is known.
    pub fn get(&self, id: OperatorId) -> Option<Arc<Operator>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// All of them, ascending by id.
    pub fn all(&self) -> Vec<Arc<Operator>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Whether a licence of another operator has a number, however it is written.
    pub fn number_is_taken(&self, by_other_than: OperatorId, number: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let others = known.values().filter(|operator| operator.id != by_other_than);
        others.flat_map(|operator| &operator.licences).any(|licence| licence.has_number(number))
    }

    /// Takes a version in unless it is older than what is known.
    pub fn put(&self, operator: Arc<Operator>) {
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match all.get(&operator.id) {
            Some(known) if known.head.version > operator.head.version => {}
            _ => drop(all.insert(operator.id, operator)),
        }
    }

    /// Why nothing may be decided about an operator, if so.
    pub fn held(&self, id: OperatorId) -> Option<String> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let whys: Vec<&str> = held.iter().filter(|((held, _), _)| *held == id).map(|(_, why)| why.as_str()).collect();
        (!whys.is_empty()).then(|| whys.join("; "))
    }

    /// The operators that are held for a reason.
    pub fn all_held(&self, doubt: Doubt) -> Vec<OperatorId> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.keys().filter(|(_, why)| *why == doubt).map(|(id, _)| *id).collect()
    }

    /// From now on nothing is decided about an operator. Said once, however often it is found.
    pub fn hold(&self, id: OperatorId, doubt: Doubt, why: String) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.get(&(id, doubt)) != Some(&why) {
            tracing::error!(operator = %id, why, "operator {id} is held: nothing is decided about it");
            held.insert((id, doubt), why);
        }
    }

    /// A reason to hold an operator is gone.
    pub fn release(&self, id: OperatorId, doubt: Doubt) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.remove(&(id, doubt)).is_some() {
            tracing::info!(operator = %id, ?doubt, "operator {id} is no longer held for this reason");
        }
    }
}

impl Register for Directory {
    /// Nothing is ever taken out of a history: who or what is not there yet was decided on another process a moment ago.
    fn admits(&self, operator: OperatorId, client_key: Option<&str>, _: u64) -> Result<(), Unfit> {
        let known = self.get(operator).ok_or(Unfit::Behind)?;
        let key = known.keys.iter().find(|key| client_key == Some(key.kid.as_str())).ok_or(Unfit::Behind)?;
        if key.revoked_at.is_some() { Err(Unfit::KeyRevoked) } else { Ok(()) }
    }
}

/// Reads on from where an operator is, as far as its history is good. It is copied only if there is something to read.
///
/// # Errors
/// [`LoadError`]
pub async fn follow(store: &dyn Store, operator: &mut Arc<Operator>) -> Result<(), LoadError> {
    let entity = Operator::entity_id(operator.id);
    loop {
        let page = store.changes(entity, operator.head.version, PAGE).await?;
        if page.is_empty() {
            return Ok(());
        }
        let operator = Arc::make_mut(operator);
        for change in &page {
            let read = operator.follow(&change.bytes);
            read.map_err(|source| LoadError::Damaged { operator: operator.id, source })?;
        }
        if page.len() < PAGE {
            return Ok(());
        }
    }
}
