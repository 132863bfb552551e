//! What a person, or a program, reads of a bench.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::alone::Alone;
use super::point::{Point, Quantiles};

/// A whole bench.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Processor, cores, memory, kernel.
    pub machine: String,
    /// How durable what was measured is.
    pub durability: &'static str,
    /// What the machine and the generator do without a mesh.
    pub alone: Alone,
    /// The command line.
    pub command: String,
    /// The points of the curve.
    pub points: Vec<Point>,
}

impl Report {
    /// Tables for a terminal.
    pub fn text(&self) -> String {
        let mut speed = table(&[
            "batch",
            "target/s",
            "accepted/s",
            "requests/s",
            "again",
            "receipt p50/p99/p99.9/max ms",
            "sealed lag p50/p99/p99.9/max ms",
            "published lag p50/p99/p99.9/max ms",
            "drained s",
            "sustained",
        ]);
        let mut cost = table(&[
            "batch",
            "process",
            "CPU s per million",
            "memory idle/most MiB",
            "growth in the second half MiB",
            "disk bytes a record",
        ]);
        for point in &self.points {
            speed.add_row([
                point.batch.to_string(),
                format!("{:.0}", point.target_per_s),
                format!("{:.0}", point.accepted_per_s),
                format!("{:.0}", point.requests_per_s),
                point.again.to_string(),
                quantiles(&point.receipt),
                quantiles(&point.sealed_lag),
                quantiles(&point.published_lag),
                point.drained_s.map_or("no".to_owned(), |seconds| format!("{seconds:.1}")),
                if point.is_sustained() { "yes" } else { "no" }.to_owned(),
            ]);
            for (name, used) in &point.processes {
                let bytes = point.bytes_per_record.get(name);
                let mib = |bytes: f64| bytes / 1_048_576.0;
                cost.add_row([
                    point.batch.to_string(),
                    name.clone(),
                    format!("{:.2}", used.cpu_s_per_million),
                    format!("{:.0}/{:.0}", mib(used.rss_bytes_idle as f64), mib(used.rss_bytes_max as f64)),
                    format!("{:.0}", mib(used.rss_bytes_growth as f64)),
                    bytes.map_or(String::new(), |bytes| format!("{bytes:.0}")),
                ]);
            }
        }
        let Alone { fsync_ms_p50, fsync_ms_p99, generator_ns_per_record } = self.alone;
        let alone = format!(
            "alone: a synced write of 64 KiB takes {fsync_ms_p50:.2} ms (p50), {fsync_ms_p99:.2} ms (p99); a record is made in {generator_ns_per_record:.0} ns"
        );
        format!("{}\n{}\n{alone}\n{}\n\n{speed}\n\n{cost}", self.machine, self.durability, self.command)
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn quantiles(of: &Quantiles) -> String {
    format!("{:.0}/{:.0}/{:.0}/{:.0}", of.p50_ms, of.p99_ms, of.p999_ms, of.max_ms)
}

/// One line about this machine.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let meminfo = read("/proc/meminfo");
    let kib: u64 =
        meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{}, {cores} cores, {} GiB, Linux {}", model.unwrap_or("unknown processor"), kib / 1_048_576, kernel.trim())
}
