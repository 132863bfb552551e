//! Clients of the token endpoint: their ids, and the assertions they prove themselves with (RFC 7523).

use std::fmt;
use std::str::FromStr;

use contracts::registry::Env;
use contracts::{OperatorId, UnixMillis};
use serde::Deserialize;

use super::operator::Operator;
use super::operator::keys::{BadKey, Jws, SKEW_MS};

/// How far ahead an assertion may expire. It is made for one request, but libraries make it for an hour unless they are told.
pub const ASSERTION_LIFE_MS_MAX: i64 = 3_600_000;
/// Longest `jti`, in bytes.
pub const JTI_BYTES_MAX: usize = 128;

/// A client: an operator in one of the two worlds. `dsom_live_<operator>` and `dsom_test_<operator>`: nobody takes one for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientId {
    /// Whose.
    pub operator: OperatorId,
    /// Live or test.
    pub env: Env,
}

impl FromStr for ClientId {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (env, id) = match (text.strip_prefix("dsom_live_"), text.strip_prefix("dsom_test_")) {
            (Some(id), _) => (Env::Live, id),
            (_, Some(id)) => (Env::Test, id),
            _ => return Err(()),
        };
        Ok(Self { operator: id.parse().map_err(|_| ())?, env })
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let env = match self.env {
            Env::Live => "live",
            Env::Test => "test",
        };
        write!(f, "dsom_{env}_{}", self.operator)
    }
}

/// Why an assertion proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAssertion {
    /// Its form, its header or its signature.
    #[error("the assertion can't be taken: {0}")]
    Key(#[from] BadKey),
    /// `iss` and `sub` are not one client id.
    #[error("iss and sub must both be the client id, dsom_live_ or dsom_test_ and the operator's id")]
    Client,
    /// The header names no key of the client that may be used now.
    #[error("kid must name a key that is registered for this client, in force and not revoked")]
    UnknownKey,
    /// It is for somebody else.
    #[error("aud must be the issuer or its token endpoint, and nothing beside it")]
    Audience,
    /// It has expired, or not begun, or lasts too long.
    #[error("{0}")]
    Time(&'static str),
    /// It can't be told from another.
    #[error("jti must have 1 to {JTI_BYTES_MAX} bytes")]
    Id,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    jti: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Who an assertion says it is from; whether that is true is not known yet.
///
/// # Errors
/// [`BadAssertion::Client`]
pub fn claimed(jws: &Jws<'_>) -> Result<ClientId, BadAssertion> {
    let claims: Claims = jws.unverified().ok_or(BadAssertion::Key(BadKey::Claim("set")))?;
    match (claims.iss, claims.sub) {
        (Some(iss), Some(sub)) if iss == sub => sub.parse().map_err(|()| BadAssertion::Client),
        _ => Err(BadAssertion::Client),
    }
}

/// An assertion that is the client's own and may be used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The key it was made with.
    pub kid: String,
    /// What tells it from others.
    pub jti: String,
    /// When it can no longer be used, the allowed skew included.
    pub expires: UnixMillis,
}

/// Checks an assertion against the operator it says it is from. `audiences` are the names of the token endpoint.
///
/// # Errors
/// [`BadAssertion`]
pub fn check(
    jws: &Jws<'_>,
    client: ClientId,
    operator: &Operator,
    audiences: [&str; 2],
    now: UnixMillis,
) -> Result<Assertion, BadAssertion> {
    if !matches!(jws.typ().as_deref(), None | Some("jwt" | "client-authentication+jwt")) {
        return Err(BadAssertion::Key(BadKey::Header("typ")));
    }
    let kid = jws.kid().ok_or(BadAssertion::UnknownKey)?;
    let key = operator.keys.iter().find(|key| key.kid == kid && key.env == client.env && key.is_usable(now));
    let key = key.ok_or(BadAssertion::UnknownKey)?;
    let claims: Claims = jws.verify(&key.jwk.open()?)?;
    match claims.aud {
        Some(Audience::One(aud)) if audiences.contains(&aud.as_str()) => {}
        Some(Audience::Several(all)) if matches!(all.as_slice(), [aud] if audiences.contains(&aud.as_str())) => {}
        _ => return Err(BadAssertion::Audience),
    }
    // A float cast saturates: what is absurd is merely far away.
    let ms = |seconds: f64| (seconds * 1000.0) as i64;
    let expires = ms(claims.exp.ok_or(BadAssertion::Time("exp is missing"))?).saturating_add(SKEW_MS);
    if expires <= now.0 {
        return Err(BadAssertion::Time("the assertion has expired"));
    }
    if expires - SKEW_MS > now.0.saturating_add(ASSERTION_LIFE_MS_MAX + SKEW_MS) {
        return Err(BadAssertion::Time("exp must be at most an hour ahead"));
    }
    if claims.nbf.is_some_and(|nbf| ms(nbf) > now.0 + SKEW_MS) {
        return Err(BadAssertion::Time("the assertion is not valid yet"));
    }
    if claims.iat.is_some_and(|iat| ms(iat) > now.0 + SKEW_MS) {
        return Err(BadAssertion::Time("iat lies in the future"));
    }
    match claims.jti {
        Some(jti) if (1..=JTI_BYTES_MAX).contains(&jti.len()) => {
            Ok(Assertion { kid: kid.to_owned(), jti, expires: UnixMillis(expires) })
        }
        _ => Err(BadAssertion::Id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_and_live_are_told_apart_by_the_first_letters() {
        let id = "13013f29-b9df-4b82-ad28-e51596b7e0b4";
        for (text, env) in [(format!("dsom_live_{id}"), Env::Live), (format!("dsom_test_{id}"), Env::Test)] {
            let client: ClientId = text.parse().expect("a client id");
            assert_eq!((client.env, client.to_string()), (env, text));
        }
        for bad in [
            id.to_owned(),
            format!("dsom_{id}"),
            format!("DSOM_LIVE_{id}"),
            "dsom_test_".into(),
            format!("dsom_prod_{id}"),
        ] {
            assert!(bad.parse::<ClientId>().is_err(), "{bad}");
        }
    }
}
