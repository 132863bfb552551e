//! A bound on the bytes of batches held in memory at a time, shared by all requests, of which one operator may have a part.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use contracts::OperatorId;

/// One operator may hold this part of the budget: one in so many.
const SHARE: usize = 4;
/// But as much as its largest batch takes: 8 MiB unpacked, as much again packed, and what lies beside it.
const SHARE_BYTES_MIN: usize = 20 * 1024 * 1024;
/// Shares that are kept at a time; beyond, those of which nobody holds anything go.
const SHARES_KEPT_MAX: usize = 1_024;

/// The bytes that may be held together.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    bytes_max: usize,
    share_bytes_max: usize,
    /// What each operator holds.
    shares: Mutex<HashMap<OperatorId, Arc<AtomicUsize>>>,
}

/// Bytes taken from a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    budget: Arc<Budget>,
    share: Arc<AtomicUsize>,
    bytes: usize,
}

impl Budget {
    /// A budget of which nothing is used.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        let share_bytes_max = (bytes_max / SHARE).max(SHARE_BYTES_MIN);
        Arc::new(Self { used: AtomicUsize::new(0), bytes_max, share_bytes_max, shares: Mutex::default() })
    }

    /// Bytes in use.
    pub fn used_bytes(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// A lease of nothing yet, for a batch of this operator.
    pub fn lease(self: &Arc<Self>, operator: OperatorId) -> Lease {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() >= SHARES_KEPT_MAX {
            shares.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let share = Arc::clone(shares.entry(operator).or_default());
        Lease { budget: Arc::clone(self), share, bytes: 0 }
    }
}

impl Lease {
    /// Grows or shrinks to `bytes`; `false` and unchanged when that is more than is left, of all or of the operator's share.
    #[must_use]
    pub fn resize(&mut self, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(self.bytes) else {
            self.give_back(self.bytes - bytes);
            self.bytes = bytes;
            return true;
        };
        if !add(&self.share, more, self.budget.share_bytes_max) {
            return false;
        }
        if !add(&self.budget.used, more, self.budget.bytes_max) {
            self.share.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes = bytes;
        true
    }

    fn give_back(&self, bytes: usize) {
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
        self.share.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Adds, unless it becomes more than `max`.
fn add(to: &AtomicUsize, more: usize, max: usize) -> bool {
    let fits = |used: usize| used.checked_add(more).filter(|sum| *sum <= max);
    to.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(n: u128) -> OperatorId {
        OperatorId::new(uuid::Uuid::from_u128(n)).expect("not nil")
    }

    #[test]
    fn leases_share_and_give_back() {
        let budget = Budget::new(100);
        let (mut a, mut b) = (budget.lease(operator(1)), budget.lease(operator(1)));
        assert!(a.resize(60));
        assert!(!b.resize(41));
        assert!(b.resize(40));
        assert!(!a.resize(61));
        assert!(a.resize(10));
        assert_eq!(budget.used_bytes(), 50);
        drop(a);
        assert!(b.resize(100));
        drop(b);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn one_operator_leaves_three_quarters_to_the_others() {
        let budget = Budget::new(400 << 20);
        let (mut a, mut again) = (budget.lease(operator(1)), budget.lease(operator(1)));
        assert!(a.resize(90 << 20) && again.resize(10 << 20));
        assert!(!again.resize((10 << 20) + 1));
        assert!(a.resize(80 << 20) && again.resize(20 << 20), "what it gives back it may have again");
        let mut others: Vec<Lease> = (2..5).map(|n| budget.lease(operator(n))).collect();
        assert!(others.iter_mut().all(|lease| lease.resize(100 << 20)));
        let mut late = budget.lease(operator(5));
        assert!(!late.resize(1), "all is taken");
        drop(again);
        assert!(late.resize(20 << 20));
        assert!(!a.resize(81 << 20), "what the others have is not there for it");
        // A share of a small budget holds the largest batch all the same.
        assert!(Budget::new(64 << 20).lease(operator(1)).resize(SHARE_BYTES_MIN));
    }

    #[test]
    fn shares_of_which_nothing_is_held_are_forgotten() {
        let budget = Budget::new(100);
        let mut held = budget.lease(operator(1));
        assert!(held.resize(7));
        for n in 2..5_000 {
            drop(budget.lease(operator(n)));
        }
        let shares = budget.shares.lock().expect("sound");
        assert!(shares.len() <= SHARES_KEPT_MAX);
        assert_eq!(shares.get(&operator(1)).map(|share| share.load(Ordering::Relaxed)), Some(7));
    }
}
