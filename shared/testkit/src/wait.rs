//! Waiting with a limit, instead of sleeping.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const EVERY: Duration = Duration::from_millis(20);

/// Below the ports the kernel gives to connections (from 32768 on, ip(7)): one of those could be taken again before a server listens
/// there, or while it is started again.
const PORTS: Range<u16> = 30_000..32_768;

/// A port nobody listens on now, and that no other call in this process gives.
pub fn free_port() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    loop {
        // Processes side by side begin at other places.
        let at = std::process::id().wrapping_mul(100).wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + u16::try_from(at % PORTS.len() as u32).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Looks until `look` gives something, and panics when `limit` has passed without.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(EVERY);
    }
}
