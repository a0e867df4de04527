//! A date, or a date and time.
use std::cmp::Ordering;
use std::fmt;

use super::instant::{DAY, HOUR, MINUTE, YEARS, date_of, days_before};
use super::parse::Reader;
use super::time::compare_parts;
use super::{Instant, Precision, Time};

/// The furthest that local time is from UTC on either side.
const OFFSET_MAX: i64 = 14 * HOUR;

/// Decimals of a second in values made from an [`Instant`].
const MILLISECOND_DECIMALS: u8 = 3;

/// A date, dateTime or instant of any precision, with its offset if given.
///
/// `==` compares what was written; see [`DateTime::compare`] and [`DateTime::range`] for what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    pub(super) precision: Precision,
    pub(super) year: u16,
    /// 1 when not given, as for the day.
    pub(super) month: u8,
    pub(super) day: u8,
    /// [`Time::MIDNIGHT`] when not given; otherwise of the same precision.
    pub(super) time: Time,
    /// Minutes that local time is ahead of UTC.
    pub(super) offset: Option<i16>,
}

impl DateTime {
    pub(super) fn of_year(year: u16) -> DateTime {
        DateTime { precision: Precision::Year, year, month: 1, day: 1, time: Time::MIDNIGHT, offset: None }
    }

    /// Parses `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, and times to the minute, second or fraction with or without an offset: all that
    /// search takes. The day must exist in its month; second 60 is allowed as R4's regular expression does. (For the stricter
    /// forms that elements take see [`super::is_datetime`] and its like.)
    pub fn parse(text: &str) -> Option<DateTime> {
        DateTime::parse_partial(text).filter(|moment| moment.precision != Precision::Hour && !text.ends_with('T'))
    }

    /// Parses what FHIRPath writes after `@` for a date or dateTime: as [`DateTime::parse`], and also times to the hour, and a
    /// `T` without a time after it (`2015T`).
    pub fn parse_partial(text: &str) -> Option<DateTime> {
        let mut reader = Reader::new(text);
        let mut moment = reader.date()?;
        if reader.eat(b'T') && !reader.is_done() {
            if moment.precision != Precision::Day {
                return None;
            }
            moment.time = reader.time()?;
            moment.precision = moment.time.precision;
            if !reader.is_done() {
                moment.offset = Some(reader.offset()?);
            }
        }
        reader.is_done().then_some(moment)
    }

    /// The value that an instant has in UTC, cut to `precision`. `None` outside the years 1 to 9999.
    pub fn from_instant(instant: Instant, precision: Precision) -> Option<DateTime> {
        let (year, month, day) = date_of(instant.0.div_euclid(DAY));
        if !YEARS.contains(&year) {
            return None;
        }
        let micros = instant.0.rem_euclid(DAY);
        let mut moment = DateTime {
            precision,
            year: year as u16,
            month: if precision >= Precision::Month { month as u8 } else { 1 },
            day: if precision >= Precision::Day { day as u8 } else { 1 },
            time: Time::MIDNIGHT,
            offset: None,
        };
        if precision >= Precision::Hour {
            moment.time = Time::from_micros(micros, precision, MILLISECOND_DECIMALS);
            moment.offset = Some(0);
        }
        Some(moment)
    }

    /// The first instant of the value, and the first instant after it. A value without an offset is taken as UTC. What was given
    /// finer than microseconds is cut to them.
    pub fn range(&self) -> (Instant, Instant) {
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let first = self.local_micros() - self.offset_micros();
        let after = match self.precision {
            Precision::Year => days_before(year + 1, 1, 1) * DAY,
            Precision::Month => days_before(year + month / 12, month % 12 + 1, 1) * DAY,
            Precision::Day => first + DAY,
            _ => first + self.time.width(),
        };
        (Instant(first), Instant(after))
    }

    /// How exactly it was given.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Minutes that local time is ahead of UTC, if given.
    pub fn offset(&self) -> Option<i16> {
        self.offset
    }

    /// 1 to 9999.
    pub fn year(&self) -> u16 {
        self.year
    }

    /// 1 to 12; 1 when not given.
    pub fn month(&self) -> u8 {
        self.month
    }

    /// 1 to 31; 1 when not given.
    pub fn day(&self) -> u8 {
        self.day
    }

    /// The time of day, if given.
    pub fn time(&self) -> Option<Time> {
        (self.precision >= Precision::Hour).then_some(self.time)
    }

    /// The date alone, with no more precision than given.
    pub fn date(&self) -> DateTime {
        let precision = self.precision.min(Precision::Day);
        DateTime { precision, time: Time::MIDNIGHT, offset: None, ..*self }
    }

