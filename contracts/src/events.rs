//! Events on `ALERTS` and `LEDGER`: past facts, as JSON, with CloudEvents attributes in headers.

use serde::{Deserialize, Serialize};

use crate::registry::Flag;
use crate::{Hash, OperatorId, Seq, StreamNo, UnixMillis};

/// Alert kind, and the third part of its subject: an accepted record was sent again with other values.
pub const REWRITE_ATTEMPT: &str = "rewrite-attempt";
/// Alert kind: an accepted frame can't be sealed because it is damaged.
pub const DAMAGED_FRAME: &str = "damaged-frame";
/// Alert kind: the public log stopped because what is stored contradicts what was signed.
pub const LOG_FROZEN: &str = "log-frozen";

/// Alert kind: an operator's chain stopped for another reason than a damaged frame.
pub const CHAIN_STOPPED: &str = "chain-stopped";

/// Alert kind: something that chaining stores is not what it was when it was written.
pub const STORE_DAMAGED: &str = "store-damaged";

/// CloudEvents `specversion` of all events.
pub const CE_SPECVERSION: &str = "1.0";
/// CloudEvents `type` of a sealed block on `LEDGER`.
pub const CE_BLOCK: &str = "org.dsom.block.sealed.v1";
/// CloudEvents `type` of a checkpoint on `LEDGER`.
pub const CE_CHECKPOINT: &str = "org.dsom.log.checkpoint.v1";
/// CloudEvents `type` of accepted batches on `TX`.
pub const CE_FRAME: &str = "org.dsom.batches.accepted.v1";
/// CloudEvents `type` of [`RewriteAttempt`].
pub const CE_REWRITE_ATTEMPT: &str = "org.dsom.alert.rewrite-attempt.v1";
/// CloudEvents `type` of [`FlaggedRecords`].
pub const CE_FLAGGED: &str = "org.dsom.alert.records-flagged.v1";
/// CloudEvents `type` of [`DamagedFrame`].
pub const CE_DAMAGED_FRAME: &str = "org.dsom.alert.damaged-frame.v1";
/// CloudEvents `type` of [`ChainStopped`].
pub const CE_CHAIN_STOPPED: &str = "org.dsom.alert.chain-stopped.v1";
/// CloudEvents `type` of [`LogFrozen`].
pub const CE_LOG_FROZEN: &str = "org.dsom.alert.log-frozen.v1";
/// CloudEvents `type` of [`StoreDamaged`].
pub const CE_STORE_DAMAGED: &str = "org.dsom.alert.store-damaged.v1";

/// An accepted record was sent again with other values: what this system exists to catch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteAttempt {
    /// Who sent it.
    pub operator: OperatorId,
    /// In which stream.
    pub stream: StreamNo,
    /// The first seq whose values differ.
    pub seq: Seq,
    /// Leaf hash of the record as accepted.
    pub accepted_leaf: Hash,
    /// Leaf hash of the record as sent now.
    pub sent_leaf: Hash,
    /// How many records of the batch differ in value.
    pub differing: u64,
    /// When it was noticed.
    pub at: UnixMillis,
}

/// Records were accepted with a flag beside them. The kind of the alert is the flag. The first batch of a stream is told at once; what
/// follows within a minute is told together at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlaggedRecords {
    /// Whose.
    pub operator: OperatorId,
    /// In which stream.
    pub stream: StreamNo,
    /// What is said of them.
    pub flag: Flag,
    /// The first that is flagged.
    pub first_seq: Seq,
    /// The last that is flagged; between them may be some that are not.
    pub last_seq: Seq,
    /// How many are flagged.
    pub records: u64,
    /// When it was told.
    pub at: UnixMillis,
}

/// An accepted frame does not hold what its receipts promise; the operator's chain waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedFrame {
    /// Whose frame, by its subject.
    pub operator: OperatorId,
    /// In which stream, by its subject.
    pub stream: StreamNo,
    /// Its sequence in `TX`.
    pub tx_seq: u64,
    /// What is wrong with it.
    pub reason: String,
    /// When it was noticed.
    pub at: UnixMillis,
}

/// An operator's chain is not sealed on until a person has acted: accepted frames are missing, or the store was set back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStopped {
    /// Whose chain.
    pub operator: OperatorId,
    /// Why.
    pub reason: String,
    /// When it was noticed.
    pub at: UnixMillis,
}

/// The log signs nothing more until a person has acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFrozen {
    /// The log's origin.
    pub origin: String,
    /// Size by the last signed checkpoint.
    pub size: u64,
    /// What contradicts it.
    pub reason: String,
    /// When it was noticed.
    pub at: UnixMillis,
}

/// The check of everything that chaining stores found something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreDamaged {
    /// Whose chain it belongs to; none for the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorId>,
    /// The place, and what is wrong there.
    pub reason: String,
    /// When it was noticed.
    pub at: UnixMillis,
}
