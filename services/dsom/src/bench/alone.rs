//! What the machine and the generator do without a mesh: to tell a slow mesh from a slow disk.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use crate::Failure;
use crate::generate::{Generator, Mix};

/// Synced writes that are timed.
const WRITES: usize = 200;
/// Bytes of each: a small frame.
const WRITE_BYTES: usize = 64 * 1024;
/// Records that are timed.
const RECORDS: u32 = 200_000;

/// Measured before the load.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Alone {
    /// Median time of a synced write of 64 KiB, in milliseconds.
    pub fsync_ms_p50: f64,
    /// 99 of 100 synced writes.
    pub fsync_ms_p99: f64,
    /// Time to make one record, in nanoseconds.
    pub generator_ns_per_record: f64,
}

/// Measures on the disk that holds `folder`.
///
/// # Errors
/// The disk can't be written.
pub fn measure(folder: &Path) -> Result<Alone, Failure> {
    let cannot =
        |error: std::io::Error| Failure::usage(format!("could not write into {}", folder.display())).because(&error);
    let mut file: File = tempfile::tempfile_in(folder).map_err(cannot)?;
    let mut times_ms = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let started = Instant::now();
        file.write_all(&[7; WRITE_BYTES]).and_then(|()| file.sync_data()).map_err(cannot)?;
        times_ms.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    times_ms.sort_by(f64::total_cmp);
    let at = |share: f64| times_ms.get((WRITES as f64 * share) as usize).copied().unwrap_or(f64::NAN);

    let (mut generator, mut out) = (Generator::new(1, Mix::default(), 1), Vec::with_capacity(1 << 20));
    let started = Instant::now();
    for _ in 0..RECORDS {
        if out.len() > 300_000 {
            out.clear();
        }
        generator.push_line(&mut out, 1_792_864_829_498);
    }
    let generator_ns_per_record = started.elapsed().as_secs_f64() * 1e9 / f64::from(RECORDS);
    Ok(Alone { fsync_ms_p50: at(0.5), fsync_ms_p99: at(0.99), generator_ns_per_record })
}
