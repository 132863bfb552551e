//! Records good and bad, and the promise between the two readers.

mod edits;

use std::io::Read as _;

use super::*;
use crate::batch::INVALID_MAX;

const NOW: UnixMillis = UnixMillis(1_792_864_829_498);

const WAGER: &str = r#"{"seq":1,"id":"55d3f385-fe76-4324-9d76-9105cb9ecb0b","type":"wager","at":"2026-10-24T18:00:29.498Z","amount":100,"currency":"UAH","channel":"web","vertical":"betting","game":"delta.roulette-eu","build":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","round":"r:3f64","player":"pEGG8E0yWT2zNSQMyLalhKe","session":"sEGG8E0yWT2zNSQMyLalhKe","corrects":"11d3f385-fe76-4324-9d76-9105cb9ecb0b","cash":60,"bonus":40,"jackpot":1,"odds":"2.5","outcome":"open"}"#;
const PAYOUT: &str = r#"{"seq":2,"id":"55d3f385-fe76-4324-9d76-9105cb9ecb0c","type":"payout","at":"2026-10-24T18:00:29Z","amount":100,"currency":"EUR","channel":"app","wager":"55d3f385-fe76-4324-9d76-9105cb9ecb0b","kind":"win","withheld":20}"#;
const REFUND: &str = r#"{"seq":3,"id":"55d3f385-fe76-4324-9d76-9105cb9ecb0d","type":"refund","at":"2026-10-24T18:00:29.000000001Z","amount":100,"currency":"UAH","channel":"retail","wager":"55d3f385-fe76-4324-9d76-9105cb9ecb0b","reason":"void_event"}"#;
const ADJUSTMENT: &str = r#"{"seq":4,"id":"55d3f385-fe76-4324-9d76-9105cb9ecb0e","type":"adjustment","at":"2020-01-01T00:00:00Z","amount":0,"currency":"UAH","channel":"phone","kind":"deposit","method":"card","status":"done","balance":1000000000000000}"#;
const ALL: [&str; 4] = [WAGER, PAYOUT, REFUND, ADJUSTMENT];

/// One change of a good record, and what comes of it.
type Row = (&'static str, &'static str, &'static str, &'static str);

#[test]
fn each_type_is_read_by_both_readers_alike() {
    for text in ALL {
        let record = parse(text.as_bytes(), NOW).expect(text);
        assert!(plain::read(text.as_bytes(), &mut values::Fields::new()), "{text}");
        assert_eq!(parse_strictly(text.as_bytes(), NOW), Ok(record));
    }
}

