//! Ctrl-C and TERM, which mean the same here: stop in good order.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Failure;

/// Hears both from the moment it is made.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// The system gives no signals.
    pub fn listen() -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| Failure::unreachable("no signals").because(&error);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(cannot)?,
            terminate: signal(SignalKind::terminate()).map_err(cannot)?,
        })
    }

    /// Waits for one of them.
    pub async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
