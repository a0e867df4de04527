//! Number parameters, <https://hl7.org/fhir/R4/search.html#number>; quantities compare by the same rules.
//!
//! A number is a point, a Range is all between its ends. The row of a point is its key; a range has a row of two keys in the index
//! `range`, its missing ends lying beyond all numbers. A value searched for stands for all that rounds to it with `eq` and `ne`,
//! and for exactly itself with the other prefixes, as R4 says. `ap` is ten percent on either side.
//!
//! How much rounds to a number follows from its significant digits: 100 takes in 99.5 to 100.5. For `1e2` R4 gives 95 to 105, one
//! digit more than is written, and so does every number whose only digit stands left of the units.

use std::ops::Bound::{self, Excluded, Included, Unbounded};

use fhir::Decimal;
use fhir::fhirpath::Item;
use fhir::json::Node;
use store::{Filter, Index, Range, Test};

use super::item::{node, text, type_name};
use super::{BadValue, Prefix};
use crate::escape::unescape;
use crate::row::{self, Rows};

pub(super) const MODIFIERS: &[&str] = &["missing"];

const FORM: &str = "a number such as `100` or `5.4e-3`, after a prefix such as `ge` if wanted";
pub(super) const RANGE: &str = "range";

/// Bytes that sort as the numbers do, of one length; they tell numbers of up to 24 significant digits apart.
pub(super) type Key = [u8; KEY_LENGTH];

pub(super) const KEY_LENGTH: usize = 16;

/// What a missing end of a range stands for: no number has such a key.
pub(super) const ENDS: (Key, Key) = ([0; KEY_LENGTH], [u8::MAX; KEY_LENGTH]);

pub(super) fn rows(item: &Item<'_>, index: Index, rows: &mut Rows) {
    if type_name(item) == "Range" {
        if let Some((low, high)) = node(item).and_then(range) {
            rows.push(row::secondary(index, RANGE), [low, high].concat());
        }
    } else if let Some(key) = point(item) {
        rows.push(index, key.into());
    }
}

/// The key of a single number.
fn point(item: &Item<'_>) -> Option<Key> {
    match item {
        Item::Decimal(number) => Some(key(number)),
        item => Decimal::parse(&text(item)?).as_ref().map(key),
    }
}

/// The ends of a Range that has at least one.
fn range(node: Node<'_>) -> Option<(Key, Key)> {
    let end = |name| Decimal::parse(node.path(&[name, "value"])?.raw()).as_ref().map(key);
    match (end("low"), end("high")) {
        (None, None) => None,
        (low, high) => Some((low.unwrap_or(ENDS.0), high.unwrap_or(ENDS.1))),
    }
}

pub(super) fn key(number: &Decimal) -> Key {
    let mut key = [0; KEY_LENGTH];
    let ordered = number.order_key();
    let length = ordered.len().min(KEY_LENGTH);
    key[..length].copy_from_slice(&ordered[..length]);
    key
}

pub(super) fn filter(index: Index, value: &str) -> Result<Filter, BadValue> {
    let (prefix, number) = parse(value).ok_or(BadValue(FORM))?;
    Ok(filter_parsed(index, prefix, &number))
}

/// As [`filter`], for a value already read.
pub(super) fn filter_parsed(index: Index, prefix: Prefix, number: &Decimal) -> Filter {
    let points = Place { index, before: Vec::new(), after: None };
    let ranges = Place { index: row::secondary(index, RANGE), before: Vec::new(), after: None };
    compare(prefix, &Edges::of(number), &points, Some(&ranges))
}

pub(super) fn parse(value: &str) -> Option<(Prefix, Decimal)> {
    let text = unescape(value);
    let (prefix, number) = Prefix::split(&text)?;
    Some((prefix, Decimal::parse(number.strip_prefix('+').unwrap_or(number))?))
}

/// Where rows of numbers stand.
pub(super) struct Place {
    pub(super) index: Index,
    /// The bytes before the keys.
    pub(super) before: Vec<u8>,
    /// What the bytes after the key of a point must be.
    pub(super) after: Option<Range>,
}

