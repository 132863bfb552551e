//! Batch signatures against the vectors of `contracts/vectors/make_signatures.py`, which shares no code with us.

use std::collections::HashSet;
use std::process::Command;

use contracts::Hash;
use ledger::batch_signature::{BatchSignature, Covered, SigningKey, StoredSignature, VerifyingKey, signature_base};
use ledger::{BadSignedRecord, SIGNED_RECORD_BYTES_MAX, SignedRecord, leaf_hash, root};
use proptest::prelude::*;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../contracts/vectors/batch-signatures.json")).expect("JSON")
}

fn list<'a>(of: &'a Value, name: &str) -> &'a Vec<Value> {
    of[name].as_array().expect("a list")
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_else(|| panic!("{name} of {of}"))
}

fn hash(of: &Value) -> Hash {
    text(of, "root").parse().expect("a hash")
}

fn jwk(of: &Value) -> Result<VerifyingKey, ledger::batch_signature::BadKey> {
    VerifyingKey::from_jwk(text(of, "kty"), text(of, "crv"), text(of, "x"), of["y"].as_str())
}

fn pkcs8(of: &Value) -> Result<SigningKey, ledger::batch_signature::BadKey> {
    use base64::Engine as _;
    let der = base64::engine::general_purpose::STANDARD.decode(text(of, "pkcs8")).expect("base64");
    SigningKey::from_pkcs8_der(&der)
}

/// The key that a vector names.
fn key<'a>(all: &'a Value, one: &Value) -> &'a Value {
    &all["keys"][text(one, "key")]
}

#[test]
fn good_signatures_are_read_verified_and_made_again() {
    let all = vectors();
    let leaves: Vec<Hash> =
        list(&all, "records").iter().map(|r| leaf_hash(r.as_str().expect("text").as_bytes())).collect();
    assert_eq!(root(&leaves), hash(&all));
    for one in list(&all, "good") {
        let (input, sent) = (text(one, "signature_input"), text(one, "signature"));
        let signature = BatchSignature::parse(input, sent).expect("good");
        assert_eq!((signature.signature_input().as_str(), signature.signature().as_str()), (input, sent));
        assert_eq!(Some(signature.created_s()), one["created_s"].as_i64());
        assert_eq!((signature.keyid().as_str(), signature.alg().as_str()), (text(one, "keyid"), text(one, "alg")));

        let covered = Covered::new(text(one, "path"), text(one, "content_type"), hash(one)).expect("can be signed");
        assert_eq!(signature_base(&covered, signature.parameters()), text(one, "base"));
        let public = jwk(&key(&all, one)["jwk"]).expect("a key");
        assert_eq!(signature.verify(&public, &covered), Ok(()), "{one}");

        let private = pkcs8(key(&all, one)).expect("a key");
        assert_eq!(private.verifying_key(), public);
        let ours = private.sign(&covered, signature.created_s(), signature.keyid()).expect("signed");
        assert_eq!(ours.verify(&public, &covered), Ok(()));
        assert_eq!(ours == signature, one["ours"] == true, "{one}");

        let stored = StoredSignature::new(&covered, signature.clone());
        assert_eq!(stored.to_text(), text(one, "stored"));
        let read = StoredSignature::from_text(text(one, "stored")).expect("good");
        assert_eq!(read, stored);
        assert_eq!((read.path(), read.content_type()), (covered.path(), covered.content_type()));
        assert_eq!(read.verify(&public, root(&leaves)), Ok(()));
        assert_eq!(read.verify(&public, Hash::ZERO).expect_err("another root").code(), "mismatch");
    }
}

#[test]
fn a_signed_record_is_read_and_shown_and_every_bad_one_refused() {
    let all = vectors();
    let verdict = |one: &Value| {
        let file = SignedRecord::parse(text(one, "file").as_bytes()).map_err(BadSignedRecord::Form)?;
        assert_eq!(file.to_bytes(), text(one, "file").as_bytes());
        file.verify(&jwk(&key(&all, one)["jwk"]).expect("a key")).map(|kept| (file, kept))
    };
    let (good, bad) = (list(&all["signed_records"], "good"), list(&all["signed_records"], "bad"));
    assert_eq!((good.len(), bad.len()), (6, 17));
    for one in good {
        let (file, kept) = verdict(one).expect("good");
        let at = one["seq"].as_u64().expect("a seq") as usize - 1;
        assert_eq!(file.record, all["records"][at].as_str().expect("text").as_bytes());
        assert_eq!(kept.signature().keyid().as_str(), format!("key-{}", text(one, "key")));
    }
    for one in bad {
        assert_eq!(verdict(one).expect_err(text(one, "name")).reason(), text(one, "refused"), "{}", one["name"]);
    }
    let mut long = text(&good[0], "file").to_owned();
    long.push_str(&"x".repeat(SIGNED_RECORD_BYTES_MAX));
    assert!(SignedRecord::parse(long.as_bytes()).is_err());
}

