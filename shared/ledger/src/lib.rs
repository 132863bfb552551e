//! Pure evidence: RFC 6962 trees, C2SP notes, checkpoints, tiles and proofs, and how to check them.
//!
//! Nothing here does I/O, reads a clock, draws randomness or knows a service: bytes come in, verdicts go out. The README
//! says which item is for what.

pub mod batch_signature;
mod checkpoint;
mod hash;
mod log;
pub mod note;
mod proof;
mod proof_path;
mod signed_record;
mod text;
mod tile;
mod tree;
pub mod verify;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use hash::{block_hash, leaf_hash, node_hash};
pub use log::{
    Edge, ReadError, TileFile, consistency_from_tiles, consistency_tiles, inclusion_from_tiles, inclusion_tiles,
};
pub use proof::{EXTRA_BYTES_MAX, FormError, PROOF_BYTES_MAX, Part, RecordProof, TlogProof};
pub use proof_path::{PROOF_NODES_MAX, ProofError, verify_consistency, verify_inclusion};
pub use signed_record::{BadSignedRecord, SIGNED_RECORD_BYTES_MAX, SignedRecord};
pub use tile::{
    BadPath, BundleId, ENTRY_BYTES_MAX, TILE_WIDTH, TileError, TileId, bundles_for_growth, decode_bundle, decode_tile,
    encode_bundle, encode_tile, tiles_for_growth,
};
pub use tree::{Frontier, RangeError, Tree, consistency_proof, inclusion_proof, root};
