//! Who may decide what and when, and what the history lets in.

use jiff::civil::date;

use super::super::delta::NoDelta;
use super::super::fact::Fact;
use super::super::list::{Conflict, Obstacle};
use super::super::measure::Place;
use super::super::proposal::{Phase, proposed};
use super::super::serial::Serial;
use super::super::state::BadSites;
use super::*;
use crate::domain::history::{EntityId, Event};
use crate::domain::operator::fact::Moment;

fn conflict(place: Place, subject: Subject, reason: Obstacle) -> Refusal {
    Refusal::Conflicts(vec![Conflict { place, subject, reason }])
}

#[test]
fn two_people_decide() {
    let mut world = World::default();
    let id = world.propose(blocks([site("a.ua")])).expect("can be proposed");
    assert_eq!((world.list().serial(), world.list().len()), (Serial(0), 0), "a proposal changes nothing");
    assert_eq!(world.order(Order::Confirm { proposal: id }, "ann"), Err(Refusal::OwnProposal));
    let in_other_role = Author { role: "head".to_owned(), ..clerk("ann") };
    let order = Order::Confirm { proposal: id };
    assert_eq!(world.sites.decide(order, &in_other_role, None, world.around()), Err(Refusal::OwnProposal));
    world.order(Order::Confirm { proposal: id }, "bob").expect("another's");
    assert_eq!((world.list().serial(), world.list().blocked()), (Serial(1), 1));
    for by in ["bob", "eve"] {
        assert_eq!(world.order(Order::Confirm { proposal: id }, by), Err(Refusal::ProposalOver("confirmed")));
    }
    let reason: crate::domain::text::Line<1000> = "no".parse().expect("a line");
    let decline = |proposal| Order::Decline { proposal, reason: reason.clone() };
    assert_eq!(world.order(decline(id), "bob"), Err(Refusal::ProposalOver("confirmed")));
    let unknown = Uuid::from_u128(99);
    assert_eq!(world.order(Order::Confirm { proposal: unknown }, "bob"), Err(Refusal::NoProposal(unknown)));

    for by in ["bob", "ann"] {
        let id = world.propose(blocks([site("b.ua")])).expect("can be proposed");
        world.order(decline(id), by).expect("refused, or taken back");
        assert_eq!(world.order(Order::Confirm { proposal: id }, "bob"), Err(Refusal::ProposalOver("declined")));
    }
    assert_eq!(world.list().serial(), Serial(1));
}

#[test]
fn a_name_that_a_registry_lets_others_have_theirs_under_is_not_blocked() {
    let mut world = World::default();
    let suffix = || conflict(Place::Block(0), site("com.pl"), Obstacle::PublicSuffix);
    assert_eq!(world.propose(blocks([site("com.pl")])), Err(suffix()));
    world.block(site("casino.com.pl"));
    world.block(site("casino.blogspot.com"));
    // Anybody can have a name put among the private suffixes: it must not keep the name from being blocked.
    world.block(site("github.io"));
    // What was proposed when nobody looked is not confirmed; what was confirmed then stays, and can be lifted.
    let old = |sites: &mut Sites, fact: &Fact, by: &str| {
        let (change, _) = sites.head().next(EntityId::SITES, NOW, &clerk(by), fact).expect("small");
        sites.follow(&change.bytes).expect("it was taken then");
    };
    let (proposal, expires) = (Uuid::from_u128(500), Moment(UnixMillis(NOW.0 + LIFE_MS)));
    let proposed = Fact::Proposed { proposal, expires, measure: blocks([site("com.pl")]), ground: ground("R-1") };
    old(&mut world.sites, &proposed, "ann");
    assert_eq!(world.order(Order::Confirm { proposal }, "bob"), Err(suffix()));
    old(&mut world.sites, &Fact::Confirmed { proposal, day: TODAY }, "bob");
    assert_eq!(world.list().blocked(), 4);
    world.lift(site("com.pl"));
}

