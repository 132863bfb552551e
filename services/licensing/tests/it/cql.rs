//! The register on a CQL server whose answers to a compare-and-set are lost: what is done stays done once, what is refused stays refused.

use contracts::UnixMillis;
use licensing::domain::history::{Change, EntityId, Kind};
use licensing::storage::{Admission, Appended, Claim, ScyllaStore, Store};
use testkit::CqlProxy;
use testkit::scylla_proxy::RequestReaction;
use uuid::Uuid;

struct Between {
    proxy: CqlProxy,
    /// Through the proxy.
    store: ScyllaStore,
    /// Beside it.
    beside: ScyllaStore,
    _keyspace: testkit::CqlKeyspace,
}

impl Between {
    /// `None` where there is no server.
    async fn open() -> Option<Self> {
        let keyspace = testkit::CqlKeyspace::new()?;
        let mut settings = keyspace.clone();
        let beside = ScyllaStore::open(&settings).await.expect("opens");
        settings.migrate = false;
        let proxy = CqlProxy::before(&mut settings, Vec::new()).await;
        let store = ScyllaStore::open(&settings).await.expect("opens");
        Some(Self { proxy, store, beside, _keyspace: keyspace })
    }

    /// The next statement that says so does not arrive, and nobody knows that.
    fn lose_the_next(&mut self, saying: &[u8]) {
        self.proxy.requests(1, saying, RequestReaction::forge().write_timeout());
    }
}

fn operator(n: u128) -> EntityId {
    EntityId { kind: Kind::Operator, id: Uuid::from_u128(n) }
}

fn change(version: u64, text: &str) -> Change {
    Change { version, bytes: text.as_bytes().to_vec() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_answer_is_lost_is_there_once_or_not_at_all() {
    let Some(mut between) = Between::open().await else { return };
    let entity = operator(1);
    let lost = between.proxy.lose_the_next_outcome();
    assert_eq!(between.store.append(entity, &change(1, "mine")).await.expect("settles"), Appended::Done);
    lost.surely();

    assert_eq!(between.beside.append(entity, &change(2, "theirs")).await.expect("appends"), Appended::Done);
    let lost = between.proxy.lose_the_next_outcome();
    assert_eq!(between.store.append(entity, &change(2, "mine")).await.expect("settles"), Appended::Overtaken);
    lost.surely();

    between.lose_the_next(b"never arrived");
    let failed = between.store.append(entity, &change(3, "never arrived")).await;
    assert!(failed.is_err(), "{failed:?}");
    let all = [change(1, "mine"), change(2, "theirs")];
    assert_eq!(between.beside.changes(entity, 0, 10).await.expect("reads"), all);
    assert_eq!(between.store.append(entity, &change(3, "never arrived")).await.expect("appends"), Appended::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_whose_answer_is_lost_has_the_holder_that_it_has() {
    let Some(mut between) = Between::open().await else { return };
    let (mine, theirs) = (operator(1), operator(2));
    let claim = |name: &str| Claim { scope: "edrpou".into(), name: name.to_owned() };
    let lost = between.proxy.lose_the_next_outcome();
    assert_eq!(between.store.claim(&claim("14360570"), mine).await.expect("settles"), mine);
    lost.surely();
    assert_eq!(between.beside.claim(&claim("14360570"), theirs).await.expect("claims"), mine);

    assert_eq!(between.beside.claim(&claim("20077720"), theirs).await.expect("claims"), theirs);
    let lost = between.proxy.lose_the_next_outcome();
    assert_eq!(between.store.claim(&claim("20077720"), mine).await.expect("settles"), theirs);
    lost.surely();

    between.lose_the_next(b"00032129");
    let failed = between.store.claim(&claim("00032129"), mine).await;
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(between.beside.claim(&claim("00032129"), theirs).await.expect("claims"), theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assertion_whose_answer_is_lost_is_let_in_once() {
    let Some(mut between) = Between::open().await else { return };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let now = UnixMillis(now.as_millis() as i64);
    // Of one shelf: those whose first bytes leave the same rest.
    let assertion = |n: u8| Admission { digest: [n; 32], expires: UnixMillis(now.0 + 60_000) };
    let lost = between.proxy.lose_the_next_outcome();
    assert_eq!(between.store.admit(&[assertion(4)], now).await.expect("settles"), [true]);
    lost.surely();
    assert_eq!(between.beside.admit(&[assertion(4)], now).await.expect("admits"), [false], "a replay");

    assert_eq!(between.beside.admit(&[assertion(8)], now).await.expect("admits"), [true]);
    let lost = between.proxy.lose_the_next_outcome();
    let together = between.store.admit(&[assertion(8), assertion(12)], now).await.expect("settles");
    assert_eq!(together, [false, true], "a replay, and one that came with it");
    lost.surely();
    assert_eq!(between.store.admit(&[assertion(12)], now).await.expect("admits"), [false]);

    between.lose_the_next(&[16; 32]);
    let failed = between.store.admit(&[assertion(16)], now).await;
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(between.beside.admit(&[assertion(16)], now).await.expect("admits"), [true]);
}
