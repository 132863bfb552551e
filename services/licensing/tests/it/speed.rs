//! Figures that must not get worse unseen. The bars are held by release builds; `cargo test --release -p dsom-licensing -- speed --nocapture`.

use std::time::{Duration, Instant};

use contracts::registry::Env;

use crate::world::{Case, World};

/// Requests under way at a time.
const CLIENTS: usize = 32;
/// Tokens asked for.
const TOKENS: usize = if cfg!(debug_assertions) { 320 } else { 12_000 };
/// Tokens a second with their client on the same two cores.
const BAR: f64 = if cfg!(debug_assertions) { 50.0 } else { 3_000.0 };

#[actix_rt::test]
async fn tokens_are_given_fast() {
    let world = World::new();
    // One client asks for all of them.
    let config = licensing::config::Config { client_tokens_per_s_max: 1_000_000, ..world.config() };
    let licensing = world.licensing_with(config).await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let began = Instant::now();
    let client = async || {
        let mut slowest = Duration::ZERO;
        while next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < TOKENS {
            let asked = Instant::now();
            let answer = case.token(&case.assertion(Env::Live)).await;
            assert!(answer.status.is_success(), "{answer:?}");
            slowest = slowest.max(asked.elapsed());
        }
        slowest
    };
    let slowest = futures::future::join_all((0..CLIENTS).map(|_| client())).await.into_iter().max();
    let rate = TOKENS as f64 / began.elapsed().as_secs_f64();
    println!("{rate:.0} tokens/s, {CLIENTS} at a time, the slowest after {slowest:?}");
    assert!(rate >= BAR, "{rate:.0} tokens/s");
    licensing.running.stop().await;
}
