//! What 100,000 entries cost. `cargo test --release -p dsom-licensing --lib sites::tests::cost -- --nocapture` prints
//! the numbers.

use std::time::{Duration, Instant};

use super::super::feeds::{json, text};
use super::super::look_up::look_up;
use super::super::rpz::rpz;
use super::super::serial::Serial;
use super::*;

/// A debug build takes its time: fewer.
const ENTRIES: usize = if cfg!(debug_assertions) { 20_000 } else { 100_000 };
const DECISIONS: u32 = (ENTRIES / 2_000) as u32;

fn took<T>(what: &str, limit: Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    let took = began.elapsed();
    println!("{what}: {took:?}");
    // Generous to a debug build on a busy machine.
    let limit = if cfg!(debug_assertions) { 5 * limit } else { limit };
    assert!(took <= limit, "{what} took {took:?}, at most {limit:?} is allowed");
    done
}

fn name(n: usize) -> String {
    match n % 10 {
        0 => format!("казино-{n}.укр"),
        1 => format!("www.casino-{n}.com.ua"),
        _ => format!("casino-{n}.com"),
    }
}

#[test]
fn many_entries_are_in_reach() {
    let mut world = World::default();
    let ms = Duration::from_millis;
    took("building by decisions of 2,000", ms(10_000), || {
        for first in (0..ENTRIES).step_by(2_000) {
            world.carry_out(blocks((first..first + 2_000).map(|n| site(&name(n))))).expect("blocked");
        }
    });
    let (list, licensed) = (world.list(), &world.licensed);
    assert_eq!((list.serial(), list.blocked()), (Serial(DECISIONS), ENTRIES));
    took("reading the history", ms(5_000), || {
        let mut again = Sites::default();
        world.changes.iter().for_each(|bytes| again.follow(bytes).expect("follows"));
    });
    took("a copy", ms(200), || drop(std::hint::black_box(world.sites.clone())));

    let mut times: Vec<Duration> = (0..10_000)
        .map(|n| {
            let asked = format!("A.b.{}.", name(n * 7 % (2 * ENTRIES)).to_uppercase());
            let began = Instant::now();
            let found = look_up(list, licensed, &domain(&asked));
            let took = began.elapsed();
            assert_eq!(found.is_some(), n * 7 % (2 * ENTRIES) < ENTRIES, "{asked}");
            took
        })
        .collect();
    times.sort();
    let (p50, p99, worst) = (times[5_000], times[9_900], times[9_999]);
    println!("a look-up: p50 {p50:?}, p99 {p99:?}, worst {worst:?}");
    assert!(p99 <= ms(5), "p99 {p99:?}");

    let zone = took("the policy zone", ms(1_000), || rpz(list, &zone()));
    assert_eq!(zone.feed.bytes.iter().filter(|b| **b == b'\n').count(), 5 + 2 * ENTRIES);
    let json = took("JSON", ms(1_000), || json(list).expect("JSON"));
    let text = took("text", ms(1_000), || text(list));
    took("a delta of 10,000", ms(200), || list.delta(Serial(DECISIONS - 5)).expect("near enough").blocked.len());
    if let Some(path) = std::env::var_os("DSOM_ZONE_FILE") {
        std::fs::write(path, &zone.feed.bytes).expect("a file for another reader");
    }
    println!("bytes: zone {}, JSON {}, text {}", zone.feed.bytes.len(), json.bytes.len(), text.bytes.len());
}
