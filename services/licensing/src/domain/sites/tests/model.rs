//! Random decisions against a plain model: what is in force, and what deltas make of old feeds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;

use super::super::feeds::{json, json_delta, text, text_delta};
use super::super::rpz::{rpz, rpz_delta};
use super::super::serial::Serial;
use super::super::standing::Standing;
use super::*;

const NAMES: [&str; 7] = ["a.ua", "b.a.ua", "c.b.a.ua", "z.ua", "казино.укр", "x.org", "y.x.org"];

fn subject(n: usize) -> Subject {
    NAMES.get(n).map_or_else(|| account("telegram", "casino"), |name| site(name))
}

#[derive(Debug, Clone)]
enum Act {
    /// Blocks what is not listed and lifts what is, of these; each new entry so many days ahead.
    Turn(BTreeMap<usize, i64>),
    /// Lets days pass.
    Wait(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let turn = prop::collection::btree_map(0..=NAMES.len(), prop_oneof![3 => Just(0_i64), 1 => 1..4_i64], 1..4);
    let act = prop_oneof![4 => turn.prop_map(Act::Turn), 1 => (1..3_i64).prop_map(Act::Wait)];
    prop::collection::vec(act, 1..25)
}

/// What a reader holds: the members of the JSON feed, the lines of the text and the records of the zone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Reader {
    entries: BTreeMap<String, Value>,
    lines: BTreeSet<String>,
    records: BTreeSet<String>,
}

/// The lines of a zone file that are no comments and no directives.
fn records(bytes: Vec<u8>) -> Vec<String> {
    let text = String::from_utf8(bytes).expect("text");
    text.lines().filter(|line| !line.starts_with([';', '$'])).map(str::to_owned).collect()
}

fn is_soa(line: &str) -> bool {
    line.starts_with("@ IN SOA ")
}

impl Reader {
    fn key(entry: &Value) -> String {
        let name = entry["domain"].as_str().or(entry["handle"].as_str()).expect("a name");
        format!("{}/{name}", entry["platform"].as_str().unwrap_or_default())
    }

    fn add(&mut self, feed: &Value) {
        for entry in ["sites", "accounts"].iter().flat_map(|part| feed[part].as_array().expect("an array")) {
            self.entries.insert(Self::key(entry), entry.clone());
        }
    }

    fn whole(list: &BlockList) -> Self {
        let mut reader = Self::default();
        let feed = json(list).expect("JSON");
        reader.add(&serde_json::from_slice(&feed.bytes).expect("JSON"));
        let text = String::from_utf8(text(list).bytes).expect("text");
        reader.lines = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        // The SOA aside: it is to change exactly when something else does.
        reader.records = records(rpz(list, &zone()).feed.bytes).into_iter().filter(|line| !is_soa(line)).collect();
        reader
    }

    fn apply(&mut self, list: &BlockList, since: Serial) {
        let delta = list.delta(since).expect("a serial of this list");
        let feed: Value = serde_json::from_slice(&json_delta(&delta).expect("JSON").bytes).expect("JSON");
        assert_eq!(feed["since"], since.0);
        for name in feed["lifted_sites"].as_array().expect("an array") {
            assert!(self.entries.remove(&format!("/{}", name.as_str().expect("a name"))).is_some(), "was there");
        }
        for account in feed["lifted_accounts"].as_array().expect("an array") {
            assert!(self.entries.remove(&Self::key(account)).is_some(), "was there");
        }
        self.add(&feed);
        let text = String::from_utf8(text_delta(&delta).bytes).expect("text");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.split_at(1) {
                ("-", name) => assert!(self.lines.remove(name), "was there"),
                ("+", name) => drop(self.lines.insert(name.to_owned())),
                _ => panic!("{line}"),
            }
        }
        self.transfer(list, since);
    }

    /// RFC 1995 §4: between two SOA records stands what goes, then what comes.
    fn transfer(&mut self, list: &BlockList, since: Serial) {
        let told = records(rpz_delta(list, &zone(), since).expect("a serial of this list").bytes);
        let (last, told) = told.split_last().expect("a SOA");
        let Some((first, told)) = told.split_first() else { return };
        assert_eq!(first, last);
        let mut parts = told.chunk_by(|_, next| !is_soa(next));
        let [gone, come] = [since, list.serial()].map(|serial| {
            let (soa, rest) = parts.next().and_then(<[String]>::split_first).expect("a SOA");
            assert!(is_soa(soa) && soa.contains(&format!(". {} 300 ", serial.0)), "{soa}");
            rest
        });
        assert_eq!(parts.next(), None);
        for line in gone {
            assert!(self.records.remove(line), "{line} was there");
        }
        for line in come {
            assert!(self.records.insert(line.clone()), "{line} was not there");
        }
    }
}

