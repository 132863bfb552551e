//! How fast frames leave this process while several batches wait at a time: each costs the broker a synced write, whatever it carries.
//!
//! Frames get turns, [`TURN`] apart. Where batches gather, a stream lets its next frame wait for its turn, so the frames of busy
//! streams carry more. Nobody waits where it could not help: a stream whose last frame carried one batch, and a frame that is large
//! already, leave at once.

use std::time::{Duration, Instant};

/// Between two turns: a thousand frames a second are some tenth of a core of the broker's.
const TURN: Duration = Duration::from_millis(1);
/// Longest that a frame waits for its turn: with more streams than turns in this time, frames leave faster than turns come.
pub const WAIT_MAX: Duration = Duration::from_millis(25);
/// Unpacked bytes from which on a frame does not wait: more would hardly make it cheaper.
pub const WORTH_A_FRAME_BYTES: usize = 256 * 1024;

/// The turns of all streams of one process.
#[derive(Debug, Default)]
pub struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// Takes the next turn; how long it is till then.
    pub fn turn(&mut self, now: Instant) -> Duration {
        let turn = self.next.map_or(now, |next| next.clamp(now, now + WAIT_MAX));
        self.next = Some(turn + TURN);
        turn.duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_alone_never_waits() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for at_ms in [0, 1, 2, 5, 1_000, 1_001] {
            assert_eq!(pace.turn(start + Duration::from_millis(at_ms)), Duration::ZERO, "{at_ms}");
        }
    }

    #[test]
    fn many_wait_in_line_but_never_long() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let waits: Vec<u128> = (0..40).map(|_| pace.turn(now).as_millis()).collect();
        let expected: Vec<u128> = (0..25).chain([25; 15]).collect();
        assert_eq!(waits, expected);
        // Late turns are not saved up.
        assert_eq!(pace.turn(now + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(pace.turn(now + Duration::from_secs(1)), TURN);
    }
}
