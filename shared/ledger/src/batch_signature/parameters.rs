//! The parameters of a signature: when, by which key, by which algorithm. Their text is the one that is signed.

use std::fmt;
use std::str::FromStr;

use super::BadSignature;
use super::error::snip;

/// The last second of the year 9999, beyond which RFC 3339 can't write a time.
pub const CREATED_S_MAX: i64 = 253_402_300_799;
/// A longer key id is refused; an RFC 7638 thumbprint has 43 bytes.
pub const KEY_ID_BYTES_MAX: usize = 128;

/// The covered components, in the only order and form there is.
pub(super) const COMPONENTS: &str = r#"("@method" "@path" "content-type" "dsom-batch-root")"#;

/// An algorithm of the profile, which is also a type of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alg {
    /// Ed25519 (RFC 9421 section 3.3.6).
    Ed25519,
    /// ECDSA on P-256 with SHA-256 (RFC 9421 section 3.3.4).
    EcdsaP256Sha256,
}

impl Alg {
    /// As in the IANA registry of HTTP signature algorithms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
        }
    }
}

impl fmt::Display for Alg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Alg {
    type Err = BadSignature;

    fn from_str(text: &str) -> Result<Self, BadSignature> {
        let known = [Self::Ed25519, Self::EcdsaP256Sha256].into_iter().find(|alg| alg.as_str() == text);
        known.ok_or_else(|| BadSignature::Alg { found: snip(text) })
    }
}

/// The name by which a key is registered: 1 to 128 visible ASCII characters without quotes and backslashes, so that it
/// is written between quotes as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = BadSignature;

    fn from_str(text: &str) -> Result<Self, BadSignature> {
        let plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if !plain || !(1..=KEY_ID_BYTES_MAX).contains(&text.len()) {
            return Err(BadSignature::KeyId { found: snip(text) });
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a signature says of itself. Its text is the member of `Signature-Input` and the end of the signature base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    created_s: i64,
    keyid: KeyId,
    alg: Alg,
}

impl Parameters {
    /// Refuses a time, in Unix seconds, outside 0 to [`CREATED_S_MAX`].
    pub fn new(created_s: i64, keyid: KeyId, alg: Alg) -> Result<Self, BadSignature> {
        if !(0..=CREATED_S_MAX).contains(&created_s) {
            return Err(BadSignature::Created { found: created_s.to_string() });
        }
        Ok(Self { created_s, keyid, alg })
    }

    /// When the signature says it was made, Unix seconds.
    pub fn created_s(&self) -> i64 {
        self.created_s
    }

    /// The key it names.
    pub fn keyid(&self) -> &KeyId {
        &self.keyid
    }

    /// The algorithm it names.
    pub fn alg(&self) -> Alg {
        self.alg
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created_s, keyid, alg } = self;
        write!(f, "{COMPONENTS};created={created_s};keyid=\"{keyid}\";alg=\"{alg}\"")
    }
}
