//! What every implementation of [`Store`] must do, as one suite. Panics where one does not: for tests only.

use std::sync::Arc;

use contracts::UnixMillis;
use uuid::Uuid;

use super::{Admission, Appended, Claim, Store};
use crate::domain::history::{Change, EntityId, Kind};

/// Runs the suite. `open` opens the same store each time; the one before is dropped by then.
pub async fn run(open: impl AsyncFn() -> Box<dyn Store>) {
    histories_grow_at_their_end_only(&*open().await).await;
    long_histories_have_no_seams(&*open().await).await;
    entities_are_listed_by_kind(&*open().await).await;
    a_name_has_one_holder_for_ever(&*open().await).await;
    an_assertion_is_let_in_once(&*open().await).await;
    let store: Arc<dyn Store> = open().await.into();
    of_rivals_for_a_version_one_wins(Arc::clone(&store)).await;
    of_rivals_for_an_assertion_one_wins(store).await;
    what_was_written_is_there_after_reopening(open).await;
}

fn operator(n: u128) -> EntityId {
    EntityId { kind: Kind::Operator, id: Uuid::from_u128(0x1301_3f29_b9df_4b82_ad28_e515_0000_0000 + n) }
}

fn change(version: u64, text: &str) -> Change {
    Change { version, bytes: text.as_bytes().to_vec() }
}

async fn append(store: &dyn Store, entity: EntityId, version: u64, text: &str) -> Appended {
    store.append(entity, &change(version, text)).await.expect("appends")
}

async fn histories_grow_at_their_end_only(store: &dyn Store) {
    let (mine, other) = (operator(1), operator(2));
    assert_eq!(store.changes(mine, 0, 10).await.expect("reads"), []);
    for (version, text, expected) in [
        (2, "no hole", Appended::Overtaken),
        (1, "a", Appended::Done),
        (1, "a", Appended::Done),
        (1, "b", Appended::Overtaken),
        (3, "no hole", Appended::Overtaken),
        (2, "b", Appended::Done),
        (3, "c", Appended::Done),
        (1, "x", Appended::Overtaken),
    ] {
        assert_eq!(append(store, mine, version, text).await, expected, "{version} {text}");
    }
    assert_eq!(append(store, other, 1, "o").await, Appended::Done);
    let all = [change(1, "a"), change(2, "b"), change(3, "c")];
    assert_eq!(store.changes(mine, 0, 10).await.expect("reads"), all);
    assert_eq!(store.changes(mine, 0, 2).await.expect("reads"), all[..2]);
    assert_eq!(store.changes(mine, 2, 10).await.expect("reads"), all[2..]);
    assert_eq!(store.changes(mine, 3, 10).await.expect("reads"), []);
    assert_eq!(store.changes(other, 0, 10).await.expect("reads"), [change(1, "o")]);
    let large = vec![7; 1 << 20];
    let large = Change { version: 2, bytes: large };
    assert_eq!(store.append(other, &large).await.expect("appends"), Appended::Done);
    assert_eq!(store.changes(other, 1, 1).await.expect("reads"), [large]);
    for (known, grown) in [
        (vec![], vec![]),
        (vec![(mine, 3), (other, 2), (operator(9), 0)], vec![]),
        (vec![(mine, 2), (other, 0)], vec![mine, other]),
        (vec![(mine, 3), (other, 1), (operator(9), 0)], vec![other]),
    ] {
        assert_eq!(store.grown(&known.into_iter().collect()).await.expect("reads"), grown);
    }
}

/// Longer than what an implementation keeps or reads together: no version is passed over, and none is taken before the one before it.
async fn long_histories_have_no_seams(store: &dyn Store) {
    const LAST: u64 = 13;
    let entity = operator(5);
    for version in 1..=LAST {
        assert_eq!(append(store, entity, version + 1, "no hole").await, Appended::Overtaken, "{version}");
        assert_eq!(append(store, entity, version, &version.to_string()).await, Appended::Done);
        assert_eq!(append(store, entity, version, &version.to_string()).await, Appended::Done);
        assert_eq!(append(store, entity, version, "another").await, Appended::Overtaken);
    }
    let all: Vec<Change> = (1..=LAST).map(|version| change(version, &version.to_string())).collect();
    for after in 0..=LAST as usize {
        for limit in [0, 1, 3, 5, 100] {
            let found = store.changes(entity, after as u64, limit).await.expect("reads");
            assert_eq!(found, all[after..all.len().min(after + limit)], "{limit} after {after}");
        }
    }
    assert_eq!(store.changes(entity, LAST + 3, 10).await.expect("reads"), []);
}

