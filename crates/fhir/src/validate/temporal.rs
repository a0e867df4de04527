//! The forms of date, dateTime, instant and time, <https://hl7.org/fhir/R4/datatypes.html#date>. Days must exist: R4 asks for valid dates.

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
pub(super) fn is_date(text: &[u8]) -> bool {
    split_date(text).is_some_and(|(_, rest)| rest.is_empty())
}

/// A date, or a full date with time and zone.
pub(super) fn is_date_time(text: &[u8]) -> bool {
    match split_date(text) {
        Some((_, [])) => true,
        Some((DateParts::Day, [b'T', time @ ..])) => is_zoned_time(time),
        _ => false,
    }
}

/// A full date with time and zone.
pub(super) fn is_instant(text: &[u8]) -> bool {
    matches!(split_date(text), Some((DateParts::Day, [b'T', time @ ..])) if is_zoned_time(time))
}

/// `hh:mm:ss`, with a fraction or without.
pub(super) fn is_time(text: &[u8]) -> bool {
    split_time(text).is_some_and(<[u8]>::is_empty)
}

enum DateParts {
    Year,
    Month,
    Day,
}

/// Takes a date from the front.
fn split_date(text: &[u8]) -> Option<(DateParts, &[u8])> {
    let (year, rest) = text.split_at_checked(4)?;
    let year = number(year).filter(|year| *year > 0)?;
    let [b'-', rest @ ..] = rest else { return Some((DateParts::Year, rest)) };
    let (month, rest) = rest.split_at_checked(2)?;
    let month = number(month).filter(|month| (1..=12).contains(month))?;
    let [b'-', rest @ ..] = rest else { return Some((DateParts::Month, rest)) };
    let (day, rest) = rest.split_at_checked(2)?;
    number(day).filter(|day| (1..=days(year, month)).contains(day))?;
    Some((DateParts::Day, rest))
}

/// Takes `hh:mm:ss` and a fraction from the front. Second 60 is a leap second.
fn split_time(text: &[u8]) -> Option<&[u8]> {
    let (&[h, hh, b':', m, mm, b':', s, ss], rest) = text.split_first_chunk::<8>()? else { return None };
    number(&[h, hh]).filter(|hour| *hour < 24)?;
    number(&[m, mm]).filter(|minute| *minute < 60)?;
    number(&[s, ss]).filter(|second| *second <= 60)?;
    let [b'.', fraction @ ..] = rest else { return Some(rest) };
    let end = fraction.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(fraction.len());
    (end > 0).then(|| &fraction[end..])
}

fn is_zoned_time(text: &[u8]) -> bool {
    match split_time(text) {
        Some(b"Z") => true,
        Some(&[b'+' | b'-', h, hh, b':', m, mm]) => match (number(&[h, hh]), number(&[m, mm])) {
            (Some(14), Some(minute)) => minute == 0,
            (Some(hour), Some(minute)) => hour < 14 && minute < 60,
            _ => false,
        },
        _ => false,
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_and_refuses() {
        // Text, and whether it is a date, a dateTime, an instant.
        let cases = [
            ("1973", [true, true, false]),
            ("1973-06", [true, true, false]),
            ("1905-08-23", [true, true, false]),
            ("2015-02-07T13:28:17-05:00", [false, true, true]),
            ("2015-02-07T13:28:17.239+02:00", [false, true, true]),
            ("2017-01-01T00:00:00.000Z", [false, true, true]),
            ("2016-12-31T23:59:60Z", [false, true, true]),
            ("2017-01-01T00:00:00+14:00", [false, true, true]),
            ("2020-02-29", [true, true, false]),
            ("2000-02-29", [true, true, false]),
            ("1900-02-29", [false; 3]),
            ("2021-02-29T00:00:00Z", [false; 3]),
            ("2021-04-31", [false; 3]),
            ("0000", [false; 3]),
            ("197", [false; 3]),
            ("19735", [false; 3]),
            ("1973-6", [false; 3]),
            ("1973-13", [false; 3]),
            ("1973-00", [false; 3]),
            ("1973-06-00", [false; 3]),
            ("1973-06-", [false; 3]),
            ("1973-06-1", [false; 3]),
            ("73-06-01", [false; 3]),
            ("01/06/1973", [false; 3]),
            ("2015T13:28:17Z", [false; 3]),
            ("2015-02-07T13:28:17", [false; 3]),
            ("2015-02-07T13:28Z", [false; 3]),
            ("2015-02-07 13:28:17Z", [false; 3]),
            ("2015-02-07T24:00:00Z", [false; 3]),
            ("2015-02-07T13:60:00Z", [false; 3]),
            ("2015-02-07T13:28:61Z", [false; 3]),
            ("2015-02-07T13:28:17.Z", [false; 3]),
            ("2015-02-07T13:28:17z", [false; 3]),
            ("2015-02-07T13:28:17+14:01", [false; 3]),
            ("2015-02-07T13:28:17+15:00", [false; 3]),
            ("2015-02-07T13:28:17+0500", [false; 3]),
            ("2015-02-07T13:28:17ZZ", [false; 3]),
            ("", [false; 3]),
            ("é", [false; 3]),
        ];
        for (text, expected) in cases {
            let bytes = text.as_bytes();
            assert_eq!([is_date(bytes), is_date_time(bytes), is_instant(bytes)], expected, "{text}");
        }
    }

    #[test]
    fn takes_and_refuses_times() {
        for text in ["00:00:00", "23:59:60", "09:30:00.5"] {
            assert!(is_time(text.as_bytes()), "{text}");
        }
        for text in ["24:00:00", "9:30:00", "09:30", "09:30:00Z", "09:30:00.", "09-30-00", ""] {
            assert!(!is_time(text.as_bytes()), "{text}");
        }
    }
}
