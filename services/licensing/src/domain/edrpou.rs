//! The code of a legal entity in the Unified State Register (EDRPOU): eight digits, the last of which checks the others.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A code whose check digit is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Edrpou([u8; 8]);

/// Why a text is not an EDRPOU code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEdrpou {
    /// Not eight digits.
    #[error("an EDRPOU code has eight digits")]
    Form,
    /// Another check digit.
    #[error("the last digit must be {expected}: a digit is wrong, or two changed places")]
    CheckDigit {
        /// What it must be.
        expected: u8,
    },
}

/// The sum of the first seven digits by weights, modulo 11.
fn weighed(digits: &[u8; 8], weights: [u32; 7]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum::<u32>() % 11
}

/// The check digit of a code: codes of the 30 to 60 millions have weights of their own, and a remainder of ten is weighed again with
/// each weight two larger.
fn check_digit(digits: &[u8; 8]) -> u8 {
    let [d0, d1, ..] = *digits;
    let middle = (30..60).contains(&(u32::from(d0) * 10 + u32::from(d1)));
    let weights = if middle { [7, 1, 2, 3, 4, 5, 6] } else { [1, 2, 3, 4, 5, 6, 7] };
    let first = weighed(digits, weights);
    let rest = if first < 10 { first } else { weighed(digits, weights.map(|weight| weight + 2)) % 10 };
    u8::try_from(rest).unwrap_or_default()
}

impl FromStr for Edrpou {
    type Err = BadEdrpou;
    fn from_str(text: &str) -> Result<Self, BadEdrpou> {
        let bytes: [u8; 8] = text.as_bytes().try_into().map_err(|_| BadEdrpou::Form)?;
        if !bytes.iter().all(u8::is_ascii_digit) {
            return Err(BadEdrpou::Form);
        }
        let digits = bytes.map(|byte| byte - b'0');
        let expected = check_digit(&digits);
        let [.., last] = digits;
        if last == expected { Ok(Self(bytes)) } else { Err(BadEdrpou::CheckDigit { expected }) }
    }
}

impl TryFrom<String> for Edrpou {
    type Error = BadEdrpou;
    fn try_from(text: String) -> Result<Self, BadEdrpou> {
        text.parse()
    }
}

impl From<Edrpou> for String {
    fn from(code: Edrpou) -> Self {
        code.to_string()
    }
}

impl fmt::Display for Edrpou {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_known_entities_are_taken() {
        // PrivatBank, Naftogaz, Ukrposhta, Ukrzaliznytsia, Kyivstar, Oschadbank: from the public register.
        for code in ["14360570", "20077720", "21560045", "40075815", "21673832", "00032129"] {
            assert_eq!(code.parse::<Edrpou>().map(|read| read.to_string()), Ok(code.to_owned()));
        }
    }

    #[test]
    fn one_wrong_digit_is_refused() {
        for code in ["14360570", "40075815"] {
            for place in 0..8 {
                for digit in b'0'..=b'9' {
                    let mut bytes = code.as_bytes().to_vec();
                    if bytes[place] == digit {
                        continue;
                    }
                    bytes[place] = digit;
                    let text = String::from_utf8(bytes).expect("digits");
                    // Ten remainders for eleven cases: a check digit of 0 stands for two of them.
                    if text.parse::<Edrpou>().is_ok() {
                        assert!(text.ends_with('0') || place < 2, "{text}");
                    }
                }
            }
        }
        assert_eq!("14360571".parse::<Edrpou>(), Err(BadEdrpou::CheckDigit { expected: 0 }));
        for text in ["", "1436057", "143605700", "1436057O", " 14360570", "１４３６０５７０"] {
            assert_eq!(text.parse::<Edrpou>(), Err(BadEdrpou::Form), "{text}");
        }
    }
}
