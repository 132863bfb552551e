//! The exact bytes of the feeds: providers parse them.

use super::super::delta::{DELTA_SUBJECTS_MAX, NoDelta};
use super::super::feeds::{json, json_delta, text, text_delta};
use super::super::serial::Serial;
use super::*;

fn body(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn an_empty_list_has_feeds() {
    let world = World::default();
    let feed = json(world.list()).expect("JSON");
    assert_eq!(body(&feed.bytes), "{\"serial\":0,\"changed_at\":\"never\",\"sites\":[],\"accounts\":[]}\n");
    let expected = "# Blocked domains, each with its subdomains.\n# serial 0\n# changed never\n# domains 0\n";
    assert_eq!(body(&text(world.list()).bytes), expected);
}

#[test]
fn feeds_show_what_is_in_force_and_no_more() {
    let mut world = World::default();
    world.block(site("old.ua"));
    let later = block_from(site("later.ua"), jiff::civil::date(2026, 12, 1));
    world.carry_out(Measure::new(vec![later], vec![]).expect("a measure")).expect("announced");
    world.licensed.set_licensed(operator(1), [domain("good.ua")]);
    world
        .carry_out(blocks([account("telegram", "@Casino"), site("казино.укр"), site("www.a.ua"), site("a.ua")]))
        .expect("blocked");
    world.lift(site("old.ua"));

    let entry =
        r#""blocked_from":"2026-11-23","law":"Law 768-IX, art. 16","document":"R-101","evidence":"case 17/2026""#;
    let sites = format!(
        r#"{{"domain":"a.ua",{entry}}},{{"domain":"www.a.ua",{entry}}},{{"domain":"xn--80aodfsg.xn--j1amh",{entry}}}"#
    );
    let accounts = format!(r#"{{"platform":"telegram","handle":"casino",{entry}}}"#);
    let head = r#""serial":3,"changed_at":"2026-11-23T06:00:00.000Z""#;
    let feed = json(world.list()).expect("JSON");
    assert_eq!(body(&feed.bytes), format!("{{{head},\"sites\":[{sites}],\"accounts\":[{accounts}]}}\n"));
    assert_eq!(feed.etag, format!("\"3-{}\"", ledger::leaf_hash(&feed.bytes)));
    let changed = "# serial 3\n# changed 2026-11-23T06:00:00.000Z\n";
    let lines = "a.ua\nwww.a.ua\nxn--80aodfsg.xn--j1amh\n";
    let expected = format!("# Blocked domains, each with its subdomains.\n{changed}# domains 3\n{lines}");
    assert_eq!(body(&text(world.list()).bytes), expected);

    let delta = world.list().delta(Serial(1)).expect("known");
    let feed = json_delta(&delta).expect("JSON");
    let expected = format!(
        "{{\"since\":1,{head},\"lifted_sites\":[\"old.ua\"],\"lifted_accounts\":[],\"sites\":[{sites}],\"accounts\":[{accounts}]}}\n"
    );
    assert_eq!(body(&feed.bytes), expected);
    let lines = "-old.ua\n+a.ua\n+www.a.ua\n+xn--80aodfsg.xn--j1amh\n";
    assert_eq!(
        body(&text_delta(&delta).bytes),
        format!("# Changes of the blocked domains.\n# since 1\n{changed}{lines}")
    );
}

#[test]
fn who_is_far_behind_takes_the_whole() {
    let mut world = World::default();
    let mut names = (0..).map(|n| site(&format!("a{n}.ua")));
    world.block(names.next().expect("a name"));
    for _ in 0..DELTA_SUBJECTS_MAX / 2_000 {
        world.carry_out(blocks(names.by_ref().take(2_000))).expect("blocked");
    }
    assert_eq!(world.list().delta(Serial(0)), Err(NoDelta::TooFar));
    assert_eq!(world.list().delta(Serial(1)).expect("just within").blocked.len(), DELTA_SUBJECTS_MAX);
    for unknown in [7, u32::MAX, 1 << 31] {
        assert_eq!(world.list().delta(Serial(unknown)), Err(NoDelta::Unknown), "{unknown}");
    }
}

#[test]
fn a_feed_of_a_moment_is_the_one_that_was_served_then() {
    const DAY_MS: i64 = 86_400_000;
    let mut world = World::default();
    world.block(site("a.ua"));
    world.later_ms = 1_000;
    let tomorrow = block_from(site("b.ua"), jiff::civil::date(2026, 11, 24));
    world.carry_out(Measure::new(vec![tomorrow], vec![]).expect("a measure")).expect("announced");
    (world.later_ms, world.later_days) = (DAY_MS, 1);
    world.order(Order::Begin, "system").expect("is due");
    world.later_ms = DAY_MS + 1_000;
    world.lift(site("a.ua"));
    let then = |ms: i64| world.list().as_of(UnixMillis(NOW.0 + ms));
    for (ms, serial, changed, domains) in [
        (-1, 0, "never", &[][..]),
        (0, 1, "2026-11-23T06:00:00.000Z", &["a.ua"]),
        (DAY_MS - 1, 1, "2026-11-23T06:00:00.000Z", &["a.ua"]),
        (DAY_MS, 2, "2026-11-24T06:00:00.000Z", &["a.ua", "b.ua"]),
        (DAY_MS + 999, 2, "2026-11-24T06:00:00.000Z", &["a.ua", "b.ua"]),
        (DAY_MS + 1_000, 3, "2026-11-24T06:00:01.000Z", &["b.ua"]),
        (9 * DAY_MS, 3, "2026-11-24T06:00:01.000Z", &["b.ua"]),
    ] {
        let lines: String = domains.iter().map(|domain| format!("{domain}\n")).collect();
        let head = format!("# serial {serial}\n# changed {changed}\n# domains {}\n", domains.len());
        let expected = format!("# Blocked domains, each with its subdomains.\n{head}{lines}");
        assert_eq!(body(&text(&then(ms)).bytes), expected, "at {ms}");
    }
    let delta = |ms: i64, since| then(ms).delta(Serial(since)).map(|delta| body(&text_delta(&delta).bytes).to_owned());
    let head = "# Changes of the blocked domains.\n# since 1\n# serial 2\n# changed 2026-11-24T06:00:00.000Z\n";
    assert_eq!(delta(DAY_MS, 1), Ok(format!("{head}+b.ua\n")));
    assert_eq!(delta(DAY_MS, 3), Err(NoDelta::Unknown), "nobody had it then");
    assert_eq!(delta(DAY_MS + 1_000, 3).expect("known").lines().count(), 4, "nothing since");
}
