//! Measures the CPU time of each step of accepting a batch, on the data set: `cargo run --release -p dsom-ingest --example steps`.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measuring tool")]

use std::hint::black_box;
use std::time::{Instant, SystemTime};

use contracts::batch::{Media, check};
use contracts::frame::Packer;
use contracts::{OperatorId, UnixMillis};
use ingest::domain::Batch;
use ingest::domain::flags::flags;
use testkit::register::standing;

/// The best of seven rounds, in nanoseconds a record.
fn time(name: &str, records: usize, mut step: impl FnMut()) {
    let rounds = (2_000_000 / records.max(100)).clamp(5, 2_000);
    let best = (0..7).map(|_| {
        let began = Instant::now();
        (0..rounds).for_each(|_| step());
        began.elapsed().as_nanos() as f64 / (rounds * records) as f64
    });
    println!("{name:<28} {:>8.0} ns a record", best.fold(f64::MAX, f64::min));
}

fn main() {
    let files = testkit::data_files();
    let file = files.first().expect("data");
    let passed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    let now = UnixMillis(passed.as_millis() as i64);
    let mut packer = Packer::new().expect("memory");
    for size in [1, 10, 100, 1_000] {
        let body = bytes::Bytes::copy_from_slice(file.batches(size).first().expect("a batch"));
        println!("-- {size} a batch, {} bytes a record", body.len() / size);
        time("check (find, parse, judge)", size, || drop(black_box(check(&body, Media::Ndjson, now))));
        let checked = check(&body, Media::Ndjson, now).expect("valid");
        let (covered, mut outside) = (standing(file.operator), standing(file.operator));
        outside.licences.clear();
        for (name, standing) in [("flags, all covered", &covered), ("flags, none covered", &outside)] {
            time(name, size, || drop(black_box(flags(standing, &checked, &body, now))));
        }
        let batch = || Batch::new(checked.first_seq, body.clone(), checked.starts.clone(), checked.lengths.clone());
        time("leaves and root", size, || drop(black_box(batch())));
        let batch = batch();
        time("pack", size, || drop(black_box(batch.pack(&mut packer))));
    }
    println!("-- a receipt");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("receipt.pem");
    // RFC 8410 section 10.3.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    std::fs::write(&path, pem).expect("writes");
    let key = ingest::http::receipt_keys::ReceiptKey::load(&path, &[]).expect("a key");
    let operator: OperatorId = file.operator;
    let claims = contracts::receipt::Claims {
        iss: "https://dsom.example".into(),
        operator,
        stream: file.stream,
        first_seq: contracts::Seq::FIRST,
        last_seq: contracts::Seq::FIRST,
        count: 1,
        root: contracts::Hash([7; 32]),
        accepted_at: now.to_string(),
        env: contracts::receipt::Env::Test,
    };
    time("claims, JWS, signature, JSON", 1, || drop(black_box(key.receipt(&claims))));
}
