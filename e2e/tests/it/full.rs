//! A disk that is really full, under nats-server and then under chaining's store: nothing accepted is lost, and once there is room the
//! mesh goes on without anybody's hands. Needs root, for a small file system of its own; without it the test says so loudly and ends.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use contracts::OperatorId;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::check::everything_holds;
use crate::load::Load;
use crate::nemesis::log_size;
use crate::world::{World, turn, until};

/// Room for what the test sends, and little more to fill: chaining's journal alone may take 64 MiB.
const DISK: &str = "size=256m";
/// Longer than `dsom up` takes to notice, and everybody to come back on a busy machine.
const WATCH: Duration = Duration::from_secs(60);

/// A file system in memory, with a file that fills it when asked.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where nothing can be mounted.
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir_all(&at).expect("a folder");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "dsom-test"]).arg(&at).output();
        mounted.is_ok_and(|out| out.status.success()).then_some(Self(at))
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("ballast")).expect("a file");
        let zeros = vec![0; 64 * 1024];
        while file.write(&zeros).is_ok_and(|written| written > 0) {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("ballast")).expect("the file was there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: those who have files open on it end after it.
        let _gone_with_the_machine = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn disks(dir: &Path) -> Option<[(&'static str, SmallDisk); 2]> {
    Some([("nats", SmallDisk::mount(dir.join("nats"))?), ("chaining", SmallDisk::mount(dir.join("chaining"))?)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_survived_and_left_behind_without_hands() {
    let _turn = turn().await;
    let mut world = World::new();
    let Some(disks) = disks(world.dir()) else {
        return eprintln!("\nNOT TESTED: a full disk. Mounting a tmpfs needs root.\n");
    };
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    world.up().await;
    let operator: OperatorId =
        format!("{:08x}-b9df-4b82-ad28-e51596b7e0b4", random.random::<u32>()).parse().expect("a UUID");
    let load = Load::start(&world, &[operator], 2, seed);
    until("the first receipts", WATCH, || async { (load.pulse.count() > 5).then_some(()) }).await;
    for (name, disk) in &disks {
        let pid = world.mesh().pids[*name];
        disk.fill();
        until(&format!("{name} to be started again over a full disk"), WATCH, || async {
            (world.mesh_if_ready()?.pids[*name] != pid).then_some(())
        })
        .await;
        disk.make_room();
        let (receipts, published) = (load.pulse.count(), log_size(&world).await);
        until(&format!("receipts once {name} has room"), WATCH, || async {
            (load.pulse.count() > receipts).then_some(())
        })
        .await;
        until(&format!("news in the log once {name} has room"), WATCH, || async {
            (log_size(&world).await > published).then_some(())
        })
        .await;
    }
    let outcome = load.finish().await;
    let (records, receipts, _) = everything_holds(&world, &outcome, &mut random).await;
    println!(
        "{records} records, {receipts} receipts, all agree; longest without any receipt was while a disk was full"
    );
}
