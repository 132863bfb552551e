//! Keys of development operators: made here, kept beside the mesh.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::OperatorId;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use crate::Failure;
use crate::mesh::{Layout, keys};

/// An Ed25519 key with its JWK and the thumbprint that names it.
pub(super) struct OperatorKey {
    key: SigningKey,
    pub(super) jwk: Value,
    pub(super) kid: String,
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

    /// The key in a file of its own, made when it is not there.
    pub(super) fn at(pem: &std::path::Path) -> Result<Self, Failure> {
        Ok(Self::new(keys::ensure_pem_at(pem)?))
    }

    /// The key in a file.
    pub(super) fn existing(pem: &std::path::Path) -> Result<Self, Failure> {
        keys::read_pem_at(pem).map(Self::new)
    }

    pub(super) fn new(key: SigningKey) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        let kid = keys::kid(&key);
        Self { jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": x}), kid, key }
    }

    /// PKCS#8 DER.
    pub(super) fn der(&self) -> Result<Vec<u8>, Failure> {
        let der = self.key.to_pkcs8_der().map_err(|error| Failure::bad("an operator's key").because(&error))?;
        Ok(der.as_bytes().to_vec())
    }

    /// A compact JWS.
    pub(super) fn jws(&self, typ: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "EdDSA", "typ": typ, "kid": self.kid});
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.key.sign(signed.as_bytes()).to_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
