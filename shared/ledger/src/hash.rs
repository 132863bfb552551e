//! The three hashes of RECORD: a leaf, a node, and a block header; all SHA-256.
//!
//! Leaf and node feed the compression function themselves: their prefix byte would otherwise go through the hasher's
//! buffer. docs/C2SP.md has the measurements.

use contracts::Hash;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

/// Longer leaves go through the ordinary hasher; operators' records are about 264 bytes.
const LEAF_BLOCKS: usize = 8;

/// FIPS 180-4 §5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// RFC 6962 §2.1: SHA-256(0x00 || bytes). A record's hash, and a header's hash as an entry of the log.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    let mut message = [[0; 64]; LEAF_BLOCKS];
    let used = 1 + bytes.len();
    let blocks = (used + 9).div_ceil(64);
    let flat = message.as_flattened_mut();
    // FIPS 180-4 §5.1.1: the message, a 1 bit, zeros, the length in bits as the last 8 bytes of the last block.
    let Some([_, rest @ ..]) = flat.get_mut(..blocks * 64) else {
        return Hash(Sha256::new_with_prefix([0x00]).chain_update(bytes).finalize().into());
    };
    let (ours, padding) = rest.split_at_mut(bytes.len());
    ours.copy_from_slice(bytes);
    if let [one, .., _] = padding {
        *one = 0x80;
    }
    if let Some(length) = padding.last_chunk_mut::<8>() {
        *length = (used as u64 * 8).to_be_bytes();
    }
    let mut state = INITIAL;
    compress256(&mut state, message.get(..blocks).unwrap_or(&message));
    digest(state)
}

/// RFC 6962 §2.1: SHA-256(0x01 || left || right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // 65 bytes: the first block is the prefix, the left and 31 of the right; the second its last byte and padding that
    // is always the same (a 1 bit, and 520 bits as the length).
    let mut message = [[0; 64]; 2];
    let flat = message.as_flattened_mut();
    let (prefix, flat) = flat.split_at_mut(1);
    let (left_at, flat) = flat.split_at_mut(32);
    let (right_at, padding) = flat.split_at_mut(32);
    prefix.fill(0x01);
    left_at.copy_from_slice(&left.0);
    right_at.copy_from_slice(&right.0);
    if let [one, .., high, low] = padding {
        (*one, *high, *low) = (0x80, 0x02, 0x08);
    }
    let mut state = INITIAL;
    compress256(&mut state, &message);
    digest(state)
}

fn digest(state: [u32; 8]) -> Hash {
    let mut bytes = [0; 32];
    for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    Hash(bytes)
}

/// What the next header of the chain carries as `previous`: SHA-256 of the header's bytes, without a prefix.
pub fn block_hash(header: &[u8]) -> Hash {
    Hash(Sha256::digest(header).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_is_sha_256_at_every_length() {
        let bytes: Vec<u8> = (0..700u32).map(|i| (i * 7 + 3) as u8).collect();
        for n in 0..=bytes.len() {
            let plain = Sha256::new_with_prefix([0]).chain_update(&bytes[..n]).finalize();
            assert_eq!(leaf_hash(&bytes[..n]).0, plain[..], "leaf of {n} bytes");
        }
        for n in 0..100u8 {
            let (left, right) = (Hash([n; 32]), Hash([n.wrapping_mul(31); 32]));
            let plain = Sha256::new_with_prefix([1]).chain_update(left.0).chain_update(right.0).finalize();
            assert_eq!(node_hash(&left, &right).0, plain[..]);
        }
    }

    #[test]
    fn published_values() {
        // RFC 6962 §2.1 applied to the empty and the one-byte leaf; from certificate-transparency's test vectors.
        assert_eq!(hex::encode(leaf_hash(b"").0), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
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
