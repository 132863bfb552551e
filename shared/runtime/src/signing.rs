//! Keys a service signs with: Ed25519 from a PEM file, named by their RFC 7638 thumbprint, and compact JWSs made with them.

use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum BadSigningKey {
    /// The file can't be read.
    #[error("the key {path} cannot be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It holds no Ed25519 key in PKCS#8 PEM.
    #[error("the key {path} is no Ed25519 key in PKCS#8 PEM: {reason}")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// Signs with one Ed25519 key.
pub struct SigningKey {
    key: Ed25519KeyPair,
    kid: String,
}

impl SigningKey {
    /// Reads a key from a PKCS#8 PEM file.
    ///
    /// # Errors
    /// [`BadSigningKey`]
    pub fn load(file: &Path) -> Result<Self, BadSigningKey> {
        let path = file.display().to_string();
        let pem = match std::fs::read(file) {
            Ok(pem) => pem,
            Err(source) => return Err(BadSigningKey::Read { path, source }),
        };
        let der = match PrivatePkcs8KeyDer::from_pem_slice(&pem) {
            Ok(der) => der,
            Err(error) => return Err(BadSigningKey::Parse { path, reason: error.to_string() }),
        };
        // A key that was written without its public half (RFC 8410) is as good.
        match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()) {
            Ok(key) => Ok(Self::new(key)),
            Err(error) => Err(BadSigningKey::Parse { path, reason: error.to_string() }),
        }
    }

    /// Takes a key.
    pub fn new(key: Ed25519KeyPair) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.public_key());
        // RFC 7638: the members a key of this kind must have, in order, hashed.
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, members.as_bytes());
        Self { key, kid: URL_SAFE_NO_PAD.encode(digest) }
    }

    /// Its id: the RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as a JWK (RFC 8037).
    pub fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x})
    }

    /// The header of a JWS of a type, encoded, with its dot.
    pub fn header(&self, typ: &str) -> String {
        let header = format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{}"}}"#, self.kid);
        URL_SAFE_NO_PAD.encode(header) + "."
    }

    /// A compact JWS over a payload; `header` is one of [`SigningKey::header`].
    pub fn jws(&self, header: &str, payload: &[u8]) -> String {
        let mut jws = String::with_capacity(header.len() + payload.len() * 4 / 3 + 96);
        jws.push_str(header);
        URL_SAFE_NO_PAD.encode_string(payload, &mut jws);
        let signature = self.key.sign(jws.as_bytes());
        jws.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jws);
        jws
    }

    /// The signature of a message: 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kid_is_the_thumbprint_of_rfc_8037() {
        // RFC 8037 appendix A.1 and A.3.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("base64url");
        let key = SigningKey::new(Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key"));
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.jwk()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    }

    #[test]
    fn keys_that_are_none_are_refused_with_their_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = dir.path().join("missing.pem");
        assert!(matches!(SigningKey::load(&missing), Err(BadSigningKey::Read { .. })));
        let bad = dir.path().join("bad.pem");
        std::fs::write(&bad, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").expect("writes");
        assert!(matches!(SigningKey::load(&bad), Err(BadSigningKey::Parse { .. })));
    }
}
