//! The written forms of dates and times.
use super::instant::days_in_month;
use super::{DateTime, Precision, Time};

/// True for an R4 `date`: a year, a month or a day, which must exist.
pub fn is_date(text: &str) -> bool {
    DateTime::parse(text).is_some_and(|date| date.precision() <= Precision::Day)
}

/// True for an R4 `dateTime`: a date, or a date with a time to the second or finer and an offset.
pub fn is_datetime(text: &str) -> bool {
    DateTime::parse(text).is_some_and(|moment| moment.precision() <= Precision::Day || is_exact(&moment))
}

/// True for an R4 `instant`: a date with a time to the second or finer and an offset.
pub fn is_instant(text: &str) -> bool {
    DateTime::parse(text).is_some_and(|moment| is_exact(&moment))
}

/// True for an R4 `time`: a time of day to the second or finer, without an offset.
pub fn is_time(text: &str) -> bool {
    Time::parse(text).is_some_and(|time| time.precision() >= Precision::Second)
}

fn is_exact(moment: &DateTime) -> bool {
    moment.precision() >= Precision::Second && moment.offset().is_some()
}

/// Reads the parts of a date or time from the left.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Reader<'a> {
        Reader { rest: text.as_bytes() }
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.rest.first() == Some(&byte);
        if eaten {
            self.rest = &self.rest[1..];
        }
        eaten
    }

    /// A number of exactly `count` digits, at most `max`.
    fn number(&mut self, count: usize, max: u16) -> Option<u16> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        let number = digits.iter().try_fold(0_u16, |number, byte| {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
            number.checked_mul(10)?.checked_add(u16::from(digit))
        })?;
        self.rest = rest;
        (number <= max).then_some(number)
    }

    fn two_digits(&mut self, max: u16) -> Option<u8> {
        self.number(2, max).and_then(|number| u8::try_from(number).ok())
    }

    /// A year, a month or a day.
    pub(super) fn date(&mut self) -> Option<DateTime> {
        let year = self.number(4, 9999).filter(|year| *year > 0)?;
        let mut date = DateTime::of_year(year);
        if self.eat(b'-') {
            date.month = self.two_digits(12).filter(|month| *month > 0)?;
            date.precision = Precision::Month;
            if self.eat(b'-') {
                let last = days_in_month(i64::from(year), i64::from(date.month));
                date.day = self.two_digits(31).filter(|day| *day > 0 && i64::from(*day) <= last)?;
                date.precision = Precision::Day;
            }
        }
        Some(date)
    }

    /// A time of day to the hour or finer.
    pub(super) fn time(&mut self) -> Option<Time> {
        let mut time = Time { hour: self.two_digits(23)?, ..Time::MIDNIGHT };
        if self.eat(b':') {
            time.minute = self.two_digits(59)?;
            time.precision = Precision::Minute;
            if self.eat(b':') {
                time.second = self.two_digits(60)?;
                time.precision = Precision::Second;
                if self.eat(b'.') {
                    (time.nanosecond, time.decimals) = self.decimals()?;
                    time.precision = Precision::Millisecond;
                }
            }
        }
        Some(time)
    }

    /// The decimals of a second, in nanoseconds, and how many there are, at most 9.
    fn decimals(&mut self) -> Option<(u32, u8)> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        let kept = &digits[..count.min(9)];
        let number = kept.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        let decimals = kept.len() as u8;
        (count > 0).then(|| (number * 10_u32.pow(9 - u32::from(decimals)), decimals))
    }

    /// An offset in minutes: `Z` or up to 14 hours on either side.
    pub(super) fn offset(&mut self) -> Option<i16> {
        if self.eat(b'Z') {
            return Some(0);
        }
        let sign = if self.eat(b'-') { -1 } else { self.eat(b'+').then_some(1)? };
        let hours = self.two_digits(14)?;
        let minutes = self.eat(b':').then(|| self.two_digits(59))??;
        let offset = i16::from(hours) * 60 + i16::from(minutes);
        (offset <= 14 * 60).then_some(sign * offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the four forms a text has, in the order date, dateTime, instant, time.
    fn forms(text: &str) -> String {
        let forms = [is_date(text), is_datetime(text), is_instant(text), is_time(text)];
        "dDit".chars().zip(forms).filter(|(_, is)| *is).map(|(letter, _)| letter).collect()
    }

    #[test]
    fn knows_the_forms() {
        let cases = [
            ("2018", "dD"),
            ("0001", "dD"),
            ("9999-12-31", "dD"),
            ("1973-06", "dD"),
            ("1905-08-23", "dD"),
            ("2000-02-29", "dD"),
            ("2016-02-29", "dD"),
            ("2015-02-07T13:28:17-05:00", "Di"),
            ("2015-02-07T13:28:17.239+02:00", "Di"),
            ("2017-01-01T00:00:00.000Z", "Di"),
            ("2016-12-31T23:59:60Z", "Di"),
            ("2015-02-07T13:28:17.1234567890123+14:00", "Di"),
            ("2015-02-07T13:28:17-13:59", "Di"),
            ("2015-02-07T13:28:17-00:00", "Di"),
            ("13:28:17", "t"),
            ("00:00:00.0", "t"),
            ("23:59:60", "t"),
        ];
        for (text, expected) in cases {
            assert_eq!(forms(text), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_has_no_form() {
        let cases = [
            "",
            "0000",
            "201",
            "20180",
            "2018-",
            "2018-1",
            "2018-00",
            "2018-13",
            "2018-01-",
            "2018-01-00",
            "2018-01-32",
            "2018-04-31",
            "2017-02-29",
            "1900-02-29",
            "2018-1-01",
            "2018-01-1",
            "2018/01/01",
            " 2018",
            "2018 ",
            "-2018",
            "+2018",
            "20180101",
            "2018-01-01T",
            "2018T",
            "2018-01T10:00:00Z",
            "2018-01-01T10:00:00",
            "2018-01-01T10:00Z",
            "2018-01-01T10Z",
            "2018-01-01t10:00:00Z",
            "2018-01-01T10:00:00z",
            "2018-01-01 10:00:00Z",
            "2018-01-01T24:00:00Z",
            "2018-01-01T10:60:00Z",
            "2018-01-01T10:00:61Z",
            "2018-01-01T10:00:00.Z",
            "2018-01-01T10:00:00,5Z",
            "2018-01-01T10:00:00+14:01",
            "2018-01-01T10:00:00+15:00",
            "2018-01-01T10:00:00+02",
            "2018-01-01T10:00:00+0200",
            "2018-01-01T10:00:00+2:00",
            "2018-01-01T10:00:00+02:60",
            "2018-01-01T10:00:00ZZ",
            "2018-01-01Z",
            "13:28",
            "13",
            "24:00:00",
            "13:28:17Z",
            "T13:28:17",
            "1:28:17",
            "13:28:61",
            "13:28:17.",
            "２０１８",
            "2018-é1",
        ];
        for text in cases {
            assert_eq!(forms(text), "", "{text}");
        }
    }
}
