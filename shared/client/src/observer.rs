//! Who wants to know how sending goes while it goes on.

use std::time::Instant;

use contracts::receipt::Receipt;

/// Why a request is about to be sent again.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Tries so far.
    pub attempt: u64,
    /// What came of the last one, for a person.
    pub reason: String,
    /// When the first one began.
    pub since: Instant,
}

/// Is told what a sender goes through, by the sender's own tasks: who must think about it does so elsewhere.
pub trait Observer: Send + Sync {
    /// A request was not answered, or the answer asks for patience: it is sent again after a pause.
    fn waiting(&self, _waiting: &Waiting) {}

    /// A request that had to be sent again was answered.
    fn answered(&self) {}

    /// A receipt has come and was checked. Told in the order of seqs, before [`crate::Sender::receipts`] gives it, and also when nobody
    /// holds the sender any more.
    fn accepted(&self, _receipt: &Receipt) {}
}

/// Nobody wants to know.
pub(crate) struct Nobody;

impl Observer for Nobody {}
