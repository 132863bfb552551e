//! Tells of rewrite attempts, durably, before their senders are answered: each once, and each operator's only so fast.
//!
//! Else one operator could fill `ALERTS` with attempts, and nobody's could be told any more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use contracts::OperatorId;

use super::broker::{Broker, Unavailable};
use crate::domain::attempts::{Attempt, Attempts, News};
use crate::domain::{Difference, StreamKey};

/// Operators whose attempts are remembered, some 14 KB each. Beyond, all are forgotten: what is told twice does no harm.
const OPERATORS_MAX: usize = 1_024;

/// The attempts that this process has told of.
pub struct Alarm {
    began: Instant,
    operators: Mutex<HashMap<OperatorId, Attempts>>,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// It is told, now or before.
    Told,
    /// Others of this operator were told a moment ago: its sender must come again.
    Later {
        /// After so many seconds.
        wait_s: u32,
    },
}

impl Alarm {
    /// One that has told of nothing.
    pub fn new() -> Self {
        Self { began: Instant::now(), operators: Mutex::default() }
    }

    /// Tells of a rewrite attempt, unless it was told before.
    ///
    /// # Errors
    /// [`Unavailable`]: it is not told.
    pub async fn raise(
        &self,
        broker: &dyn Broker,
        key: StreamKey,
        difference: Difference,
    ) -> Result<Raised, Unavailable> {
        let attempt = Attempt::new(key, &difference);
        let now = self.began.elapsed();
        let news = self.attempts().entry(key.operator).or_default().judge(&attempt, now);
        match news {
            News::Known => return Ok(Raised::Told),
            News::TooFast { wait_s } => return Ok(Raised::Later { wait_s }),
            News::New => {}
        }
        let told = broker.alert(key, difference).await;
        let mut operators = self.attempts();
        let attempts = operators.entry(key.operator).or_default();
        match told {
            Ok(()) => attempts.told(attempt),
            Err(_) => attempts.not_told(),
        }
        told.map(|()| Raised::Told)
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<OperatorId, Attempts>> {
        let mut operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        if operators.len() >= OPERATORS_MAX {
            operators.clear();
        }
        operators
    }
}
