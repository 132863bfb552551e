//! Licensing processes side by side: one store, one `REGISTRY`, each with a line to it that can be cut.

mod doubt;
mod filed;
mod mesh;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::prelude::*;
use async_trait::async_trait;
use contracts::registry::{Beat, LicenceKind, OperatorStanding};
use contracts::{Hash, OperatorId, UnixMillis};
use serde_json::json;
use uuid::Uuid;

use super::desk::{House, Work};
use super::sites::ListAccess;
use super::sites::tests::World;
use super::teller::{Board, Look, Place, Tells};
use super::{Decide, DecideError, Desks, Directory, Follower, Teller, now};
use crate::domain::history::{Author, Change, EntityId, Kind};
use crate::domain::operator::Operator;
use crate::domain::operator::decide::{Command, Refusal};
use crate::domain::operator::fact::{Decision, Ground, Moment};
use crate::domain::operator::licence::{Fee, Places};
use crate::storage::{Admission, Appended, Claim, EmbeddedStore, Store, StoreError};

/// How long something that must come may take; it comes within milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store that can be away, or lose the answer of an append.
pub(crate) struct Shaky {
    inner: EmbeddedStore,
    away: AtomicBool,
    /// Calls that failed because it is away.
    failed: AtomicUsize,
    loses_answer: AtomicBool,
}

impl Shaky {
    pub(crate) fn open(dir: &Path) -> Self {
        let inner = EmbeddedStore::open(dir).expect("opens");
        Self { inner, away: AtomicBool::new(false), failed: AtomicUsize::new(0), loses_answer: AtomicBool::new(false) }
    }

    pub(crate) fn away(self) -> Self {
        self.away.store(true, Ordering::Relaxed);
        self
    }

    fn there(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::Relaxed) {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return Err(StoreError(store::StoreError::NoDirectory));
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Shaky {
    async fn append(&self, entity: EntityId, change: &Change) -> Result<Appended, StoreError> {
        self.there()?;
        let done = self.inner.append(entity, change).await;
        if self.loses_answer.swap(false, Ordering::Relaxed) {
            return Err(StoreError(store::StoreError::NoDirectory));
        }
        done
    }

    async fn changes(&self, entity: EntityId, after: u64, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.there()?;
        self.inner.changes(entity, after, limit).await
    }

    async fn entities(&self, kind: Kind) -> Result<Vec<EntityId>, StoreError> {
        self.there()?;
        self.inner.entities(kind).await
    }

    async fn grown(&self, known: &BTreeMap<EntityId, u64>) -> Result<Vec<EntityId>, StoreError> {
        self.there()?;
        self.inner.grown(known).await
    }

    async fn claim(&self, claim: &Claim, holder: EntityId) -> Result<EntityId, StoreError> {
        self.there()?;
        self.inner.claim(claim, holder).await
    }

    async fn admit(&self, assertions: &[Admission], now: UnixMillis) -> Result<Vec<bool>, StoreError> {
        self.there()?;
        self.inner.admit(assertions, now).await
    }

    fn reachable(&self) -> Result<(), String> {
        self.there().map_err(|error| error.to_string())
    }
}

/// What was said on the board, in order.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Standing(OperatorStanding),
    Beat(Beat),
}

/// A stream that keeps the last message of each subject.
#[derive(Default)]
struct Stream {
    said: Vec<Said>,
}

impl Stream {
    fn last_of(&self, id: OperatorId) -> Option<OperatorStanding> {
        self.said.iter().rev().find_map(|said| match said {
            Said::Standing(standing) if standing.operator == id => Some(standing.clone()),
            _ => None,
        })
    }

    fn beat_at(&self) -> u64 {
        self.said.iter().rposition(|said| matches!(said, Said::Beat(_))).map_or(0, |at| at as u64 + 1)
    }

    fn beats(&self) -> usize {
        self.said.iter().filter(|said| matches!(said, Said::Beat(_))).count()
    }
}

/// A process's line to the stream.
#[derive(Clone, Default)]
struct Line {
    stream: Arc<Mutex<Stream>>,
    cut: Arc<AtomicBool>,
}

impl Line {
    fn another(&self) -> Self {
        Self { stream: Arc::clone(&self.stream), cut: Arc::default() }
    }

    fn read<T>(&self, read: impl FnOnce(&Stream) -> T) -> T {
        read(&self.stream.lock().expect("not poisoned"))
    }

    fn try_write<T>(&self, write: impl FnOnce(&mut Stream) -> T) -> Result<T, String> {
        if self.cut.load(Ordering::Relaxed) {
            return Err("cut".to_owned());
        }
        Ok(write(&mut self.stream.lock().expect("not poisoned")))
    }
}

#[async_trait]
impl Board for Line {
    async fn tell(&self, standing: &OperatorStanding) -> Result<Tells, String> {
        self.try_write(|stream| match stream.last_of(standing.operator) {
            Some(known) if known.version >= standing.version => Tells::There(Box::new(known)),
            _ => {
                stream.said.push(Said::Standing(standing.clone()));
                Tells::Done
            }
        })
    }

