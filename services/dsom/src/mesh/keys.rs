//! Keys: the issuer of development tokens, the signer of receipts, the signer of the log.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Layout, logins};
use crate::Failure;

/// `iss` of tokens of development people.
pub const TOKEN_ISSUER: &str = "https://issuer.dsom.localhost";
/// `aud` of development tokens.
pub const TOKEN_AUDIENCE: &str = "dsom";
/// `aud` of development tokens of the sandbox.
pub const TEST_TOKEN_AUDIENCE: &str = "dsom-test";
/// The key that signs checkpoints.
pub const LOG: &str = "keys/log.key";
/// The key that signs checkpoints of the sandbox.
pub const SANDBOX_LOG: &str = "keys/sandbox-log.key";
/// The key that signs receipts of the sandbox.
pub const SANDBOX_RECEIPT: &str = "keys/sandbox-receipt.pem";
/// The key that signs certificates of development operators.
pub const CONFORMANCE: &str = "keys/conformance.pem";
/// `iss` of certificates by the development key.
pub const CONFORMANCE_ISSUER: &str = "https://conformance.dsom.localhost";
/// The list of checks in certificates of development operators: nothing was checked. By its name a production refuses it.
pub const UNCHECKED: &str = "dsom.localhost/unchecked";
/// `iss` of development receipts.
pub const RECEIPT_ISSUER: &str = "https://ingest.dsom.localhost";
/// Origin of the development log.
pub const LOG_ORIGIN: &str = "dsom.localhost/log";
/// `iss` of receipts of the development sandbox.
pub const SANDBOX_RECEIPT_ISSUER: &str = "https://sandbox.dsom.localhost";
/// Origin of the log of the development sandbox.
pub const SANDBOX_LOG_ORIGIN: &str = "dsom.localhost/sandbox-log";
/// Name of the development zone of blocked sites.
pub const RPZ_ORIGIN: &str = "rpz.dsom.localhost";
/// How long a development token is good for, in seconds.
const TOKEN_S: u64 = 12 * 3600;

/// In a folder of development keys. The services look for it: in production they refuse what lies beside it.
const DEVELOPMENT: &str = "keys/DEVELOPMENT";

/// Makes the development keys that are not there yet.
///
/// # Errors
/// A key could not be written or read.
pub fn ensure(layout: &Layout) -> Result<(), Failure> {
    let mark = layout.path(DEVELOPMENT);
    fs::write(&mark, "The keys here are for development: in production every service refuses them.\n")
        .map_err(|error| cannot("write", &mark, &error))?;
    ensure_pem(layout, "keys/issuer.pem")?;
    ensure_pem(layout, "keys/receipt.pem")?;
    ensure_pem(layout, "keys/token.pem")?;
    ensure_pem(layout, "keys/test-token.pem")?;
    ensure_pem(layout, CONFORMANCE)?;
    ensure_log(layout, LOG, LOG_ORIGIN)?;
    ensure_pem(layout, SANDBOX_RECEIPT)?;
    ensure_log(layout, SANDBOX_LOG, SANDBOX_LOG_ORIGIN)?;
    logins::ensure(layout)?;
    write_jwks(layout, "keys/issuer.jwks.json", &issuer(layout)?)?;
    write_jwks(layout, "keys/conformance.jwks.json", &read_pem(layout, CONFORMANCE)?)
}

fn write_jwks(layout: &Layout, name: &str, key: &SigningKey) -> Result<(), Failure> {
    let path = layout.path(name);
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    let set =
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid(key), "x": x}]});
    fs::write(&path, format!("{set}\n")).map_err(|error| cannot("write", &path, &error))
}

/// Makes the production keys that are not there yet.
///
/// # Errors
/// Development keys are there, the origin is none or not the one of the key that is there, or a key could not be written.
pub fn ensure_production(layout: &Layout, origin: &str) -> Result<(), Failure> {
    no_development(layout)?;
    ensure_pem(layout, "keys/receipt.pem")?;
    ensure_pem(layout, "keys/token.pem")?;
    ensure_pem(layout, "keys/test-token.pem")?;
    logins::ensure(layout)?;
    ensure_log(layout, LOG, origin)?;
    match log_signer(layout, LOG)?.verifier().name() == origin {
        true => Ok(()),
        false => Err(Failure::usage(format!("{} is the key of another log", layout.path("keys/log.key").display()))),
    }
}

