//! What a server says when it refuses (RFC 9457), and how sending ends.

use std::sync::Arc;
use std::time::Duration;

use contracts::receipt::Receipt;
use ledger::batch_signature::BadSignature;
use serde::Deserialize;

use crate::{BadReceipt, TokenError};

/// A request that was refused for good (RFC 9457). What is not said is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: String,
    /// What is wrong.
    #[serde(default)]
    pub detail: String,
    /// What may be done with the same request: `same-bytes`, `fix` or `never`.
    #[serde(default)]
    pub retry: Option<String>,
    /// The violations, where the code is `invalid-records`; a server lists the first 100.
    #[serde(default)]
    pub errors: Vec<RecordError>,
    /// The seq of the first record that differs, where an accepted one was sent again with other bytes, or that does not follow.
    #[serde(default)]
    pub seq: Option<u64>,
    /// How many records differ from the accepted ones.
    #[serde(default)]
    pub records: Option<u64>,
    /// The leaf hash of the accepted record with that seq, Base64.
    #[serde(default)]
    pub accepted_leaf: Option<String>,
    /// The leaf hash of the record that was sent, Base64.
    #[serde(default)]
    pub sent_leaf: Option<String>,
    /// The seq that was expected, where the code is `gap` or `not-consecutive`.
    #[serde(default)]
    pub expected_seq: Option<u64>,
    /// The stable word for what is wrong with a signature, where the code is `bad-signature`.
    #[serde(default)]
    pub reason: Option<String>,
    /// Names the request in the server's log.
    #[serde(default)]
    pub request_id: Option<String>,
}

/// One violation of the record's rules.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RecordError {
    /// Place of the record in the batch, from 0.
    pub index: u64,
    /// Its seq, where that could be read.
    #[serde(default)]
    pub seq: Option<u64>,
    /// JSON pointer (RFC 6901) to what is wrong.
    #[serde(default)]
    pub pointer: String,
    /// Stable code.
    pub code: String,
    /// What is wrong.
    #[serde(default)]
    pub detail: String,
}

/// Why a record is not one that could be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// It would be taken for two.
    #[error("a line feed stands in it")]
    LineFeed,
    /// No server takes one so long.
    #[error("it has {bytes} bytes, at most {} are allowed", contracts::record::RECORD_BYTES_MAX)]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// It says another seq, or none that can be read.
    #[error("its own seq is {}", .found.map_or_else(|| "not to be read".to_owned(), |found| found.to_string()))]
    Seq {
        /// What it says.
        found: Option<u64>,
    },
}

/// Why sending ended, or a record was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The server refused; repeating would not help.
    #[error("refused with {} {}: {}", .0.status, .0.code, .0.detail)]
    Refused(Box<Refusal>),
    /// The server refused the token, and there is no other.
    #[error("refused with 401: {}, and there is no other token", .refusal.detail)]
    Token {
        /// What the server said.
        refusal: Box<Refusal>,
        /// Why there is no other.
        #[source]
        source: Arc<TokenError>,
    },
    /// A receipt is not what was promised: keep it, and tell the regulator.
    #[error("a receipt can't be trusted")]
    Receipt(#[source] BadReceipt),
    /// A record was not taken; sending goes on, and the same seq is the next.
    #[error("the record with seq {seq} can't be sent: {why}")]
    BadRecord {
        /// The seq that was its turn.
        seq: u64,
        /// What is wrong with it.
        why: BadRecord,
    },
    /// An answer that no such server gives.
    #[error("the server's answer can't be read: {0}")]
    Answer(String),
    /// The stream has no seq left.
    #[error("the stream has no seq left")]
    Exhausted,
    /// No answer in [`crate::Config::give_up_after`]: whether what was sent was accepted is not known.
    #[error("gave up after {} s: {why}", .after.as_secs())]
    GaveUp {
        /// How long it was tried.
        after: Duration,
        /// What came of the last try.
        why: String,
    },
    /// There is no way to ask at all.
    #[error("could not reach {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The batch could not be packed, or unpacked again.
    #[error("the batch could not be packed")]
    Pack(#[source] std::io::Error),
    /// The batch could not be signed: the path under the URL can't be, or the clock is before 1970.
    #[error("the batch could not be signed")]
    Sign(#[source] BadSignature),
    /// The sender has ended before.
    #[error("the sender has ended")]
    Ended,
}

/// Sending ended before everything was accepted.
#[derive(Debug, thiserror::Error)]
#[error("sending ended early")]
pub struct Unfinished {
    /// What was promised all the same: the receipts not yet taken.
    pub receipts: Vec<Receipt>,
    /// Why it ended.
    #[source]
    pub error: SendError,
}