#[test]
fn a_good_change_stays_good() {
    let long_game = format!("g{}", "x".repeat(63));
    let (long_round, long_player) = ("r".repeat(64), "p".repeat(64));
    for (base, from, to) in [
        (WAGER, "\"seq\":1", "\"seq\":9007199254740991"),
        (WAGER, "\"seq\":1", " \t\r\n\"s\\u0065q\" : 1 "),
        (WAGER, "\"web\"", "\"w\\u0065b\""),
        (WAGER, "\"web\"", "\"terminal\""),
        (WAGER, "delta.roulette-eu", "abc"),
        (WAGER, "delta.roulette-eu", &long_game),
        (WAGER, "r:3f64", &long_round),
        (WAGER, "r:3f64", "9"),
        (WAGER, "pEGG8E0yWT2zNSQMyLalhKe", &long_player),
        (WAGER, "pEGG8E0yWT2zNSQMyLalhKe", "p-GG8E0yWT2zNSQMyLa_"),
        (WAGER, "\"cash\":60,\"bonus\":40,", ""),
        (WAGER, "\"cash\":60,\"bonus\":40,", "\"cash\":0,\"bonus\":100,"),
        (WAGER, "\"jackpot\":1", "\"jackpot\":100"),
        (WAGER, "\"jackpot\":1", "\"jackpot\":0"),
        (WAGER, "2.5", "1.01"),
        (WAGER, "2.5", "100000"),
        (WAGER, "betting", "virtual"),
        (WAGER, ",\"odds\":\"2.5\",\"outcome\":\"open\"", ",\"outcome\":\"lost\""),
        (WAGER, ",\"outcome\":\"open\"", ""),
        (WAGER, "2026-10-24T18:00:29.498Z", "2026-10-24T18:00:34.498Z"),
        (WAGER, "2026-10-24T18:00:29.498Z", "2024-02-29T23:59:59.999999999Z"),
        (PAYOUT, "\"amount\":100,", "\"amount\":1000000000000000,"),
        (PAYOUT, "\"withheld\":20", "\"withheld\":100"),
        (PAYOUT, ",\"withheld\":20", ""),
        (
            PAYOUT,
            "100,\"currency\":\"EUR\",\"channel\":\"app\"",
            "0,\"kind\":\"loss\",\"currency\":\"EUR\",\"channel\":\"app\"",
        ),
        (REFUND, "\"amount\":100", "\"amount\":1"),
        (ADJUSTMENT, "\"deposit\",\"method\":\"card\"", "\"fee\""),
        (ADJUSTMENT, ",\"balance\":1000000000000000", ""),
    ] {
        let mut good = base.replacen(from, to, 1);
        if to.contains("loss") {
            good = good.replace(",\"kind\":\"win\",\"withheld\":20", "");
        }
        assert_ne!(good, base, "{from}");
        let record = parse(good.as_bytes(), NOW).unwrap_or_else(|found| panic!("{good}: {found:?}"));
        assert_eq!(parse_strictly(good.as_bytes(), NOW), Ok(record));
    }
}

#[test]
fn each_word_of_each_list_is_read_and_no_other() {
    let lists: [(&str, &str, &[&str]); 8] = [
        (WAGER, "\"channel\":\"web\"", Channel::WORDS),
        (WAGER, "\"vertical\":\"betting\"", Vertical::WORDS),
        (WAGER, "\"outcome\":\"open\"", Outcome::WORDS),
        (PAYOUT, "\"kind\":\"win\"", PayoutKind::WORDS),
        (REFUND, "\"reason\":\"void_event\"", RefundReason::WORDS),
        (ADJUSTMENT, "\"kind\":\"deposit\"", AdjustmentKind::WORDS),
        (ADJUSTMENT, "\"method\":\"card\"", Method::WORDS),
        (ADJUSTMENT, "\"status\":\"done\"", AdjustmentStatus::WORDS),
    ];
    for (base, member, words) in lists {
        let (name, _) = member.split_once(':').expect("a member");
        let with = |word: &str| base.replacen(member, &format!("{name}:\"{word}\""), 1);
        for word in words {
            let found = parse(with(word).as_bytes(), NOW).err().unwrap_or_default();
            // Odds and a loss's amount may now contradict the word; the word itself is known.
            assert!(found.iter().all(|v| v.code == RecordCode::Contradiction), "{word}: {found:?}");
        }
        for bad in ["", "WEB", "webb", "other "] {
            let found = parse(with(bad).as_bytes(), NOW).expect_err(bad);
            assert_eq!(found.first().map(|v| v.code), Some(RecordCode::UnknownValue), "{name} {bad:?}");
        }
    }
}

