//! Each check passing, and each way of not passing, on traffic put together by hand.

use std::collections::BTreeMap;

use contracts::registry::LicenceKind;
use contracts::traffic::{Exchange, Forced, Kept, Sent};
use contracts::{Hash, OperatorId, Seq, StreamNo, UnixMillis};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::{Outcome, Report, Rules, check};

const RULES: Rules = Rules { licences: Vec::new(), rate: 50 };
/// 2026-10-24T18:00:00Z.
const BEGIN: i64 = 1_792_864_800_000;

fn operator() -> OperatorId {
    "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID")
}

/// A request that was taken at a moment: `count` records from `first` on.
fn taken(ms: i64, stream: u8, first: u64, count: u32) -> Exchange {
    let at = UnixMillis(BEGIN + ms);
    let types = BTreeMap::from(["wager", "payout", "refund", "adjustment"].map(|kind| (kind.to_owned(), 1)));
    Exchange {
        at,
        operator: operator(),
        stream: StreamNo(stream),
        client_key: Some(if ms < 12_000 { "one".to_owned() } else { "two".to_owned() }),
        media: None,
        coding: None,
        signed: false,
        forced: None,
        delayed_ms: 0,
        batch: Some(Sent {
            first_seq: Seq::new(first).expect("a seq"),
            count,
            root: Hash(Sha256::digest(format!("{stream} {first} {count}")).into()),
            earliest: at,
            latest: UnixMillis(at.0 - 500),
            types,
            verticals: BTreeMap::from([("betting".to_owned(), 1)]),
        }),
        status: 201,
        code: None,
        expected_seq: None,
        retry_after_s: None,
        took_ms: 1,
    }
}

fn refused(of: Exchange, status: u16, code: &str, forced: Option<Forced>) -> Exchange {
    let retry_after_s = (status == 503).then_some(2);
    Exchange { status, code: Some(code.to_owned()), forced, retry_after_s, ..of }
}

/// What passes: 25 s of sending on stream 0, and every exercise on stream 1.
fn good() -> Vec<Exchange> {
    let mut all: Vec<Exchange> = (0..50).map(|n| taken(n * 500, 0, 1 + n as u64 * 30, 30)).collect();
    let gap = Exchange { expected_seq: Seq::new(1), ..refused(taken(100, 1, 5, 1), 409, "gap", Some(Forced::Gap)) };
    all.extend([
        gap,
        taken(150, 1, 1, 4),
        refused(taken(200, 1, 5, 1), 503, "unavailable", Some(Forced::Unavailable)),
        taken(2_300, 1, 5, 1),
        refused(taken(2_400, 1, 6, 1), 503, "unavailable", Some(Forced::Lost)),
        Exchange { status: 200, ..taken(4_450, 1, 6, 1) },
        Exchange { delayed_ms: 5_000, took_ms: 5_001, ..taken(4_600, 1, 7, 1) },
        refused(taken(9_700, 1, 7, 2), 409, "rewrite-attempt", None),
        taken(9_800, 1, 8, 1),
    ]);
    all.sort_by_key(|one| one.at.0);
    all
}

fn report(all: Vec<Exchange>, rules: &Rules) -> Report {
    let numbered = all.into_iter().zip(1..).map(|(exchange, number)| Kept { number, exchange });
    check(numbered.collect(), rules)
}

/// How a check comes out, and by which figures.
fn outcome(all: Vec<Exchange>, rules: &Rules, id: &str) -> (Outcome, String) {
    let report = report(all, rules);
    assert_eq!(report.passed(), report.checks.iter().all(|check| check.result == Outcome::Passed));
    let found = report.checks.into_iter().find(|check| check.id == id).expect("the check");
    (found.result, found.evidence)
}

/// After a change of what passes, one check does not pass and says why; `others` names what fails with it.
fn breaks(id: &str, result: Outcome, why: &str, change: impl FnOnce(&mut Vec<Exchange>)) {
    let mut all = good();
    change(&mut all);
    let (found, evidence) = outcome(all, &RULES, id);
    assert_eq!(found, result, "{id}: {evidence}");
    assert!(evidence.contains(why), "{id}: {evidence}");
}

fn find(all: &mut [Exchange], which: impl Fn(&Exchange) -> bool) -> &mut Exchange {
    all.iter_mut().find(|one| which(one)).expect("there is one")
}

#[test]
fn good_traffic_passes_every_check() {
    let report = report(good(), &RULES);
    let told: Vec<_> = report.checks.iter().map(|check| (check.id, check.result, &check.evidence)).collect();
    assert!(report.passed(), "{told:?}");
    let ids: Vec<_> = report.checks.iter().map(|check| check.id).collect();
    assert_eq!(ids, ["formats", "gaps", "retries", "rewrite-refusal", "clock", "rate", "rotation"]);
    assert_eq!(ids, contracts::conformance::CHECKS, "what licensing asks for");
    assert_eq!((report.exchanges, report.span), (59, Some((BEGIN, BEGIN + 24_500))));
}

