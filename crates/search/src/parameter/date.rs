//! Date parameters: points and spans of time, <https://hl7.org/fhir/R4/search.html#date>.
//!
//! Every value is a span: the first microsecond of it and the first one after it. A row is both, eight ordered bytes each, so one
//! range on the start with a test on the end answers each prefix as R4 defines it for spans. A span without a start or an end
//! reaches to the end of time. What ends after a moment may have begun long before; so that such questions need not read the
//! whole index, spans longer than a day have a row in the index `end` too, with the end first.
//!
//! A Timing counts from its first to its last moment, and an instant is a moment however it was written. `ap` is what overlaps the
//! value widened on either side by a tenth of what lies between it and today. What is given without a zone is UTC, on both sides.

use std::ops::Bound::{Excluded, Included, Unbounded};

use fhir::fhirpath::Item;
use fhir::json::Node;
use fhir::{DateTime, Instant};
use store::{Filter, Index, Match, Range, Test};

use super::item::{member, node, text, type_name};
use super::{BadValue, Prefix};
use crate::escape::unescape;
use crate::row::{self, Rows};

pub(super) const MODIFIERS: &[&str] = &["missing"];

const FORM: &str =
    "a date such as `2013`, `2013-01`, `2013-01-14` or `2013-01-14T10:00:00Z`, after a prefix such as `ge` if wanted";

/// Microseconds.
const DAY: i64 = 24 * 3600 * 1_000_000;

/// The longest span that has no row in the index `end`.
const LONG: i64 = DAY;
const END: &str = "end";
const LENGTH: usize = 8;

/// From the first microsecond to the first one after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: i64,
    end: i64,
}

impl Span {
    const ALL: Span = Span { start: i64::MIN, end: i64::MAX };

    fn parse(text: &str) -> Option<Span> {
        DateTime::parse(text).map(|value| Span::from(&value))
    }

    fn from(value: &DateTime) -> Span {
        let (Instant(start), Instant(end)) = value.range();
        Span { start, end }
    }

    /// The value as `ap` takes it. Now is the whole day, so that all pages of a search agree.
    fn approximately(self, Instant(now): Instant) -> Span {
        let today = now - now.rem_euclid(DAY);
        let gap = (self.start - (today + DAY)).max(today - self.end).max(0);
        Span { start: self.start - gap / 10, end: self.end + gap / 10 }
    }

    fn is_long(self) -> bool {
        self.end.saturating_sub(self.start) > LONG
    }

