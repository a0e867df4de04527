//! Date parameters: points and spans of time, <https://hl7.org/fhir/R4/search.html#date>.
//!
//! Every value is a span: the first microsecond of it and the first one after it. A row is both, eight ordered bytes each, so one
//! range on the start with a test on the end answers each prefix as R4 defines it for spans. A span without a start or an end
//! reaches to the end of time. What ends after a moment may have begun long before; so that such questions need not read the
//! whole index, spans longer than [`LONG`] have a row in the index `end` too, with the end first.
//!
//! A Timing counts from its first to its last moment. `ap` is what overlaps the value widened by its own length on either side.

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

/// Microseconds: a leap year, the longest span of a value that is no period.
const LONG: i64 = 366 * 24 * 3600 * 1_000_000;
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

    fn is_long(self) -> bool {
        self.end.saturating_sub(self.start) > LONG
    }

    fn around(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

pub(super) fn rows(item: &Item<'_>, index: Index, rows: &mut Rows) {
    let Some(span) = span(item) else { return };
    rows.push(index, [ordered(span.start), ordered(span.end)].concat());
    if span.is_long() {
        rows.push(row::secondary(index, END), [ordered(span.end), ordered(span.start)].concat());
    }
}

fn span(item: &Item<'_>) -> Option<Span> {
    match (item, type_name(item)) {
        (Item::Date(value) | Item::DateTime(value), _) => Some(Span::from(value)),
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

pub(super) fn filter(index: Index, value: &str) -> Result<Filter, BadValue> {
    let (prefix, wanted) = parse(value)?;
    let (start, end) = (ordered(wanted.start), ordered(wanted.end));
    let inside = tail(
        row::between(index, &[], Included(&start), Excluded(&end)),
        Range { low: Unbounded, high: Included(end.into()) },
    );
    let before = Filter::Match(row::between(index, &[], Unbounded, Excluded(&start)));
    Ok(match prefix {
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
        Prefix::Gt => ends_after(index, wanted.end, Span::ALL.end),
        Prefix::Ge => Filter::Any(vec![ends_after(index, wanted.end, Span::ALL.end), inside]),
        Prefix::Sa => Filter::Match(row::between(index, &[], Included(&end), Unbounded)),
        Prefix::Eb => tail(
            row::between(index, &[], Unbounded, Excluded(&start)),
            Range { low: Unbounded, high: Included(start.into()) },
        ),
        Prefix::Ap => {
            let length = wanted.end.saturating_sub(wanted.start);
            ends_after(index, wanted.start.saturating_sub(length), wanted.end.saturating_add(length))
        }
    })
}

/// The same for the index in which a store keeps commit times: one moment of eight bytes instead of a span.
pub(super) fn moment_filter(index: Index, value: &str) -> Result<Filter, BadValue> {
    let (prefix, wanted) = parse(value)?;
    let length = match prefix {
        Prefix::Ap => wanted.end.saturating_sub(wanted.start),
        _ => 0,
    };
    let (start, end) = (ordered(wanted.start.saturating_sub(length)), ordered(wanted.end.saturating_add(length)));
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

fn parse(value: &str) -> Result<(Prefix, Span), BadValue> {
    let text = unescape(value);
    let (prefix, date) = Prefix::split(&text).ok_or(BadValue(FORM))?;
    Ok((prefix, Span::parse(date).ok_or(BadValue(FORM))?))
}

/// Values that end after `moment` and start before `limit`.
fn ends_after(index: Index, moment: i64, limit: i64) -> Filter {
    let after = |moment: i64| Range { low: Excluded(ordered(moment).into()), high: Unbounded };
    // A value that ends later and is not long began less than that much earlier.
    let earliest = ordered(moment.saturating_sub(LONG));
    let limit_bytes = ordered(limit);
    let high = if limit == Span::ALL.end { Unbounded } else { Excluded(limit_bytes.as_slice()) };
    let short = tail(row::between(index, &[], Included(&earliest), high), after(moment));
    let long = row::between(row::secondary(index, END), &[], Excluded(&ordered(moment)), Unbounded);
    let begins_before = Range { low: Unbounded, high: Excluded(limit_bytes.into()) };
    let long = if limit == Span::ALL.end { Filter::Match(long) } else { tail(long, begins_before) };
    Filter::Any(vec![short, long])
}

/// With a condition on the second moment of the row.
fn tail(mut wanted: Match, range: Range) -> Filter {
    wanted.test = Some(Test::Tail { skip: LENGTH, range });
    Filter::Match(wanted)
}
