//! Where the rest of the service meets the list: reads without waiting, hands in orders, waits for their answer.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, ArbiterHandle, WeakAddr};
use tokio::sync::{Semaphore, watch};

use super::feeds::{self, FeedError, Feeds, SignedFeed, Wanted};
use super::{
    Ask, CatchUp, Decide, Decided, ListKeeper, LoadError, NotDecided, SetLicensed, SetZone, Shown, Snapshot,
    Surroundings, Touched, load,
};
use crate::domain::history::{Change, EntityId};
use crate::domain::sites::measure::Measure;
use crate::domain::sites::proposal::{Phase, Proposal, proposed};
use crate::domain::sites::serial::Serial;
use crate::storage::StoreError;

/// Orders that may wait at a time: people give them, and each may hold a megabyte.
const WAITING_MAX: usize = 32;
/// Feeds of the past that are made at a time: each is made of the whole list, and nobody needs a token to ask for one.
const PAST_FEEDS_MAX: usize = 2;
/// How long an order may take, those before it included. After that its outcome is unknown.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a decision waits for the feeds to show it; then it is answered all the same.
const FEEDS_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the keeper looks for what others wrote and for what is due.
const CATCH_UP_EVERY: Duration = Duration::from_secs(5);

/// The way to the list.
#[derive(Clone)]
pub struct ListAccess {
    keeper: Addr<ListKeeper>,
    around: Surroundings,
    shown: watch::Receiver<Shown>,
    feeds: watch::Receiver<Arc<Feeds>>,
    waiting: Arc<Semaphore>,
    pub(super) past: Arc<Semaphore>,
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
        let past = Arc::new(Semaphore::new(PAST_FEEDS_MAX));
        Ok(Self { keeper, around, shown, feeds, waiting: Arc::new(Semaphore::new(WAITING_MAX)), past })
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
        self.wait_for_feeds(decided).await;
        Ok(decided)
    }

    /// Lets the zone have the form that this process is set to: at its start, once, and by no other way. Who set it last is who was
    /// started last; nobody sets it back because it is set to something else.
    ///
    /// # Errors
    /// [`Unanswered`]
    pub async fn set_zone(&self) -> Result<Decided, Unanswered> {
        let set = self.keeper.send(SetZone).await.map_err(|_| Unanswered::Busy)?;
        let set = set.map_err(Unanswered::NotDecided)?;
        self.wait_for_feeds(set).await;
        Ok(set)
    }

    async fn wait_for_feeds(&self, decided: Decided) {
        if tokio::time::timeout(FEEDS_TIMEOUT, self.feeds_with(decided.serial)).await.is_err() {
            tracing::warn!(serial = decided.serial.0, "the feeds do not show the decision yet");
        }
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

    /// A feed: that of now as it is served, any other made and signed for this reader.
    ///
    /// # Errors
    /// [`FeedError`]
    pub async fn feed(&self, wanted: Wanted) -> Result<SignedFeed, FeedError> {
        if let Wanted { form, since: None, as_of: None } = wanted {
            return Ok(self.feeds().of(form).clone());
        }
        let place = match wanted.as_of {
            None => None,
            Some(_) => Some(Arc::clone(&self.past).try_acquire_owned().map_err(|_| FeedError::TooMany)?),
        };
        let (sites, around) = (self.shown().sites, self.around.clone());
        let work = tokio::task::spawn_blocking(move || {
            let made = feeds::make_one(sites.list(), &around, wanted);
            // Here: who asked may be gone long before it is made.
            drop(place);
            made
        });
        work.await.map_err(|error| FeedError::Fault(error.to_string()))?
    }

    /// What a proposal holds; of one that is over it was let go of, and is read from the history.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn held(&self, proposal: &Proposal) -> Result<Option<Arc<Measure>>, StoreError> {
        if let Phase::Open(measure) = &proposal.phase {
            return Ok(Some(Arc::clone(measure)));
        }
        let there = self.changes(proposal.version.saturating_sub(1), 1).await?;
        let found = there.first().and_then(|change| proposed(&change.bytes)).filter(|(id, _)| *id == proposal.id);
        Ok(found.map(|(_, measure)| Arc::new(measure)))
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
