//! What the bus does when the server dies, freezes, is full, is another one or has lost its streams.

use std::num::NonZeroU8;
use std::time::{Duration, Instant};

use bus::{
    ALERTS_OF_SUBJECT_MAX, Ack, Bus, BusConfig, ConnectError, DeclareError, FeedError, Headers, Link, LostStreams,
    PublishError, StreamBytes,
};
use bytes::Bytes;
use futures::FutureExt as _;
use testkit::{NatsConfig, NatsServer};

use crate::{connect, limited, world};

async fn put(bus: &Bus, subject: &str, fence: u64, payload: &[u8]) -> Result<u64, PublishError> {
    let published = bus.publish_fenced(subject, Headers::new(), fence, Bytes::copy_from_slice(payload)).await;
    published.map(|ack: Ack| ack.stream_seq)
}

async fn until_up(bus: &Bus) {
    let mut link = bus.link();
    limited("reconnecting", link.wait_for(|link| matches!(link, Link::Up(_)))).await.expect("watched");
}

async fn until_down(bus: &Bus) {
    let mut link = bus.link();
    limited("noticing", link.wait_for(|link| *link == Link::Down)).await.expect("watched");
}

#[tokio::test]
async fn a_server_that_does_not_sync_is_refused() {
    let lazy = NatsConfig { sync_interval: "\"2m\"".into(), ..NatsConfig::default() };
    let server = NatsServer::start_with(&lazy);
    let config = BusConfig {
        url: server.url(),
        monitor_url: server.monitor_url(),
        replicas: NonZeroU8::MIN,
        name: "test".into(),
        login: None,
    };
    let Err(refused) = Bus::connect(config.clone()).await else { panic!("connected to a server that does not sync") };
    assert!(!refused.is_passing());
    let ConnectError::Monitor { source, .. } = &refused else { panic!("{refused}") };
    assert!(source.to_string().contains("set `sync_interval: always`"), "{source}");

    let nobody = BusConfig { url: format!("nats://127.0.0.1:{}", testkit::free_port()), ..config };
    let Err(away) = Bus::connect(nobody).await else { panic!("connected to nobody") };
    assert!(away.is_passing());
}

#[tokio::test]
async fn a_server_that_comes_back_without_syncing_is_refused_too() {
    let (mut server, bus) = world().await;
    server.kill9();
    until_down(&bus).await;
    server.configure(&NatsConfig { sync_interval: "\"10s\"".into(), ..NatsConfig::default() });
    server.restart();
    let mut link = bus.link();
    limited("refusing", link.wait_for(|link| matches!(link, Link::Refused(_)))).await.expect("watched");
    assert_eq!(put(&bus, "tx.1.a.0", 0, b"x").await, Err(PublishError::Away));
    server.configure(&NatsConfig::default());
    server.restart();
    until_up(&bus).await;
    put(&bus, "tx.1.a.0", 0, b"x").await.expect("published");
}

#[tokio::test]
async fn a_killed_server_costs_seconds_and_nothing_acknowledged() {
    let (mut server, bus) = world().await;
    let mut feed = bus.consume("TX", &["tx.1.>".to_owned()], 1);
    let mut last = 0;
    for n in 0_u8..20 {
        last = put(&bus, "tx.1.a.0", last, &[n]).await.expect("published");
    }
    for n in 0_u8..10 {
        let delivery = limited("a delivery", feed.next()).await.expect("delivered");
        assert_eq!(delivery.payload[..], [n]);
        // Half of them stay unacknowledged: they must not come again.
        if n % 2 == 0 {
            delivery.ack().await;
        }
    }
    server.kill9();
    until_down(&bus).await;
    let said = put(&bus, "tx.1.a.0", last, b"x").now_or_never();
    assert_eq!(said, Some(Err(PublishError::Away)), "away is said without waiting for anything");
    server.restart();
    let back = Instant::now();
    for n in 10_u8..20 {
        let delivery = limited("a delivery", feed.next()).await.expect("delivered");
        assert_eq!(delivery.payload[..], [n]);
        delivery.ack().await;
    }
    put(&bus, "tx.1.a.0", last, &[20]).await.expect("published");
    assert_eq!(limited("a delivery", feed.next()).await.expect("delivered").payload[..], [20]);
    assert!(back.elapsed() < Duration::from_secs(15), "recovered in {:?}", back.elapsed());
}