/// Every feed of a list, and every delta that leads to it, as served.
fn all_feeds(list: &BlockList) -> Vec<Vec<u8>> {
    let mut all = vec![json(list).expect("JSON").bytes, text(list).bytes, rpz(list, &zone()).feed.bytes];
    for since in (0..=list.serial().0).map(Serial) {
        let delta = list.delta(since).expect("a serial of this list");
        all.extend([json_delta(&delta).expect("JSON").bytes, text_delta(&delta).bytes]);
        all.push(rpz_delta(list, &zone(), since).expect("a serial of this list").bytes);
    }
    all
}

/// The first day of each that is listed.
type Model = BTreeMap<usize, i64>;

fn act(world: &mut World, model: &mut Model, act: Act) {
    match act {
        Act::Wait(days) => {
            world.later_days += days;
            world.later_ms += days * 86_400_000;
            if world.list().is_due(world.around().day) {
                world.order(Order::Begin, "system").expect("is due");
            }
        }
        Act::Turn(subjects) => {
            let (lifted, blocked): (Vec<_>, Vec<_>) = subjects.into_iter().partition(|(n, _)| model.contains_key(n));
            let day = |ahead: i64| TODAY.checked_add(jiff::Span::new().days(world.later_days + ahead)).expect("a date");
            let blocks = blocked.iter().map(|(n, ahead)| block_from(subject(*n), day(*ahead))).collect();
            let reason: crate::domain::text::Line<1000> = "so it is".parse().expect("a line");
            let lift = |n: usize| Lift { subject: subject(n), reason: reason.clone() };
            let lifts = lifted.iter().map(|(n, _)| lift(*n)).collect();
            world.carry_out(Measure::new(blocks, lifts).expect("a measure")).expect("nothing is in the way");
            model.retain(|n, _| !lifted.iter().any(|(gone, _)| gone == n));
            model.extend(blocked.into_iter().map(|(n, ahead)| (n, world.later_days + ahead)));
        }
    }
}

proptest! {
    #[test]
    fn the_list_is_what_was_decided_and_every_delta_leads_to_it(acts in acts()) {
        let (mut world, mut model) = (World::default(), Model::new());
        let mut seen = BTreeMap::from([(0, Reader::whole(world.list()))]);
        for next in acts {
            let before = Reader::whole(world.list());
            let serial = world.list().serial().0;
            act(&mut world, &mut model, next);
            let (after, list) = (Reader::whole(world.list()), world.list());

            let in_force = |n: usize| model.get(&n).is_some_and(|from| *from <= world.later_days);
            for n in 0..=NAMES.len() {
                let standing = list.standing(&subject(n));
                prop_assert_eq!(standing.is_listed(), model.contains_key(&n));
                prop_assert_eq!(matches!(standing, Standing::Blocked(_)), in_force(n));
            }
            prop_assert_eq!(list.blocked(), (0..=NAMES.len()).filter(|n| in_force(*n)).count());
            prop_assert_eq!(list.blocked(), list.in_force().count());
            // The serial rises by one when what is in force changed, and then only.
            prop_assert_eq!(list.serial().0, serial + u32::from(before != after));
            seen.insert(list.serial().0, after.clone());
            for (since, reader) in &seen {
                let mut reader = reader.clone();
                reader.apply(list, Serial(*since));
                prop_assert_eq!(&reader, &after);
            }
        }
        let mut again = Sites::default();
        world.changes.iter().for_each(|bytes| again.follow(bytes).expect("follows"));
        prop_assert_eq!(Reader::whole(again.list()), Reader::whole(world.list()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_feeds_of_every_moment_are_those_that_were_made_then(acts in acts()) {
        let (mut world, mut model) = (World::default(), Model::new());
        let mut seen = vec![(world.now(), world.list().clone())];
        for next in acts {
            world.later_ms += 10;
            act(&mut world, &mut model, next);
            seen.push((world.now(), world.list().clone()));
        }
        let ends = seen.iter().skip(1).map(|(at, _)| UnixMillis(at.0 - 1)).chain([UnixMillis(i64::MAX)]);
        for ((begins, then), ends) in seen.iter().zip(ends) {
            let (made, due) = (all_feeds(then), then.is_due(world.around().day));
            for moment in [*begins, ends] {
                let shown = world.list().as_of(moment);
                prop_assert_eq!(all_feeds(&shown), made.clone(), "at {}", moment);
                prop_assert_eq!((shown.serial(), shown.blocked(), shown.len()), (then.serial(), then.blocked(), then.len()));
                prop_assert_eq!((world.list().serial_at(Some(moment)), shown.is_due(world.around().day)), (then.serial(), due));
            }
        }
    }
}
