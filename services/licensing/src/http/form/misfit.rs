//! What is wrong with a body, and where: serde's words made ours.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

/// Something that is not as a form has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// JSON pointer (RFC 6901) to it.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

impl Misfit {
    /// Something wrong with the value that is looked at.
    pub fn here(detail: impl Display) -> Self {
        Self { pointer: String::new(), detail: detail.to_string() }
    }

    /// The same, seen from what holds the value under a name.
    #[must_use]
    pub fn within(self, name: &str) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        Self { pointer: format!("/{name}{}", self.pointer), ..self }
    }
}

impl Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.detail)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: Display>(detail: T) -> Self {
        Self::here(detail)
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::here(format!("must be {}, not {}", expected(wanted), kind(&found)))
    }

    fn invalid_value(_: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::here(format!("must be {}", expected(wanted)))
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::here(format!("{found:.64?} is none of {}", known.join(", ")))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        let known = if known.is_empty() { "no other".to_owned() } else { format!("only {}", known.join(", ")) };
        Self::here(format!("is not known here: {known}")).within(name)
    }

    fn missing_field(name: &'static str) -> Self {
        Self::here("is missing").within(name)
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::here("is there twice").within(name)
    }
}

/// What was wanted, without the names of our types.
fn expected(wanted: &dyn Expected) -> String {
    let wanted = wanted.to_string();
    match wanted.as_str() {
        "u32" => "a whole number from 0 to 4294967295".to_owned(),
        "u64" => "a whole number, 0 or more".to_owned(),
        "a string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        _ => wanted,
    }
}

fn kind(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a number",
        Unexpected::Float(_) => "one with a fraction",
        Unexpected::Str(_) | Unexpected::Char(_) => "a text",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "an object",
        _ => "this",
    }
}
