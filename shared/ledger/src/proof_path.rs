//! Checking inclusion and consistency proofs, by the algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2.

use contracts::Hash;

use crate::hash::node_hash;

/// A tree of 2^64 leaves has proofs no longer than this; a longer one is refused unread.
pub const PROOF_NODES_MAX: usize = 64;

/// Why a proof does not prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf cannot be in a tree of that size.
    #[error("leaf {index} is not in a tree of {size}")]
    Leaf {
        /// The index claimed.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// The older tree is larger than the newer one.
    #[error("a tree of {old_size} cannot have grown into one of {new_size}")]
    Growth {
        /// Leaves of the older tree.
        old_size: u64,
        /// Leaves of the newer tree.
        new_size: u64,
    },
    /// The proof has too few or too many nodes for its place.
    #[error("the proof has the wrong number of nodes: {nodes}")]
    Length {
        /// How many it has.
        nodes: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to root {computed}, not {expected}")]
    Root {
        /// What the proof leads to.
        computed: Hash,
        /// What it had to lead to.
        expected: Hash,
    },
}

/// Checks that the leaf with this hash is at `index` of the tree of `size` leaves with this root.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Leaf { index, size });
    }
    let length = ProofError::Length { nodes: path.len() };
    let (mut at, mut last) = (index, size - 1);
    let mut computed = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(length);
        }
        if at & 1 == 1 || at == last {
            computed = node_hash(sibling, &computed);
            // A node without a right neighbour rises until it is one itself.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            computed = node_hash(&computed, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(length);
    }
    same(computed, root)
}

/// Checks that the tree of `new_size` leaves with `new_root` begins with the tree of `old_size` leaves with `old_root`.
///
/// Every tree begins with the empty one; that and two equal sizes take an empty proof.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if old_size > new_size {
        return Err(ProofError::Growth { old_size, new_size });
    }
    let length = ProofError::Length { nodes: path.len() };
    if old_size == 0 || old_size == new_size {
        if !path.is_empty() {
            return Err(length);
        }
        let empty = crate::hash::block_hash(b"");
        if old_size == 0 {
            same(*old_root, &empty)?;
        }
        return if old_size == new_size { same(*new_root, old_root) } else { Ok(()) };
    }
    // When the old tree is perfect its root is the proof's unwritten first node.
    let (mut old_computed, rest) = match path {
        _ if old_size.is_power_of_two() => (*old_root, path),
        [first, rest @ ..] => (*first, rest),
        [] => return Err(length),
    };
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let mut new_computed = old_computed;
    for node in rest {
        if last == 0 {
            return Err(length);
        }
        if at & 1 == 1 || at == last {
            old_computed = node_hash(node, &old_computed);
            new_computed = node_hash(node, &new_computed);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_computed = node_hash(&new_computed, node);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(length);
    }
    same(old_computed, old_root)?;
    same(new_computed, new_root)
}

fn same(computed: Hash, expected: &Hash) -> Result<(), ProofError> {
    if computed == *expected { Ok(()) } else { Err(ProofError::Root { computed, expected: *expected }) }
}
