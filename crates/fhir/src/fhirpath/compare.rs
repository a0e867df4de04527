//! Equality, equivalence and order of items, <http://hl7.org/fhirpath/N1/#equality>.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;

use super::evaluate::{Evaluated, Evaluation};
use super::{Collection, ElementNode, EvaluationError, Item, quantity};
use crate::json::{Kind, Node};
use crate::{Decimal, Definitions};

/// `=`; `None` where precision does not tell.
pub(super) fn equal(evaluation: &Evaluation<'_>, left: &Item<'_>, right: &Item<'_>) -> Evaluated<Option<bool>> {
    if let (Item::Element(left), Item::Element(right)) = (left, right) {
        return equal_elements(evaluation, left, right);
    }
    let definitions = evaluation.context.definitions;
    if let (Item::Element(element), Item::String(text)) | (Item::String(text), Item::Element(element)) = (left, right)
        && element.is_primitive()
        && let Some(value) = element.value
        && value.kind() == Kind::String
    {
        return Ok(Some(value.is_str(text)));
    }
    Ok(equal_values(&left.system(definitions), &right.system(definitions)))
}

fn equal_elements(
    evaluation: &Evaluation<'_>,
    left: &ElementNode<'_>,
    right: &ElementNode<'_>,
) -> Evaluated<Option<bool>> {
    let definitions = evaluation.context.definitions;
    if let (Some(left), Some(right)) = (left.value, right.value)
        && left.position() == right.position()
        && std::ptr::eq(left.document(), right.document())
    {
        return Ok(Some(true));
    }
    Ok(match (left.system(definitions), right.system(definitions)) {
        (Some(left), Some(right)) => equal_values(&left, &right),
        (None, None) => Some(match (left.value, right.value, left.sibling, right.sibling) {
            (Some(left), Some(right), ..) => equal_json(evaluation, left, right)?,
            (None, None, Some(left), Some(right)) => equal_json(evaluation, left, right)?,
            _ => false,
        }),
        _ => Some(false),
    })
}

fn equal_values(left: &Item<'_>, right: &Item<'_>) -> Option<bool> {
    match (left, right) {
        (Item::Boolean(left), Item::Boolean(right)) => Some(left == right),
        (Item::Integer(left), Item::Integer(right)) => Some(left == right),
        (Item::String(left), Item::String(right)) => Some(left == right),
        (Item::Quantity(left, left_unit), Item::Quantity(right, right_unit)) => {
            quantity::compare((*left, left_unit), (*right, right_unit)).map(Ordering::is_eq)
        }
        (Item::Time(left), Item::Time(right)) => left.compare(right).map(Ordering::is_eq),
        (Item::Date(left) | Item::DateTime(left), Item::Date(right) | Item::DateTime(right)) => {
            left.compare(right).map(Ordering::is_eq)
        }
        (Item::Type(..), Item::Type(..)) => Some(left.to_string() == right.to_string()),
        (Item::Element(_), _) | (_, Item::Element(_)) => Some(false),
        _ => Some(decimals(left, right).is_some_and(|(left, right)| left == right)),
    }
}

/// Both as decimals, when both are numbers.
pub(super) fn decimals(left: &Item<'_>, right: &Item<'_>) -> Option<(Decimal, Decimal)> {
    Some((decimal(left)?, decimal(right)?))
}

fn decimal(item: &Item<'_>) -> Option<Decimal> {
    match item {
        Item::Integer(value) => Some(Decimal::from(*value)),
        Item::Decimal(value) => Some(*value),
        _ => None,
    }
}

