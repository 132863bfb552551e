//! The bus against a real nats-server.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are not tests to clippy"
)]

mod ask;
mod faults;
mod logins;
mod mark;
mod publish;
mod trim;

use std::num::NonZeroU8;
use std::time::Duration;

use bus::{Bus, BusConfig, LostStreams, StreamBytes};
use testkit::NatsServer;

/// Long enough for a busy machine, short enough to fail a test.
const LIMIT: Duration = Duration::from_secs(20);

async fn connect(server: &NatsServer) -> Bus {
    let config = BusConfig {
        url: server.url(),
        monitor_url: server.monitor_url(),
        replicas: NonZeroU8::MIN,
        name: "test".into(),
        login: None,
    };
    Bus::connect(config).await.expect("connects")
}

async fn world() -> (NatsServer, Bus) {
    let server = NatsServer::start();
    let bus = connect(&server).await;
    bus.declare(StreamBytes::default(), LostStreams::Create).await.expect("declares");
    (server, bus)
}

async fn limited<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| panic!("{what} takes longer than {LIMIT:?}"))
}