#[test]
fn proposals_expire() {
    let mut world = World::default();
    let (first, second) =
        (world.propose(blocks([site("a.ua")])).expect("new"), world.propose(blocks([site("b.ua")])).expect("new"));
    world.later_ms = LIFE_MS - 1;
    assert_eq!(world.sites.proposals().open(world.now()), 2);
    world.order(Order::Confirm { proposal: first }, "bob").expect("in time");
    world.later_ms = LIFE_MS;
    assert_eq!(world.sites.proposals().open(world.now()), 0);
    assert_eq!(world.order(Order::Confirm { proposal: second }, "bob"), Err(Refusal::ProposalOver("expired")));
    world.block(site("c.ua"));
    world.later_ms = 0;
    assert_eq!(
        world.order(Order::Confirm { proposal: second }, "bob"),
        Err(Refusal::ProposalOver("expired")),
        "a clock that goes back opens nothing"
    );
    let latest = world.sites.head().at;
    let outcomes: Vec<_> = world.sites.proposals().newest(None).expect("all").map(|p| p.outcome(latest)).collect();
    assert_eq!(outcomes, ["confirmed", "expired", "confirmed"]);
    let before: Vec<_> = world.sites.proposals().newest(Some(second)).expect("known").map(|p| p.id).collect();
    assert_eq!(before, [first]);
    assert!(world.sites.proposals().newest(Some(Uuid::from_u128(99))).is_none());
}

#[test]
fn the_version_is_the_one_its_author_saw() {
    let mut world = World::default();
    world.block(site("a.ua"));
    let order =
        Order::Propose { proposal: Uuid::from_u128(77), measure: blocks([site("b.ua")]), ground: ground("R-1") };
    let decide = |version| world.sites.decide(order.clone(), &clerk("ann"), Some(version), world.around());
    for version in [0, 1, 3] {
        assert_eq!(decide(version), Err(Refusal::Stale { version: 2 }));
    }
    assert!(decide(2).is_ok());
}

#[test]
fn a_proposal_that_is_repeated_is_the_same() {
    let mut world = World::default();
    let (id, measure) = (Uuid::from_u128(5), blocks([site("a.ua")]));
    let order = |measure: &Measure| Order::Propose { proposal: id, measure: measure.clone(), ground: ground("R-1") };
    world.order(order(&measure), "ann").expect("new");
    let decide = |world: &World, by: &str| world.sites.decide(order(&measure), &clerk(by), Some(0), world.around());
    assert_eq!(decide(&world, "ann"), Ok(Decided::Already), "whatever the version");
    assert_eq!(decide(&world, "bob"), Err(Refusal::OtherProposal(id)));
    assert_eq!(world.order(order(&blocks([site("b.ua")])), "ann"), Err(Refusal::OtherProposal(id)));
    world.order(Order::Confirm { proposal: id }, "bob").expect("another's");
    assert_eq!(decide(&world, "ann"), Ok(Decided::Already), "whatever became of it");
    assert_eq!(world.changes.len(), 2);
}

#[test]
fn only_so_many_wait_and_only_so_large() {
    let mut world = World::default();
    for n in 0..super::super::decide::WAITING_MAX {
        world.propose(blocks([site(&format!("a{n}.ua"))])).expect("room");
    }
    assert_eq!(world.propose(blocks([site("b.ua")])), Err(Refusal::TooManyWait));
    world.later_ms = LIFE_MS;
    world.propose(blocks([site("b.ua")])).expect("those have expired");

    let mut large = block_from(site("a.ua"), TODAY);
    large.evidence.text = "ї".repeat(2000).parse().expect("a line");
    let many = (0..300).map(|n| Block { subject: site(&format!("c{n}.ua")), ..large.clone() }).collect();
    let refusal = world.propose(Measure::new(many, vec![]).expect("a measure"));
    assert!(matches!(refusal, Err(Refusal::TooLarge(_))), "{refusal:?}");
}

#[test]
fn entries_are_blocked_once_and_lifted_once() {
    let mut world = World::default();
    let unlisted = conflict(Place::Lift(0), site("a.ua"), Obstacle::NotListed);
    assert_eq!(world.carry_out(lifts([site("a.ua")])), Err(unlisted.clone()));
    let rival = world.propose(blocks([site("b.ua"), site("a.ua")])).expect("not listed yet");
    world.block(site("a.ua"));
    let listed = conflict(Place::Block(1), site("a.ua"), Obstacle::AlreadyListed);
    assert_eq!(world.order(Order::Confirm { proposal: rival }, "bob"), Err(listed), "all of it or nothing");
    world.lift(site("a.ua"));
    assert_eq!(world.carry_out(lifts([site("a.ua")])), Err(unlisted));
    world.order(Order::Confirm { proposal: rival }, "bob").expect("nothing is in the way now");
    assert_eq!((world.list().serial(), world.list().blocked()), (Serial(3), 2));
}

