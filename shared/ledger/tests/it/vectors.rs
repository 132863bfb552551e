//! The hashes of the golden vectors in `contracts/vectors`, which a program of another language computed.

use contracts::Hash;
use ledger::{block_hash, leaf_hash, root};
use serde_json::Value;

fn list<'a>(of: &'a Value, name: &str) -> &'a Vec<Value> {
    of[name].as_array().expect("a list")
}

fn hash(of: &Value) -> Hash {
    of.as_str().expect("a text").parse().expect("a hash")
}

fn bytes<'a>(of: &'a Value, name: &str) -> &'a [u8] {
    of[name].as_str().expect("a text").as_bytes()
}

#[test]
fn leaves_of_records_are_as_told() {
    let all: Value = serde_json::from_str(include_str!("../../../../contracts/vectors/records.json")).expect("JSON");
    for one in list(&all, "good") {
        assert_eq!(leaf_hash(bytes(one, "record")), hash(&one["leaf"]), "{one}");
    }
}

#[test]
fn roots_of_batches_are_as_told() {
    use contracts::batch::{Media, check};
    let all: Value = serde_json::from_str(include_str!("../../../../contracts/vectors/batches.json")).expect("JSON");
    let now = contracts::UnixMillis(all["now_ms"].as_i64().expect("a time"));
    for one in list(&all, "good") {
        let media = if one["media"] == "application/json" { Media::Json } else { Media::Ndjson };
        let body = bytes(one, "body");
        let batch = check(body, media, now).expect("good");
        let leaves: Vec<Hash> = batch.records(body).map(leaf_hash).collect();
        assert_eq!(root(&leaves), hash(&one["claims"]["root"]), "{one}");
    }
    let mismatched: Vec<&Value> = list(&all, "bad").iter().filter(|one| one["code"] == "root-mismatch").collect();
    assert!(!mismatched.is_empty());
    for one in mismatched {
        let batch = check(bytes(one, "body"), Media::Ndjson, now).expect("good records");
        let leaves: Vec<Hash> = batch.records(bytes(one, "body")).map(leaf_hash).collect();
        assert_ne!(root(&leaves), hash(&one["root"]), "{one}");
    }
}

#[test]
fn hashes_of_headers_are_as_told() {
    let all: Value = serde_json::from_str(include_str!("../../../../contracts/vectors/headers.json")).expect("JSON");
    for one in list(&all, "good") {
        let header = bytes(one, "header");
        assert_eq!(block_hash(header), hash(&one["block_hash"]), "{one}");
        assert_eq!(leaf_hash(header), hash(&one["log_leaf"]), "{one}");
    }
}
