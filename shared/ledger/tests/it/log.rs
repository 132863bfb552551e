//! Tiles: names, contents, proofs made from them, and the walk over a whole log.

use std::collections::HashMap;

use contracts::Hash;
use ledger::verify::{LogFault, LogWalk, growth};
use ledger::{
    BundleId, Checkpoint, Edge, RangeError, ReadError, TileError, TileId, Tree, block_hash, bundles_for_growth,
    consistency_from_tiles, consistency_tiles, decode_bundle, decode_tile, encode_bundle, inclusion_from_tiles,
    inclusion_tiles, leaf_hash, root, tiles_for_growth,
};

fn leaves(n: u64) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

#[test]
fn names_as_in_the_text() {
    let tile = |level, index, width| TileId { level, index, width };
    // 1234067 is the example of tlog-tiles.
    for (id, path) in [
        (tile(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (tile(0, 0, 1), "tile/0/000.p/1"),
        (tile(7, 999, 256), "tile/7/999"),
        (tile(2, 1000, 255), "tile/2/x001/000.p/255"),
    ] {
        assert_eq!(id.to_string(), path);
        assert_eq!(path.parse(), Ok(id));
    }
    let bundle = BundleId { index: 273, width: 112 };
    assert_eq!(bundle.to_string(), "tile/entries/273.p/112");
    assert_eq!("tile/entries/273.p/112".parse(), Ok(bundle));
    for bad in [
        "tile/0/1",
        "tile/00/001",
        "tile/64/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/x000/001",
        "tile/0/x0001/001",
        "tile/0/001/",
        "tile/0/",
        "tile/-1/001",
        "tile/0/0a1",
        "tile/0/../001",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "",
    ] {
        assert!(bad.parse::<TileId>().is_err(), "{bad}");
    }
    assert!("tile/entries/1".parse::<BundleId>().is_err());
    assert!("tile/0/001".parse::<BundleId>().is_err());
}

#[test]
fn the_tree_of_70000_of_the_text() {
    let tiles = tiles_for_growth(0, 70_000);
    let count = |level: u8, full: bool| tiles.iter().filter(|t| t.level == level && t.is_full() == full).count();
    assert_eq!([count(0, true), count(0, false), count(1, true), count(1, false)], [273, 1, 1, 1]);
    assert_eq!([count(2, true), count(2, false), tiles.len()], [0, 1, 277]);
    assert_eq!(Edge::tiles(70_000).iter().map(|t| t.width).collect::<Vec<_>>(), [112, 17, 1]);
    assert_eq!(tiles_for_growth(0, 256).len(), 2, "a full tile and one hash above it");
    assert!(tiles_for_growth(70_000, 70_000).is_empty());
    assert_eq!(bundles_for_growth(255, 257), [BundleId { index: 0, width: 256 }, BundleId { index: 1, width: 1 }]);
}

#[test]
fn tiles_hold_what_the_tree_says_and_prove_it() {
    let all = leaves(66_000);
    let mut edge = Edge::new();
    let mut store: HashMap<TileId, Vec<u8>> = HashMap::new();
    let mut size = 0;
    for step in [1, 1, 3, 250, 1, 1, 255, 256, 3000, 40_000, 21_000, 1000, 231] {
        let old = size;
        size += step;
        let tiles = edge.append(&all[old..size]);
        let mut named: Vec<TileId> = tiles.iter().map(|(id, _)| *id).collect();
        named.sort_unstable();
        assert_eq!(named, tiles_for_growth(old as u64, size as u64), "{old} to {size}");
        for (id, bytes) in tiles {
            let hashes = decode_tile(id, &bytes).expect("of its width");
            let first = id.index * 256;
            for (at, hash) in (first..).zip(&hashes) {
                let span = 256usize.pow(id.level.into());
                assert_eq!(*hash, root(&all[at as usize * span..(at as usize + 1) * span]), "{id} hash {at}");
            }
            store.insert(id, bytes);
        }
        let tree = Tree::new(&all[..size]);
        assert_eq!(edge.root(), tree.root());
        let read = |id: TileId| store.get(&id).ok_or("missing");
        assert_eq!(Edge::load(size as u64, read).expect("stored"), edge);
        for index in [0, size / 3, size / 2, size - 1] {
            let mut asked = Vec::new();
            let proof = inclusion_from_tiles(index as u64, size as u64, |id| {
                asked.push(id);
                read(id)
            });
            assert_eq!(proof.expect("stored"), tree.inclusion_proof(index as u64).expect("inside"));
            assert_eq!(asked, inclusion_tiles(index as u64, size as u64).expect("inside"));
        }
        for old in [0, 1, size / 2, old, size] {
            let proof = consistency_from_tiles(old as u64, size as u64, read).expect("stored");
            assert_eq!(proof, tree.consistency_proof(old as u64).expect("inside"), "{old} to {size}");
            assert!(consistency_tiles(old as u64, size as u64).expect("inside").iter().all(|t| store.contains_key(t)));
        }
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let read = |_: TileId| Err::<Vec<u8>, _>("gone");
    let tile = TileId { level: 0, index: 0, width: 3 };
    assert_eq!(inclusion_from_tiles(1, 3, read), Err(ReadError::Read { tile, cause: "gone" }));
    assert_eq!(Edge::load(3, read), Err(ReadError::Read { tile, cause: "gone" }));
    let range = RangeError::Leaf { index: 3, size: 3 };
    assert_eq!(inclusion_from_tiles(3, 3, read), Err(ReadError::Range(range)));
    let short = inclusion_from_tiles(1, 3, |_| Ok::<_, ()>(vec![0; 95]));
    assert_eq!(short, Err(ReadError::Tile(TileError::Size { tile, bytes: 95, expected: 96 })));
    let full = vec![7; 8192];
    assert_eq!(decode_tile(tile, &full), Ok(vec![Hash([7; 32]); 3]), "a full tile serves for its partial ones");
}

#[test]
fn bundles_carry_entries_whole() {
    let entries: [&[u8]; 3] = [b"a", b"", &[7; 65_535]];
    let bytes = encode_bundle(entries).expect("short enough");
    let id = BundleId { index: 0, width: 3 };
    assert_eq!(bytes[..5], [0, 1, b'a', 0, 0]);
    assert_eq!(decode_bundle(id, &bytes).expect("whole"), entries);
    assert_eq!(encode_bundle([&[0; 65_536][..]]), Err(TileError::Entry { bytes: 65_536 }));
    let cut = decode_bundle(id, &bytes[..bytes.len() - 1]);
    assert_eq!(cut, Err(TileError::Bundle { bundle: id, entries: 2 }));
    let wide = BundleId { index: 0, width: 4 };
    assert_eq!(decode_bundle(wide, &bytes), Err(TileError::Bundle { bundle: wide, entries: 3 }));
}

/// A header of one record of stream 0, as RECORD writes it.
fn header(height: u64, previous: Hash, first: u64) -> String {
    format!(
        "dsom.block.v1\noperator 55d3f385-fe76-4324-9d76-9105cb9ecb0b\nheight {height}\nprevious {previous}\nrecords 1\n\
         total {height}\nroot {}\nstreams 0:{first}-{first}\nsealed 2026-10-24T18:00:29.498Z\n",
        leaf_hash(b"{}")
    )
}

#[test]
fn a_walk_finds_the_first_thing_wrong() {
    let mut walk = LogWalk::new();
    let (mut previous, mut entries, mut full) = (Hash::ZERO, Vec::new(), 0);
    for height in 1..=300 {
        let text = header(height, previous, height);
        previous = block_hash(text.as_bytes());
        let (read, tiles) = walk.entry(text.as_bytes()).expect("continues");
        assert_eq!(read.height.0, height);
        full += tiles.len();
        entries.push(leaf_hash(text.as_bytes()));
    }
    assert_eq!((full, walk.partial_tiles().len(), walk.size()), (1, 2, 300));
    let checkpoint = Checkpoint::new("log.example/dsom", 300, root(&entries));
    assert_eq!(walk.matches(&checkpoint), Ok(()));
    let other = Checkpoint { root: Hash::ZERO, ..checkpoint.clone() };
    assert!(matches!(walk.matches(&other), Err(LogFault::Root { .. })));
    let other = Checkpoint { size: 299, ..checkpoint.clone() };
    assert_eq!(walk.matches(&other), Err(LogFault::Size { signed: 299, found: 300 }));
    for (field, bad) in [
        ("height", header(302, previous, 301)),
        ("previous", header(301, leaf_hash(b""), 301)),
        ("streams", header(301, previous, 302)),
        ("total", header(301, previous, 301).replace("total 301", "total 302")),
    ] {
        let fault = walk.clone().entry(bad.as_bytes()).map(|_| ()).expect_err(field);
        assert!(matches!(fault, LogFault::Chain { index: 300, field: found, .. } if found == field), "{fault}");
    }
    assert!(matches!(walk.clone().entry(b"nonsense"), Err(LogFault::Header { index: 300, .. })));
    let (tile, bytes) = walk.partial_tiles().remove(0);
    assert_eq!(LogWalk::tile(tile, &bytes, &bytes), Ok(()));
    let mut flipped = bytes.clone();
    flipped[40] ^= 4;
    assert_eq!(LogWalk::tile(tile, &bytes, &flipped), Err(LogFault::Tile { tile }));
    let tree = Tree::new(&entries);
    let old = Checkpoint::new("log.example/dsom", 100, root(&entries[..100]));
    let path = tree.consistency_proof(100).expect("inside");
    assert_eq!(growth(&old, &checkpoint, &path), Ok(()));
    assert!(growth(&Checkpoint { root: Hash::ZERO, ..old.clone() }, &checkpoint, &path).is_err());
    assert!(growth(&Checkpoint { origin: "other".into(), ..old }, &checkpoint, &path).is_err());
}
