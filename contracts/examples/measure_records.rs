//! Reads every record of files given as arguments (NDJSON, gzip) with the usual parser and prints how long one takes: the best of
//! five runs a batch, since a shared machine only ever adds.
#![allow(clippy::print_stdout)]

use std::io::Read as _;
use std::time::Instant;

use contracts::UnixMillis;
use contracts::batch::{self, Media};

/// 2027-01-01: after every record of the data.
const NOW: UnixMillis = UnixMillis(1_798_761_600_000);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut records, mut nanos) = (0_usize, 0_u128);
    for path in std::env::args().skip(1) {
        let mut text = Vec::new();
        flate2::read::MultiGzDecoder::new(std::fs::File::open(&path)?).read_to_end(&mut text)?;
        let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect();
        for batch in lines.chunks(1000) {
            let body = batch.join(&b'\n');
            let mut best = u128::MAX;
            for _ in 0..5 {
                let start = Instant::now();
                let checked = batch::check(&body, Media::Ndjson, NOW).map_err(|error| format!("{path}: {error:?}"))?;
                best = best.min(start.elapsed().as_nanos());
                std::hint::black_box(checked);
            }
            nanos += best;
            records += batch.len();
        }
    }
    println!("{records} records, {} ns each", nanos / records.max(1) as u128);
    Ok(())
}
