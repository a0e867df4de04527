//! FHIR's date, dateTime, instant and time: values with a precision, and so ranges on the time line,
//! <https://hl7.org/fhir/R4/datatypes.html#dateTime>.

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

/// How exactly a value was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

/// A calendar date of precision year, month or day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {/* private */}

/// A dateTime or instant of any precision, with its offset if given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {/* private */}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {/* private */}

impl DateTime {
    /// Parses `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, and times to the minute (search only), second or fraction with zone. The day must exist in its month;
    /// second 60 is allowed as R4's regular expression does.
    pub fn parse(_text: &str) -> Option<DateTime> {
        todo!()
    }
    /// The first instant of the value, and the first instant after it. A value without a zone is taken as UTC.
    pub fn range(&self) -> (Instant, Instant) {
        todo!()
    }
    /// How exactly it was given.
    pub fn precision(&self) -> Precision {
        todo!()
    }
}

impl Instant {
    /// `2026-03-01T09:00:00.000Z`: 24 characters, milliseconds, UTC.
    pub fn to_rfc3339(self) -> String {
        todo!()
    }
}
