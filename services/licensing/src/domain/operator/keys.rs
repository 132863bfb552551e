//! Public keys of operators: read from a JWK, named by their thumbprint, and the proof that the operator holds the private part.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::registry::{Env, KeyStanding};
use contracts::{OperatorId, UnixMillis};
use ledger::batch_signature;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[cfg(test)]
mod tests;

/// `typ` of a proof of possession.
pub const PROOF_TYP: &str = "dsom-pop+jwt";
/// How old a proof may be when it is handed in: documents travel.
pub const PROOF_AGE_MS_MAX: i64 = 7 * 86_400_000;
/// How far clocks may be apart.
pub const SKEW_MS: i64 = 60_000;
/// Longest compact JWS that is looked at, in bytes.
pub const JWS_BYTES_MAX: usize = 8 * 1024;
/// Longest time a key may be used.
pub const KEY_LIFE_MS_MAX: i64 = 3 * 366 * 86_400_000;

/// A public key in the members of a JWK that matter (RFC 8037, RFC 7518 section 6.2.1). Others are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicJwk {
    /// `OKP` or `EC`.
    pub kty: String,
    /// `Ed25519` or `P-256`.
    pub crv: String,
    /// 32 bytes, base64url without padding.
    pub x: String,
    /// 32 bytes, base64url without padding; of P-256 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

/// A key that verifies with the one algorithm of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    kind: KeyKind,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Ed25519,
    P256,
}

/// Why a key, or what it is said to have signed, is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Of another type or form.
    #[error("the key must be an Ed25519 (OKP) or P-256 (EC) public key in base64url: {0}")]
    Form(&'static str),
    /// Not a compact JWS, or too long for one.
    #[error("this is not a compact JWS of at most {JWS_BYTES_MAX} bytes")]
    Jws,
    /// A header that is not allowed or not as it must be.
    #[error("the header {0} is not as it must be")]
    Header(&'static str),
    /// Another algorithm than the key's.
    #[error("the algorithm is not that of the key")]
    Algorithm,
    /// The signature is not of the key.
    #[error("the signature is wrong")]
    Signature,
    /// A claim is missing or not as it must be.
    #[error("the claim {0} is missing or not as it must be")]
    Claim(&'static str),
}

impl PublicJwk {
    /// The key, if it is one of the two types, in canonical form, and one that only its holder can sign for. It is read as ingest reads
    /// the keys of batches: what is registered here is good there, and the other way round.
    ///
    /// # Errors
    /// [`BadKey::Form`]
    pub fn open(&self) -> Result<VerifyingKey, BadKey> {
        let Self { kty, crv, x, y } = self;
        batch_signature::VerifyingKey::from_jwk(kty, crv, x, y.as_deref()).map_err(form)?;
        let part = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| BadKey::Form("x or y is not base64url"));
        Ok(match y {
            None => VerifyingKey { kind: KeyKind::Ed25519, bytes: part(x)? },
            Some(y) => VerifyingKey { kind: KeyKind::P256, bytes: [&[4][..], &part(x)?, &part(y)?].concat() },
        })
    }

    /// The RFC 7638 thumbprint: base64url of SHA-256, 43 characters. It is the key's id.
    pub fn thumbprint(&self) -> String {
        let Self { kty, crv, x, y } = self;
        // The members in order, without white space (RFC 7638 section 3); none of them needs escaping once the key was opened.
        let text = match y {
            None => format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"}}"#),
            Some(y) => format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#),
        };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        URL_SAFE_NO_PAD.encode(digest)
    }
}

/// The header of a JWS. Members that would bring a key from elsewhere are refused wherever they stand (RFC 8725 section 3.10).
#[derive(Deserialize)]
struct JwsHeader {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
    #[serde(default, deserialize_with = "is_there")]
    jku: bool,
    #[serde(default, deserialize_with = "is_there")]
    jwk: bool,
    #[serde(default, deserialize_with = "is_there")]
    x5u: bool,
    #[serde(default, deserialize_with = "is_there")]
    x5c: bool,
    #[serde(default, deserialize_with = "is_there")]
    b64: bool,
}

/// A member that is there is there, whatever it holds: `null`, too.
fn is_there<'de, D: serde::Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(value).map(|_| true)
}

