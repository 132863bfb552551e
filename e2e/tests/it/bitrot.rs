//! One flipped bit in what chaining has stored: found, named, or shown to have held nothing that counts; never passed over.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contracts::OperatorId;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::{Engine, Limits};

use crate::world::{World, calm_turn, until};

/// Bits flipped, one after another, each in a store that is whole but for it.
const FLIPS: usize = 12;
/// Files of the engine that matter in themselves: its lock does not.
const SKIPPED: &[&str] = &["lock"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_in_the_store_is_never_passed_over() {
    let _turn = calm_turn().await;
    let (seed, mut random) = seeded();
    let (mut world, before) = with_records().await;
    let exports = exports(&world, &before).await;
    world.stop();
    assert!(world.dsom_ok(&["fsck"], &[]).contains("nothing is wrong"));

    let store = world.dir().join("chaining");
    let (mut found, mut harmless) = (0, 0);
    let all = stored(&store);
    let bytes: u64 = all.iter().map(|(_, bytes)| bytes).sum();
    println!("{} files with {bytes} bytes", all.len());
    for flip in 0..FLIPS {
        // Half of them anywhere, so that the many bytes of frames are hit; half in a file chosen first, so that small ones are, too.
        let (path, at) = if flip % 2 == 0 { anywhere(&all, &mut random) } else { in_any_file(&all, &mut random) };
        let mut content = fs::read(&path).expect("a file of the store");
        content[at as usize] ^= 1 << random.random_range(0..8);
        let place = format!("{} at {at}", path.strip_prefix(&store).unwrap_or(&path).display());
        let whole = Saved::of(&store);
        fs::write(&path, &content).expect("a file is changed");
        let out = world.dsom(&["fsck"], &[]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        match out.status.code() {
            Some(1) => {
                found += 1;
                let named = said.lines().next().unwrap_or_default();
                assert!(named.contains("damaged"), "{place}: no place is named: {said}");
                println!("{place}: {named:.150}");
            }
            Some(0) => {
                // It may have held nothing: then all is still there, and the mesh serves the very same.
                world.up().await;
                let after = self::exports(&world, &before).await;
                world.stop();
                assert!(after == exports, "{place}: the check found nothing wrong, and records are missing or differ");
                harmless += 1;
                println!("{place}: nothing is wrong, and nothing is");
            }
            other => panic!("{place}: dsom fsck ended with {other:?}: {said}"),
        }
        whole.restore(&store);
    }
    println!("seed {seed}: {FLIPS} bits flipped, {found} named, {harmless} in bytes that hold nothing");
    assert!(found > 0);
    assert!(world.dsom_ok(&["fsck"], &[]).contains("nothing is wrong"));
}

/// The engine's own checksums see a bit that the disk flipped. What is flipped above them, in memory or by somebody who can write, must
/// be seen by what is derived anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_under_a_good_checksum_is_named() {
    let _turn = calm_turn().await;
    let (_, mut random) = seeded();
    let (mut world, _) = with_records().await;
    world.stop();
    let store = world.dir().join("chaining");
    // A table of chaining, and what its damage may be called: a frame holds records and what is said of them.
    for (table, large, names) in [
        ("frames", true, &["damaged: record, ", "damaged: block, "][..]),
        ("blocks", false, &["damaged: block, "]),
        ("heads", false, &["damaged: head, ", "damaged: block, "]),
        ("log_entries", false, &["damaged: entry, "]),
        ("log_tiles", false, &["damaged: tile, "]),
    ] {
        for _ in 0..2 {
            let whole = Saved::of(&store);
            let place = flip_row(&store, table, large, &mut random).await;
            let out = world.dsom(&["fsck"], &[]);
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            println!("{table} {place}: {:.170}", said.lines().next().unwrap_or_default());
            assert_eq!(out.status.code(), Some(1), "{table} {place} is passed over: {said}");
            assert!(names.iter().any(|name| said.contains(name)), "{table} {place} is not named: {said}");
            whole.restore(&store);
        }
    }
    assert!(world.dsom_ok(&["fsck"], &[]).contains("nothing is wrong"));
}

/// The seed, and what is drawn from it.
fn seeded() -> (u64, StdRng) {
    let seed = std::env::var("DSOM_BITROT_SEED").ok().map_or_else(rand::random, |text| text.parse().expect("a seed"));
    println!("bitrot: seed {seed} (DSOM_BITROT_SEED)");
    (seed, StdRng::seed_from_u64(seed))
}

/// Flips a bit of a random row of a table, through the engine.
async fn flip_row(store: &Path, table: &str, large: bool, random: &mut StdRng) -> String {
    let engine = Engine::open(store, Limits::default()).expect("the store opens");
    let rows = if large { engine.large_values(table) } else { engine.small_values(table) }.expect("a table");
    let all: Vec<_> = rows.iter().map(|row| row.into_inner().expect("a row")).collect();
    let (key, value) = &all[random.random_range(0..all.len())];
    let (at, bit) = (random.random_range(0..value.len()), random.random_range(0..8));
    let (key, mut value) = (key.to_vec(), value.to_vec());
    value[at] ^= 1 << bit;
    let place = format!("row of {} bytes, byte {at}, bit {bit}", value.len());
    engine
        .write(move |changes| {
            changes.insert(&rows, key, value);
            Ok(())
        })
        .await
        .expect("a row is changed");
    place
}

/// A mesh with the operators' files, each sent as two operators', so that tables are flushed to files of their own. Gives the
/// operators with their tokens; all is published.
async fn with_records() -> (World, BTreeMap<OperatorId, String>) {
    let world = World::started().await;
    let copies = tempfile::tempdir().expect("a folder");
    let (mut paths, mut wanted) = (Vec::new(), BTreeMap::<OperatorId, u64>::new());
    for file in testkit::data_files() {
        let records = file.text.iter().filter(|byte| **byte == b'\n').count() as u64;
        let name = file.path.file_name().expect("a name").to_string_lossy().into_owned();
        let other = copies.path().join(format!("0a0a0a0a{}", &name[8..]));
        fs::copy(&file.path, &other).expect("a copy");
        let operator = file.operator.to_string();
        let twin = format!("0a0a0a0a{}", &operator[8..]).parse().expect("an operator");
        for (path, operator) in [(file.path, file.operator), (other, twin)] {
            paths.push(path);
            *wanted.entry(operator).or_default() += records;
        }
    }
    world.dsom_ok(&["send", "--batch", "1000"], &paths);
    let mut operators = BTreeMap::new();
    for (operator, records) in wanted {
        let token = world.token(operator, "records:read");
        world.published(operator, &token, records).await;
        operators.insert(operator, token);
    }
    (world, operators)
}

/// What every operator would get as its export.
async fn exports(world: &World, operators: &BTreeMap<OperatorId, String>) -> BTreeMap<OperatorId, Vec<u8>> {
    let mut all = BTreeMap::new();
    for (operator, token) in operators {
        until("the chain", Duration::from_secs(10), || world.chain(*operator, token)).await;
        all.insert(*operator, world.export(*operator, token).await);
    }
    all
}

/// The files of the store with their sizes, but for empty ones.
fn stored(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let (path, about) = (entry.path(), entry.metadata().expect("an entry"));
            match about.is_dir() {
                true => folders.push(path),
                false if about.len() > 0 && !SKIPPED.iter().any(|name| path.ends_with(name)) => {
                    found.push((path, about.len()));
                }
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn anywhere(files: &[(PathBuf, u64)], random: &mut StdRng) -> (PathBuf, u64) {
    let mut at = random.random_range(0..files.iter().map(|(_, bytes)| bytes).sum());
    for (path, bytes) in files {
        if at < *bytes {
            return (path.clone(), at);
        }
        at -= bytes;
    }
    unreachable!("at is below the sum")
}

fn in_any_file(files: &[(PathBuf, u64)], random: &mut StdRng) -> (PathBuf, u64) {
    let (path, bytes) = &files[random.random_range(0..files.len())];
    (path.clone(), random.random_range(0..*bytes))
}

/// A whole copy of a folder: opening a store may change more than one file of it.
struct Saved {
    copy: tempfile::TempDir,
}

impl Saved {
    fn of(dir: &Path) -> Self {
        let copy = tempfile::tempdir().expect("a folder");
        copy_all(dir, copy.path());
        Self { copy }
    }

    fn restore(self, dir: &Path) {
        fs::remove_dir_all(dir).expect("a folder is emptied");
        copy_all(self.copy.path(), dir);
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_all(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), &target).expect("a copy")),
        }
    }
}
