//! Certificates of the published checks: what one must say to be filed, and how long it opens the way into the market.

use contracts::conformance::{CHECKLIST, CHECKS, RATE_MIN, RATE_S};
use contracts::{OperatorId, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::keys::{BadKey, Jws, SKEW_MS};

/// How old a certificate may be, at its filing and when the operator goes live: as long as the way into the market may take. What was
/// checked longer ago says little of the integration of today.
pub const CERTIFICATE_AGE_MS_MAX: i64 = 184 * 86_400_000;

/// The claims of a certificate, whose signature was verified.
pub type Claims = Map<String, Value>;

/// Whose certificates count, and of which lists of checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// `iss`: those who certify. The key tells that a certificate is theirs, the name for whom it was used: one key may sign in several names.
    pub issuers: Vec<String>,
    /// `checklist`: the names of the lists.
    pub checklists: Vec<String>,
}

/// Why a certificate is not filed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// It is no JWS by one of those who certify.
    #[error(transparent)]
    Jws(#[from] BadKey),
    /// A claim is missing or says something else.
    #[error("the claim {claim} must be {expected}")]
    Claim {
        /// Which.
        claim: &'static str,
        /// What it must be.
        expected: String,
    },
}

#[derive(Deserialize)]
struct Issued {
    iat: i64,
    iss: Option<String>,
    checklist: Option<String>,
}

impl Accepted {
    /// Whether claims say that this operator has passed one of the lists that count, in the sandbox and not too long ago. Of the
    /// published list it is known what passing means, and a certificate of it must say that too; of another the name alone counts.
    ///
    /// # Errors
    /// [`BadCertificate::Claim`]
    pub fn check(&self, claims: &Claims, operator: OperatorId, now: UnixMillis) -> Result<(), BadCertificate> {
        let one_of = |claim, all: &[String]| all.iter().any(|one| is(claims, claim, one));
        must("iss", one_of("iss", &self.issuers), || format!("one of {:?}", self.issuers))?;
        must("sub", is(claims, "sub", &operator.to_string()), || format!("the operator, {operator}"))?;
        must("env", is(claims, "env", "test"), || "test".to_owned())?;
        must("result", is(claims, "result", "passed"), || "passed".to_owned())?;
        must("checklist", one_of("checklist", &self.checklists), || format!("one of {:?}", self.checklists))?;
        let iat = claims.get("iat").and_then(Value::as_i64);
        must("iat", iat.is_some_and(|iat| is_recent(iat, now)), || {
            format!("a time in Unix seconds of the last {} days", CERTIFICATE_AGE_MS_MAX / 86_400_000)
        })?;
        match is(claims, "checklist", CHECKLIST) {
            true => published(claims),
            false => Ok(()),
        }
    }
}

/// What a certificate of the published list says beside its result.
fn published(claims: &Claims) -> Result<(), BadCertificate> {
    let rate = claims.get("rate").and_then(Value::as_u64);
    must("rate", rate.is_some_and(|rate| rate >= u64::from(RATE_MIN)), || {
        format!("a whole number of records a second, {RATE_MIN} or more")
    })?;
    let rate_s = claims.get("rate_s").and_then(Value::as_i64);
    must("rate_s", rate_s == Some(RATE_S), || format!("{RATE_S}, for how many seconds the rate was held"))?;
    let checks = claims.get("checks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let word = |check: &Value, member: &str, word: &str| check.get(member).and_then(Value::as_str) == Some(word);
    let passed = |id: &&str| checks.iter().any(|check| word(check, "id", id) && word(check, "result", "passed"));
    must("checks", checks.len() == CHECKS.len() && CHECKS.iter().all(passed), || {
        format!("each of {} once, passed", CHECKS.join(", "))
    })
}

fn is(claims: &Claims, claim: &str, text: &str) -> bool {
    claims.get(claim).and_then(Value::as_str) == Some(text)
}

fn must(claim: &'static str, holds: bool, expected: impl FnOnce() -> String) -> Result<(), BadCertificate> {
    if holds { Ok(()) } else { Err(BadCertificate::Claim { claim, expected: expected() }) }
}

/// A certificate on file as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateView {
    /// Who certified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Which list of checks was passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checklist: Option<String>,
    /// When it was issued.
    pub issued_at: String,
    /// Up to when it opens the way into the market.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts_until: Option<String>,
}

impl CertificateView {
    /// What a certificate that was checked when it was filed says, and how long it counts if that is wanted.
    pub(super) fn new(certificate: &str, with_end: bool) -> Option<Self> {
        let Issued { iat, iss, checklist } = issued(certificate)?;
        let issued_ms = iat.saturating_mul(1_000);
        let end = || UnixMillis(issued_ms.saturating_add(CERTIFICATE_AGE_MS_MAX)).to_string();
        let (issued_at, counts_until) = (UnixMillis(issued_ms).to_string(), with_end.then(end));
        Some(Self { issuer: iss, checklist, issued_at, counts_until })
    }
}

/// Whether a certificate that was checked when it was filed is still recent enough.
pub fn counts(certificate: &str, now: UnixMillis) -> bool {
    issued(certificate).is_some_and(|Issued { iat, .. }| is_recent(iat, now))
}

/// Whether a certificate was issued before another.
pub(super) fn is_older(certificate: &str, other: &str) -> bool {
    issued(certificate).zip(issued(other)).is_some_and(|(one, other)| one.iat < other.iat)
}

fn issued(certificate: &str) -> Option<Issued> {
    Jws::parse(certificate).ok()?.unverified()
}

fn is_recent(iat_s: i64, now: UnixMillis) -> bool {
    let age_ms = now.0.saturating_sub(iat_s.saturating_mul(1_000));
    (-SKEW_MS..=CERTIFICATE_AGE_MS_MAX).contains(&age_ms)
}
