//! The keeper over the embedded store: durability, rivals, faults, days that come, and signatures.

mod licensed;
mod past;
mod zone;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use actix::Arbiter;
use async_trait::async_trait;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::Hash;
use ed25519_dalek::{Signature, VerifyingKey};
use jiff::civil::date;
use runtime::signing::SigningKey;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::history::{Change, Kind};
use crate::domain::operator::fact::Ground;
use crate::domain::sites::delta::NoDelta;
use crate::domain::sites::measure::{Block, Evidence, Lift, Measure};
use crate::domain::sites::rpz::{Answer, Times};
use crate::domain::sites::subject::Subject;
use crate::storage::{Admission, Claim, EmbeddedStore};

/// Monday, 23 November 2026, 8:00 in Kyiv.
const NOW_MS: i64 = 1_795_413_600_000;
const DAY_MS: i64 = 86_400_000;

/// A store that fails when told to: 1 before it writes, 2 after.
struct Faulty {
    inner: EmbeddedStore,
    fault: AtomicU8,
}

#[async_trait]
impl Store for Faulty {
    async fn append(&self, entity: EntityId, change: &Change) -> Result<Appended, StoreError> {
        let fault = self.fault.swap(0, Ordering::Relaxed);
        if fault == 1 {
            return Err(StoreError(store::StoreError::NoDirectory));
        }
        let done = self.inner.append(entity, change).await;
        if fault == 2 { Err(StoreError(store::StoreError::NoDirectory)) } else { done }
    }

    async fn changes(&self, entity: EntityId, after: u64, limit: usize) -> Result<Vec<Change>, StoreError> {
        if self.fault.load(Ordering::Relaxed) == 3 {
            return Err(StoreError(store::StoreError::NoDirectory));
        }
        self.inner.changes(entity, after, limit).await
    }

    async fn entities(&self, kind: Kind) -> Result<Vec<EntityId>, StoreError> {
        self.inner.entities(kind).await
    }

    async fn grown(&self, known: &BTreeMap<EntityId, u64>) -> Result<Vec<EntityId>, StoreError> {
        self.inner.grown(known).await
    }

    async fn claim(&self, claim: &Claim, holder: EntityId) -> Result<EntityId, StoreError> {
        self.inner.claim(claim, holder).await
    }

    async fn admit(&self, assertions: &[Admission], now: UnixMillis) -> Result<Vec<bool>, StoreError> {
        self.inner.admit(assertions, now).await
    }

    fn reachable(&self) -> Result<(), String> {
        self.inner.reachable()
    }
}

/// A store in a directory of its own, a clock that is moved by hand, and a key.
pub(crate) struct World {
    _dir: tempfile::TempDir,
    store: Arc<Faulty>,
    clock_ms: Arc<AtomicI64>,
    pub key: Arc<SigningKey>,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = EmbeddedStore::open(dir.path()).expect("opens");
        let key = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).expect("a key");
        Self {
            _dir: dir,
            store: Arc::new(Faulty { inner, fault: AtomicU8::new(0) }),
            clock_ms: Arc::new(AtomicI64::new(NOW_MS)),
            key: Arc::new(SigningKey::new(key)),
        }
    }

    /// A process that keeps the list.
    pub(crate) async fn start(&self) -> ListAccess {
        self.try_start().await.expect("starts")
    }

    async fn try_start(&self) -> Result<ListAccess, LoadError> {
        self.start_set_to(Answer::NoSuchName).await
    }

    /// A process whose zone is set to this answer.
    async fn start_set_to(&self, answer: Answer) -> Result<ListAccess, LoadError> {
        let clock = Arc::clone(&self.clock_ms);
        let name = |text: &str| text.parse().expect("a name");
        let around = Surroundings {
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            signer: Arc::clone(&self.key) as Arc<dyn Signer>,
            calendar: Arc::new(Calendar::new("Europe/Kyiv", []).expect("a calendar")),
            zone: Zone {
                origin: name("rpz.example.ua"),
                server: name("ns.example.ua"),
                contact: name("hostmaster.example.ua"),
                answer,
                times: Times::default(),
            },
            proposal_life_ms: DAY_MS,
            clock: Arc::new(move || UnixMillis(clock.load(Ordering::Relaxed))),
        };
        ListAccess::start(around, &Arbiter::current()).await
    }

    pub(crate) fn pass_ms(&self, ms: i64) {
        self.clock_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Writes a change past all rules.
    pub(crate) async fn forge(&self, change: &Change) {
        assert_eq!(
            self.store.append(EntityId::SITES, change).await.expect("the store does not read it"),
            Appended::Done
        );
    }

    fn fail(&self, fault: u8) {
        self.store.fault.store(fault, Ordering::Relaxed);
    }
}

