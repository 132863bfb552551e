//! The CQL server under a mesh killed, frozen and slowed down under load: receipts go on, sealing waits and catches up, no part of the
//! mesh is started again, and nothing that was accepted is lost.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use contracts::OperatorId;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use testkit::{Fault, Proxy};

use crate::check::everything_holds;
use crate::load::Load;
use crate::nemesis::{from_environment, log_size};
use crate::world::{World, signal, turn, until};

/// How long sealing may take to go on once the server is well again.
const RECOVERY: Duration = Duration::from_secs(20);
/// How long a receipt may take while the server is away.
const RECEIPT: Duration = Duration::from_secs(15);

/// How long the server is away or slow.
const AWAY: Duration = Duration::from_millis(2_500);

/// A CQL server of the test's own.
struct Server {
    dir: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let server = Self { dir: tempfile::Builder::new().prefix("dsom-cql-").tempdir().expect("a folder") };
        server.tool("start");
        server
    }

    fn tool(&self, verb: &str) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../services/dsom/tools/cql.sh");
        let mut command = Command::new(script);
        command.arg(verb).env("DSOM_CQL_DIR", self.dir.path()).stdin(Stdio::null()).stdout(Stdio::null());
        assert!(command.status().expect("runs").success(), "cql.sh {verb}");
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(file)).expect("a running server").trim().to_owned()
    }

    fn pid(&self) -> u32 {
        self.read("pid").parse().expect("a process")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stop = || self.tool("stop");
        // A test that failed is told of already.
        let _stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(stop));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_whatever_becomes_of_the_cql_server() {
    // Also says that there is no server here, if so.
    if testkit::CqlKeyspace::new().is_none() {
        return;
    }
    let _turn = turn().await;
    let rounds: usize = from_environment("DSOM_NEMESIS_KILLS").map_or(1, |kills: usize| kills.div_ceil(5));
    let seed: u64 = from_environment("DSOM_NEMESIS_SEED").unwrap_or_else(rand::random);
    let mut random = StdRng::seed_from_u64(seed);
    let server = Server::start();
    let proxy = Proxy::start(&server.read("address"));
    let mut world = World::on_cql(Some(proxy.addr().to_string())).expect("a server");
    world.up().await;
    let parts = world.mesh().pids;
    let operators: Vec<OperatorId> =
        (0..3).map(|n| format!("1301{n}f29-b9df-4b82-ad28-e51596b7e0b4").parse().expect("an operator")).collect();
    let load = Load::start(&world, &operators, 2, seed);
    until("the first receipts", RECEIPT, || async { (load.pulse.count() > 10).then_some(()) }).await;

    println!("{:>5}  {:<22} {:>13} {:>13}", "round", "fault", "receipt ms", "recovered ms");
    for round in 1..=rounds {
        for fault in ["kill -9", "STOP", "80 ms late"] {
            until("something published", RECOVERY, || log_size(&world)).await;
            match fault {
                "kill -9" => assert!(signal(server.pid(), "KILL"), "the server is gone"),
                "STOP" => assert!(signal(server.pid(), "STOP"), "the server is gone"),
                _ => proxy.set(Fault::Delay(Duration::from_millis(80))),
            }
            let (began, before) = (Instant::now(), load.pulse.count());
            until("a receipt while the server is away", RECEIPT, || async {
                (load.pulse.count() > before + 10).then_some(())
            })
            .await;
            let receipt = began.elapsed();
            if fault == "kill -9" {
                let why = until("chaining to say what it lacks", RECEIPT, || unready(&world)).await;
                assert!(why.contains("CQL"), "{why}");
            }
            tokio::time::sleep(AWAY.saturating_sub(began.elapsed())).await;
            match fault {
                "kill -9" => server.tool("start"),
                "STOP" => assert!(signal(server.pid(), "CONT"), "the server is gone"),
                _ => proxy.set(Fault::None),
            }
            let (well, published) = (Instant::now(), log_size(&world).await);
            until("news in the log", RECOVERY, || async { (log_size(&world).await > published).then_some(()) }).await;
            println!("{round:>5}  {fault:<22} {:>13} {:>13}", receipt.as_millis(), well.elapsed().as_millis());
        }
    }
    assert_eq!(world.mesh().pids, parts, "a part was started again");
    let outcome = load.finish().await;
    let (records, receipts, proofs) = everything_holds(&world, &outcome, &mut random).await;
    println!("{records} records, {receipts} receipts, all agree; {proofs} proofs verified; fsck: nothing is wrong");
    world.stop();
}

/// Why chaining says that it is not ready, if it says so.
async fn unready(world: &World) -> Option<String> {
    let url = format!("{}/readyz", world.mesh_if_ready()?.chaining);
    let answer = world.http.get(url).timeout(Duration::from_secs(2)).send().await.ok()?;
    match answer.status().is_success() {
        true => None,
        false => answer.text().await.ok(),
    }
}
