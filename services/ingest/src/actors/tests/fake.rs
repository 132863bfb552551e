//! The broker and the index of these tests, and a world of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use contracts::frame::Frame;
use contracts::{OperatorId, Seq, StreamNo};
use tokio::sync::oneshot;

use super::super::*;
use crate::domain::batch::tests::batch_of;
use crate::domain::{Beside, Budget, Difference, Flagged, StreamKey};
use crate::storage::{AcceptedFrame, KnownBatch, Store, StoreError};

/// What the next append does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Script {
    /// Another replica appends this many records first.
    OvertakenBy(u64),
    /// Stored, but the answer is lost.
    StoredUnanswered,
    /// Not stored, and the answer is lost.
    LostUnanswered,
    Full,
}

#[derive(Default)]
pub(super) struct Fake {
    pub(super) frames: Mutex<Vec<Frame>>,
    pub(super) script: Mutex<VecDeque<Script>>,
    pub(super) away: Mutex<bool>,
    pub(super) delay: Mutex<Duration>,
    pub(super) alerts: Mutex<Vec<Difference>>,
    pub(super) alerts_away: Mutex<bool>,
    /// What chaining says is sealed; nothing when it does not answer.
    pub(super) sealed: Mutex<Option<u64>>,
    pub(super) flagged: Mutex<Vec<Flagged>>,
    /// Old frames are asked for and do not come.
    pub(super) hangs: Mutex<bool>,
}

