//! Commit times as the text that stands in a document.

use bytes::{Bytes, BytesMut};

use crate::Millis;

/// The length of [`timestamp`]'s text in bytes.
pub(crate) const STAMP_LENGTH: usize = 24;

/// The last millisecond whose year has four digits.
pub(crate) const TIME_MAX: Millis = 253_402_300_799_999;

const DAY_MILLIS: i64 = 86_400_000;

/// A time as `2026-03-01T09:00:00.000Z`. Times outside the years 0 to 9999 are moved to the nearest that fits.
pub(crate) fn timestamp(time: Millis) -> [u8; STAMP_LENGTH] {
    const YEAR_ZERO: Millis = -62_167_219_200_000;
    let time = time.clamp(YEAR_ZERO, TIME_MAX);
    let (year, month, day) = civil(time.div_euclid(DAY_MILLIS));
    let millis = time.rem_euclid(DAY_MILLIS);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    write_digits(&mut text[0..4], year);
    write_digits(&mut text[5..7], month);
    write_digits(&mut text[8..10], day);
    write_digits(&mut text[11..13], millis / 3_600_000);
    write_digits(&mut text[14..16], millis / 60_000 % 60);
    write_digits(&mut text[17..19], millis / 1000 % 60);
    write_digits(&mut text[20..23], millis % 1000);
    text
}

/// A body with the time at its place. Copies it only when the caller still holds it.
pub(crate) fn stamped(body: Bytes, at: usize, time: Millis) -> Bytes {
    let mut body = body.try_into_mut().unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
    body[at..at + STAMP_LENGTH].copy_from_slice(&timestamp(time));
    body.freeze()
}

fn write_digits(place: &mut [u8], mut value: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years begin in March here, so that the leap day is the last of its year; 400 years are one era of 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_times() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_772_355_600_123, "2026-03-01T09:00:00.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (TIME_MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "0000-01-01T00:00:00.000Z"),
        ];
        for (time, expected) in cases {
            assert_eq!(std::str::from_utf8(&timestamp(time)).unwrap(), expected, "{time}");
        }
    }
}