/// Deep equality; the order of members does not matter, that of items does. The depth of JSON bounds the recursion.
fn equal_json(evaluation: &Evaluation<'_>, left: Node<'_>, right: Node<'_>) -> Evaluated<bool> {
    evaluation.spend(1)?;
    if left.kind() != right.kind() {
        return Ok(false);
    }
    Ok(match left.kind() {
        Kind::Object => {
            let count = left.members().count();
            spend_lookups(evaluation, count)?;
            if count != right.members().count() {
                return Ok(false);
            }
            for (name, left) in left.members() {
                let Some(right) = right.get(name) else { return Ok(false) };
                if !equal_json(evaluation, left, right)? {
                    return Ok(false);
                }
            }
            true
        }
        Kind::Array => {
            if left.items().count() != right.items().count() {
                return Ok(false);
            }
            for (left, right) in left.items().zip(right.items()) {
                if !equal_json(evaluation, left, right)? {
                    return Ok(false);
                }
            }
            true
        }
        Kind::String => {
            evaluation.spend_text(left.raw().len())?;
            left.raw() == right.raw() || left.as_str() == right.as_str()
        }
        Kind::Number => {
            left.raw() == right.raw()
                || Decimal::parse(left.raw())
                    .zip(Decimal::parse(right.raw()))
                    .is_some_and(|(left, right)| left == right)
        }
        Kind::Boolean | Kind::Null => left.raw() == right.raw(),
    })
}

/// Each member is looked for among all: that is free for objects as FHIR has them.
fn spend_lookups(evaluation: &Evaluation<'_>, count: usize) -> Evaluated<()> {
    evaluation.spend(count.saturating_mul(count) / 64)
}

/// `=` for collections: `None` when either is empty or a pair of items cannot be told apart.
pub(super) fn equal_collections<'a>(
    evaluation: &Evaluation<'a>,
    left: &Collection<'a>,
    right: &Collection<'a>,
) -> Evaluated<Option<bool>> {
    if left.is_empty() || right.is_empty() {
        return Ok(None);
    }
    if left.len() != right.len() {
        return Ok(Some(false));
    }
    evaluation.spend(left.len())?;
    let mut is_known = true;
    for (left, right) in left.iter().zip(right) {
        match equal(evaluation, left, right)? {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => is_known = false,
        }
    }
    Ok(is_known.then_some(true))
}

/// `~` for collections: the same items in any order.
pub(super) fn equivalent_collections<'a>(
    evaluation: &Evaluation<'a>,
    left: &Collection<'a>,
    right: &Collection<'a>,
) -> Evaluated<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    let mut unmatched: SmallVec<[&Item<'a>; 8]> = right.iter().collect();
    for left in left {
        evaluation.spend(unmatched.len())?;
        let matching = position(&unmatched, |right| equivalent(evaluation, left, right))?;
        match matching {
            Some(position) => unmatched.swap_remove(position),
            None => return Ok(false),
        };
    }
    Ok(true)
}

/// `~` for two items: case and white space of strings do not count, nor digits beyond the less precise number.
fn equivalent(evaluation: &Evaluation<'_>, left: &Item<'_>, right: &Item<'_>) -> Evaluated<bool> {
    let definitions = evaluation.context.definitions;
    Ok(match (left.system(definitions), right.system(definitions)) {
        (Item::String(left), Item::String(right)) => normalized(&left).eq(normalized(&right)),
        (Item::Quantity(left, left_unit), Item::Quantity(right, right_unit)) => {
            quantity::equivalent((left, &left_unit), (right, &right_unit))
        }
        (left @ (Item::Integer(_) | Item::Decimal(_)), right @ (Item::Integer(_) | Item::Decimal(_))) => {
            decimals(&left, &right).is_some_and(|(left, right)| quantity::equivalent_decimals(left, right))
        }
        (Item::Element(left), Item::Element(right)) => match (left.value, right.value) {
            (Some(left), Some(right)) => equivalent_json(evaluation, left, right)?,
            _ => equal_elements(evaluation, &left, &right)? == Some(true),
        },
        (left, right) => equal_values(&left, &right) == Some(true),
    })
}

