//! Checks one token from its bytes.

use contracts::OperatorId;
use jsonwebtoken::Validation;
use jsonwebtoken::errors::ErrorKind;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Grant;
use super::certificate::Binding;
use super::keys::Keys;

/// Longest token looked at.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// How far clocks may be apart.
const SKEW_S: u64 = 60;
/// `typ` of operators' tokens (RFC 9068 section 4): no other kind that the same key may sign, such as an assertion or a receipt.
const OPERATORS: &[&str] = &["at+jwt", "application/at+jwt"];
/// `typ` of people's tokens: issuers of OpenID Connect also write plain JWTs.
pub(crate) const PEOPLE: &[&str] = &["at+jwt", "application/at+jwt", "JWT"];

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is none.
    #[error("an Authorization header with a Bearer token is needed")]
    Missing,
    /// Longer than tokens are.
    #[error("the token has more than {TOKEN_BYTES_MAX} bytes")]
    TooBig,
    /// Not three base64url parts of JSON, or of an algorithm that is not known.
    #[error("the token is not a JWT of a known algorithm")]
    Malformed,
    /// Of another kind.
    #[error("the token's typ is not that of an access token: at+jwt")]
    WrongType,
    /// It has conditions that are not known (RFC 7515 section 4.1.11).
    #[error("the token has critical headers")]
    Critical,
    /// No key id, or not one of the issuer's.
    #[error(
        "the token's kid is not of the issuer: it is of another world (the sandbox's, say) or its key was withdrawn"
    )]
    UnknownKey,
    /// Another algorithm than the key's.
    #[error("the token's alg is not that of its key")]
    WrongAlgorithm,
    /// The signature is not of the key.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// Over.
    #[error("the token has expired")]
    Expired,
    /// Not begun.
    #[error("the token is not valid yet")]
    NotYet,
    /// A claim is missing or other than expected.
    #[error("the token's {0} is missing or not as expected")]
    Claim(&'static str),
}

#[derive(Deserialize)]
struct Claims {
    sub: OperatorId,
    exp: f64,
    #[serde(default)]
    scope: Box<str>,
    /// The operator's key that the token was asked for with: when that is revoked, so is the token.
    client_key: Option<Box<str>>,
    /// Which of the operator's clients asked for it (RFC 9068 section 2.2).
    client_id: Option<Box<str>>,
    iat: Option<f64>,
    /// What else must come with it: a claim that is not understood must not be passed over (RFC 7800 section 3.1).
    cnf: Option<serde_json::Value>,
}

/// The grant of an operator's token.
pub(super) fn verify(token: &str, keys: &Keys, issuer: &str, audience: &str) -> Result<Grant, TokenError> {
    let Claims { sub, exp, scope, client_key, client_id, iat, cnf } = claims(token, OPERATORS, keys, issuer, audience)?;
    // A float cast saturates: an absurd iat is merely far away.
    let issued_s = iat.map_or(0, |iat| iat as u64);
    let bound = cnf.map(|cnf| Binding::of_cnf(&cnf).ok_or(TokenError::Claim("cnf"))).transpose()?;
    Ok(Grant { operator: sub, scopes: scope, client_key, client_id, issued_s, ends_s: ends_s(exp), bound })
}

/// Whom a token names as its issuer, before anything of it is checked: good to choose whose keys check it, and for nothing else.
pub(crate) fn named_issuer(token: &str) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct Named {
        iss: Box<str>,
    }
    let short = token.len() <= TOKEN_BYTES_MAX;
    let named = || jsonwebtoken::dangerous::insecure_decode_claims::<Named>(token).ok();
    short.then(named).flatten().map(|named| named.iss)
}

/// When a token ends, the allowed skew included, in Unix seconds. A float cast saturates: an absurd exp is merely far away.
pub(crate) fn ends_s(exp: f64) -> u64 {
    (exp as u64).saturating_add(SKEW_S)
}

/// The claims of a token that is good, and of one of these types.
pub(crate) fn claims<C: DeserializeOwned>(
    token: &str,
    types: &[&str],
    keys: &Keys,
    issuer: &str,
    audience: &str,
) -> Result<C, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::TooBig);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
    if !header.typ.is_some_and(|typ| types.iter().any(|known| known.eq_ignore_ascii_case(&typ))) {
        return Err(TokenError::WrongType);
    }
    if header.crit.is_some() {
        return Err(TokenError::Critical);
    }
    let (algorithm, key) = header.kid.and_then(|kid| keys.get(&kid)).ok_or(TokenError::UnknownKey)?;
    let mut rules = Validation::new(algorithm);
    rules.leeway = SKEW_S;
    rules.validate_nbf = true;
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[audience]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = jsonwebtoken::decode::<C>(token, key, &rules).map_err(|error| match error.kind() {
        ErrorKind::InvalidAlgorithm => TokenError::WrongAlgorithm,
        ErrorKind::InvalidSignature => TokenError::BadSignature,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYet,
        ErrorKind::InvalidIssuer => TokenError::Claim("iss"),
        ErrorKind::InvalidAudience => TokenError::Claim("aud"),
        ErrorKind::MissingRequiredClaim(name) => {
            TokenError::Claim(["exp", "iss", "aud"].into_iter().find(|known| known == name).unwrap_or("sub"))
        }
        ErrorKind::Json(_) => TokenError::Claim("sub, exp or scope"),
        _ => TokenError::Malformed,
    })?;
    Ok(claims.claims)
}
