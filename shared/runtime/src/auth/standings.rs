//! What this process knows of the register: how each operator stands, and when licensing was last heard of.
//!
//! A map behind a lock and no actor, because every request asks it and must not wait: a look is a few dozen nanoseconds, a message
//! to an actor would be a hop to another thread. Not a map that is replaced whole either: at the start it would be copied once an
//! operator. The service fills it with what `bus` reads from `REGISTRY`.
//!
//! **State.** A cache of `REGISTRY`, rebuilt from its first message at every start. An operator that is known stays known, whatever
//! the broker loses: nobody is turned away because a stream was made anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contracts::registry::{OperatorStanding, Told};
use contracts::{OperatorId, UnixMillis};
use serde::Deserialize;
use tokio::sync::watch;

use super::{Register, Unfit};
use crate::Health;

/// What to do with batches while the register is older than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stale {
    /// Take them, by what is known: records that are not taken now may never come.
    #[default]
    Serve,
    /// Answer 503 until licensing is heard of again.
    Refuse,
}

/// Why nothing can be said of an operator now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKnown {
    /// `REGISTRY` has not been read to its end since the start.
    #[error("the register has not been read yet")]
    Unread,
    /// Licensing has not been heard of since the start, nor before it.
    #[error("licensing was never heard of")]
    Unheard,
    /// Licensing was heard of too long ago.
    #[error("licensing was last heard of {age_s} s ago, {age_s_max} s are allowed")]
    Old {
        /// How long ago.
        age_s: i64,
        /// How long it may be.
        age_s_max: i64,
    },
}

/// See the file's head.
pub struct Standings {
    known: RwLock<HashMap<OperatorId, Arc<OperatorStanding>>>,
    /// When licensing wrote its last beat; 0 before the first.
    beat_ms: AtomicI64,
    read: watch::Sender<bool>,
    age_max: Duration,
    stale: Stale,
}

impl Standings {
    /// Nothing is known yet.
    pub fn new(age_max: Duration, stale: Stale) -> Self {
        Self { known: RwLock::default(), beat_ms: AtomicI64::new(0), read: watch::Sender::new(false), age_max, stale }
    }

    /// Takes in what `REGISTRY` told.
    pub fn take(&self, told: Told) {
        match told {
            Told::Operator(standing) => self.put(standing),
            Told::Beat(beat) => self.heard(beat.at),
            Told::Read => self.set_read(),
        }
    }

    /// Takes a standing in; an older version than the known one changes nothing.
    pub fn put(&self, standing: OperatorStanding) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.get(&standing.operator).is_none_or(|known| known.version < standing.version) {
            known.insert(standing.operator, Arc::new(standing));
        }
    }

    /// Licensing was alive at a time.
    pub fn heard(&self, at: UnixMillis) {
        self.beat_ms.fetch_max(at.0, Ordering::Relaxed);
    }

    /// `REGISTRY` was read to its end.
    pub fn set_read(&self) {
        self.read.send_replace(true);
    }

    /// Waits until [`Self::set_read`] was called.
    pub async fn wait_read(&self) {
        // Fails only when the sender is gone, which `self` holds.
        let _ = self.read.subscribe().wait_for(|read| *read).await;
    }

    /// How an operator stands, if that is known.
    pub fn get(&self, operator: OperatorId) -> Option<Arc<OperatorStanding>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&operator).map(Arc::clone)
    }

    /// Whether batches may be taken by what is known now.
    ///
    /// # Errors
    /// [`NotKnown`]; once the register was read, only with [`Stale::Refuse`].
    pub fn may_take(&self) -> Result<(), NotKnown> {
        match self.fresh(now()) {
            Err(NotKnown::Unheard | NotKnown::Old { .. }) if self.stale == Stale::Serve => Ok(()),
            fresh => fresh,
        }
    }

    /// Whether what is known is no older than it may be.
    ///
    /// # Errors
    /// [`NotKnown`]
    pub fn fresh(&self, now: UnixMillis) -> Result<(), NotKnown> {
        let (age, heard) = (self.age(now), self.beat_ms.load(Ordering::Relaxed) > 0);
        match (*self.read.borrow(), heard) {
            (false, _) => Err(NotKnown::Unread),
            (true, false) => Err(NotKnown::Unheard),
            (true, true) if age > self.age_max => {
                Err(NotKnown::Old { age_s: seconds(age), age_s_max: seconds(self.age_max) })
            }
            (true, true) => Ok(()),
        }
    }

    /// Tells `/readyz` how old what is known is: a failing check while nothing may be done by it, else a warning. A process that goes on
    /// by what it knows must stay in the Service: all of them are as old, and taking all away would be refusing after all.
    pub fn watch(self: &Arc<Self>, health: &Health) {
        let known = Arc::clone(self);
        health.check("registry", move || known.may_take().map_err(|error| error.to_string()));
        let known = Arc::clone(self);
        health.warn("registry", move || known.fresh(now()).map_err(|error| error.to_string()));
    }

    /// How long ago licensing was heard of; since 1970 when it never was, nothing when its clock is ahead.
    pub fn age(&self, now: UnixMillis) -> Duration {
        let age_ms = now.0.saturating_sub(self.beat_ms.load(Ordering::Relaxed));
        Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))
    }
}

