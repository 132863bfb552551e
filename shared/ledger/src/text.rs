//! The strict scraps of text that notes and proofs share: lines, decimal numbers, canonical base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Standard, padded base64.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Only the canonical form: padded, no stray bits in the last character.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Decimal digits, no sign, no leading zero but for `0` itself.
pub(crate) fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// The first line without its LF, and what follows. `None` without an LF.
pub(crate) fn line(text: &str) -> Option<(&str, &str)> {
    text.split_once('\n')
}
