//! Certificates of the published checks: JWSs by a key the regulator has named.

use std::path::Path;

use contracts::{OperatorId, UnixMillis};
use serde::Deserialize;

use crate::domain::operator::certificate::CertificateClaims;
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

/// The keys that certificates are signed with, by their thumbprints, and the lists of checks that count.
#[derive(Debug, Default)]
pub struct CertificateKeys {
    keys: Vec<(String, VerifyingKey)>,
    checklists: Vec<String>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

impl CertificateKeys {
    /// Reads a JWK Set; without one no certificate is taken. `checklists`: the names of the lists of checks that count.
    ///
    /// # Errors
    /// [`BadCertificateKeys`]
    pub fn load(file: Option<&Path>, checklists: Vec<String>) -> Result<Self, BadCertificateKeys> {
        let Some(file) = file else { return Ok(Self::default()) };
        let path = file.display().to_string();
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(source) => return Err(BadCertificateKeys::Read { path, source }),
        };
        let keys = Self::parse(&text).map_err(|reason| BadCertificateKeys::Parse { path, reason })?;
        Ok(Self { keys, checklists })
    }

    fn parse(text: &[u8]) -> Result<Vec<(String, VerifyingKey)>, String> {
        let set: Set = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let read = |mut jwk: serde_json::Map<String, serde_json::Value>| {
            jwk.retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
            let jwk: PublicJwk = serde_json::from_value(jwk.into()).map_err(|error| error.to_string())?;
            Ok((jwk.thumbprint(), jwk.open().map_err(|error| error.to_string())?))
        };
        set.keys.into_iter().map(read).collect()
    }

    /// Checks that a certificate is signed by one of the keys and says that this operator has passed a list of checks that counts.
    ///
    /// # Errors
    /// [`BadKey`]
    pub fn check(&self, certificate: &str, operator: OperatorId, now: UnixMillis) -> Result<(), BadKey> {
        let jws = Jws::parse(certificate)?;
        if jws.typ().as_deref() != Some(CERTIFICATE_TYP) {
            return Err(BadKey::Header("typ"));
        }
        let key = self.keys.iter().find(|(kid, _)| Some(kid.as_str()) == jws.kid()).ok_or(BadKey::Header("kid"))?;
        let claims: CertificateClaims = jws.verify(&key.1)?;
        claims.check(operator, &self.checklists, now)
    }
}