impl Register for Standings {
    /// Nobody is turned away by what is older than their token: the key it was asked for with may just have been registered. Beats lie
    /// on `REGISTRY` behind what was decided before them, so one that is younger than the token means that nothing is missing.
    fn admits(&self, operator: OperatorId, client_key: Option<&str>, issued_s: u64) -> Result<(), Unfit> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let unfit = match (known.get(&operator), client_key) {
            (Some(standing), Some(key)) if !standing.keys.iter().any(|known| known.kid == key) => Unfit::KeyRevoked,
            (Some(_), _) => return Ok(()),
            (None, _) => Unfit::UnknownOperator,
        };
        let issued_ms = i64::try_from(issued_s).unwrap_or(i64::MAX).saturating_mul(1_000);
        let known_ms =
            known.get(&operator).map_or(0, |standing| standing.at.0).max(self.beat_ms.load(Ordering::Relaxed));
        // A token's time is in whole seconds: it may be of any moment within.
        let behind = !*self.read.borrow() || known_ms < issued_ms.saturating_add(1_000);
        Err(if behind { Unfit::Behind } else { unfit })
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// The time of day; 1970 when the clock is set before it.
fn now() -> UnixMillis {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::register::{key, standing};

    fn operator() -> OperatorId {
        "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID")
    }

    #[test]
    fn who_is_known_and_with_which_key() {
        let standings = Standings::new(Duration::from_secs(30), Stale::Serve);
        let admits = |key| standings.admits(operator(), key, 99);
        assert_eq!(standings.may_take(), Err(NotKnown::Unread));
        standings.heard(UnixMillis(100_000));
        assert_eq!(admits(None), Err(Unfit::Behind), "not read to the end yet");
        standings.set_read();
        assert_eq!(admits(None), Err(Unfit::UnknownOperator));
        assert_eq!(standings.admits(operator(), None, 100), Err(Unfit::Behind), "a token that may be younger");
        let mut known = standing(operator());
        known.keys.push(key("kid-1", serde_json::json!({})));
        standings.put(known.clone());
        assert_eq!(admits(None), Ok(()), "the issuer does not say");
        assert_eq!(admits(Some("kid-1")), Ok(()));
        assert_eq!(standings.admits(operator(), Some("kid-1"), u64::MAX), Ok(()));
        assert_eq!(admits(Some("kid-2")), Err(Unfit::KeyRevoked));
        assert_eq!(standings.admits(operator(), Some("kid-2"), u64::MAX), Err(Unfit::Behind));
        known.keys.clear();
        standings.put(known.clone());
        assert_eq!(admits(Some("kid-1")), Ok(()), "the same version changes nothing");
        known.version += 1;
        standings.put(known);
        assert_eq!(admits(Some("kid-1")), Err(Unfit::KeyRevoked));
    }

    #[test]
    fn how_old_it_is_and_what_then() {
        let limit = Duration::from_secs(30);
        let (serving, refusing) = (Standings::new(limit, Stale::Serve), Standings::new(limit, Stale::Refuse));
        for standings in [&serving, &refusing] {
            standings.set_read();
            assert_eq!(standings.fresh(now()), Err(NotKnown::Unheard));
            standings.heard(UnixMillis(100_000));
            standings.heard(UnixMillis(99_000));
            assert_eq!(standings.age(UnixMillis(101_500)), Duration::from_millis(1_500));
            assert_eq!(standings.fresh(UnixMillis(130_000)), Ok(()));
            assert_eq!(standings.fresh(UnixMillis(130_001)), Err(NotKnown::Old { age_s: 30, age_s_max: 30 }));
            assert_eq!(standings.age(UnixMillis(1)), Duration::ZERO, "a clock that is ahead");
        }
        assert_eq!(serving.may_take(), Ok(()));
        assert!(matches!(refusing.may_take(), Err(NotKnown::Old { .. })));
        refusing.heard(now());
        assert_eq!(refusing.may_take(), Ok(()));
    }
    #[test]
    fn only_what_stops_work_makes_a_process_unready() {
        let limit = Duration::from_secs(30);
        let ready = |standings: &Arc<Standings>| {
            let health = Health::new();
            standings.watch(&health);
            (health.failing().is_empty(), health.warnings().is_empty())
        };
        let [serving, refusing] = [Stale::Serve, Stale::Refuse].map(|stale| Arc::new(Standings::new(limit, stale)));
        assert_eq!([ready(&serving), ready(&refusing)], [(false, false); 2], "not read yet");
        serving.set_read();
        refusing.set_read();
        for at in [0, 1] {
            serving.heard(UnixMillis(at));
            refusing.heard(UnixMillis(at));
            assert_eq!([ready(&serving), ready(&refusing)], [(true, false), (false, false)], "unheard, then old");
        }
        serving.heard(now());
        refusing.heard(now());
        assert_eq!([ready(&serving), ready(&refusing)], [(true, true); 2]);
    }
}
