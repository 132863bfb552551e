//! Proof files made by `contracts/vectors/make_proofs.py`, which shares no code with us; and every byte of one changed.

use std::process::Command;

use ledger::note::{Signer, Verifier};
use ledger::{RecordProof, TlogProof, block_hash, leaf_hash, verify};
use proptest::prelude::*;
use serde_json::Value;

fn vectors() -> Value {
    let text = include_str!("../../../../contracts/vectors/proofs.json");
    serde_json::from_str(text).expect("json")
}

fn log(vectors: &Value) -> Verifier {
    Verifier::parse(vectors["log_vkey"].as_str().expect("text")).expect("vkey")
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().expect(field)
}

#[test]
fn good_proofs_prove() {
    let vectors = vectors();
    let cases = vectors["good"].as_array().expect("array");
    assert!(cases.len() >= 8);
    for case in cases {
        let (name, file) = (text(case, "name"), text(case, "file").as_bytes());
        let verified = verify::record_proof(file, &log(&vectors)).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(verified.record, text(case, "record").as_bytes(), "{name}");
        assert_eq!(leaf_hash(&verified.record).to_string(), text(case, "record_leaf_hash"), "{name}");
        assert_eq!(verified.header_bytes, text(case, "header").as_bytes(), "{name}");
        assert_eq!(block_hash(&verified.header_bytes).to_string(), text(case, "block_hash"), "{name}");
        assert_eq!(leaf_hash(&verified.header_bytes).to_string(), text(case, "log_leaf_hash"), "{name}");
        assert_eq!(verified.checkpoint.root.to_string(), text(case, "log_root"), "{name}");
        let numbers = [verified.leaf, verified.index, verified.checkpoint.size];
        assert_eq!(numbers.map(Value::from), ["leaf", "index", "size"].map(|f| case[f].clone()), "{name}");
        let outer = TlogProof::parse(file).expect("form");
        assert_eq!(outer.to_bytes(), file, "{name}: written as read");
        let extra = outer.extra.expect("extra");
        assert_eq!(RecordProof::parse(&extra).expect("form").to_bytes(), extra, "{name}: written as read");
    }
}

#[test]
fn bad_proofs_are_refused_for_their_reason() {
    let vectors = vectors();
    let cases = vectors["bad"].as_array().expect("array");
    assert!(cases.len() >= 45);
    for case in cases {
        let name = text(case, "name");
        let refused = verify::record_proof(text(case, "file").as_bytes(), &log(&vectors)).map(|_| ()).expect_err(name);
        assert_eq!(refused.reason(), text(case, "reason"), "{name}: {refused:?}");
    }
}

#[test]
fn our_signature_is_the_one_made_elsewhere() {
    let vectors = vectors();
    let signer = Signer::parse(text(&vectors, "log_key_not_secret")).expect("key");
    assert_eq!(signer.verifier().to_string(), text(&vectors, "log_vkey"));
    for case in &vectors["good"].as_array().expect("array")[..6] {
        let outer = TlogProof::parse(text(case, "file").as_bytes()).expect("form");
        let verified = verify::record_proof(text(case, "file").as_bytes(), &log(&vectors)).expect("good");
        assert_eq!(verified.checkpoint.sign(&signer).expect("plain").into_bytes(), outer.checkpoint);
    }
}

#[test]
fn every_byte_counts() {
    let vectors = vectors();
    let log = log(&vectors);
    for case in [0, 3] {
        let file = text(&vectors["good"][case], "file").as_bytes();
        for at in 0..file.len() {
            let mut copy = file.to_vec();
            copy[at] ^= 0x01 << (at % 7);
            assert!(verify::record_proof(&copy, &log).is_err(), "byte {at} changed");
        }
        for at in (0..file.len()).rev().step_by(7) {
            assert!(verify::record_proof(&file[..at], &log).is_err(), "cut at {at}");
        }
    }
}

#[test]
fn the_vectors_are_what_their_script_makes() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/vectors/make_proofs.py");
    let made = Command::new("python3").args([script, "--check"]).output().expect("python3");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>()) {
        let vectors = vectors();
        let mut file = text(&vectors["good"][2], "file").as_bytes().to_vec();
        let at = at.index(file.len());
        file.splice(at..(at + bytes.len() / 2).min(vectors["good"][2]["file"].as_str().map_or(0, str::len)), bytes.iter().copied());
        if file != text(&vectors["good"][2], "file").as_bytes() {
            prop_assert!(verify::record_proof(&file, &log(&vectors)).is_err());
        }
        prop_assert!(verify::record_proof(&bytes, &log(&vectors)).is_err());
    }
}
