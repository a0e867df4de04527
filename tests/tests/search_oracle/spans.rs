//! What a prefix says about a value that is a span, in the words of <https://hl7.org/fhir/R4/search.html#prefix>.

use super::truth::Truth;

/// The prefixes of R4; no prefix is `eq`.
pub(super) const PREFIXES: [&str; 9] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// The prefix and the rest of a value.
pub(super) fn split_prefix(value: &str) -> (&str, &str) {
    match value.get(..2).filter(|prefix| PREFIXES.contains(prefix)) {
        Some(prefix) => (prefix, &value[2..]),
        None => ("eq", value),
    }
}

/// From the first value inside to the last, or with `is_open` to the first one after; a missing end lies beyond all values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<T> {
    pub(super) low: Option<T>,
    pub(super) high: Option<T>,
    /// Whether `high` itself lies outside.
    pub(super) is_open: bool,
}

impl<T: Ord + Copy> Span<T> {
    pub(super) fn point(value: T) -> Span<T> {
        Span { low: Some(value), high: Some(value), is_open: false }
    }

    fn begins_before(&self, moment: T) -> bool {
        self.low.is_none_or(|low| low < moment)
    }

    fn ends_after(&self, span: &Span<T>) -> bool {
        match (self.high, span.high) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(high), Some(end)) => high > end || (high == end && span.is_open && !self.is_open),
        }
    }

    /// Whether all of `inner` lies in this span.
    fn contains(&self, inner: &Span<T>) -> bool {
        self.low.is_none_or(|low| !inner.begins_before(low)) && !inner.ends_after(self)
    }

    /// Whether all of this span comes before `other`.
    fn lies_before(&self, other: &Span<T>) -> bool {
        match (self.high, other.low) {
            (Some(high), Some(low)) => high < low || (high == low && self.is_open),
            _ => false,
        }
    }

    pub(super) fn overlaps(&self, other: &Span<T>) -> bool {
        !self.lies_before(other) && !other.lies_before(self)
    }

    /// What a prefix other than `ap` says of `target`, where this is the span of the search value.
    pub(super) fn compare(&self, prefix: &str, target: &Span<T>) -> Truth {
        let begins_before = self.low.is_some_and(|low| target.begins_before(low));
        let ends_after = target.ends_after(self);
        Some(match prefix {
            "eq" => self.contains(target),
            "ne" => !self.contains(target),
            "gt" => ends_after,
            "lt" => begins_before,
            "ge" => ends_after || self.contains(target),
            "le" => begins_before || self.contains(target),
            "sa" => self.lies_before(target),
            "eb" => target.lies_before(self),
            _ => panic!("`{prefix}` is no prefix"),
        })
    }
}
