//! RFC 6962 trees: the streaming root (`Frontier`), a tree held in memory (`Tree`), and the walk that makes proofs.
//!
//! Every subtree the RFC's recursion names begins at a multiple of its largest power of two, so each is a run of
//! *perfect* nodes (level, index), widest first. Whoever can give perfect nodes (a slice here, tiles in `tile`) gets
//! proofs from the same walk.

use contracts::Hash;

use crate::hash::{block_hash, node_hash};

/// The root of the tree over these leaf hashes. SHA-256 of nothing for none (RFC 6962 §2.1).
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    frontier.extend(leaves.iter().copied());
    frontier.root()
}

/// What a proof was asked of lies outside the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// There is no such leaf.
    #[error("leaf {index} is not in a tree of {size}")]
    Leaf {
        /// The index asked for.
        index: u64,
        /// How many leaves there are.
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
}

/// The inclusion proof of one leaf, leaf to root (RFC 6962 §2.1.1). For many proofs of one tree keep a [`Tree`].
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Result<Vec<Hash>, RangeError> {
    Tree::new(leaves).inclusion_proof(index)
}

/// The proof that the tree over the first `old_size` leaves grew into the tree over all (RFC 6962 §2.1.2).
pub fn consistency_proof(leaves: &[Hash], old_size: u64) -> Result<Vec<Hash>, RangeError> {
    Tree::new(leaves).consistency_proof(old_size)
}

/// A tree that only grows, as the roots of its perfect subtrees, widest first: 32 bytes a set bit of the size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self { size: 0, nodes: Vec::with_capacity(32) }
    }

    /// Adds one leaf hash: one node hash on average.
    pub fn push(&mut self, leaf: Hash) {
        let mut carry = leaf;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.nodes.pop() else { break };
            carry = node_hash(&left, &carry);
        }
        self.nodes.push(carry);
        self.size += 1;
    }

    /// How many leaves were added.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of what was added so far. SHA-256 of nothing when that is nothing.
    pub fn root(&self) -> Hash {
        fold_right(&self.nodes).unwrap_or_else(|| block_hash(b""))
    }

    /// The roots of the perfect subtrees, widest first.
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }
}

impl Extend<Hash> for Frontier {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        for leaf in leaves {
            self.push(leaf);
        }
    }
}

impl FromIterator<Hash> for Frontier {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut frontier = Self::new();
        frontier.extend(leaves);
        frontier
    }
}

/// The node over perfect subtrees that stand side by side, widest first.
pub(crate) fn fold_right(nodes: &[Hash]) -> Option<Hash> {
    nodes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}

/// A tree with all its perfect nodes in memory (64 bytes a leaf): each proof costs a walk, no more hashing than its height.
#[derive(Debug, Clone)]
pub struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Builds every perfect node over these leaf hashes.
    pub fn new(leaves: &[Hash]) -> Self {
        let mut levels = vec![leaves.to_vec()];
        while let Some(below) = levels.last().filter(|l| l.len() >= 2) {
            let above = below
                .chunks_exact(2)
                .filter_map(|pair| match pair {
                    [left, right] => Some(node_hash(left, right)),
                    _ => None,
                })
                .collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, Vec::len) as u64
    }

    /// Its root. SHA-256 of nothing for no leaves.
    pub fn root(&self) -> Hash {
        if self.size() == 0 {
            return block_hash(b"");
        }
        let Ok(root) = range_root(0, self.size(), &mut |level, index| self.node(level, index));
        root
    }

    /// The inclusion proof of one leaf, leaf to root (RFC 6962 §2.1.1).
    pub fn inclusion_proof(&self, index: u64) -> Result<Vec<Hash>, RangeError> {
        let ranges = inclusion_ranges(index, self.size())?;
        Ok(self.proof(&ranges))
    }

    /// The proof that the tree over the first `old_size` leaves grew into this one (RFC 6962 §2.1.2).
    pub fn consistency_proof(&self, old_size: u64) -> Result<Vec<Hash>, RangeError> {
        let ranges = consistency_ranges(old_size, self.size())?;
        Ok(self.proof(&ranges))
    }

    fn proof(&self, ranges: &[(u64, u64)]) -> Vec<Hash> {
        let Ok(proof) = proof_over(ranges, &mut |level, index| self.node(level, index));
        proof
    }

    fn node(&self, level: u32, index: u64) -> Result<Hash, std::convert::Infallible> {
        // The walk asks only for perfect nodes within the size, and all of those were built.
        let node = self.levels.get(level as usize).and_then(|l| l.get(index as usize));
        debug_assert!(node.is_some(), "the walk left the tree at level {level}, index {index}");
        Ok(node.copied().unwrap_or(Hash::ZERO))
    }
}