    async fn place(&self) -> Result<Place, String> {
        self.try_write(|stream| {
            let operators: std::collections::BTreeSet<OperatorId> = stream
                .said
                .iter()
                .filter_map(|said| match said {
                    Said::Standing(standing) => Some(standing.operator),
                    Said::Beat(_) => None,
                })
                .collect();
            let beat = stream.beat_at();
            Place { last: stream.said.len() as u64, messages: operators.len() as u64 + u64::from(beat > 0), beat }
        })
    }

    async fn beat(&self, beat: Beat, since: Place) -> Result<(), String> {
        self.try_write(|stream| {
            if stream.beat_at() == since.beat {
                stream.said.push(Said::Beat(beat));
            }
        })
    }
}

/// A licensing process without its routes. Its teller looks when it is told to, and at its start.
struct Process {
    follower: Arc<Follower>,
    desks: Desks,
    teller: Addr<Teller>,
    list: ListAccess,
    line: Line,
    _world: World,
}

impl Process {
    async fn start(store: &Arc<Shaky>, line: Line) -> Self {
        let store = Arc::clone(store) as Arc<dyn Store>;
        let directory = Arc::new(Directory::load(&*store).await.expect("loads"));
        let world = World::new();
        let list = world.start().await;
        let follower = Follower::start(store, directory, list.clone()).await.expect("starts");
        let follower = Arc::new(follower);
        let teller = Teller::new(Arc::clone(&follower), Arc::new(line.clone())).start();
        let house = House { proposal_life_ms: 1_000_000, issuer: "https://register.example".to_owned() };
        let work = Work { follower: Arc::clone(&follower), teller: teller.clone(), house };
        Self { follower, desks: Desks::new(Arc::new(work)), teller, list, line, _world: world }
    }

    /// Looks until a beat was said after those that were said before.
    async fn beats(&self) {
        let before = self.line.read(Stream::beats);
        until("a beat", || {
            self.teller.try_send(Look).expect("is there");
            self.line.read(|stream| (stream.beats() > before).then_some(()))
        })
        .await;
    }

    fn known(&self, id: OperatorId) -> Arc<Operator> {
        self.follower.directory().get(id).expect("is known")
    }

    async fn decide(&self, id: OperatorId, by: u8, command: Command) -> Result<Arc<Operator>, DecideError> {
        let expected = self.follower.directory().get(id).map_or(0, |known| known.head.version);
        self.desks.decide(id, Decide { expected, command, by: clerk(by) }).await
    }

    async fn propose(&self, id: OperatorId, decision: Decision) -> Uuid {
        let proposal = Uuid::new_v4();
        self.decide(id, 1, Command::Propose { proposal, decision, ground: ground() }).await.expect("proposed");
        proposal
    }

    /// Up to a proposal that enters its licence in the register.
    async fn to_be_licensed(&self, id: OperatorId, domain: &str) -> Uuid {
        let domains = vec![domain.parse().expect("a name")];
        let paid = Command::Pay { licence: 1, paid_at: Moment(now()), document: "п-1".parse().expect("a line") };
        for command in [
            Command::Register(entity()),
            Command::Apply { kind: LicenceKind::Betting, places: Places { domains, ..Places::default() } },
            Command::Review { licence: 1 },
        ] {
            self.decide(id, 1, command).await.expect("is done");
        }
        let granted = self.propose(id, Decision::Approve { licence: 1 }).await;
        let fee = Fee { amount: 100, currency: "UAH".into() };
        for command in [Command::Confirm { proposal: granted, ground: None }, Command::Bill { licence: 1, fee }, paid] {
            self.decide(id, 2, command).await.expect("is done");
        }
        let expires = Moment(UnixMillis(now().0 + 86_400_000));
        let number = format!("Б-{id}").parse().expect("a line");
        self.propose(id, Decision::Activate { licence: 1, number, expires }).await
    }
}

async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn store() -> (tempfile::TempDir, Arc<Shaky>) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Shaky::open(dir.path()));
    (dir, store)
}

fn new_id() -> OperatorId {
    OperatorId::new(Uuid::new_v4()).expect("not nil")
}

fn clerk(n: u8) -> Author {
    Author { sub: format!("clerk-{n}"), role: "clerk".to_owned() }
}

fn ground() -> Ground {
    let (law, document) = ("ст. 1".parse().expect("a line"), "1".parse().expect("a line"));
    Ground { law, document, document_hash: Hash([7; 32]) }
}

fn entity() -> crate::domain::operator::fact::LegalEntity {
    let entity =
        json!({"edrpou": "14360570", "name": "ТОВ «Приклад»", "address": "Київ", "email": "office@example.ua"});
    serde_json::from_value(entity).expect("an entity")
}