    fn around(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

pub(super) fn rows(item: &Item<'_>, index: Index, rows: &mut Rows) {
    if let Some(span) = span(item) {
        push(span, index, rows);
    }
}

fn push(span: Span, index: Index, rows: &mut Rows) {
    rows.push(index, [ordered(span.start), ordered(span.end)].concat());
    if span.is_long() {
        rows.push(row::secondary(index, END), [ordered(span.end), ordered(span.start)].concat());
    }
}

fn span(item: &Item<'_>) -> Option<Span> {
    match (item, type_name(item)) {
        (Item::Date(value) | Item::DateTime(value), _) => Some(Span::from(value)),
        (_, "instant") => Span::parse(&text(item)?).map(|Span { start, .. }| Span { start, end: start + 1 }),
        (_, "Period") => period(node(item)?),
        (_, "Timing") => timing(node(item)?),
        _ => Span::parse(&text(item)?),
    }
}

fn period(node: Node<'_>) -> Option<Span> {
    let side = |name| member(node, name).and_then(|text| Span::parse(&text));
    match (side("start"), side("end")) {
        (None, None) => None,
        (start, end) => Some(Span {
            start: start.map_or(Span::ALL.start, |span| span.start),
            end: end.map_or(Span::ALL.end, |span| span.end),
        }),
    }
}

fn timing(node: Node<'_>) -> Option<Span> {
    let events = node.get("event").into_iter().flat_map(Node::each);
    let bounds = node.path(&["repeat", "boundsPeriod"]).and_then(period);
    events.filter_map(|event| Span::parse(&event.as_str()?)).chain(bounds).reduce(Span::around)
}

/// Eight bytes in the order of time.
fn ordered(microseconds: i64) -> [u8; LENGTH] {
    (microseconds as u64 ^ 1 << 63).to_be_bytes()
}

pub(super) fn filter(index: Index, value: &str, now: Instant) -> Result<Filter, BadValue> {
    let (prefix, wanted) = parse(value, now)?;
    Ok(compare(index, prefix, wanted))
}

/// For [`Prefix::Ap`] the value is already widened.
fn compare(index: Index, prefix: Prefix, wanted: Span) -> Filter {
    let (start, end) = (ordered(wanted.start), ordered(wanted.end));
    let inside = tail(
        row::between(index, &[], Included(&start), Excluded(&end)),
        Range { low: Unbounded, high: Included(end.into()) },
    );
    let before = Filter::Match(row::between(index, &[], Unbounded, Excluded(&start)));
    match prefix {
        Prefix::Eq => inside,
        Prefix::Ne => Filter::Any(vec![
            before,
            tail(
                row::between(index, &[], Included(&start), Unbounded),
                Range { low: Excluded(end.into()), high: Unbounded },
            ),
        ]),
        Prefix::Lt => before,
        Prefix::Le => Filter::Any(vec![before, inside]),
        Prefix::Gt => row::any(ends_after(index, wanted.end, Span::ALL.end)),
        Prefix::Ge => {
            // What begins in the span or later lies inside it or ends after it; only what began before must be asked for its end.
            let mut later = vec![Filter::Match(row::between(index, &[], Included(&start), Unbounded))];
            later.extend(ends_after(index, wanted.end, wanted.start));
            row::any(later)
        }
        Prefix::Sa => Filter::Match(row::between(index, &[], Included(&end), Unbounded)),
        Prefix::Eb => tail(
            row::between(index, &[], Unbounded, Excluded(&start)),
            Range { low: Unbounded, high: Included(start.into()) },
        ),
        Prefix::Ap => row::any(ends_after(index, wanted.start, wanted.end)),
    }
}

/// What lies within a span: its first moment and the first one after it.
pub(crate) fn within(index: Index, (Instant(start), Instant(end)): (Instant, Instant)) -> Filter {
    compare(index, Prefix::Eq, Span { start, end })
}

/// What has a moment in common with a span.
pub(crate) fn overlapping(index: Index, (Instant(start), Instant(end)): (Instant, Instant)) -> Filter {
    compare(index, Prefix::Ap, Span { start, end })
}

/// The same for the index in which a store keeps commit times.
pub(crate) fn overlapping_moment(index: Index, (Instant(start), Instant(end)): (Instant, Instant)) -> Filter {
    Filter::range(index, Included(ordered(start).into()), Excluded(ordered(end).into()))
}

/// The same for the index in which a store keeps commit times: one moment of eight bytes instead of a span.
pub(super) fn moment_filter(index: Index, value: &str, now: Instant) -> Result<Filter, BadValue> {
    let (prefix, wanted) = parse(value, now)?;
    let (start, end) = (ordered(wanted.start), ordered(wanted.end));
    let before = Filter::range(index, Unbounded, Excluded(start.into()));
    let after = Filter::range(index, Included(end.into()), Unbounded);
    Ok(match prefix {
        Prefix::Eq | Prefix::Ap => Filter::range(index, Included(start.into()), Excluded(end.into())),
        Prefix::Ne => Filter::Any(vec![before, after]),
        Prefix::Lt | Prefix::Eb => before,
        Prefix::Gt | Prefix::Sa => after,
        Prefix::Ge => Filter::range(index, Included(start.into()), Unbounded),
        Prefix::Le => Filter::range(index, Unbounded, Excluded(end.into())),
    })
}

fn parse(value: &str, now: Instant) -> Result<(Prefix, Span), BadValue> {
    let text = unescape(value);
    let (prefix, date) = Prefix::split(&text).ok_or(BadValue(FORM))?;
    // A client that writes `+01:00` into a URL as it is means a plus and sends a space.
    let span = Span::parse(date).or_else(|| Span::parse(&date.replace(' ', "+")));
    let span = span.ok_or(BadValue(FORM))?;
    Ok((prefix, if prefix == Prefix::Ap { span.approximately(now) } else { span }))
}

/// Values that end after `moment` and start before `limit`; the few long ones come last.
fn ends_after(index: Index, moment: i64, limit: i64) -> Vec<Filter> {
    let (after, before) = (ordered(moment), ordered(limit));
    let end = Range { low: Excluded(after.into()), high: Unbounded };
    let start = Range { low: Unbounded, high: Excluded(before.into()) };
    let long = row::between(row::secondary(index, END), &[], Excluded(&after), Unbounded);
    let mut filters = Vec::new();
    // A value that ends later and is not long began less than that much earlier.
    let earliest = moment.saturating_sub(LONG);
    if earliest < limit {
        let high = if limit == Span::ALL.end { Unbounded } else { Excluded(before.as_slice()) };
        filters.push(tail(row::between(index, &[], Included(&ordered(earliest)), high), end));
    }
    filters.push(if limit == Span::ALL.end { Filter::Match(long) } else { tail(long, start) });
    filters
}

/// With a condition on the second moment of the row.
fn tail(mut wanted: Match, range: Range) -> Filter {
    wanted.test = Some(Test::Tail { skip: LENGTH, range });
    Filter::Match(wanted)
}

#[cfg(test)]
mod agreement;

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_prefixes, check_refused};

