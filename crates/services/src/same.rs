//! Whether two values of resources say the same.

use fhir::json::{Kind, Node};

/// Whether two values mean the same: members of objects in any order, texts and digits as they are.
pub(crate) fn same(one: Option<Node<'_>>, other: Option<Node<'_>>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one.is_none() && other.is_none() };
    match (one.kind(), other.kind()) {
        (Kind::Object, Kind::Object) => {
            let mut names = one.members().chain(other.members()).map(|(name, _)| name);
            names.all(|name| same(one.get(name), other.get(name)))
        }
        (Kind::Array, Kind::Array) => same_items(&one.items().collect::<Vec<_>>(), &other.items().collect::<Vec<_>>()),
        (Kind::String, Kind::String) => one.as_str() == other.as_str(),
        (kind, other_kind) => kind == other_kind && one.raw() == other.raw(),
    }
}

fn same_items(before: &[Node<'_>], after: &[Node<'_>]) -> bool {
    before.len() == after.len() && before.iter().zip(after).all(|(one, other)| same(Some(*one), Some(*other)))
}