#[test]
fn every_name_that_must_be_there_is_missed_and_every_other_may_be_absent() {
    let optional = ["player", "session", "corrects", "build", "jackpot", "odds", "outcome", "withheld", "balance"];
    for base in ALL {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(base).expect("JSON");
        for name in object.keys() {
            let mut without = object.clone();
            without.remove(name);
            let text = serde_json::to_string(&without).expect("JSON");
            match parse(text.as_bytes(), NOW) {
                Ok(_) => assert!(optional.contains(&name.as_str()), "{name} was not missed"),
                Err(found) => {
                    assert!(!optional.contains(&name.as_str()), "{name}: {found:?}");
                    let pointer = format!("/{name}");
                    assert!(found.iter().any(|v| v.code == RecordCode::Missing && v.pointer == pointer), "{found:?}");
                }
            }
            for (value, code) in
                [("null", "wrong-type"), ("true", "wrong-type"), ("{}", "wrong-type"), ("[[]]", "too-deep")]
            {
                let mut other = object.clone();
                other.insert(name.clone(), serde_json::from_str(value).expect("JSON"));
                let text = serde_json::to_string(&other).expect("JSON");
                let found = parse(text.as_bytes(), NOW).expect_err(name);
                let told = found.iter().find(|v| v.pointer == format!("/{name}")).expect("told");
                assert_eq!(told.code.as_str(), code, "{name}: {value}");
            }
        }
    }
}

#[test]
fn a_name_of_another_type_is_unknown() {
    let names = |text: &str| -> Vec<String> {
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
            .expect("JSON")
            .into_iter()
            .map(|(k, _)| k)
            .collect()
    };
    let mut every: Vec<String> = ALL.iter().flat_map(|text| names(text)).collect();
    every.push("operator".into());
    for base in ALL {
        let own: Vec<String> =
            names(base).into_iter().chain(["player", "session", "corrects"].map(str::to_owned)).collect();
        for name in every.iter().filter(|name| !own.contains(name)) {
            let text = base.replacen('{', &format!("{{\"{name}\":\"x\","), 1);
            let found = parse(text.as_bytes(), NOW).expect_err(name);
            let told = found.first().expect("told");
            assert_eq!((told.pointer.as_str(), told.code), (format!("/{name}").as_str(), RecordCode::UnknownName));
        }
    }
}

