//! `dsom verify`: good evidence ends with 0, anything changed in it with 1.

use std::fs;
use std::io::Write as _;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ledger::leaf_hash;
use serde_json::{Value, json};

use crate::evidence::{OPERATORS, World, copied, record};
use crate::said;

#[test]
fn the_golden_proofs_are_judged_as_they_should_be() {
    let vectors = include_str!("../../../../contracts/vectors/proofs.json");
    let vectors: Value = serde_json::from_str(vectors).expect("JSON");
    let vkey = vectors["log_vkey"].as_str().expect("a key");
    let folder = tempfile::tempdir().expect("a folder");
    for (kind, expected) in [("good", 0), ("bad", 1)] {
        for vector in vectors[kind].as_array().expect("vectors") {
            let path = folder.path().join("a.tlog-proof");
            fs::write(&path, vector["file"].as_str().expect("a file")).expect("writes");
            let (code, text) = said(&["verify", "proof", &path.display().to_string(), "--vkey", vkey]);
            assert_eq!(code, expected, "{}: {text}", vector["name"]);
        }
    }
}

#[test]
fn a_refusal_that_was_kept_as_evidence_is_called_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.tlog-proof").display().to_string();
    // Of docs/ERRORS.md.
    fs::write(&path, r#"{"status":404,"code":"not-found","detail":"no such record","retry":"never"}"#).expect("writes");
    let vectors: Value = serde_json::from_str(include_str!("../../../../contracts/vectors/proofs.json")).expect("JSON");
    let (code, text) = said(&["verify", "proof", &path, "--vkey", vectors["log_vkey"].as_str().expect("a key")]);
    assert!(code == 1 && text.contains("answered") && text.contains("404 not-found: no such record"), "{code} {text}");
}

#[test]
fn a_log_is_walked_whole_and_every_file_of_it_counts() {
    // Full and partial tiles on two levels.
    let world = World::of(600);
    let log = world.log().display().to_string();
    let (code, text) = said(&["verify", "log", &log, "--vkey", &world.vkey]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("600 blocks of 2 operators, 1800 records, 4 tiles"), "{text}");
    for path in world.files() {
        let good = fs::read(&path).expect("reads");
        let mut flipped = good.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        fs::write(&path, flipped).expect("writes");
        let (code, text) = said(&["verify", "log", &log, "--vkey", &world.vkey]);
        assert_eq!(code, 1, "{} with a flipped bit: {text}", path.display());
        fs::remove_file(&path).expect("removes");
        let (code, text) = said(&["verify", "log", &log, "--vkey", &world.vkey]);
        assert_eq!(code, 1, "without {}: {text}", path.display());
        fs::write(&path, good).expect("writes");
    }
}

#[test]
fn another_key_is_not_this_log_s() {
    let world = World::of(3);
    let other = ledger::note::Signer::from_seed("log.example/dsom", &[8; 32]).expect("a key").verifier().to_string();
    let (code, text) = said(&["verify", "log", &world.log().display().to_string(), "--vkey", &other]);
    assert_eq!(code, 1, "{text}");
}

#[test]
fn a_log_must_continue_what_was_seen_of_it() {
    let world = World::of(300);
    let log = world.log().display().to_string();
    for size in [0, 1, 255, 256, 257, 300] {
        let earlier = world.file("earlier", world.checkpoint(size).as_bytes());
        let (code, text) = said(&["verify", "log", &log, "--vkey", &world.vkey, "--since", &earlier]);
        assert_eq!(code, 0, "{size}: {text}");
    }
    for (what, note) in [("a fork", world.forked(256)), ("a longer one", World::of(301).checkpoint(301))] {
        let earlier = world.file("earlier", note.as_bytes());
        let (code, text) = said(&["verify", "log", &log, "--vkey", &world.vkey, "--since", &earlier]);
        assert_eq!(code, 1, "{what}: {text}");
    }
}

