//! The one that tells the mesh: it owns what is known of `REGISTRY`, and the list of operators of whom that has not the latest, and goes
//! on until it has.
//!
//! Every two seconds it looks: at the store, for what any process has decided, told or not; and at `REGISTRY`, for whether what was told
//! is still there. When all that was found is told, a beat says so, with the time at which the look began: from that, others know how old
//! what they know is. So a beat is as true as the store, however many processes decide and whichever of them is cut off. When the store
//! can't be read there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::WeakAddr;
use actix::prelude::*;
use async_trait::async_trait;
use contracts::OperatorId;
use contracts::registry::{Beat, OperatorStanding};
use runtime::problem::chain;

use super::directory::{Doubt, LoadError};
use super::follower::Follower;
use super::now;

/// Pause after something could not be told.
const RETRY: Duration = Duration::from_millis(200);
/// How often it is looked, and said that all is told.
const BEAT: Duration = Duration::from_secs(2);

/// What a board is at a moment. One that was made anew or put back to an earlier time has a last place, or a number of messages, that it
/// had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The place of the last message ever taken.
    pub last: u64,
    /// Messages held.
    pub messages: u64,
    /// The place of the last beat; 0 when there is none.
    pub beat: u64,
}

/// What became of something told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tells {
    /// It is there, durable.
    Done,
    /// This was there, of the same version or a later one: nothing was told.
    There(Box<OperatorStanding>),
}

/// Where standings are told.
#[async_trait]
pub trait Board: Send + Sync + 'static {
    /// Tells how an operator stands. MUST be durable when it returns [`Tells::Done`]; MUST NOT replace a later version.
    async fn tell(&self, standing: &OperatorStanding) -> Result<Tells, String>;

    /// What it is now.
    async fn place(&self) -> Result<Place, String>;

    /// Says that all decided before the beat is told, if no beat was said since a place; else nothing. So none gets on a board that was made
    /// anew since.
    async fn beat(&self, beat: Beat, since: Place) -> Result<(), String>;
}

/// Why something was not told.
enum NotTold {
    /// The board.
    Board(String),
    /// The store, which had to be asked.
    Store(LoadError),
}

/// See the module's text.
pub struct Teller {
    follower: Arc<Follower>,
    board: Arc<dyn Board>,
    waiting: BTreeSet<OperatorId>,
    telling: bool,
    /// Versions that the board is known to have.
    told: BTreeMap<OperatorId, u64>,
    place: Place,
    /// From the beginning of a look until its beat was said, or can't be.
    looking: bool,
    /// The beat of this look, said once nobody waits.
    due: Option<Beat>,
}

impl Teller {
    /// One that begins with telling of everybody: whom the mesh knows at the latest version is passed over quickly. It ends with the last
    /// address. MUST be called inside an actix system.
    pub fn begin(follower: Arc<Follower>, board: Arc<dyn Board>) -> Addr<Self> {
        let teller = Supervisor::start(move |_| Self::new(follower, board));
        actix::spawn(remind(teller.downgrade()));
        teller
    }

    pub(super) fn new(follower: Arc<Follower>, board: Arc<dyn Board>) -> Self {
        Self {
            follower,
            board,
            waiting: BTreeSet::new(),
            telling: false,
            told: BTreeMap::new(),
            place: Place::default(),
            looking: false,
            due: None,
        }
    }

    fn look(&mut self, context: &mut Context<Self>) {
        if std::mem::replace(&mut self.looking, true) {
            return self.go_on(context);
        }
        // What is decided from here on is the next beat's, and what is told from here on may be missing where it is counted.
        let (beat, told) = (Beat { at: now() }, self.told.len() as u64);
        let (follower, board) = (Arc::clone(&self.follower), Arc::clone(&self.board));
        let looked = async move {
            let place = board.place().await?;
            follower.catch_up_all().await.map_err(|error| chain(&error))?;
            Ok(place)
        };
        context.spawn(looked.into_actor(self).map(
            move |looked: Result<Place, String>, teller, context| match looked {
                Ok(place) => {
                    teller.take(place, told);
                    teller.due = Some(beat);
                    teller.go_on(context);
                }
                Err(why) => {
                    tracing::warn!(why, "it can't be said that the mesh is told of all that was decided");
                    teller.looking = false;
                }
            },
        ));
    }

