//! The quick reader: a flat object of known names, strings without escapes and plain integers. Allocates nothing.
//!
//! It says `None` to all else, valid or not; the strict reader then decides. It must never say more than the strict one does: a
//! property test holds it to that.

use std::borrow::Cow;

use super::values::{Fields, Name, Value};

/// Digits that surely fit a `u64`.
const DIGITS_MAX: usize = 18;

/// The values of a record in the plain form; `None` when it is not in that form.
pub(super) fn read(bytes: &[u8]) -> Option<Fields<'_>> {
    let mut fields = Fields::new();
    let mut rest = after(skip_space(bytes), b'{')?;
    loop {
        let (name, more) = string(skip_space(rest))?;
        let name = Name::read(name.as_bytes())?;
        rest = skip_space(after(skip_space(more), b':')?);
        let (value, more) = match rest.first()? {
            b'"' => {
                let (text, more) = string(rest)?;
                (Value::Text(Cow::Borrowed(text)), more)
            }
            _ => {
                let (number, more) = integer(rest)?;
                (Value::Int(number), more)
            }
        };
        if !fields.set(name, value) {
            return None;
        }
        rest = skip_space(more);
        let (separator, more) = rest.split_first()?;
        rest = more;
        match separator {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    skip_space(rest).is_empty().then_some(fields)
}

fn after(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    let (first, rest) = bytes.split_first()?;
    (*first == wanted).then_some(rest)
}

/// JSON's four kinds of white space.
fn skip_space(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// A string of printable ASCII without escapes, and what follows it.
fn string(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let inside = after(bytes, b'"')?;
    let mut at = 0;
    // Eight bytes at a time until one of them is not plain.
    while let Some(eight) = inside.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let first = first_special(u64::from_le_bytes(*eight));
        at += first;
        if first < 8 {
            break;
        }
    }
    while inside.get(at).is_some_and(|b| is_plain(*b)) {
        at += 1;
    }
    let (text, rest) = inside.split_at_checked(at)?;
    let rest = after(rest, b'"')?;
    // All bytes are ASCII, so this never fails; it is how to say so without `unsafe`.
    Some((std::str::from_utf8(text).ok()?, rest))
}

fn is_plain(byte: u8) -> bool {
    (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// How many of eight bytes (the first lowest) come before one that is a quote, a backslash, a control or not ASCII.
fn first_special(eight: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero_byte = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    let quote = zero_byte(eight ^ (ONES * u64::from(b'"')));
    let backslash = zero_byte(eight ^ (ONES * u64::from(b'\\')));
    let control = eight.wrapping_sub(ONES * 0x20) & !eight & HIGH;
    // A borrow can only mark a byte after a true hit, so the first mark is always right.
    ((quote | backslash | control | (eight & HIGH)).trailing_zeros() / 8) as usize
}

/// An integer without sign, leading zero, fraction or exponent, and what follows it.
fn integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = bytes.split_at_checked(digits)?;
    let leading_zero = digits > 1 && number.first() == Some(&b'0');
    if digits == 0 || digits > DIGITS_MAX || leading_zero {
        return None;
    }
    // What may follow a number in an object; anything else is for the strict reader.
    if !matches!(rest.first()?, b',' | b'}' | b' ' | b'\t' | b'\n' | b'\r') {
        return None;
    }
    Some((number.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_in_every_place() {
        for special in [b'"', b'\\', 0, 0x1f, 0x80, 0xff] {
            for at in 0..8 {
                let mut eight = *b"aZ9_-. ~";
                eight[at] = special;
                assert_eq!(first_special(u64::from_le_bytes(eight)), at, "{special} at {at}");
            }
        }
        assert_eq!(first_special(u64::from_le_bytes(*b"!#[]~  ^")), 8);
    }
}
