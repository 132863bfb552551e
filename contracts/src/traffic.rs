//! What the sandbox keeps of every request for a batch: the operator's view of its own integration, and what the published checks read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Hash, OperatorId, Seq, StreamNo, UnixMillis};

/// CloudEvents `type` of an [`Exchange`].
pub const CE_EXCHANGE: &str = "org.dsom.sandbox.exchange.v1";

/// Header by which a request to the sandbox asks for an answer: [`Forced`] as text.
pub const TEST_ANSWER: &str = "dsom-test-answer";
/// Header by which a request to the sandbox asks to be answered late: milliseconds, at most [`TEST_DELAY_MS_MAX`].
pub const TEST_DELAY: &str = "dsom-test-delay";
/// The longest delay that can be asked for: longer than senders should wait.
pub const TEST_DELAY_MS_MAX: u32 = 30_000;

/// An answer that a request to the sandbox asked for by [`TEST_ANSWER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forced {
    /// 409 `gap`, nothing appended.
    Gap,
    /// 503 with `Retry-After`, nothing appended.
    Unavailable,
    /// 503 with `Retry-After` after the batch was appended: the outcome that a sender cannot know.
    Lost,
}

impl Forced {
    /// Every answer.
    pub const ALL: [Self; 3] = [Self::Gap, Self::Unavailable, Self::Lost];

    /// As on the wire, in the header and in an [`Exchange`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Unavailable => "unavailable",
            Self::Lost => "lost",
        }
    }
}

/// A request as `GET /v1/traffic` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its place among all that is kept: only grows, with holes.
    pub number: u64,
    /// The request and its answer.
    #[serde(flatten)]
    pub exchange: Exchange,
}

/// One request for a batch, as it was answered by the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// When its head had arrived, Unix milliseconds.
    pub at: UnixMillis,
    /// Whose.
    pub operator: OperatorId,
    /// To which of its streams.
    pub stream: StreamNo,
    /// The registered key that the caller's token was asked for with (its RFC 7638 thumbprint).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_key: Option<String>,
    /// `Content-Type` as sent, at most 100 characters of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media: Option<String>,
    /// `Content-Encoding` as sent, at most 100 characters of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub coding: Option<String>,
    /// Whether a `Signature` of the batch was sent.
    pub signed: bool,
    /// The answer that the request asked for, if it is this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub forced: Option<Forced>,
    /// How late it asked to be answered, in milliseconds.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub delayed_ms: u32,
    /// The batch, where it could be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub batch: Option<Sent>,
    /// Status of the answer.
    pub status: u16,
    /// Problem code of a refusal (`problems::Code` as text).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// The next seq, as a `gap` told it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected_seq: Option<Seq>,
    /// After how many seconds to ask again, as the answer said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_s: Option<u32>,
    /// From the head's arrival to the answer, in milliseconds, with the delay that was asked for.
    pub took_ms: u32,
}

/// A batch that could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Seq of its first record.
    pub first_seq: Seq,
    /// Number of records.
    pub count: u32,
    /// RFC 6962 root over the records' bytes: two requests with the same root sent the same bytes.
    pub root: Hash,
    /// Earliest `at` of its records, Unix milliseconds.
    pub earliest: UnixMillis,
    /// Latest `at` of its records, Unix milliseconds.
    pub latest: UnixMillis,
    /// Number of records by type: `wager`, `payout`, `refund`, `adjustment`.
    pub types: BTreeMap<String, u32>,
    /// Number of wagers by vertical.
    pub verticals: BTreeMap<String, u32>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
