//! What a look-up finds, and what licensed domains have to do with it.

use super::super::list::{Conflict, Obstacle};
use super::super::look_up::{look_up, look_up_account};
use super::super::measure::Place;
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
    let standing =
        |platform: &str| look_up_account(world.list(), account(platform, "casino").account().expect("one")).as_str();
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
