//! Publishing, the fence, and what a feed makes of it.

use bus::{Ack, Headers, PublishError};
use bytes::Bytes;

use crate::{limited, world};

#[tokio::test]
async fn a_message_travels_and_the_fence_holds() {
    let (_server, bus) = world().await;
    let subject = "tx.1.a.0";
    assert_eq!(bus.last_of("TX", subject).await.expect("read"), None);

    let first = bus.publish_fenced(subject, Headers::event("dsom.test", "1"), 0, Bytes::from_static(b"one")).await;
    let first = first.expect("published").stream_seq;
    let again = bus.publish_fenced(subject, Headers::event("dsom.test", "1"), 0, Bytes::from_static(b"one")).await;
    assert_eq!(again, Err(PublishError::Fence { last: Some(first) }), "the fence is asked before the id");
    let again = bus.publish(subject, Headers::event("dsom.test", "1"), Bytes::from_static(b"one")).await;
    assert_eq!(again, Ok(Ack { stream_seq: first, duplicate: true }));
    let stale = bus.publish_fenced(subject, Headers::event("dsom.test", "2"), 0, Bytes::from_static(b"two")).await;
    assert_eq!(stale, Err(PublishError::Fence { last: Some(first) }));
    let second = bus.publish_fenced(subject, Headers::event("dsom.test", "2"), first, Bytes::from_static(b"two")).await;
    let second = second.expect("published").stream_seq;

    let last = bus.last_of("TX", subject).await.expect("read").expect("there");
    assert_eq!((last.seq, &last.payload[..]), (second, &b"two"[..]));
    assert_eq!(last.headers.get("ce-source"), Some("test"));
    assert_eq!(bus.next_of("TX", subject, 1).await.expect("read").expect("there").seq, first);
    assert_eq!(bus.subjects("TX", "tx.1.>").await.expect("read"), [subject]);

    let mut feed = bus.consume("TX", &[], 1);
    for expected in [first, second] {
        let delivery = limited("a delivery", feed.next()).await.expect("delivered");
        assert_eq!((delivery.seq, delivery.subject.as_str()), (expected, subject));
        delivery.ack().await;
    }
}

#[tokio::test]
async fn a_feed_hands_out_no_more_than_fits_and_can_be_cancelled() {
    let (_server, bus) = world().await;
    // Seven fit into 64 MiB, the eighth does not.
    let payload = Bytes::from(vec![1; 9_000_000]);
    for n in 0..8 {
        bus.publish_fenced("tx.1.a.0", Headers::new(), n, payload.clone()).await.expect("published");
    }
    let mut feed = bus.consume("TX", &[], 1);
    let mut held = Vec::new();
    for _ in 0..7 {
        held.push(limited("a delivery", feed.next()).await.expect("delivered"));
    }
    let eighth = tokio::time::timeout(std::time::Duration::from_secs(1), feed.next()).await;
    assert!(eighth.is_err(), "waits for room");
    held.remove(0).ack().await;
    let eighth = limited("a delivery", feed.next()).await.expect("delivered");
    assert_eq!((eighth.seq, eighth.payload.len(), eighth.pending), (8, payload.len(), 0));
}
