//! Text that people type into forms: one line, trimmed, of limited length.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// A text of 1 to `CHARS_MAX` characters on one line, without spaces around it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Line<const CHARS_MAX: usize>(Box<str>);

/// Why a text is not a [`Line`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Nothing, or nothing but spaces.
    #[error("the text is empty")]
    Empty,
    /// Too long.
    #[error("the text has {chars} characters, at most {chars_max} are allowed")]
    TooLong {
        /// Its length.
        chars: usize,
        /// The limit.
        chars_max: usize,
    },
    /// A line break or another control character.
    #[error("the text holds the control character {found:?}")]
    Control {
        /// The first of them.
        found: char,
    },
}

impl<const CHARS_MAX: usize> Line<CHARS_MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const CHARS_MAX: usize> FromStr for Line<CHARS_MAX> {
    type Err = BadLine;
    fn from_str(text: &str) -> Result<Self, BadLine> {
        let text = text.trim();
        let chars = text.chars().count();
        if chars == 0 {
            return Err(BadLine::Empty);
        }
        if chars > CHARS_MAX {
            return Err(BadLine::TooLong { chars, chars_max: CHARS_MAX });
        }
        match text.chars().find(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            Some(found) => Err(BadLine::Control { found }),
            None => Ok(Self(text.into())),
        }
    }
}

impl<const CHARS_MAX: usize> TryFrom<String> for Line<CHARS_MAX> {
    type Error = BadLine;
    fn try_from(text: String) -> Result<Self, BadLine> {
        text.parse()
    }
}

impl<const CHARS_MAX: usize> Serialize for Line<CHARS_MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<const CHARS_MAX: usize> fmt::Display for Line<CHARS_MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
