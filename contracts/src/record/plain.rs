//! The quick reader: a flat object of known names, strings without escapes and plain integers. Allocates nothing.
//!
//! It says `None` to all else, valid or not; the strict reader then decides. It must never say more than the strict one does: a
//! property test holds it to that.

use super::values::{Fields, Name, Value};

/// Digits that surely fit a `u64`.
const DIGITS_MAX: usize = 18;

/// Finds the values of a record in the plain form; false when it is not in that form.
pub(super) fn read<'a>(bytes: &'a [u8], fields: &mut Fields<'a>) -> bool {
    // Once for all its strings, so that each is only a slice.
    std::str::from_utf8(bytes).is_ok_and(|text| Reader { text, bytes, at: 0 }.object(fields).is_some())
}

/// The same bytes twice: a `str` is sliced where a value is kept, and all else looks at single bytes.
struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn object(&mut self, fields: &mut Fields<'a>) -> Option<()> {
        self.skip_space();
        self.take(b'{')?;
        loop {
            self.skip_space();
            let name = self.name()?;
            self.skip_space();
            self.take(b':')?;
            self.skip_space();
            let value = if self.peek()? == b'"' { Value::Text(self.string()?) } else { Value::Int(self.integer()?) };
            if !fields.set(name, value) {
                return None;
            }
            self.skip_space();
            if self.take(b',').is_some() {
                continue;
            }
            self.take(b'}')?;
            self.skip_space();
            return (self.at == self.bytes.len()).then_some(());
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// JSON's four kinds of white space.
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn eight(&self) -> Option<u64> {
        self.bytes.get(self.at..)?.first_chunk::<8>().map(|eight| u64::from_le_bytes(*eight))
    }

    /// A known name in quotes.
    fn name(&mut self) -> Option<Name> {
        self.take(b'"')?;
        // Near the end, where `seq":8}` is all that is left, zeros stand for what is missing.
        let eight = self.eight().unwrap_or_else(|| {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            rest.iter().rev().fold(0, |eight, byte| eight << 8 | u64::from(*byte))
        });
        let length = first_special(eight);
        let key = if length < 8 { eight & ((1 << (8 * length)) - 1) } else { eight };
        self.at += length;
        self.take(b'"')?;
        Name::of_key(key)
    }

    /// A string of printable ASCII without escapes.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        // Eight bytes at a time until one of them is not plain.
        while let Some(eight) = self.eight() {
            let first = first_special(eight);
            self.at += first;
            if first < 8 {
                break;
            }
        }
        while self.peek().is_some_and(is_plain) {
            self.at += 1;
        }
        let text = self.text.get(start..self.at)?;
        self.take(b'"')?;
        Some(text)
    }

    /// An integer without sign, leading zero, fraction or exponent.
    fn integer(&mut self) -> Option<u64> {
        let (start, mut number) = (self.at, 0_u64);
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at - start == DIGITS_MAX {
                return None;
            }
            number = number * 10 + u64::from(digit - b'0');
            self.at += 1;
        }
        let digits = self.at - start;
        // A number that begins with 0 and is longer has a leading zero. What may follow it: anything else is for the strict reader.
        let leading_zero = digits > 1 && self.bytes.get(start) == Some(&b'0');
        let ends = matches!(self.peek()?, b',' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
        (digits > 0 && !leading_zero && ends).then_some(number)
    }
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