#[test]
fn no_traffic_shows_nothing_and_fails_nothing() {
    let report = report(Vec::new(), &RULES);
    assert!(report.checks.iter().all(|check| check.result == Outcome::NotShown), "{report:?}");
    assert!(!report.passed());
    // sha256sum /dev/null
    assert_eq!(report.digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn the_digest_is_the_one_of_the_page() {
    let mut one = taken(0, 7, 3, 2);
    one.batch.as_mut().expect("a batch").root = Hash([0; 32]);
    let other = Exchange { batch: None, ..refused(taken(5, 7, 9, 1), 422, "invalid-records", None) };
    // Put together by hand from the table of the page.
    let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let by_hand = [
        format!("1 1792864800000 7 201 - 3 2 {zero} 1792864799500 adjustment=1,payout=1,refund=1,wager=1 betting=1 - - - 0 1 one\n"),
        "2 1792864800005 7 422 invalid-records - - - - - - - - - 0 1 one\n".to_owned(),
        format!("3 1792864800009 7 409 gap 9 1 {zero} 1792864799509 - - 5 - gap 0 1 one\n"),
    ]
    .concat();
    let expected: String = Sha256::digest(by_hand).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut gap = Exchange { expected_seq: Seq::new(5), ..refused(taken(9, 7, 9, 1), 409, "gap", Some(Forced::Gap)) };
    let batch = gap.batch.as_mut().expect("a batch");
    (batch.root, batch.types, batch.verticals) = (Hash([0; 32]), BTreeMap::new(), BTreeMap::new());
    assert_eq!(report(vec![one, other, gap], &RULES).digest, expected);
}

#[test]
fn formats() {
    use Outcome::{Failed, NotShown};
    breaks("formats", NotShown, "records were taken, 1000 are asked for", |all| all.truncate(20));
    breaks("formats", NotShown, "no refund was sent", |all| {
        for batch in all.iter_mut().filter_map(|one| one.batch.as_mut()) {
            batch.types.remove("refund");
        }
    });
    breaks("formats", Failed, "was refused: invalid-records", |all| {
        all.push(Exchange { batch: None, ..refused(taken(25_000, 0, 1_501, 1), 422, "invalid-records", None) });
    });
    let two = Rules { licences: vec![LicenceKind::Betting, LicenceKind::Lottery], ..RULES };
    let (result, why) = outcome(good(), &two, "formats");
    assert_eq!((result, why.as_str()), (NotShown, "no wager of a vertical of the licence lottery was sent"));
}

#[test]
fn records_are_counted_once() {
    let again = |n: i64| Exchange { forced: Some(Forced::Lost), status: 503, ..taken(n * 100, 0, 1, 100) };
    let (result, why) = outcome((0..20).map(again).collect(), &RULES, "formats");
    assert_eq!((result, why.starts_with("100 records were taken")), (Outcome::NotShown, true), "{why}");
}

#[test]
fn gaps() {
    use Outcome::{Failed, NotShown};
    breaks("gaps", NotShown, "no gap was met", |all| all.retain(|one| one.code.as_deref() != Some("gap")));
    breaks("gaps", Failed, "did not go on at 1", |all| {
        all.retain(|one| one.stream.0 == 0 || one.code.as_deref() == Some("gap"));
    });
    breaks("gaps", Failed, "did not go on at 1", |all| {
        let gap = all.iter().position(|one| one.code.as_deref() == Some("gap")).expect("one");
        for one in all.iter_mut().skip(gap + 1).filter(|one| one.stream.0 == 1) {
            one.at.0 += 61_000;
        }
    });
    // A batch from before the hole does not go on.
    breaks("gaps", Failed, "did not go on at 5", |all| {
        find(all, |one| one.code.as_deref() == Some("gap")).expected_seq = Seq::new(5);
        all.retain(|one| one.stream.0 == 0 || one.at.0 <= BEGIN + 150);
    });
    breaks("gaps", Failed, "more than 10 gaps in a row", |all| {
        let gap = find(all, |one| one.code.as_deref() == Some("gap")).clone();
        let at = all.iter().position(|one| *one == gap).expect("there");
        (0..10).for_each(|_| all.insert(at, gap.clone()));
    });
}

#[test]
fn retries() {
    use Outcome::{Failed, NotShown};
    breaks("retries", NotShown, "no answer was asked to be lost", |all| {
        all.retain(|one| one.forced != Some(Forced::Lost));
    });
    breaks("retries", NotShown, "no answer was asked to be 5000 ms late", |all| {
        find(all, |one| one.delayed_ms > 0).delayed_ms = 4_999;
    });
    breaks("retries", Failed, "did not come again", |all| {
        let again = find(all, |one| one.stream.0 == 1 && one.status == 201 && one.at.0 == BEGIN + 2_300);
        again.batch.as_mut().expect("a batch").root = Hash([9; 32]);
    });
    breaks("retries", Failed, "ms before Retry-After", |all| {
        find(all, |one| one.at.0 == BEGIN + 2_300).at.0 = BEGIN + 1_000;
    });
    breaks("retries", Failed, "were never taken", |all| {
        let again = find(all, |one| one.at.0 == BEGIN + 4_450);
        (again.status, again.code) = (422, Some("root-mismatch".to_owned()));
    });
}

#[test]
fn rewrites() {
    use Outcome::{Failed, NotShown};
    let is_rewrite = |one: &Exchange| one.code.as_deref() == Some("rewrite-attempt");
    breaks("rewrite-refusal", NotShown, "no changed record", |all| all.retain(|one| !is_rewrite(one)));
    breaks("rewrite-refusal", Failed, "were sent again", |all| {
        let again = Exchange { at: UnixMillis(BEGIN + 9_750), ..find(all, is_rewrite).clone() };
        let at = all.iter().position(is_rewrite).expect("one");
        all.insert(at + 1, again);
    });
    breaks("rewrite-refusal", Failed, "did not go on", |all| all.retain(|one| one.at.0 != BEGIN + 9_800));
}

#[test]
fn clocks() {
    use Outcome::{Failed, NotShown};
    breaks("clock", Failed, "2001 ms ahead of its arrival", |all| {
        let one = find(all, |one| one.status == 201);
        let at = one.at.0;
        one.batch.as_mut().expect("a batch").latest.0 = at + 2_001;
    });
    breaks("clock", Failed, "half of the batches come later than 61000 ms", |all| {
        for one in all.iter_mut() {
            let at = one.at.0;
            one.batch.iter_mut().for_each(|batch| batch.latest.0 = at - 61_000);
        }
    });
    breaks("clock", NotShown, "9 batches, 10 are asked for", |all| {
        all.retain(|one| one.stream.0 == 0);
        all.truncate(9);
    });
}

#[test]
fn rates() {
    use Outcome::NotShown;
    breaks("rate", NotShown, "are asked for", |all| all.retain(|one| one.at.0 < BEGIN + 12_000));
    breaks("rate", NotShown, "are asked for", |all| {
        all.push(refused(taken(24_600, 0, 1_501, 1), 429, "too-many-requests", None));
        all.push(refused(taken(5_000, 0, 1_501, 1), 429, "too-many-requests", None));
    });
    // All at once is not a rate that is held.
    let burst: Vec<Exchange> = (0..100).map(|n| taken(n, 0, 1 + n as u64 * 30, 30)).collect();
    assert_eq!(outcome(burst, &RULES, "rate").0, NotShown);
    let (result, why) = outcome(good(), &Rules { rate: 61, ..RULES }, "rate");
    assert_eq!((result, why.contains("60 records/s were held for 20 s")), (NotShown, true), "{why}");
}

#[test]
fn rotations() {
    use Outcome::NotShown;
    breaks("rotation", NotShown, "only one key was used", |all| {
        all.iter_mut().for_each(|one| one.client_key = Some("one".to_owned()));
    });
    breaks("rotation", NotShown, "where the key changed", |all| {
        for one in all.iter_mut().filter(|one| one.client_key.as_deref() == Some("two")) {
            one.at.0 += 61_000;
        }
    });
}

proptest! {
    #[test]
    fn the_order_and_repeats_of_pages_do_not_matter(seed in any::<u64>(), twice in 0_usize..59) {
        let mut kept: Vec<Kept> =
            good().into_iter().zip(1..).map(|(exchange, number)| Kept { number, exchange }).collect();
        let expected = check(kept.clone(), &RULES);
        kept.push(kept[twice].clone());
        let mut random = seed | 1;
        kept.sort_by_cached_key(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            random >> 33
        });
        prop_assert_eq!(check(kept, &RULES), expected);
    }

    #[test]
    fn whatever_was_sent_gives_seven_checks(statuses in prop::collection::vec((200_u16..504, 0_i64..100_000, 1_u64..9), 0..60)) {
        let all = statuses.into_iter().map(|(status, ms, first)| Exchange { status, ..taken(ms, 0, first, 1) });
        let report = report(all.collect(), &RULES);
        prop_assert_eq!(report.checks.len(), 7);
        prop_assert!(!report.passed(), "too few records");
    }
}
