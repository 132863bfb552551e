//! System times as whole milliseconds, and their one text form on the wire.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z. Used for what this system stamps itself; a record's own `at` keeps its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Reads exactly what [`fmt::Display`] shows: RFC 3339 UTC with three digits of a second.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |at: std::ops::Range<usize>| text.get(at)?.parse::<i64>().ok();
        if bytes.len() != 24 {
            return None;
        }
        let days = days_from_civil(number(0..4)?, number(5..7)?, number(8..10)?);
        let seconds = number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
        let read = Self((days * 86_400 + seconds) * 1000 + number(20..23)?);
        // Showing it again settles signs, ranges and separators at once.
        (read.to_string() == text).then_some(read)
    }
}

impl fmt::Display for UnixMillis {
    /// RFC 3339 UTC with milliseconds: `2026-10-24T18:00:29.498Z`. Exact for the years 0 to 9999.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms_of_day) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil_from_days(days);
        let (h, m, s, ms) = (ms_of_day / 3_600_000, ms_of_day / 60_000 % 60, ms_of_day / 1000 % 60, ms_of_day % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
    }
}

/// Nanoseconds since 1970-01-01T00:00:00Z, as a record's `at` gives them; reaches from 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixNanos(pub i64);

impl UnixNanos {
    /// Reads RFC 3339 with `T`, `Z` and 0 to 9 fractional digits, of a date that exists. Second 60 is refused: clocks of operators
    /// smear or repeat leap seconds, and a time that other days lack would have no nanosecond of its own.
    pub fn parse(text: &str) -> Option<Self> {
        let (head, tail) = text.as_bytes().split_first_chunk::<19>()?;
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] = head else {
            return None;
        };
        let year = two(y1, y2)? * 100 + two(y3, y4)?;
        let (month, day) = (two(m1, m2)?, two(d1, d2)?);
        let (hour, minute, second) = (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?);
        let exists = (1..=12).contains(&month) && day >= 1 && day <= days_of_month(year, month);
        if !exists || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let fraction = match tail {
            b"Z" => 0,
            [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => {
                let mut nanos = 0;
                for place in 0..9 {
                    let digit = digits.get(place).map_or(0, |b| i64::from(b.wrapping_sub(b'0')));
                    if digit > 9 {
                        return None;
                    }
                    nanos = nanos * 10 + digit;
                }
                nanos
            }
            _ => return None,
        };
        let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        seconds.checked_mul(1_000_000_000)?.checked_add(fraction).map(Self)
    }
}

fn two(tens: &u8, ones: &u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Proleptic Gregorian date of a day number counted from 1970-01-01 (the era method of H. Hinnant's `chrono` notes).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`] for dates that exist.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = (month + 9).rem_euclid(12);
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_known_instants() {
        // From `date -u -d @N`.
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_792_864_829_498, "2026-10-24T18:00:29.498Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(UnixMillis(ms).to_string(), text);
            assert_eq!(UnixMillis::parse(text), Some(UnixMillis(ms)));
        }
    }

    #[test]
    fn reads_times_of_records() {
        assert_eq!(UnixNanos::parse("2026-10-24T18:00:29Z"), Some(UnixNanos(1_792_864_829_000_000_000)));
        assert_eq!(UnixNanos::parse("2026-10-24T18:00:29.498Z"), Some(UnixNanos(1_792_864_829_498_000_000)));
        assert_eq!(UnixNanos::parse("2026-10-24T18:00:29.000000001Z"), Some(UnixNanos(1_792_864_829_000_000_001)));
        assert!(UnixNanos::parse("2024-02-29T00:00:00Z").is_some());
        for bad in [
            "2026-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-10-24T23:59:60Z",
            "2026-10-24T24:00:00Z",
            "2026-10-24T18:00:29.Z",
            "2026-10-24T18:00:29.0000000001Z",
            "2026-10-24T18:00:29+00:00",
            "2026-10-24 18:00:29Z",
            "2026-10-24t18:00:29z",
            "2026-10-24T18:00:29.4x8Z",
            "9999-10-24T18:00:29Z",
            "",
        ] {
            assert_eq!(UnixNanos::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn reads_one_form_only() {
        for bad in [
            "2026-10-24T18:00:29Z",
            "2026-10-24T18:00:29.4980Z",
            "2026-10-24t18:00:29.498Z",
            "2026-02-29T00:00:00.000Z",
            "2026-10-24T24:00:00.000Z",
            "2026-10-24T18:00:60.000Z",
            "+026-10-24T18:00:29.498Z",
            "2026-10-24T18:00:29.498z",
        ] {
            assert_eq!(UnixMillis::parse(bad), None, "{bad}");
        }
    }
}
