//! Ranges that hold few values become those values: then kept numbers tell how many documents there are, and their rows are in order of
//! creation. A token without its system is such a range, a code in each of the systems that have it.

use std::ops::Bound;

use super::node::Node;
use super::scan::{Reader, Way, row_bounds};
use crate::embedded::homes;
use crate::{Match, StoreError};

/// How many values a range may have to be replaced by them. Looking for them takes a row each and one more.
const VALUES_MAX: usize = 4;

/// The same filter, its ranges looked up.
pub(super) fn with_values<'f>(reader: &Reader<'f>, node: Node<'f>) -> Result<Node<'f>, StoreError> {
    let each = |nodes: Vec<Node<'f>>| {
        let nodes = nodes.into_iter().map(|node| with_values(reader, node));
        nodes.collect::<Result<Vec<_>, _>>().map(Vec::into_iter)
    };
    Ok(match node {
        Node::All(nodes) => Node::all(each(nodes)?),
        Node::Any(nodes) => Node::any(each(nodes)?),
        Node::Not(node) => with_values(reader, *node)?.not(),
        Node::LinksTo(links, to) => Node::joined(Node::LinksTo, links, with_values(reader, *to)?),
        Node::LinkedFrom(links, from) => Node::joined(Node::LinkedFrom, links, with_values(reader, *from)?),
        Node::Match(wanted) => match reader.values_in(wanted)? {
            Some(values) => {
                let fitting = values.into_iter().filter(|value| wanted.accepts(value));
                Node::any(fitting.map(|value| Node::Equal(wanted.index, value)))
            }
            None => Node::Match(wanted),
        },
        // Who asks for all that refers to something lists its names for many indexes that have never had a row.
        Node::OneOf(index, _) if homes::read(reader.view.txn, reader.view.tables, index)?.is_none() => Node::Nothing,
        node => node,
    })
}

impl<'t> Reader<'t> {
    /// The values of rows in a range, whether or not they pass the test; `None` when there are more than [`VALUES_MAX`].
    fn values_in(&self, wanted: &Match) -> Result<Option<Vec<&'t [u8]>>, StoreError> {
        let mut values: Vec<&[u8]> = Vec::new();
        loop {
            let (mut low, high) = row_bounds(&wanted.range);
            if let Some(last) = values.last() {
                low = Bound::Excluded((last, u64::MAX));
            }
            match self.rows(wanted.index, low, high, Way::Up)?.next() {
                None => return Ok(Some(values)),
                Some(_) if values.len() == VALUES_MAX => return Ok(None),
                Some(row) => values.push(row?.0),
            }
        }
    }
}