fn clerk(sub: &str) -> Author {
    Author { sub: sub.to_owned(), role: "clerk".to_owned() }
}

fn site(text: &str) -> Subject {
    Subject::Site(text.parse().expect("a domain"))
}

fn ground() -> Ground {
    let line = |text: &str| text.parse().expect("a line");
    Ground {
        law: line("Law 768-IX, art. 16"),
        document: "R-101".parse().expect("a line"),
        document_hash: Hash([9; 32]),
    }
}

fn blocks_from(names: &[&str], blocked_from: jiff::civil::Date) -> Measure {
    let evidence = Evidence {
        text: "takes bets without a licence".parse().expect("a line"),
        reference: "case 17/2026".parse().expect("a line"),
        hash: Hash([7; 32]),
    };
    let block = |name: &&str| Block { subject: site(name), evidence: evidence.clone(), blocked_from };
    Measure::new(names.iter().map(block).collect(), vec![]).expect("a measure")
}

pub(crate) fn blocks(names: &[&str]) -> Measure {
    blocks_from(names, date(2026, 11, 23))
}

pub(crate) fn lifts(name: &str) -> Measure {
    Measure::new(vec![], vec![Lift { subject: site(name), reason: "a court said so".parse().expect("a line") }])
        .expect("a measure")
}

fn propose(id: u128, measure: Measure) -> Order {
    Order::Propose { proposal: Uuid::from_u128(id), measure, ground: ground() }
}

fn confirm(id: u128) -> Order {
    Order::Confirm { proposal: Uuid::from_u128(id) }
}

async fn order(list: &ListAccess, order: Order, by: &str) -> Result<Decided, Unanswered> {
    let version = list.shown().sites.head().version;
    list.decide(Decide { order, by: clerk(by), version }).await
}

pub(crate) async fn carry_out(list: &ListAccess, id: u128, measure: Measure) -> Decided {
    order(list, propose(id, measure), "ann").await.expect("can be proposed");
    order(list, confirm(id), "bob").await.expect("can be confirmed")
}

fn refusal(answer: Result<Decided, Unanswered>) -> Refusal {
    match answer {
        Err(Unanswered::NotDecided(NotDecided::Refused(refusal))) => refusal,
        other => panic!("{other:?}"),
    }
}

fn stands(list: &ListAccess, name: &str) -> &'static str {
    list.shown().sites.list().standing(&site(name)).as_str()
}

#[actix_rt::test]
async fn what_is_confirmed_is_durable_and_shown_by_the_feeds() {
    let world = World::new();
    let list = world.start().await;
    assert_eq!((list.feeds().serial, list.shown().sites.head().version), (Serial(0), 0));
    let id = order(&list, propose(1, blocks(&["a.ua", "b.ua"])), "ann").await.expect("can be proposed");
    assert_eq!(id, Decided { version: 1, serial: Serial(0), new: true });
    assert_eq!(refusal(order(&list, confirm(1), "ann").await), Refusal::OwnProposal);
    let done = order(&list, confirm(1), "bob").await.expect("another's");
    assert_eq!(done, Decided { version: 2, serial: Serial(1), new: true });
    let feeds = list.feeds();
    assert_eq!(feeds.serial, Serial(1), "the answer comes when the feeds show it");
    assert!(String::from_utf8_lossy(&feeds.text.bytes).ends_with("\na.ua\nb.ua\n"));
    let again = world.start().await;
    assert_eq!((stands(&again, "a.ua"), again.feeds().text.etag.clone()), ("blocked", feeds.text.etag.clone()));
    assert_eq!(again.shown().sites.head(), list.shown().sites.head());
    let known = order(&again, propose(1, blocks(&["a.ua", "b.ua"])), "ann").await.expect("is there");
    assert!(!known.new && known.version == 2);
    let state = again.ask().await.expect("answers");
    let expected = Snapshot { version: 2, serial: Serial(1), blocked: 2, waiting: 0, licensed: 0, failing: false };
    assert_eq!(state, expected);
}

