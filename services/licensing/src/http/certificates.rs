//! Certificates of the published checks: JWSs by a key the regulator has named.

use std::path::Path;

use contracts::OperatorId;
use serde::Deserialize;

use crate::domain::operator::keys::{BadKey, Jws, PublicJwk, VerifyingKey};

/// `typ` of a certificate.
pub const CERTIFICATE_TYP: &str = "dsom-conformance+jwt";

/// Why certificates can't be checked.
#[derive(Debug, thiserror::Error)]
pub enum BadCertificateKeys {
    /// The file can't be read.
    #[error("the keys of certificates cannot be read from {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no JWK Set of keys of our kinds.
    #[error("{path} is no JWK Set of Ed25519 or P-256 keys: {reason}")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// The keys that certificates are signed with, by their thumbprints.
#[derive(Debug, Default)]
pub struct CertificateKeys(Vec<(String, VerifyingKey)>);

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    result: String,
}

impl CertificateKeys {
    /// Reads a JWK Set; without one no certificate is taken.
    ///
    /// # Errors
    /// [`BadCertificateKeys`]
    pub fn load(file: Option<&Path>) -> Result<Self, BadCertificateKeys> {
        let Some(file) = file else { return Ok(Self::default()) };
        let path = file.display().to_string();
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(source) => return Err(BadCertificateKeys::Read { path, source }),
        };
        Self::parse(&text).map_err(|reason| BadCertificateKeys::Parse { path, reason })
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let read = |mut jwk: serde_json::Map<String, serde_json::Value>| {
            jwk.retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
            let jwk: PublicJwk = serde_json::from_value(jwk.into()).map_err(|error| error.to_string())?;
            Ok((jwk.thumbprint(), jwk.open().map_err(|error| error.to_string())?))
        };
        set.keys.into_iter().map(read).collect::<Result<_, String>>().map(Self)
    }

    /// Checks that a certificate is signed by one of the keys and says that this operator has passed.
    ///
    /// # Errors
    /// [`BadKey`]
    pub fn check(&self, certificate: &str, operator: OperatorId) -> Result<(), BadKey> {
        let jws = Jws::parse(certificate)?;
        if jws.typ().as_deref() != Some(CERTIFICATE_TYP) {
            return Err(BadKey::Header("typ"));
        }
        let key = self.0.iter().find(|(kid, _)| Some(kid.as_str()) == jws.kid()).ok_or(BadKey::Header("kid"))?;
        let claims: Claims = jws.verify(&key.1)?;
        match claims {
            Claims { sub, .. } if sub != operator.to_string() => Err(BadKey::Claim("sub")),
            Claims { result, .. } if result != "passed" => Err(BadKey::Claim("result")),
            _ => Ok(()),
        }
    }
}