#[tokio::test]
async fn a_frozen_server_leaves_the_outcome_unknown_within_the_limit() {
    let (server, bus) = world().await;
    put(&bus, "tx.1.a.0", 0, b"1").await.expect("published");
    server.pause();
    let asked = Instant::now();
    let outcome = put(&bus, "tx.1.a.0", 1, b"2").await;
    assert!(matches!(outcome, Err(PublishError::Unknown(_))), "{outcome:?}");
    assert!(asked.elapsed() < Duration::from_secs(15));
    server.resume();
    until_up(&bus).await;
    // It was stored after all: the same again meets its own fence, and the last message is the one.
    let again = limited("publishing", put(&bus, "tx.1.a.0", 1, b"2")).await;
    assert_eq!(again, Err(PublishError::Fence { last: Some(2) }));
    assert_eq!(bus.last_of("TX", "tx.1.a.0").await.expect("read").expect("there").payload[..], *b"2");
}

#[tokio::test]
async fn a_full_stream_says_so_at_once_and_works_again_once_trimmed() {
    let server = NatsServer::start();
    let bus = connect(&server).await;
    bus.declare(StreamBytes { tx: 1 << 20, ..StreamBytes::default() }, LostStreams::Create).await.expect("declares");
    let payload = vec![7; 50_000];
    let idle = put(&bus, "tx.1.idle.0", 0, b"idle").await.expect("published");
    let mut last = [0, 0];
    let full = 'fill: loop {
        for (n, fence) in last.iter_mut().enumerate() {
            match put(&bus, &format!("tx.1.busy{n}.0"), *fence, &payload).await {
                Ok(seq) => *fence = seq,
                Err(error) => break 'fill error,
            }
        }
    };
    assert!(matches!(full, PublishError::Full(_)), "{full:?}");
    let asked = Instant::now();
    assert!(matches!(put(&bus, "tx.1.busy0.0", last[0], &payload).await, Err(PublishError::Full(_))));
    assert!(asked.elapsed() < Duration::from_secs(3));

    // Worked off but for the last two: what is above stays, and so does the last of every subject below.
    let up_to = last.iter().max().expect("two") - 2;
    let trimmed = bus.trim("TX", up_to).await.expect("trims");
    assert!(trimmed.messages > 10, "{trimmed:?}");
    let state = bus.state_of("TX").await.expect("read");
    assert_eq!(state.messages, 3);
    for (subject, seq) in [("tx.1.idle.0", idle), ("tx.1.busy0.0", last[0]), ("tx.1.busy1.0", last[1])] {
        assert_eq!(bus.last_of("TX", subject).await.expect("read").expect("stays").seq, seq);
        let stale = put(&bus, subject, seq - 1, b"stale").await;
        assert_eq!(stale, Err(PublishError::Fence { last: Some(seq) }), "the fence of {subject} holds");
    }
    assert_eq!(bus.trim("TX", u64::MAX - 1).await.expect("trims").messages, 0);
    put(&bus, "tx.1.busy0.0", last[0], &payload).await.expect("there is room again");
}

#[tokio::test]
async fn a_lost_stream_is_not_made_anew_behind_our_back() {
    let (_server, bus) = world().await;
    let mut feed = bus.consume("TX", &[], 1);
    put(&bus, "tx.1.a.0", 0, b"1").await.expect("published");
    put(&bus, "tx.1.a.0", 1, b"2").await.expect("published");
    for _ in 0..2 {
        limited("a delivery", feed.next()).await.expect("delivered").ack().await;
    }
    let raw = async_nats::jetstream::new(async_nats::connect(_server.url()).await.expect("connects"));
    raw.delete_stream("TX").await.expect("deleted");
    assert!(matches!(limited("the feed", feed.next()).await, Err(FeedError::NoStream(_))));
    assert_eq!(put(&bus, "tx.1.a.0", 2, b"3").await, Err(PublishError::NoStream));
    let declared = bus.declare(StreamBytes::default(), LostStreams::Refuse).await;
    assert!(matches!(declared, Err(DeclareError::Lost("TX"))), "{declared:?}");

    bus.declare(StreamBytes::default(), LostStreams::Create).await.expect("declares");
    let rewound = limited("the feed", feed.next()).await;
    assert!(matches!(rewound, Err(FeedError::Rewound { last: 0, read: 2, .. })));
    feed.rewind(1);
    put(&bus, "tx.1.a.0", 0, b"anew").await.expect("published");
    assert_eq!(limited("a delivery", feed.next()).await.expect("delivered").payload[..], *b"anew");
}

#[tokio::test]
async fn a_consumer_the_server_forgot_is_made_anew() {
    let (server, bus) = world().await;
    let mut feed = bus.consume("TX", &[], 1);
    put(&bus, "tx.1.a.0", 0, b"1").await.expect("published");
    limited("a delivery", feed.next()).await.expect("delivered").ack().await;
    let raw = async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects"));
    let stream = raw.get_stream("TX").await.expect("there");
    let names: Vec<_> = futures::StreamExt::collect(stream.consumer_names()).await;
    for name in names {
        stream.delete_consumer(&name.expect("a name")).await.expect("deleted");
    }
    put(&bus, "tx.1.a.0", 1, b"2").await.expect("published");
    assert_eq!(limited("a delivery", feed.next()).await.expect("delivered").payload[..], *b"2");
}