/// The points and ranges that compare with a number as the prefix says.
pub(super) fn compare(prefix: Prefix, number: &Edges, points: &Place, ranges: Option<&Place>) -> Filter {
    let mut filters = Vec::new();
    for condition in conditions(prefix, number) {
        let (from, to) = condition.of_point();
        let mut point = row::between(points.index, &points.before, bytes(&from), bytes(&to));
        let skip = points.before.len() + KEY_LENGTH;
        point.test = points.after.clone().map(|range| Test::Tail { skip, range });
        filters.push(Filter::Match(point));

        let Some(ranges) = ranges else { continue };
        let Condition { low, high } = condition;
        let mut range = row::between(ranges.index, &ranges.before, bytes(&low.0), bytes(&low.1));
        range.test = Some(tail(ranges.before.len() + KEY_LENGTH, high));
        filters.push(Filter::Match(range));
    }
    Filter::Any(filters)
}

/// The test that the key after `skip` bytes lies between two bounds.
fn tail(skip: usize, (low, high): (Bound<Key>, Bound<Key>)) -> Test {
    Test::Tail { skip, range: Range { low: low.map(Vec::from), high: high.map(Vec::from) } }
}

/// A row for each pair of numbers: both keys.
pub(super) fn pair_rows(firsts: &[Item<'_>], seconds: &[Item<'_>], index: Index, rows: &mut Rows) {
    for first in firsts.iter().filter_map(point) {
        for second in seconds.iter().filter_map(point) {
            rows.push(index, [first, second].concat());
        }
    }
}

/// The pairs whose numbers compare with two values as their prefixes say.
pub(super) fn pair_filter(index: Index, first: &str, second: &str) -> Result<Filter, BadValue> {
    let points = |value| {
        let (prefix, number) = parse(value).ok_or(BadValue(FORM))?;
        let conditions = conditions(prefix, &Edges::of(&number));
        Ok::<Vec<_>, BadValue>(conditions.iter().map(Condition::of_point).collect())
    };
    let (firsts, seconds) = (points(first)?, points(second)?);
    let pairs = firsts.iter().flat_map(|first| seconds.iter().map(move |second| (*first, *second)));
    let filters = pairs.map(|((from, to), second)| {
        let mut pair = row::between(index, &[], bytes(&from), bytes(&to));
        pair.test = Some(tail(KEY_LENGTH, second));
        Filter::Match(pair)
    });
    Ok(row::any(filters.collect()))
}

fn bytes(bound: &Bound<Key>) -> Bound<&[u8]> {
    bound.as_ref().map(Key::as_slice)
}

/// What a number searched for stands for.
pub(super) struct Edges {
    exact: Key,
    /// The least number that rounds to it, and the least above it that does not.
    rounding: (Key, Key),
    /// From the least to the greatest number that is approximately the same.
    near: (Key, Key),
}

impl Edges {
    pub(super) fn of(number: &Decimal) -> Edges {
        Edges::each(number, |edge| key(&edge))
    }

    /// The same in another unit: each edge as `convert`, which keeps numbers in order, gives it. `None` when it fails on one.
    pub(super) fn converted(number: &Decimal, convert: impl Fn(Decimal) -> Option<Decimal>) -> Option<Edges> {
        let mut is_complete = true;
        let edges = Edges::each(number, |edge| {
            let converted = convert(edge);
            is_complete &= converted.is_some();
            converted.as_ref().map_or(ENDS.0, key)
        });
        is_complete.then_some(edges)
    }

    fn each(number: &Decimal, mut key: impl FnMut(Decimal) -> Key) -> Edges {
        let (least, beyond) = rounding_to(number);
        // Ten percent on either side, and at least what rounds to the number.
        let tenth = Decimal::new(number.mantissa(), number.scale() + 1).map(Decimal::abs);
        let from = tenth.and_then(|tenth| number.checked_sub(tenth)).unwrap_or(least).min(least);
        let to = tenth.and_then(|tenth| number.checked_add(tenth)).unwrap_or(beyond).max(beyond);
        Edges { exact: key(*number), rounding: (key(least), key(beyond)), near: (key(from), key(to)) }
    }
}

/// Where the ends of a range must lie. At most one end is bounded from below, and it is the low one where both could be.
struct Condition {
    low: (Bound<Key>, Bound<Key>),
    high: (Bound<Key>, Bound<Key>),
}

impl Condition {
    /// Where a point must lie, which is both ends of itself.
    fn of_point(&self) -> (Bound<Key>, Bound<Key>) {
        let Condition { low, high } = self;
        (if low.0 == Unbounded { high.0 } else { low.0 }, if high.1 == Unbounded { low.1 } else { high.1 })
    }
}

