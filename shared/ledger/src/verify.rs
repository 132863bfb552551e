//! Checking evidence with nothing but public keys: a record's proof, a receipt's root, the growth of a log, a whole log.

use std::collections::HashMap;

use contracts::block::{BadHeader, BlockHeader};
use contracts::{Hash, Height, OperatorId, Seq, StreamNo};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::{block_hash, leaf_hash};
use crate::log::{Edge, TileFile};
use crate::note::Verifier;
use crate::proof::{FormError, RecordProof, TlogProof};
use crate::proof_path::{ProofError, verify_consistency, verify_inclusion};
use crate::tile::{TILE_WIDTH, TileId};
use crate::tree::Frontier;

/// What a record's proof file proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The record as it was sent.
    pub record: Vec<u8>,
    /// Its index in its block.
    pub leaf: u64,
    /// The block's header: whose chain, which height, which streams.
    pub header: BlockHeader,
    /// The header as it stands in the log.
    pub header_bytes: Vec<u8>,
    /// The header's index in the log.
    pub index: u64,
    /// The signed head of the log it was proved under.
    pub checkpoint: Checkpoint,
}

/// Why a proof file does not prove a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The file is not of its one form.
    #[error("the proof file is malformed")]
    Form(#[source] FormError),
    /// A tlog-proof without the part that proves a record.
    #[error("the proof file has no extra line, so it proves no record")]
    NoRecord,
    /// The checkpoint is not the log's.
    #[error("the checkpoint is refused")]
    Checkpoint(#[source] CheckpointError),
    /// The header is not one.
    #[error("the block header is refused")]
    Header(#[source] BadHeader),
    /// The header is not where it is said to be in the log.
    #[error("the block header is not in the log there")]
    HeaderPlace(#[source] ProofError),
    /// The record is not where it is said to be in the block.
    #[error("the record is not in the block there")]
    RecordPlace(#[source] ProofError),
}

impl VerifyError {
    /// The stable word for it, as in `contracts/vectors/proofs.json`.
    pub fn reason(&self) -> &'static str {
        match self {
            VerifyError::Form(_) => "form",
            VerifyError::NoRecord => "no-record",
            VerifyError::Checkpoint(_) => "checkpoint",
            VerifyError::Header(_) => "header",
            VerifyError::HeaderPlace(_) => "header-place",
            VerifyError::RecordPlace(_) => "record-place",
        }
    }
}

/// Checks a `.tlog-proof` file from the record to the signed checkpoint.
pub fn record_proof(file: &[u8], log: &Verifier) -> Result<Verified, VerifyError> {
    let outer = TlogProof::parse(file).map_err(VerifyError::Form)?;
    let inner = RecordProof::parse(outer.extra.as_deref().ok_or(VerifyError::NoRecord)?).map_err(VerifyError::Form)?;
    let checkpoint = Checkpoint::open(&outer.checkpoint, log).map_err(VerifyError::Checkpoint)?;
    let header = BlockHeader::parse(&inner.header).map_err(VerifyError::Header)?;
    let entry = leaf_hash(&inner.header);
    verify_inclusion(&entry, outer.index, checkpoint.size, &outer.path, &checkpoint.root)
        .map_err(VerifyError::HeaderPlace)?;
    verify_inclusion(&leaf_hash(&inner.record), inner.leaf, header.records, &inner.path, &header.root)
        .map_err(VerifyError::RecordPlace)?;
    Ok(Verified {
        record: inner.record,
        leaf: inner.leaf,
        header,
        header_bytes: inner.header,
        index: outer.index,
        checkpoint,
    })
}

/// The records at hand are not the ones the root was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// More or fewer records than were promised.
    #[error("there are {found} records, not {expected}")]
    Count {
        /// How many there are.
        found: u64,
        /// How many were promised.
        expected: u64,
    },
    /// Other records, or in another order.
    #[error("the records make root {computed}, not {expected}")]
    Root {
        /// What these records make.
        computed: Hash,
        /// What was promised.
        expected: Hash,
    },
}

/// Checks records, in order, against a count and a root: a receipt's claims, or a block's header.
pub fn records<'a>(records: impl IntoIterator<Item = &'a [u8]>, count: u64, root: &Hash) -> Result<(), RecordsError> {
    let frontier: Frontier = records.into_iter().map(leaf_hash).collect();
    if frontier.size() != count {
        return Err(RecordsError::Count { found: frontier.size(), expected: count });
    }
    let computed = frontier.root();
    if computed == *root { Ok(()) } else { Err(RecordsError::Root { computed, expected: *root }) }
}

/// Why one checkpoint is not a later state of another's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrowthError {
    /// They speak of two logs.
    #[error("one checkpoint is of {old}, the other of {new}")]
    Origins {
        /// The older one's origin.
        old: String,
        /// The newer one's origin.
        new: String,
    },
    /// The proof fails: the log was rewritten, or the proof is not of these two.
    #[error("the newer checkpoint does not continue the older one")]
    Proof(#[source] ProofError),
}

/// Checks that a log only grew between two checkpoints, whose signatures have been checked.
pub fn growth(old: &Checkpoint, new: &Checkpoint, path: &[Hash]) -> Result<(), GrowthError> {
    if old.origin != new.origin {
        return Err(GrowthError::Origins { old: old.origin.clone(), new: new.origin.clone() });
    }
    verify_consistency(old.size, &old.root, new.size, &new.root, path).map_err(GrowthError::Proof)
}

/// The first thing wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    /// An entry is not a block header.
    #[error("entry {index} of the log is not a block header")]
    Header {
        /// The entry.
        index: u64,
        /// Why.
        #[source]
        cause: BadHeader,
    },
    /// An entry does not continue its operator's chain.
    #[error("entry {index} of the log, block {height} of {operator}, does not continue its chain: wrong {field}")]
    Chain {
        /// The entry.
        index: u64,
        /// Whose chain.
        operator: OperatorId,
        /// The block's height.
        height: Height,
        /// The first field that is wrong.
        field: &'static str,
    },
    /// A tile that is served differs from what the entries make.
    #[error("{tile} is not what the entries make")]
    Tile {
        /// Which.
        tile: TileId,
    },
    /// The checkpoint counts other entries.
    #[error("the checkpoint has {signed} entries, the log {found}")]
    Size {
        /// What the checkpoint says.
        signed: u64,
        /// Entries there are.
        found: u64,
    },
    /// The checkpoint's root is not the entries'.
    #[error("the checkpoint has root {signed}, the entries make {computed}")]
    Root {
        /// What the checkpoint says.
        signed: Hash,
        /// What the entries make.
        computed: Hash,
    },
}