/// Fails unless production keys are there, and says how to make them.
///
/// # Errors
/// They are not there, or are development keys.
pub fn require_production(layout: &Layout) -> Result<(), Failure> {
    no_development(layout)?;
    let own = ["keys/receipt.pem", "keys/token.pem", "keys/test-token.pem", "keys/log.key"].map(str::to_owned);
    match own.into_iter().chain(logins::files()).find(|key| !layout.path(key).exists()) {
        // Nothing is made: what is public of the brokers' keys is written for them.
        None => logins::ensure(layout),
        Some(missing) => Err(Failure::usage(format!(
            "DSOM_PRODUCTION is true and {} is not there: no development keys are made. Make your own with `dsom keys --production --data DIR --origin NAME`; with docker compose, name DIR/keys in DSOM_KEYS",
            layout.path(&missing).display()
        ))),
    }
}

fn no_development(layout: &Layout) -> Result<(), Failure> {
    let mark = layout.path(DEVELOPMENT);
    match mark.exists() {
        false => Ok(()),
        true => Err(Failure::usage(format!(
            "{} says that the keys beside it are for development; make your own in another folder with `dsom keys --production --data DIR --origin NAME`; with docker compose, name DIR/keys in DSOM_KEYS",
            mark.display()
        ))),
    }
}

/// Makes an Ed25519 key that is not there yet.
///
/// # Errors
/// It could not be written.
pub fn ensure_pem(layout: &Layout, name: &str) -> Result<(), Failure> {
    ensure_pem_at(&layout.path(name)).map(drop)
}

/// The Ed25519 key in a file, made when it is not there.
///
/// # Errors
/// It could not be written, or is none.
pub fn ensure_pem_at(path: &Path) -> Result<SigningKey, Failure> {
    if !path.exists() {
        // Without the public half, as RFC 8410 has it: readers of others do not take the longer form.
        let key = KeypairBytes { secret_key: rand::random(), public_key: None };
        let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| Failure::bad("no key").because(&error))?;
        write_secret(path, pem.as_bytes())?;
    }
    read_pem_at(path)
}

fn ensure_log(layout: &Layout, name: &str, origin: &str) -> Result<(), Failure> {
    let path = layout.path(name);
    if path.exists() {
        return Ok(());
    }
    let signer = ledger::note::Signer::from_seed(origin, &rand::random())
        .map_err(|error| Failure::usage(format!("{origin:?} can't be the name of a log")).because(&error))?;
    write_secret(&path, format!("{}\n", signer.to_secret_text()).as_bytes())
}

/// The public key of the log whose key this is, as tools read it.
///
/// # Errors
/// The key is not there or can't be read.
pub fn log_vkey(layout: &Layout, name: &str) -> Result<String, Failure> {
    Ok(log_signer(layout, name)?.verifier().to_string())
}

fn log_signer(layout: &Layout, name: &str) -> Result<ledger::note::Signer, Failure> {
    let path = layout.path(name);
    let text = fs::read_to_string(&path).map_err(|error| cannot("read", &path, &error))?;
    ledger::note::Signer::parse(text.trim()).map_err(|error| cannot("read", &path, &error))
}

/// A bearer token of a development person.
///
/// # Errors
/// The issuer's key is not there or can't be read.
pub fn person_token(layout: &Layout, sub: &str, roles: &[&str]) -> Result<String, Failure> {
    let key = issuer(layout)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let claims = json!({
        "iss": TOKEN_ISSUER, "aud": TOKEN_AUDIENCE, "sub": sub, "roles": roles,
        "iat": now, "nbf": now.saturating_sub(5), "exp": now + TOKEN_S, "jti": uuid::Uuid::new_v4(),
    });
    let header = Header { kid: Some(kid(&key)), typ: Some("at+jwt".into()), ..Header::new(Algorithm::EdDSA) };
    let der = key.to_pkcs8_der().map_err(|error| Failure::bad("the issuer's key").because(&error))?;
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(der.as_bytes()))
        .map_err(|error| Failure::bad("the token could not be signed").because(&error))
}

fn issuer(layout: &Layout) -> Result<SigningKey, Failure> {
    read_pem(layout, "keys/issuer.pem")
}

/// Reads an Ed25519 key.
///
/// # Errors
/// It is not there or can't be read.
pub fn read_pem(layout: &Layout, name: &str) -> Result<SigningKey, Failure> {
    let path = layout.path(name);
    if !path.exists() {
        let root = layout.root().display();
        return Err(Failure::usage(format!("no keys in {root}; make them with `dsom keys`")));
    }
    read_pem_at(&path)
}

fn read_pem_at(path: &Path) -> Result<SigningKey, Failure> {
    let pem = fs::read_to_string(path).map_err(|error| cannot("read", path, &error))?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|error| cannot("read", path, &error))
}

/// The thumbprint of RFC 7638.
pub fn kid(key: &SigningKey) -> String {
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

pub(super) fn cannot(what: &str, path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::usage(format!("could not {what} {}", path.display())).because(error)
}

pub(super) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| cannot("write", path, &error))
}