#[test]
fn an_entry_of_a_later_day_waits_for_it() {
    let mut world = World::default();
    let announced = |name: &str| block_from(site(name), date(2026, 12, 1));
    let mixed =
        Measure::new(vec![announced("later.ua"), announced("never.ua"), block_from(site("now.ua"), TODAY)], vec![]);
    world.carry_out(mixed.expect("a measure")).expect("can be blocked");
    assert_eq!((world.list().serial(), world.list().blocked()), (Serial(1), 1));
    assert_eq!(world.list().standing(&site("later.ua")).as_str(), "announced");
    let only = Measure::new(vec![announced("also.ua")], vec![]).expect("a measure");
    world.carry_out(only).expect("can be announced");
    world.lift(site("never.ua"));
    assert_eq!(world.list().serial(), Serial(1), "nothing in force has changed");

    let pass = |world: &mut World, days: i64| (world.later_days, world.later_ms) = (days, days * 86_400_000);
    pass(&mut world, 7);
    assert_eq!(world.order(Order::Begin, "system"), Err(Refusal::NothingDue), "30 November");
    pass(&mut world, 9);
    world.order(Order::Begin, "system").expect("a day late is due, too");
    assert_eq!((world.list().serial(), world.list().blocked()), (Serial(2), 3));
    assert_eq!(world.list().standing(&site("later.ua")).as_str(), "blocked");
    assert_eq!(world.list().standing(&site("never.ua")).as_str(), "lifted", "before its day");
    assert_eq!(world.order(Order::Begin, "system"), Err(Refusal::NothingDue));
    let delta = world.list().delta(Serial(1)).expect("known");
    assert_eq!((delta.blocked.len(), delta.lifted.len()), (2, 0));
    assert_eq!(world.list().delta(Serial(3)), Err(NoDelta::Unknown));
}

#[test]
fn a_proposal_is_shown_as_it_stood() {
    let mut world = World::default();
    let at = |ms: i64| UnixMillis(NOW.0 + ms);
    let measures = ["a.ua", "b.ua", "c.ua"].map(|name| blocks([site(name)]));
    let [confirmed, declined, late] = measures.clone().map(|measure| world.propose(measure).expect("can be proposed"));
    world.later_ms = 1_000;
    world.order(Order::Confirm { proposal: confirmed }, "bob").expect("another's");
    world.order(Order::Decline { proposal: declined, reason: "no".parse().expect("a line") }, "eve").expect("refused");
    world.later_ms = 2 * LIFE_MS;
    world.block(site("d.ua"));
    let proposals = world.sites.proposals();
    for (ms, expected) in [
        (0, ["open", "open", "open"]),
        (999, ["open", "open", "open"]),
        (1_000, ["confirmed", "declined", "open"]),
        (LIFE_MS - 1, ["confirmed", "declined", "open"]),
        (LIFE_MS, ["confirmed", "declined", "expired"]),
    ] {
        let one = |id| proposals.get(id).expect("known");
        assert_eq!([confirmed, declined, late].map(|id| one(id).outcome(at(ms))), expected, "at {ms}");
        assert_eq!([confirmed, declined, late].map(|id| one(id).waits(at(ms))), expected.map(|word| word == "open"));
    }
    let answered = proposals.get(declined).and_then(|one| one.answered(at(1_000))).expect("by then");
    assert_eq!((answered.by, answered.at), (&clerk("eve"), at(1_000)));
    // What they held is let go of; their places in the history tell it.
    for (id, measure) in [confirmed, declined, late].into_iter().zip(measures) {
        let place = usize::try_from(proposals.get(id).expect("known").version - 1).expect("small");
        assert_eq!(proposed(&world.changes[place]), Some((id, measure)));
        assert!(!matches!(proposals.get(id).expect("known").phase, Phase::Open(_)));
    }
    assert_eq!(proposed(&world.changes[3]), None, "a confirmation holds nothing");
}

#[test]
fn the_history_alone_makes_the_list() {
    let mut world = World::default();
    world.block(site("a.ua"));
    world.later_ms = 2 * LIFE_MS;
    world.licensed.set_licensed(operator(1), [domain("good.ua")]);
    world.carry_out(blocks([site("b.ua"), account("x", "casino")])).expect("blocked");
    world.lift(site("a.ua"));
    // Whoever reads it later needs neither the clock nor the licensed domains of then.
    let mut again = Sites::default();
    world.changes.iter().for_each(|bytes| again.follow(bytes).expect("follows"));
    assert_eq!(format!("{again:?}"), format!("{:?}", world.sites));
    assert!(matches!(again.follow(&world.changes[0]), Err(BadSites::History(_))), "twice");
}

