//! Values that reach from one number to another.

use fhir::Decimal;
use fhir::json::Node;

use super::super::item::member;
use super::super::number::{self, Key};

/// A number that is one of the ends of a value.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// The value reaches beyond all numbers.
    Open,
    At(Decimal),
    Above(Decimal),
    Below(Decimal),
}

impl End {
    /// The key with `open` for an open end, and the number as `convert` gives it.
    pub(super) fn key(self, open: Key, convert: impl Fn(Decimal) -> Option<Decimal>) -> Option<Key> {
        // No number has a key of all zeros or all ones, so there is always one next to it.
        let next = |key: Key, up: bool| {
            let number = u128::from_be_bytes(key);
            if up { number.saturating_add(1) } else { number.saturating_sub(1) }.to_be_bytes()
        };
        match self {
            End::Open => Some(open),
            End::At(number) => convert(number).as_ref().map(number::key),
            End::Above(number) => convert(number).as_ref().map(|number| next(number::key(number), true)),
            End::Below(number) => convert(number).as_ref().map(|number| next(number::key(number), false)),
        }
    }
}

/// From one end to the other.
pub(super) type Span = (End, End);

/// What a series of samples reaches over, <https://hl7.org/fhir/R4/datatypes.html#SampledData>: each is `origin + factor * sample`;
/// `L` and `U` lie below and above the limits of detection, and `E` is no measurement.
pub(super) fn sampled(node: Node<'_>) -> Option<Span> {
    let origin = node.get("origin").and_then(|origin| decimal(origin, "value"))?;
    let factor = decimal(node, "factor").unwrap_or(Decimal::from(1));
    let value = |sample: &str| factor.checked_mul(Decimal::parse(sample)?)?.checked_add(origin);
    let limit = |name| decimal(node, name);
    let (lower, upper) = (limit("lowerLimit"), limit("upperLimit"));
    let data = member(node, "data")?;
    let values = data.split_ascii_whitespace().filter_map(|sample| match sample {
        "L" => lower,
        "U" => upper,
        sample => value(sample),
    });
    let (least, greatest) = values.fold(None, |reached: Option<(Decimal, Decimal)>, value| {
        Some(reached.map_or((value, value), |(least, greatest)| (least.min(value), greatest.max(value))))
    })?;
    let is_beyond =
        |sign, limit: Option<Decimal>| limit.is_none() && data.split_ascii_whitespace().any(|sample| sample == sign);
    let low = if is_beyond("L", lower) { End::Open } else { End::At(least) };
    let high = if is_beyond("U", upper) { End::Open } else { End::At(greatest) };
    Some((low, high))
}

pub(super) fn decimal(node: Node<'_>, name: &str) -> Option<Decimal> {
    Decimal::parse(node.get(name)?.raw())
}
