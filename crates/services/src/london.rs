//! Dates in the United Kingdom: a day ends there at midnight of the local time, which summer time moves.

use fhir::{DateTime, Instant, Precision};

const HOUR: i64 = 60 * 60 * 1_000_000;
const DAY: i64 = 24 * HOUR;

/// The date in London at a moment, in days since 1970-01-01.
pub(crate) fn day(moment: Instant) -> i64 {
    let ahead = if is_summer(moment) { HOUR } else { 0 };
    (moment.0 + ahead).div_euclid(DAY)
}

/// The last date in London that a value reaches, in days since 1970-01-01: a year reaches its last day.
pub(crate) fn last_day(value: &DateTime) -> i64 {
    let (first, after) = value.range();
    match value.time() {
        Some(_) => day(first),
        // A date is the same wherever it is said; its range stands in UTC.
        None => (after.0 - 1).div_euclid(DAY),
    }
}

/// Summer time goes from 01:00 UTC on the last Sunday of March to 01:00 UTC on that of October.
fn is_summer(moment: Instant) -> bool {
    let Some(date) = DateTime::from_instant(moment, Precision::Year) else { return false };
    let switch = |month| switch(date.year(), month);
    match (switch("03"), switch("10")) {
        (Some(from), Some(to)) => from <= moment && moment < to,
        _ => false,
    }
}

/// 01:00 UTC on the last Sunday of a month of 31 days.
fn switch(year: u16, month: &str) -> Option<Instant> {
    let last = DateTime::parse(&format!("{year:04}-{month}-31"))?.range().0.0.div_euclid(DAY);
    // The first day of 1970 was a Thursday.
    let since_sunday = (last + 4).rem_euclid(7);
    Some(Instant((last - since_sunday) * DAY + HOUR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Instant {
        DateTime::parse(text).expect("a time").range().0
    }

    #[test]
    fn a_day_ends_at_midnight_of_the_local_time() {
        for (time, date) in [
            ("2027-03-27T23:59:59.999Z", "2027-03-27"),
            ("2027-03-28T00:00:00Z", "2027-03-28"),
            // Clocks go forward at 01:00 UTC.
            ("2027-03-28T00:59:59.999Z", "2027-03-28"),
            ("2027-03-28T22:59:59.999Z", "2027-03-28"),
            ("2027-03-28T23:00:00Z", "2027-03-29"),
            ("2027-07-01T22:59:59Z", "2027-07-01"),
            ("2027-07-01T23:00:00Z", "2027-07-02"),
            ("2027-10-30T23:00:00Z", "2027-10-31"),
            // And back at 01:00 UTC.
            ("2027-10-31T00:59:59Z", "2027-10-31"),
            ("2027-10-31T23:30:00Z", "2027-10-31"),
            ("2027-11-01T00:00:00Z", "2027-11-01"),
            // The last day of March 2024 and of October 2027 is a Sunday.
            ("2024-03-31T00:59:59Z", "2024-03-31"),
            ("2024-03-31T23:00:00Z", "2024-04-01"),
            ("2026-12-31T23:59:59Z", "2026-12-31"),
        ] {
            assert_eq!(day(moment(time)), moment(date).0.div_euclid(DAY), "{time}");
        }
    }

    #[test]
    fn summer_begins_and_ends_to_the_second() {
        for (from, to) in [
            ("2024-03-31T01:00:00Z", "2024-10-27T01:00:00Z"),
            ("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"),
            ("2027-03-28T01:00:00Z", "2027-10-31T01:00:00Z"),
        ] {
            let (from, to) = (moment(from), moment(to));
            let near = [Instant(from.0 - 1), from, Instant(to.0 - 1), to];
            assert_eq!(near.map(is_summer), [false, true, true, false]);
        }
    }

    #[test]
    fn a_value_reaches_its_last_day() {
        for (value, date) in [
            ("2027-09-01", "2027-09-01"),
            ("2027-09", "2027-09-30"),
            ("2027", "2027-12-31"),
            ("2027-09-01T22:59:00Z", "2027-09-01"),
            ("2027-09-01T23:00:00Z", "2027-09-02"),
            ("2027-09-01T23:30:00+01:00", "2027-09-01"),
        ] {
            let value = DateTime::parse(value).expect("a time");
            assert_eq!(last_day(&value), moment(date).0.div_euclid(DAY), "{date}");
        }
    }
}
