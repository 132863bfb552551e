//! Records good and bad, and the promise between the two readers.

use proptest::prelude::*;

use super::*;

const NOW: UnixMillis = UnixMillis(1_792_864_829_498);

const WAGER: &str = r#"{"seq":1,"id":"55d3f385-fe76-4324-9d76-9105cb9ecb0b","type":"wager","at":"2026-10-24T18:00:29.498Z","amount":100,"currency":"UAH","channel":"web","vertical":"betting","game":"delta.roulette-eu","round":"r:3f64","player":"pEGG8E0yWT2zNSQMyLalhKe","cash":60,"bonus":40,"jackpot":1,"odds":"2.5"}"#;

#[test]
fn a_wager_is_read_by_both_readers_alike() {
    let record = parse(WAGER.as_bytes(), NOW).expect("good");
    assert!(plain::read(WAGER.as_bytes()).is_some());
    assert_eq!(parse_strictly(WAGER.as_bytes(), NOW), Ok(record));
}

#[test]
fn each_fault_has_its_code_and_pointer() {
    for (from, to, pointer, code) in [
        ("\"seq\":1", "\"seq\":0", "/seq", "out-of-range"),
        ("\"seq\":1", "\"seq\":9007199254740992", "/seq", "out-of-range"),
        ("\"seq\":1", "\"seq\":\"1\"", "/seq", "wrong-type"),
        ("\"seq\":1", "\"seq\":1,\"s\\u0065q\":1", "/seq", "duplicate-name"),
        ("\"seq\":1", "\"seq\":1,\"x/y\":1", "/x~1y", "unknown-name"),
        ("\"seq\":1", "\"seq\":1,\"kind\":\"win\"", "/kind", "unknown-name"),
        ("\"seq\":1", "\"seq\":01", "", "bad-json"),
        ("\"seq\":1,", "", "/seq", "missing"),
        ("100,", "100.0,", "/amount", "not-an-integer"),
        ("100,", "1e2,", "/amount", "not-an-integer"),
        ("100,", "-100,", "/amount", "out-of-range"),
        ("100,", "[[1]],", "/amount", "too-deep"),
        ("100,", "[1],", "/amount", "wrong-type"),
        ("55d3f385", "55D3F385", "/id", "bad-uuid"),
        ("29.498Z", "29.498+00:00", "/at", "bad-time"),
        ("2026-10", "2019-10", "/at", "out-of-range"),
        ("2026-10", "2027-10", "/at", "out-of-range"),
        ("UAH", "XXX", "/currency", "unknown-currency"),
        ("\"web\"", "\"fax\"", "/channel", "unknown-value"),
        ("delta.", "Delta.", "/game", "bad-form"),
        ("r:3f64", "r 3f64", "/round", "bad-form"),
        ("pEGG8E0yWT2zNSQMyLalhKe", "player_00380501234567", "/player", "personal-data"),
        ("pEGG8E0yWT2zNSQMyLalhKe", "pEGG\\ud800E0yWT2zNSQMyLalhKe", "/player", "bad-json"),
        ("\"cash\":60", "\"cash\":61", "/cash", "contradiction"),
        (",\"bonus\":40", "", "/bonus", "missing"),
        ("\"jackpot\":1", "\"jackpot\":101", "/jackpot", "contradiction"),
        ("betting", "slots", "/odds", "contradiction"),
        ("2.5", "1.00", "/odds", "bad-form"),
    ] {
        let bad = WAGER.replacen(from, to, 1);
        assert_ne!(bad, WAGER, "{from}");
        let violations = parse(bad.as_bytes(), NOW).expect_err(to);
        let first = violations.first().expect("one at least");
        assert_eq!((first.pointer.as_str(), first.code.as_str()), (pointer, code), "{to}: {violations:?}");
    }
}

proptest! {
    #[test]
    fn the_quick_reader_never_says_more_than_the_strict_one(
        changes in prop::collection::vec((0..WAGER.len(), prop::sample::select(b"\"\\{}[]:,0129.-eE \nuazZ\x00\x80\xff".to_vec())), 0..4),
    ) {
        let mut bytes = WAGER.as_bytes().to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        prop_assert_eq!(parse(&bytes, NOW), parse_strictly(&bytes, NOW));
        if let Some(fields) = plain::read(&bytes) {
            let (by_strict, violations) = strict::read(&bytes).expect("the strict reader reads it too");
            prop_assert!(violations.is_empty());
            prop_assert_eq!(fields, by_strict);
        }
    }
}