/// A walk over all entries of a log, first to last: the tree, every operator's chain and every stream without a hole.
#[derive(Debug, Clone, Default)]
pub struct LogWalk {
    edge: Edge,
    chains: HashMap<OperatorId, Chain>,
}

#[derive(Debug, Clone)]
struct Chain {
    height: Height,
    hash: Hash,
    total: u64,
    streams: HashMap<StreamNo, Seq>,
}

impl LogWalk {
    /// Before the first entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next entry. Returns its header, and the tiles that are full now with the bytes they must have: compare
    /// them with what is served by [`LogWalk::tile`].
    pub fn entry(&mut self, bytes: &[u8]) -> Result<(BlockHeader, Vec<TileFile>), LogFault> {
        let index = self.edge.size();
        let header = BlockHeader::parse(bytes).map_err(|cause| LogFault::Header { index, cause })?;
        let BlockHeader { operator, height, .. } = header;
        let wrong = |field| Err(LogFault::Chain { index, operator, height, field });
        let chain = self.chains.entry(operator).or_insert_with(|| Chain {
            height: Height(0),
            hash: Hash::ZERO,
            total: 0,
            streams: HashMap::new(),
        });
        if header.height.0 != chain.height.0 + 1 {
            return wrong("height");
        }
        if header.previous != chain.hash {
            return wrong("previous");
        }
        if Some(header.total) != chain.total.checked_add(header.records) {
            return wrong("total");
        }
        for range in &header.streams {
            if range.first.get() != chain.streams.get(&range.stream).map_or(0, |seq| seq.get()) + 1 {
                return wrong("streams");
            }
            chain.streams.insert(range.stream, range.last);
        }
        (chain.height, chain.hash, chain.total) = (header.height, block_hash(bytes), header.total);
        Ok((header, self.edge.push(leaf_hash(bytes))))
    }

    /// Compares a served tile with what the entries make. The served bytes may be the full tile of a partial one.
    pub fn tile(tile: TileId, expected: &[u8], served: &[u8]) -> Result<(), LogFault> {
        let sized = served.len() == expected.len() || served.len() == TILE_WIDTH as usize * 32;
        if sized && served.starts_with(expected) { Ok(()) } else { Err(LogFault::Tile { tile }) }
    }

    /// How many entries were taken.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The last height and the last seq of each stream of one operator, as the log has them.
    pub fn chain(&self, operator: &OperatorId) -> Option<(Height, Hash, &HashMap<StreamNo, Seq>)> {
        self.chains.get(operator).map(|chain| (chain.height, chain.hash, &chain.streams))
    }

    /// The partial tiles a log of this size must serve.
    pub fn partial_tiles(&self) -> Vec<TileFile> {
        self.edge.partial_tiles()
    }

    /// Compares the entries taken with a checkpoint, whose signature has been checked. May be asked at any size.
    pub fn matches(&self, checkpoint: &Checkpoint) -> Result<(), LogFault> {
        if checkpoint.size != self.edge.size() {
            return Err(LogFault::Size { signed: checkpoint.size, found: self.edge.size() });
        }
        let computed = self.edge.root();
        if checkpoint.root == computed { Ok(()) } else { Err(LogFault::Root { signed: checkpoint.root, computed }) }
    }
}
