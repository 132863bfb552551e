//! What a look-up finds, and what licensed domains have to do with it.

use super::super::list::{Conflict, Obstacle};
use super::super::look_up::{look_up, look_up_account, look_up_at};
use super::super::measure::Place;
use super::super::serial::Serial;
use super::super::standing::Standing;
use super::*;

fn found(world: &World, text: &str) -> Option<(String, &'static str)> {
    look_up(world.list(), &world.licensed, &domain(text)).map(|found| (found.by.to_string(), found.standing.as_str()))
}

#[test]
fn a_look_up_finds_the_name_or_the_nearest_that_decides() {
    let mut world = World::default();
    world.block(site("казино.укр"));
    world.block(site("vip.казино.укр"));
    world.licensed.set_licensed(operator(1), [domain("good.ua")]);
    let casino = "xn--80aodfsg.xn--j1amh";
    for (asked, by, standing) in [
        ("КАЗИНО.укр.", casino, "blocked"),
        ("XN--80AODFSG.xn--j1amh", casino, "blocked"),
        ("www.m.казино.укр", casino, "blocked"),
        ("www.vip.казино.укр", "vip.xn--80aodfsg.xn--j1amh", "blocked"),
        ("Play.Good.UA.", "good.ua", "licensed"),
    ] {
        assert_eq!(found(&world, asked), Some((by.to_owned(), standing)), "{asked}");
    }
    for unknown in ["моєказино.укр", "xn--80aodfsg.ua", "bad.ua", "other.укр", "notgood.ua"] {
        assert_eq!(found(&world, unknown), None, "{unknown}");
    }
    world.lift(site("vip.казино.укр"));
    assert_eq!(found(&world, "vip.казино.укр"), Some((casino.to_owned(), "blocked")), "the name above still blocks it");
    world.lift(site("казино.укр"));
    let vip = domain("vip.казино.укр");
    let seen = look_up(world.list(), &world.licensed, &vip).expect("known");
    assert_eq!(seen.by, vip);
    let Standing::Lifted(entry, lifting) = seen.standing else { panic!("{seen:?}") };
    assert_eq!((entry.by.at, lifting.by.at, lifting.reason.as_str()), (NOW, NOW, "the court said so"));
    assert_eq!(world.list().len(), 2, "nothing is taken out");
}

#[test]
fn accounts_are_apart_by_platform() {
    let mut world = World::default();
    world.block(account("telegram", "@Casino"));
    let standing = |platform: &str| {
        look_up_account(world.list(), account(platform, "casino").account().expect("one"), None).as_str()
    };
    assert_eq!((standing("telegram"), standing("x")), ("blocked", "unlisted"));
}

#[test]
fn what_is_licensed_is_not_blocked() {
    let mut world = World::default();
    world.licensed.set_licensed(operator(1), ["play.good.ua", "zzz.ua"].map(domain));
    for name in ["play.good.ua", "good.ua", "a.play.good.ua"] {
        let refusal = world.propose(blocks([site("bad.ua"), site(name)])).expect_err("would touch a licensed domain");
        let reason = Obstacle::Licensed { domain: domain("play.good.ua"), operator: operator(1) };
        assert_eq!(refusal, Refusal::Conflicts(vec![Conflict { place: Place::Block(1), subject: site(name), reason }]));
    }
    world.block(site("other.good.ua"));
    let proposal = world.propose(blocks([site("new.ua")])).expect("nobody's yet");
    world.licensed.set_licensed(operator(2), [domain("www.new.ua")]);
    assert!(
        matches!(world.order(Order::Confirm { proposal }, "bob"), Err(Refusal::Conflicts(_))),
        "licensed in between"
    );
    world.licensed.set_licensed(operator(2), []);
    world.order(Order::Confirm { proposal }, "bob").expect("nobody's again");
    assert_eq!(world.licensed.all().count(), 2);

    for (name, touched) in
        [("good.ua", Some("other.good.ua")), ("x.other.good.ua", Some("other.good.ua")), ("play.good.ua", None)]
    {
        assert_eq!(world.list().touched(&domain(name)).map(|name| name.as_str()), touched, "{name}");
    }
    world.licensed.set_licensed(operator(3), [domain("new.ua")]);
    assert_eq!(
        found(&world, "new.ua"),
        Some(("new.ua".to_owned(), "blocked")),
        "the decision with its evidence counts"
    );
    world.lift(site("new.ua"));
    assert_eq!(found(&world, "new.ua"), Some(("new.ua".to_owned(), "licensed")));
}

#[test]
fn rows_come_in_order_and_go_on_after_one() {
    let mut world = World::default();
    world
        .carry_out(blocks([account("x", "casino"), site("b.ua"), site("казино.укр"), site("www.b.ua")]))
        .expect("blocked");
    let rows = |after: Option<&Subject>| world.list().all(after).map(|row| row.subject.to_string()).collect::<Vec<_>>();
    assert_eq!(rows(None), ["b.ua", "www.b.ua", "xn--80aodfsg.xn--j1amh", "x/casino"]);
    assert_eq!(rows(Some(&site("c.ua"))), ["xn--80aodfsg.xn--j1amh", "x/casino"]);
    assert_eq!(rows(Some(&account("x", "casino"))), Vec::<String>::new());
    assert!(world.list().all(None).any(|row| row.in_unicode == Some("казино.укр")));
}

#[test]
fn the_list_is_shown_as_it_was() {
    const DAY_MS: i64 = 86_400_000;
    let mut world = World::default();
    let at = |ms: i64| Some(UnixMillis(NOW.0 + ms));
    world.carry_out(blocks([site("a.ua"), account("x", "casino")])).expect("blocked");
    world.later_ms = 1_000;
    let tomorrow = TODAY.checked_add(jiff::Span::new().days(1)).expect("a date");
    let later = Measure::new(vec![block_from(site("b.ua"), tomorrow)], vec![]).expect("a measure");
    world.carry_out(later).expect("announced");
    (world.later_ms, world.later_days) = (DAY_MS, 1);
    world.order(Order::Begin, "system").expect("is due");
    world.later_ms = DAY_MS + 1_000;
    world.lift(site("a.ua"));
    let list = world.list();
    for (ms, a, b, serial) in [
        (-1, "unlisted", "unlisted", 0),
        (0, "blocked", "unlisted", 1),
        (999, "blocked", "unlisted", 1),
        (1_000, "blocked", "announced", 1),
        (DAY_MS - 1, "blocked", "announced", 1),
        (DAY_MS, "blocked", "blocked", 2),
        (DAY_MS + 999, "blocked", "blocked", 2),
        (DAY_MS + 1_000, "lifted", "blocked", 3),
    ] {
        let stood = |name: &str| list.standing_at(&site(name), at(ms)).as_str();
        assert_eq!((stood("a.ua"), stood("b.ua"), list.serial_at(at(ms))), (a, b, Serial(serial)), "at {ms}");
    }
    assert_eq!((list.standing_at(&site("a.ua"), None).as_str(), list.serial_at(None)), ("lifted", Serial(3)));
    let was =
        |ms: i64| look_up_at(list, &world.licensed, &domain("www.a.ua"), at(ms)).map(|found| found.standing.as_str());
    assert_eq!([was(-1), was(0), was(2 * DAY_MS)], [None, Some("blocked"), Some("lifted")]);
    let casino = account("x", "casino");
    let was = |ms: i64| look_up_account(list, casino.account().expect("one"), at(ms)).as_str();
    assert_eq!([was(-1), was(0)], ["unlisted", "blocked"]);
}
