//! The keys that sign batches: Ed25519 and P-256, public from a JWK, private from PKCS#8.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use p256::ecdsa::signature::Verifier as _;

use super::error::snip;
use super::{Alg, BadKey};

/// A public key that batches are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey(Public);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
}

impl VerifyingKey {
    /// Reads the members of a public JWK: `OKP` with `Ed25519` and no `y` (RFC 8037), or `EC` with `P-256` (RFC 7518
    /// section 6.2). Coordinates are canonical base64url without padding.
    pub fn from_jwk(kty: &str, crv: &str, x: &str, y: Option<&str>) -> Result<Self, BadKey> {
        match (kty, crv) {
            ("OKP", "Ed25519") if y.is_none() => ed25519(coordinate("x", Some(x))?),
            ("OKP", "Ed25519") => Err(BadKey::Coordinate { name: "y" }),
            ("EC", "P-256") => p256(coordinate("x", Some(x))?, coordinate("y", y)?),
            _ => Err(BadKey::Kind { kty: snip(kty), crv: snip(crv) }),
        }
    }

    /// The one algorithm it is for.
    pub fn kind(&self) -> Alg {
        match &self.0 {
            Public::Ed25519(_) => Alg::Ed25519,
            Public::P256(_) => Alg::EcdsaP256Sha256,
        }
    }

    /// Ed25519 strictly: no points of small order, S below the group's order. ECDSA as FIPS 186-5 says: s may be either
    /// of its two values, for signers of both habits exist and RFC 9421 asks for neither.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        match &self.0 {
            Public::Ed25519(key) => {
                key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
            }
            Public::P256(key) => {
                let signature = p256::ecdsa::Signature::from_slice(signature);
                signature.and_then(|signature| key.verify(message, &signature)).is_ok()
            }
        }
    }
}

/// A private key that signs batches. Never shown: `Debug` gives its public half.
#[derive(Clone)]
pub struct SigningKey(Private);

#[derive(Clone)]
enum Private {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl SigningKey {
    /// Reads a private key in PKCS#8 (RFC 5958), the DER form, as `openssl pkcs8 -topk8 -nocrypt -outform DER` writes
    /// it.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, BadKey> {
        // Each reader refuses the other's algorithm by its object identifier.
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_der(der) {
            return Ok(Self(Private::Ed25519(key)));
        }
        let key = p256::ecdsa::SigningKey::from_pkcs8_der(der).map_err(|_| BadKey::Private)?;
        Ok(Self(Private::P256(key)))
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(match &self.0 {
            Private::Ed25519(key) => Public::Ed25519(key.verifying_key()),
            Private::P256(key) => Public::P256(*key.verifying_key()),
        })
    }

    /// Both are deterministic (RFC 8032, RFC 6979): no randomness is drawn, none can be bad.
    pub(super) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        match &self.0 {
            Private::Ed25519(key) => key.sign(message).to_bytes(),
            Private::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().into()
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.verifying_key())
    }
}

fn coordinate(name: &'static str, text: Option<&str>) -> Result<[u8; 32], BadKey> {
    let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(BadKey::Coordinate { name })
}

fn ed25519(x: [u8; 32]) -> Result<VerifyingKey, BadKey> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(&x).map_err(|_| BadKey::Point)?;
    // The reader also takes a y beyond the field's size: a second text for one key, which a register must not hold.
    if key.is_weak() || key.to_edwards().compress().to_bytes() != x {
        return Err(BadKey::Point);
    }
    Ok(VerifyingKey(Public::Ed25519(key)))
}

fn p256(x: [u8; 32], y: [u8; 32]) -> Result<VerifyingKey, BadKey> {
    let point = p256::Sec1Point::from_affine_coordinates(&x.into(), &y.into(), false);
    let key = p256::ecdsa::VerifyingKey::from_sec1_point(&point).map_err(|_| BadKey::Point)?;
    Ok(VerifyingKey(Public::P256(key)))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn signature(text: &str) -> [u8; 64] {
        STANDARD.decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_example_b_2_6_of_rfc_9421() {
        let key = "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF";
        let key = SigningKey::from_pkcs8_der(&STANDARD.decode(key).unwrap()).unwrap();
        let base = [
            r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
            r#""@method": POST"#,
            r#""@path": /foo"#,
            r#""@authority": example.com"#,
            r#""content-type": application/json"#,
            r#""content-length": 18"#,
            concat!(
                r#""@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")"#,
                r#";created=1618884473;keyid="test-key-ed25519""#,
            ),
        ]
        .join("\n");
        let expected =
            signature("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==");
        assert_eq!(key.sign_bytes(base.as_bytes()), expected);
        let public = VerifyingKey::from_jwk("OKP", "Ed25519", "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs", None);
        assert_eq!(public.as_ref(), Ok(&key.verifying_key()));
        assert!(public.unwrap().verifies(base.as_bytes(), &expected));
    }

    #[test]
    fn the_example_b_2_4_of_rfc_9421() {
        let (x, y) = ("qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA", "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0");
        let key = VerifyingKey::from_jwk("EC", "P-256", x, Some(y)).unwrap();
        let base = [
            r#""@status": 200"#,
            r#""content-type": application/json"#,
            concat!(
                r#""content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4G"#,
                "TsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:",
            ),
            r#""content-length": 23"#,
            concat!(
                r#""@signature-params": ("@status" "content-type" "content-digest" "content-length")"#,
                r#";created=1618884473;keyid="test-key-ecc-p256""#,
            ),
        ]
        .join("\n");
        let signature =
            signature("wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==");
        assert!(key.verifies(base.as_bytes(), &signature));
        assert!(!key.verifies(base.replace("200", "201").as_bytes(), &signature));
    }
}
