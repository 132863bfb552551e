//! `fsck` finds one flipped bit wherever it is, and says where.

use std::sync::Arc;

use chaining::fsck::{Finding, Report, Scope, What, fsck};
use chaining::storage::{EmbeddedStore, Store};
use contracts::{Height, StreamNo};
use store::{Engine, Keyspace, Limits};

use crate::doubles::{Doubled, Flip};
use crate::world::{append, key, log_everything, open, operator};

async fn check(store: &dyn Store) -> Report {
    fsck(store, key().verifier(), Scope::Everything, &mut |_| {}).await
}

async fn first(store: &Arc<dyn Store>, flip: Flip) -> Finding {
    let report = check(&Doubled::flipped(store, flip.clone())).await;
    assert!(!report.ok, "{flip:?} was not found");
    report.first.unwrap()
}

#[actix::test]
async fn a_sound_store_is_found_sound_and_one_flipped_bit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 1..=2 {
        append(&store, operator(n), 200).await;
    }
    log_everything(&store).await;
    let report = check(&*store).await;
    assert_eq!(report.first, None);
    assert_eq!((report.checked.chains, report.checked.blocks, report.checked.entries), (2, 400, 400));
    assert_eq!(report.checked.tiles, 3, "one full, one partial, one above");

    // Every byte of the heads, every ninth of what is packed.
    for at in (0..100).chain((100..700).step_by(9)) {
        let found = first(&store, Flip::Frame(operator(2), Height(7), 0, at)).await;
        assert_eq!((found.operator, found.height), (Some(operator(2)), Some(Height(7))), "byte {at}: {found}");
    }
    // A record kept as it is (not packed), one letter of whose text is another.
    let found = first(&store, Flip::Frame(operator(2), Height(7), 0, 160)).await;
    assert_eq!((found.what, found.frame, found.stream), (What::Record, Some(0), Some(StreamNo(0))), "{found}");
    assert!(found.seq.is_some());

    // In the middle of the chain and at its end, where only the log knows whether the block or the head is wrong.
    for height in [9, 200].map(Height) {
        for at in (0..store.headers(operator(1), height, 1).await.unwrap()[0].len()).step_by(9) {
            let found = first(&store, Flip::Header(operator(1), height, at)).await;
            assert_eq!((found.what, found.operator), (What::Block, Some(operator(1))), "byte {at}: {found}");
            assert_eq!(found.height, Some(height), "byte {at}: {found}");
        }
    }
    let found = first(&store, Flip::Entry(17, 100)).await;
    assert_eq!((found.what, found.index, found.offset), (What::Entry, Some(17), Some(100)), "{found}");
    let found = first(&store, Flip::Tile(0, 0, 700)).await;
    assert_eq!((found.what, found.tile.as_deref(), found.offset), (What::Tile, Some("tile/0/000"), Some(700)));
    let found = first(&store, Flip::Tile(0, 1, 5)).await;
    assert_eq!((found.what, found.tile.as_deref(), found.offset), (What::Tile, Some("tile/0/001.p/144"), Some(5)));
    let found = first(&store, Flip::Checkpoint(30)).await;
    assert_eq!(found.what, What::Checkpoint);
    assert!(found.to_string().starts_with("checkpoint: "), "{found}");
}

#[actix::test]
async fn a_bit_flipped_in_the_files_themselves_is_named() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path());
        append(&store, operator(1), 12).await;
        log_everything(&store).await;
    }
    // The engine keeps a journal, with checksums: a flip there must not go unnoticed either.
    let mut flipped = 0;
    for entry in walk(dir.path()) {
        let mut bytes = std::fs::read(&entry).unwrap();
        let needle = b"height 7\n";
        let Some(at) = bytes.windows(needle.len()).position(|window| window == needle) else { continue };
        bytes[at + 3] ^= 1;
        std::fs::write(&entry, &bytes).unwrap();
        flipped += 1;
    }
    assert!(flipped > 0, "headers lie in the files as they are");
    match std::panic::catch_unwind(|| EmbeddedStore::open(dir.path())) {
        Ok(Ok(store)) => {
            let report = check(&store).await;
            let found = report.first.expect("it is found");
            assert_eq!(found.operator, Some(operator(1)), "{found}");
        }
        Ok(Err(error)) => assert!(chaining::error::with_causes(&error).len() > 20, "{error}"),
        Err(_) => panic!("the engine panicked"),
    }
}

