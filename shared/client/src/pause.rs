//! Pauses between tries: growing, jittered, never zero, never above a limit.

use std::time::Duration;

use rand::RngExt as _;

/// First pause of a run of failures.
const FIRST: Duration = Duration::from_millis(50);

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
    /// asks for is honoured up to the limit.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.most);
        let jittered = step.mul_f64(rand::rng().random_range(0.5..1.0));
        asked.map_or(jittered, |asked| asked.min(self.most).mul_f64(rand::rng().random_range(0.5..1.0)).max(jittered))
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
        assert!(pause.next(Some(Duration::from_secs(3_600))) <= most);
    }
}