    /// Which is earlier, as FHIRPath compares: in UTC where both have an offset, then part by part. `None` when one ends before
    /// that is decided, and when only one has an offset and the other's could be such that either is earlier.
    pub fn compare(&self, other: &DateTime) -> Option<Ordering> {
        match (self.offset, other.offset) {
            (Some(a), Some(b)) if a != b => compare_parts(self.utc().parts(), other.utc().parts()),
            (Some(_), None) if other.precision > Precision::Day => self.compare_with_local(other),
            (None, Some(_)) if self.precision > Precision::Day => other.compare_with_local(self).map(Ordering::reverse),
            _ => compare_parts(self.parts(), other.parts()),
        }
    }

    /// Compares a value that has an offset with a time that has none, and so lies anywhere within [`OFFSET_MAX`].
    fn compare_with_local(&self, local: &DateTime) -> Option<Ordering> {
        let ((first, after), (local_first, local_after)) = (self.range(), local.range());
        if after.0 <= local_first.0 - OFFSET_MAX {
            Some(Ordering::Less)
        } else if first.0 >= local_after.0 + OFFSET_MAX {
            Some(Ordering::Greater)
        } else {
            None
        }
    }

    /// The parts that were given, each as a number.
    fn parts(&self) -> impl Iterator<Item = u64> {
        let dates = (self.precision.min(Precision::Day) as usize) + 1;
        let times = if self.precision >= Precision::Hour { 3 } else { 0 };
        let date = [u64::from(self.year), u64::from(self.month), u64::from(self.day)];
        date.into_iter().take(dates).chain(self.time.parts().take(times))
    }

    /// The same moment with offset zero. Seconds are kept, so that a leap second stays one.
    fn utc(&self) -> DateTime {
        let minutes = self.local_micros().div_euclid(MINUTE) * MINUTE - self.offset_micros();
        let leap = if self.time.second == 60 { MINUTE } else { 0 };
        let (year, month, day) = date_of((minutes - leap).div_euclid(DAY));
        let of_day = (minutes - leap).rem_euclid(DAY);
        DateTime {
            year: year.clamp(0, i64::from(u16::MAX)) as u16,
            month: month as u8,
            day: day as u8,
            time: Time { hour: (of_day / HOUR) as u8, minute: (of_day / MINUTE % 60) as u8, ..self.time },
            offset: Some(0),
            ..*self
        }
    }

    /// Local time as if it were UTC.
    pub(super) fn local_micros(&self) -> i64 {
        days_before(i64::from(self.year), i64::from(self.month), i64::from(self.day)) * DAY + self.time.micros()
    }

    fn offset_micros(&self) -> i64 {
        i64::from(self.offset.unwrap_or(0)) * MINUTE
    }

    /// Sets the local date and time, keeping precision, decimals and offset. `None` outside the years 1 to 9999.
    pub(super) fn with_local_micros(&self, micros: i64) -> Option<DateTime> {
        let (year, month, day) = date_of(micros.div_euclid(DAY));
        let time = if self.precision >= Precision::Hour {
            Time::from_micros(micros.rem_euclid(DAY), self.precision, self.time.decimals)
        } else {
            Time::MIDNIGHT
        };
        YEARS.contains(&year).then_some(DateTime {
            year: year as u16,
            month: month as u8,
            day: day as u8,
            time,
            ..*self
        })
    }
}

