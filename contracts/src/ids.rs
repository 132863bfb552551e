//! Typed identifiers: an operator, a record, a stream, a sequence number, a height.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text or a number is not the identifier it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// The text is not a lower-case hyphenated UUID, or is the nil or the max UUID.
    #[error("{0:?} is not a lower-case hyphenated UUID other than nil and max")]
    Uuid(String),
    /// The text is not a decimal number in the range of the identifier.
    #[error("{text:?} is not a whole number from {min} to {max}")]
    Number {
        /// What was given.
        text: String,
        /// The smallest value allowed.
        min: u64,
        /// The largest value allowed.
        max: u64,
    },
}

/// Reads a UUID in the one form the wire allows (RECORD: lower-case, hyphenated, not nil, not max).
fn uuid_from(text: &str) -> Result<Uuid, BadId> {
    plain_uuid(text.as_bytes()).ok_or_else(|| BadId::Uuid(text.chars().take(64).collect()))
}

/// By hand, since every record holds one or two: a look-up a digit instead of the general reader's search for a form.
fn plain_uuid(text: &[u8]) -> Option<Uuid> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let (head, rest) = text.split_first_chunk::<8>()?;
    let ([b'-', a @ ..], rest) = rest.split_first_chunk::<5>()? else { return None };
    let ([b'-', b @ ..], rest) = rest.split_first_chunk::<5>()? else { return None };
    let ([b'-', c @ ..], rest) = rest.split_first_chunk::<5>()? else { return None };
    let [b'-', node @ ..] = rest else { return None };
    let (mut high, mut low) = ([0; 8], [0; 8]);
    let (high_head, high_rest) = high.split_first_chunk_mut::<4>()?;
    let (high_a, high_b) = high_rest.split_first_chunk_mut::<2>()?;
    let (low_c, low_node) = low.split_first_chunk_mut::<2>()?;
    let read = unhex(head, high_head) & unhex(a, high_a) & unhex(b, high_b) & unhex(c, low_c) & unhex(node, low_node);
    let id = Uuid::from_u64_pair(u64::from_be_bytes(high), u64::from_be_bytes(low));
    (read && !id.is_nil() && !id.is_max()).then_some(id)
}

/// Reads lower-case hexadecimal digits, two a byte; false when there is another character or another number of them.
pub(crate) fn unhex(text: &[u8], bytes: &mut [u8]) -> bool {
    let (pairs, odd) = text.as_chunks::<2>();
    let digit = |b: &u8| DIGITS.get(usize::from(*b)).copied().unwrap_or(NO_DIGIT);
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (digit(high), digit(low));
        seen |= high | low;
        *byte = high << 4 | low & 0x0f;
    }
    odd.is_empty() && pairs.len() == bytes.len() && seen < 16
}

const NO_DIGIT: u8 = 0xff;

/// The value of each lower-case hexadecimal digit.
static DIGITS: [u8; 256] = digits();

const fn digits() -> [u8; 256] {
    let (mut digits, mut byte) = ([NO_DIGIT; 256], 0_u8);
    while byte < 128 {
        let (_, rest) = digits.split_at_mut(byte as usize);
        if let [slot, ..] = rest {
            *slot = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => NO_DIGIT,
            };
        }
        byte += 1;
    }
    digits
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID; `None` for the nil and the max UUID.
            pub fn new(id: Uuid) -> Option<Self> {
                (!id.is_nil() && !id.is_max()).then_some(Self(id))
            }

            /// The 16 bytes of the UUID, big-endian as in RFC 9562.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The UUID itself.
            pub fn uuid(&self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                uuid_from(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A licensed operator. It is the `sub` of the operator's tokens and the owner of a hash chain.
    OperatorId
}

uuid_id! {
    /// A record, unique per operator for ever.
    RecordId
}

/// One of an operator's 256 streams, 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamNo(pub u8);

impl fmt::Display for StreamNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for StreamNo {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        plain_number(text, 0, 255).map(|n| Self(n as u8))
    }
}

/// The place of a record in its stream: gapless, from 1, at most 2^53-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Seq(u64);

impl Seq {
    /// The first of a stream.
    pub const FIRST: Self = Self(1);
    /// The largest, so that every JSON reader holds it exactly.
    pub const MAX: u64 = (1 << 53) - 1;

    /// `None` outside 1 to 2^53-1.
    pub fn new(n: u64) -> Option<Self> {
        (1..=Self::MAX).contains(&n).then_some(Self(n))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Seq {
    type Error = BadId;
    fn try_from(n: u64) -> Result<Self, BadId> {
        Self::new(n).ok_or_else(|| BadId::Number { text: n.to_string(), min: 1, max: Self::MAX })
    }
}

impl From<Seq> for u64 {
    fn from(seq: Seq) -> u64 {
        seq.0
    }
}

impl FromStr for Seq {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        plain_number(text, 1, Self::MAX).map(Self)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of a block in its operator's chain, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Height(pub u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Height {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        plain_number(text, 1, Seq::MAX).map(Self)
    }
}

/// Decimal digits only, no sign, no leading zero but for `0` itself.
fn plain_number(text: &str, min: u64, max: u64) -> Result<u64, BadId> {
    let canonical =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|n| canonical && (min..=max).contains(n)).ok_or_else(|| BadId::Number {
        text: text.chars().take(32).collect(),
        min,
        max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_form_of_a_uuid_is_read() {
        let text = "55d3f385-fe76-4324-9d76-9105cb9ecb0b";
        assert_eq!(text.parse::<RecordId>().expect("plain").uuid(), Uuid::try_parse(text).expect("the crate reads it"));
        assert_eq!(text.parse::<RecordId>().expect("plain").to_string(), text);
        for bad in [
            "",
            "55D3F385-fe76-4324-9d76-9105cb9ecb0b",
            "55d3f385fe7643249d769105cb9ecb0b",
            "{55d3f385-fe76-4324-9d76-9105cb9ecb0b}",
            "55d3f385-fe76-4324-9d76-9105cb9ecb0g",
            "55d3f385-fe76-4324-9d769-105cb9ecb0b",
            "55d3f385-fe76-4324-9d76-9105cb9ecb0",
            "55d3f385-fe76-4324-9d76-9105cb9ecb0bb",
            "55d3f385-fe76-4324-9d76-9105cb9ecbé",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ] {
            assert!(bad.parse::<RecordId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_are_read_in_one_form_and_in_range() {
        assert_eq!("0".parse::<StreamNo>(), Ok(StreamNo(0)));
        assert_eq!("255".parse::<StreamNo>(), Ok(StreamNo(255)));
        for bad in ["256", "-1", "+1", "01", "", " 1", "1.0"] {
            assert!(bad.parse::<StreamNo>().is_err(), "{bad}");
        }
        assert!("0".parse::<Seq>().is_err());
        assert_eq!("9007199254740991".parse::<Seq>().map(Seq::get), Ok(Seq::MAX));
        assert!("9007199254740992".parse::<Seq>().is_err());
    }
}
