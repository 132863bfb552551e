//! Trimming while the server goes and comes, and trimming that spares what must stay.

use std::num::NonZeroU8;

use bus::{Bus, BusConfig, Headers, Link, LostStreams, StreamBytes};
use bytes::Bytes;
use testkit::{Fault, NatsServer, Proxy};

use crate::{limited, world};

/// Bytes of everything a call says to the server, and some; and less than its shortest request.
const SAID: std::ops::Range<usize> = 20..1_800;
const STEP: usize = 90;

async fn put(bus: &Bus, subject: &str, bytes: usize) -> u64 {
    bus.publish(subject, Headers::new(), Bytes::from(vec![7; bytes])).await.expect("published").stream_seq
}

async fn until_up(bus: &Bus) {
    let mut link = bus.link();
    limited("reconnecting", link.wait_for(|link| matches!(link, Link::Up(_)))).await.expect("watched");
}

#[tokio::test]
async fn a_connection_cut_at_any_request_holds_up_no_trim() {
    let server = NatsServer::start();
    let proxy = Proxy::start(server.url().trim_start_matches("nats://"));
    let config = BusConfig {
        url: format!("nats://{}", proxy.addr()),
        monitor_url: server.monitor_url(),
        replicas: NonZeroU8::MIN,
        name: "test".into(),
        login: None,
    };
    let bus = Bus::connect(config).await.expect("connects");
    bus.declare(StreamBytes::default(), LostStreams::Create).await.expect("declares");
    for subject in ["tx.1.a.0", "tx.1.b.0", "tx.1.a.0", "tx.1.b.0"] {
        put(&bus, subject, 10).await;
    }
    let mut cut = 0;
    for bytes in SAID.step_by(STEP) {
        proxy.set(Fault::CutAfter(bytes));
        // Nothing is left to trim in the second round, so what is said does not change.
        cut += usize::from(limited("a trim", bus.trim_each("TX", u64::MAX - 1, |_| true)).await.is_err());
        proxy.set(Fault::None);
        until_up(&bus).await;
    }
    assert!(cut >= 5, "the connection was cut under {cut} calls alone");
    put(&bus, "tx.1.a.0", 10).await;
    let trimmed = limited("a trim", bus.trim("TX", u64::MAX - 1)).await.expect("trims");
    assert!(trimmed.messages > 0, "it goes on");
}

#[tokio::test]
async fn what_is_not_chosen_stays_and_so_does_the_last_of_every_subject() {
    let (_server, bus) = world().await;
    let kept = [put(&bus, "tx.1.kept.0", 10).await, put(&bus, "tx.1.kept.0", 10).await];
    for _ in 0..5 {
        put(&bus, "tx.1.a.0", 10).await;
    }
    let up_to = put(&bus, "tx.2.b.0", 10).await;
    let above = [put(&bus, "tx.1.a.0", 10).await, put(&bus, "tx.2.b.0", 10).await];
    let trimmed = bus.trim_each("TX", up_to, |subject| subject != "tx.1.kept.0").await.expect("trims");
    assert_eq!(trimmed.messages, 6, "five of one, one of the other");
    for (subject, seqs) in [("tx.1.kept.0", &kept[..]), ("tx.1.a.0", &above[..1]), ("tx.2.b.0", &above[1..])] {
        let mut from = 0;
        for seq in seqs {
            let found = bus.next_of("TX", subject, from).await.expect("read").expect("there");
            assert_eq!(found.seq, *seq, "{subject}");
            from = seq + 1;
        }
        assert_eq!(bus.next_of("TX", subject, from).await.expect("read"), None, "{subject}");
    }
    let again = bus.trim_each("TX", u64::MAX - 1, |subject| subject != "tx.1.kept.0").await.expect("trims");
    assert_eq!(again.messages, 0, "the last of every subject stays");
}