#[test]
fn bad_ones_are_refused_with_the_reason_told() {
    let all = vectors();
    let mut reasons = HashSet::new();
    for one in list(&all, "bad") {
        let public = jwk(&key(&all, one)["jwk"]).expect("a key");
        let refused = Covered::new(text(one, "path"), text(one, "content_type"), hash(one))
            .and_then(|covered| {
                let signature = BatchSignature::parse(text(one, "signature_input"), text(one, "signature"))?;
                signature.verify(&public, &covered)
            })
            .expect_err(text(one, "name"));
        assert_eq!(refused.code(), text(one, "refused"), "{}: {refused}", text(one, "name"));
        assert!(refused.to_string().len() < 400, "{refused}");
        reasons.insert(refused.code());
    }
    for one in list(&all, "bad_stored") {
        let refused = StoredSignature::from_text(text(one, "text")).expect_err(text(one, "name"));
        assert_eq!(refused.code(), text(one, "refused"), "{}: {refused}", text(one, "name"));
        reasons.insert(refused.code());
    }
    // Every variant of `BadSignature` has met its vector.
    assert_eq!(reasons.len(), 17, "{reasons:?}");
}

#[test]
fn bad_keys_are_refused_with_the_reason_told() {
    let all = vectors();
    for one in list(&all, "bad_keys") {
        let refused = jwk(&one["jwk"]).expect_err(text(one, "name"));
        assert_eq!(refused.code(), text(one, "refused"), "{}: {refused}", text(one, "name"));
    }
    for one in list(&all, "bad_pkcs8") {
        let refused = pkcs8(one).expect_err(text(one, "name"));
        assert_eq!(refused.code(), text(one, "refused"), "{}: {refused}", text(one, "name"));
    }
}

#[test]
fn nothing_is_signed_before_1970_or_after_9999() {
    let all = vectors();
    let private = pkcs8(&all["keys"]["ed25519"]).expect("a key");
    let covered = Covered::new("/", "application/json", hash(&all)).expect("can be signed");
    for created_s in [-1, 253_402_300_800, i64::MIN, i64::MAX] {
        let refused = private.sign(&covered, created_s, &"k".parse().expect("a key id")).expect_err("out of range");
        assert_eq!(refused.code(), "created");
    }
}

#[test]
fn a_private_key_is_not_shown() {
    let all = vectors();
    for name in ["ed25519", "p256"] {
        let private = pkcs8(&all["keys"][name]).expect("a key");
        assert_eq!(format!("{private:?}"), format!("SigningKey({:?})", private.verifying_key()));
    }
}

#[test]
fn the_vectors_are_what_their_script_makes() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/vectors/make_signatures.py");
    let made = Command::new("python3").args(["-B", script, "--check"]).output().expect("python3");
    let said = String::from_utf8_lossy(&made.stderr);
    if made.status.code() == Some(2) {
        eprintln!("SKIPPED: nobody checked that make_signatures.py still makes the vectors: {said}");
        return;
    }
    assert!(made.status.success(), "{said}");
}

#[test]
fn the_page_for_operators_shows_the_first_vector_and_its_script_checks() {
    let page = include_str!("../../../../docs/SIGNATURES.md");
    let all = vectors();
    let first = &list(&all, "good")[0];
    for part in ["root", "signature_input", "signature", "base", "stored"] {
        assert!(page.contains(text(first, part)), "{part}");
    }
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: openssl is not there, so nobody tried the script of docs/SIGNATURES.md");
        return;
    }
    let script = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a script");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let records: Vec<&str> = list(&all, "records").iter().map(|r| r.as_str().expect("text")).collect();
    // Both algorithms, both content types; each run starts two programs.
    for one in list(&all, "good").iter().take(4) {
        std::fs::write(path("stored"), text(one, "stored")).expect("written");
        std::fs::write(path("key"), key(&all, one)["jwk"].to_string()).expect("written");
        for (count, good) in [(3, true), (2, false)] {
            std::fs::write(path("records"), records[..count].join("\n") + "\n").expect("written");
            let mut command = Command::new("python3");
            let ran = command.args(["-c", script]).args([path("stored"), path("key"), path("records")]).output();
            assert_eq!(ran.expect("python3").status.success(), good, "{count} records: {one}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(at in any::<prop::sample::Index>(), with in ".{0,3}", header in any::<bool>()) {
        let all = vectors();
        let one = &all["good"][0];
        let (mut input, mut signature) = (text(one, "signature_input").to_owned(), text(one, "signature").to_owned());
        let changed = if header { &mut input } else { &mut signature };
        let at = at.index(changed.len());
        changed.replace_range(at..=at, &with);
        if let Ok(read) = BatchSignature::parse(&input, &signature) {
            prop_assert_eq!((read.signature_input(), read.signature()), (input, signature));
        }
    }

    #[test]
    fn what_is_stored_is_written_the_same(at in any::<prop::sample::Index>(), with in ".{0,3}", lf in any::<bool>()) {
        let all = vectors();
        let one = &all["good"][1];
        let mut stored = text(one, "stored").to_owned();
        let at = at.index(stored.len());
        stored.replace_range(at..=at, if lf { "\n" } else { &with });
        if let Ok(read) = StoredSignature::from_text(&stored) {
            prop_assert_eq!(read.to_text(), stored.clone());
            let public = jwk(&key(&all, one)["jwk"]).expect("a key");
            prop_assert_eq!(read.verify(&public, hash(one)).is_ok(), stored == text(one, "stored"));
        }
    }

    #[test]
    fn any_texts_are_read_without_a_panic(input in ".{0,80}", signature in ".{0,80}", stored in "(.|\n){0,80}") {
        prop_assert!(BatchSignature::parse(&input, &signature).is_err());
        let (input, signature) = (format!("dsom={input}"), format!("dsom=:{signature}"));
        prop_assert!(BatchSignature::parse(&input, &signature).is_err());
        prop_assert!(StoredSignature::from_text(&stored).is_err());
    }
}
