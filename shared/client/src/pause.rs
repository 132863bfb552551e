//! Pauses between tries: growing, jittered, never zero, as long as the server asks.

use std::time::Duration;

use rand::RngExt as _;

/// First pause of a run of failures.
const FIRST: Duration = Duration::from_millis(50);

/// A server that asks for more is asked again all the same.
const ASKED_MAX: Duration = Duration::from_secs(60);

/// How long to wait before the next try.
pub(crate) struct Pause {
    next: Duration,
    most: Duration,
}

impl Pause {
    pub(crate) fn new(most: Duration) -> Self {
        Self { next: FIRST, most }
    }

    /// The next pause: between half of the current step and the whole, so that senders do not come back together. What the server
    /// asks for is kept to, with up to a quarter more.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.most);
        let jittered = step.mul_f64(rand::rng().random_range(0.5..1.0));
        let asked = asked.map(|asked| asked.min(ASKED_MAX).mul_f64(rand::rng().random_range(1.0..1.25)));
        asked.map_or(jittered, |asked| asked.max(jittered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit_and_differ() {
        let most = Duration::from_secs(5);
        let mut pause = Pause::new(most);
        let pauses: Vec<Duration> = (0..20).map(|_| pause.next(None)).collect();
        assert!(pauses.iter().all(|p| *p >= FIRST / 2 && *p <= most));
        assert!(pauses[19] >= most / 2);
        let asked = Duration::from_secs(30);
        assert!((asked..asked * 5 / 4).contains(&pause.next(Some(asked))));
        assert!(pause.next(Some(Duration::from_secs(3_600))) <= ASKED_MAX * 5 / 4);
    }
}
