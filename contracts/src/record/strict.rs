//! The strict reader: all of RFC 8259 by `serde_json`, with a pointer and a code for whatever is wrong.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::values::{Fields, Name, Value};
use super::{RecordCode, Violation};
use crate::batch::INVALID_MAX;

/// Deepest nesting of a record, itself included.
const DEPTH_MAX: usize = 2;

/// What the strict reader found. It owns the texts that had escapes, so that [`Value`] need not.
pub(super) struct Found<'a> {
    values: Vec<(Name, Seen<'a>)>,
    /// What is wrong so far.
    pub(super) violations: Vec<Violation>,
}

enum Seen<'a> {
    Bad,
    Int(u64),
    Text(Cow<'a, str>),
}

impl Found<'_> {
    /// The values by name.
    pub(super) fn fields(&self) -> Fields<'_> {
        let mut fields = Fields::new();
        for (name, seen) in &self.values {
            let value = match seen {
                Seen::Bad => Value::Bad,
                Seen::Int(number) => Value::Int(*number),
                Seen::Text(text) => Value::Text(text),
            };
            fields.set(*name, value);
        }
        fields
    }
}

/// The values found, and what is wrong with the others, up to [`INVALID_MAX`]: an answer tells no more. An error when the bytes are
/// not one JSON object at all. What it takes grows with `bytes`, so callers MUST keep to the limit of a record.
pub(super) fn read(bytes: &[u8]) -> Result<Found<'_>, Vec<Violation>> {
    let whole = |detail: String| vec![Violation { pointer: String::new(), code: RecordCode::BadJson, detail }];
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(whole("the record begins with a byte order mark; send the object alone".into()));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| whole(format!("byte {} is not UTF-8", error.valid_up_to())))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = reader.deserialize_map(Members).and_then(|members| reader.end().map(|()| members));
    let members = found.map_err(|error| whole(format!("not one JSON object: {error}")))?;

    let mut found = Found { values: Vec::with_capacity(members.len()), violations: Vec::new() };
    // A bit for each name that was seen.
    let mut there = 0_u32;
    for (name, raw) in members {
        if found.violations.len() >= INVALID_MAX {
            break;
        }
        let mut wrong = |code, detail| found.violations.push(Violation { pointer: pointer(&name), code, detail });
        let Some(known) = Name::read(&name) else {
            wrong(RecordCode::UnknownName, "no record has this name; remove it".into());
            continue;
        };
        let mut seen = value(raw.get()).unwrap_or_else(|(code, detail)| {
            wrong(code, detail);
            Seen::Bad
        });
        let bit = 1 << known as u32;
        if there & bit != 0 {
            wrong(RecordCode::DuplicateName, "the name stands twice; send it once".into());
            seen = Seen::Bad;
        }
        there |= bit;
        found.values.push((known, seen));
    }
    Ok(found)
}

/// A JSON pointer (RFC 6901) to a member of the record.
pub(super) fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The members of an object in order, repeated names included.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            members.push((name.0, map.next_value()?));
        }
        Ok(members)
    }
}

/// A string, borrowed when it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn value(raw: &str) -> Result<Seen<'_>, (RecordCode, String)> {
    match raw.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<Text<'_>>(raw) {
            Ok(text) => Ok(Seen::Text(text.0)),
            Err(error) => Err((RecordCode::BadJson, format!("not a string: {error}"))),
        },
        Some(b'{' | b'[') if depth(raw) + 1 > DEPTH_MAX => {
            Err((RecordCode::TooDeep, format!("nested deeper than {DEPTH_MAX} levels")))
        }
        Some(b'{' | b'[') => Err((RecordCode::WrongType, "an object or array, where a plain value belongs".into())),
        Some(b't' | b'f' | b'n') => Err((RecordCode::WrongType, format!("{raw}, where a text or integer belongs"))),
        _ => number(raw),
    }
}

fn number(raw: &str) -> Result<Seen<'_>, (RecordCode, String)> {
    if raw.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
        return Err((RecordCode::NotAnInteger, "a whole number without fraction or exponent belongs here".into()));
    }
    let fits = raw.parse().ok().map(Seen::Int);
    fits.ok_or_else(|| (RecordCode::OutOfRange, "the number is negative or far too large".into()))
}

/// How deep objects and arrays nest in a valid JSON value.
fn depth(raw: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in raw.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
