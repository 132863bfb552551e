//! Every operator as far as this process knows, for those who only read: some hundreds, whole in memory.

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

/// Operators by id.
#[derive(Default)]
pub struct Directory(RwLock<BTreeMap<OperatorId, Arc<Operator>>>);

impl Directory {
    /// Reads every history; each is checked from its first change.
    ///
    /// # Errors
    /// [`LoadError`]
    pub async fn load(store: &dyn Store) -> Result<Self, LoadError> {
        let directory = Self::default();
        for entity in store.entities(Kind::Operator).await? {
            let Some(id) = OperatorId::new(entity.id) else { continue };
            let operator = follow(store, Operator::unknown(id)).await?;
            if operator.entity.is_some() {
                directory.put(Arc::new(operator));
            }
        }
        Ok(directory)
    }

    /// An operator, if it is known.
    pub fn get(&self, id: OperatorId) -> Option<Arc<Operator>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// All of them, ascending by id.
    pub fn all(&self) -> Vec<Arc<Operator>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Takes a version in unless it is older than what is known.
    pub fn put(&self, operator: Arc<Operator>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match all.get(&operator.id) {
            Some(known) if known.head.version > operator.head.version => {}
            _ => drop(all.insert(operator.id, operator)),
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

/// Reads on from where an operator is.
///
/// # Errors
/// [`LoadError`]
pub async fn follow(store: &dyn Store, mut operator: Operator) -> Result<Operator, LoadError> {
    let entity = Operator::entity_id(operator.id);
    loop {
        let page = store.changes(entity, operator.head.version, PAGE).await?;
        for change in &page {
            let read = operator.follow(&change.bytes);
            read.map_err(|source| LoadError::Damaged { operator: operator.id, source })?;
        }
        if page.len() < PAGE {
            return Ok(operator);
        }
    }
}
