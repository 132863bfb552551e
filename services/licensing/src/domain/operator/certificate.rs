//! Certificates of the published checks: what one must say to be filed, and how long it opens the way into the market.

use contracts::registry::Env;
use contracts::{OperatorId, UnixMillis};
use serde::Deserialize;

use super::keys::{BadKey, Jws, SKEW_MS};

/// How old a certificate may be, at its filing and when the operator goes live: as long as the way into the market may take. What was
/// checked longer ago says little of the integration of today.
pub const CERTIFICATE_AGE_MS_MAX: i64 = 184 * 86_400_000;

/// The claims that the register looks at. Who certified is known by the key, and at which rate by the list of checks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CertificateClaims {
    /// The operator.
    pub sub: String,
    /// When it was certified, in Unix seconds.
    pub iat: i64,
    /// Where the checks ran.
    pub env: Env,
    /// `passed` or `failed`.
    pub result: String,
    /// The list of checks.
    pub checklist: String,
}

#[derive(Deserialize)]
struct Issued {
    iat: i64,
}

impl CertificateClaims {
    /// Whether they say that this operator has passed one of the lists that count, in the sandbox and not too long ago.
    ///
    /// # Errors
    /// [`BadKey::Claim`], [`BadKey::NotPassed`]
    pub fn check(&self, operator: OperatorId, checklists: &[String], now: UnixMillis) -> Result<(), BadKey> {
        let checks = [
            ("sub", self.sub == operator.to_string()),
            ("env", self.env == Env::Test),
            ("checklist", checklists.contains(&self.checklist)),
            ("iat", is_recent(self.iat, now)),
        ];
        match checks.into_iter().find(|(_, holds)| !holds) {
            Some((name, _)) => Err(BadKey::Claim(name)),
            None if self.result != "passed" => Err(BadKey::NotPassed),
            None => Ok(()),
        }
    }
}

/// Whether a certificate that was checked when it was filed is still recent enough.
pub fn counts(certificate: &str, now: UnixMillis) -> bool {
    let issued = Jws::parse(certificate).ok().and_then(|jws| jws.unverified::<Issued>());
    issued.is_some_and(|Issued { iat }| is_recent(iat, now))
}

fn is_recent(iat_s: i64, now: UnixMillis) -> bool {
    let age_ms = now.0.saturating_sub(iat_s.saturating_mul(1_000));
    (-SKEW_MS..=CERTIFICATE_AGE_MS_MAX).contains(&age_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATOR: &str = "13013f29-b9df-4b82-ad28-e51596b7e0b4";
    const DAY_S: i64 = 86_400;

    #[test]
    fn a_certificate_is_of_this_operator_passed_in_the_sandbox_and_not_old() {
        let operator: OperatorId = OPERATOR.parse().expect("a UUID");
        // 2026-11-23T08:00:00Z.
        let now_s = 1_795_420_800;
        let good = CertificateClaims {
            sub: OPERATOR.to_owned(),
            iat: now_s - 184 * DAY_S,
            env: Env::Test,
            result: "passed".to_owned(),
            checklist: "one".to_owned(),
        };
        let check = |claims: &CertificateClaims| claims.check(operator, &["one".to_owned()], UnixMillis(now_s * 1_000));
        assert_eq!(check(&good), Ok(()));
        for (name, bad) in [
            ("sub", CertificateClaims { sub: "x".to_owned(), ..good.clone() }),
            ("env", CertificateClaims { env: Env::Live, ..good.clone() }),
            ("checklist", CertificateClaims { checklist: "two".to_owned(), ..good.clone() }),
            ("iat", CertificateClaims { iat: now_s - 184 * DAY_S - 1, ..good.clone() }),
            ("iat", CertificateClaims { iat: now_s + 61, ..good.clone() }),
            ("iat", CertificateClaims { iat: i64::MIN, ..good.clone() }),
        ] {
            assert_eq!(check(&bad), Err(BadKey::Claim(name)), "{bad:?}");
        }
        let failed = CertificateClaims { result: "failed".to_owned(), ..good.clone() };
        assert_eq!(check(&failed), Err(BadKey::NotPassed));
        for claims in ["{}", r#"{"sub":"x","env":"test","result":"passed","checklist":"one"}"#] {
            assert!(serde_json::from_str::<CertificateClaims>(claims).is_err(), "without a time: {claims}");
        }
    }
}
