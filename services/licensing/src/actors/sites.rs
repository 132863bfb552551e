//! `ListKeeper`: the one writer of the block list in this process.
//!
//! It exists so that orders are held against the list one after the other, each against what the one before made of it.
//! It owns the list that is shown; the store is the truth. An order becomes a change, the change is read back into a
//! copy of the list, and only then written: what can't be read is never stored. Readers have the list they took for as
//! long as they like; the next one is shown beside it.
//!
//! Two processes that both write can't fork the history: a version is written once. Who loses reads what the other
//! wrote and refuses the order as stale. Every few seconds it reads for itself what others wrote, puts in force what was
//! announced for today, and lets go of domains whose licences have ended: time alone does that, and nobody tells of it.

mod access;
mod feeds;
#[cfg(test)]
pub(crate) mod tests;
mod zone;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use contracts::{OperatorId, UnixMillis};
use tokio::sync::watch;

pub use access::{ListAccess, Unanswered};
pub use feeds::{FeedError, Feeds, Form, SignedFeed, Signer, Wanted};
use zone::SetZone;

use crate::domain::calendar::Calendar;
use crate::domain::history::{Author, EntityId};
use crate::domain::operator::licence::HeldDomain;
use crate::domain::sites::decide::{self, Circumstances, Order, Refusal};
use crate::domain::sites::domain_name::DomainName;
use crate::domain::sites::licensed::Licensed;
use crate::domain::sites::rpz::Zone;
use crate::domain::sites::serial::Serial;
use crate::domain::sites::state::{BadSites, Sites};
use crate::storage::{Appended, Store, StoreError};

/// Changes read at a time: each has at most a megabyte.
const PAGE: usize = 16;
/// Orders are limited where they are handed in; beside them there are only the keeper's own messages and the
/// register's.
const MAILBOX_MESSAGES_MAX: usize = 64;

/// Tells the time; tests bring their own.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// What the list is kept with.
#[derive(Clone)]
pub struct Surroundings {
    /// Where its history is.
    pub store: Arc<dyn Store>,
    /// Signs its feeds.
    pub signer: Arc<dyn Signer>,
    /// Tells the day of a moment.
    pub calendar: Arc<Calendar>,
    /// The policy zone that carries it, as this process is set.
    pub zone: Zone,
    /// How long a proposal may wait, in milliseconds.
    pub proposal_life_ms: i64,
    /// Tells the time.
    pub clock: Clock,
}

/// What readers see.
#[derive(Clone, Default)]
pub struct Shown {
    /// The list and its proposals.
    pub sites: Arc<Sites>,
    /// The licensed domains.
    pub licensed: Arc<Licensed>,
}

/// Carry out an order.
#[derive(Debug, Message)]
#[rtype(result = "Result<Decided, NotDecided>")]
pub struct Decide {
    /// What.
    pub order: Order,
    /// Who wants it.
    pub by: Author,
    /// The version they had in mind.
    pub version: u64,
}

/// An order that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// The version of the list now.
    pub version: u64,
    /// Its serial now.
    pub serial: Serial,
    /// Whether it was done by this order; it may have been before.
    pub new: bool,
}

