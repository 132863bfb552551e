//! A zone that is set otherwise, by processes that are started one by one.

use super::*;

impl World {
    /// A process whose zone has this host for a garden, started as a service starts it.
    async fn with_garden(&self, host: &str) -> ListAccess {
        let list = self.start_set_to(Answer::Garden(host.parse().expect("a name"))).await.expect("starts");
        list.set_zone().await.expect("is set");
        list
    }
}

fn now(form: Form, since: Option<u32>) -> Wanted {
    Wanted { form, since: since.map(Serial), as_of: None }
}

fn version(list: &ListAccess) -> u64 {
    list.shown().sites.head().version
}

#[actix_rt::test]
async fn a_zone_that_is_set_otherwise_has_the_next_serial_and_no_delta_over_it() {
    let world = World::new();
    let old = world.with_garden("old.example.ua").await;
    assert_eq!(old.feeds().serial, Serial(1));
    carry_out(&old, 1, blocks(&["a.ua"])).await;
    let then = old.feeds();
    assert!(String::from_utf8_lossy(&then.zone.bytes).contains("a.ua CNAME old.example.ua.\n"));
    // Started again with what it was set to it writes nothing.
    let again = world.with_garden("old.example.ua").await;
    assert_eq!((version(&again), again.feeds().zone.etag.clone()), (3, then.zone.etag.clone()));

    world.pass_ms(1_000);
    let new = world.with_garden("new.example.ua").await;
    let feeds = new.feeds();
    assert_eq!(feeds.serial, Serial(3));
    assert!(String::from_utf8_lossy(&feeds.zone.bytes).contains("a.ua CNAME new.example.ua.\n"));
    let changes = new.changes(3, 9).await.expect("reads");
    let written = String::from_utf8_lossy(&changes[0].bytes);
    let named =
        r#""by":{"sub":"licensing","role":"system"},"fact":{"type":"zone_set","zone":{"origin":"rpz.example.ua","#;
    assert!(changes.len() == 1 && written.contains(named), "{written}");
    for since in [0, 1, 2] {
        let delta = new.feed(now(Form::Zone, Some(since))).await;
        assert!(matches!(delta, Err(FeedError::NoDelta(NoDelta::OtherZone))), "{since}: {delta:?}");
    }
    // What is no zone goes on: nothing was blocked or lifted.
    let delta = new.feed(now(Form::Text, Some(2))).await.expect("known");
    assert!(String::from_utf8_lossy(&delta.bytes).lines().all(|line| line.starts_with('#')), "{delta:?}");
    carry_out(&new, 2, blocks(&["b.ua"])).await;
    let delta = new.feed(now(Form::Zone, Some(3))).await.expect("set so before");
    assert!(String::from_utf8_lossy(&delta.bytes).contains("\nb.ua CNAME new.example.ua.\n"));
    // Of the time before it is the zone of then.
    let past = Wanted { as_of: Some(UnixMillis(NOW_MS + 999)), ..now(Form::Zone, None) };
    assert_eq!(new.feed(past).await.expect("is made").bytes, then.zone.bytes);
}

#[actix_rt::test]
async fn processes_that_are_set_otherwise_serve_one_zone_and_do_not_take_turns() {
    let world = World::new();
    let old = world.with_garden("old.example.ua").await;
    carry_out(&old, 1, blocks(&["a.ua"])).await;
    // Two new ones beside it, at once: one of them writes.
    let (one, other) = futures::join!(world.with_garden("new.example.ua"), world.with_garden("new.example.ua"));
    assert_eq!(old.changes(3, 9).await.expect("reads").len(), 1);
    for _ in 0..3 {
        for list in [&old, &one, &other] {
            list.catch_up().await.expect("answers");
        }
    }
    let tag = |list: &ListAccess| list.feeds().zone.etag.clone();
    old.feeds_with(Serial(3)).await.expect("is shown");
    assert_eq!((version(&old), version(&one), version(&other)), (4, 4, 4));
    assert!(tag(&old) == tag(&one) && tag(&one) == tag(&other), "one serial, one zone");
}

#[actix_rt::test]
async fn a_history_in_which_no_zone_was_set_is_served_as_it_was() {
    let world = World::new();
    let list = world.start().await;
    carry_out(&list, 1, blocks(&["a.ua"])).await;
    let garden = world.start_set_to(Answer::Garden("new.example.ua".parse().expect("a name"))).await.expect("starts");
    assert_eq!(garden.feeds().serial, Serial(1));
    assert!(String::from_utf8_lossy(&garden.feeds().zone.bytes).contains("a.ua CNAME new.example.ua.\n"));
    garden.feed(now(Form::Zone, Some(0))).await.expect("a delta");
    // Nobody knows what it was set to before, so who has it takes it anew.
    garden.set_zone().await.expect("is set");
    assert_eq!(garden.feeds().serial, Serial(2));
    let delta = garden.feed(now(Form::Zone, Some(1))).await;
    assert!(matches!(delta, Err(FeedError::NoDelta(NoDelta::OtherZone))), "{delta:?}");
}
