//! The receipt: the regulator's signed promise for a batch.

use serde::{Deserialize, Serialize};

use crate::{Hash, OperatorId, Seq, StreamNo};

/// `typ` of a receipt's JWS header.
pub const RECEIPT_TYP: &str = "dsom-receipt+jwt";

/// Which world a receipt belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Env {
    /// The market.
    Live,
    /// The sandbox.
    Test,
}

impl Env {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// What a receipt says (RECORD: Receipt). Repeating a request gives the same claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who promises.
    pub iss: String,
    /// Whose batch.
    pub operator: OperatorId,
    /// In which stream.
    pub stream: StreamNo,
    /// Seq of its first record.
    pub first_seq: Seq,
    /// Seq of its last record.
    pub last_seq: Seq,
    /// Number of records.
    pub count: u64,
    /// RFC 6962 root over its records in order.
    pub root: Hash,
    /// When the last of it was accepted: RFC 3339 UTC with milliseconds.
    pub accepted_at: String,
    /// `live`, or `test` in the sandbox.
    pub env: Env,
}

/// The answer to an accepted batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The claims, signed: compact JWS, EdDSA, `typ` [`RECEIPT_TYP`].
    pub receipt: String,
    /// The same claims in the open, for who does not read JWS.
    pub claims: Claims,
}
