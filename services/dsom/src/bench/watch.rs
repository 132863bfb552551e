//! What the processes of a mesh, and the generator, use while they are loaded.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::measure::{Usage, usage};
use crate::mesh::MeshFile;

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// This process, which makes the load.
const GENERATOR: &str = "generator";
/// The CQL server, if there is one here.
const CQL: &str = "cql";
/// All other processes.
const SERVICES: &str = "services";

/// What one process used.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Used {
    /// CPU seconds for a million accepted records.
    pub cpu_s_per_million: f64,
    /// Resident memory before the load, in bytes.
    pub rss_bytes_idle: u64,
    /// Most resident memory seen, in bytes.
    pub rss_bytes_max: u64,
    /// By how much the most of the load's second half exceeds the most of its first, in bytes.
    pub rss_bytes_growth: i64,
}

/// Follows the processes of the mesh, and this one.
pub struct Watched {
    pids: BTreeMap<String, u32>,
    before: BTreeMap<String, Usage>,
    after: BTreeMap<String, Usage>,
    /// Most resident memory of each, and of all services at one time: in the first half and since.
    rss_bytes_max: [BTreeMap<String, u64>; 2],
    half: usize,
}

impl Watched {
    /// Takes the first look.
    pub fn start(mesh: &MeshFile, cql: Option<u32>) -> Self {
        let mut pids = mesh.pids.clone();
        pids.extend(cql.map(|pid| (CQL.to_owned(), pid)));
        pids.remove("dsom");
        pids.insert(GENERATOR.to_owned(), std::process::id());
        let before = look(&pids);
        Self { pids, before, after: BTreeMap::new(), rss_bytes_max: [BTreeMap::new(), BTreeMap::new()], half: 0 }
    }

    /// Looks on until then.
    pub async fn until(&mut self, end: Instant) {
        while Instant::now() < end {
            self.look();
            sleep(LOOK_EVERY.min(end.saturating_duration_since(Instant::now()))).await;
        }
        self.look();
    }

    /// The second half of the load begins.
    pub fn half(&mut self) {
        self.half = 1;
    }

    fn look(&mut self) {
        self.after = look(&self.pids);
        let Some(most) = self.rss_bytes_max.get_mut(self.half) else { return };
        for (name, usage) in &self.after {
            let of_one = most.entry(name.clone()).or_default();
            *of_one = (*of_one).max(usage.rss_bytes);
        }
    }

    /// What was used from the first look to the last, for so many records.
    pub fn used(&self, accepted: u64) -> BTreeMap<String, Used> {
        let millions = accepted.max(1) as f64 / 1e6;
        let [first, second] = &self.rss_bytes_max;
        let used = self.after.iter().map(|(name, after)| {
            let before = self.before.get(name).copied().unwrap_or_default();
            let most = |half: &BTreeMap<String, u64>| half.get(name).copied().unwrap_or(0);
            let used = Used {
                cpu_s_per_million: (after.cpu_s - before.cpu_s) / millions,
                rss_bytes_idle: before.rss_bytes,
                rss_bytes_max: most(first).max(most(second)),
                rss_bytes_growth: most(second) as i64 - most(first) as i64,
            };
            (name.clone(), used)
        });
        used.collect()
    }
}

/// One look at every process, and at the services together.
fn look(pids: &BTreeMap<String, u32>) -> BTreeMap<String, Usage> {
    let mut seen: BTreeMap<String, Usage> = pids.iter().map(|(name, pid)| (name.clone(), usage(*pid))).collect();
    let ours = seen.iter().filter(|(name, _)| *name != GENERATOR && *name != CQL);
    let services = ours.fold(Usage::default(), |sum, (_, one)| Usage {
        cpu_s: sum.cpu_s + one.cpu_s,
        rss_bytes: sum.rss_bytes + one.rss_bytes,
    });
    seen.insert(SERVICES.to_owned(), services);
    seen
}