/// As it was given.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        if self.precision >= Precision::Month {
            write!(f, "-{:02}", self.month)?;
        }
        if self.precision >= Precision::Day {
            write!(f, "-{:02}", self.day)?;
        }
        if self.precision >= Precision::Hour {
            write!(f, "T{}", self.time)?;
        }
        match self.offset {
            None => Ok(()),
            Some(0) => f.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> DateTime {
        DateTime::parse_partial(text).unwrap_or_else(|| panic!("`{text}` is a dateTime"))
    }

    #[test]
    fn stands_for_a_range() {
        let cases = [
            ("2018", "2018-01-01T00:00:00.000Z", "2019-01-01T00:00:00.000Z"),
            ("9999", "9999-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"),
            ("2018-12", "2018-12-01T00:00:00.000Z", "2019-01-01T00:00:00.000Z"),
            ("2016-02", "2016-02-01T00:00:00.000Z", "2016-03-01T00:00:00.000Z"),
            ("2018-02-28", "2018-02-28T00:00:00.000Z", "2018-03-01T00:00:00.000Z"),
            ("2018-02-28T10", "2018-02-28T10:00:00.000Z", "2018-02-28T11:00:00.000Z"),
            ("2018-02-28T23:59", "2018-02-28T23:59:00.000Z", "2018-03-01T00:00:00.000Z"),
            ("2018-02-28T23:59-05:00", "2018-03-01T04:59:00.000Z", "2018-03-01T05:00:00.000Z"),
            ("2018-01-01T00:00:00+14:00", "2017-12-31T10:00:00.000Z", "2017-12-31T10:00:01.000Z"),
            ("2018-01-01T12:30:01.5Z", "2018-01-01T12:30:01.500Z", "2018-01-01T12:30:01.600Z"),
            ("2018-01-01T12:30:01.50Z", "2018-01-01T12:30:01.500Z", "2018-01-01T12:30:01.510Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z", "2017-01-01T00:00:01.000Z"),
        ];
        for (text, first, after) in cases {
            let (from, to) = moment(text).range();
            assert_eq!((from.to_rfc3339().as_str(), to.to_rfc3339().as_str()), (first, after), "{text}");
            assert_eq!(moment(text).to_string(), text);
        }
        let (first, after) = moment("1970-01-01T00:00:00.1234567891Z").range();
        assert_eq!((first, after), (Instant(123_456), Instant(123_457)));
    }

    #[test]
    fn parses_for_search_and_for_fhirpath() {
        for text in ["2018-01-01T10", "2018T", "2018-01T", "2018-01-01T", "2018-01-01T10+02:00"] {
            assert!(DateTime::parse(text).is_none() && DateTime::parse_partial(text).is_some(), "{text}");
        }
        for text in ["2018-01-01T10:30", "2018-01-01T10:30Z", "2018-01-01T10:30:00", "2018-01-01T10:30:00.5"] {
            assert!(DateTime::parse(text).is_some(), "{text}");
        }
        for text in ["2018T10", "2018-01T10:00", "2018Z", "2018-01-01TZ", "T10:00", "2018-01-01T10:30x", "2018TT"] {
            assert!(DateTime::parse_partial(text).is_none(), "{text}");
        }
    }

    #[test]
    fn compares_what_is_given() {
        use Ordering::{Equal, Greater, Less};
        let cases = [
            ("2018", "2019", Some(Less)),
            ("2018", "2018", Some(Equal)),
            ("2018", "2018-01", None),
            ("2018-12", "2019-01-01", Some(Less)),
            ("2012-04-15", "2012-04-15T10:00:00", None),
            ("2012-04-15", "2012-04-15T10:00:00Z", None),
            ("2012-04-14", "2012-04-15T10:00:00Z", Some(Less)),
            ("2012-04-15T15:00:00", "2012-04-15T10:00:00", Some(Greater)),
            ("2012-04-15T15:00:00+02:00", "2012-04-15T16:00:00+03:00", Some(Equal)),
            ("2012-04-15T23:30:00-02:00", "2012-04-16T01:30:00Z", Some(Equal)),
            ("2012-04-15T23:30:00.5-02:00", "2012-04-16T01:30:00Z", Some(Greater)),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:59:60+01:00", Some(Equal)),
            ("2016-12-31T23:59:60Z", "2017-01-01T01:00:00+01:00", Some(Less)),
            ("2018-03-01T10:30", "2018-03-01T10:30:00", None),
            ("2018-03-01T10:30:00", "2018-03-01T10:30:00.0", Some(Equal)),
            ("2012-04-15T15:00:00Z", "2012-04-15T10:00:00", None),
            ("2012-04-15T15:00:00Z", "2012-04-16T05:00:01", Some(Less)),
            ("2012-04-15T15:00:00Z", "2012-04-15T00:59:59", Some(Greater)),
            ("2012-04-15T15:00:00Z", "2012-04-15T01:00:00", None),
        ];
        for (left, right, expected) in cases {
            assert_eq!(moment(left).compare(&moment(right)), expected, "{left} and {right}");
            assert_eq!(moment(right).compare(&moment(left)), expected.map(Ordering::reverse), "{right} and {left}");
        }
    }

    #[test]
    fn takes_instants() {
        let instant = moment("2018-03-04T05:06:07.089Z").range().0;
        let cases = [
            (Precision::Year, "2018"),
            (Precision::Month, "2018-03"),
            (Precision::Day, "2018-03-04"),
            (Precision::Hour, "2018-03-04T05Z"),
            (Precision::Minute, "2018-03-04T05:06Z"),
            (Precision::Second, "2018-03-04T05:06:07Z"),
            (Precision::Millisecond, "2018-03-04T05:06:07.089Z"),
        ];
        for (precision, text) in cases {
            assert_eq!(DateTime::from_instant(instant, precision), Some(moment(text)), "{text}");
        }
        assert_eq!(DateTime::from_instant(Instant(i64::MAX), Precision::Day), None);
        let date = moment("2018-03-04T05:06:07+02:00").date();
        assert_eq!(date, moment("2018-03-04"));
        assert_eq!(date.time(), None);
        assert_eq!(moment("2018-03-04T05:06").time(), Time::parse("05:06"));
    }
}