#[test]
fn no_day_comes_before_its_time() {
    let mut world = World::default();
    // It is 6:00 UTC on 23 November, the day before anywhere on earth the 24th.
    let (tomorrow, next) = (date(2026, 11, 24), UnixMillis(NOW.0 + 4 * 3_600_000));
    let announced = Measure::new(vec![block_from(site("a.ua"), tomorrow)], vec![]).expect("a measure");
    world.carry_out(announced).expect("announced");
    let id = world.propose(Measure::new(vec![block_from(site("b.ua"), tomorrow)], vec![]).expect("a measure"));
    let confirmed = Fact::Confirmed { proposal: id.expect("proposed"), day: tomorrow };
    let by = clerk("bob");
    for fact in [Fact::Began { day: tomorrow }, confirmed] {
        let write = |at: i64| {
            let (change, _) =
                world.sites.head().next(EntityId::SITES, UnixMillis(at), &by, fact.clone()).expect("small");
            change.bytes
        };
        for at in [NOW.0, next.0 - 1] {
            let refused = world.sites.clone().follow(&write(at));
            assert_eq!(refused, Err(BadSites::Impossible { version: 4, reason: "its day had not come" }));
        }
        // From then on it is that day in some time zone, and the history does not say in which.
        assert_eq!(world.sites.clone().follow(&write(next.0)), Ok(()));
    }
}

#[test]
fn a_zone_is_set_to_another_form_or_not_at_all() {
    let mut world = World::default();
    let zone = zone();
    world.order(Order::SetZone { zone: zone.clone() }, "licensing").expect("set");
    world.order(Order::SetZone { zone: zone.clone() }, "licensing").expect("it has this form");
    assert_eq!((world.changes.len(), world.list().serial()), (1, Serial(1)));
    let (change, _) =
        world.sites.head().next(EntityId::SITES, NOW, &clerk("x"), Fact::ZoneSet { zone }).expect("small");
    let reason = "the zone had this form";
    assert_eq!(world.sites.follow(&change.bytes), Err(BadSites::Impossible { version: 2, reason }));
}

#[test]
fn a_history_that_breaks_the_rules_is_refused() {
    let mut world = World::default();
    let (id, measure) = (world.propose(blocks([site("a.ua")])).expect("new"), blocks([site("a.ua")]));
    let reason: crate::domain::text::Line<1000> = "no".parse().expect("a line");
    let write = |sites: &Sites, by: &str, at: UnixMillis, fact: Fact| {
        let (change, _) = sites.head().next(EntityId::SITES, at, &clerk(by), fact).expect("small");
        change.bytes
    };
    let confirmed = |proposal| Fact::Confirmed { proposal, day: TODAY };
    let expires = crate::domain::operator::fact::Moment(NOW);
    let again = Fact::Proposed { proposal: id, expires, measure, ground: ground("R-1") };
    let late = UnixMillis(NOW.0 + LIFE_MS);
    for (by, at, fact, why) in [
        ("ann", NOW, confirmed(id), "who proposed it confirmed it"),
        ("bob", late, confirmed(id), "the proposal was over"),
        ("bob", NOW, confirmed(Uuid::from_u128(99)), "there is no such proposal"),
        ("bob", late, Fact::Declined { proposal: id, reason }, "no such proposal was open"),
        ("bob", NOW, again, "proposed twice"),
        ("bob", NOW, Fact::Began { day: TODAY }, "nothing was announced for this day"),
    ] {
        let refused = world.sites.follow(&write(&world.sites, by, at, fact));
        assert_eq!(refused, Err(BadSites::Impossible { version: 2, reason: why }));
        assert_eq!(world.sites.head().version, 1);
    }
    for role in ["operator", "auditor", "system", ""] {
        let by = Author { role: role.to_owned(), ..clerk("bob") };
        let (change, _) = world.sites.head().next(EntityId::SITES, NOW, &by, confirmed(id)).expect("small");
        let reason = "who is no clerk did what clerks do";
        assert_eq!(world.sites.follow(&change.bytes), Err(BadSites::Impossible { version: 2, reason }), "{role}");
    }
    let rival = world.propose(blocks([site("a.ua")])).expect("new");
    world.order(Order::Confirm { proposal: id }, "bob").expect("another's");
    let refused = world.sites.follow(&write(&world.sites, "bob", NOW, confirmed(rival)));
    assert_eq!(refused, Err(BadSites::Impossible { version: 4, reason: "the list forbade it" }));
    let event: Event<Fact> = serde_json::from_slice(world.changes.last().expect("some")).expect("a change");
    assert_eq!((event.version, event.by.sub.as_str()), (3, "bob"));
}
