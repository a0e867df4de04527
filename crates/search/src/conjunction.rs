//! Several conditions on one value: `start=ge2026-03-01&start=lt2026-03-02` as one range.
//!
//! Each condition is about any value of the parameter, so in general both stand side by side. Where a resource has at most one row
//! in each index of a parameter they are about the same row, and their ranges meet: one short scan instead of two long ones.

use std::ops::Bound;

use store::{Filter, Match, Range, Test};

use crate::row;

/// How many alternatives a filter may grow to; above, the conditions stay side by side.
const ALTERNATIVES_MAX: usize = 16;

/// Both of two filters over indexes in which a resource has at most one row each.
pub(crate) fn both(left: Filter, right: Filter) -> Filter {
    let (Some(lefts), Some(rights)) = (alternatives(&left), alternatives(&right)) else { return left.and(right) };
    if lefts.len() * rights.len() > ALTERNATIVES_MAX {
        return left.and(right);
    }
    let pairs = lefts.iter().flat_map(|left| rights.iter().map(move |right| (left, right)));
    row::any(pairs.filter_map(|(left, right)| meet(left, right)).map(all).collect())
}

/// A filter as alternatives of conditions that hold together; `None` when it has another form.
fn alternatives(filter: &Filter) -> Option<Vec<Vec<Match>>> {
    match filter {
        Filter::Any(filters) => filters.iter().map(together).collect(),
        filter => Some(vec![together(filter)?]),
    }
}

fn together(filter: &Filter) -> Option<Vec<Match>> {
    match filter {
        Filter::Match(wanted) => Some(vec![wanted.clone()]),
        Filter::All(filters) => {
            let matches = filters.iter().map(|filter| match filter {
                Filter::Match(wanted) => Some(wanted.clone()),
                _ => None,
            });
            matches.collect()
        }
        _ => None,
    }
}

fn all(mut matches: Vec<Match>) -> Filter {
    match matches.len() {
        1 => Filter::Match(matches.remove(0)),
        _ => Filter::All(matches.into_iter().map(Filter::Match).collect()),
    }
}

/// All conditions of both, those on one index as one; `None` when no row can satisfy them.
fn meet(left: &[Match], right: &[Match]) -> Option<Vec<Match>> {
    let mut met = left.to_vec();
    for wanted in right {
        let same = met.iter_mut().find_map(|other| {
            let test = (other.index == wanted.index).then(|| tests(&other.test, &wanted.test)).flatten()?;
            Some((other, test))
        });
        match same {
            Some((other, test)) => {
                other.range = narrowed(&other.range, &wanted.range);
                other.test = test;
                if is_empty(&other.range) {
                    return None;
                }
            }
            None => met.push(wanted.clone()),
        }
    }
    Some(met)
}

/// Both tests as one; `None` when there is no such test.
fn tests(left: &Option<Test>, right: &Option<Test>) -> Option<Option<Test>> {
    match (left, right) {
        (test, None) | (None, test) => Some(test.clone()),
        (Some(Test::Tail { skip, range }), Some(Test::Tail { skip: other, range: more })) if skip == other => {
            Some(Some(Test::Tail { skip: *skip, range: narrowed(range, more) }))
        }
        _ => None,
    }
}

fn narrowed(left: &Range, right: &Range) -> Range {
    let low = match (&left.low, &right.low) {
        (low, Bound::Unbounded) | (Bound::Unbounded, low) => low,
        (low @ (Bound::Included(a) | Bound::Excluded(a)), other @ (Bound::Included(b) | Bound::Excluded(b))) => {
            if a > b || (a == b && matches!(low, Bound::Excluded(_))) { low } else { other }
        }
    };
    let high = match (&left.high, &right.high) {
        (high, Bound::Unbounded) | (Bound::Unbounded, high) => high,
        (high @ (Bound::Included(a) | Bound::Excluded(a)), other @ (Bound::Included(b) | Bound::Excluded(b))) => {
            if a < b || (a == b && matches!(high, Bound::Excluded(_))) { high } else { other }
        }
    };
    Range { low: low.clone(), high: high.clone() }
}

fn is_empty(range: &Range) -> bool {
    match (&range.low, &range.high) {
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => low >= high,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, query};
    use crate::{Criterion, Handling};

    #[test]
    fn a_day_of_slots_is_one_range() {
        let text = "start=ge2026-03-01&start=lt2026-03-02&status=free";
        let Criterion::Filter(Filter::All(parts)) = query("Slot", text, Handling::Strict).expect("valid").criterion
        else {
            panic!("not a conjunction")
        };
        // The type, the status and the time, which is either in the range or in the index of long spans.
        assert_eq!(parts.len(), 3);
        let Filter::Any(times) = &parts[2] else { panic!("{parts:?}") };
        assert_eq!(times.len(), 2);
        let ranges = times.iter().filter(|time| matches!(time, Filter::Match(Match { test: None, .. })));
        assert_eq!(ranges.count(), 1, "{times:?}");
    }

    #[test]
    fn agrees_with_conditions_side_by_side() {
        let slot = |start: &str| {
            format!(
                r#"{{"resourceType":"Slot","id":"s","schedule":{{"reference":"Schedule/1"}},"status":"free","start":"{start}","end":"2030-01-01T00:00:00Z",
                "meta":{{"lastUpdated":"{start}"}}}}"#
            )
        };
        let values = ["2026-03-01", "2026-03-01T12:00:00Z", "2026-03", "2025", "2027", "2026-03-02"];
        let prefixes = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];
        let conditions: Vec<_> =
            prefixes.iter().flat_map(|prefix| values.iter().map(move |value| format!("{prefix}{value}"))).collect();
        for start in ["2026-03-01T00:00:00Z", "2026-03-01T12:00:00.000Z", "2026-02-28T23:59:59Z"] {
            let rows = crate::testing::rows(&slot(start));
            for name in ["start", "_lastUpdated"] {
                let accepts = |text: &str| match query("Slot", text, Handling::Strict).expect("valid").criterion {
                    Criterion::Filter(filter) => filter.accepts(&rows),
                    _ => panic!("a join"),
                };
                let alone: Vec<_> = conditions.iter().map(|one| accepts(&format!("{name}={one}"))).collect();
                for (left, is_left) in conditions.iter().zip(&alone) {
                    for (right, is_right) in conditions.iter().zip(&alone) {
                        let text = format!("{name}={left}&{name}={right}");
                        assert_eq!(accepts(&text), *is_left && *is_right, "{text} on {start}");
                    }
                }
            }
        }
    }

    #[test]
    fn several_values_stay_apart() {
        let goal = r#"{"resourceType":"Goal","id":"g","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"Patient/p"},
            "target":[{"dueDate":"2013-01-01"},{"dueDate":"2015-01-01"}]}"#;
        check(goal, &[("target-date=gt2014&target-date=lt2014", true), ("target-date=2013&target-date=2015", true)]);
    }
}
