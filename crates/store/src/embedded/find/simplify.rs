//! Leaving out conditions that others imply: a search in one collection mostly names an index that only this collection has.

use super::node::Node;
use crate::embedded::changes::{self, FREQUENT};
use crate::embedded::homes::{self, MIXED};
use crate::embedded::layout::Collection;
use crate::embedded::tables::View;
use crate::{Index, StoreError};

/// A frequent row.
pub(super) type FrequentRow<'f> = (Index, &'f [u8]);

/// The same filter without those parts of its conjunctions that every document has which satisfies the others, and a part of the
/// outermost that was left out: all that satisfy the filter have this row.
pub(super) fn without_implied<'f>(
    view: View<'_>,
    node: Node<'f>,
) -> Result<(Node<'f>, Option<FrequentRow<'f>>), StoreError> {
    let each = |parts: Vec<Node<'f>>| {
        let parts = parts.into_iter().map(|part| Ok(without_implied(view, part)?.0));
        parts.collect::<Result<Vec<_>, StoreError>>()
    };
    let inner = |node: Box<Node<'f>>| Ok::<_, StoreError>(Box::new(without_implied(view, *node)?.0));
    let mut parts = match node {
        Node::All(parts) => each(parts)?,
        Node::Any(parts) => return Ok((Node::Any(each(parts)?), None)),
        Node::Not(node) => return Ok((Node::Not(inner(node)?), None)),
        Node::LinksTo(links, to) => return Ok((Node::LinksTo(links, inner(to)?), None)),
        Node::LinkedFrom(links, from) => return Ok((Node::LinkedFrom(links, inner(from)?), None)),
        node => return Ok((node, None)),
    };
    let mut implied = None;
    let mut at = 0;
    while at < parts.len() {
        match parts[at] {
            Node::Equal(index, value) if is_implied(view, &parts, at)? => {
                implied = Some((index, value));
                parts.remove(at);
            }
            _ => at += 1,
        }
    }
    Ok((Node::all(parts.into_iter()), implied))
}

/// Whether the part is a row that all documents of a collection have, and another part lies in this collection.
fn is_implied(view: View<'_>, parts: &[Node<'_>], at: usize) -> Result<bool, StoreError> {
    let Some(home) = covered(view, &parts[at])? else { return Ok(false) };
    for (other, part) in parts.iter().enumerate() {
        if other != at && self::home(view, part)? == Some(home) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The collection whose documents are just those that satisfy the node, as far as can be told.
pub(super) fn covered<'t>(view: View<'t>, node: &Node<'_>) -> Result<Option<&'t [u8]>, StoreError> {
    let Node::Equal(index, value) = node else { return Ok(None) };
    let Some(home) = home(view, node)? else { return Ok(None) };
    let documents = documents(view, home)?;
    let count = match view.kept_count(*index, value)? {
        Some(count) => count,
        None if documents < 2 * FREQUENT => changes::count_rows(view, &[&index.0.to_be_bytes(), *value].concat())?,
        None => return Ok(None),
    };
    Ok((documents == count).then_some(home))
}

/// How many documents a collection has.
pub(super) fn documents(view: View<'_>, collection: &[u8]) -> Result<u64, StoreError> {
    let record = view.tables.collections.get(view.txn, collection)?;
    Ok(record.and_then(Collection::decode).map_or(0, |collection| collection.documents))
}

/// The one collection in which all documents lie that satisfy the node, as far as can be told.
pub(super) fn home<'t>(view: View<'t>, node: &Node<'_>) -> Result<Option<&'t [u8]>, StoreError> {
    match node {
        // A join has the rows of its links, but says too little of them to stand for a whole collection.
        Node::Everything | Node::Nothing | Node::Not(_) | Node::LinksTo(..) | Node::LinkedFrom(..) => Ok(None),
        Node::Equal(index, _) | Node::OneOf(index, _) | Node::Word(index, _) => of_index(view, *index),
        Node::Match(wanted) => of_index(view, wanted.index),
        Node::All(nodes) => {
            for node in nodes {
                if let Some(home) = home(view, node)? {
                    return Ok(Some(home));
                }
            }
            Ok(None)
        }
        Node::Any(nodes) => {
            let mut common = None;
            for node in nodes {
                match (home(view, node)?, common) {
                    (None, _) => return Ok(None),
                    (Some(home), Some(common)) if home != common => return Ok(None),
                    (home, _) => common = home,
                }
            }
            Ok(common)
        }
    }
}

pub(super) fn of_index<'t>(view: View<'t>, index: Index) -> Result<Option<&'t [u8]>, StoreError> {
    let home = homes::read(view.txn, view.tables, index)?;
    Ok(home.map(|home| home.collection).filter(|home| *home != MIXED))
}
