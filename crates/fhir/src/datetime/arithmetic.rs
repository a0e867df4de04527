//! Adding durations, <http://hl7.org/fhirpath/N1/#datetime-arithmetic>.
use super::instant::{DAY, HOUR, MINUTE, SECOND, YEARS, days_in_month};
use super::{DateTime, Precision, Time};
use crate::Decimal;

/// What durations are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the units of time speak for themselves")]
pub enum CalendarUnit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl CalendarUnit {
    /// So many of these in microseconds: a year as 365 days, a month as 30. Decimals count for seconds and milliseconds only.
    /// `None` when it is beyond all years.
    fn micros(self, amount: Decimal) -> Option<i64> {
        let unit = match self {
            CalendarUnit::Year => 365 * DAY,
            CalendarUnit::Month => 30 * DAY,
            CalendarUnit::Week => 7 * DAY,
            CalendarUnit::Day => DAY,
            CalendarUnit::Hour => HOUR,
            CalendarUnit::Minute => MINUTE,
            CalendarUnit::Second => return amount.checked_mul(Decimal::from(SECOND))?.truncate()?.to_i64(),
            CalendarUnit::Millisecond => return amount.checked_mul(Decimal::from(1000))?.truncate()?.to_i64(),
        };
        whole(amount)?.checked_mul(unit)
    }
}

fn whole(amount: Decimal) -> Option<i64> {
    amount.truncate()?.to_i64()
}

impl DateTime {
    /// The value so much later (earlier for a negative amount), of the same precision and offset. A day that the month does not
    /// have becomes its last. What is finer than the precision is counted in it and cut: `2014` and 24 months is `2016`. `None`
    /// outside the years 1 to 9999.
    pub fn add(&self, amount: Decimal, unit: CalendarUnit) -> Option<DateTime> {
        match unit {
            CalendarUnit::Year => self.add_months(whole(amount)?.checked_mul(12)?),
            CalendarUnit::Month => self.add_months(whole(amount)?),
            _ => self.add_micros(unit.micros(amount)?),
        }
    }

    fn add_months(&self, months: i64) -> Option<DateTime> {
        let months = if self.precision == Precision::Year { months / 12 * 12 } else { months };
        let month = (i64::from(self.year) * 12 + i64::from(self.month) - 1).checked_add(months)?;
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        if !YEARS.contains(&year) {
            return None;
        }
        let day = i64::from(self.day).min(days_in_month(year, month));
        Some(DateTime { year: year as u16, month: month as u8, day: day as u8, ..*self })
    }

    fn add_micros(&self, micros: i64) -> Option<DateTime> {
        match self.precision {
            Precision::Year => self.add_months(micros / DAY / 365 * 12),
            Precision::Month => self.add_months(micros / DAY / 30),
            precision => self.with_local_micros(self.local_micros().checked_add(cut(micros, precision))?),
        }
    }
}

impl Time {
    /// The time so much later (earlier for a negative amount), of the same precision; midnight follows the last second of the
    /// day. Days and longer units change nothing. `None` when the amount is beyond all measure.
    pub fn add(&self, amount: Decimal, unit: CalendarUnit) -> Option<Time> {
        let micros = cut(unit.micros(amount)?, self.precision);
        let sum = self.micros().checked_add(micros)?.rem_euclid(DAY);
        Some(Time::from_micros(sum, self.precision, self.decimals))
    }
}

/// A duration in whole units of a precision.
fn cut(micros: i64, precision: Precision) -> i64 {
    let unit = match precision {
        Precision::Year | Precision::Month | Precision::Day => DAY,
        Precision::Hour => HOUR,
        Precision::Minute => MINUTE,
        Precision::Second => SECOND,
        Precision::Millisecond => 1,
    };
    micros / unit * unit
}

#[cfg(test)]
mod tests {
    use super::CalendarUnit::*;
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("`{text}` is a decimal"))
    }

    #[test]
    fn adds_to_dates() {
        let cases = [
            ("1973-12-25", "7", Day, "1974-01-01"),
            ("1973-12-25", "7.7", Day, "1974-01-01"),
            ("1973-12-25", "1", Month, "1974-01-25"),
            ("1973-12-25", "1", Week, "1974-01-01"),
            ("1973-12-25", "1", Year, "1974-12-25"),
            ("1973-12-25", "47", Hour, "1973-12-26"),
            ("1973-12-25", "-1", Day, "1973-12-24"),
            ("2016-02-29", "1", Year, "2017-02-28"),
            ("2016-02-29", "4", Year, "2020-02-29"),
            ("2015-01-31", "1", Month, "2015-02-28"),
            ("2015-03-31", "-1", Month, "2015-02-28"),
            ("2015-03-31", "-4", Month, "2014-11-30"),
            ("2014", "24", Month, "2016"),
            ("2014", "23", Month, "2015"),
            ("2014", "730", Day, "2016"),
            ("2014-01", "60", Day, "2014-03"),
            ("2014", "-1", Year, "2013"),
            ("1973-12-25T00:00:00.000+10:00", "7.7", Day, "1974-01-01T00:00:00.000+10:00"),
            ("1973-12-25T00:00:00.000+10:00", "1", Second, "1973-12-25T00:00:01.000+10:00"),
            ("1973-12-25T00:00:00.000+10:00", "0.1", Second, "1973-12-25T00:00:00.100+10:00"),
            ("1973-12-25T00:00:00.000+10:00", "10", Millisecond, "1973-12-25T00:00:00.010+10:00"),
            ("1973-12-25T00:00:00.000+10:00", "-1", Minute, "1973-12-24T23:59:00.000+10:00"),
            ("1973-12-25T00:00:00Z", "1999", Millisecond, "1973-12-25T00:00:01Z"),
            ("1973-12-25T00:00Z", "59", Second, "1973-12-25T00:00Z"),
            ("1973-12-25T00:00Z", "60", Second, "1973-12-25T00:01Z"),
        ];
        for (text, amount, unit, expected) in cases {
            let sum = DateTime::parse(text).expect(text).add(decimal(amount), unit);
            assert_eq!(sum.map(|sum| sum.to_string()).as_deref(), Some(expected), "{text} and {amount} {unit:?}");
        }
    }

    #[test]
    fn refuses_to_leave_the_calendar() {
        for (text, amount, unit) in [
            ("9999-12-31", "1", Day),
            ("0001-01-01", "-1", Day),
            ("9999", "1", Year),
            ("0001-01", "-1", Month),
            ("2018-01-01", "1e18", Year),
            ("2018-01-01", "9223372036854775807", Month),
            ("2018-01-01", "9223372036854775807", Minute),
            ("2018-01-01T00:00:00Z", "1e30", Second),
            ("2018-01-01", "1e400", Day),
        ] {
            assert_eq!(
                DateTime::parse(text).expect(text).add(decimal(amount), unit),
                None,
                "{text} and {amount} {unit:?}"
            );
        }
    }

    #[test]
    fn adds_to_times() {
        let cases = [
            ("01:00:00", "2", Hour, "03:00:00"),
            ("23:00:00", "2", Hour, "01:00:00"),
            ("23:00:00", "50", Hour, "01:00:00"),
            ("00:00:00", "-1", Second, "23:59:59"),
            ("12:30", "90", Second, "12:31"),
            ("12:30:00.0", "1.25", Second, "12:30:01.2"),
        ];
        for (text, amount, unit, expected) in cases {
            let sum = Time::parse(text).expect(text).add(decimal(amount), unit);
            assert_eq!(sum.map(|sum| sum.to_string()).as_deref(), Some(expected), "{text} and {amount} {unit:?}");
        }
    }
}