/// What is sealed and logged while the check runs is no damage.
#[actix::test]
async fn a_store_that_grows_meanwhile_is_found_sound() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let grown = store.clone();
    let grows = actix::spawn(async move {
        for _ in 0..100 {
            append(&grown, operator(1), 1).await;
            log_everything(&grown).await;
        }
    });
    let mut checks = 0;
    while !grows.is_finished() {
        assert_eq!(check(&*store).await.first, None);
        checks += 1;
    }
    grows.await.unwrap();
    assert!(checks > 5, "only {checks} checks");
}

/// Bits of the rows of the small tables, all of the chain's, every ninth of the log's: each is named as what it is, never as
/// something else that it does not agree with.
#[actix::test]
async fn a_flipped_bit_of_a_small_row_is_named_for_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), Limits::default()).unwrap();
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::on(&engine).unwrap());
    append(&store, operator(1), 2).await;
    log_everything(&store).await;
    let mut checked = 0;
    for (table, every, named) in [
        ("blocks", 1, &[What::Block][..]),
        // A head that names another height leads to a block that is not there.
        ("heads", 1, &[What::Head, What::Block]),
        ("ranges", 1, &[What::Index]),
        ("log_entries", 9, &[What::Entry]),
        ("log_places", 9, &[What::Entry]),
        ("logged", 9, &[What::Entry]),
        ("log_tiles", 9, &[What::Tile]),
    ] {
        let rows = engine.small_values(table).unwrap();
        for row in rows.iter() {
            let (key, value) = row.into_inner().unwrap();
            // After its height a range has its first seq, which counts for nothing where the one before it ends right there.
            let counting = if table == "ranges" { 8 } else { value.len() };
            for bit in (0..counting * 8).step_by(every) {
                let mut wrong = value.to_vec();
                wrong[bit / 8] ^= 1 << (bit % 8);
                put(&engine, &rows, &key, wrong).await;
                let found = check(&*store).await.first;
                let found = found.unwrap_or_else(|| panic!("{table}, bit {bit} of {value:?} is passed over"));
                assert!(named.contains(&found.what), "{table}, bit {bit} of {value:?}: {found}");
                checked += 1;
            }
            put(&engine, &rows, &key, value.to_vec()).await;
        }
    }
    assert!(checked > 4000, "only {checked} bits were flipped");
    assert_eq!(check(&*store).await.first, None);
}

/// An engine that forgets a row or a table, or shows one as it was, is found out by what the others say.
#[actix::test]
async fn a_table_that_is_set_back_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), Limits::default()).unwrap();
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::on(&engine).unwrap());
    let tables = ["heads", "blocks", "frames", "ranges", "log_entries", "log_places", "logged", "log_tiles", "state"];
    let tables = tables.map(|name| (name, engine.small_values(name).unwrap()));
    let mut before = Vec::new();
    for _ in 0..2 {
        before = tables.iter().map(|(_, table)| rows(table)).collect();
        append(&store, operator(1), 1).await;
        append(&store, operator(2), 1).await;
        log_everything(&store).await;
        store.advance_announced(store.log_size().await.unwrap()).await.unwrap();
    }
    assert_eq!(check(&*store).await.first, None);
    for ((name, table), before) in tables.iter().zip(before) {
        let now = rows(table);
        // Each row away in turn (but the number of announced entries: without it they are announced again, and are known by their ids),
        // then all of them, then the table as it was one block ago.
        let counting = (0..now.len()).filter(|n| now[*n].0 != b"announced");
        let away = counting.map(|gone| [&now[..gone], &now[gone + 1..]].concat());
        for (n, set_back) in away.chain([Vec::new(), before]).enumerate() {
            replace(&engine, table, set_back).await;
            let found = check(&*store).await.first;
            assert!(found.is_some(), "{name}, {n} of {} is passed over", now.len());
        }
        replace(&engine, table, now).await;
    }
    assert_eq!(check(&*store).await.first, None);
}

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn rows(table: &Keyspace) -> Rows {
    table.iter().map(|row| row.into_inner().unwrap()).map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// Makes these the rows of a table.
async fn replace(engine: &Engine, table: &Keyspace, with: Rows) {
    let (table, now) = (table.clone(), rows(table));
    let done = engine.write(move |changes| {
        now.into_iter().for_each(|(key, _)| changes.remove(&table, key));
        with.into_iter().for_each(|(key, value)| changes.insert(&table, key, value));
        Ok(())
    });
    done.await.unwrap();
}

async fn put(engine: &Engine, table: &Keyspace, key: &[u8], value: Vec<u8>) {
    let (table, key) = (table.clone(), key.to_vec());
    let done = engine.write(move |changes| {
        changes.insert(&table, key, value);
        Ok(())
    });
    done.await.unwrap();
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
