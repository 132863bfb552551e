//! The two headers, read strictly: of all the texts that RFC 8941 gives a value, the profile has one.

use super::error::snip;
use super::parameters::COMPONENTS;
use super::{BadSignature, Parameters, Text};
use crate::text::{from_base64, number};

/// A longer header is refused unread; the longest of the profile has some 250 bytes.
pub const HEADER_BYTES_MAX: usize = 512;

/// The value of `Signature-Input`.
pub(super) fn read_input(header: &str) -> Result<Parameters, BadSignature> {
    let rest = after_label(header, Text::SignatureInput)?;
    let Some(rest) = rest.strip_prefix(COMPONENTS) else {
        let end = rest.find(')').map_or(rest.len(), |at| at + 1);
        return Err(BadSignature::Components { found: snip(rest.get(..end).unwrap_or(rest)) });
    };
    let rest = after(rest, ";created=", "created")?;
    let (created, rest) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
    let created_s = number(created).and_then(|seconds| i64::try_from(seconds).ok());
    let created_s = created_s.ok_or_else(|| BadSignature::Created { found: snip(created) })?;
    let rest = after(rest, ";keyid=", "keyid")?;
    let (keyid, rest) = quoted(rest).ok_or_else(|| BadSignature::KeyId { found: snip(rest) })?;
    let keyid = keyid.parse()?;
    let rest = after(rest, ";alg=", "alg")?;
    let (alg, rest) = quoted(rest).ok_or_else(|| BadSignature::Alg { found: snip(rest) })?;
    let parameters = Parameters::new(created_s, keyid, alg.parse()?)?;
    match rest.chars().next() {
        Some(';') => Err(BadSignature::Parameters { expected: "nothing more", found: snip(rest) }),
        _ => ended(rest, Text::SignatureInput).map(|()| parameters),
    }
}

/// The value of `Signature`.
pub(super) fn read_signature(header: &str) -> Result<[u8; 64], BadSignature> {
    let rest = after_label(header, Text::Signature)?;
    let between = rest.strip_prefix(':').and_then(|rest| rest.split_once(':'));
    let (text, rest) = between.ok_or_else(|| BadSignature::Colons { found: snip(rest) })?;
    let bytes = from_base64(text).ok_or_else(|| BadSignature::Base64 { found: snip(text) })?;
    let signature = bytes.try_into().map_err(|bytes: Vec<u8>| BadSignature::Length { bytes: bytes.len() })?;
    ended(rest, Text::Signature).map(|()| signature)
}

/// What follows `dsom=`.
fn after_label(header: &str, text: Text) -> Result<&str, BadSignature> {
    if header.len() > HEADER_BYTES_MAX {
        return Err(BadSignature::Size { text, bytes: header.len(), max: HEADER_BYTES_MAX });
    }
    let (label, rest) = header.split_once('=').unwrap_or((header, ""));
    if label == "dsom" { Ok(rest) } else { Err(BadSignature::Label { text, found: snip(label) }) }
}

/// What follows a parameter's name.
fn after<'a>(rest: &'a str, name: &str, expected: &'static str) -> Result<&'a str, BadSignature> {
    rest.strip_prefix(name).ok_or_else(|| BadSignature::Parameters { expected, found: snip(rest) })
}

/// What stands in quotes, and what follows them. There are no escapes: what they are needed for is refused by its
/// reader.
fn quoted(rest: &str) -> Option<(&str, &str)> {
    rest.strip_prefix('"')?.split_once('"')
}

/// Nothing may follow; a comma begins another signature.
fn ended(rest: &str, text: Text) -> Result<(), BadSignature> {
    if rest.is_empty() {
        Ok(())
    } else if rest.trim_start_matches([' ', '\t']).starts_with(',') {
        Err(BadSignature::SecondSignature { text, found: snip(rest) })
    } else {
        Err(BadSignature::Trailing { text, found: snip(rest) })
    }
}
