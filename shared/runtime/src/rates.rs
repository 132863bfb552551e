//! How fast each of many may go: a token bucket for each. The clock is the caller's.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use contracts::UnixMillis;
use contracts::problems::Code;

use crate::ApiError;

/// Most buckets kept at a time: some 10 MB. Beyond, those that are full go, which is as if they had never been; then all.
const BUCKETS_MAX: usize = 100_000;

/// A bucket that fills at a steady rate up to its size.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: f64,
    at_ms: i64,
}

/// A rate for each of those who are told apart by `K`. Ask only for who has proved who they are: else anybody empties another's bucket.
#[derive(Debug)]
pub struct Rates<K> {
    what: &'static str,
    per_s: u32,
    burst: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

/// Somebody is too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {per_s} {what} a second; wait {wait_s} s")]
pub struct OverRate {
    what: &'static str,
    per_s: u32,
    /// Seconds until that much is there, rounded up, at least 1.
    pub wait_s: u32,
}

impl From<OverRate> for ApiError {
    fn from(over: OverRate) -> Self {
        Self::new(Code::TooManyRequests, over.to_string()).retry_after(over.wait_s)
    }
}

impl<K: Eq + Hash> Rates<K> {
    /// So many of `what` (a plural) a second for each, at least 1, and `burst` at once, at least as many as in a second.
    pub fn new(what: &'static str, per_s: u32, burst: u32) -> Self {
        let per_s = per_s.max(1);
        Self { what, per_s, burst: f64::from(burst.max(per_s)), buckets: Mutex::default() }
    }

    /// Takes so much out of somebody's bucket.
    ///
    /// # Errors
    /// [`OverRate`]: nothing was taken.
    pub fn take(&self, who: K, amount: u32, now: UnixMillis) -> Result<(), OverRate> {
        let per_s = f64::from(self.per_s);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&who) {
            buckets.retain(|_, bucket| {
                bucket.fill(per_s, self.burst, now.0);
                bucket.level < self.burst
            });
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(who).or_insert(Bucket { level: self.burst, at_ms: now.0 });
        bucket.fill(per_s, self.burst, now.0);
        let missing = f64::from(amount) - bucket.level;
        if missing > 0.0 {
            // A float cast saturates: an absurd wait is merely long.
            let wait_s = (missing / per_s).ceil().max(1.0) as u32;
            return Err(OverRate { what: self.what, per_s: self.per_s, wait_s });
        }
        bucket.level -= f64::from(amount);
        Ok(())
    }
}

impl Bucket {
    /// Adds what came in since. A clock that steps back fills nothing.
    fn fill(&mut self, per_s: f64, burst: f64, now_ms: i64) {
        let passed_ms = now_ms.saturating_sub(self.at_ms).max(0) as f64;
        self.at_ms = self.at_ms.max(now_ms);
        self.level = (self.level + passed_ms * per_s / 1_000.0).min(burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(rates: &Rates<u32>, who: u32, amount: u32, now_ms: i64) -> Result<(), u32> {
        rates.take(who, amount, UnixMillis(now_ms)).map_err(|over| over.wait_s)
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let rates = Rates::new("records", 1_000, 500);
        assert_eq!(take(&rates, 1, 1_000, 0), Ok(()));
        assert_eq!(take(&rates, 1, 500, 0), Err(1));
        assert_eq!(take(&rates, 1, 500, 499), Err(1));
        assert_eq!(take(&rates, 2, 1_000, 499), Ok(()), "another's is another");
        assert_eq!(take(&rates, 1, 500, 500), Ok(()));
        assert_eq!(take(&rates, 1, 1, 400), Err(1), "a clock that steps back fills nothing");
    }

    #[test]
    fn a_burst_may_be_larger_than_the_rate() {
        let rates = Rates::new("tokens", 10, 10_000);
        assert_eq!(take(&rates, 1, 10_000, 0), Ok(()));
        assert_eq!(take(&rates, 1, 10_000, 1_000), Err(999));
        let over = rates.take(1, 10_000, UnixMillis(1_000)).unwrap_err();
        assert_eq!(over.to_string(), "more than 10 tokens a second; wait 999 s");
        assert_eq!(ApiError::from(over).code, Code::TooManyRequests);
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let rates = Rates::new("writes", 1, 1);
        let most = BUCKETS_MAX as u32;
        (0..most).for_each(|who| assert_eq!(take(&rates, who, 1, 0), Ok(())));
        // A second later all but one are full again.
        assert_eq!(take(&rates, 7, 1, 1_000), Ok(()));
        assert_eq!(take(&rates, most, 1, 1_000), Ok(()));
        assert_eq!(rates.buckets.lock().unwrap().len(), 2);
        assert_eq!(take(&rates, 7, 1, 1_000), Err(1), "who waits goes on to wait");
    }
}
