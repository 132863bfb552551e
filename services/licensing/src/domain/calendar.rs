//! Days of the register: in the time zone of the regulator, with its holidays. What is due, and when.

use std::collections::BTreeSet;

use contracts::UnixMillis;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A time zone and its holidays.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    holidays: BTreeSet<Date>,
}

/// Why there is no such calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCalendar {
    /// The time zone is not one of the IANA database.
    #[error("{0:?} is not a time zone")]
    Zone(String),
    /// A holiday is not a date.
    #[error("{0:?} is not a date such as 2026-12-25")]
    Holiday(String),
}

impl Calendar {
    /// `zone` is a name such as `Europe/Kyiv`; each of `holidays` a date such as `2026-12-25`.
    ///
    /// # Errors
    /// [`BadCalendar`]
    pub fn new<'a>(zone: &str, holidays: impl IntoIterator<Item = &'a str>) -> Result<Self, BadCalendar> {
        let zone = TimeZone::get(zone).map_err(|_| BadCalendar::Zone(zone.to_owned()))?;
        let date = |text: &str| text.parse().map_err(|_| BadCalendar::Holiday(text.to_owned()));
        Ok(Self { zone, holidays: holidays.into_iter().map(date).collect::<Result<_, _>>()? })
    }

    /// The day of a moment.
    pub fn day(&self, at: UnixMillis) -> Date {
        instant(at).to_zoned(self.zone.clone()).date()
    }

    /// The day of a moment in the zone that has it first, 14 hours ahead of UTC: whatever zone a calendar has, the day that it tells of
    /// the moment is this one or one before it. So it needs no calendar.
    pub fn latest_day(at: UnixMillis) -> Date {
        const AHEAD_MS: i64 = 14 * 3_600_000;
        instant(UnixMillis(at.0.saturating_add(AHEAD_MS))).to_zoned(TimeZone::UTC).date()
    }

    /// The first moment after a day.
    pub fn end_of(&self, day: Date) -> UnixMillis {
        let next = day.saturating_add(1.day()).to_datetime(Time::midnight());
        let zoned = self.zone.to_ambiguous_zoned(next).compatible();
        zoned.map_or(UnixMillis(i64::MAX), |zoned| UnixMillis(zoned.timestamp().as_millisecond()))
    }

    /// The end of the first business day after the day of `at`: what is due within one business day is due before it.
    pub fn within_one_business_day(&self, at: UnixMillis) -> UnixMillis {
        let mut day = self.day(at).saturating_add(1.day());
        while !self.is_business_day(day) {
            day = day.saturating_add(1.day());
        }
        self.end_of(day)
    }

    /// The end of the day that is so many months after the day of `at`; the last of the month where it has no such day.
    pub fn months_after(&self, at: UnixMillis, months: i32) -> UnixMillis {
        self.end_of(self.day(at).saturating_add(months.months()))
    }

    fn is_business_day(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.holidays.contains(&day)
    }
}

fn instant(at: UnixMillis) -> Timestamp {
    Timestamp::from_millisecond(at.0).unwrap_or(if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kyiv() -> Calendar {
        Calendar::new("Europe/Kyiv", ["2026-12-25", "2027-01-01"]).expect("a calendar")
    }

    fn at(text: &str) -> UnixMillis {
        UnixMillis::parse(text).expect("a time")
    }

    #[test]
    fn one_business_day_passes_over_weekends_and_holidays() {
        for (paid, due) in [
            // Monday 23 November 2026: due until the end of Tuesday in Kyiv, two hours before that of UTC.
            ("2026-11-23T08:00:00.000Z", "2026-11-24T22:00:00.000Z"),
            // Monday in UTC, and Tuesday in Kyiv already.
            ("2026-11-23T22:30:00.000Z", "2026-11-25T22:00:00.000Z"),
            // Friday: due on Monday. Saturday: too.
            ("2026-11-27T09:00:00.000Z", "2026-11-30T22:00:00.000Z"),
            ("2026-11-28T09:00:00.000Z", "2026-11-30T22:00:00.000Z"),
            // Thursday before the holiday of Friday: due on Monday.
            ("2026-12-24T09:00:00.000Z", "2026-12-28T22:00:00.000Z"),
            // In summer the day ends an hour earlier.
            ("2026-07-01T09:00:00.000Z", "2026-07-02T21:00:00.000Z"),
        ] {
            assert_eq!(kyiv().within_one_business_day(at(paid)), at(due), "paid {paid}");
        }
    }

    #[test]
    fn no_zone_has_a_later_day_than_the_easternmost() {
        // Kiritimati has UTC+14 all the year.
        let first = Calendar::new("Pacific/Kiritimati", []).expect("a calendar");
        for (moment, day) in [
            ("2026-11-23T09:59:59.999Z", "2026-11-23"),
            ("2026-11-23T10:00:00.000Z", "2026-11-24"),
            ("2026-11-23T21:59:59.999Z", "2026-11-24"),
        ] {
            let latest = Calendar::latest_day(at(moment));
            assert_eq!((latest.to_string(), latest), (day.to_owned(), first.day(at(moment))));
            assert!(kyiv().day(at(moment)) <= latest, "{moment}");
        }
    }

    #[test]
    fn six_months_later_is_the_end_of_that_day() {
        for (from, due) in [
            ("2026-11-23T08:00:00.000Z", "2027-05-23T21:00:00.000Z"),
            ("2026-08-31T08:00:00.000Z", "2027-02-28T22:00:00.000Z"),
        ] {
            assert_eq!(kyiv().months_after(at(from), 6), at(due), "from {from}");
        }
    }

    #[test]
    fn what_is_no_calendar_is_refused() {
        assert_eq!(Calendar::new("Kyiv/Europe", []).expect_err("no zone"), BadCalendar::Zone("Kyiv/Europe".into()));
        let bad = Calendar::new("Europe/Kyiv", ["25.12.2026"]).expect_err("no date");
        assert_eq!(bad, BadCalendar::Holiday("25.12.2026".into()));
    }
}
