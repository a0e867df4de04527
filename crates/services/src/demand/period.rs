//! The days that figures are about.

use fhir::{DateTime, Instant, IssueType, Outcome};

/// How many days one call may ask about.
pub(super) const DAYS_MAX: i64 = 92;

/// A day, in microseconds.
pub(super) const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Whole days of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    first: Instant,
    /// Where the last day ends.
    pub(super) end: Instant,
}

impl Period {
    /// From the first day to the last, each a date.
    pub(super) fn new(start: &str, end: &str) -> Result<Period, Outcome> {
        let (first, last) = (date("start", start)?, date("end", end)?);
        let days = (last.0 - first.0) / DAY + 1;
        if !(1..=DAYS_MAX).contains(&days) {
            let text = format!("from `start` to `end` are {days} days, from 1 to {DAYS_MAX} are answered");
            return Err(Outcome::new(IssueType::BadRequest, text));
        }
        Ok(Period { first, end: Instant(last.0 + DAY) })
    }

    /// Each day, by the instant at which it begins.
    pub(super) fn days(self) -> impl Iterator<Item = Instant> {
        (0..(self.end.0 - self.first.0) / DAY).map(move |day| Instant(self.first.0 + day * DAY))
    }

    /// The search parameters for an instant of the period.
    pub(super) fn within(self, name: &str) -> String {
        between(name, self.first, self.end)
    }
}

/// The search parameters for an instant from one to before another.
pub(super) fn between(name: &str, from: Instant, to: Instant) -> String {
    format!("{name}=ge{}&{name}=lt{}", from.to_rfc3339(), to.to_rfc3339())
}

fn date(name: &str, text: &str) -> Result<Instant, Outcome> {
    let date = if fhir::is_date(text) && text.len() == "2027-03-01".len() { DateTime::parse(text) } else { None };
    date.map(|date| date.range().0).ok_or_else(|| {
        let text = format!("the input `{name}` is {}, not a day such as `2027-03-01`", fhir::outcome::quoted(text));
        Outcome::new(IssueType::BadRequest, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_days() {
        let cases = [
            ("2027-03-01", "2027-03-01", Some(1)),
            ("2027-03-01", "2027-03-31", Some(31)),
            ("2027-01-01", "2027-04-02", Some(92)),
            ("2027-01-01", "2027-04-03", None),
            ("2027-03-02", "2027-03-01", None),
            ("2027-03", "2027-03-01", None),
            ("2027-02-30", "2027-03-01", None),
            ("", "2027-03-01", None),
        ];
        for (start, end, days) in cases {
            assert_eq!(Period::new(start, end).ok().map(|period| period.days().count()), days, "{start} {end}");
        }
    }
}
