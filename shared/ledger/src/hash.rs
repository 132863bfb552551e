//! The three hashes of RECORD: a leaf, a node, and a block header; all SHA-256.

use contracts::Hash;
use sha2::{Digest, Sha256};

/// RFC 6962 §2.1: SHA-256(0x00 || bytes). A record's hash, and a header's hash as an entry of the log.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    let mut hasher = Sha256::new_with_prefix([0x00]);
    hasher.update(bytes);
    Hash(hasher.finalize().into())
}

/// RFC 6962 §2.1: SHA-256(0x01 || left || right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // One update of 65 bytes is faster than three: the hasher buffers by the block.
    let mut message = [0x01; 65];
    let (_, rest) = message.split_at_mut(1);
    let (left_half, right_half) = rest.split_at_mut(32);
    left_half.copy_from_slice(&left.0);
    right_half.copy_from_slice(&right.0);
    Hash(Sha256::digest(message).into())
}

/// What the next header of the chain carries as `previous`: SHA-256 of the header's bytes, without a prefix.
pub fn block_hash(header: &[u8]) -> Hash {
    Hash(Sha256::digest(header).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        // RFC 6962 §2.1 applied to the empty and the one-byte leaf; from certificate-transparency's test vectors.
        assert_eq!(
            hex::encode(leaf_hash(b"").0),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(
            hex::encode(leaf_hash(&[0x00]).0),
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
        );
        assert_eq!(
            hex::encode(node_hash(&leaf_hash(b""), &leaf_hash(&[0x00])).0),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
        );
        // FIPS 180-4's "abc".
        assert_eq!(
            hex::encode(block_hash(b"abc").0),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
