//! Watches one stream: keeps each receipt as it comes, and says what is waited for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::{Observer, Waiting};
use contracts::receipt::Receipt;
use indicatif::ProgressBar;

use super::Book;

/// How often what is waited for is shown.
const SHOW_EVERY: Duration = Duration::from_millis(500);
/// How long must be waited before it is told where there is no progress bar, and how often then.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What an SDK's sender tells.
pub(super) struct Watch {
    book: Option<Arc<Book>>,
    waiting: Mutex<Option<Waiting>>,
    records: AtomicU64,
    receipts: AtomicU64,
}

impl Watch {
    pub(super) fn new(book: Option<Arc<Book>>) -> Self {
        Self { book, waiting: Mutex::new(None), records: AtomicU64::new(0), receipts: AtomicU64::new(0) }
    }

    pub(super) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    pub(super) fn receipts(&self) -> u64 {
        self.receipts.load(Ordering::Relaxed)
    }

    /// Shows on the bar what is waited for, or tells it where no bar is seen. Has no end.
    pub(super) async fn show(&self, bar: &ProgressBar, who: &str) {
        let mut told = Instant::now();
        loop {
            tokio::time::sleep(SHOW_EVERY).await;
            let waits = self.said();
            if let Some(waits) = waits.as_ref().filter(|_| bar.is_hidden() && told.elapsed() >= TELL_EVERY) {
                told = Instant::now();
                note!("dsom: {who}: {waits}");
            }
            bar.set_message(waits.map_or_else(|| who.to_owned(), |waits| format!("{who} {waits}")));
        }
    }

    /// What is waited for, in words.
    fn said(&self) -> Option<String> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting
            .as_ref()
            .map(|Waiting { reason, since, .. }| format!("waiting: {reason}, {} s", since.elapsed().as_secs()))
    }

    fn set(&self, waiting: Option<Waiting>) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }
}

impl Observer for Watch {
    fn waiting(&self, waiting: &Waiting) {
        self.set(Some(waiting.clone()));
    }

    fn answered(&self) {
        self.set(None);
    }

    fn accepted(&self, receipt: &Receipt) {
        self.records.fetch_add(receipt.claims.count, Ordering::Relaxed);
        self.receipts.fetch_add(1, Ordering::Relaxed);
        if let Some(book) = &self.book {
            book.keep(receipt);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_said_until_there_is_an_answer() {
        let watch = Watch::new(None);
        assert_eq!(watch.said(), None);
        let since = Instant::now() - Duration::from_secs(12);
        watch.waiting(&Waiting { attempt: 3, reason: "no answer: Connection refused".into(), since });
        assert_eq!(watch.said().as_deref(), Some("waiting: no answer: Connection refused, 12 s"));
        watch.answered();
        assert_eq!(watch.said(), None);
    }
}