fn conditions(prefix: Prefix, number: &Edges) -> Vec<Condition> {
    const ANY: (Bound<Key>, Bound<Key>) = (Unbounded, Unbounded);
    let Edges { exact, rounding: (least, beyond), near: (from, to) } = *number;
    match prefix {
        Prefix::Eq => vec![Condition { low: (Included(least), Excluded(beyond)), high: (Unbounded, Excluded(beyond)) }],
        Prefix::Ne => vec![
            Condition { low: (Unbounded, Excluded(least)), high: ANY },
            Condition { low: ANY, high: (Included(beyond), Unbounded) },
        ],
        Prefix::Lt => vec![Condition { low: (Unbounded, Excluded(exact)), high: ANY }],
        Prefix::Le => vec![Condition { low: (Unbounded, Included(exact)), high: ANY }],
        Prefix::Gt => vec![Condition { low: ANY, high: (Excluded(exact), Unbounded) }],
        Prefix::Ge => vec![Condition { low: ANY, high: (Included(exact), Unbounded) }],
        Prefix::Sa => vec![Condition { low: (Excluded(exact), Unbounded), high: ANY }],
        Prefix::Eb => vec![Condition { low: ANY, high: (Unbounded, Excluded(exact)) }],
        Prefix::Ap => vec![Condition { low: (Unbounded, Included(to)), high: (Included(from), Unbounded) }],
    }
}

/// The least number that rounds to this one, and the least above it that does not.
fn rounding_to(number: &Decimal) -> (Decimal, Decimal) {
    let is_one_digit = number.scale() < 0 && number.mantissa().unsigned_abs() < 10;
    let finer = is_one_digit.then(|| number.at_scale(number.scale() + 1)).flatten();
    finer.unwrap_or(*number).implicit_range()
}

#[cfg(test)]
mod tests {
    use fhir::Decimal;

    use crate::testing::{check, check_prefixes, check_refused};

