//! Public keys of operators: read from a JWK, named by their thumbprint, and the proof that the operator holds the private part.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::registry::{Env, KeyStanding};
use contracts::{OperatorId, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_json::json;

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
    /// The key, if it is one of the two types and in canonical form.
    ///
    /// # Errors
    /// [`BadKey::Form`]
    pub fn open(&self) -> Result<VerifyingKey, BadKey> {
        let part = |text: &str| -> Result<[u8; 32], BadKey> {
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadKey::Form("x or y is not base64url"))?;
            bytes.try_into().map_err(|_| BadKey::Form("x or y does not have 32 bytes"))
        };
        match (self.kty.as_str(), self.crv.as_str(), &self.y) {
            ("OKP", "Ed25519", None) => {
                let bytes = part(&self.x)?.to_vec();
                Ok(VerifyingKey { kind: KeyKind::Ed25519, bytes })
            }
            ("EC", "P-256", Some(y)) => {
                let bytes = [&[4][..], &part(&self.x)?, &part(y)?].concat();
                let key = VerifyingKey { kind: KeyKind::P256, bytes };
                key.is_on_curve().then_some(key).ok_or(BadKey::Form("the point is not on the curve"))
            }
            _ => Err(BadKey::Form("kty and crv")),
        }
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
    crit: Option<serde_json::Value>,
    jku: Option<serde_json::Value>,
    jwk: Option<serde_json::Value>,
    x5u: Option<serde_json::Value>,
    x5c: Option<serde_json::Value>,
    b64: Option<serde_json::Value>,
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
            ("crit", header.crit.is_some()),
            ("jku", header.jku.is_some()),
            ("jwk", header.jwk.is_some()),
            ("x5u", header.x5u.is_some()),
            ("x5c", header.x5c.is_some()),
            ("b64", header.b64.is_some()),
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

    fn is_on_curve(&self) -> bool {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.bytes).is_ok()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_are_those_of_the_rfcs() {
        // RFC 8037 appendix A.3.
        let ed = PublicJwk {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(),
            y: None,
        };
        assert_eq!(ed.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert!(ed.open().is_ok());
    }

    #[test]
    fn the_examples_of_the_rfcs_verify() {
        // RFC 8037 appendix A.4.
        let ed = PublicJwk {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(),
            y: None,
        };
        let text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                    hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let jws = Jws::parse(text).expect("a JWS");
        let key = ed.open().expect("a key");
        assert_eq!(key.verify(jws.signed.as_bytes(), &jws.signature), Ok(()));
        // RFC 7515 appendix A.3.
        let ec = PublicJwk {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".into(),
            y: Some("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0".into()),
        };
        let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                    DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        let jws = Jws::parse(text).expect("a JWS");
        let key = ec.open().expect("a key");
        let claims: serde_json::Value = jws.verify(&key).expect("verifies");
        assert_eq!(claims["iss"], "joe");
        // The other key's algorithm, and another's bytes.
        assert_eq!(jws.verify::<serde_json::Value>(&ed.open().expect("a key")), Err(BadKey::Algorithm));
        assert_eq!(key.verify(b"other", &jws.signature), Err(BadKey::Signature));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let good = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let jwk = |kty: &str, crv: &str, x: &str, y: Option<&str>| PublicJwk {
            kty: kty.into(),
            crv: crv.into(),
            x: x.into(),
            y: y.map(str::to_owned),
        };
        for bad in [
            jwk("RSA", "Ed25519", good, None),
            jwk("OKP", "X25519", good, None),
            jwk("OKP", "Ed25519", good, Some(good)),
            jwk("OKP", "Ed25519", "", None),
            jwk("OKP", "Ed25519", &format!("{good}="), None),
            jwk("OKP", "Ed25519", &good[..40], None),
            jwk("EC", "P-256", good, None),
            jwk("EC", "P-256", good, Some(good)),
        ] {
            assert!(matches!(bad.open(), Err(BadKey::Form(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_jws_that_brings_its_own_key_or_conditions_is_refused() {
        for (member, value) in [
            ("jwk", "{}"),
            ("jku", "\"https://x\""),
            ("x5u", "\"https://x\""),
            ("x5c", "[]"),
            ("crit", "[]"),
            ("b64", "false"),
        ] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"EdDSA","{member}":{value}}}"#));
            assert!(matches!(Jws::parse(&format!("{header}.e30.AA")), Err(BadKey::Header(found)) if found == member));
        }
        for text in ["", ".", "..", "a.b", "e30.e30.AA", &"a".repeat(JWS_BYTES_MAX + 1)] {
            assert!(matches!(Jws::parse(text), Err(BadKey::Jws)), "{text:.20}");
        }
    }
}
