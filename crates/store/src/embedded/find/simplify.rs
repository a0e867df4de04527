//! Leaving out conditions that others imply: a search in one collection mostly names an index that only this collection has.

use super::node::Node;
use crate::embedded::homes::{self, MIXED};
use crate::embedded::layout::Collection;
use crate::embedded::tables::View;
use crate::{Index, StoreError};

/// The same filter without those parts of its conjunction that every document has which satisfies the others.
pub(super) fn without_implied<'f>(view: View<'_>, node: Node<'f>) -> Result<Node<'f>, StoreError> {
    let mut parts = match node {
        Node::All(parts) => parts,
        Node::LinksTo(links, to) => return Ok(Node::LinksTo(links, Box::new(without_implied(view, *to)?))),
        Node::LinkedFrom(links, from) => return Ok(Node::LinkedFrom(links, Box::new(without_implied(view, *from)?))),
        node => return Ok(node),
    };
    for part in &mut parts {
        let joins = matches!(part, Node::LinksTo(..) | Node::LinkedFrom(..));
        if joins {
            *part = without_implied(view, std::mem::replace(part, Node::Nothing))?;
        }
    }
    let mut at = 0;
    while at < parts.len() {
        if is_implied(view, &parts, at)? {
            parts.remove(at);
        } else {
            at += 1;
        }
    }
    Ok(Node::all(parts.into_iter()))
}

/// Whether the part is a row that all documents of a collection have, and another part lies in this collection.
fn is_implied(view: View<'_>, parts: &[Node<'_>], at: usize) -> Result<bool, StoreError> {
    let Node::Equal(index, value) = &parts[at] else { return Ok(false) };
    let Some(home) = home(view, &parts[at])? else { return Ok(false) };
    let Some(count) = view.kept_count(*index, value)? else { return Ok(false) };
    let documents = view.tables.collections.get(view.txn, home)?.and_then(Collection::decode);
    if documents.is_none_or(|collection| collection.documents != count) {
        return Ok(false);
    }
    for (other, part) in parts.iter().enumerate() {
        if other != at && self::home(view, part)? == Some(home) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The one collection in which all documents lie that satisfy the node, as far as can be told.
fn home<'t>(view: View<'t>, node: &Node<'_>) -> Result<Option<&'t [u8]>, StoreError> {
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

fn of_index<'t>(view: View<'t>, index: Index) -> Result<Option<&'t [u8]>, StoreError> {
    Ok(homes::read(view.txn, view.tables, index)?.filter(|home| *home != MIXED))
}