async fn entities_are_listed_by_kind(store: &dyn Store) {
    let sites = EntityId::SITES;
    let before = store.entities(Kind::Operator).await.expect("reads");
    append(store, sites, 1, "s").await;
    let last = EntityId { kind: Kind::Operator, id: Uuid::from_u128(u128::MAX - 1) };
    append(store, last, 1, "l").await;
    let mut expected = before;
    expected.push(last);
    assert_eq!(store.entities(Kind::Operator).await.expect("reads"), expected);
    assert_eq!(store.entities(Kind::Sites).await.expect("reads"), [sites]);
}

async fn a_name_has_one_holder_for_ever(store: &dyn Store) {
    let claim = |scope: &'static str, name: &str| Claim { scope: scope.into(), name: name.to_owned() };
    let (first, second) = (operator(3), operator(4));
    for (name, by, holder) in [
        (claim("edrpou", "14360570"), first, first),
        (claim("edrpou", "14360570"), first, first),
        (claim("edrpou", "14360570"), second, first),
        (claim("key", "14360570"), second, second),
        (claim("edrpou", "20077720"), second, second),
    ] {
        assert_eq!(store.claim(&name, by).await.expect("claims"), holder, "{name:?}");
    }
}

fn assertion(n: u8, expires: i64) -> Admission {
    Admission { digest: [n; 32], expires: UnixMillis(expires) }
}

/// A time that is not over: rows on a server end by its clock.
fn now() -> i64 {
    let passed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    passed.as_millis() as i64
}

async fn an_assertion_is_let_in_once(store: &dyn Store) {
    let now = now();
    let soon = now + 60_000;
    let admit = async |all: &[Admission]| store.admit(all, UnixMillis(now)).await.expect("admits");
    assert_eq!(admit(&[]).await, [] as [bool; 0]);
    assert_eq!(admit(&[assertion(1, soon), assertion(2, soon)]).await, [true, true]);
    assert_eq!(admit(&[assertion(1, soon), assertion(3, soon), assertion(3, soon)]).await, [false, true, false]);
    let many: Vec<Admission> = (10..=250).map(|n| assertion(n, soon)).collect();
    assert_eq!(admit(&many).await, vec![true; many.len()]);
    assert_eq!(admit(&many).await, vec![false; many.len()]);
    // The same name with another end is the same name.
    assert_eq!(admit(&[assertion(1, soon + 1), assertion(1, soon - 1)]).await, [false, false]);
    // What is over may be forgotten, and is never needed: its time is checked before.
    admit(&[assertion(4, now - 1)]).await;
    assert_eq!(admit(&[assertion(2, soon)]).await, [false]);
}

async fn of_rivals_for_a_version_one_wins(store: Arc<dyn Store>) {
    for round in 0..5 {
        let entity = operator(100 + round);
        let rivals = (0..4).map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { append(&*store, entity, 1, &format!("rival {n}")).await })
        });
        let mut done = 0;
        for rival in futures::future::join_all(rivals).await {
            done += usize::from(rival.expect("ends") == Appended::Done);
        }
        assert_eq!(done, 1);
        assert_eq!(store.changes(entity, 0, 10).await.expect("reads").len(), 1);
    }
}

async fn of_rivals_for_an_assertion_one_wins(store: Arc<dyn Store>) {
    let now = now();
    for round in 0..5_u8 {
        let rivals = (0..4).map(|_| {
            let store = Arc::clone(&store);
            let mut one = assertion(0xfd, now + 60_000);
            one.digest[1] = round;
            tokio::spawn(async move { store.admit(&[one], UnixMillis(now)).await.expect("admits") })
        });
        let mut let_in = 0;
        for rival in futures::future::join_all(rivals).await {
            let_in += usize::from(rival.expect("ends") == [true]);
        }
        assert_eq!(let_in, 1);
    }
}

async fn what_was_written_is_there_after_reopening(open: impl AsyncFn() -> Box<dyn Store>) {
    let (entity, now) = (operator(200), now());
    let one = Admission { digest: [0xee; 32], expires: UnixMillis(now + 60_000) };
    let claim = Claim { scope: "key".into(), name: "reopened".to_owned() };
    {
        let store = open().await;
        append(&*store, entity, 1, "kept").await;
        store.claim(&claim, entity).await.expect("claims");
        store.admit(&[one], UnixMillis(now)).await.expect("admits");
    }
    let store = open().await;
    assert_eq!(store.changes(entity, 0, 10).await.expect("reads"), [change(1, "kept")]);
    assert_eq!(store.claim(&claim, operator(201)).await.expect("claims"), entity);
    assert_eq!(store.admit(&[one], UnixMillis(now)).await.expect("admits"), [false]);
}
