//! Development keys and tokens.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::said;

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(path).expect("reads")))
        .collect()
}

#[test]
fn keys_are_made_once_and_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().display().to_string();
    let (code, vkey) = said(&["keys", "--data", &dir]);
    assert_eq!(code, 0, "{vkey}");
    assert!(ledger::note::Verifier::parse(vkey.trim()).is_ok(), "{vkey}");
    let keys = folder.path().join("keys");
    for secret in ["issuer.pem", "receipt.pem", "log.key"] {
        let mode = fs::metadata(keys.join(secret)).expect(secret).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let before = files(&keys);
    assert_eq!(said(&["keys", "--data", &dir]), (0, vkey));
    assert_eq!(files(&keys), before);
}

#[test]
fn a_persons_token_says_who_and_as_what_and_verifies_with_the_jwks() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().display().to_string();
    said(&["keys", "--data", &dir]);
    let (code, token) =
        said(&["token", "--data", &dir, "--person", "clerk-1", "--role", "clerk", "--role", "inspector"]);
    assert_eq!(code, 0, "{token}");
    let jwks = fs::read(folder.path().join("keys/issuer.jwks.json")).expect("the JWK Set");
    let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&jwks).expect("a JWK Set");
    let kid = jsonwebtoken::decode_header(token.trim()).expect("a header").kid.expect("a kid");
    let key = DecodingKey::from_jwk(jwks.find(&kid).expect("the key")).expect("a key");
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_audience(&["dsom"]);
    let claims = jsonwebtoken::decode::<Value>(token.trim(), &key, &rules).expect("verifies").claims;
    assert_eq!(claims["sub"], "clerk-1");
    assert_eq!(claims["roles"], serde_json::json!(["clerk", "inspector"]));
}