/// The place of the first item that fulfills a criterion.
fn position<T>(items: &[T], mut criterion: impl FnMut(&T) -> Evaluated<bool>) -> Evaluated<Option<usize>> {
    for (at, item) in items.iter().enumerate() {
        if criterion(item)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn normalized(text: &str) -> impl Iterator<Item = char> {
    let words = text.split_whitespace().enumerate();
    words.flat_map(|(at, word)| (at > 0).then_some(' ').into_iter().chain(word.chars().flat_map(char::to_lowercase)))
}

/// Deep equivalence: an element's id does not count, nor the order of items.
fn equivalent_json(evaluation: &Evaluation<'_>, left: Node<'_>, right: Node<'_>) -> Evaluated<bool> {
    evaluation.spend(1)?;
    match (left.kind(), right.kind()) {
        (Kind::Object, Kind::Object) => {
            let counted = |node: Node<'_>| node.members().filter(|(name, _)| *name != "id").count();
            let count = counted(left);
            spend_lookups(evaluation, count)?;
            if count != counted(right) {
                return Ok(false);
            }
            for (name, left) in left.members().filter(|(name, _)| *name != "id") {
                let Some(right) = right.get(name) else { return Ok(false) };
                if !equivalent_json(evaluation, left, right)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Kind::Array, Kind::Array) => {
            let mut unmatched: Vec<Node<'_>> = right.items().collect();
            if left.items().count() != unmatched.len() {
                return Ok(false);
            }
            for left in left.items() {
                match position(&unmatched, |right| equivalent_json(evaluation, left, *right))? {
                    Some(position) => unmatched.swap_remove(position),
                    None => return Ok(false),
                };
            }
            Ok(true)
        }
        (Kind::String, Kind::String) => {
            evaluation.spend_text(left.raw().len())?;
            Ok(match (left.as_str(), right.as_str()) {
                (Some(left), Some(right)) => normalized(&left).eq(normalized(&right)),
                _ => false,
            })
        }
        _ => equal_json(evaluation, left, right),
    }
}

/// The order of two values of one type; `Ok(None)` where precision or units do not tell, an error for values without an order.
pub(super) fn order(definitions: &Definitions, left: &Item<'_>, right: &Item<'_>) -> Evaluated<Option<Ordering>> {
    let (left, right) = (left.system(definitions), right.system(definitions));
    match (&left, &right) {
        (Item::Integer(left), Item::Integer(right)) => Ok(Some(left.cmp(right))),
        (Item::String(left), Item::String(right)) => Ok(Some(left.cmp(right))),
        (Item::Quantity(left, left_unit), Item::Quantity(right, right_unit)) => {
            Ok(quantity::compare((*left, left_unit), (*right, right_unit)))
        }
        (Item::Date(left) | Item::DateTime(left), Item::Date(right) | Item::DateTime(right)) => Ok(left.compare(right)),
        (Item::Time(left), Item::Time(right)) => Ok(left.compare(right)),
        _ => match decimals(&left, &right) {
            Some((left, right)) => Ok(Some(left.cmp(&right))),
            None => Err(EvaluationError::new(format!("{left:?} and {right:?} have no order"))),
        },
    }
}

/// Collections up to this length are searched item by item, longer ones by hash.
const LINEAR_LENGTH_MAX: usize = 8;

/// A growing set of items under `=`, in the order of their arrival.
pub(super) struct ItemSet<'a> {
    pub(super) items: Collection<'a>,
    /// Positions in `items` by hash, once there are too many to search.
    by_hash: FxHashMap<u64, SmallVec<[u32; 1]>>,
}

impl<'a> ItemSet<'a> {
    pub(super) fn new() -> ItemSet<'a> {
        ItemSet { items: Collection::new(), by_hash: FxHashMap::default() }
    }

    /// The set of a collection's items.
    pub(super) fn of(evaluation: &Evaluation<'a>, items: Collection<'a>) -> Evaluated<ItemSet<'a>> {
        let mut set = ItemSet::new();
        for item in items {
            set.insert(evaluation, item)?;
        }
        Ok(set)
    }

    pub(super) fn contains(&self, evaluation: &Evaluation<'a>, item: &Item<'a>) -> Evaluated<bool> {
        if self.items.len() <= LINEAR_LENGTH_MAX {
            evaluation.spend(self.items.len())?;
            return Ok(position(&self.items, |known| Ok(equal(evaluation, known, item)? == Some(true)))?.is_some());
        }
        let Some(candidates) = self.by_hash.get(&hash(evaluation, item)?) else { return Ok(false) };
        evaluation.spend(candidates.len())?;
        let is_equal = |at: &u32| Ok(equal(evaluation, &self.items[*at as usize], item)? == Some(true));
        Ok(position(candidates, is_equal)?.is_some())
    }

    /// True when the item was not in the set before.
    pub(super) fn insert(&mut self, evaluation: &Evaluation<'a>, item: Item<'a>) -> Evaluated<bool> {
        if self.contains(evaluation, &item)? {
            return Ok(false);
        }
        evaluation.push(&mut self.items, item)?;
        let length = self.items.len();
        if length > LINEAR_LENGTH_MAX {
            // The first item past the linear length brings the earlier ones into the table.
            let first = if length == LINEAR_LENGTH_MAX + 1 { 0 } else { length - 1 };
            for at in first..length {
                self.by_hash.entry(hash(evaluation, &self.items[at])?).or_default().push(at as u32);
            }
        }
        Ok(true)
    }
}