    #[test]
    fn compares_days() {
        let patient = r#"{"resourceType":"Patient","id":"p","birthDate":"1974-12-25"}"#;
        check_prefixes(
            patient,
            "birthdate",
            &[
                // eq ne gt lt ge le sa eb ap
                ("1974-12-25", "y---yy--y"),
                ("1974-12-24", "-yy-y-y-y"),
                ("1974-12-23", "-yy-y-y-y"),
                ("1974-12-26", "-y-y-y-yy"),
                ("1974-12", "y---yy--y"),
                ("1974", "y---yy--y"),
                ("1973", "-yy-y-y-y"),
                ("1975", "-y-y-y-yy"),
                ("1976", "-y-y-y-yy"),
                ("1974-12-25T10:00:00Z", "-yyyyy--y"),
                ("1974-12-25T00:00:00Z", "-yy-y---y"),
                ("1974-12-24T23:59:59Z", "-yy-y-y-y"),
                ("1974-12-26T00:00:00Z", "-y-y-y-yy"),
                ("1974-12-25T23:30:00-01:00", "-y-y-y-yy"),
                // A tenth of 65 and of 35 years.
                ("1960", "-yy-y-y--"),
                ("1990", "-y-y-y-y-"),
            ],
        );
    }

    #[test]
    fn compares_moments_and_zones() {
        let slot = r#"{"resourceType":"Slot","id":"s","schedule":{"reference":"Schedule/1"},"status":"free",
            "start":"2026-03-01T09:00:00.000+01:00","end":"2026-03-01T09:10:00+01:00"}"#;
        check_prefixes(
            slot,
            "start",
            &[
                ("2026-03-01T08:00:00Z", "y---yy--y"),
                ("2026-03-01T09:00:00+01:00", "y---yy--y"),
                ("2026-03-01T09:00:00 01:00", "y---yy--y"),
                ("2026-03-01T08:00:00.000Z", "y---yy--y"),
                ("2026-03-01T08:00Z", "y---yy--y"),
                ("2026-03-01T08:00", "y---yy--y"),
                ("2026-03-01T09:00:00Z", "-y-y-y-y-"),
                ("2026-03-01", "y---yy--y"),
                ("2026-02-28", "-yy-y-y--"),
                ("2026", "y---yy--y"),
            ],
        );
        check(
            slot,
            &[("start=ge2026-03-01&start=lt2026-03-02", true), ("start=ge2026-03-01&start=lt2026-03-01", false)],
        );
        check(slot, &[("start=lt2026,gt2027", false), ("start=lt2026,2026-03-01", true)]);
    }

    #[test]
    fn takes_fractions_leap_seconds_and_instants() {
        let procedure = |time: &str| {
            format!(
                r#"{{"resourceType":"Procedure","id":"p","status":"completed","subject":{{"reference":"Patient/p"}},"performedDateTime":"{time}"}}"#
            )
        };
        // A dateTime is as wide as it was written.
        check_prefixes(
            &procedure("2013-01-14T10:00:00.5Z"),
            "date",
            &[
                ("2013-01-14T10:00:00Z", "y---yy--y"),
                ("2013-01-14T10:00:00.5Z", "y---yy--y"),
                ("2013-01-14T10:00:00.50Z", "-yy-y---y"),
                ("2013-01-14T10:00:00.6Z", "-y-y-y-yy"),
                ("2013-01-14T10:00", "y---yy--y"),
                ("2013-01-14T10:00:00.5+00:00", "y---yy--y"),
                ("2013-01-14T09:59:59.999Z", "-yy-y-y-y"),
            ],
        );
        // A leap second is the first one of the next minute.
        check_prefixes(
            &procedure("2016-12-31T23:59:60Z"),
            "date",
            &[("2017-01-01T00:00:00Z", "y---yy--y"), ("2016-12-31T23:59:60Z", "y---yy--y"), ("2016", "-yy-y-y-y")],
        );
        // An instant is a point, so nothing finer comes after it and before the next one.
        let slot = r#"{"resourceType":"Slot","id":"s","schedule":{"reference":"Schedule/1"},"status":"free",
            "start":"2026-03-01T09:00:00Z","end":"2026-03-01T09:10:00Z"}"#;
        check_prefixes(
            slot,
            "start",
            &[
                ("2026-03-01T09:00:00.000000Z", "y---yy--y"),
                ("2026-03-01T09:00:00.5Z", "-y-y-y-y-"),
                ("2026-03-01T08:59:59.999Z", "-yy-y-y--"),
            ],
        );
    }

    #[test]
    fn each_value_of_a_list_has_its_prefix() {
        let patient = r#"{"resourceType":"Patient","id":"p","birthDate":"1974-12-25"}"#;
        check(
            patient,
            &[
                ("birthdate=lt1974,gt1975", false),
                ("birthdate=lt1974,gt1974-12-24", true),
                ("birthdate=1973,1974", true),
                ("birthdate=1973,1975", false),
                ("birthdate=ne1974,eb1975", true),
                ("birthdate:missing=true", false),
                ("birthdate:missing=false", true),
                ("death-date:missing=true", true),
            ],
        );
    }

    fn encounter(period: &str) -> String {
        format!(
            r#"{{"resourceType":"Encounter","id":"e","status":"planned","class":{{"code":"AMB"}},"period":{period}}}"#
        )
    }

    #[test]
    fn compares_periods() {
        let short = encounter(r#"{"start":"2013-01-10","end":"2013-01-20"}"#);
        check_prefixes(
            &short,
            "date",
            &[
                ("2013-01", "y---yy--y"),
                ("2013-01-15", "-yyyyy--y"),
                ("2013-01-10", "-yy-y---y"),
                ("2013-01-20", "-y-y-y--y"),
                ("2013-01-09", "-yy-y-y-y"),
                ("2013-01-21", "-y-y-y-yy"),
                ("2012", "-yy-y-y-y"),
            ],
        );
        let long = encounter(r#"{"start":"2010-06-01","end":"2013-01-20"}"#);
        check_prefixes(
            &long,
            "date",
            &[
                ("2012", "-yyyyy--y"),
                ("2010-06-01", "-yy-y---y"),
                ("2013-01-20", "-y-y-y--y"),
                ("2013-01-21", "-y-y-y-yy"),
                ("2013-02-21", "-y-y-y-yy"),
                ("2014", "-y-y-y-yy"),
                ("2015", "-y-y-y-y-"),
                ("2009", "-yy-y-y-y"),
                ("2008", "-yy-y-y-y"),
                ("2006", "-yy-y-y--"),
                ("2010", "-yy-y---y"),
            ],
        );
    }

    #[test]
    fn open_periods_reach_to_the_end_of_time() {
        let ongoing = encounter(r#"{"start":"2013-01-10"}"#);
        check_prefixes(
            &ongoing,
            "date",
            &[
                ("2013", "-yy-y---y"),
                ("2050", "-yyyyy--y"),
                ("2012", "-yy-y-y-y"),
                ("2011", "-yy-y-y-y"),
                ("2009", "-yy-y-y--"),
            ],
        );
        let ended = encounter(r#"{"end":"2013-01-10"}"#);
        check_prefixes(
            &ended,
            "date",
            &[("2013", "-y-y-y--y"), ("1950", "-yyyyy--y"), ("2014", "-y-y-y-yy"), ("2015", "-y-y-y-y-")],
        );
        check(
            &encounter(r#"{"id":"x"}"#),
            &[("date:missing=false", true), ("date=ne2000", false), ("date=lt2000", false)],
        );
    }

    #[test]
    fn each_value_of_several_counts_for_itself() {
        let request = r#"{"resourceType":"ServiceRequest","id":"r","status":"active","intent":"order","subject":{"reference":"Patient/p"},
            "occurrenceTiming":{"event":["2013-03-24","2013-01-31"]}}"#;
        check(
            request,
            &[
                // The outer limits of a timing count, not its parts.
                ("occurrence=2013-01-31", false),
                ("occurrence=2013", true),
                ("occurrence=ap2013-02-15", true),
                ("occurrence=gt2013-02-15", true),
                ("occurrence=lt2013-02-15", true),
                ("occurrence=sa2013-01-30", true),
                ("occurrence=eb2013-03-25", true),
            ],
        );
        let bounds = r#"{"resourceType":"ServiceRequest","id":"r","status":"active","intent":"order","subject":{"reference":"Patient/p"},
            "occurrenceTiming":{"repeat":{"boundsPeriod":{"start":"2013-01-31"},"frequency":1,"period":1,"periodUnit":"d"}}}"#;
        check(bounds, &[("occurrence=gt2020", true), ("occurrence=lt2013", false), ("occurrence:missing=false", true)]);
        let several = r#"{"resourceType":"Goal","id":"g","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"Patient/p"},
            "target":[{"dueDate":"2013-01-01"},{"dueDate":"2015-01-01"}]}"#;
        check(
            several,
            &[
                ("target-date=2013", true),
                ("target-date=2014", false),
                ("target-date=ne2013", true),
                ("target-date=gt2014&target-date=lt2014", true),
                ("target-date=2013&target-date=2015", true),
            ],
        );
    }

    #[test]
    fn compares_the_time_of_the_last_update() {
        let patient = r#"{"resourceType":"Patient","id":"p","meta":{"lastUpdated":"2026-03-01T09:00:00.123Z"}}"#;
        check_prefixes(
            patient,
            "_lastUpdated",
            &[
                ("2026-03-01", "y---yy--y"),
                ("2026-03-01T09:00:00.123Z", "y---yy--y"),
                ("2026-03-01T09:00:00Z", "y---yy--y"),
                ("2026-03-01T09:00:00.122Z", "-yy-y-y--"),
                ("2026-03-01T09:00:00.124Z", "-y-y-y-y-"),
                ("2026-02", "-yy-y-y--"),
                ("2025-12", "-yy-y-y--"),
                ("2027", "-y-y-y-y-"),
            ],
        );
        check(patient, &[("_lastUpdated:missing=true", false), ("_lastUpdated:missing=false", true)]);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_refused(
            "Patient",
            &[
                ("birthdate=2013-13", "parameter `birthdate` has the value `2013-13`, expected a date such as"),
                ("birthdate=2013-02-30", "expected a date"),
                ("birthdate=", "expected a date"),
                ("birthdate=ge", "expected a date"),
                ("birthdate=xx2013", "expected a date"),
                ("birthdate=>2013", "expected a date"),
                ("birthdate=13", "expected a date"),
                ("birthdate=2013-01-01T25:00:00Z", "expected a date"),
                ("birthdate=2013-01-01T24:00:00Z", "expected a date"),
                ("birthdate=2013-01-01T10Z", "expected a date"),
                ("birthdate=2013-01-01T10:60Z", "expected a date"),
                ("birthdate=2013-01-01T10:00:61Z", "expected a date"),
                ("birthdate=2013-01-01T10:00:00+15:00", "expected a date"),
                ("birthdate=0000", "expected a date"),
                ("birthdate=2013-00", "expected a date"),
                ("birthdate=2013-1-1", "expected a date"),
                ("birthdate=ge ge2013", "expected a date"),
                ("birthdate=2013,x", "the value `x`"),
                ("birthdate:exact=2013", "modifier `:exact` of `birthdate` is unknown, allowed are :missing"),
                ("_lastUpdated=yesterday", "parameter `_lastUpdated` has the value `yesterday`"),
            ],
        );
    }
}
