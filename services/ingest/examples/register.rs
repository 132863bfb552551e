//! Measures what the register costs a request: `cargo run --release -p dsom-ingest --example register`.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measuring tool")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::OperatorId;
use runtime::auth::{Register, Stale, Standings};
use testkit::register::{key, standing};

/// As many as a country licenses, and some.
const OPERATORS: u64 = 1_000;
/// Keys of each.
const KEYS: usize = 4;
const LOOKS: u64 = 2_000_000;

/// One request's questions: is it admitted, may batches be taken, how does it stand. Nanoseconds each.
fn ask(standings: &Standings, operators: &[OperatorId], kid: &str) -> f64 {
    let began = Instant::now();
    for operator in operators.iter().cycle().take(LOOKS as usize) {
        assert!(black_box(standings.admits(*operator, Some(kid), 0)).is_ok());
        assert!(black_box(standings.may_take()).is_ok());
        black_box(standings.get(*operator));
    }
    began.elapsed().as_nanos() as f64 / LOOKS as f64
}

fn main() {
    let standings = Arc::new(Standings::new(Duration::from_secs(30), Stale::Refuse));
    // RFC 7638 thumbprints have 43 characters; the key that is looked for is the last.
    let kid = |n: usize| format!("{n:043}");
    let operators: Vec<OperatorId> =
        (1..=OPERATORS).filter_map(|n| OperatorId::new(uuid::Uuid::from_u128(u128::from(n) << 64))).collect();
    for operator in &operators {
        let mut standing = standing(*operator);
        standing.keys = (0..KEYS).map(|n| key(&kid(n), serde_json::json!({}))).collect();
        standings.put(standing);
    }
    standings.set_read();
    standings.heard(contracts::UnixMillis(i64::MAX));
    for threads in [1, 2, 4] {
        let asking: Vec<_> = (0..threads)
            .map(|_| {
                let (standings, operators, kid) = (Arc::clone(&standings), operators.clone(), kid(KEYS - 1));
                std::thread::spawn(move || ask(&standings, &operators, &kid))
            })
            .collect();
        let each: Vec<f64> = asking.into_iter().map(|thread| thread.join().expect("ends")).collect();
        println!("{threads} threads: {:>6.0} ns a request", each.iter().sum::<f64>() / each.len() as f64);
    }
}