impl Fake {
    pub(super) fn foreign(&self, key: StreamKey, records: u64) {
        let mut frames = self.frames.lock().unwrap();
        let first = frames.last().map_or(1, |f| f.last_seq() + 1);
        let texts: Vec<String> = (first..first + records).map(|n| format!("{{\"n\":{n}}}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let piece = packing::Piece { batch: Arc::new(batch_of(first, &texts)), part: None, beside: None, skip: 0 };
        let (bytes, _) = Packers::default().frame(key, &[piece], now()).unwrap();
        frames.push(Frame::decode(&bytes).unwrap());
    }
}

#[async_trait]
impl Broker for Fake {
    async fn last(&self, _: StreamKey) -> Result<Option<Stored>, Unavailable> {
        if *self.away.lock().unwrap() {
            return Err(Unavailable::Broker);
        }
        let frames = self.frames.lock().unwrap();
        Ok(frames.last().map(|frame| Stored { tx_seq: frames.len() as u64, frame: frame.clone() }))
    }

    async fn append(&self, key: StreamKey, _: Seq, bytes: Bytes, fence: u64) -> Result<u64, AppendError> {
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        if *self.away.lock().unwrap() {
            return Err(AppendError::Refused(Unavailable::Broker));
        }
        let script = self.script.lock().unwrap().pop_front();
        match script {
            Some(Script::OvertakenBy(records)) => self.foreign(key, records),
            Some(Script::LostUnanswered) => return Err(AppendError::Unknown),
            Some(Script::Full) => return Err(AppendError::Refused(Unavailable::Full)),
            Some(Script::StoredUnanswered) | None => {}
        }
        let mut frames = self.frames.lock().unwrap();
        if frames.len() as u64 != fence {
            return Err(AppendError::Fence);
        }
        frames.push(Frame::decode(&bytes).unwrap());
        if matches!(script, Some(Script::StoredUnanswered)) {
            Err(AppendError::Unknown)
        } else {
            Ok(frames.len() as u64)
        }
    }

    async fn frames(&self, _: StreamKey, from: Seq, to: u64, _: u64) -> Result<Vec<Stored>, Unavailable> {
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        let frames = self.frames.lock().unwrap();
        let wanted = frames.iter().filter(|f| f.first_seq().get() <= to && from.get() <= f.last_seq());
        Ok(wanted.map(|frame| Stored { tx_seq: 0, frame: frame.clone() }).collect())
    }

    async fn sealed_through(&self, _: StreamKey) -> Result<u64, Unavailable> {
        self.sealed.lock().unwrap().ok_or(Unavailable::Chaining)
    }

    async fn streams(&self, _: OperatorId) -> Result<Vec<StreamNo>, Unavailable> {
        Ok(vec![StreamNo(0)])
    }

    async fn alert(&self, _: StreamKey, difference: Difference) -> Result<(), Unavailable> {
        if *self.alerts_away.lock().unwrap() {
            return Err(Unavailable::Broker);
        }
        self.alerts.lock().unwrap().push(difference);
        Ok(())
    }

    async fn alert_flagged(&self, _: StreamKey, flagged: Flagged) -> Result<(), Unavailable> {
        if *self.alerts_away.lock().unwrap() {
            return Err(Unavailable::Broker);
        }
        self.flagged.lock().unwrap().push(flagged);
        Ok(())
    }
}

/// An index that has forgotten all it was told, but may claim to know a last seq.
#[derive(Default)]
pub(super) struct Forgetful(pub(super) Mutex<Option<KnownBatch>>);

#[async_trait]
impl Store for Forgetful {
    async fn remember(&self, _: Vec<AcceptedFrame>) -> Result<(), StoreError> {
        Ok(())
    }
    async fn batch_holding(&self, _: StreamKey, _: Seq) -> Result<Option<KnownBatch>, StoreError> {
        Ok(None)
    }
    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
    async fn last_batch(&self, _: StreamKey) -> Result<Option<KnownBatch>, StoreError> {
        Ok(*self.0.lock().unwrap())
    }
}

pub(super) struct World {
    pub(super) fake: Arc<Fake>,
    pub(super) store: Arc<Forgetful>,
    pub(super) registry: Registry,
    pub(super) key: StreamKey,
}

impl World {
    pub(super) fn new() -> Self {
        Self::over(Arc::default(), Arc::default())
    }

    /// Another process over the same broker, which has had an index all along.
    pub(super) fn over(fake: Arc<Fake>, store: Arc<Forgetful>) -> Self {
        Self::begun(fake, store, false)
    }

    pub(super) fn begun(fake: Arc<Fake>, store: Arc<Forgetful>, began_empty: bool) -> Self {
        let index = IndexWriter::start(store.clone());
        let truth = Arc::new(Truth::new(fake.clone(), store.clone(), index, began_empty));
        let registry = Registry::new(truth, Arc::default(), 1);
        let operator = "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().unwrap();
        Self { fake, store, registry, key: StreamKey { operator, stream: StreamNo(0) } }
    }

    pub(super) fn tell(&self, first: u64, records: &[&str]) -> oneshot::Receiver<Result<Accepted, Refusal>> {
        self.tell_beside(first, records, None)
    }

    pub(super) fn tell_beside(
        &self,
        first: u64,
        records: &[&str],
        beside: Option<Arc<Beside>>,
    ) -> oneshot::Receiver<Result<Accepted, Refusal>> {
        let (reply, answer) = oneshot::channel();
        let batch = Arc::new(batch_of(first, records));
        let span = tracing::Span::none();
        let append = Append { batch, part: None, beside, lease: Budget::new(1).lease(self.key.operator), span, reply };
        self.registry.tell(self.key, Order::Append(append)).expect("room in the mailbox");
        answer
    }

    pub(super) async fn send(&self, first: u64, records: &[&str]) -> Result<Accepted, Refusal> {
        self.tell(first, records).await.expect("an answer")
    }

    pub(super) async fn find(&self, seq: u64) -> Option<(u64, u64)> {
        let (reply, answer) = oneshot::channel();
        let find = Find { seq: Seq::new(seq).unwrap(), reply };
        self.registry.tell(self.key, Order::Find(find)).expect("room");
        let found = answer.await.expect("an answer").expect("the broker is there");
        found.map(|meta| (meta.first_seq.get(), meta.last_seq()))
    }

    pub(super) fn stored(&self) -> Vec<(u64, u64)> {
        self.fake.frames.lock().unwrap().iter().map(|f| (f.first_seq().get(), f.last_seq())).collect()
    }
}
