//! Two ingest processes on one stream under load, killed in turn: JetStream's fence decides, receipts and chain agree.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use contracts::OperatorId;
use contracts::receipt::{Claims, Receipt};
use dsom::generate::{Generator, Mix};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use testkit::{Process, binary, free_port};

use crate::check::everything_holds;
use crate::load::Outcome;
use crate::world::{World, signal, turn, until};

/// The stream both serve.
const STREAM: u8 = 3;
/// Times that one of them is killed.
const KILLS: usize = 4;
/// Batches that are made, at most this many records each: enough for all kills, were each as slow as it may be.
const BATCHES: usize = 2_500;
const RECORDS_MAX: usize = 20;
/// Pause between two batches of a sender, or a fast machine would be done before the last kill.
const PAUSE: Duration = Duration::from_millis(10);
/// How long one may take to be ready after a kill.
const RECOVERY: Duration = Duration::from_secs(20);
/// How long a request may take, gaps and outages and all.
const REQUEST: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ingest_processes_on_one_stream_agree_while_they_are_killed_in_turn() {
    let _turn = turn().await;
    let seed: u64 = rand::random();
    println!("replicas: seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::started().await;
    let operator: OperatorId = "7b1d3b1a-b9df-4b82-ad28-e51596b7e0b4".parse().expect("an operator");
    let token = world.token(operator, "records:write records:read");
    let (mut second, second_url) = Second::start(&world).await;
    let batches = Arc::new(batches(seed, &mut random));

    // Each sender sends every batch, to its own process, so that each batch is sent twice and one of the two comes late.
    let (at, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let senders: Vec<_> = [world.mesh().ingest, second_url.clone()]
        .into_iter()
        .map(|url| {
            let send = Sending {
                http: world.http.clone(),
                url: format!("{url}/v1/streams/{STREAM}/batches"),
                token: token.clone(),
                batches: Arc::clone(&batches),
                at: Arc::clone(&at),
                stop: Arc::clone(&stop),
            };
            tokio::spawn(send.run())
        })
        .collect();

    for kill in 0..KILLS {
        let from = at.load(Ordering::Relaxed);
        let due = from + random.random_range(10..30);
        until("batches to be sent", REQUEST, || async { (at.load(Ordering::Relaxed) >= due).then_some(()) }).await;
        let began = Instant::now();
        let url = match kill % 2 {
            0 => {
                let pid = world.mesh().pids["ingest"];
                assert!(signal(pid, "KILL"), "ingest is gone");
                until("ingest to be started again", RECOVERY, || async {
                    (world.mesh_if_ready()?.pids["ingest"] != pid).then_some(())
                })
                .await;
                world.mesh().ingest
            }
            _ => {
                second.again();
                second_url.clone()
            }
        };
        let ready = format!("{url}/readyz");
        until("the killed one to be ready", RECOVERY, || world.get(&ready, None)).await;
        println!("killed {url}, ready again after {} ms", began.elapsed().as_millis());
    }
    stop.store(true, Ordering::Relaxed);

    let mut receipts: Vec<BTreeMap<usize, Receipt>> = Vec::new();
    for sender in senders {
        receipts.push(sender.await.expect("a sender ends in good order"));
    }
    let sent = receipts.iter().map(BTreeMap::len).max().unwrap_or_default();
    // What both have a receipt for is one promise, whoever gave it.
    let both = receipts[0].iter().filter_map(|(at, one)| Some((at, &one.claims, &receipts[1].get(at)?.claims)));
    let agreed = both.map(|(at, one, other)| assert_eq!(one, other, "batch {at}")).count();
    let records = batches[..sent].concat();
    let all: BTreeMap<usize, Receipt> = receipts.into_iter().flatten().collect();
    let promised: Vec<Receipt> = all.into_values().collect();
    let outcome = Outcome::from([(operator, (BTreeMap::from([(STREAM, records)]), promised))]);
    let (records, receipts, proofs) = everything_holds(&world, &outcome, &mut random).await;
    println!(
        "seed {seed}: {records} records, {receipts} receipts, {agreed} given by both and the same, {proofs} proofs"
    );
    assert!(agreed > KILLS);
}

/// Records of the stream, in batches.
fn batches(seed: u64, random: &mut StdRng) -> Vec<Vec<Vec<u8>>> {
    let mut generator = Generator::new(seed, Mix::default(), 1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() as i64;
    let mut record = || {
        let mut line = Vec::new();
        generator.push_line(&mut line, now);
        line.pop();
        line
    };
    (0..BATCHES).map(|_| (0..random.random_range(1..=RECORDS_MAX)).map(|_| record()).collect()).collect()
}

/// One who sends all batches in order to one process, each until it has its receipt.
struct Sending {
    http: reqwest::Client,
    url: String,
    token: String,
    batches: Arc<Vec<Vec<Vec<u8>>>>,
    at: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Sending {
    async fn run(self) -> BTreeMap<usize, Receipt> {
        let mut receipts = BTreeMap::new();
        for (at, batch) in self.batches.iter().enumerate() {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let body = batch.join(&b'\n');
            let receipt = until("a receipt", REQUEST, || self.post(&body)).await;
            let Claims { first_seq, count, .. } = receipt.claims;
            assert_eq!((first_seq.get(), count), (seq(&batch[0]), batch.len() as u64));
            receipts.insert(at, receipt);
            self.at.fetch_max(at as u64, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
        receipts
    }

    /// `None` when the same bytes are to be sent again.
    async fn post(&self, body: &[u8]) -> Option<Receipt> {
        let request = self.http.post(&self.url).bearer_auth(&self.token).header("content-type", "application/x-ndjson");
        let answer = request.timeout(Duration::from_secs(3)).body(body.to_vec()).send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        match status {
            200 | 201 => Some(serde_json::from_str(&text).expect("a receipt")),
            503 => None,
            // The process that lags behind may not know yet of what its neighbour accepted.
            409 if text.contains("\"gap\"") => None,
            _ => panic!("{status} {text}"),
        }
    }
}

fn seq(record: &[u8]) -> u64 {
    contracts::record::seq_of(record).expect("a seq")
}

/// An ingest process beside the one of the mesh, with the same settings and a folder of its own.
struct Second {
    command: Command,
    process: Process,
}

impl Second {
    async fn start(world: &World) -> (Self, String) {
        let (dir, mesh, port) = (world.dir(), world.mesh(), free_port());
        let path = |inside: &str| dir.join(inside).display().to_string();
        let log = File::create(dir.join("logs/ingest-2.log")).expect("a log");
        let mut command = Command::new(binary("dsom-ingest"));
        command.env("DSOM_INGEST_LISTEN", format!("127.0.0.1:{port}"));
        command.env("DSOM_INGEST_DATA_DIR", own_folder(dir)).envs([
            ("DSOM_INGEST_NATS_URL", mesh.nats),
            ("DSOM_INGEST_NATS_MONITOR_URL", mesh.nats_monitor),
            ("DSOM_INGEST_NATS_NKEY_FILE", path(&dsom::mesh::logins::file(false, "ingest"))),
            ("DSOM_INGEST_JWKS", format!("{}/jwks.json", mesh.licensing)),
            ("DSOM_INGEST_TOKEN_ISSUER", mesh.issuer),
            ("DSOM_INGEST_TOKEN_AUDIENCE", dsom::mesh::keys::TOKEN_AUDIENCE.to_owned()),
            ("DSOM_INGEST_RECEIPT_KEY", path("keys/receipt.pem")),
            ("DSOM_INGEST_RECEIPT_ISSUER", dsom::mesh::keys::RECEIPT_ISSUER.to_owned()),
            ("DSOM_INGEST_ENV", "live".to_owned()),
            ("DSOM_PRODUCTION", "false".to_owned()),
        ]);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        let process = Process::spawn(&mut command, REQUEST);
        let url = format!("http://127.0.0.1:{port}");
        let ready = format!("{url}/readyz");
        until("the second ingest to be ready", REQUEST, || world.get(&ready, None)).await;
        (Self { command, process }, url)
    }

    /// Kills it and starts it again.
    fn again(&mut self) {
        self.process.kill9();
        self.process = Process::spawn(&mut self.command, REQUEST);
    }
}

fn own_folder(dir: &Path) -> PathBuf {
    let own = dir.join("ingest-2");
    std::fs::create_dir_all(&own).expect("a folder");
    own
}
