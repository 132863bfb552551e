//! The tree against the test vectors of certificate-transparency and by properties.

use contracts::Hash;
use ledger::{
    Frontier, ProofError, Tree, consistency_proof, inclusion_proof, leaf_hash, root, verify_consistency,
    verify_inclusion,
};
use proptest::prelude::*;

fn h(hex: &str) -> Hash {
    Hash(hex::decode(hex).expect("hex").try_into().expect("32 bytes"))
}

fn hs(hex: &[&str]) -> Vec<Hash> {
    hex.iter().map(|x| h(x)).collect()
}

/// The eight leaves of certificate-transparency's merkle tree tests (`merkle_tree_test.cc`, transparency-dev/merkle `testonly`).
fn ct_leaves() -> Vec<Hash> {
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
        .iter()
        .map(|x| leaf_hash(&hex::decode(x).expect("hex")))
        .collect()
}

const CT_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn roots_of_certificate_transparency() {
    assert_eq!(root(&[]), h("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    for (n, expected) in (1..).zip(CT_ROOTS) {
        assert_eq!(root(&ct_leaves()[..n]), h(expected), "{n} leaves");
    }
}

#[test]
fn inclusion_proofs_of_certificate_transparency() {
    let cases: [(u64, usize, &[&str]); 4] = [
        (0, 1, &[]),
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ];
    for (index, size, expected) in cases {
        let leaves = &ct_leaves()[..size];
        let proof = inclusion_proof(leaves, index).expect("inside");
        assert_eq!(proof, hs(expected), "leaf {index} of {size}");
        let ok = verify_inclusion(&leaves[index as usize], index, size as u64, &proof, &h(CT_ROOTS[size - 1]));
        assert_eq!(ok, Ok(()));
    }
}

#[test]
fn consistency_proofs_of_certificate_transparency() {
    let cases: [(u64, usize, &[&str]); 4] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (old, new, expected) in cases {
        let proof = consistency_proof(&ct_leaves()[..new], old).expect("inside");
        assert_eq!(proof, hs(expected), "{old} to {new}");
        let (old_root, new_root) = (h(CT_ROOTS[old as usize - 1]), h(CT_ROOTS[new - 1]));
        assert_eq!(verify_consistency(old, &old_root, new as u64, &new_root, &proof), Ok(()));
    }
}

#[test]
fn every_proof_of_every_small_tree_verifies_and_nothing_else_does() {
    let leaves: Vec<Hash> = (0..70u32).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    for size in 1..=leaves.len() {
        let tree = Tree::new(&leaves[..size]);
        let root_of = |n: usize| root(&leaves[..n]);
        for index in 0..size {
            let path = tree.inclusion_proof(index as u64).expect("inside");
            for claimed in 0..size {
                let verdict = verify_inclusion(&leaves[index], claimed as u64, size as u64, &path, &tree.root());
                assert_eq!(verdict.is_ok(), claimed == index, "leaf {index} claimed as {claimed} of {size}");
            }
        }
        for old in 0..=size {
            let path = tree.consistency_proof(old as u64).expect("inside");
            let check = |old_root: &Hash, path: &[Hash]| {
                verify_consistency(old as u64, old_root, size as u64, &tree.root(), path)
            };
            assert_eq!(check(&root_of(old), &path), Ok(()), "{old} to {size}");
            assert!(check(&leaf_hash(b"another"), &path).is_err(), "{old} to {size} from another root");
            let longer: Vec<Hash> = path.iter().copied().chain([Hash::ZERO]).collect();
            assert_eq!(check(&root_of(old), &longer), Err(ProofError::Length { nodes: longer.len() }));
            if let Some((_, shorter)) = path.split_last() {
                assert!(check(&root_of(old), shorter).is_err());
            }
        }
    }
}

#[test]
fn places_outside_a_tree_are_refused() {
    let leaf = leaf_hash(b"a");
    assert_eq!(verify_inclusion(&leaf, 1, 1, &[], &leaf), Err(ProofError::Leaf { index: 1, size: 1 }));
    assert_eq!(verify_inclusion(&leaf, 0, 0, &[], &leaf), Err(ProofError::Leaf { index: 0, size: 0 }));
    let growth = verify_consistency(2, &leaf, 1, &leaf, &[]);
    assert_eq!(growth, Err(ProofError::Growth { old_size: 2, new_size: 1 }));
    assert!(matches!(verify_inclusion(&leaf, 0, 1, &[], &Hash::ZERO), Err(ProofError::Root { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_place_in_any_tree(size in 1usize..3000, at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>(),
                             node in any::<prop::sample::Index>(), bit in 0usize..256) {
        let leaves: Vec<Hash> = (0..size as u64).map(|i| leaf_hash(&i.to_le_bytes())).collect();
        let (tree, index, old) = (Tree::new(&leaves), at.index(size), old.index(size + 1));
        let frontier: Frontier = leaves.iter().copied().collect();
        prop_assert_eq!(frontier.root(), tree.root());
        let mut path = tree.inclusion_proof(index as u64).expect("inside");
        let mut growth = tree.consistency_proof(old as u64).expect("inside");
        let old_root = root(&leaves[..old]);
        prop_assert!(verify_inclusion(&leaves[index], index as u64, size as u64, &path, &tree.root()).is_ok());
        prop_assert!(verify_consistency(old as u64, &old_root, size as u64, &tree.root(), &growth).is_ok());
        for proof in [&mut path, &mut growth] {
            if !proof.is_empty() {
                let at = node.index(proof.len());
                proof[at].0[bit / 8] ^= 1 << (bit % 8);
            }
        }
        if !path.is_empty() {
            prop_assert!(verify_inclusion(&leaves[index], index as u64, size as u64, &path, &tree.root()).is_err());
        }
        if !growth.is_empty() {
            prop_assert!(verify_consistency(old as u64, &old_root, size as u64, &tree.root(), &growth).is_err());
        }
    }
}