    /// Finds out who is to be told of. `told`: how many the board was known to have before it was asked.
    fn take(&mut self, place: Place, told: u64) {
        let directory = self.follower.directory();
        if place.last < self.place.last || place.messages < self.place.messages.max(told) {
            tracing::warn!("REGISTRY has lost what it was told: telling everything anew");
            self.told.clear();
            directory.all_held(Doubt::Contradicted).into_iter().for_each(|id| {
                directory.release(id, Doubt::Contradicted);
            });
        }
        self.place = place;
        let new = |id: &OperatorId, version| self.told.get(id).is_none_or(|told| *told < version);
        let all = directory.all();
        self.waiting
            .extend(all.iter().map(|one| (one.id, one.head.version)).filter(|(id, v)| new(id, *v)).map(|(id, _)| id));
    }

    fn go_on(&mut self, context: &mut Context<Self>) {
        if self.telling {
            return;
        }
        let known = std::iter::from_fn(|| self.waiting.pop_first()).find_map(|id| self.follower.directory().get(id));
        let Some(operator) = known else { return self.beat(context) };
        self.telling = true;
        let (board, follower, id) = (Arc::clone(&self.board), Arc::clone(&self.follower), operator.id);
        let told = async move { tell(&*board, &follower, &operator.standing()).await };
        context.spawn(told.into_actor(self).map(move |told, teller, context| {
            teller.telling = false;
            match told {
                Ok(Some(version)) => {
                    teller.told.insert(id, version);
                    teller.go_on(context);
                }
                // It is held; the next look asks again.
                Ok(None) | Err(NotTold::Store(LoadError::Damaged { .. })) => teller.go_on(context),
                Err(NotTold::Store(error)) => {
                    tracing::warn!(operator = %id, why = chain(&error), "it can't be said whether the mesh is told of an operator");
                    // Not all may be told: the next look sees.
                    (teller.due, teller.looking) = (None, false);
                    teller.go_on(context);
                }
                Err(NotTold::Board(why)) => {
                    tracing::warn!(operator = %id, why, "the mesh could not be told; trying again");
                    teller.waiting.insert(id);
                    actix::spawn(retry(context.address().downgrade()));
                }
            }
        }));
    }

    /// Says the beat that is due, if one is.
    fn beat(&mut self, context: &mut Context<Self>) {
        let Some(beat) = self.due.take() else { return };
        let (board, since) = (Arc::clone(&self.board), self.place);
        let told = async move { board.beat(beat, since).await };
        context.spawn(told.into_actor(self).map(|told, teller, _| {
            teller.looking = false;
            if let Err(why) = told {
                tracing::warn!(why, "the mesh could not be told that all is told");
            }
        }));
    }
}

/// Tells how an operator stands; gives the version that is told. `None`: what is told already is not what the store has.
async fn tell(board: &dyn Board, follower: &Follower, standing: &OperatorStanding) -> Result<Option<u64>, NotTold> {
    match board.tell(standing).await.map_err(NotTold::Board)? {
        Tells::Done => Ok(Some(standing.version)),
        Tells::There(known) => {
            let agrees = follower.agrees(&known).await.map_err(NotTold::Store)?;
            Ok(agrees.then_some(known.version))
        }
    }
}

impl Actor for Teller {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        // What waited for an answer when the actor was restarted does not any more.
        (self.telling, self.looking, self.due) = (false, false, None);
        self.look(context);
    }
}

impl Supervised for Teller {}

/// Has the teller look, for as long as somebody else knows it: an interval of its own would keep it, and the store, for ever.
async fn remind(teller: WeakAddr<Teller>) {
    loop {
        tokio::time::sleep(BEAT).await;
        let Some(teller) = teller.upgrade() else { return };
        if let Err(error) = teller.try_send(Look) {
            tracing::debug!(%error, "the teller is busy");
        }
    }
}

/// Has the teller go on after a pause; as [`remind`], it keeps nobody.
async fn retry(teller: WeakAddr<Teller>) {
    tokio::time::sleep(RETRY).await;
    let again = teller.upgrade().map(|teller| teller.try_send(GoOn));
    if let Some(Err(error)) = again {
        tracing::debug!(%error, "the teller is busy");
    }
}

/// Go on telling.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
struct GoOn;

impl Handler<GoOn> for Teller {
    type Result = ();

    fn handle(&mut self, _: GoOn, context: &mut Context<Self>) {
        self.go_on(context);
    }
}

/// Look for what is to be told, and say that all is told.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct Look;

impl Handler<Look> for Teller {
    type Result = ();

    fn handle(&mut self, _: Look, context: &mut Context<Self>) {
        self.look(context);
    }
}

/// An operator has changed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Tell(pub OperatorId);

impl Handler<Tell> for Teller {
    type Result = ();

    fn handle(&mut self, Tell(id): Tell, context: &mut Context<Self>) {
        self.waiting.insert(id);
        self.go_on(context);
    }
}