const OF_ALL: &[Row] = &[
    ("\"seq\":1", "\"seq\":0", "/seq", "out-of-range"),
    ("\"seq\":1", "\"seq\":-1", "/seq", "out-of-range"),
    ("\"seq\":1", "\"seq\":9007199254740992", "/seq", "out-of-range"),
    ("\"seq\":1", "\"seq\":99999999999999999999999999", "/seq", "out-of-range"),
    ("\"seq\":1", "\"seq\":\"1\"", "/seq", "wrong-type"),
    ("\"seq\":1", "\"seq\":1.0", "/seq", "not-an-integer"),
    ("\"seq\":1", "\"seq\":1E0", "/seq", "not-an-integer"),
    ("\"seq\":1", "\"seq\":1,\"seq\":1", "/seq", "duplicate-name"),
    ("\"seq\":1", "\"seq\":1,\"s\\u0065q\":1", "/seq", "duplicate-name"),
    ("\"seq\":1", "\"seq\":1,\"x/y~\":1", "/x~1y~0", "unknown-name"),
    ("\"seq\":1", "\"Seq\":1", "/Seq", "unknown-name"),
    ("55d3f385", "55D3F385", "/id", "bad-uuid"),
    ("55d3f385-", "55d3f385", "/id", "bad-uuid"),
    ("55d3f385-fe76-4324-9d76-9105cb9ecb0b", "00000000-0000-0000-0000-000000000000", "/id", "bad-uuid"),
    ("55d3f385-fe76-4324-9d76-9105cb9ecb0b", "ffffffff-ffff-ffff-ffff-ffffffffffff", "/id", "bad-uuid"),
    ("\"55d3f385-fe76-4324-9d76-9105cb9ecb0b\"", "5", "/id", "wrong-type"),
    ("11d3f385", "11d3f38g", "/corrects", "bad-uuid"),
    ("\"type\":\"wager\"", "\"type\":\"Wager\"", "/type", "unknown-value"),
    ("29.498Z", "29.498+00:00", "/at", "bad-time"),
    ("29.498Z", "29.498z", "/at", "bad-time"),
    ("29.498Z", "29.0000000000Z", "/at", "bad-time"),
    ("29.498Z", "60Z", "/at", "bad-time"),
    ("2026-10-24", "2026-02-29", "/at", "bad-time"),
    ("2026-10-24T18:00:29.498Z", "2019-12-31T23:59:59.999999999Z", "/at", "out-of-range"),
    ("2026-10-24T18:00:29.498Z", "2026-10-24T18:00:34.498000001Z", "/at", "out-of-range"),
    ("\"amount\":100,", "\"amount\":100.0,", "/amount", "not-an-integer"),
    ("\"amount\":100,", "\"amount\":1e2,", "/amount", "not-an-integer"),
    ("\"amount\":100,", "\"amount\":-100,", "/amount", "out-of-range"),
    ("\"amount\":100,", "\"amount\":0,", "/amount", "out-of-range"),
    ("\"amount\":100,", "\"amount\":1000000000000001,", "/amount", "out-of-range"),
    ("\"amount\":100,", "\"amount\":\"100\",", "/amount", "wrong-type"),
    ("UAH", "XXX", "/currency", "unknown-currency"),
    ("UAH", "uah", "/currency", "unknown-currency"),
    ("UAH", "HRK", "/currency", "unknown-currency"),
    ("pEGG8E0yWT2zNSQMyLalhKe", "pEGG8E0yWT2zNSQMyLa", "/player", "bad-form"),
    ("pEGG8E0yWT2zNSQMyLalhKe", "pEGG8E0yWT2zNSQMyLalhKe.", "/player", "bad-form"),
    ("pEGG8E0yWT2zNSQMyLalhKe", "pEGG8E0yWT2zNSQMyLalhKé", "/player", "bad-form"),
    ("pEGG8E0yWT2zNSQMyLalhKe", "player_00380501234567", "/player", "personal-data"),
    ("sEGG8E0yWT2zNSQMyLalhKe", "UA213223130000026007233566001", "/session", "personal-data"),
    ("pEGG8E0yWT2zNSQMyLalhKe", "pEGG8E0yWT2zNSQMyLa\\ud800", "/player", "bad-json"),
    ("pEGG8E0yWT2zNSQMyLalhKe", "pEGG8E0yWT2zNSQMyLa\\udc00", "/player", "bad-json"),
    ("pEGG8E0yWT2zNSQMyLalhKe", "pEGG8E0yWT2zNSQMyLa\\ud800\\u0041", "/player", "bad-json"),
    ("pEGG8E0yWT2zNSQMyLalhKe", "pEGG\\u0041E0yWT2zNSQMyLalhK.", "/player", "bad-form"),
];

const OF_A_WAGER: &[Row] = &[
    ("delta.", "Delta.", "/game", "bad-form"),
    ("delta.roulette-eu", "9delta", "/game", "bad-form"),
    ("delta.roulette-eu", "ab", "/game", "bad-form"),
    ("delta.roulette-eu", "a_b", "/game", "bad-form"),
    ("r:3f64", "r 3f64", "/round", "bad-form"),
    ("r:3f64", "", "/round", "bad-form"),
    ("e3b0c442", "E3b0c442", "/build", "bad-form"),
    ("e3b0c442", "e3b0c44", "/build", "bad-form"),
    ("\"cash\":60", "\"cash\":61", "/cash", "contradiction"),
    ("\"cash\":60,", "", "/cash", "missing"),
    (",\"bonus\":40", "", "/bonus", "missing"),
    ("\"jackpot\":1", "\"jackpot\":101", "/jackpot", "contradiction"),
    ("betting", "slots", "/odds", "contradiction"),
    ("\"2.5\"", "2.5", "/odds", "not-an-integer"),
    ("\"2.5\"", "2", "/odds", "wrong-type"),
    ("2.5", "1.00", "/odds", "bad-form"),
    ("2.5", "1.00999", "/odds", "bad-form"),
    ("2.5", "100000.1", "/odds", "bad-form"),
    ("2.5", "02.5", "/odds", "bad-form"),
];

