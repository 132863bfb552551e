//! What a measure may hold, and its form in the store.

use super::super::fact::Fact;
use super::super::measure::{BadMeasure, Block, Measure, Place, SUBJECTS_MAX};
use super::super::subject::{BadHandle, Handle, Platform, Subject};
use super::*;

#[test]
fn a_handle_has_one_form() {
    for (text, handle) in [("@Casino_UA", "casino_ua"), (" casino.ua ", "casino.ua"), ("@КАЗИНО", "казино")]
    {
        assert_eq!(text.parse::<Handle>().expect("a handle").as_str(), handle);
    }
    assert_eq!("@".parse::<Handle>(), Err(BadHandle::Empty));
    assert_eq!("a".repeat(65).parse::<Handle>(), Err(BadHandle::TooLong { chars: 65 }));
    for (text, found) in
        [("https://t.me/casino", ':'), ("t.me/casino", '/'), ("@@casino", '@'), ("a b", ' '), ("и\u{306}", '\u{306}')]
    {
        assert_eq!(text.parse::<Handle>(), Err(BadHandle::NotAlone { found }), "{text}");
    }
    for platform in Platform::ALL {
        assert_eq!(platform.as_str().to_uppercase().parse(), Ok(platform));
        assert_eq!(serde_json::to_value(platform).expect("a word"), platform.as_str());
    }
    assert!("myspace".parse::<Platform>().is_err());
}

#[test]
fn a_block_is_read_back_as_it_was_and_checked() {
    let json = r#"{"subject":{"site":"xn--80aodfsg.xn--j1amh"},"evidence":{"text":"takes bets without a licence","reference":"case 17/2026","hash":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="},"blocked_from":"2026-11-23"}"#;
    let written = block_from(site("казино.укр"), TODAY);
    assert_eq!(serde_json::to_string(&written).expect("JSON"), json);
    assert_eq!(serde_json::from_str::<Block>(json).expect("a block"), written);
    for (from, to) in [
        ("2026-11-23", "2026-11-31"),
        ("2026-11-23", "2026-11-23T10:00:00"),
        ("case 17/2026", ""),
        ("\"evidence\"", "\"other\""),
        ("xn--80aodfsg.xn--j1amh", "http://casino.ua"),
        ("\"blocked_from\"", "\"lifted\":true,\"blocked_from\""),
    ] {
        assert!(serde_json::from_str::<Block>(&json.replace(from, to)).is_err(), "{to}");
    }
    let telegram = r#"{"account":{"platform":"telegram","handle":"casino_ua"}}"#;
    assert_eq!(serde_json::to_string(&account("telegram", "@Casino_UA")).expect("JSON"), telegram);
    assert!(serde_json::from_str::<Subject>(&telegram.replace("telegram", "myspace")).is_err());
}

#[test]
fn a_measure_names_each_of_its_subjects_once() {
    assert_eq!(Measure::new(vec![], vec![]), Err(BadMeasure::Number { found: 0 }));
    let many = |n: usize| (0..n).map(|n| block_from(site(&format!("a{n}.ua")), TODAY)).collect::<Vec<_>>();
    assert!(Measure::new(many(SUBJECTS_MAX), vec![]).is_ok());
    let found = SUBJECTS_MAX + 1;
    assert_eq!(Measure::new(many(found), vec![]), Err(BadMeasure::Number { found }));
    let mut blocks = many(3);
    blocks.push(block_from(site("A1.ua."), TODAY));
    let lifts = lifts([site("a2.ua")]).lifts().to_vec();
    assert_eq!(Measure::new(blocks, lifts), Err(BadMeasure::Repeated(vec![Place::Block(3), Place::Lift(0)])));
    for json in [r#"{"blocks":[]}"#, r#"{"lifts":[],"more":1}"#] {
        assert!(serde_json::from_str::<Measure>(json).is_err(), "{json}");
    }
}

#[test]
fn facts_have_the_form_that_is_hashed() {
    let expires = crate::domain::operator::fact::Moment(NOW);
    let id = Uuid::from_u128(7);
    let proposed = Fact::Proposed { proposal: id, expires, measure: lifts([site("a.ua")]), ground: ground("R-1") };
    let reason = "no".parse().expect("a line");
    for (fact, json) in [
        (
            proposed,
            r#"{"type":"proposed","proposal":"00000000-0000-0000-0000-000000000007","expires":"2026-11-23T06:00:00.000Z","measure":{"lifts":[{"subject":{"site":"a.ua"},"reason":"the court said so"}]},"ground":{"law":"Law 768-IX, art. 16","document":"R-1","document_hash":"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk="}}"#,
        ),
        (
            Fact::Confirmed { proposal: id, day: TODAY },
            r#"{"type":"confirmed","proposal":"00000000-0000-0000-0000-000000000007","day":"2026-11-23"}"#,
        ),
        (
            Fact::Declined { proposal: id, reason },
            r#"{"type":"declined","proposal":"00000000-0000-0000-0000-000000000007","reason":"no"}"#,
        ),
        (Fact::Began { day: TODAY }, r#"{"type":"began","day":"2026-11-23"}"#),
    ] {
        assert_eq!(serde_json::to_string(&fact).expect("JSON"), json);
        assert_eq!(serde_json::from_str::<Fact>(json).expect("a fact"), fact);
    }
}
