//! The routes over a large list. `cargo test --release -p dsom-licensing --lib http::sites::tests::speed --
//! --nocapture` has 100,000 entries and prints the numbers.

use std::time::{Duration, Instant};

use super::*;

/// A debug build takes its time: fewer, within the same limits.
const ENTRIES: usize = if cfg!(debug_assertions) { 10_000 } else { 100_000 };

#[actix_rt::test]
async fn look_ups_and_feeds_are_quick() {
    let site = Site::new().await;
    let began = Instant::now();
    for first in (0..ENTRIES).step_by(2_000) {
        let names: Vec<String> = (first..first + 2_000).map(|n| format!("casino-{n}.com.ua")).collect();
        site.carry_out(&blocks(&names.iter().map(String::as_str).collect::<Vec<_>>())).await;
    }
    println!("{ENTRIES} entries, each 2,000 proposed and confirmed over HTTP and stored: {:?}", began.elapsed());

    let list = site.list.clone();
    let app = test::init_service(App::new().configure(move |routes| configure(routes, list))).await;
    let mut times = Vec::new();
    for n in 0..5_000 {
        let path = format!("/v1/sites/WWW.Casino-{}.com.ua.", n * 17 % (2 * ENTRIES));
        let began = Instant::now();
        let answer = test::call_service(&app, test::TestRequest::with_uri(&path).to_request()).await;
        let body = to_bytes(answer.into_body()).await.expect("a body");
        times.push(began.elapsed());
        let found: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(found["standing"] == "blocked", n * 17 % (2 * ENTRIES) < ENTRIES, "{path}");
    }
    times.sort();
    println!("a look-up: p50 {:?}, p99 {:?}, worst {:?}", times[2_500], times[4_950], times[4_999]);
    // Generous to a debug build on a busy machine.
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 5 });
    assert!(times[4_950] <= limit);
    for path in ["/v1/sites.rpz", "/v1/sites.json", "/v1/sites.txt", "/v1/sites?q=nothing-like-it"] {
        let began = Instant::now();
        let answer = site.exchange(Method::GET, path, &[], None).await;
        let took = began.elapsed();
        println!("{path}: {} bytes in {took:?}", answer.body.len());
        let limit = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 });
        assert!(answer.status == 200 && took <= limit, "{path} took {took:?}");
    }
    let began = Instant::now();
    let again = site.world.start().await;
    println!("a start, the history read and the feeds made and signed: {:?}", began.elapsed());
    assert_eq!(again.shown().sites.list().blocked(), ENTRIES);
}
