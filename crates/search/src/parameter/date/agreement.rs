//! Every prefix against its definition, written out naively, on values and dates of all kinds.

use fhir::Instant;

use super::{DAY, Span};
use crate::testing::{NOW, PREFIXES, check};

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit) as i64
    }

    /// A date as it is written, of any precision, with its first microsecond and the first one after it.
    fn date(&mut self) -> (String, i64, i64) {
        let (year, month, day) = (2010 + self.below(3), 1 + self.below(12), 1 + self.below(28));
        let months = |count: i64| {
            let days = |year: i64| if year % 4 == 0 { [31, 29] } else { [31, 28] };
            let before = |year: i64, month: i64| {
                let lengths = [&days(year)[..], &[31, 30, 31, 30, 31, 31, 30, 31, 30, 31]].concat();
                lengths.iter().take(month as usize - 1).sum::<i64>()
            };
            let years: i64 = (1970..year + (month + count - 1) / 12).map(|year| days(year)[1] + 337).sum();
            (years + before(year + (month + count - 1) / 12, (month + count - 1) % 12 + 1)) * DAY
        };
        let (hour, minute, second, milli) = (self.below(24), self.below(60), self.below(60), self.below(1000));
        let (zone, offset) = [("Z", 0), ("+01:00", 60), ("-05:30", -330), ("", 0)][self.below(4) as usize];
        let midnight = months(0) + (day - 1) * DAY;
        let minutes = midnight + (hour * 60 + minute - offset) * 60_000_000;
        let (date, time) = (format!("{year}-{month:02}-{day:02}"), format!("T{hour:02}:{minute:02}"));
        match self.below(6) {
            0 => (year.to_string(), months(1 - month), months(13 - month)),
            1 => (format!("{year}-{month:02}"), months(0), months(1)),
            2 => (date, midnight, midnight + DAY),
            3 => (format!("{date}{time}{zone}"), minutes, minutes + 60_000_000),
            4 => {
                let start = minutes + second * 1_000_000;
                (format!("{date}{time}:{second:02}{zone}"), start, start + 1_000_000)
            }
            _ => {
                let start = minutes + second * 1_000_000 + milli * 1000;
                (format!("{date}{time}:{second:02}.{milli:03}{zone}"), start, start + 1000)
            }
        }
    }

    /// A dateTime or Period as it stands in a resource, with its ends.
    fn value(&mut self) -> (String, i64, i64) {
        let (first, second) = (self.date(), self.date());
        let (first, second) = if first.1 <= second.1 { (first, second) } else { (second, first) };
        match self.below(5) {
            0 => (format!(r#""performedPeriod":{{"start":"{}"}}"#, first.0), first.1, i64::MAX),
            1 => (format!(r#""performedPeriod":{{"end":"{}"}}"#, first.0), i64::MIN, first.2),
            2 => (format!(r#""performedDateTime":"{}""#, first.0), first.1, first.2),
            _ => {
                let period = format!(r#""performedPeriod":{{"start":"{}","end":"{}"}}"#, first.0, second.0);
                (period, first.1, second.2)
            }
        }
    }
}

/// The definitions of the prefixes for ranges, word by word: of the value in the resource, and of the value searched for.
fn is_match(prefix: &str, (start, end): (i64, i64), (from, to): (i64, i64)) -> bool {
    let is_contained = from <= start && end <= to;
    let reaches_above = end > to;
    let reaches_below = start < from;
    match prefix {
        "eq" => is_contained,
        "ne" => !is_contained,
        "gt" => reaches_above,
        "lt" => reaches_below,
        "ge" => reaches_above || is_contained,
        "le" => reaches_below || is_contained,
        "sa" => start >= to,
        "eb" => end <= from,
        _ => {
            let (today, tomorrow) = (NOW.0 / DAY * DAY, (NOW.0 / DAY + 1) * DAY);
            let margin = if to <= today {
                today - to
            } else if from >= tomorrow {
                from - tomorrow
            } else {
                0
            } / 10;
            start < to + margin && end > from - margin
        }
    }
}

#[test]
fn agrees_with_the_definitions_of_the_prefixes() {
    let mut random = Random(1);
    let mut count = [0; 2];
    for _ in 0..100 {
        let (value, start, end) = random.value();
        let procedure = format!(
            r#"{{"resourceType":"Procedure","id":"p","status":"completed","subject":{{"reference":"Patient/p"}},{value}}}"#
        );
        // What is written finer than the edges of the value hits it from either side.
        let edges = [start, end].map(|edge| Instant(edge.clamp(0, 1 << 51)).to_string());
        let mut queries = Vec::new();
        for at in 0..12 {
            let (text, from, to) = random.date();
            let (text, from, to) = match edges.get(at) {
                Some(edge) => {
                    let edge_span = Span::parse(edge).expect("an instant");
                    (edge.clone(), edge_span.start, edge_span.end)
                }
                None => (text, from, to),
            };
            for prefix in PREFIXES {
                let expected = is_match(prefix, (start, end), (from, to));
                queries.push((format!("date={prefix}{text}"), expected));
                count[usize::from(expected)] += 1;
            }
        }
        let queries: Vec<_> = queries.iter().map(|(query, expected)| (query.as_str(), *expected)).collect();
        check(&procedure, &queries);
    }
    assert!(count.iter().all(|count| *count > 3_000), "{count:?}");
}