/// Why an order was not carried out, as far as is known.
#[derive(Debug, thiserror::Error)]
pub enum NotDecided {
    /// It may not be.
    #[error("the order is refused")]
    Refused(#[source] Refusal),
    /// The store failed, or the history is damaged: whether it was, is not known.
    #[error("the order may not have been stored")]
    Failed(#[source] Failure),
}

/// What keeps the list from being read or written.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store.
    #[error("the block list can't be read or written")]
    Store(#[source] StoreError),
    /// What is stored, or would be, makes no list.
    #[error("the history makes no block list")]
    Damaged(#[source] BadSites),
}

/// Whose domains are licensed now, of some operators: all of theirs.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Touched>")]
pub struct SetLicensed(pub Vec<(OperatorId, Vec<HeldDomain>)>);

/// A licensed domain that a listed one is, is above or is below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The licensed one.
    pub licensed: DomainName,
    /// The listed one.
    pub listed: DomainName,
}

/// Take in what others wrote, put in force what is due, and let go of domains that are no longer licensed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CatchUp;

/// Tell your state.
#[derive(Debug, Message)]
#[rtype(result = "Snapshot")]
pub struct Ask;

/// The keeper's state.
#[derive(Debug, Clone, PartialEq, Eq, MessageResponse)]
pub struct Snapshot {
    /// The version of the list.
    pub version: u64,
    /// Its serial.
    pub serial: Serial,
    /// How many subjects are blocked.
    pub blocked: usize,
    /// Proposals that wait.
    pub waiting: usize,
    /// Licensed domains that are known.
    pub licensed: usize,
    /// Whether the last look at the store failed.
    pub failing: bool,
}

/// Why the list can't be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It can't be had from the store.
    #[error("the block list can't be loaded")]
    Failed(#[source] Failure),
    /// Its feeds can't be made.
    #[error("the feeds of the block list can't be made: {0}")]
    Feeds(String),
}

/// The actor. See the module's text.
pub struct ListKeeper {
    around: Surroundings,
    shown: watch::Sender<Shown>,
    /// Licensed domains that were told, as long as their licences last.
    held: BTreeMap<OperatorId, Vec<HeldDomain>>,
    failing: bool,
}

impl ListKeeper {
    fn new(around: Surroundings, shown: watch::Sender<Shown>) -> Self {
        Self { around, shown, held: BTreeMap::new(), failing: false }
    }

    fn show(&self, sites: Arc<Sites>) {
        self.tell_other_zone(&sites);
        self.shown.send_if_modified(|shown| {
            let changed = shown.sites.head() != sites.head();
            shown.sites = sites;
            changed
        });
    }

    /// Lets go of domains whose licences have ended since.
    fn lapse(&mut self) {
        let now = (self.around.clock)();
        let over = |held: &[HeldDomain]| held.iter().any(|one| one.until <= now);
        if !self.held.values().any(|held| over(held)) {
            return;
        }
        let mut licensed = Licensed::clone(&self.shown.borrow().licensed);
        for (operator, held) in self.held.iter_mut().filter(|(_, held)| over(held)) {
            held.retain(|one| one.until > now);
            licensed.set_licensed(*operator, held.iter().map(|one| one.domain.clone()));
        }
        self.shown.send_modify(|shown| shown.licensed = Arc::new(licensed));
    }
}

/// The list as the store has it.
async fn load(around: &Surroundings) -> Result<Arc<Sites>, Failure> {
    let mut sites = Arc::default();
    catch_up(around, &mut sites).await?;
    Ok(sites)
}

/// Takes in what was stored since.
async fn catch_up(around: &Surroundings, sites: &mut Arc<Sites>) -> Result<(), Failure> {
    loop {
        let version = sites.head().version;
        let page = around.store.changes(EntityId::SITES, version, PAGE).await.map_err(Failure::Store)?;
        if page.is_empty() {
            return Ok(());
        }
        let sites = Arc::make_mut(sites);
        page.iter().try_for_each(|change| sites.follow(&change.bytes)).map_err(Failure::Damaged)?;
    }
}

/// Carries out an order; `shown` goes on to the list after it.
async fn decide(
    around: &Surroundings,
    shown: &mut Shown,
    order: Order,
    by: Author,
    version: Option<u64>,
) -> Result<Decided, NotDecided> {
    let sites = &mut shown.sites;
    let now = (around.clock)();
    let (day, licensed) = (around.calendar.day(now), &*shown.licensed);
    let circumstances = Circumstances { now, day, proposal_life_ms: around.proposal_life_ms, licensed };
    let done = |sites: &Sites, new| Decided { version: sites.head().version, serial: sites.list().serial(), new };
    let change = match sites.decide(order, &by, version, circumstances).map_err(NotDecided::Refused)? {
        decide::Decided::Already => return Ok(done(sites, false)),
        decide::Decided::Change(change) => change,
    };
    let mut next = Sites::clone(sites);
    next.follow(&change.bytes).map_err(|bad| NotDecided::Failed(Failure::Damaged(bad)))?;
    match around.store.append(EntityId::SITES, &change).await {
        Ok(Appended::Done) => {
            *sites = Arc::new(next);
            Ok(done(sites, true))
        }
        Ok(Appended::Overtaken) => {
            catch_up(around, sites).await.map_err(NotDecided::Failed)?;
            Err(NotDecided::Refused(Refusal::Stale { version: sites.head().version }))
        }
        // Should it be there after all, the next look at the store finds it, and no other change gets its place.
        Err(error) => Err(NotDecided::Failed(Failure::Store(error))),
    }
}

/// One look at the store and the calendar.
async fn look(around: &Surroundings, shown: &mut Shown) -> Result<(), Failure> {
    catch_up(around, &mut shown.sites).await?;
    let today = around.calendar.day((around.clock)());
    if !shown.sites.list().is_due(today) {
        return Ok(());
    }
    match decide(around, shown, Order::Begin, licensing(), None).await {
        Ok(_) | Err(NotDecided::Refused(_)) => Ok(()),
        Err(NotDecided::Failed(failure)) => Err(failure),
    }
}

/// The author of what nobody decides.
fn licensing() -> Author {
    Author { sub: "licensing".to_owned(), role: "system".to_owned() }
}

impl Actor for ListKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_MESSAGES_MAX);
    }
}

