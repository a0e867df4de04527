//! A time of day.
use std::cmp::Ordering;
use std::fmt;

use super::Precision;
use super::instant::{HOUR, MINUTE, SECOND};
use super::parse::Reader;

/// A time of day, to the hour, minute, second or a fraction of it.
///
/// `==` compares what was written; see [`Time::compare`] for what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub(super) precision: Precision,
    pub(super) hour: u8,
    pub(super) minute: u8,
    /// Up to 60, as FHIR allows a leap second.
    pub(super) second: u8,
    pub(super) nanosecond: u32,
    /// How many decimals of the second were given, at most 9.
    pub(super) decimals: u8,
}

impl Time {
    /// The start of the day, to the hour.
    pub(super) const MIDNIGHT: Time =
        Time { precision: Precision::Hour, hour: 0, minute: 0, second: 0, nanosecond: 0, decimals: 0 };

    /// Parses `hh`, `hh:mm`, `hh:mm:ss` and `hh:mm:ss.f`. Decimals beyond the ninth are dropped. (FHIR's own `time` always has
    /// seconds, see [`super::is_time`]; FHIRPath writes shorter ones.)
    pub fn parse(text: &str) -> Option<Time> {
        let mut reader = Reader::new(text);
        let time = reader.time()?;
        reader.is_done().then_some(time)
    }

    /// So many microseconds after midnight, cut to `precision`.
    pub(super) fn from_micros(micros: i64, precision: Precision, decimals: u8) -> Time {
        let (hour, minute, second) = (micros / HOUR, micros / MINUTE % 60, micros / SECOND % 60);
        let given = |least: Precision, value: i64| if precision >= least { value as u8 } else { 0 };
        let has_decimals = precision == Precision::Millisecond;
        Time {
            precision,
            hour: hour as u8,
            minute: given(Precision::Minute, minute),
            second: given(Precision::Second, second),
            nanosecond: if has_decimals { cut((micros % SECOND) as u32 * 1000, decimals) } else { 0 },
            decimals: if has_decimals { decimals } else { 0 },
        }
    }

    /// How exactly it was given.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// 0 to 23.
    pub fn hour(&self) -> u8 {
        self.hour
    }

    /// 0 to 59; 0 when not given.
    pub fn minute(&self) -> u8 {
        self.minute
    }

    /// 0 to 60; 0 when not given.
    pub fn second(&self) -> u8 {
        self.second
    }

    /// The fraction of the second in nanoseconds; 0 when not given.
    pub fn nanosecond(&self) -> u32 {
        self.nanosecond
    }

    /// How many decimals of the second were given, at most 9.
    pub fn decimals(&self) -> u8 {
        self.decimals
    }

    /// Which is earlier, as FHIRPath compares: part by part. `None` when one ends before that is decided; a second and its
    /// decimals are one part.
    pub fn compare(&self, other: &Time) -> Option<Ordering> {
        compare_parts(self.parts(), other.parts())
    }

    /// The parts that were given, each as a number.
    pub(super) fn parts(&self) -> impl Iterator<Item = u64> {
        let seconds = u64::from(self.second) * 1_000_000_000 + u64::from(self.nanosecond);
        let count = match self.precision {
            Precision::Minute => 2,
            Precision::Second | Precision::Millisecond => 3,
            _ => 1,
        };
        [u64::from(self.hour), u64::from(self.minute), seconds].into_iter().take(count)
    }

    /// Microseconds since midnight.
    pub(super) fn micros(&self) -> i64 {
        let whole = i64::from(self.hour) * HOUR + i64::from(self.minute) * MINUTE + i64::from(self.second) * SECOND;
        whole + i64::from(self.nanosecond / 1000)
    }

    /// How many microseconds the precision leaves open; 1 where it is finer.
    pub(super) fn width(&self) -> i64 {
        match self.precision {
            Precision::Minute => MINUTE,
            Precision::Second => SECOND,
            Precision::Millisecond => 10_i64.pow(6_u32.saturating_sub(u32::from(self.decimals))),
            _ => HOUR,
        }
    }
}

/// Nanoseconds without the digits after so many decimals.
fn cut(nanosecond: u32, decimals: u8) -> u32 {
    let unit = 10_u32.pow(9_u32.saturating_sub(u32::from(decimals)));
    nanosecond / unit * unit
}

/// Compares part by part; `None` when one side ends first and all before is equal.
pub(super) fn compare_parts(
    mut left: impl Iterator<Item = u64>,
    mut right: impl Iterator<Item = u64>,
) -> Option<Ordering> {
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Some(Ordering::Equal),
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => return Some(a.cmp(&b)),
            _ => return None,
        }
    }
}

/// As it was given.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.hour)?;
        if self.precision >= Precision::Minute {
            write!(f, ":{:02}", self.minute)?;
        }
        if self.precision >= Precision::Second {
            write!(f, ":{:02}", self.second)?;
        }
        if self.precision == Precision::Millisecond {
            let digits = format!("{:09}", self.nanosecond);
            write!(f, ".{}", &digits[..usize::from(self.decimals).min(9)])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_what_is_given() {
        let cases = [
            ("12:00:00", "14:00:00", Some(Ordering::Less)),
            ("12:00:01", "12:00:00", Some(Ordering::Greater)),
            ("10:30:00", "10:30:00.0", Some(Ordering::Equal)),
            ("10:30:00.10", "10:30:00.1", Some(Ordering::Equal)),
            ("10:30:00.123456789", "10:30:00.123456788", Some(Ordering::Greater)),
            ("10:30", "10:30:00", None),
            ("10", "10:30", None),
            ("10", "11:30", Some(Ordering::Less)),
            ("10:29", "10:30:00", Some(Ordering::Less)),
        ];
        for (left, right, expected) in cases {
            let (a, b) = (Time::parse(left).expect(left), Time::parse(right).expect(right));
            assert_eq!(a.compare(&b), expected, "{left} and {right}");
            assert_eq!(b.compare(&a), expected.map(Ordering::reverse), "{right} and {left}");
            assert_eq!((a.to_string(), b.to_string()), (left.to_owned(), right.to_owned()));
        }
    }
}
