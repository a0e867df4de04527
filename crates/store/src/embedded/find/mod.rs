//! Searching: a planner over index rows.
//!
//! A [`node`] is the filter made ready, and [`simplify`] leaves out what goes without saying. [`set`] turns a node into the set of its
//! documents. [`page`] decides how to gather one page in [`order`]: by [`number`], or by a [`walk`] of a sort key's index. [`scan`] reads
//! rows and counts the cost.
//!
//! Where it is not known which of two ways is cheaper, the way that is cheap if it works is tried under a budget first, so that a search
//! costs at most a small multiple of the better one.

mod join;
mod node;
mod number;
mod order;
mod page;
mod scan;
mod set;
mod simplify;
mod walk;
mod word;

use super::tables::View;
use crate::{Find, Found, StoreError};

pub(super) fn find(view: View<'_>, find: &Find) -> Result<Found, StoreError> {
    let reader = scan::Reader::new(view, find);
    let node = node::Node::new(&find.filter, &|index, word| reader.word(index, word))?;
    let node = simplify::without_implied(view, node)?;
    page::Search::new(reader, &node, order::Order { keys: &find.sort }).run(find)
}
