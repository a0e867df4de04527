//! Instants and the calendar (proleptic Gregorian, as ISO 8601 has it).
use std::fmt;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// The years that a FHIR date can have.
pub(super) const YEARS: std::ops::RangeInclusive<i64> = 1..=9999;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Instant {
    /// The instant so many milliseconds after 1970-01-01T00:00:00Z.
    pub fn from_millis(millis: i64) -> Instant {
        Instant(millis.saturating_mul(1000))
    }

    /// Whole milliseconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// `2026-03-01T09:00:00.000Z`: 24 characters, milliseconds, UTC. What lies outside the years 0001 to 9999 is written as the
    /// nearest instant inside.
    pub fn to_rfc3339(self) -> String {
        self.to_string()
    }
}

/// As [`Instant::to_rfc3339`].
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = days_before(*YEARS.start(), 1, 1) * DAY;
        let after = days_before(*YEARS.end() + 1, 1, 1) * DAY;
        let micros = self.0.clamp(first, after - 1);
        let (year, month, day) = date_of(micros.div_euclid(DAY));
        let time = micros.rem_euclid(DAY);
        let (hour, minute, second) = (time / HOUR, time / MINUTE % 60, time / SECOND % 60);
        let millis = time / 1000 % 1000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// How many days a month has.
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The days from 1970-01-01 to a date. Years are counted from March, so that the leap day is the last of its year.
pub(super) fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let months = (month + 9) % 12;
    let days_of_years = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // From 0000-03-01 to 1970-01-01 there are 719 468 days.
    days_of_years + (months * 153 + 2) / 5 + day - 1 - 719_468
}

/// The date so many days after 1970-01-01: year, month, day.
pub(super) fn date_of(days: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (ERA - 1)) / 365;
    let day_of_year = day_of_era - (year_of_era * 365 + year_of_era / 4 - year_of_era / 100);
    let months = (day_of_year * 5 + 2) / 153;
    let day = day_of_year - (months * 153 + 2) / 5 + 1;
    let month = (months + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_instants() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_772_355_600_123_999, "2026-03-01T09:00:00.123Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (i64::MIN, "0001-01-01T00:00:00.000Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ];
        for (micros, text) in cases {
            assert_eq!(Instant(micros).to_rfc3339(), text);
        }
        assert_eq!(Instant::from_millis(-1), Instant(-1000));
        assert_eq!(Instant(-1).as_millis(), -1);
        assert_eq!(Instant::from_millis(i64::MAX), Instant(i64::MAX));
    }

    #[test]
    fn counts_every_day() {
        let mut days = days_before(1, 1, 1);
        assert_eq!(days, -719_162);
        for year in 1..=2500 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(days_before(year, month, day), days);
                    assert_eq!(date_of(days), (year, month, day));
                    days += 1;
                }
            }
        }
        assert_eq!(date_of(2_932_896), (9999, 12, 31));
    }
}
