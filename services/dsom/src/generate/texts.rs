//! Numbers, identifiers and times as text, appended without allocating.

use rand::Rng as _;
use rand::rngs::SmallRng;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a number in decimal digits.
pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [b'0'; 20];
    let (mut rest, mut used) = (number, 0);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

/// Appends the lowest `count` hexadecimal digits.
pub(super) fn push_hex(out: &mut Vec<u8>, number: u64, count: u32) {
    for place in (0..count).rev() {
        out.push(HEX.get((number >> (4 * place) & 15) as usize).copied().unwrap_or(b'0'));
    }
}

/// A random UUID, version 4 (RFC 9562).
pub(super) fn uuid(rng: &mut SmallRng) -> [u8; 16] {
    let high = rng.next_u64() & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = rng.next_u64() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

/// Appends a UUID, lower-case and hyphenated.
pub(super) fn push_uuid(out: &mut Vec<u8>, id: &[u8; 16]) {
    let id = u128::from_be_bytes(*id);
    push_hex(out, (id >> 96) as u64, 8);
    for group in [80, 64, 48] {
        out.push(b'-');
        push_hex(out, (id >> group) as u64, 4);
    }
    out.push(b'-');
    push_hex(out, id as u64, 12);
}

/// Writes times; keeps the text of the last minute, since most records share it with the one before.
#[derive(Default)]
pub(super) struct Minute {
    number: i64,
    text: String,
}

impl Minute {
    /// Appends RFC 3339 with milliseconds or, by `dice`, one time in five without and one time in five with microseconds.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, ms: i64, dice: u32) {
        let number = ms.div_euclid(60_000);
        if self.text.is_empty() || number != self.number {
            self.number = number;
            self.text = contracts::UnixMillis(number * 60_000).to_string();
            self.text.truncate("2026-10-24T18:00:".len());
        }
        out.extend_from_slice(self.text.as_bytes());
        let within = ms.rem_euclid(60_000) as u32;
        let digit = |of: u32, divisor: u32| b'0' + (of / divisor % 10) as u8;
        out.extend_from_slice(&[digit(within, 10_000), digit(within, 1_000)]);
        if !dice.is_multiple_of(5) {
            out.extend_from_slice(&[b'.', digit(within, 100), digit(within, 10), digit(within, 1)]);
        }
        if dice % 5 == 1 {
            let micros = dice >> 16;
            out.extend_from_slice(&[digit(micros, 100), digit(micros, 10), digit(micros, 1)]);
        }
        out.push(b'Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_standard_library() {
        let mut out = Vec::new();
        for number in [0, 7, 10, 999, u64::MAX] {
            out.clear();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
        let mut minute = Minute::default();
        for ms in [1_792_864_829_498, 1_792_864_859_999, 1_792_864_860_000] {
            out.clear();
            minute.push(&mut out, ms, 2);
            assert_eq!(out, contracts::UnixMillis(ms).to_string().as_bytes());
        }
        let mut text = |dice| {
            out.clear();
            minute.push(&mut out, 1_792_864_829_498, dice);
            String::from_utf8(out.clone()).expect("text")
        };
        assert_eq!(
            (text(0).as_str(), text(123 << 16 | 3).as_str()),
            ("2026-10-24T18:00:29Z", "2026-10-24T18:00:29.498123Z")
        );
        out.clear();
        let id = uuid::Uuid::from_u128(0x55d3_f385_fe76_4324_9d76_9105_cb9e_cb0b);
        push_uuid(&mut out, id.as_bytes());
        assert_eq!(out, id.to_string().as_bytes());
    }
}