const OF_A_PAYOUT: &[Row] = &[
    ("\"amount\":100", "\"amount\":0", "/amount", "contradiction"),
    ("\"win\"", "\"loss\"", "/amount", "contradiction"),
    ("\"withheld\":20", "\"withheld\":101", "/withheld", "contradiction"),
    ("\"wager\":\"55d3f385", "\"wager\":\"55D3f385", "/wager", "bad-uuid"),
];

const OF_A_REFUND: &[Row] = &[
    ("\"amount\":100", "\"amount\":0", "/amount", "out-of-range"),
    ("\"wager\":\"55d3f385", "\"wager\":\"x5d3f385", "/wager", "bad-uuid"),
];

const OF_AN_ADJUSTMENT: &[Row] = &[
    (",\"method\":\"card\"", "", "/method", "missing"),
    ("\"deposit\",\"method\":\"card\"", "\"withdrawal\"", "/method", "missing"),
    ("\"balance\":1000000000000000", "\"balance\":1000000000000001", "/balance", "out-of-range"),
    ("\"amount\":0", "\"amount\":1000000000000001", "/amount", "out-of-range"),
];

#[test]
fn each_fault_has_its_code_and_pointer() {
    let tables = [
        (WAGER, OF_ALL),
        (WAGER, OF_A_WAGER),
        (PAYOUT, OF_A_PAYOUT),
        (REFUND, OF_A_REFUND),
        (ADJUSTMENT, OF_AN_ADJUSTMENT),
    ];
    for (base, table) in tables {
        for (from, to, pointer, code) in table {
            let bad = base.replacen(from, to, 1);
            assert_ne!(bad, base, "{from}");
            let found = parse(bad.as_bytes(), NOW).expect_err(to);
            let first = found.first().expect("one at least");
            assert_eq!((first.pointer.as_str(), first.code.as_str()), (*pointer, *code), "{to}: {found:?}");
        }
    }
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    let swap = |from: &str, to: &str| WAGER.replacen(from, to, 1).into_bytes();
    let mut not_utf8 = WAGER.as_bytes().to_vec();
    not_utf8[10] = 0xff;
    let bad: Vec<Vec<u8>> = vec![
        b"\xef\xbb\xbf{}".to_vec(),
        not_utf8,
        swap("pEGG", "p\\x"),
        swap("pEGG", "p\nGG"),
        swap("pEGG", "p\0GG"),
        swap("\"seq\":1", "\"seq\":01"),
        swap("\"seq\":1", "\"seq\":+1"),
        swap("\"seq\":1", "\"seq\":NaN"),
        swap("\"seq\":1", "\"seq\":Infinity"),
        swap("\"seq\":1", "\"seq\":1."),
        swap("\"seq\":1", "\"seq\":.1"),
        swap("\"seq\":1", "\"seq\":0x1"),
        swap("\"seq\":1", "\"seq\" 1"),
        swap("\"seq\":1,", "\"seq\":1,,"),
        swap("\"seq\":1,", "\"seq\":1 "),
        swap("\"seq\"", "'seq'"),
        swap("\"seq\"", "seq"),
        swap("\"open\"}", "\"open\",}"),
        swap("\"open\"}", "\"open\""),
        swap("\"open\"}", "\"open\"}x"),
        swap("\"open\"}", "\"open\"}{}"),
        swap("\"open\"}", "\"open\"}}"),
        swap("\"open\"}", "\"open\"} // end"),
        swap("{", "{\x0b"),
        swap("{", "{\u{a0}"),
        format!("[{WAGER}]").into_bytes(),
        b"".to_vec(),
        b"   ".to_vec(),
        b"null".to_vec(),
        b"\"text\"".to_vec(),
        b"7".to_vec(),
        format!("{{\"seq\":{}", "[".repeat(2_000)).into_bytes(),
    ];
    for bytes in bad {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let found = parse(&bytes, NOW).expect_err(&shown);
        let first = found.first().expect("one at least");
        assert_eq!((first.pointer.as_str(), first.code), ("", RecordCode::BadJson), "{shown}: {found:?}");
    }
    let deep = format!("{{\"seq\":{}1{}}}", "[".repeat(300), "]".repeat(300));
    let found = parse(deep.as_bytes(), NOW).expect_err("300 levels");
    assert_eq!(found.first().map(|v| v.code), Some(RecordCode::TooDeep));
    let empty = parse(b"{}", NOW).expect_err("no names");
    assert!(empty.iter().all(|v| v.code == RecordCode::Missing));
}

