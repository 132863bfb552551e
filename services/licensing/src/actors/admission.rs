//! Lets assertions in: it owns those that wait, so that all that come while one write is under way go into the next one together.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::now;
use crate::storage::{Admission, Store, StoreError};

/// Assertions of one write.
const GROUP_MAX: usize = 256;
/// Assertions that may wait; more are answered 503.
const WAITING_MAX: usize = 4_096;
/// Writes under way at a time: while one is synced the next is made ready.
const WRITES_MAX: usize = 2;

/// Why an assertion was neither let in nor refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AdmitError {
    /// Too many wait.
    #[error("too many tokens are asked for")]
    Overloaded,
    /// The store.
    #[error(transparent)]
    Store(StoreError),
}

type Answer = oneshot::Sender<Result<bool, AdmitError>>;

/// See the module's text.
pub struct Admissions {
    store: Arc<dyn Store>,
    waiting: VecDeque<(Admission, Answer)>,
    writes: usize,
}

impl Admissions {
    /// Over the register.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, waiting: VecDeque::new(), writes: 0 }
    }

    fn go_on(&mut self, context: &mut Context<Self>) {
        // A second write waits until it is worth one: else each would hold a single assertion.
        while !self.waiting.is_empty() && (self.writes == 0 || (self.writes < WRITES_MAX && self.waiting.len() >= 16)) {
            let size = self.waiting.len().min(GROUP_MAX);
            let (assertions, answers): (Vec<Admission>, Vec<Answer>) = self.waiting.drain(..size).unzip();
            self.writes += 1;
            let store = Arc::clone(&self.store);
            let write = async move { store.admit(&assertions, now()).await };
            context.spawn(write.into_actor(self).map(move |outcome, admissions, context| {
                admissions.writes -= 1;
                match outcome {
                    // Who no longer waits has no token: the assertion is spent.
                    Ok(let_in) => answers.into_iter().zip(let_in).for_each(|(answer, one)| drop(answer.send(Ok(one)))),
                    Err(error) => answers.into_iter().for_each(|answer| {
                        drop(answer.send(Err(AdmitError::Store(error.clone()))));
                    }),
                }
                admissions.go_on(context);
            }));
        }
    }
}

impl Actor for Admissions {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.set_mailbox_capacity(WAITING_MAX);
    }
}

impl Supervised for Admissions {}

/// An assertion, and who waits for the answer: true when it was let in, false when it was before.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Admit {
    /// The assertion.
    pub assertion: Admission,
    /// Who waits.
    pub answer: Answer,
}

impl Handler<Admit> for Admissions {
    type Result = ();

    fn handle(&mut self, Admit { assertion, answer }: Admit, context: &mut Context<Self>) {
        if self.waiting.len() >= WAITING_MAX {
            drop(answer.send(Err(AdmitError::Overloaded)));
            return;
        }
        self.waiting.push_back((assertion, answer));
        self.go_on(context);
    }
}
