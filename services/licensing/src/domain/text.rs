//! Text that people type into forms: one line, trimmed, of limited length; how it is kept, and when two are the same name.

use std::fmt;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
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

/// A character that nobody sees, or that turns the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text holds the invisible character U+{:04X}", u32::from(*.0))]
pub struct Unseen(pub char);

/// A text as it is kept: composed (NFC), with plain spaces for all the others. Two that look alike because of characters without a
/// look (Unicode's format characters, bidirectional controls and fillers) must not both come in. What is in histories may hold them.
///
/// # Errors
/// [`Unseen`]
pub fn plain(text: &str) -> Result<String, Unseen> {
    if text.is_ascii() {
        return Ok(text.to_owned());
    }
    let category = CodePointMapData::<GeneralCategory>::new();
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let unseen = |c: &char| category.get(*c) == GeneralCategory::Format || ignorable.contains(*c);
    match text.chars().find(unseen) {
        Some(found) => Err(Unseen(found)),
        None => {
            let space = |c: char| if category.get(c) == GeneralCategory::SpaceSeparator { ' ' } else { c };
            let spaced: String = text.chars().map(space).collect();
            Ok(ComposingNormalizerBorrowed::new_nfc().normalize(&spaced).into_owned())
        }
    }
}

/// A name as it is compared: in one case, in compatibility form (NFKC), with one kind of dash, and without spaces and what nobody sees.
/// Most numbers of licences are written like this already.
pub fn folded(name: &str) -> String {
    let category = CodePointMapData::<GeneralCategory>::new();
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let composed = ComposingNormalizerBorrowed::new_nfkc();
    let upper = composed.normalize(name).to_uppercase();
    composed
        .normalize(&upper)
        .chars()
        .filter_map(|c| match category.get(c) {
            GeneralCategory::Format | GeneralCategory::SpaceSeparator => None,
            GeneralCategory::DashPunctuation => Some('-'),
            _ => (!ignorable.contains(c)).then_some(c),
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_does_not_come_in() {
        // General categories and properties as the Unicode Character Database has them.
        for unseen in [
            '\u{200b}',
            '\u{200d}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{ad}',
            '\u{61c}',
            '\u{e0041}',
            '\u{3164}',
            '\u{34f}',
            '\u{fe0f}',
        ] {
            assert_eq!(plain(&format!("ТОВ{unseen}")), Err(Unseen(unseen)), "{unseen:?}");
        }
        assert_eq!(Unseen('\u{202e}').to_string(), "the text holds the invisible character U+202E");
        assert_eq!(plain("ТОВ\u{a0}«Їжак»\u{3000}№\u{202f}7").as_deref(), Ok("ТОВ «Їжак» № 7"));
        assert_eq!(plain("и\u{306}").as_deref(), Ok("й"));
        assert_eq!(plain("x = ½ ²").as_deref(), Ok("x = ½ ²"), "no other letters");
    }

    #[test]
    fn numbers_that_look_alike_are_one() {
        for (one, other) in [
            ("Б-78", "б-78"),
            ("Б-78", "Б-\u{200b}78"),
            ("Б-78", "Б - 78"),
            ("Б-78", "Б\u{2013}78"),
            ("Б-78", "Б-７８"),
            ("Й-1", "и\u{306}-1"),
        ] {
            assert_eq!(folded(one), folded(other), "{other}");
        }
        assert_eq!(folded("Б-001"), "Б-001", "what is usual is as it is");
        assert_ne!(folded("Б-78"), folded("Б-7"));
    }
}
