//! What `_sort` says about two resources, <https://hl7.org/fhir/R4/search.html#sort>.

use std::cmp::Ordering;

use fhir::Decimal;
use fhir::definitions::SearchKind;

use super::spans::Span;
use super::values;
use super::world::{World, parameter};

/// One parameter to sort by.
#[derive(Clone)]
pub(super) struct By {
    pub(super) code: &'static str,
    pub(super) descending: bool,
}

/// What decides the place of a value, and all that the resource's values are.
#[derive(Clone)]
struct SortKey {
    first: Ordered,
    all: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ordered {
    Number(Decimal),
    Time(i64),
    Text(String),
    Code(String),
}

/// Whether the resource at `left` may come just before the one at `right`. Where nothing is sorted, any order is right.
pub(super) fn may_precede(world: &World, sort: &[By], left: usize, right: usize) -> bool {
    if sort.is_empty() {
        return true;
    }
    for by in sort {
        let keys = [left, right].map(|place| sort_key(world, place, by));
        let [Ok(left), Ok(right)] = keys else { return true };
        match (left, right) {
            (None, None) => {}
            // What has no value comes last in both directions.
            (None, Some(_)) => return false,
            (Some(_), None) => return true,
            (Some(left), Some(right)) => match compare(&left.first, &right.first) {
                Some(Ordering::Equal) if left.all == right.all => {}
                // Values that differ in what the specification gives no order to.
                None | Some(Ordering::Equal) => return true,
                Some(order) => return (order == Ordering::Less) != by.descending,
            },
        }
    }
    left < right
}

/// Each code is compared with or without case, as its system likes.
fn compare(left: &Ordered, right: &Ordered) -> Option<Ordering> {
    match (left, right) {
        (Ordered::Code(one), Ordered::Code(other)) => {
            let folded = [one, other].map(|code| code.to_lowercase());
            let order = one.cmp(other);
            let orders = [folded[0].cmp(&folded[1]), one.cmp(&folded[1]), folded[0].cmp(other)];
            (order == Ordering::Equal || orders == [order; 3]).then_some(order)
        }
        _ => Some(left.cmp(right)),
    }
}

/// The order of these values is the server's choice.
struct Unspecified;

/// Of several values the one that comes first in the direction of the sort.
fn sort_key(world: &World, place: usize, by: &By) -> Result<Option<SortKey>, Unspecified> {
    let mut keys = Vec::new();
    let mut all = Vec::new();
    let parameter = parameter(world.resources[place].resource_type, by.code).expect("a parameter");
    for item in world.values(place, parameter).iter() {
        match parameter.kind {
            SearchKind::Number => {
                let number = values::number(item);
                all.push(format!("{number:?}"));
                keys.extend(number.map(number_key).transpose()?);
            }
            // Numbers of different units have no order.
            SearchKind::Quantity => return Err(Unspecified),
            SearchKind::Date => {
                let time = values::time(item).ok_or(Unspecified)?;
                all.push(format!("{time:?}"));
                keys.push(Ordered::Time(time.low.ok_or(Unspecified)?));
            }
            SearchKind::String => {
                let strings = values::strings(item);
                keys.extend(strings.iter().map(|text| Ordered::Text(values::fold(text))));
                all.extend(strings);
            }
            SearchKind::Uri => {
                let text = values::text(item).ok_or(Unspecified)?;
                all.push(text.clone());
                keys.push(Ordered::Text(text));
            }
            SearchKind::Token => {
                for token in values::tokens(item) {
                    all.push(format!("{token:?}"));
                    keys.push(Ordered::Code(token.code.ok_or(Unspecified)?));
                }
            }
            SearchKind::Reference | SearchKind::Composite | SearchKind::Special => return Err(Unspecified),
        }
    }
    let first = if by.descending { keys.into_iter().max() } else { keys.into_iter().min() };
    Ok(first.map(|first| SortKey { first, all: all.join("\0") }))
}

fn number_key(span: Span<Decimal>) -> Result<Ordered, Unspecified> {
    match (span.low, span.high) {
        (Some(low), Some(high)) if low == high => Ok(Ordered::Number(low)),
        _ => Err(Unspecified),
    }
}
