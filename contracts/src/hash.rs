//! A SHA-256 digest as a value: 32 bytes, shown as canonical padded base64. How it is computed is `ledger`'s.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// 32 zero bytes: what stands as `previous` in a chain's first header.
    pub const ZERO: Self = Self([0; 32]);
}

/// The text is not the canonical, padded base64 of 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the canonical padded base64 of 32 bytes")]
pub struct BadHash(String);

impl FromStr for Hash {
    type Err = BadHash;
    fn from_str(text: &str) -> Result<Self, BadHash> {
        // The engine refuses missing padding and non-zero trailing bits, so there is one text a hash.
        let bad = || BadHash(text.chars().take(64).collect());
        let bytes = STANDARD.decode(text).map_err(|_| bad())?;
        bytes.try_into().map(Self).map_err(|_| bad())
    }
}

impl TryFrom<String> for Hash {
    type Error = BadHash;
    fn try_from(text: String) -> Result<Self, BadHash> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_a_hash() {
        let text = "jy9N5WuDY/u2IMkjEIRt+3cBBR1oX8pV3WOsxWXS1h0=";
        assert_eq!(text.parse::<Hash>().expect("canonical").to_string(), text);
        for bad in [
            "jy9N5WuDY/u2IMkjEIRt+3cBBR1oX8pV3WOsxWXS1h0",
            "jy9N5WuDY/u2IMkjEIRt+3cBBR1oX8pV3WOsxWXS1h1=",
            "jy9N5WuDY_u2IMkjEIRt-3cBBR1oX8pV3WOsxWXS1h0=",
            "AAAA",
            "",
        ] {
            assert!(bad.parse::<Hash>().is_err(), "{bad}");
        }
    }
}