#[test]
fn the_limit_on_bytes_is_exact() {
    let padded = |length: usize| WAGER.replacen('{', &format!("{{{}", " ".repeat(length - WAGER.len())), 1);
    assert!(parse(padded(RECORD_BYTES_MAX).as_bytes(), NOW).is_ok());
    let found = parse(padded(RECORD_BYTES_MAX + 1).as_bytes(), NOW).expect_err("one too many");
    assert_eq!(found.first().map(|v| v.code), Some(RecordCode::TooLong));
}

#[test]
fn what_one_record_is_told_is_bounded() {
    // The same name again and again: each but the first is a fault.
    let text = format!("{{{}}}", vec!["\"at\":1"; 292].join(","));
    assert!(text.len() <= RECORD_BYTES_MAX);
    let told = parse(text.as_bytes(), NOW).expect_err("bad");
    // What the reader finds, and at most one fault a name by the rules.
    assert!((INVALID_MAX..INVALID_MAX + 30).contains(&told.len()), "{}", told.len());
    assert_eq!(told.first().map(|one| one.code), Some(RecordCode::DuplicateName));
    assert_eq!(seq_of(b"{\"seq\":7,\"at\":1,\"at\":2}"), Some(7));
    let long = format!("{{\"seq\":7,{}\"at\":1}}", " ".repeat(RECORD_BYTES_MAX));
    assert_eq!(seq_of(long.as_bytes()), None, "it is not read");
}

#[test]
fn all_faults_of_a_record_are_told_at_once() {
    let bad = WAGER.replace("UAH", "XXX").replace("\"web\"", "\"fax\"").replace("delta.", "Delta.");
    let found = parse(bad.as_bytes(), NOW).expect_err("three faults");
    let pointers: Vec<&str> = found.iter().map(|v| v.pointer.as_str()).collect();
    assert_eq!(pointers, ["/currency", "/channel", "/game"]);
    assert_eq!(seq_of(bad.as_bytes()), Some(1));
}

#[test]
fn every_record_of_the_data_set_is_read_quickly() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let Ok(files) = std::fs::read_dir(&folder) else {
        assert!(std::env::var_os("CI").is_none(), "{} is not there", folder.display());
        eprintln!("SKIPPED: {} is not there", folder.display());
        return;
    };
    let later = UnixMillis(1_798_761_600_000);
    let mut records = 0_usize;
    for path in
        files.map(|file| file.expect("readable").path()).filter(|path| path.extension().is_some_and(|e| e == "gz"))
    {
        let mut text = Vec::new();
        let file = std::fs::File::open(&path).expect("readable");
        flate2::read::MultiGzDecoder::new(file).read_to_end(&mut text).expect("gzip");
        for line in text.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            assert!(plain::read(line, &mut values::Fields::new()), "{}", String::from_utf8_lossy(line));
            let record = parse(line, later).expect("every line is good");
            if records.is_multiple_of(16) {
                assert_eq!(parse_strictly(line, later), Ok(record));
            }
            records += 1;
        }
    }
    assert_eq!(records, 100_000);
}
