//! Pure evidence: RFC 6962 trees, C2SP notes, checkpoints, tiles and proofs, and how to check them.
//!
//! Nothing here does I/O, reads a clock, draws randomness or knows a service: bytes come in, verdicts go out.

mod hash;
mod proof_path;
mod tree;

pub use hash::{block_hash, leaf_hash, node_hash};
pub use proof_path::{PROOF_NODES_MAX, ProofError, verify_consistency, verify_inclusion};
pub use tree::{Frontier, RangeError, Tree, consistency_proof, inclusion_proof, root};