#[test]
fn a_saved_log_is_as_good_as_the_log() {
    let world = World::of(300);
    let (log, copy) = (world.log().display().to_string(), world.folder.path().join("copy").display().to_string());
    assert_eq!(said(&["verify", "log", &log, "--vkey", &world.vkey, "--save", &copy]).0, 0);
    let key = world.file("log.vkey", format!("{}\n", world.vkey).as_bytes());
    let (code, text) = said(&["verify", "log", &copy, "--vkey", &key]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn an_export_is_proved_to_the_checkpoint() {
    let world = World::of(300);
    let log = world.log().display().to_string();
    let export = world.file("chain.dsom", &world.export(1));
    let verify = |file: &str, log: &str| said(&["verify", "export", file, "--log", log, "--vkey", &world.vkey]);
    let (code, text) = verify(&export, &log);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("450 records in 150 blocks, each proved") && text.contains("stream   1: seq 1 to 150"),
        "{text}"
    );

    // A record and its block made anew agree with themselves; only the log tells.
    let shorter = World::of(200);
    let (code, text) = verify(&export, &shorter.log().display().to_string());
    assert!(code == 1 && text.contains("block 101 is not in the log"), "{text}");
    let mut changed = world.export(1);
    let at = changed.windows(8).rposition(|eight| eight == b"\"1-0-300").expect("the last record");
    changed[at + 1] = b'9';
    let (code, text) = verify(&world.file("changed.dsom", &changed), &log);
    assert!(code == 1 && text.contains("block 150"), "{text}");

    // A log whose tile is damaged proves nothing.
    let damaged = world.folder.path().join("damaged");
    copied(&world.log(), &damaged);
    let tile = damaged.join("tile/0/000");
    let mut bytes = fs::read(&tile).expect("reads");
    bytes[100] ^= 1;
    fs::write(&tile, bytes).expect("writes");
    assert_eq!(verify(&export, &damaged.display().to_string()).0, 1);
}

/// Receipts for stream 0 of the first operator: seqs 1-10 and 11-25.
fn receipts(key: &SigningKey, kid: &str) -> String {
    let receipt = |first: u64, last: u64| {
        let leaves: Vec<_> = (first..=last).map(|seq| leaf_hash(&record(0, 0, seq))).collect();
        let claims = json!({
            "iss": "test", "operator": OPERATORS[0], "stream": 0, "first_seq": first, "last_seq": last,
            "count": last + 1 - first, "root": ledger::root(&leaves).to_string(),
            "accepted_at": "2026-10-24T18:00:29.498Z", "env": "test",
        });
        let header =
            Header { kid: Some(kid.into()), typ: Some("dsom-receipt+jwt".into()), ..Header::new(Algorithm::EdDSA) };
        let der = key.to_pkcs8_der().expect("a key");
        let signed = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(der.as_bytes())).expect("signs");
        format!("{}\n", json!({"receipt": signed, "claims": claims}))
    };
    receipt(1, 10) + &receipt(11, 25)
}

fn jwks(keys: &[(&SigningKey, &str)]) -> String {
    use base64::Engine as _;
    let jwk = |(key, kid): &(&SigningKey, &str)| {
        let x = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": kid, "x": x})
    };
    json!({"keys": keys.iter().map(jwk).collect::<Vec<_>>()}).to_string()
}

