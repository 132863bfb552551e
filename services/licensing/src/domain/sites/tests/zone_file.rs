//! The policy zone, read back by a reader of its own.

use std::collections::BTreeSet;

use super::super::delta::NoDelta;
use super::super::rpz::{Answer, rpz, rpz_delta};
use super::super::serial::Serial;
use super::*;

/// What a zone file says: the serial, and the owners of its CNAME records without the zone's name.
fn read(bytes: &[u8]) -> (u32, Vec<String>) {
    let text = std::str::from_utf8(bytes).expect("text");
    let mut lines = text.lines().filter(|line| !line.starts_with(';'));
    assert_eq!(lines.next(), Some("$ORIGIN rpz.example.ua."));
    assert_eq!(lines.next(), Some("$TTL 300"));
    let soa: Vec<&str> = lines.next().expect("a SOA").split(' ').collect();
    let ["@", "IN", "SOA", "ns.example.ua.", "hostmaster.example.ua.", serial, "300", "60", "2419200", "300"] = soa[..]
    else {
        panic!("{soa:?}");
    };
    assert_eq!(lines.next(), Some("@ IN NS ns.example.ua."));
    let owner = |line: &str| line.strip_suffix(" CNAME .").unwrap_or_else(|| panic!("{line}")).to_owned();
    (serial.parse().expect("a serial"), lines.map(owner).collect())
}

/// Whether a policy zone with these owners answers for a name: RFC 1034 §4.3.2 step 3, with the wildcards of RFC 4592.
fn answers(owners: &[String], name: &str) -> bool {
    let exists: BTreeSet<&str> = owners
        .iter()
        .flat_map(|owner| {
            owner.char_indices().filter(|(_, c)| *c == '.').map(|(at, _)| &owner[at + 1..]).chain([owner.as_str()])
        })
        .collect();
    if exists.contains(name) {
        return owners.iter().any(|owner| owner == name);
    }
    let above = name.char_indices().filter(|(_, c)| *c == '.').map(|(at, _)| &name[at + 1..]);
    let encloser = above.into_iter().find(|above| exists.contains(above));
    encloser.is_some_and(|encloser| owners.iter().any(|owner| *owner == format!("*.{encloser}")))
}

#[test]
fn the_zone_answers_for_what_is_blocked_and_nothing_else() {
    let mut world = World::default();
    world
        .carry_out(blocks(["a.ua", "b.c.a.ua", "z.a.ua", "казино.укр", "x.org", "y.x.org"].map(site)))
        .expect("blocked");
    world.block(account("x", "casino"));
    world.lift(site("x.org"));
    let feed = rpz(world.list(), &zone());
    let (serial, owners) = read(&feed.feed.bytes);
    assert_eq!(serial, 3);
    assert_eq!(
        owners,
        ["y.x.org", "*.y.x.org", "a.ua", "*.a.ua", "xn--80aodfsg.xn--j1amh", "*.xn--80aodfsg.xn--j1amh"]
    );
    for (name, blocked) in [
        ("a.ua", true),
        ("www.a.ua", true),
        ("c.a.ua", true),
        ("d.c.a.ua", true),
        ("b.c.a.ua", true),
        ("e.b.c.a.ua", true),
        ("y.x.org", true),
        ("www.y.x.org", true),
        ("x.org", false),
        ("z.x.org", false),
        ("aa.ua", false),
        ("ua", false),
    ] {
        assert_eq!(answers(&owners, name), blocked, "{name}");
    }
    assert_eq!((feed.domains_left_out, feed.wildcards_left_out), (0, 0));
}

#[test]
fn names_that_do_not_fit_are_left_out_and_counted() {
    let mut world = World::default();
    let label = "a".repeat(63);
    // With a dot and `rpz.example.ua` a name of 238 characters is as long as a name may be, and has no room for `*.`.
    let name = |chars: usize| format!("{label}.{label}.{label}.{}.ua", "b".repeat(chars - 195));
    world.carry_out(blocks([236, 237, 238, 239].map(|chars| site(&name(chars))))).expect("blocked");
    let feed = rpz(world.list(), &zone());
    let (_, owners) = read(&feed.feed.bytes);
    assert_eq!(owners, [name(236), format!("*.{}", name(236)), name(237), name(238)]);
    assert_eq!((feed.domains_left_out, feed.wildcards_left_out), (1, 2));
    let text = String::from_utf8(feed.feed.bytes).expect("text");
    for left_out in [name(239), format!("*.{}", name(238))] {
        assert!(text.contains(&format!("\n; too long for this zone: {left_out}\n")), "{left_out}");
    }
}

#[test]
fn a_garden_explains_the_block() {
    let mut world = World::default();
    world.block(site("a.ua"));
    let zone = Zone { answer: Answer::Garden(domain("blocked.example.ua")), ..zone() };
    let text = String::from_utf8(rpz(world.list(), &zone).feed.bytes).expect("text");
    assert!(text.ends_with("\na.ua CNAME blocked.example.ua.\n*.a.ua CNAME blocked.example.ua.\n"), "{text}");
}

#[test]
fn a_difference_has_the_form_of_an_incremental_transfer() {
    let mut world = World::default();
    world.block(site("www.a.ua"));
    world.block(site("z.ua"));
    world.carry_out(blocks([site("a.ua")])).expect("blocked");
    world.lift(site("z.ua"));
    let text =
        |since| String::from_utf8(rpz_delta(world.list(), &zone(), Serial(since)).expect("known").bytes).expect("text");
    let soa = |serial: u32| format!("@ IN SOA ns.example.ua. hostmaster.example.ua. {serial} 300 60 2419200 300\n");
    let head = |since: u32| {
        format!(
            "; Changes of the blocked domains, since {since}, serial 4, changed 2026-11-23T06:00:00.000Z\n\
             $ORIGIN rpz.example.ua.\n$TTL 300\n"
        )
    };
    // What is blocked below a name that is blocked now goes, and comes back with its lifting.
    let gone = "www.a.ua CNAME .\n*.www.a.ua CNAME .\nz.ua CNAME .\n*.z.ua CNAME .\n";
    let come = "a.ua CNAME .\n*.a.ua CNAME .\n";
    assert_eq!(text(2), format!("{}{}{}{gone}{}{come}{}", head(2), soa(4), soa(2), soa(4), soa(4)));
    assert_eq!(text(4), format!("{}{}", head(4), soa(4)), "nothing changed");
    for unknown in [5, u32::MAX] {
        assert_eq!(rpz_delta(world.list(), &zone(), Serial(unknown)), Err(NoDelta::Unknown));
    }
}