#[actix_rt::test]
async fn of_two_processes_one_is_first_and_the_other_learns_of_it() {
    let world = World::new();
    let (one, other) = (world.start().await, world.start().await);
    carry_out(&one, 1, blocks(&["a.ua"])).await;
    let late = other.decide(Decide { order: propose(2, blocks(&["b.ua"])), by: clerk("eve"), version: 0 }).await;
    assert_eq!(refusal(late), Refusal::Stale { version: 2 });
    assert_eq!(stands(&other, "a.ua"), "blocked", "it has read what was first");
    carry_out(&other, 2, blocks(&["b.ua"])).await;
    one.catch_up().await.expect("answers");
    assert_eq!(stands(&one, "b.ua"), "blocked");

    // Both want to confirm the same proposal at the same version.
    order(&one, propose(3, blocks(&["c.ua"])), "ann").await.expect("can be proposed");
    other.catch_up().await.expect("answers");
    let (first, second) = futures::join!(order(&one, confirm(3), "bob"), order(&other, confirm(3), "eve"));
    let outcomes = [first, second].map(|outcome| outcome.map(|done| done.version).map_err(|error| refusal(Err(error))));
    assert!(outcomes.contains(&Ok(6)) && outcomes.contains(&Err(Refusal::Stale { version: 6 })), "{outcomes:?}");
}

#[actix_rt::test]
async fn a_store_that_fails_leaves_no_doubt_behind() {
    let world = World::new();
    let list = world.start().await;
    let store_failed = |answer: &Result<Decided, Unanswered>| {
        matches!(answer, Err(Unanswered::NotDecided(NotDecided::Failed(Failure::Store(_)))))
    };
    world.fail(1);
    assert!(store_failed(&order(&list, propose(1, blocks(&["a.ua"])), "ann").await));
    assert_eq!(list.shown().sites.head().version, 0);
    assert!(order(&list, propose(1, blocks(&["a.ua"])), "ann").await.expect("the store is back").new);

    // It was written, but the answer was lost.
    world.fail(2);
    assert!(store_failed(&order(&list, confirm(1), "bob").await));
    world.pass_ms(1);
    let repeated = order(&list, confirm(1), "bob").await;
    assert_eq!(refusal(repeated), Refusal::Stale { version: 2 }, "another change has the place: the lost one");
    assert_eq!((stands(&list, "a.ua"), list.shown().sites.head().version), ("blocked", 2));

    world.fail(3);
    list.catch_up().await.expect("answers");
    assert!(list.ask().await.expect("answers").failing);
    assert!(matches!(world.try_start().await, Err(LoadError::Failed(Failure::Store(_)))));
    world.fail(0);
    list.catch_up().await.expect("answers");
    assert!(!list.ask().await.expect("answers").failing);
}

