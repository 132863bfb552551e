//! Keeps what this process shows at what the store has, whoever wrote it: the one way into the directory and, for licensed domains, into
//! the block list. It also holds what `REGISTRY` was told against the store.
//!
//! No actor, because it owns nothing but a turn: desks, the teller and those who listen to `REGISTRY` call it at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::OperatorId;
use contracts::registry::OperatorStanding;
use runtime::problem::chain;
use tokio::sync::Mutex;

use super::directory::{Directory, Doubt, LoadError, follow};
use super::sites::{ListAccess, SetLicensed, Unanswered};
use crate::domain::history::{EntityId, Kind};
use crate::domain::operator::Operator;
use crate::storage::{Store, StoreError};

/// See the module's text.
pub struct Follower {
    store: Arc<dyn Store>,
    directory: Arc<Directory>,
    list: ListAccess,
    /// One is shown at a time: else the list could be told of older domains after newer ones.
    turn: Mutex<()>,
}

impl Follower {
    /// Over a directory that was read from the store; tells the list what it knows.
    ///
    /// # Errors
    /// [`Unanswered`]
    pub async fn start(store: Arc<dyn Store>, directory: Arc<Directory>, list: ListAccess) -> Result<Self, Unanswered> {
        let licensed = directory.all().iter().map(|operator| (operator.id, operator.licensed_domains())).collect();
        list.set_licensed(SetLicensed(licensed)).await?;
        Ok(Self { store, directory, list, turn: Mutex::default() })
    }

    /// The register.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// What readers see.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The block list.
    pub fn list(&self) -> &ListAccess {
        &self.list
    }

    /// Reads on from where an operator is, and shows what is new. Whose history is damaged is shown up to there, and held.
    ///
    /// # Errors
    /// [`LoadError`]
    pub async fn read_on(&self, mut operator: Arc<Operator>) -> Result<Arc<Operator>, LoadError> {
        let (id, before) = (operator.id, operator.head);
        let read = follow(&*self.store, &mut operator).await;
        match &read {
            Ok(()) => self.directory.release(id, Doubt::Damaged),
            Err(damaged @ LoadError::Damaged { .. }) => self.directory.hold(id, Doubt::Damaged, chain(damaged)),
            Err(LoadError::Store(_)) => {}
        }
        if operator.head != before && operator.entity.is_some() {
            self.show(Arc::clone(&operator)).await;
        }
        read.map(|()| operator)
    }

    /// As [`Self::read_on`], from what is shown.
    ///
    /// # Errors
    /// [`LoadError`]
    pub async fn catch_up(&self, id: OperatorId) -> Result<Arc<Operator>, LoadError> {
        let known = self.directory.get(id).unwrap_or_else(|| Arc::new(Operator::unknown(id)));
        self.read_on(known).await
    }

    /// Shows all that was appended, by any process, before it was called.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn catch_up_all(&self) -> Result<(), StoreError> {
        let all = self.directory.all();
        let mut known: BTreeMap<EntityId, u64> =
            all.iter().map(|operator| (Operator::entity_id(operator.id), operator.head.version)).collect();
        for entity in self.store.entities(Kind::Operator).await? {
            known.entry(entity).or_default();
        }
        let changed = self.store.grown(&known).await?;
        let changed = changed.into_iter().filter_map(|entity| OperatorId::new(entity.id));
        // What damages a history may have been taken out again.
        for id in changed.chain(self.directory.all_held(Doubt::Damaged)) {
            match self.catch_up(id).await {
                Ok(_) | Err(LoadError::Damaged { .. }) => {}
                Err(LoadError::Store(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Shows an operator that was read or has just been decided about, unless a later version is shown.
    pub async fn show(&self, operator: Arc<Operator>) {
        let _turn = self.turn.lock().await;
        let id = operator.id;
        let before = self.directory.get(id).map(|known| known.licensed_domains()).unwrap_or_default();
        self.directory.put(operator);
        let Some(licensed) = self.directory.get(id).map(|known| known.licensed_domains()) else { return };
        if licensed == before {
            return;
        }
        match self.list.set_licensed(SetLicensed(vec![(id, licensed)])).await {
            Ok(touched) => touched.iter().for_each(|one| {
                tracing::warn!(operator = %id, ?one, "a licensed domain touches a blocked one: a person must decide");
            }),
            Err(_) => tracing::error!(operator = %id, "the block list does not answer; it is told at the next start"),
        }
    }

    /// Holds what `REGISTRY` was told of an operator against the store: whether the store has that very history. If not, the operator is
    /// held. What is told is durable before it is told, so a store without it has lost it, or is another.
    ///
    /// # Errors
    /// [`LoadError`]: it can't be said now.
    pub async fn agrees(&self, told: &OperatorStanding) -> Result<bool, LoadError> {
        let (id, version) = (told.operator, told.version);
        let known = self.directory.get(id).unwrap_or_else(|| Arc::new(Operator::unknown(id)));
        let known = if known.head.version < version { self.read_on(known).await? } else { known };
        let doubt = if known.head.version < version {
            Some(format!("REGISTRY was told of version {version}, the store ends at {}", known.head.version))
        } else if told.head.is_some_and(|head| head == known.head.hash) {
            None
        } else if let Some(head) = told.head {
            let entity = Operator::entity_id(id);
            let there = self.store.changes(entity, version.saturating_sub(1), 1).await?;
            let same = there.first().is_some_and(|change| ledger::leaf_hash(&change.bytes) == head);
            (!same).then(|| format!("REGISTRY was told of another change {version} than the store has"))
        } else {
            None
        };
        match &doubt {
            Some(why) => self.directory.hold(id, Doubt::Contradicted, why.clone()),
            None => self.directory.release(id, Doubt::Contradicted),
        }
        Ok(doubt.is_none())
    }
}
