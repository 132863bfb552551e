//! The log through crashes, rivals and damage: never two checkpoints that contradict each other.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chaining::actors::Witness;
use chaining::actors::log::steps::{Frozen, StepError, behind, edge_at, integrate, recover};
use chaining::storage::{Appended, Store};
use contracts::{Hash, Height, OperatorId};
use ledger::Checkpoint;

use crate::doubles::{Doubled, Flip, When};
use crate::world::{append, key, open, operator};

/// Nobody was told anything, or one checkpoint was.
struct Told(Option<Vec<u8>>);

#[async_trait]
impl Witness for Told {
    async fn last_block(&self, _: OperatorId) -> Result<Option<(Height, Hash)>, String> {
        Ok(None)
    }

    async fn last_checkpoint(&self) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.clone())
    }
}

/// One life of a log: recovers, then adds what is there until nothing is left or the process dies. Returns what it published.
async fn live(store: &dyn Store, news: BTreeSet<OperatorId>) -> Result<Vec<Checkpoint>, StepError> {
    let key = key();
    let mut news = news;
    let mut published = Vec::new();
    let mut standing = recover(store, &key, &Told(None)).await?;
    while let Some(grown) = integrate(store, &key, &standing, &mut news).await? {
        standing = grown.standing;
        published.push(key.open(&standing.checkpoint.as_ref().unwrap().note).unwrap());
    }
    Ok(published)
}

/// Whatever was readable as the newest checkpoint at any time is consistent with every other.
async fn all_consistent(store: &dyn Store, checkpoints: &[Checkpoint]) {
    let sizes: BTreeSet<u64> = checkpoints.iter().map(|one| one.size).collect();
    for checkpoint in checkpoints {
        let root = edge_at(store, checkpoint.size).await.unwrap().root();
        assert_eq!(checkpoint.root, root, "the checkpoint at {} contradicts the log as it is", checkpoint.size);
    }
    let mut tiles = std::collections::BTreeMap::new();
    let newest = checkpoints.iter().max_by_key(|one| one.size).unwrap();
    for old in checkpoints {
        for tile in ledger::consistency_tiles(old.size, newest.size).unwrap() {
            let bytes = store.tile(tile.level, tile.index).await.unwrap().unwrap();
            tiles.insert(tile, bytes.slice(..usize::from(tile.width) * 32));
        }
        let proof = ledger::consistency_from_tiles(old.size, newest.size, |tile| {
            tiles.get(&tile).cloned().ok_or("not asked for")
        })
        .unwrap();
        ledger::verify::growth(old, newest, &proof).unwrap();
    }
    assert!(!sizes.is_empty());
}

#[actix::test]
async fn a_crash_before_or_after_any_write_leaves_one_history() {
    // A life of three writes: sequence, tiles, checkpoint. The crash hits the first and the second growth.
    for at_write in 1..=6 {
        for when in [When::Before, When::After] {
            let dir = tempfile::tempdir().unwrap();
            let store = open(dir.path());
            let mut published = Vec::new();
            let mut newest = None;
            for (round, blocks) in [300_u64, 1, 2, 255, 3].into_iter().enumerate() {
                for n in 0..2 {
                    append(&store, operator(n), blocks).await;
                }
                let news = behind(&store).await.unwrap();
                if round == 1 || round == 2 {
                    let dying = Doubled::dying(&store, at_write, when);
                    // What is served at death is what is stored; nothing else was ever shown.
                    let _died = live(&dying, news.clone()).await;
                    if let Some(stored) = store.checkpoint().await.unwrap() {
                        published.push(key().open(&stored.note).unwrap());
                    }
                }
                published.extend(live(&*store, news).await.unwrap());
                newest = published.last().cloned();
            }
            all_consistent(&*store, &published).await;
            assert_eq!(newest.unwrap().size, store.log_size().await.unwrap(), "nothing is left out");
            for n in 0..2 {
                let head = store.head(operator(n)).await.unwrap();
                assert_eq!(store.logged(operator(n)).await.unwrap(), head.height);
            }
        }
    }
}

#[actix::test]
async fn two_writers_make_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut published = Vec::new();
    for _ in 0..15 {
        for n in 0..3 {
            append(&store, operator(n), 5).await;
        }
        let news = behind(&store).await.unwrap();
        let (one, other) = futures::join!(live(&*store, news.clone()), live(&*store, news));
        for life in [one, other] {
            match life {
                Ok(checkpoints) => published.extend(checkpoints),
                Err(StepError::Moved(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    published.extend(live(&*store, behind(&store).await.unwrap()).await.unwrap());
    let stored = key().open(&store.checkpoint().await.unwrap().unwrap().note).unwrap();
    assert_eq!(stored.size, 15 * 3 * 5);
    published.push(stored);
    all_consistent(&*store, &published).await;
}

#[actix::test]
async fn nothing_is_signed_over_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, operator(1), 300).await;
    live(&*store, behind(&store).await.unwrap()).await.unwrap();
    append(&store, operator(1), 1).await;
    let news = behind(&store).await.unwrap();
    let frozen = |flip: Flip| {
        let (store, news) = (store.clone(), news.clone());
        async move {
            match live(&Doubled::flipped(&store, flip), news).await {
                Err(StepError::Frozen(why)) => why,
                other => panic!("not frozen: {other:?}"),
            }
        }
    };
    assert!(matches!(frozen(Flip::Tile(0, 1, 77)).await, Frozen::Root { size: 300, .. }));
    assert!(matches!(frozen(Flip::Tile(1, 0, 5)).await, Frozen::Root { size: 300, .. }));
    assert!(matches!(frozen(Flip::Checkpoint(ORIGIN_BYTE)).await, Frozen::Checkpoint(_)));
    let size = key().open(&store.checkpoint().await.unwrap().unwrap().note).unwrap().size;
    assert_eq!(size, 300, "nothing was signed");
    // A damaged tile to the left of the edge is not needed to go on; fsck names it.
    live(&Doubled::flipped(&store, Flip::Tile(0, 0, 9)), news).await.unwrap();
}

const ORIGIN_BYTE: usize = 3;

#[actix::test]
async fn a_store_set_back_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, operator(1), 5).await;
    live(&*store, behind(&store).await.unwrap()).await.unwrap();
    let ahead = key().sign(9, Hash([1; 32])).unwrap();
    let seen = recover(&*store, &key(), &Told(Some(ahead.to_vec()))).await;
    assert!(matches!(seen, Err(StepError::Frozen(Frozen::RolledBack { published: 9, stored: 5 }))), "{seen:?}");
    let fork = key().sign(3, Hash([1; 32])).unwrap();
    let seen = recover(&*store, &key(), &Told(Some(fork.to_vec()))).await;
    assert!(matches!(seen, Err(StepError::Frozen(Frozen::Root { size: 3, .. }))), "{seen:?}");
    let same = store.checkpoint().await.unwrap().unwrap().note;
    assert!(recover(&*store, &key(), &Told(Some(same.to_vec()))).await.is_ok());
}

#[actix::test]
async fn sealing_survives_a_crash_before_or_after_the_append() {
    for when in [When::Before, When::After] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        append(&store, operator(1), 2).await;
        let block = crate::world::next_block(&store, operator(1), 10).await;
        let dying = Doubled::dying(&store, 1, when);
        assert!(dying.append_block_if_head_is(block.clone()).await.is_err());
        let expected = if when == When::After { Appended::AlreadyThere } else { Appended::Appended };
        assert_eq!(store.append_block_if_head_is(block).await.unwrap(), expected);
        assert_eq!(store.head(operator(1)).await.unwrap().height, Height(3));
    }
}
