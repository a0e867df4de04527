//! FHIR's date, dateTime, instant and time: values with a precision, and so ranges on the time line,
//! <https://hl7.org/fhir/R4/datatypes.html#dateTime>.

mod arithmetic;
mod instant;
mod moment;
mod parse;
mod time;

pub use arithmetic::CalendarUnit;
pub use instant::Instant;
pub use moment::DateTime;
pub use parse::{is_date, is_datetime, is_instant, is_time};
pub use time::Time;

/// How exactly a value was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the parts of a date and time speak for themselves")]
pub enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// A second with any number of decimals.
    Millisecond,
}
