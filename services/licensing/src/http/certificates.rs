//! Certificates of the published checks: JWSs by a key the regulator has named.

use std::path::Path;

use contracts::conformance::CERTIFICATE_TYP;
use contracts::{OperatorId, UnixMillis};
use serde::Deserialize;

use crate::domain::operator::certificate::{Accepted, BadCertificate, Claims};
use crate::domain::operator::keys::{BadKey, Jws, PublicJwk, VerifyingKey};

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

/// The keys that certificates are signed with, by their thumbprints, and whose certificates of which lists of checks count.
#[derive(Debug, Default)]
pub struct CertificateKeys {
    keys: Vec<(String, VerifyingKey)>,
    accepted: Accepted,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

impl CertificateKeys {
    /// Reads a JWK Set; without one no certificate is taken.
    ///
    /// # Errors
    /// [`BadCertificateKeys`]
    pub fn load(file: Option<&Path>, accepted: Accepted) -> Result<Self, BadCertificateKeys> {
        let Some(file) = file else { return Ok(Self::default()) };
        let path = file.display().to_string();
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(source) => return Err(BadCertificateKeys::Read { path, source }),
        };
        let keys = Self::parse(&text).map_err(|reason| BadCertificateKeys::Parse { path, reason })?;
        Ok(Self { keys, accepted })
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
    /// [`BadCertificate`]
    pub fn check(&self, certificate: &str, operator: OperatorId, now: UnixMillis) -> Result<(), BadCertificate> {
        let jws = Jws::parse(certificate)?;
        if jws.typ().as_deref() != Some(CERTIFICATE_TYP) {
            return Err(BadKey::Header("typ").into());
        }
        let key = self.keys.iter().find(|(kid, _)| Some(kid.as_str()) == jws.kid()).ok_or(BadKey::Header("kid"))?;
        let claims: Claims = jws.verify(&key.1)?;
        self.accepted.check(&claims, operator, now)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::Value;

    use super::*;

    /// What `contracts/vectors/make_certificates.py` makes, which shares no code with us.
    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../../contracts/vectors/certificates.json")).expect("JSON")
    }

    fn texts(all: &Value, name: &str) -> Vec<String> {
        serde_json::from_value(all[name].clone()).expect("texts")
    }

    #[test]
    fn a_certificate_is_filed_for_all_that_it_says_or_refused_for_what_it_does_not_say() {
        let all = vectors();
        let accepted = Accepted { issuers: texts(&all, "issuers"), checklists: texts(&all, "checklists") };
        let keys = CertificateKeys::parse(all["jwks"].to_string().as_bytes()).expect("keys");
        let keys = CertificateKeys { keys, accepted };
        let operator: OperatorId = all["operator"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let now = UnixMillis(all["now"].as_i64().expect("a time") * 1_000);
        let cases = |name: &str| all[name].as_array().expect("a list").clone();
        let check = |case: &Value| keys.check(case["certificate"].as_str().expect("text"), operator, now);
        assert_eq!((cases("good").len(), cases("bad").len()), (6, 57), "none was left out");
        for case in cases("good") {
            assert_eq!(check(&case), Ok(()), "{}", case["what"]);
        }
        for case in cases("bad") {
            let why = check(&case).expect_err("is refused").to_string();
            assert!(why.contains(case["names"].as_str().expect("text")), "{}: {why}", case["what"]);
        }
        // Nothing counts where nothing was configured.
        let keys = CertificateKeys { accepted: Accepted::default(), ..keys };
        let first = &cases("good")[0];
        assert!(keys.check(first["certificate"].as_str().expect("text"), operator, now).is_err());
    }

    #[test]
    fn the_vectors_are_what_their_script_makes() {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/vectors/make_certificates.py");
        let made = Command::new("python3").args(["-B", script, "--check"]).output().expect("python3");
        let said = String::from_utf8_lossy(&made.stderr);
        if made.status.code() == Some(2) {
            eprintln!("SKIPPED: nobody checked that make_certificates.py still makes the vectors: {said}");
            return;
        }
        assert!(made.status.success(), "{said}");
    }
}
