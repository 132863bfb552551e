//! What a sender is told: where, as whom, and its limits.

use std::sync::Arc;
use std::time::Duration;

use contracts::OperatorId;
use contracts::receipt::Env;

use crate::{BatchKey, Encoding};

/// How to reach ingest and how to send. Every field has a limit's default but the first three.
#[derive(Clone)]
pub struct Config {
    /// Base URL of ingest, without a trailing slash.
    pub url: String,
    /// Gives the bearer token for each request, so that a renewed one is taken up.
    pub token: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whose records; receipts for anybody else are refused.
    pub operator: OperatorId,
    /// Which world it sends to; receipts of the other are refused.
    pub env: Env,
    /// Records of a batch, 1 to 10,000.
    pub batch_records_max: usize,
    /// Unpacked bytes of a batch.
    pub batch_bytes_max: usize,
    /// How long the oldest record waits for others.
    pub linger: Duration,
    /// Full batches that may wait for the one in flight.
    pub waiting_batches_max: usize,
    /// How bodies are packed.
    pub encoding: Encoding,
    /// How long one try may take; after that its outcome is unknown and it is repeated.
    pub try_timeout: Duration,
    /// Longest pause between two tries, where the server does not ask for a longer one.
    pub pause_max: Duration,
    /// How long the key of a receipt is looked for that is not among those published.
    pub receipt_key_timeout: Duration,
    /// Signs every batch, where the operator has registered a key for it; `None` sends them unsigned.
    pub batch_key: Option<Arc<BatchKey>>,
}

impl Config {
    /// The defaults: 1,000 records or 1 MiB or 200 ms a batch, Zstandard, 15 s a try, unsigned, to the market; the key of a
    /// receipt is looked for longer than a cache keeps the set without it (5 minutes).
    pub fn new(url: &str, token: &str, operator: OperatorId) -> Self {
        let token = token.to_owned();
        Self {
            url: url.trim_end_matches('/').to_owned(),
            token: Arc::new(move || token.clone()),
            operator,
            env: Env::Live,
            batch_records_max: 1_000,
            batch_bytes_max: 1024 * 1024,
            linger: Duration::from_millis(200),
            waiting_batches_max: 4,
            encoding: Encoding::Zstd,
            try_timeout: Duration::from_secs(15),
            pause_max: Duration::from_secs(5),
            receipt_key_timeout: Duration::from_secs(600),
            batch_key: None,
        }
    }
}
