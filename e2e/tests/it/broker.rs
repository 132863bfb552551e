//! A broker that asked nobody is given accounts: what it held is still there.

use std::num::NonZeroU8;

use bus::{Bus, BusConfig, Headers, Home, Login, LostStreams, StreamBytes};
use testkit::{NatsLogins, NatsServer};

async fn open(server: &NatsServer, login: Option<Login>, lost: LostStreams) -> Bus {
    let (url, monitor_url) = (server.url(), server.monitor_url());
    let config = BusConfig { url, monitor_url, replicas: NonZeroU8::MIN, name: "test".into(), login };
    Bus::open(config, StreamBytes::default(), lost).await.expect("opens")
}

#[tokio::test]
async fn the_streams_of_a_broker_that_asked_nobody_are_those_of_its_accounts() {
    let mut server = NatsServer::start();
    let before = open(&server, None, LostStreams::Create).await;
    let mut told = Vec::new();
    for subject in ["tx.1.a.0", "ledger.block.a", "alerts.chain-stopped.a", "registry.operator.a"] {
        let put = before.publish(subject, Headers::new(), subject.to_owned().into()).await;
        told.push((subject, put.expect("published").stream_seq));
    }
    drop(before);
    server.stop();
    let store = server.dir().join("store");
    dsom::mesh::nats::settle(&store).expect("moved");
    let logins = NatsLogins::market();
    server.configure(&logins.config());
    server.restart();
    let login = |user, home| Some(Login { nkey_file: logins.file(user), home });
    let chaining = open(&server, login("chaining", Home::Streams), LostStreams::Refuse).await;
    let licensing = open(&server, login("licensing", Home::Registry), LostStreams::Refuse).await;
    for (bus, stream, (subject, seq)) in [
        (&chaining, "TX", told[0]),
        (&chaining, "LEDGER", told[1]),
        (&chaining, "ALERTS", told[2]),
        (&licensing, "REGISTRY", told[3]),
    ] {
        let kept = bus.last_of(stream, subject).await.expect("read").expect("it is there");
        assert_eq!((kept.seq, &kept.payload[..]), (seq, subject.as_bytes()), "{stream}");
    }
    dsom::mesh::nats::settle(&store).expect("nothing is left to move");
}