#[test]
fn receipts_are_for_exactly_the_records_at_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("writes");
        path.display().to_string()
    };
    let key = SigningKey::from_bytes(&[5; 32]);
    let given = put("receipts.jsonl", receipts(&key, "k1").as_bytes());
    let keys = put("keys.json", jwks(&[(&key, "k1")]).as_bytes());
    let lines =
        |last: u64| -> Vec<u8> { (1..=last).flat_map(|seq| [record(0, 0, seq), vec![b'\n']].concat()).collect() };
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&lines(25)).expect("packs");
    let good = put(&format!("{}.0.ndjson.gz", OPERATORS[0]), &packed.finish().expect("packs"));
    let (code, text) = said(&["verify", "receipt", &given, "--keys", &keys, "--records", &good]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("2 receipts for 25 records"), "{text}");
    assert_eq!(said(&["verify", "receipt", &given, "--keys", &keys]).0, 0);

    let short = put(&format!("{}.0.ndjson", OPERATORS[0]), &lines(24));
    let (code, text) = said(&["verify", "receipt", &given, "--keys", &keys, "--records", &short]);
    assert!(code == 1 && text.contains("receipt 2"), "{text}");
    let mut changed = lines(25);
    // The last digit of the last record's id.
    let at = changed.len() - 4;
    changed[at] ^= 1;
    let changed = put(&format!("{}.0.ndjson", OPERATORS[0]), &changed);
    let (code, text) = said(&["verify", "receipt", &given, "--keys", &keys, "--records", &changed]);
    assert!(code == 1 && text.contains("receipt 2"), "{text}");
    // A set that holds the keys of before and after a rotation is good for the receipts of both.
    let next = SigningKey::from_bytes(&[7; 32]);
    let both = put("both.json", jwks(&[(&next, "k2"), (&key, "k1")]).as_bytes());
    let mixed = put("mixed.jsonl", (receipts(&key, "k1") + &receipts(&next, "k2")).as_bytes());
    let (code, text) = said(&["verify", "receipt", &mixed, "--keys", &both]);
    assert!(code == 0 && text.contains("4 receipts"), "{text}");
    let (code, text) = said(&["verify", "receipt", &mixed, "--keys", &keys]);
    assert!(code == 1 && text.contains("receipt 3"), "{text}");
    let stranger = put("stranger.json", jwks(&[(&SigningKey::from_bytes(&[6; 32]), "k1")]).as_bytes());
    let (code, text) = said(&["verify", "receipt", &given, "--keys", &stranger]);
    assert!(code == 1 && text.contains("receipt 1"), "{text}");
    let lie = put("lie.jsonl", receipts(&key, "k1").replace("\"count\":10", "\"count\":11").as_bytes());
    assert_eq!(said(&["verify", "receipt", &lie, "--keys", &keys]).0, 1);
}

#[test]
fn golden_receipts_are_told_apart() {
    let text = include_str!("../../../../contracts/vectors/receipts.json");
    let all: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("writes");
        path.display().to_string()
    };
    let keys = put("keys.json", &all["keys"].to_string());
    let records = |at: &serde_json::Value| {
        let of = &all["batches"][at.as_u64().expect("a number") as usize];
        let lines = of["records"].as_array().expect("records").iter().filter_map(serde_json::Value::as_str);
        let name = format!("{}.{}.ndjson", of["operator"].as_str().expect("an operator"), of["stream"]);
        put(&name, &lines.map(|line| format!("{line}\n")).collect::<String>())
    };
    for (kind, expected) in [("good", 0), ("bad", 1)] {
        for case in all[kind].as_array().expect("receipts") {
            let (receipt, records) = (put("receipt.json", &case["receipt"].to_string()), records(&case["batch"]));
            let (code, text) = said(&["verify", "receipt", &receipt, "--keys", &keys, "--records", &records]);
            assert_eq!(code, expected, "{}: {text}", case["name"]);
        }
    }
}

#[test]
fn a_signed_record_shows_its_sender_and_a_changed_one_does_not() {
    let text = include_str!("../../../../contracts/vectors/batch-signatures.json");
    let all: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key.json");
    fs::write(&key, all["keys"]["p256"]["jwk"].to_string()).expect("written");
    let path = folder.path().join("2.signed-record");
    let verdict = |file: &str| {
        fs::write(&path, file).expect("written");
        let (path, key) = (path.display().to_string(), key.display().to_string());
        said(&["verify", "signature", &path, "--key", &key])
    };
    let good = &all["signed_records"]["good"];
    let good = good.as_array().expect("a list").iter().find(|one| one["key"] == "p256").expect("one");
    let file = good["file"].as_str().expect("text");
    let (code, text) = verdict(file);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("is record 1 of 3 that key key-p256 signed"), "{text}");
    let (code, text) = verdict(&file.replace("created=1", "created=2"));
    assert_eq!((code, text.contains("does not verify")), (1, true), "{text}");
}
