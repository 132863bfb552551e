//! A test's own nats-server, store directory, key, and a sender of frames that does what ingest does.

use std::num::NonZeroU8;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{Bus, BusConfig, Headers, LostStreams, StreamBytes};
use chaining::actors::Witness;
use chaining::actors::log::steps;
use chaining::domain::chain::{NewBlock, Taken, seal};
use chaining::domain::frame::check;
use chaining::domain::key::LogKey;
use chaining::domain::partitions::Partitions;
use chaining::metrics::Metrics;
use chaining::pipeline::Pipeline;
use chaining::storage::{Appended, EmbeddedStore, Store};
use contracts::events::CE_FRAME;
use contracts::frame::{BatchMeta, Frame, Packer, Unpacker};
use contracts::{Hash, Height, OperatorId, Seq, StreamNo, UnixMillis, subjects};
use testkit::NatsServer;

/// How long something that must happen may take.
pub const SOON: Duration = Duration::from_secs(20);
pub const ORIGIN: &str = "log.dsom.test/chaining";

pub fn operator(n: u8) -> OperatorId {
    format!("13013f29-b9df-4b82-ad28-e51596b7e0{n:02x}").parse().unwrap()
}

pub fn key() -> Arc<LogKey> {
    let signer = ledger::note::Signer::from_seed(ORIGIN, &[7; 32]).unwrap();
    Arc::new(LogKey::parse(&signer.to_secret_text(), ORIGIN).unwrap())
}

pub async fn connect(nats: &NatsServer) -> Bus {
    connect_with(nats, StreamBytes::default()).await
}

pub async fn connect_with(nats: &NatsServer, room: StreamBytes) -> Bus {
    let config = BusConfig {
        url: nats.url(),
        monitor_url: nats.monitor_url(),
        replicas: NonZeroU8::MIN,
        name: "test".into(),
        login: None,
    };
    let bus = Bus::connect(config).await.unwrap();
    bus.declare(room, LostStreams::Create).await.unwrap();
    bus
}

pub fn open(dir: &Path) -> Arc<dyn Store> {
    Arc::new(EmbeddedStore::open(dir).unwrap())
}

pub async fn start(bus: &Bus, store: &Arc<dyn Store>) -> Pipeline {
    Pipeline::start(bus.clone(), store.clone(), key(), Metrics::new(), Partitions::all()).await.unwrap()
}

/// A record that differs from every other.
pub fn record(stream: u8, seq: u64) -> Vec<u8> {
    format!(r#"{{"seq":{seq},"stream":{stream},"id":"{:032x}"}}"#, u128::from(seq) * 0x9e37_79b9_7f4a_7c15).into_bytes()
}

/// A frame of `count` records from `first`, in batches of at most `batch`.
pub fn frame(operator: OperatorId, stream: u8, first: u64, count: u64, batch: u64) -> Frame {
    frame_with(operator, stream, first, count, batch, |seq| record(stream, seq))
}

/// As [`frame`], of these records.
pub fn frame_with(
    operator: OperatorId,
    stream: u8,
    first: u64,
    count: u64,
    batch: u64,
    record: impl Fn(u64) -> Vec<u8>,
) -> Frame {
    let records: Vec<Vec<u8>> = (first..first + count).map(record).collect();
    let lengths: Vec<u16> = records.iter().map(|one| one.len() as u16).collect();
    let bytes = records.concat();
    let part = Packer::new().unwrap().pack([(&lengths[..], &bytes[..])].into_iter()).unwrap();
    let batches = records
        .chunks(batch as usize)
        .enumerate()
        .map(|(n, chunk)| {
            let leaves: Vec<_> = chunk.iter().map(|one| ledger::leaf_hash(one)).collect();
            BatchMeta {
                first_seq: Seq::new(first + n as u64 * batch).unwrap(),
                count: chunk.len() as u32,
                accepted_at: now(),
                root: ledger::root(&leaves),
            }
        })
        .collect();
    Frame::new(operator, StreamNo(stream), batches, vec![part]).unwrap()
}

pub fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixMillis(since.as_millis() as i64)
}

pub async fn publish(bus: &Bus, frame: &Frame) -> u64 {
    publish_bytes(bus, &subjects::tx(frame.operator, frame.stream), frame.encode()).await
}

pub async fn publish_bytes(bus: &Bus, subject: &str, bytes: Vec<u8>) -> u64 {
    let id = ledger::block_hash(&bytes).to_string();
    bus.publish(subject, Headers::event(CE_FRAME, &id), bytes.into()).await.unwrap().stream_seq
}

/// Waits until `done` says so; panics when it does not come.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut done: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        if let Some(found) = done().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come in {SOON:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn sealed(store: &Arc<dyn Store>, operator: OperatorId, stream: u8, seq: u64) {
    until(&format!("sealing {operator} stream {stream} up to {seq}"), || async {
        let head = store.head(operator).await.unwrap();
        (head.sealed_through(StreamNo(stream)) >= seq).then_some(())
    })
    .await;
}

/// The next block of an operator's stream 0, made as a chain makes it.
pub async fn next_block(store: &Arc<dyn Store>, operator: OperatorId, records: u64) -> NewBlock {
    let head = store.head(operator).await.unwrap();
    let first = head.sealed_through(StreamNo(0)) + 1;
    let frame = frame(operator, 0, first, records, 4);
    let checked = check(frame.encode().into(), &frame, &mut Unpacker::new().unwrap()).unwrap();
    seal(operator, &head, &[Taken { tx_seq: first, frame: checked }], now()).unwrap()
}

/// Appends blocks of three records.
pub async fn append(store: &Arc<dyn Store>, operator: OperatorId, blocks: u64) {
    for _ in 0..blocks {
        let block = next_block(store, operator, 3).await;
        assert_eq!(store.append_block_if_head_is(block).await.unwrap(), Appended::Appended);
    }
}

/// Brings the log to the end of all chains.
pub async fn log_everything(store: &Arc<dyn Store>) {
    let mut news = steps::behind(store).await.unwrap();
    let mut standing = steps::recover(&**store, &key(), &Nobody).await.unwrap();
    while let Some(grown) = steps::integrate(&**store, &key(), &standing, &mut news).await.unwrap() {
        standing = grown.standing;
    }
}

/// Nobody was told anything.
pub struct Nobody;

#[async_trait]
impl Witness for Nobody {
    async fn last_block(&self, _: OperatorId) -> Result<Option<(Height, Hash)>, String> {
        Ok(None)
    }

    async fn last_checkpoint(&self) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}
