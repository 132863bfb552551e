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
