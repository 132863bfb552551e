//! The desks of this process: one is opened when an operator is first worked on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use contracts::OperatorId;
use tokio::sync::Semaphore;

use super::desk::{Decide, DecideError, Desk, Work};
use crate::domain::operator::Operator;

/// Things wanted at a time, of all operators; more are answered 503. Clerks are few.
const WANTED_MAX: usize = 256;
/// How long one may take.
const DECIDE_TIMEOUT: Duration = Duration::from_secs(20);

/// The desks.
pub struct Desks {
    work: Arc<Work>,
    open: Mutex<HashMap<OperatorId, Addr<Desk>>>,
    room: Semaphore,
    arbiter: ArbiterHandle,
}

impl Desks {
    /// No desk yet. MUST be called inside an actix system, whose thread the desks share.
    pub fn new(work: Arc<Work>) -> Self {
        Self { work, open: Mutex::default(), room: Semaphore::new(WANTED_MAX), arbiter: Arbiter::current() }
    }

    /// Has something done to an operator, and gives what it is then.
    ///
    /// # Errors
    /// [`DecideError`]
    pub async fn decide(&self, id: OperatorId, wanted: Decide) -> Result<Arc<Operator>, DecideError> {
        let Ok(_place) = self.room.try_acquire() else { return Err(DecideError::Away) };
        let decided = self.desk(id).send(wanted).timeout(DECIDE_TIMEOUT).await;
        decided.map_err(|_| DecideError::Away)?
    }

    fn desk(&self, id: OperatorId) -> Addr<Desk> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(desk) = open.get(&id).filter(|desk| desk.connected()) {
            return desk.clone();
        }
        // One for an id that nobody has registered is let go of with the next: there are as many desks as operators.
        open.retain(|id, _| self.work.follower.directory().get(*id).is_some());
        let work = Arc::clone(&self.work);
        let desk = Supervisor::start_in_arbiter(&self.arbiter, move |_| Desk::new(id, work));
        open.insert(id, desk.clone());
        desk
    }
}