    fn charge(factor: &str) -> String {
        format!(
            r#"{{"resourceType":"ChargeItem","id":"c","status":"billable","code":{{"text":"x"}},"subject":{{"reference":"Patient/p"}},
            "factorOverride":{factor}}}"#
        )
    }

    #[test]
    fn compares_with_implicit_precision() {
        check_prefixes(
            &charge("100"),
            "factor-override",
            &[
                // eq ne gt lt ge le sa eb ap
                ("100", "y---yy--y"),
                ("100.00", "y---yy--y"),
                ("1.0e2", "y---yy--y"),
                ("99.5", "-yy-y-y-y"),
                ("100.5", "-y-y-y-yy"),
                ("101", "-y-y-y-yy"),
                ("99", "-yy-y-y-y"),
                ("90", "-yy-y-y--"),
                ("-100", "-yy-y-y--"),
                ("0", "-yy-y-y--"),
            ],
        );
        check_prefixes(
            &charge("99.7"),
            "factor-override",
            &[
                ("100", "y--y-y-yy"),
                ("100.0", "-y-y-y-yy"),
                ("99.7", "y---yy--y"),
                ("99.70", "y---yy--y"),
                ("99.65", "-yy-y-y-y"),
            ],
        );
        check_prefixes(
            &charge("-5.40"),
            "factor-override",
            &[("-5.4", "y---yy--y"), ("-5", "y--y-y-yy"), ("-6", "-yy-y-y-y"), ("5.4", "-y-y-y-y-")],
        );
        check_prefixes(
            &charge("0"),
            "factor-override",
            &[("0", "y---yy--y"), ("0.00", "y---yy--y"), ("1", "-y-y-y-y-")],
        );
        check_prefixes(&charge("99.5"), "factor-override", &[("100", "y--y-y-yy")]);
        check_prefixes(&charge("100.5"), "factor-override", &[("100", "-yy-y-y-y")]);
    }

    #[test]
    fn rounds_to_the_digits_given() {
        // A value searched for, the least number that rounds to it, and the least above that does not.
        let cases = [
            ("100", "99.5", "100.5"),
            ("100.00", "99.995", "100.005"),
            ("1e2", "95", "105"),
            ("1.0e2", "95", "105"),
            ("1.00e2", "99.5", "100.5"),
            ("2e3", "1950", "2050"),
            ("-1e2", "-105", "-95"),
            ("15e2", "1450", "1550"),
            ("1e0", "0.5", "1.5"),
            ("8e-1", "0.75", "0.85"),
            ("0.8", "0.75", "0.85"),
            ("0", "-0.5", "0.5"),
            ("-5.4", "-5.45", "-5.35"),
            ("+7", "6.5", "7.5"),
        ];
        let step = Decimal::parse("1e-9").expect("a number");
        for (value, least, beyond) in cases {
            let [least, beyond] = [least, beyond].map(|edge| Decimal::parse(edge).expect("a number"));
            let below = |edge: Decimal| edge.checked_sub(step).expect("small");
            let above = |edge: Decimal| edge.checked_add(step).expect("small");
            let near = [
                (below(least), false),
                (least, true),
                (above(least), true),
                (below(beyond), true),
                (beyond, false),
                (above(beyond), false),
            ];
            for (stored, expected) in near {
                let (eq, ne) = (format!("factor-override={value}"), format!("factor-override=ne{value}"));
                check(&charge(&stored.to_string()), &[(&eq, expected), (&ne, !expected)]);
            }
        }
    }

    #[test]
    fn every_prefix_has_its_edges() {
        // What a prefix says just below an edge, at it, and just above it.
        let cases = [
            ("gt", "100", "--y"),
            ("ge", "100", "-yy"),
            ("lt", "100", "y--"),
            ("le", "100", "yy-"),
            ("sa", "100", "--y"),
            ("eb", "100", "y--"),
            ("eq", "99.5", "-yy"),
            ("eq", "100.5", "y--"),
            ("ne", "99.5", "y--"),
            ("ne", "100.5", "-yy"),
            ("ap", "90", "-yy"),
            ("ap", "110", "yy-"),
        ];
        let step = Decimal::parse("1e-18").expect("a number");
        for (prefix, edge, expected) in cases {
            let edge = Decimal::parse(edge).expect("a number");
            let stored = [edge.checked_sub(step).expect("small"), edge, edge.checked_add(step).expect("small")];
            for (stored, letter) in stored.iter().zip(expected.chars()) {
                check(&charge(&stored.to_string()), &[(&format!("factor-override={prefix}100"), letter == 'y')]);
            }
        }
        // Ten percent of a number below zero, and of one whose own precision is wider.
        check(&charge("-110"), &[("factor-override=ap-100", true), ("factor-override=ap-99", false)]);
        check(&charge("1.5"), &[("factor-override=ap1", true), ("factor-override=ap1.0", false)]);
    }

    #[test]
    fn tells_close_numbers_apart() {
        check(
            &charge("0.100000000000000005"),
            &[
                ("factor-override=gt0.100000000000000004", true),
                ("factor-override=gt0.100000000000000005", false),
                ("factor-override=lt0.100000000000000006", true),
                ("factor-override=0.100000000000000005", true),
                ("factor-override=0.100000000000000006", false),
                ("factor-override=0.1", true),
                ("factor-override:missing=false", true),
            ],
        );
    }

    #[test]
    fn compares_ranges() {
        let risk = r#"{"resourceType":"RiskAssessment","id":"r","status":"final","subject":{"reference":"Patient/p"},
            "prediction":[{"probabilityRange":{"low":{"value":10},"high":{"value":20}}}]}"#;
        check_prefixes(
            risk,
            "probability",
            &[
                ("15", "-yyyyy--y"),
                ("10", "-yy-yy--y"),
                ("20", "-y-yyy--y"),
                ("9", "-yy-y-y--"),
                ("21", "-y-y-y-yy"),
                ("30", "-y-y-y-y-"),
            ],
        );
        let open = risk.replace(r#","high":{"value":20}"#, "");
        check_prefixes(&open, "probability", &[("1000", "-yyyyy--y"), ("9", "-yy-y-y--")]);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_refused(
            "ChargeItem",
            &[
                ("factor-override=", "parameter `factor-override` has the value ``, expected a number such as"),
                ("factor-override=ten", "expected a number"),
                ("factor-override=1.", "expected a number"),
                ("factor-override=1,x", "the value `x`"),
                ("factor-override=1|mg", "expected a number"),
                ("factor-override=~1", "expected a number"),
                ("factor-override=1e999999", "expected a number"),
                ("factor-override:not=1", "modifier `:not` of `factor-override` is unknown, allowed are :missing"),
            ],
        );
    }
}
