//! What a chain is told and what it tells.

use std::sync::Arc;

use actix::prelude::*;
use bus::Origin;
use bytes::Bytes;
use contracts::{Hash, Height, OperatorId, StreamNo, UnixMillis};
use tokio::sync::mpsc;

use crate::actors::Witness;
use crate::domain::frame::Damage;
use crate::metrics::Metrics;
use crate::storage::Store;
use crate::trace::Traces;

/// Why a chain stopped. Only a person can put it right; other operators' chains go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// A frame must not be sealed.
    #[error("the message at {tx_seq} of TX, stream {stream}, must not be sealed")]
    Damaged {
        /// The stream its subject names.
        stream: StreamNo,
        /// Its sequence in `TX`.
        tx_seq: u64,
        /// What is wrong with it.
        #[source]
        damage: Damage,
    },
    /// Frames are missing in `TX`.
    #[error("stream {stream}: seqs {expected} to {before} are not in TX")]
    Missing {
        /// Which stream.
        stream: StreamNo,
        /// The first missing seq.
        expected: u64,
        /// The last missing seq.
        before: u64,
    },
    /// `LEDGER` has a block of this operator that the store has not: the store was rolled back.
    #[error("LEDGER has block {announced} with hash {hash}, the store has another or none at this height")]
    RolledBack {
        /// Height of the block on `LEDGER`.
        announced: Height,
        /// Its hash.
        hash: Hash,
    },
    /// Handling a frame panicked again and again.
    #[error("sealing panicked {0} times")]
    Panicked(u32),
}

/// What a chain tells those who feed it.
#[derive(Debug)]
pub enum Told {
    /// These messages are in blocks, durably.
    Sealed {
        /// The sequence in `TX` of each.
        tx_seqs: Vec<u64>,
    },
    /// This message was in a block already: nothing was to do.
    Known {
        /// Its sequence in `TX`.
        tx_seq: u64,
    },
    /// This message can't be sealed as long as the chain is stopped.
    Held {
        /// Whose.
        operator: OperatorId,
        /// Its sequence in `TX`.
        tx_seq: u64,
    },
    /// The chain stopped.
    Stopped {
        /// Whose.
        operator: OperatorId,
        /// Why.
        stop: Stop,
    },
    /// Messages are missing here: read `TX` again, from its first message if `from_first`, else from the position.
    Rewind {
        /// The round in which they were missed; nothing is to do when a later one runs already.
        round: u64,
        /// Whether the position itself is in doubt.
        from_first: bool,
    },
}

/// What a chain works with.
#[derive(Clone)]
pub struct Surroundings {
    /// Where blocks are kept.
    pub store: Arc<dyn Store>,
    /// What others saw.
    pub witness: Arc<dyn Witness>,
    /// Who feeds it. As many can wait as messages are handed out, which is bounded.
    pub told: mpsc::UnboundedSender<Told>,
    /// Who is to know of new blocks.
    pub sealed: Recipient<BlockSealed>,
    /// Counters.
    pub metrics: Metrics,
    /// The traces of what is sealed.
    pub traces: Traces,
}

/// A block was appended.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct BlockSealed {
    /// Whose.
    pub operator: OperatorId,
    /// Its height.
    pub height: Height,
    /// When the batches of each of its frames were accepted.
    pub accepted_at: Vec<UnixMillis>,
}

/// Seal this message.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Take {
    /// The stream its subject names.
    pub stream: StreamNo,
    /// Its sequence in `TX`.
    pub tx_seq: u64,
    /// How often `TX` was read again before this message was handed out.
    pub round: u64,
    /// The frame.
    pub bytes: Bytes,
    /// What published it, if that is traced.
    pub trace: Option<Origin>,
}

/// Tell your state.
#[derive(Debug, Message)]
#[rtype(result = "Snapshot")]
pub struct Ask;

/// A chain's state.
#[derive(Debug, Clone, PartialEq, Eq, MessageResponse)]
pub struct Snapshot {
    /// Height of the last stored block.
    pub height: Height,
    /// Packed bytes that wait for a block.
    pub waiting_bytes: usize,
    /// Why it stopped, if it did.
    pub stopped: Option<Stop>,
}
