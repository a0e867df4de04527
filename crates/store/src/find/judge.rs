//! Judging one document with the filter as it was given: its lists of values may be long, and to make it ready to run would cost more than
//! the document is worth.

use crate::{Filter, Index};

/// Whether rows, sorted, satisfy a filter; `None` when that rests on words or on other documents.
pub(crate) fn by_rows(filter: &Filter, rows: &[(Index, &[u8])]) -> Option<bool> {
    match filter {
        Filter::All(filters) => {
            for filter in filters {
                if !by_rows(filter, rows)? {
                    return Some(false);
                }
            }
            Some(true)
        }
        Filter::Any(filters) => {
            for filter in filters {
                if by_rows(filter, rows)? {
                    return Some(true);
                }
            }
            Some(false)
        }
        Filter::Not(filter) => by_rows(filter, rows).map(|holds| !holds),
        Filter::Match(wanted) => Some(values(rows, wanted.index).any(|value| wanted.accepts(value))),
        Filter::OneOf { index, values: wanted } => {
            let is_wanted = |value: &[u8]| wanted.binary_search_by(|wanted| wanted.as_slice().cmp(value)).is_ok();
            Some(values(rows, *index).any(is_wanted))
        }
        Filter::Word { .. } | Filter::LinksTo { .. } | Filter::LinkedFrom { .. } => None,
    }
}

/// The values in one index.
fn values<'r>(rows: &[(Index, &'r [u8])], index: Index) -> impl Iterator<Item = &'r [u8]> {
    let from = rows.partition_point(|(at, _)| *at < index);
    rows[from..].iter().take_while(move |(at, _)| *at == index).map(|(_, value)| *value)
}
