//! Parts of the mesh killed and frozen at random moments under load. `DSOM_NEMESIS_KILLS` says how often, `DSOM_NEMESIS_SEED` repeats a run.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use contracts::OperatorId;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::check::everything_holds;
use crate::load::{Load, Pulse};
use crate::world::{World, signal, turn, until};

/// How long a mesh may take until all of it is ready, and receipts and checkpoints come again.
const RECOVERY: Duration = Duration::from_secs(5);
/// The same where other tests have the cores too, unless `DSOM_NEMESIS_KILLS` asks for a measurement.
const RECOVERY_AMONG_OTHERS: Duration = Duration::from_secs(15);
/// How long the test watches a mesh that takes longer, to say how much.
const WATCH: Duration = Duration::from_secs(30);
/// Who is hit.
const VICTIMS: [&str; 3] = ["ingest", "chaining", "nats"];

/// What happens to a victim.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill,
    Freeze(Duration),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_or_doubled_whatever_is_killed() {
    let _turn = turn().await;
    let asked: Option<usize> = from_environment("DSOM_NEMESIS_KILLS");
    let (kills, recovery) = asked.map_or((3, RECOVERY_AMONG_OTHERS), |kills| (kills, RECOVERY));
    let seed: u64 = from_environment("DSOM_NEMESIS_SEED").unwrap_or_else(rand::random);
    println!("nemesis: {kills} kills, seed {seed} (DSOM_NEMESIS_SEED={seed} repeats the faults)");
    let mut random = StdRng::seed_from_u64(seed);
    let mut faults = vec![Fault::Kill; kills];
    let freezes = kills.div_ceil(4);
    faults.extend((0..freezes).map(|_| Fault::Freeze(Duration::from_millis(random.random_range(1_000..3_000)))));
    faults.shuffle(&mut random);

    let world = World::started().await;
    let operators: Vec<OperatorId> =
        (0..3).map(|_| format!("{:08x}-b9df-4b82-ad28-e51596b7e0b4", random.random::<u32>())).map(parse).collect();
    let load = Load::start(&world, &operators, 2, seed);
    until("the first receipts", WATCH, || async { (load.pulse.count() > 10).then_some(()) }).await;

    let mut table = format!(
        "{:>5}  {:<9} {:<14} {:>9} {:>12} {:>13}\n",
        "round", "victim", "fault", "ready ms", "receipts ms", "published ms"
    );
    // Each in turn, in a random order: three kills are enough to hit all.
    let (mut killed, mut frozen, mut slow) = (Vec::new(), Vec::new(), 0);
    for (round, fault) in faults.into_iter().enumerate() {
        let bag = if matches!(fault, Fault::Kill) { &mut killed } else { &mut frozen };
        if bag.is_empty() {
            *bag = VICTIMS.to_vec();
            bag.shuffle(&mut random);
        }
        let victim = bag.pop().expect("a victim");
        tokio::time::sleep(Duration::from_millis(random.random_range(300..2_000))).await;
        let back = strike(&world, victim, fault, &load.pulse).await;
        let what = match fault {
            Fault::Kill => "kill -9".to_owned(),
            Fault::Freeze(time) => format!("STOP {} ms", time.as_millis()),
        };
        let late = back.iter().any(|after| *after > recovery);
        slow += usize::from(late);
        let [ready, receipts, published] = back.map(|after| after.as_millis());
        let late = if late { "  TOO LATE" } else { "" };
        let line = format!("{:>5}  {victim:<9} {what:<14} {ready:>9} {receipts:>12} {published:>13}{late}", round + 1);
        println!("{line}");
        writeln!(table, "{line}").expect("memory");
    }
    let gap = load.pulse.longest_gap();
    let began = Instant::now();
    let outcome = load.finish().await;
    println!("all accepted {:.1} s after the end of the load", began.elapsed().as_secs_f64());
    let (records, receipts, proofs) = everything_holds(&world, &outcome, &mut random).await;
    println!(
        "\nseed {seed}\n{table}\n{records} records, {receipts} receipts, all agree; {proofs} proofs verified; fsck: nothing is wrong;\n\
         longest without any receipt {} ms; checked in {:.1} s",
        gap.as_millis(),
        began.elapsed().as_secs_f64()
    );
    assert_eq!(slow, 0, "seed {seed}: the mesh took longer than {recovery:?} to recover");
}

/// Does it, and waits until the mesh has recovered: how long until all parts are ready,
/// until the next receipt after that, and until more is published.
async fn strike(world: &World, victim: &str, fault: Fault, pulse: &Pulse) -> [Duration; 3] {
    let pid = world.mesh().pids[victim];
    let began = match fault {
        Fault::Kill => {
            assert!(signal(pid, "KILL"), "{victim} is gone");
            let began = Instant::now();
            until(&format!("{victim} to be started again"), WATCH, || async {
                (world.mesh_if_ready()?.pids[victim] != pid).then_some(())
            })
            .await;
            began
        }
        Fault::Freeze(time) => {
            assert!(signal(pid, "STOP"), "{victim} is gone");
            tokio::time::sleep(time).await;
            assert!(signal(pid, "CONT"), "{victim} is gone");
            Instant::now()
        }
    };
    until(&format!("the mesh to be ready after {victim}"), WATCH, || ready(world)).await;
    let (ready, before, published) = (began.elapsed(), pulse.count(), log_size(world).await);
    until(&format!("receipts after {victim}"), WATCH, || async { (pulse.count() > before).then_some(()) }).await;
    let receipts = began.elapsed();
    until(&format!("news in the log after {victim}"), WATCH, || async {
        (log_size(world).await > published).then_some(())
    })
    .await;
    [ready, receipts, began.elapsed()]
}

/// Whether ingest and chaining both say they are ready: what they need of NATS is part of it.
async fn ready(world: &World) -> Option<()> {
    let mesh = world.mesh_if_ready()?;
    for url in [mesh.chaining, mesh.ingest] {
        let asked = world.http.get(format!("{url}/readyz")).timeout(Duration::from_secs(1));
        asked.send().await.ok()?.error_for_status().ok()?;
    }
    Some(())
}

/// How many blocks the public log has.
pub async fn log_size(world: &World) -> Option<u64> {
    let checkpoint = world.get(&format!("{}/log/checkpoint", world.mesh_if_ready()?.chaining), None).await?;
    std::str::from_utf8(&checkpoint).ok()?.lines().nth(1)?.parse().ok()
}

pub fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn parse(operator: String) -> OperatorId {
    operator.parse().expect("an operator")
}
