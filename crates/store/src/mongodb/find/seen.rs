//! Documents with their rows, and what they satisfy.

use mongodb::bson::RawDocument;

use crate::mongodb::layout::{self, DOCUMENTS};
use crate::{Filter, Index, Key, Row, StoreError};

pub(super) struct Seen {
    pub(super) number: i64,
    pub(super) key: Key,
    pub(super) rows: Vec<Row>,
    words: Vec<Row>,
}

impl Seen {
    pub(super) fn of_document(document: &RawDocument) -> Result<Seen, StoreError> {
        let damaged = || layout::damaged(DOCUMENTS);
        Ok(Seen {
            number: document.get_i64("n").map_err(|_| damaged())?,
            key: document.get_str("_id").ok().and_then(Key::parse).ok_or_else(damaged)?,
            rows: layout::rows(document, None)?,
            words: layout::words(document)?,
        })
    }

    /// Whether a row of this document, in one of `links`, names the other.
    fn names(&self, links: &[Index], other: &Seen, names: &[Index]) -> bool {
        let link = other.key.to_link();
        let is_named = |value: &[u8]| {
            value == link || other.rows.iter().any(|row| names.contains(&row.index) && row.value == value)
        };
        self.rows.iter().any(|row| links.contains(&row.index) && is_named(&row.value))
    }
}

/// Whether the document in this place satisfies a filter.
pub(super) fn satisfies(all: &[Seen], at: usize, filter: &Filter) -> bool {
    let seen = &all[at];
    match filter {
        Filter::All(filters) => filters.iter().all(|filter| satisfies(all, at, filter)),
        Filter::Any(filters) => filters.iter().any(|filter| satisfies(all, at, filter)),
        Filter::Not(filter) => !satisfies(all, at, filter),
        Filter::Match(_) | Filter::OneOf { .. } => filter.accepts(&seen.rows),
        Filter::Word { .. } => filter.accepts(&seen.words),
        Filter::LinksTo { links, names, to } => {
            let is_named = |other: &usize| seen.names(links, &all[*other], names);
            (0..all.len()).filter(is_named).any(|other| satisfies(all, other, to))
        }
        Filter::LinkedFrom { links, names, from } => {
            let names = |other: &usize| all[*other].names(links, seen, names);
            (0..all.len()).filter(names).any(|other| satisfies(all, other, from))
        }
    }
}
