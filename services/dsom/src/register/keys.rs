//! Keys of operators: made here and kept beside the mesh in development, read from a file otherwise.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::OperatorId;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, SecretDocument};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Failure;
use crate::mesh::{Layout, keys};

/// A private key with its JWK and the thumbprint that names it.
pub(super) struct OperatorKey {
    key: Private,
    pub(super) jwk: Value,
    pub(super) kid: String,
}

/// Of one of the two kinds that the register takes.
enum Private {
    Ed25519(SigningKey),
    P256(p256::ecdsa::SigningKey, SecretDocument),
}

impl OperatorKey {
    /// The key of a development operator for one of the worlds, made when it is not there.
    pub(super) fn ensure(layout: &Layout, operator: OperatorId, env: &str) -> Result<Self, Failure> {
        let name = format!("keys/operators/{operator}.{env}.pem");
        let folder = layout.path("keys/operators");
        std::fs::create_dir_all(&folder)
            .map_err(|error| Failure::usage(format!("could not make {}", folder.display())).because(&error))?;
        keys::ensure_pem(layout, &name)?;
        Ok(Self::new(keys::read_pem(layout, &name)?))
    }

    /// The key in a file of its own: an Ed25519 key is made when it is not there.
    pub(super) fn at(pem: &Path) -> Result<Self, Failure> {
        match pem.exists() {
            true => Self::existing(pem),
            false => keys::ensure_pem_at(pem).map(Self::new),
        }
    }

    /// The key in a file, Ed25519 or P-256.
    pub(super) fn existing(pem: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(pem)
            .map_err(|error| Failure::usage(format!("could not read {}", pem.display())).because(&error))?;
        // Each reader refuses the other's algorithm by its object identifier.
        if let Ok(key) = SigningKey::from_pkcs8_pem(&text) {
            return Ok(Self::new(key));
        }
        let document = SecretDocument::from_pem(&text).ok().map(|(_, document)| document);
        let read = document.and_then(|document| {
            let key = p256::ecdsa::SigningKey::from_pkcs8_der(document.as_bytes()).ok()?;
            Self::p256(key, document)
        });
        read.ok_or_else(|| {
            Failure::usage(format!(
                "{} is neither an Ed25519 nor a P-256 private key in PKCS#8 PEM without a password: openssl pkcs8 -topk8 -nocrypt -in FILE writes one of another form so",
                pem.display()
            ))
        })
    }

    pub(super) fn new(key: SigningKey) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        let kid = keys::kid(&key);
        Self { jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": x}), kid, key: Private::Ed25519(key) }
    }

    fn p256(key: p256::ecdsa::SigningKey, document: SecretDocument) -> Option<Self> {
        let point = key.verifying_key().to_sec1_point(false);
        let (x, y) = (URL_SAFE_NO_PAD.encode(point.x()?), URL_SAFE_NO_PAD.encode(point.y()?));
        // The members in order, without white space (RFC 7638 section 3).
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(text));
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
        Some(Self { jwk, kid, key: Private::P256(key, document) })
    }

    /// PKCS#8 DER.
    pub(super) fn der(&self) -> Result<Vec<u8>, Failure> {
        match &self.key {
            Private::Ed25519(key) => {
                let der = key.to_pkcs8_der().map_err(|error| Failure::bad("an operator's key").because(&error))?;
                Ok(der.as_bytes().to_vec())
            }
            Private::P256(_, document) => Ok(document.as_bytes().to_vec()),
        }
    }

    /// A compact JWS.
    pub(super) fn jws(&self, typ: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let alg = match &self.key {
            Private::Ed25519(_) => "EdDSA",
            Private::P256(..) => "ES256",
        };
        let header = json!({"alg": alg, "typ": typ, "kid": self.kid});
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature: [u8; 64] = match &self.key {
            Private::Ed25519(key) => key.sign(signed.as_bytes()).to_bytes(),
            Private::P256(key, _) => {
                let signature: p256::ecdsa::Signature = key.sign(signed.as_bytes());
                signature.to_bytes().into()
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    use super::*;

    /// Both kinds, from contracts/vectors; the thumbprints by Python: base64url(sha256(json)) of RFC 7638.
    #[test]
    fn a_key_of_either_kind_is_named_and_signs_as_its_kind_does() {
        let vectors = include_str!("../../../../contracts/vectors/batch-signatures.json");
        let vectors: Value = serde_json::from_str(vectors).expect("JSON");
        let folder = tempfile::tempdir().expect("a folder");
        let pem = folder.path().join("key.pem");
        for (name, kid, algorithm) in [
            ("ed25519", "anJkZi1GE_xKGmC8Ber5BOotuDgtrckVaXytiJf8sXo", Algorithm::EdDSA),
            ("p256", "MwSlR31555RRs7MA8mB8BsV8sCEot8yYpdodKGctLj4", Algorithm::ES256),
        ] {
            let vector = &vectors["keys"][name];
            let body = vector["pkcs8"].as_str().expect("a key");
            std::fs::write(
                &pem,
                format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", wrapped(body)),
            )
            .expect("writes");
            let key = OperatorKey::at(&pem).expect("a key");
            assert_eq!((&key.jwk, key.kid.as_str()), (&vector["jwk"], kid));
            let jws = key.jws("t+jwt", &json!({"sub": "a", "exp": 4_000_000_000_u64}));
            let public = DecodingKey::from_jwk(&serde_json::from_value(key.jwk.clone()).expect("a JWK"));
            let read = jsonwebtoken::decode::<Value>(&jws, &public.expect("a public key"), &Validation::new(algorithm));
            assert_eq!(read.expect("verifies").claims["sub"], "a");
            let same = client::BatchKey::from_pkcs8_der(&key.kid, &key.der().expect("DER"));
            assert!(same.is_ok(), "the SDK reads it");
        }
    }

    #[test]
    fn a_key_of_another_kind_or_form_is_named_with_what_to_do() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../../contracts/vectors/batch-signatures.json")).expect("JSON");
        let folder = tempfile::tempdir().expect("a folder");
        let pem = folder.path().join("key.pem");
        let others = vectors["bad_pkcs8"].as_array().expect("keys");
        assert!(others.len() >= 2);
        for other in others {
            let body = wrapped(other["pkcs8"].as_str().expect("a key"));
            std::fs::write(&pem, format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
                .expect("writes");
            let failure = OperatorKey::at(&pem).err().expect("it is refused");
            assert!(
                failure.exit == crate::Exit::Usage && failure.text.contains("openssl pkcs8 -topk8"),
                "{}",
                failure.text
            );
        }
    }

    /// Lines of 64 characters (RFC 7468 section 2).
    fn wrapped(base64: &str) -> String {
        let lines: Vec<&str> =
            base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        lines.join("\n")
    }
}