/// A compact JWS, taken apart and not verified.
pub struct Jws<'a> {
    header: JwsHeader,
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a compact JWS apart.
    ///
    /// # Errors
    /// [`BadKey::Jws`], [`BadKey::Header`]: it would bring its own key or conditions.
    pub fn parse(text: &'a str) -> Result<Self, BadKey> {
        if text.len() > JWS_BYTES_MAX {
            return Err(BadKey::Jws);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(BadKey::Jws)?;
        let (header, payload) = signed.split_once('.').ok_or(BadKey::Jws)?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| BadKey::Jws);
        let header: JwsHeader = serde_json::from_slice(&bytes(header)?).map_err(|_| BadKey::Jws)?;
        let forbidden = [
            ("crit", header.crit),
            ("jku", header.jku),
            ("jwk", header.jwk),
            ("x5u", header.x5u),
            ("x5c", header.x5c),
            ("b64", header.b64),
        ];
        if let Some((name, _)) = forbidden.into_iter().find(|(_, there)| *there) {
            return Err(BadKey::Header(name));
        }
        Ok(Self { header, signed, payload: bytes(payload)?, signature: bytes(signature)? })
    }

    /// The key it names.
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// Its type, in lower case and without `application/`.
    pub fn typ(&self) -> Option<String> {
        let typ = self.header.typ.as_deref()?.to_ascii_lowercase();
        Some(typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ))
    }

    /// The payload as it stands: whose word it is, is not known before [`Jws::verify`].
    pub fn unverified<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.payload).ok()
    }

    /// Verifies it with a key, by the algorithm of the key: what the header says must agree, and decides nothing.
    ///
    /// # Errors
    /// [`BadKey::Algorithm`], [`BadKey::Signature`], [`BadKey::Jws`]: the payload is not of the type.
    pub fn verify<T: serde::de::DeserializeOwned>(&self, key: &VerifyingKey) -> Result<T, BadKey> {
        if !key.names(&self.header.alg) {
            return Err(BadKey::Algorithm);
        }
        key.verify(self.signed.as_bytes(), &self.signature)?;
        serde_json::from_slice(&self.payload).map_err(|_| BadKey::Claim("set"))
    }
}

impl VerifyingKey {
    /// Whether a JOSE name is that of the key's algorithm: `Ed25519` (RFC 9864) and the older `EdDSA` are the same.
    fn names(&self, alg: &str) -> bool {
        match self.kind {
            KeyKind::Ed25519 => matches!(alg, "Ed25519" | "EdDSA"),
            KeyKind::P256 => alg == "ES256",
        }
    }

    /// Verifies a signature of 64 bytes.
    ///
    /// # Errors
    /// [`BadKey::Signature`]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadKey> {
        let checked = match self.kind {
            KeyKind::Ed25519 => UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature),
            KeyKind::P256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.bytes).verify(message, signature),
        };
        checked.map_err(|_| BadKey::Signature)
    }
}

fn form(bad: batch_signature::BadKey) -> BadKey {
    BadKey::Form(match bad {
        batch_signature::BadKey::Kind { .. } => "kty and crv",
        batch_signature::BadKey::Coordinate { .. } => "x and y are 32 bytes each, y of P-256 alone",
        _ => "the point is not on the curve, not in canonical form, or one that anybody can sign for",
    })
}

/// A key of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its thumbprint.
    pub kid: String,
    /// The key.
    pub jwk: PublicJwk,
    /// Live or test: never both.
    pub env: Env,
    /// From when it may be used.
    pub not_before: UnixMillis,
    /// Up to when.
    pub expires: UnixMillis,
    /// When it was revoked.
    pub revoked_at: Option<UnixMillis>,
}

impl Key {
    /// Whether it may be used at a moment.
    pub fn is_usable(&self, now: UnixMillis) -> bool {
        self.revoked_at.is_none() && self.not_before <= now && now < self.expires
    }

    /// As the other services are told; `None` once it is revoked.
    pub fn standing(&self) -> Option<KeyStanding> {
        self.revoked_at.is_none().then(|| KeyStanding {
            kid: self.kid.clone(),
            jwk: json!(self.jwk),
            env: self.env,
            not_before: self.not_before,
            expires: self.expires,
        })
    }
}

/// The claims of a proof of possession: who holds the key, for which register and world, and when it was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofClaims {
    /// The operator.
    pub sub: String,
    /// The register: its issuer.
    pub aud: String,
    /// Thumbprint of the key.
    pub jkt: String,
    /// Live or test.
    pub env: Env,
    /// When, in Unix seconds.
    pub iat: i64,
}

/// Checks that whoever handed a key in holds its private part: a JWS by the key about itself.
///
/// # Errors
/// [`BadKey`]
pub fn check_proof(
    proof: &str,
    jwk: &PublicJwk,
    env: Env,
    operator: OperatorId,
    issuer: &str,
    now: UnixMillis,
) -> Result<(), BadKey> {
    let jws = Jws::parse(proof)?;
    if jws.typ().as_deref() != Some(PROOF_TYP) {
        return Err(BadKey::Header("typ"));
    }
    let claims: ProofClaims = jws.verify(&jwk.open()?)?;
    let said_at = claims.iat.saturating_mul(1000);
    let age = now.0.saturating_sub(said_at);
    let checks = [
        ("sub", claims.sub == operator.to_string()),
        ("aud", claims.aud == issuer),
        ("jkt", claims.jkt == jwk.thumbprint()),
        ("env", claims.env == env),
        ("iat", (-SKEW_MS..=PROOF_AGE_MS_MAX).contains(&age)),
    ];
    checks.into_iter().find(|(_, holds)| !holds).map_or(Ok(()), |(name, _)| Err(BadKey::Claim(name)))
}
