//! The one that tells the mesh: it owns the list of operators of whom `REGISTRY` does not know the latest, and goes on until it does.
//! It also says every two seconds that all that was decided before is told: from that, others know how old what they know is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use async_trait::async_trait;
use contracts::registry::{Beat, OperatorStanding};
use contracts::{OperatorId, UnixMillis};

use super::directory::Directory;
use super::now;

/// Pause after something could not be told.
const RETRY: Duration = Duration::from_millis(200);
/// How often it is said that all is told.
const BEAT: Duration = Duration::from_secs(2);

/// Where standings are told.
#[async_trait]
pub trait Board: Send + Sync + 'static {
    /// Tells how an operator stands. MUST be durable when it returns `Ok`; MUST NOT replace a later version.
    async fn tell(&self, standing: &OperatorStanding) -> Result<(), String>;

    /// Says that all decided before the beat is told.
    async fn beat(&self, beat: Beat) -> Result<(), String>;
}

/// See the module's text.
pub struct Teller {
    directory: Arc<Directory>,
    board: Arc<dyn Board>,
    waiting: BTreeSet<OperatorId>,
    telling: bool,
    /// Whether not all of the beginning is told yet.
    first: bool,
}

impl Teller {
    /// One that begins with telling of everybody: whom the mesh knows at the latest version is passed over quickly.
    pub fn new(directory: Arc<Directory>, board: Arc<dyn Board>) -> Self {
        let waiting = directory.all().iter().map(|operator| operator.id).collect();
        Self { directory, board, waiting, telling: false, first: true }
    }

    fn go_on(&mut self, context: &mut Context<Self>) {
        if self.telling {
            return;
        }
        let Some(id) = self.waiting.pop_first() else {
            if std::mem::take(&mut self.first) {
                self.beat(context);
            }
            return;
        };
        let Some(operator) = self.directory.get(id) else { return self.go_on(context) };
        self.telling = true;
        let board = Arc::clone(&self.board);
        let told = async move { board.tell(&operator.standing()).await };
        context.spawn(told.into_actor(self).map(move |told, teller, context| {
            teller.telling = false;
            match told {
                Ok(()) => teller.go_on(context),
                Err(why) => {
                    tracing::warn!(operator = %id, why, "the mesh could not be told; trying again");
                    teller.waiting.insert(id);
                    context.run_later(RETRY, Self::go_on);
                }
            }
        }));
    }

    fn beat(&mut self, context: &mut Context<Self>) {
        if self.telling || !self.waiting.is_empty() {
            return;
        }
        let board = Arc::clone(&self.board);
        let told = async move { board.beat(Beat { at: UnixMillis(now().0) }).await };
        context.spawn(told.into_actor(self).map(|told, _, _| {
            if let Err(why) = told {
                tracing::warn!(why, "the mesh could not be told that all is told");
            }
        }));
    }
}

impl Actor for Teller {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.go_on(context);
        context.run_interval(BEAT, Self::beat);
    }
}

impl Supervised for Teller {}

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
