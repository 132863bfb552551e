//! What a sender is told: where, as whom, and its limits.

use std::sync::Arc;
use std::time::Duration;

use contracts::OperatorId;
use contracts::batch::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, SENT_BYTES_MAX};
use contracts::receipt::Env;

use crate::observer::Nobody;
use crate::token_source::FixedToken;
use crate::{BatchKey, Encoding, Observer, TokenSource};

/// How to reach ingest and how to send. Every field has a limit's default but the first three.
#[derive(Clone)]
pub struct Config {
    /// Base URL of ingest, without a trailing slash.
    pub url: String,
    /// Gives the bearer token for each request, and another one when it is refused.
    pub token: Arc<dyn TokenSource>,
    /// Whose records; receipts for anybody else are refused.
    pub operator: OperatorId,
    /// Which world it sends to; receipts of the other are refused.
    pub env: Env,
    /// Records of a batch; more than 10,000 are never sent in one.
    pub batch_records_max: usize,
    /// Unpacked bytes of a batch; more than 8 MiB are never sent in one, 4 MiB where they are not packed.
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
    /// How long a request is tried that gets no answer, before sending ends; `None` is for ever.
    pub give_up_after: Option<Duration>,
    /// Is told of waiting and of receipts.
    pub observer: Arc<dyn Observer>,
}

impl Config {
    /// The defaults: 1,000 records or 1 MiB or 200 ms a batch, Zstandard, 15 s a try, for ever, unsigned, to the market; the key of a
    /// receipt is looked for longer than a cache keeps the set without it (5 minutes). The token stays as it is: put
    /// [`crate::Tokens`] in its place to have it renewed.
    pub fn new(url: &str, token: &str, operator: OperatorId) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            token: Arc::new(FixedToken(token.to_owned())),
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
            give_up_after: None,
            observer: Arc::new(Nobody),
        }
    }

    /// The same, with batches that no server refuses for their size.
    pub(crate) fn within_limits(mut self) -> Self {
        let bytes_max = if self.encoding == Encoding::Identity { SENT_BYTES_MAX } else { BATCH_BYTES_MAX };
        self.batch_records_max = self.batch_records_max.clamp(1, BATCH_RECORDS_MAX);
        self.batch_bytes_max = self.batch_bytes_max.min(bytes_max);
        self
    }
}