#[tokio::test]
async fn a_stream_of_another_shape_is_refused_and_another_size_is_taken() {
    let (server, bus) = world().await;
    bus.declare(StreamBytes { tx: 1 << 20, ..StreamBytes::default() }, LostStreams::Refuse).await.expect("resizes");
    assert_eq!(bus.state_of("TX").await.expect("read").bytes_max, 1 << 20);
    let huge = StreamBytes { tx: 1 << 40, ..StreamBytes::default() };
    let refused = bus.declare(huge, LostStreams::Refuse).await;
    assert!(matches!(refused, Err(DeclareError::NoRoom { stream: "TX", .. })), "{refused:?}");
    let raw = async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects"));
    let mut config = raw.get_stream("ALERTS").await.expect("there").cached_info().config.clone();
    config.discard = async_nats::jetstream::stream::DiscardPolicy::Old;
    config.discard_new_per_subject = false;
    raw.update_stream(&config).await.expect("updated");
    let refused = bus.declare(StreamBytes { tx: 1 << 20, ..StreamBytes::default() }, LostStreams::Refuse).await;
    assert!(matches!(refused, Err(DeclareError::Differs { stream: "ALERTS", .. })), "{refused:?}");
}

#[tokio::test]
async fn alerts_about_one_are_bounded_and_leave_room_for_all_others() {
    let (server, bus) = world().await;
    let raw = async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects"));
    let mut config = raw.get_stream("ALERTS").await.expect("there").cached_info().config.clone();
    // As it was before there was a bound: it is given one, and keeps what it holds.
    (config.max_messages_per_subject, config.discard_new_per_subject) = (-1, false);
    raw.update_stream(&config).await.expect("updated");
    let held = ALERTS_OF_SUBJECT_MAX + 3;
    let client = async_nats::connect(server.url()).await.expect("connects");
    for _ in 0..held {
        client.publish("alerts.outside-licence.c", "!".into()).await.expect("sent");
    }
    let all_there = async { while bus.state_of("ALERTS").await.expect("read").messages < held as u64 {} };
    limited("the alerts to be there", all_there).await;
    bus.declare(StreamBytes::default(), LostStreams::Refuse).await.expect("bounds it by what is there");
    let kept = bus.next_of("ALERTS", "alerts.outside-licence.c", 1).await.expect("read").expect("a message");
    assert_eq!(kept.seq, 1);
    let more = bus.publish("alerts.outside-licence.c", Headers::new(), b"!".as_slice().into()).await;
    assert!(matches!(more, Err(PublishError::Full(_))), "{more:?}");
    raw.get_stream("ALERTS").await.expect("there").purge().await.expect("purged");
    bus.declare(StreamBytes::default(), LostStreams::Refuse).await.expect("gives it our bound");
    let mut config = raw.get_stream("ALERTS").await.expect("there").cached_info().config.clone();
    assert_eq!((config.max_messages_per_subject, config.discard_new_per_subject), (ALERTS_OF_SUBJECT_MAX, true));
    config.max_messages_per_subject = 2;
    raw.update_stream(&config).await.expect("updated");
    let tell = async |subject: &str| bus.publish(subject, Headers::new(), b"!".as_slice().into()).await;
    for _ in 0..2 {
        tell("alerts.rewrite-attempt.a").await.expect("taken");
    }
    let full = tell("alerts.rewrite-attempt.a").await;
    assert!(matches!(full, Err(PublishError::Full(_))), "{full:?}");
    tell("alerts.rewrite-attempt.b").await.expect("another's are taken");
    tell("alerts.outside-licence.a").await.expect("another kind is taken");
    let first = bus.next_of("ALERTS", "alerts.rewrite-attempt.a", 1).await.expect("read").expect("a message");
    assert_eq!(first.seq, held as u64 + 1, "the oldest stays");
    bus.declare(StreamBytes::default(), LostStreams::Refuse).await.expect("gives it our bound");
    tell("alerts.rewrite-attempt.a").await.expect("there is room again");
}

#[tokio::test]
async fn what_the_server_cannot_take_is_refused_before_it_is_sent() {
    let (_server, bus) = world().await;
    let outcome = put(&bus, "tx.1.a.0", 0, &vec![0; 10 << 20]).await;
    assert!(matches!(outcome, Err(PublishError::TooLarge { .. })), "{outcome:?}");
}
