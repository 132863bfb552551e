//! Operators that send through the SDK for as long as a test runs, and remember what they sent and what they were promised.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use client::{Config, Sender};
use contracts::receipt::Receipt;
use contracts::{OperatorId, StreamNo};
use dsom::generate::{Generator, Mix};
use tokio::task::JoinHandle;

use crate::check::Streams;
use crate::world::World;

/// Records pushed at a time, and how often.
const STEP: (usize, Duration) = (10, Duration::from_millis(40));

/// When receipts came.
#[derive(Clone, Default)]
pub struct Pulse {
    count: Arc<AtomicU64>,
    slowest: Arc<Mutex<Option<(Instant, Duration)>>>,
}

impl Pulse {
    /// Receipts so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The longest that nobody got a receipt.
    pub fn longest_gap(&self) -> Duration {
        self.slowest.lock().expect("a lock").map_or(Duration::ZERO, |(_, gap)| gap)
    }

    fn beat(&self, receipts: usize) {
        if receipts == 0 {
            return;
        }
        self.count.fetch_add(receipts as u64, Ordering::Relaxed);
        let mut slowest = self.slowest.lock().expect("a lock");
        let (last, gap) = slowest.unwrap_or((Instant::now(), Duration::ZERO));
        *slowest = Some((Instant::now(), gap.max(last.elapsed())));
    }
}

/// One stream: what was sent, and the receipts for it.
pub struct Sent {
    /// Whose.
    pub operator: OperatorId,
    /// Which.
    pub stream: u8,
    records: Vec<Vec<u8>>,
    receipts: Vec<Receipt>,
}

/// Senders at work.
pub struct Load {
    /// When receipts came.
    pub pulse: Pulse,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Sent>>,
}

/// All that became of a load, by operator.
pub type Outcome = BTreeMap<OperatorId, (Streams, Vec<Receipt>)>;

impl Load {
    /// Begins to send: `streams` streams of each operator, records made from `seed`.
    pub fn start(world: &World, operators: &[OperatorId], streams: u8, seed: u64) -> Self {
        let (pulse, stop) = (Pulse::default(), Arc::new(AtomicBool::new(false)));
        let mut tasks = Vec::new();
        for operator in operators {
            let token = world.token(*operator, "records:write records:read");
            for stream in 0..streams {
                let mut config = Config::new(&world.mesh().ingest, &token, *operator);
                config.batch_records_max = 50;
                config.linger = Duration::from_millis(50);
                config.try_timeout = Duration::from_secs(3);
                config.pause_max = Duration::from_millis(500);
                let seed = seed ^ operator.uuid().as_u128() as u64 ^ u64::from(stream);
                tasks.push(tokio::spawn(send(config, stream, seed, pulse.clone(), Arc::clone(&stop))));
            }
        }
        Self { pulse, stop, tasks }
    }

    /// Stops sending and waits until all that was sent has its receipt.
    pub async fn finish(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let mut outcome = Outcome::new();
        for task in self.tasks {
            let sent = task.await.expect("a sender ends in good order");
            let of = outcome.entry(sent.operator).or_default();
            of.0.insert(sent.stream, sent.records);
            of.1.extend(sent.receipts);
        }
        outcome
    }
}

async fn send(config: Config, stream: u8, seed: u64, pulse: Pulse, stop: Arc<AtomicBool>) -> Sent {
    let mut sent = Sent { operator: config.operator, stream, records: Vec::new(), receipts: Vec::new() };
    let mut sender = Sender::open(config, StreamNo(stream)).await.expect("a stream opens");
    let mut generator = Generator::new(seed, Mix::default(), sender.next_seq());
    let mut line = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..STEP.0 {
            line.clear();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() as i64;
            generator.push_line(&mut line, now);
            line.pop();
            sender.push(&line).await.expect("a record is taken");
            sent.records.push(line.clone());
        }
        let receipts = sender.receipts();
        pulse.beat(receipts.len());
        sent.receipts.extend(receipts);
        tokio::time::sleep(STEP.1).await;
    }
    let receipts = sender.finish().await.expect("everything is accepted");
    pulse.beat(receipts.len());
    sent.receipts.extend(receipts);
    sent
}
