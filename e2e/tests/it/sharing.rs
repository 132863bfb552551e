//! Two chaining processes on one CQL server under load: first each seals its partitions, then by mistake both own some; killed in turn.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use contracts::OperatorId;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use testkit::{Process, binary, free_port};

use crate::check::everything_holds;
use crate::load::Load;
use crate::nemesis::{from_environment, log_size};
use crate::world::{World, signal, turn, until};

/// How long a process may take to be ready, after a start and after a kill: a query that a busy CQL server leaves unanswered takes 8 s.
const READY: Duration = Duration::from_secs(60);
/// How long sealing and publishing may take to go on.
const RECOVERY: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_chaining_processes_share_the_chains_and_a_wrong_owner_is_harmless() {
    let _turn = turn().await;
    let Some(mut world) = World::on_cql(None) else { return };
    let seed: u64 = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    world.environment([("DSOM_CHAINING_ORDINAL", "0"), ("DSOM_CHAINING_REPLICAS", "2")]);
    world.up().await;
    let mut second = Second::start(&world, 1, 2).await;
    // An operator's partition is the last two bytes of its id modulo 64: two of each share.
    let operators: Vec<OperatorId> =
        (0..4).map(|n| format!("13013f29-b9df-4b82-ad28-e51596b7e0b{n}").parse().expect("an operator")).collect();
    let load = Load::start(&world, &operators, 2, seed);
    sealing(&world, &operators).await;

    let kills: usize = from_environment("DSOM_NEMESIS_KILLS").unwrap_or(2);
    for kill in 0..kills {
        let began = Instant::now();
        let who = match kill % 2 {
            0 => kill_first(&world).await,
            _ => second.again(&world).await,
        };
        sealing(&world, &operators).await;
        println!("killed {who} of two shares, all chains go on after {} ms", began.elapsed().as_millis());
    }
    // The second owns everything now, the log as well, and the first still its half.
    drop(second);
    let mut second = Second::start(&world, 0, 1).await;
    for kill in 0..2 {
        let began = Instant::now();
        let who = match kill % 2 {
            0 => kill_first(&world).await,
            _ => second.again(&world).await,
        };
        sealing(&world, &operators).await;
        println!("killed {who} of two owners, all chains go on after {} ms", began.elapsed().as_millis());
    }
    let outcome = load.finish().await;
    let (records, receipts, proofs) = everything_holds(&world, &outcome, &mut random).await;
    println!("seed {seed}: {records} records, {receipts} receipts, {proofs} proofs; fsck: nothing is wrong");
    drop(second);
    world.stop();
}

/// Waits until every chain has grown, and the log.
async fn sealing(world: &World, operators: &[OperatorId]) {
    let log = until("a checkpoint", RECOVERY, || log_size(world)).await;
    for operator in operators {
        let token = world.token(*operator, "records:read");
        let before = until("a chain", RECOVERY, || world.chain(*operator, &token)).await["height"].clone();
        until(&format!("the chain of {operator} to grow"), RECOVERY, || async {
            (world.chain(*operator, &token).await?["height"] != before).then_some(())
        })
        .await;
    }
    until("the log to grow", RECOVERY, || async { (log_size(world).await? > log).then_some(()) }).await;
}

/// Kills the mesh's own chaining and waits until it is ready again.
async fn kill_first(world: &World) -> &'static str {
    let pid = world.mesh().pids["chaining"];
    assert!(signal(pid, "KILL"), "chaining is gone");
    until("chaining to be started again", READY, || async {
        (world.mesh_if_ready()?.pids["chaining"] != pid).then_some(())
    })
    .await;
    let ready = format!("{}/readyz", world.mesh().chaining);
    until("chaining to be ready", READY, || world.get(&ready, None)).await;
    "the first"
}

/// A chaining process beside the one of the mesh, on the same keyspace.
struct Second {
    command: Command,
    process: Process,
    ready: String,
}

impl Second {
    async fn start(world: &World, ordinal: u16, replicas: u16) -> Self {
        let (dir, mesh, port) = (world.dir(), world.mesh(), free_port());
        let path = |inside: &str| dir.join(inside).display().to_string();
        let log = File::options().create(true).append(true).open(dir.join("logs/chaining-2.log")).expect("a log");
        let mut command = Command::new(binary("dsom-chaining"));
        command.envs([
            ("DSOM_CHAINING_LISTEN", format!("127.0.0.1:{port}")),
            ("DSOM_CHAINING_NATS_URL", mesh.nats),
            ("DSOM_CHAINING_NATS_MONITOR_URL", mesh.nats_monitor),
            ("DSOM_CHAINING_NATS_NKEY_FILE", path(&dsom::mesh::logins::file(false, "chaining"))),
            ("DSOM_CHAINING_JWKS", format!("{}/jwks.json", mesh.licensing)),
            ("DSOM_CHAINING_TOKEN_ISSUER", mesh.issuer),
            ("DSOM_CHAINING_TOKEN_AUDIENCE", dsom::mesh::keys::TOKEN_AUDIENCE.to_owned()),
            ("DSOM_OIDC_ISSUER", dsom::mesh::keys::TOKEN_ISSUER.to_owned()),
            ("DSOM_OIDC_AUDIENCE", dsom::mesh::keys::TOKEN_AUDIENCE.to_owned()),
            ("DSOM_OIDC_JWKS", path("keys/issuer.jwks.json")),
            ("DSOM_CHAINING_LOG_KEY", path("keys/log.key")),
            ("DSOM_CHAINING_LOG_ORIGIN", mesh.log_origin),
            ("DSOM_CHAINING_ORDINAL", ordinal.to_string()),
            ("DSOM_CHAINING_REPLICAS", replicas.to_string()),
        ]);
        command.envs(world.cql_settings("chaining"));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        let process = Process::spawn(&mut command, READY);
        let second = Self { command, process, ready: format!("http://127.0.0.1:{port}/readyz") };
        until("the second chaining to be ready", READY, || world.get(&second.ready, None)).await;
        second
    }

    /// Kills it, starts it again and waits until it is ready.
    async fn again(&mut self, world: &World) -> &'static str {
        self.process.kill9();
        self.process = Process::spawn(&mut self.command, READY);
        until("the second chaining to be ready", READY, || world.get(&self.ready, None)).await;
        "the second"
    }
}
