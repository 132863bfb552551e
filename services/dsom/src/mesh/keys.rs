//! Development keys: the issuer of tokens, the signer of receipts, the signer of the log.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::OperatorId;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use super::Layout;
use crate::Failure;

/// `iss` of development tokens.
pub const TOKEN_ISSUER: &str = "https://issuer.dsom.localhost";
/// `aud` of development tokens.
pub const TOKEN_AUDIENCE: &str = "dsom";
/// `iss` of development receipts.
pub const RECEIPT_ISSUER: &str = "https://ingest.dsom.localhost";
/// Origin of the development log.
pub const LOG_ORIGIN: &str = "dsom.localhost/log";
/// How long a development token is good for, in seconds.
const TOKEN_S: u64 = 12 * 3600;

/// Makes the keys that are not there yet.
///
/// # Errors
/// A key could not be written or read.
pub fn ensure(layout: &Layout) -> Result<(), Failure> {
    for name in ["keys/issuer.pem", "keys/receipt.pem"] {
        let path = layout.path(name);
        if !path.exists() {
            let key = SigningKey::from_bytes(&rand::random());
            let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| Failure::bad("no key").because(&error))?;
            write_secret(&path, pem.as_bytes())?;
        }
    }
    let log = layout.path("keys/log.key");
    if !log.exists() {
        let signer = ledger::note::Signer::from_seed(LOG_ORIGIN, &rand::random())
            .map_err(|error| Failure::bad("no log key").because(&error))?;
        write_secret(&log, format!("{}\n", signer.to_secret_text()).as_bytes())?;
    }
    let jwks = layout.path("keys/issuer.jwks.json");
    let key = issuer(layout)?;
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    let set =
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid(&key), "x": x}]});
    fs::write(&jwks, format!("{set}\n")).map_err(|error| cannot("write", &jwks, &error))
}

/// The public key of the log, as tools read it.
///
/// # Errors
/// The key is not there or can't be read.
pub fn log_vkey(layout: &Layout) -> Result<String, Failure> {
    let path = layout.path("keys/log.key");
    let text = fs::read_to_string(&path).map_err(|error| cannot("read", &path, &error))?;
    let signer = ledger::note::Signer::parse(text.trim()).map_err(|error| cannot("read", &path, &error))?;
    Ok(signer.verifier().to_string())
}

/// A bearer token of the development issuer.
///
/// # Errors
/// The issuer's key is not there or can't be read.
pub fn token(layout: &Layout, operator: OperatorId, scopes: &str) -> Result<String, Failure> {
    let key = issuer(layout)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let claims = json!({
        "iss": TOKEN_ISSUER, "aud": TOKEN_AUDIENCE, "sub": operator, "scope": scopes,
        "iat": now, "nbf": now.saturating_sub(5), "exp": now + TOKEN_S, "jti": uuid::Uuid::new_v4(),
    });
    let header = Header { kid: Some(kid(&key)), typ: Some("at+jwt".into()), ..Header::new(Algorithm::EdDSA) };
    let der = key.to_pkcs8_der().map_err(|error| Failure::bad("the issuer's key").because(&error))?;
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(der.as_bytes()))
        .map_err(|error| Failure::bad("the token could not be signed").because(&error))
}

fn issuer(layout: &Layout) -> Result<SigningKey, Failure> {
    let path = layout.path("keys/issuer.pem");
    let pem = fs::read_to_string(&path).map_err(|error| {
        Failure::usage(format!("no keys in {}; make them with `dsom keys`", layout.root().display())).because(&error)
    })?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|error| cannot("read", &path, &error))
}

fn kid(key: &SigningKey) -> String {
    let public = key.verifying_key();
    URL_SAFE_NO_PAD.encode(public.as_bytes().first_chunk::<8>().copied().unwrap_or_default())
}

fn cannot(what: &str, path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::usage(format!("could not {what} {}", path.display())).because(error)
}

fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| cannot("write", path, &error))
}
