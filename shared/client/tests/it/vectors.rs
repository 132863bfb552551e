//! Receipts made by `contracts/vectors/make_receipts.py`, which shares no code with us: believed or refused, each for its reason.

use std::process::Command;

use client::{BadReceipt, Batch, Config, Encoding, ReceiptKeys};
use contracts::StreamNo;
use contracts::receipt::Receipt;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../contracts/vectors/receipts.json")).unwrap()
}

fn list<'a>(of: &'a Value, name: &str) -> &'a Vec<Value> {
    of[name].as_array().unwrap()
}

/// What the SDK says of a receipt that it got for the records of its batch.
fn verdict(all: &Value, case: &Value) -> Result<(), BadReceipt> {
    let of = &all["batches"][case["batch"].as_u64().unwrap() as usize];
    let leaves = list(of, "records").iter().map(|record| ledger::leaf_hash(record.as_str().unwrap().as_bytes()));
    let leaves: Vec<_> = leaves.collect();
    let config = Config::new("http://nowhere", "token", of["operator"].as_str().unwrap().parse().unwrap());
    let batch = Batch {
        first_seq: serde_json::from_value(of["first_seq"].clone()).unwrap(),
        count: leaves.len() as u64,
        root: ledger::root(&leaves),
        body: bytes::Bytes::new(),
        encoding: Encoding::Identity,
    };
    let keys = ReceiptKeys::parse(all["keys"].to_string().as_bytes()).unwrap();
    let receipt: Receipt = serde_json::from_value(case["receipt"].clone()).unwrap();
    let stream = StreamNo(of["stream"].as_u64().unwrap() as u8);
    keys.verify_for(&receipt, &config, stream, &batch).map(|claims| assert_eq!(claims, receipt.claims))
}

#[test]
fn the_records_of_a_receipt_have_the_leaves_and_the_root_told() {
    let all = vectors();
    for of in list(&all, "batches") {
        let leaves: Vec<_> =
            list(of, "records").iter().map(|record| ledger::leaf_hash(record.as_str().unwrap().as_bytes())).collect();
        assert!(leaves.iter().map(|leaf| Value::from(leaf.to_string())).eq(list(of, "leaves").iter().cloned()));
        assert_eq!(of["root"], ledger::root(&leaves).to_string());
    }
}

#[test]
fn good_receipts_are_believed() {
    let all = vectors();
    assert!(list(&all, "good").len() >= 6);
    for case in list(&all, "good") {
        assert_eq!(verdict(&all, case), Ok(()), "{}", case["name"]);
    }
}

#[test]
fn bad_receipts_are_refused_for_their_reason() {
    let all = vectors();
    assert!(list(&all, "bad").len() >= 30);
    for case in list(&all, "bad") {
        let refused = verdict(&all, case).err().unwrap_or_else(|| panic!("{} is believed", case["name"]));
        let reason = match &refused {
            BadReceipt::Header(_) => "header",
            BadReceipt::Signature(_) => "signature",
            BadReceipt::Claims => "claims",
            BadReceipt::Differs { name, .. } => *name,
        };
        assert_eq!(reason, case["reason"], "{}: {refused}", case["name"]);
    }
}

#[test]
fn the_vectors_are_what_their_script_makes() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/vectors/make_receipts.py");
    let made = Command::new("python3").args([script, "--check"]).output().expect("python3");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
