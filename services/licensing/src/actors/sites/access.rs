//! Where the rest of the service meets the list: reads without waiting, hands in orders, waits for their answer.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, ArbiterHandle, WeakAddr};
use tokio::sync::{Semaphore, watch};

use super::feeds::{self, Feeds, SignedFeed};
use super::{
    Ask, CatchUp, Decide, Decided, ListKeeper, LoadError, NotDecided, SetLicensed, Shown, Snapshot, Surroundings,
    Touched, load,
};
use crate::domain::history::{Change, EntityId};
use crate::domain::sites::delta::NoDelta;
use crate::domain::sites::feeds::{json_delta, text_delta};
use crate::domain::sites::rpz::rpz_delta;
use crate::domain::sites::serial::Serial;
use crate::storage::StoreError;

/// Orders that may wait at a time: people give them, and each may hold a megabyte.
const WAITING_MAX: usize = 32;
/// How long an order may take, those before it included. After that its outcome is unknown.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a decision waits for the feeds to show it; then it is answered all the same.
const FEEDS_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the keeper looks for what others wrote and for what is due.
const CATCH_UP_EVERY: Duration = Duration::from_secs(5);

/// In which form a delta is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Sites and accounts, as JSON.
    Json,
    /// Sites, one a line.
    Text,
    /// Sites, as an incremental transfer of the policy zone.
    Zone,
}

/// The way to the list.
#[derive(Clone)]
pub struct ListAccess {
    keeper: Addr<ListKeeper>,
    around: Surroundings,
    shown: watch::Receiver<Shown>,
    feeds: watch::Receiver<Arc<Feeds>>,
    waiting: Arc<Semaphore>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// Too many orders wait, or the answer took too long: the outcome is unknown.
    #[error("the list is busy")]
    Busy,
    /// It was considered, and not done.
    #[error("the list was not changed")]
    NotDecided(#[source] NotDecided),
}

/// Why there is no delta.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// The reader takes the whole feed.
    #[error("there is no delta")]
    NoDelta(#[source] NoDelta),
    /// A fault of ours.
    #[error("the delta could not be made: {0}")]
    Fault(String),
}

impl ListAccess {
    /// Loads the list, makes its feeds, and starts its keeper. The arbiter MUST serve nobody who can't wait: a large
    /// decision takes it some ten milliseconds.
    ///
    /// # Errors
    /// [`LoadError`]
    pub async fn start(around: Surroundings, arbiter: &ArbiterHandle) -> Result<Self, LoadError> {
        let shown = Shown { sites: load(&around).await.map_err(LoadError::Failed)?, licensed: Arc::default() };
        let made = feeds::make(&around, shown.clone()).await.map_err(LoadError::Feeds)?;
        let head = shown.sites.head();
        tracing::info!(version = head.version, blocked = shown.sites.list().blocked(), "the block list is loaded");
        let (show, shown) = watch::channel(shown);
        let (show_feeds, feeds) = watch::channel(Arc::new(made));
        arbiter.spawn(feeds::publish(around.clone(), shown.clone(), show_feeds));
        let keeper = ListKeeper::new(around.clone(), show);
        let keeper = ListKeeper::start_in_arbiter(arbiter, move |_| keeper);
        arbiter.spawn(remind(keeper.downgrade()));
        Ok(Self { keeper, around, shown, feeds, waiting: Arc::new(Semaphore::new(WAITING_MAX)) })
    }

    /// The list, its proposals and the licensed domains as they are now.
    pub fn shown(&self) -> Shown {
        self.shown.borrow().clone()
    }

    /// The feeds as they are now.
    pub fn feeds(&self) -> Arc<Feeds> {
        Arc::clone(&self.feeds.borrow())
    }

    /// Hands in an order and waits until it is durable and, where it changed what is in force, shown by the feeds.
    ///
    /// # Errors
    /// [`Unanswered`]
    pub async fn decide(&self, order: Decide) -> Result<Decided, Unanswered> {
        let _place = self.waiting.try_acquire().map_err(|_| Unanswered::Busy)?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.keeper.send(order)).await;
        let decided = answer.map_err(|_| Unanswered::Busy)?.map_err(|_| Unanswered::Busy)?;
        let decided = decided.map_err(Unanswered::NotDecided)?;
        if tokio::time::timeout(FEEDS_TIMEOUT, self.feeds_with(decided.serial)).await.is_err() {
            tracing::warn!(serial = decided.serial.0, "the feeds do not show the decision yet");
        }
        Ok(decided)
    }

    /// Waits until the feeds show a serial or a later one. Gives `None` when they are no longer made.
    pub async fn feeds_with(&self, serial: Serial) -> Option<Arc<Feeds>> {
        let mut feeds = self.feeds.clone();
        let shown = feeds.wait_for(|feeds| feeds.serial.changes_since(serial).is_some()).await;
        shown.ok().map(|feeds| Arc::clone(&feeds))
    }

    /// Tells whose domains are licensed. Gives those that touch what is listed, which must be put right by people.
    ///
    /// # Errors
    /// [`Unanswered::Busy`]
    pub async fn set_licensed(&self, licensed: SetLicensed) -> Result<Vec<Touched>, Unanswered> {
        self.keeper.send(licensed).await.map_err(|_| Unanswered::Busy)
    }

    /// Takes in what another process wrote, and puts in force what is due. The keeper does so by itself every some
    /// seconds.
    ///
    /// # Errors
    /// [`Unanswered::Busy`]
    pub async fn catch_up(&self) -> Result<(), Unanswered> {
        self.keeper.send(CatchUp).await.map_err(|_| Unanswered::Busy)
    }

    /// The keeper's state.
    ///
    /// # Errors
    /// [`Unanswered::Busy`]
    pub async fn ask(&self) -> Result<Snapshot, Unanswered> {
        self.keeper.send(Ask).await.map_err(|_| Unanswered::Busy)
    }

    /// What changed since a serial, made and signed for this reader.
    ///
    /// # Errors
    /// [`DeltaError`]
    pub async fn delta(&self, form: Form, since: Serial) -> Result<SignedFeed, DeltaError> {
        let (sites, around) = (self.shown().sites, self.around.clone());
        let work = tokio::task::spawn_blocking(move || {
            let list = sites.list();
            let delta = || list.delta(since).map_err(DeltaError::NoDelta);
            let feed = match form {
                Form::Json => json_delta(&delta()?).map_err(|error| DeltaError::Fault(error.to_string()))?,
                Form::Text => text_delta(&delta()?),
                Form::Zone => rpz_delta(list, &around.zone, since).map_err(DeltaError::NoDelta)?,
            };
            Ok(SignedFeed::new(feed, &*around.signer))
        });
        work.await.map_err(|error| DeltaError::Fault(error.to_string()))?
    }

    /// Changes of the list's history after a version, as stored.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn changes(&self, after: u64, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.around.store.changes(EntityId::SITES, after, limit).await
    }

    /// Now, as the list has it.
    pub fn now(&self) -> contracts::UnixMillis {
        (self.around.clock)()
    }
}

/// Has the keeper catch up, for as long as somebody else knows it: an interval of its own would keep it, and the store,
/// for ever.
async fn remind(keeper: WeakAddr<ListKeeper>) {
    loop {
        tokio::time::sleep(CATCH_UP_EVERY).await;
        let Some(keeper) = keeper.upgrade() else { return };
        if let Err(error) = keeper.try_send(CatchUp) {
            tracing::debug!(%error, "the keeper of the block list is busy");
        }
    }
}
