//! Which rewrite attempts of an operator were told, and how fast new ones may be.
//!
//! Each attempt is told before its sender is answered, and there is room for so many alerts. So what was told already is no news, and
//! who makes new attempts faster than people can look at them must wait: nothing is refused untold.

use std::collections::VecDeque;
use std::time::Duration;

use contracts::{Hash, StreamNo};

use super::{Difference, StreamKey};

/// New attempts of one operator that are told at once: more than a client with a fault makes before it stops.
pub const AT_ONCE_MAX: u32 = 60;
/// Behind those one is told each so often: what a person can look at, and at most 1,440 a day and process.
pub const EVERY: Duration = Duration::from_secs(60);
/// Attempts remembered of one operator. One that is forgotten is told again, when its turn comes.
const REMEMBERED_MAX: usize = 256;

/// What makes an attempt another one: where it begins to differ, and in what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    stream: StreamNo,
    seq: u64,
    sent: Hash,
}

impl Attempt {
    /// The attempt that a difference shows.
    pub fn new(key: StreamKey, difference: &Difference) -> Self {
        Self { stream: key.stream, seq: difference.seq, sent: difference.sent }
    }
}

/// What an attempt is to those who are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It is to be told now.
    New,
    /// It was told before.
    Known,
    /// Not now.
    TooFast {
        /// Seconds until it may be, rounded up.
        wait_s: u32,
    },
}

/// The attempts of one operator. Times are since a moment of the caller's choice and never go back.
#[derive(Debug, Default)]
pub struct Attempts {
    told: VecDeque<Attempt>,
    /// When all of [`AT_ONCE_MAX`] may be told at once again.
    rested_at: Duration,
}

impl Attempts {
    /// Says what is to be done about an attempt; for a new one its turn is taken.
    pub fn judge(&mut self, attempt: &Attempt, now: Duration) -> News {
        if self.told.contains(attempt) {
            return News::Known;
        }
        let rested_at = self.rested_at.max(now) + EVERY;
        let wait = rested_at.saturating_sub(now + EVERY * AT_ONCE_MAX);
        if !wait.is_zero() {
            let wait_s = wait.as_millis().div_ceil(1_000);
            return News::TooFast { wait_s: u32::try_from(wait_s).unwrap_or(u32::MAX) };
        }
        self.rested_at = rested_at;
        News::New
    }

    /// A new one was told.
    pub fn told(&mut self, attempt: Attempt) {
        if self.told.len() >= REMEMBERED_MAX {
            self.told.pop_front();
        }
        self.told.push_back(attempt);
    }

    /// A new one could not be told: its turn is given back.
    pub fn not_told(&mut self) {
        self.rested_at = self.rested_at.saturating_sub(EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(seq: u64, sent: u8) -> Attempt {
        Attempt { stream: StreamNo(0), seq, sent: Hash([sent; 32]) }
    }

    #[test]
    fn what_was_told_is_known_and_all_else_is_new() {
        let mut attempts = Attempts::default();
        let now = Duration::from_secs(5);
        assert_eq!(attempts.judge(&attempt(1, 1), now), News::New);
        assert_eq!(attempts.judge(&attempt(1, 1), now), News::New, "the first was not told yet");
        attempts.told(attempt(1, 1));
        assert_eq!(attempts.judge(&attempt(1, 1), now), News::Known);
        for other in [attempt(2, 1), attempt(1, 2), Attempt { stream: StreamNo(1), ..attempt(1, 1) }] {
            assert_eq!(attempts.judge(&other, now), News::New, "{other:?}");
        }
        (2..2_000).for_each(|seq| attempts.told(attempt(seq, 1)));
        assert_eq!(attempts.told.len(), REMEMBERED_MAX);
    }

    #[test]
    fn who_is_too_fast_waits_for_a_turn() {
        let mut attempts = Attempts::default();
        let mut judge = |seq: u64, ms: u64| attempts.judge(&attempt(seq, 1), Duration::from_millis(ms));
        for seq in 0..u64::from(AT_ONCE_MAX) {
            assert_eq!(judge(seq, 1_000), News::New);
        }
        assert_eq!(judge(60, 1_000), News::TooFast { wait_s: 60 });
        assert_eq!(judge(60, 1_000), News::TooFast { wait_s: 60 }, "who is refused takes no turn");
        assert_eq!(judge(60, 60_999), News::TooFast { wait_s: 1 });
        assert_eq!(judge(60, 61_000), News::New);
        assert_eq!(judge(61, 61_000), News::TooFast { wait_s: 60 });
        // An hour later all rest has come back, and no more than that.
        for seq in 0..u64::from(AT_ONCE_MAX) {
            assert_eq!(judge(100 + seq, 10_000_000), News::New);
        }
        assert_eq!(judge(200, 10_000_000), News::TooFast { wait_s: 60 });
        attempts.not_told();
        assert_eq!(attempts.judge(&attempt(200, 1), Duration::from_millis(10_000_000)), News::New);
    }
}
