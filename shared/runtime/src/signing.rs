//! Keys a service signs with: Ed25519 from a PEM file, named by their RFC 7638 thumbprint, and compact JWSs made with them.

use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde_json::{Value, json};

/// What stands before the 32 bytes of a public Ed25519 key (RFC 8410 section 4).
const SPKI_ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why nothing can be signed, or a key can't be published.
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
    /// It holds no Ed25519 key in PKCS#8 PEM, nor, where that is enough, the public half of one.
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
    public: PublicKey,
}

/// The public half of a key: what is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    x: String,
    kid: String,
}

impl SigningKey {
    /// Reads a key from a PKCS#8 PEM file.
    ///
    /// # Errors
    /// [`BadSigningKey`]
    pub fn load(file: &Path) -> Result<Self, BadSigningKey> {
        Self::parse(&read(file)?).map_err(|reason| BadSigningKey::Parse { path: file.display().to_string(), reason })
    }

    fn parse(pem: &[u8]) -> Result<Self, String> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        // A key that was written without its public half (RFC 8410) is as good.
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        key.map(Self::new).map_err(|error| error.to_string())
    }

    /// Takes a key.
    pub fn new(key: Ed25519KeyPair) -> Self {
        Self { public: PublicKey::new(key.public_key().as_ref()), key }
    }

    /// Its id: the RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The public key as a JWK (RFC 8037).
    pub fn jwk(&self) -> Value {
        self.public.jwk()
    }

    /// The header of a JWS of a type, encoded, with its dot.
    pub fn header(&self, typ: &str) -> String {
        let header = format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{}"}}"#, self.kid());
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

impl PublicKey {
    /// Reads it from a PEM file: of the public key alone (RFC 8410), or of the key that signs (PKCS#8).
    ///
    /// # Errors
    /// [`BadSigningKey`]
    pub fn load(file: &Path) -> Result<Self, BadSigningKey> {
        let pem = read(file)?;
        let key = match SubjectPublicKeyInfoDer::from_pem_slice(&pem) {
            Ok(der) => match der.strip_prefix(SPKI_ED25519) {
                Some(key) if key.len() == 32 => Ok(Self::new(key)),
                _ => Err("the public key in it is of another kind".to_owned()),
            },
            Err(_) => SigningKey::parse(&pem).map(|key| key.public),
        };
        key.map_err(|reason| BadSigningKey::Parse { path: file.display().to_string(), reason })
    }

    fn new(key: &[u8]) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key);
        // RFC 7638: the members a key of this kind must have, in order, hashed.
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, members.as_bytes());
        Self { x, kid: URL_SAFE_NO_PAD.encode(digest) }
    }

    /// Its id: the RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// As a JWK (RFC 8037).
    pub fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": self.x})
    }
}

fn read(file: &Path) -> Result<Vec<u8>, BadSigningKey> {
    std::fs::read(file).map_err(|source| BadSigningKey::Read { path: file.display().to_string(), source })
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
        for load in [&missing, &bad] {
            assert!(PublicKey::load(load).is_err());
        }
    }

    #[test]
    fn a_public_key_is_read_from_either_half() {
        // RFC 8410, sections 10.1 and 10.3: one key.
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        // The same bytes said to be of X25519.
        let other = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let dir = tempfile::tempdir().expect("a directory");
        let load = |pem: &str| {
            let path = dir.path().join("key.pem");
            std::fs::write(&path, pem).expect("writes");
            PublicKey::load(&path)
        };
        let key = load(public).expect("a public key");
        assert_eq!(key.jwk()["x"], "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
        assert_eq!(load(private).expect("a key"), key);
        assert!(matches!(load(other), Err(BadSigningKey::Parse { .. })));
    }
}