/// The leaf ranges `[begin, end)` whose roots make the inclusion proof of `index`, leaf to root.
pub(crate) fn inclusion_ranges(index: u64, size: u64) -> Result<Vec<(u64, u64)>, RangeError> {
    if index >= size {
        return Err(RangeError::Leaf { index, size });
    }
    let (mut begin, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((begin, middle));
            begin = middle;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

/// The leaf ranges whose roots make the consistency proof between two sizes, in the order of RFC 6962 §2.1.2.
pub(crate) fn consistency_ranges(old_size: u64, new_size: u64) -> Result<Vec<(u64, u64)>, RangeError> {
    if old_size > new_size {
        return Err(RangeError::Growth { old_size, new_size });
    }
    if old_size == 0 || old_size == new_size {
        return Ok(Vec::new());
    }
    let (mut begin, mut end) = (0, new_size);
    let mut ranges = Vec::new();
    // SUBPROOF of the RFC: `end == old_size` is where the old tree's own right edge is reached.
    while end != old_size {
        let middle = begin + split(end - begin);
        if old_size <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((begin, middle));
            begin = middle;
        }
    }
    // The old root itself is known to the reader and left out, when the walk never went right.
    if begin != 0 {
        ranges.push((begin, end));
    }
    ranges.reverse();
    Ok(ranges)
}

/// The largest power of two below `n`, for n >= 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The roots of these ranges, from perfect nodes.
pub(crate) fn proof_over<E>(
    ranges: &[(u64, u64)],
    node: &mut impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    ranges.iter().map(|&(begin, end)| range_root(begin, end, node)).collect()
}

/// The root over `[begin, end)`, not empty, `begin` a multiple of the largest power of two in `end - begin`.
pub(crate) fn range_root<E>(
    begin: u64,
    end: u64,
    node: &mut impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let mut perfect = Vec::with_capacity(8);
    let mut at = begin;
    while at < end {
        let level = (end - at).ilog2();
        perfect.push(node(level, at >> level)?);
        at += 1 << level;
    }
    Ok(fold_right(&perfect).unwrap_or(Hash::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    fn leaves(n: u64) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// RFC 6962 §2.1, word for word.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => block_hash(b""),
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
                node_hash(&mth(left), &mth(right))
            }
        }
    }

    #[test]
    fn all_ways_to_the_root_agree_with_the_recursion_of_the_rfc() {
        let all = leaves(300);
        let mut frontier = Frontier::new();
        for n in 0..=all.len() {
            let some = &all[..n];
            let expected = mth(some);
            assert_eq!(root(some), expected, "root of {n}");
            assert_eq!(Tree::new(some).root(), expected, "tree of {n}");
            assert_eq!(frontier.root(), expected, "frontier of {n}");
            assert_eq!(frontier.size(), n as u64);
            assert_eq!(frontier.nodes().len(), n.count_ones() as usize);
            if let Some(next) = all.get(n) {
                frontier.push(*next);
            }
        }
    }

    #[test]
    fn what_is_outside_is_refused() {
        let all = leaves(5);
        assert_eq!(inclusion_proof(&all, 5), Err(RangeError::Leaf { index: 5, size: 5 }));
        assert_eq!(inclusion_proof(&[], 0), Err(RangeError::Leaf { index: 0, size: 0 }));
        assert_eq!(consistency_proof(&all, 6), Err(RangeError::Growth { old_size: 6, new_size: 5 }));
    }
}