impl Handler<Decide> for ListKeeper {
    type Result = AtomicResponse<Self, Result<Decided, NotDecided>>;

    fn handle(&mut self, Decide { order, by, version }: Decide, _: &mut Self::Context) -> Self::Result {
        // A block is held against the licences as they are at this moment.
        self.lapse();
        let (around, mut shown) = (self.around.clone(), self.shown.borrow().clone());
        let work = async move {
            let decided = decide(&around, &mut shown, order, by, Some(version)).await;
            (shown.sites, decided)
        };
        AtomicResponse::new(Box::pin(work.into_actor(self).map(|(sites, decided), keeper, _| {
            keeper.show(sites);
            decided
        })))
    }
}

impl Handler<CatchUp> for ListKeeper {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: CatchUp, _: &mut Self::Context) -> Self::Result {
        self.lapse();
        let (around, mut shown) = (self.around.clone(), self.shown.borrow().clone());
        let work = async move {
            let looked = look(&around, &mut shown).await;
            (shown.sites, looked)
        };
        AtomicResponse::new(Box::pin(work.into_actor(self).map(|(sites, looked), keeper, _| {
            keeper.show(sites);
            let failed = looked.err();
            // Said once: it is looked at again and again until it goes well.
            if let Some(error) = failed.as_ref().filter(|_| !keeper.failing) {
                let error = error as &dyn std::error::Error;
                tracing::error!(error, "the block list can't be brought up to date, trying again");
            }
            keeper.failing = failed.is_some();
        })))
    }
}

impl Handler<SetLicensed> for ListKeeper {
    type Result = Vec<Touched>;

    fn handle(&mut self, SetLicensed(all): SetLicensed, _: &mut Self::Context) -> Self::Result {
        let Shown { sites, licensed } = self.shown.borrow().clone();
        let mut licensed = Licensed::clone(&licensed);
        let mut touched = Vec::new();
        let now = (self.around.clock)();
        for (operator, mut held) in all {
            // At a start there are licences among them that ended long ago.
            held.retain(|one| one.until > now);
            let domains: Vec<DomainName> = held.iter().map(|one| one.domain.clone()).collect();
            let listed = |domain: &DomainName| {
                let listed = sites.list().touched(domain)?.clone();
                Some(Touched { licensed: domain.clone(), listed })
            };
            touched.extend(domains.iter().filter_map(listed));
            licensed.set_licensed(operator, domains);
            self.held.insert(operator, held);
        }
        self.shown.send_modify(|shown| shown.licensed = Arc::new(licensed));
        touched
    }
}

impl Handler<Ask> for ListKeeper {
    type Result = Snapshot;

    fn handle(&mut self, _: Ask, _: &mut Self::Context) -> Snapshot {
        let (shown, now) = (self.shown.borrow(), (self.around.clock)());
        Snapshot {
            version: shown.sites.head().version,
            serial: shown.sites.list().serial(),
            blocked: shown.sites.list().blocked(),
            waiting: shown.sites.proposals().open(now),
            licensed: shown.licensed.all().count(),
            failing: self.failing,
        }
    }
}
