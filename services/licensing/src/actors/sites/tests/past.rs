//! Feeds of the past: how many at a time, and whose word they are.

use super::*;

fn past(form: Form, as_of: i64) -> Wanted {
    Wanted { form, since: None, as_of: Some(UnixMillis(as_of)) }
}

#[actix_rt::test]
async fn a_feed_of_the_past_is_the_same_and_its_signature_is_not() {
    let world = World::new();
    let list = world.start().await;
    carry_out(&list, 1, blocks(&["a.ua"])).await;
    let then = list.feeds();
    world.pass_ms(1_000);
    carry_out(&list, 2, blocks(&["b.ua"])).await;
    for form in [Form::Json, Form::Text, Form::Zone] {
        let feed = list.feed(past(form, NOW_MS + 999)).await.expect("is made");
        assert_eq!(feed.bytes, then.of(form).bytes);
        assert!(verify_past(&world.key, &feed.jws, &feed.bytes, "2026-11-23T06:00:00.999Z"));
        // What is signed as of a moment is signed as nothing else.
        let header = then.of(form).jws.split('.').next().expect("a header").to_owned();
        let borrowed = format!("{header}..{}", feed.jws.rsplit('.').next().expect("a signature"));
        assert!(!verify(&world.key, &borrowed, &feed.bytes));
        let delta = Wanted { since: Some(Serial(1)), ..past(form, NOW_MS + 999) };
        let delta = list.feed(delta).await.expect("is made");
        assert!(verify_past(&world.key, &delta.jws, &delta.bytes, "2026-11-23T06:00:00.999Z"));
        let unknown = list.feed(Wanted { since: Some(Serial(2)), ..past(form, NOW_MS + 999) }).await;
        assert!(matches!(unknown, Err(FeedError::NoDelta(NoDelta::Unknown))), "nobody had it then");
    }
}

#[actix_rt::test]
async fn few_feeds_of_the_past_are_made_at_a_time() {
    let world = World::new();
    let list = world.start().await;
    let places = Arc::clone(&list.past);
    let held = places.clone().acquire_owned().await.expect("is open");
    list.feed(past(Form::Text, NOW_MS)).await.expect("one more");
    let all = places.clone().acquire_owned().await.expect("is given back");
    let refused = list.feed(past(Form::Text, NOW_MS)).await;
    assert!(matches!(refused, Err(FeedError::TooMany)), "{refused:?}");
    list.feed(Wanted { form: Form::Text, since: None, as_of: None }).await.expect("the present is served");
    list.feed(Wanted { form: Form::Text, since: Some(Serial(0)), as_of: None }).await.expect("and its deltas");
    drop((held, all));
    list.feed(past(Form::Text, NOW_MS)).await.expect("again");
}