#[actix_rt::test]
async fn a_history_that_was_touched_is_not_loaded() {
    let world = World::new();
    let list = world.start().await;
    carry_out(&list, 1, blocks(&["a.ua"])).await;
    let forged = Change { version: 3, bytes: br#"{"entity":"sites"}"#.to_vec() };
    world.forge(&forged).await;
    assert!(matches!(world.try_start().await, Err(LoadError::Failed(Failure::Damaged(_)))));
    list.catch_up().await.expect("answers");
    assert!(list.ask().await.expect("answers").failing);
    assert_eq!(stands(&list, "a.ua"), "blocked", "readers have what was good");
}

#[actix_rt::test]
async fn what_was_announced_begins_on_its_day_in_kyiv() {
    let world = World::new();
    let list = world.start().await;
    let done = carry_out(&list, 1, blocks_from(&["later.ua"], date(2026, 11, 25))).await;
    assert_eq!((done.serial, stands(&list, "later.ua")), (Serial(0), "announced"));
    // It is 8:00 on the 23rd; the 25th begins after 40 hours.
    world.pass_ms(40 * 3_600_000 - 1);
    list.catch_up().await.expect("answers");
    assert_eq!(stands(&list, "later.ua"), "announced");
    world.pass_ms(1);
    list.catch_up().await.expect("answers");
    assert_eq!(stands(&list, "later.ua"), "blocked");
    let by = list.changes(2, 9).await.expect("reads");
    assert!(
        String::from_utf8_lossy(&by[0].bytes)
            .contains(r#""by":{"sub":"licensing","role":"system"},"fact":{"type":"began","day":"2026-11-25"}"#)
    );
    list.feeds_with(Serial(1)).await.expect("is shown");
    list.catch_up().await.expect("answers");
    assert_eq!(list.shown().sites.head().version, 3, "once");
}

#[actix_rt::test]
async fn who_lets_go_of_the_list_lets_go_of_the_store() {
    let world = World::new();
    let list = world.start().await;
    carry_out(&list, 1, blocks(&["a.ua"])).await;
    assert!(Arc::strong_count(&world.store) > 1);
    drop(list);
    let gone = || async {
        while Arc::strong_count(&world.store) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(2), gone()).await.expect("is let go of at once");
}

#[actix_rt::test]
async fn only_so_many_orders_wait() {
    let world = World::new();
    let list = world.start().await;
    let orders = (0..40).map(|n| list.decide(Decide { order: confirm(n), by: clerk("bob"), version: 0 }));
    let answers = futures::future::join_all(orders).await;
    let busy = answers.iter().filter(|answer| matches!(answer, Err(Unanswered::Busy))).count();
    assert_eq!(busy, 8);
    assert_eq!(refusal(order(&list, confirm(1), "bob").await), Refusal::NoProposal(Uuid::from_u128(1)));
}

/// Checks a detached JWS over a body with another library than the one that signed.
pub(crate) fn verify(key: &SigningKey, jws: &str, body: &[u8]) -> bool {
    verify_with(key, jws, body, &json!({"alg": "EdDSA", "b64": false, "crit": ["b64"], "kid": key.kid()}))
}

/// The same of a feed of the past, which must say of when it is.
pub(crate) fn verify_past(key: &SigningKey, jws: &str, body: &[u8], as_of: &str) -> bool {
    let header = json!({"alg": "EdDSA", "as_of": as_of, "b64": false, "crit": ["as_of", "b64"], "kid": key.kid()});
    verify_with(key, jws, body, &header)
}

fn verify_with(key: &SigningKey, jws: &str, body: &[u8], expected: &Value) -> bool {
    let parts: Vec<&str> = jws.split('.').collect();
    let [header, "", signature] = parts[..] else { panic!("{jws}") };
    let fields: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON");
    assert_eq!(&fields, expected);
    let x = URL_SAFE_NO_PAD.decode(key.jwk()["x"].as_str().expect("text")).expect("base64url");
    let public = VerifyingKey::from_bytes(&x.try_into().expect("32 bytes")).expect("a key");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let signature = Signature::from_slice(&signature).expect("a signature");
    public.verify_strict(&[header.as_bytes(), b".", body].concat(), &signature).is_ok()
}

#[actix_rt::test]
async fn every_feed_and_every_delta_is_signed() {
    let world = World::new();
    let list = world.start().await;
    carry_out(&list, 1, blocks(&["a.ua", "b.ua"])).await;
    carry_out(&list, 2, lifts("a.ua")).await;
    let feeds = list.feeds();
    for feed in [&feeds.json, &feeds.text, &feeds.zone] {
        assert!(verify(&world.key, &feed.jws, &feed.bytes));
        assert!(!verify(&world.key, &feed.jws, &feed.bytes[1..]));
    }
    for form in [Form::Json, Form::Text] {
        let since = |serial| Wanted { form, since: Some(Serial(serial)), as_of: None };
        let delta = list.feed(since(1)).await.expect("known");
        assert!(verify(&world.key, &delta.jws, &delta.bytes));
        assert!(String::from_utf8_lossy(&delta.bytes).contains("a.ua") && delta.etag.starts_with("\"2-"));
        let unknown = list.feed(since(3)).await.expect_err("not yet");
        assert!(matches!(unknown, FeedError::NoDelta(NoDelta::Unknown)));
    }
}