/// Drops items that equal an earlier one.
pub(super) fn distinct<'a>(evaluation: &Evaluation<'a>, items: Collection<'a>) -> Evaluated<Collection<'a>> {
    if items.len() < 2 {
        return Ok(items);
    }
    Ok(ItemSet::of(evaluation, items)?.items)
}

/// Equal items have equal hashes. What can be equal without looking alike (dates, quantities) shares one hash.
fn hash(evaluation: &Evaluation<'_>, item: &Item<'_>) -> Evaluated<u64> {
    let mut hasher = FxHasher::default();
    match item.system(evaluation.context.definitions) {
        Item::String(text) => {
            evaluation.spend_text(text.len())?;
            text.hash(&mut hasher);
        }
        Item::Boolean(value) => value.hash(&mut hasher),
        Item::Integer(value) => value.hash(&mut hasher),
        Item::Decimal(value) => match value.to_i64() {
            Some(value) => value.hash(&mut hasher),
            None => "Decimal".hash(&mut hasher),
        },
        Item::Date(_) | Item::DateTime(_) => "DateTime".hash(&mut hasher),
        Item::Element(element) => {
            let node = element.value.or(element.sibling);
            evaluation.spend_text(node.map_or(0, |node| node.span().len()))?;
            node.map(hash_json).hash(&mut hasher);
        }
        other => other.system_type().hash(&mut hasher),
    }
    Ok(hasher.finish())
}

/// Equal JSON has equal hashes: members count in any order. The depth of JSON bounds the recursion.
fn hash_json(node: Node<'_>) -> u64 {
    let mut hasher = FxHasher::default();
    match node.kind() {
        Kind::Object => {
            let member = |(name, value): (&str, Node<'_>)| {
                let mut hasher = FxHasher::default();
                (name, hash_json(value)).hash(&mut hasher);
                hasher.finish()
            };
            node.members().map(member).fold(0u64, u64::wrapping_add).hash(&mut hasher);
        }
        Kind::Array => node.items().for_each(|item| hash_json(item).hash(&mut hasher)),
        Kind::String => node.as_str().hash(&mut hasher),
        Kind::Number => Decimal::parse(node.raw()).and_then(|value| value.to_i64()).hash(&mut hasher),
        Kind::Boolean | Kind::Null => node.raw().hash(&mut hasher),
    }
    hasher.finish()
}
