//! Searching.
//!
//! Nothing here may make the server refuse a command, be it for its time: a search is also done within a commit, and a refused command ends
//! the transaction.

mod page;
mod seen;

use std::time::Instant;

use mongodb::bson::doc;
use mongodb::options::FindOptions;

use self::page::page;
use self::seen::Seen;
use super::layout::{self, DOCUMENTS};
use super::view::View;
use crate::{Counted, Examined, Filter, Find, Found, Index, Key, Limit, Step, StoreError, TooCostly};

/// The current documents that satisfy a filter.
pub(super) fn find(view: &mut View, find: &Find) -> Result<Found, StoreError> {
    let all = read(view, find)?;
    let hits = (0..all.len()).filter(|at| seen::satisfies(&all, *at, &find.filter)).map(|at| &all[at]).collect();
    let mut found = Found { rows: all.len() as u64, ..Found::default() };
    let count = page(view, find, hits, &mut found)?;
    if find.total != crate::Count::None {
        found.total = Some(Counted::exactly(count));
    }
    if find.explain {
        found.plan = vec![Step { verb: "look at each", index: None, rows: found.rows, left: Some(count) }];
    }
    Ok(found)
}

/// The newest version of a document, and what its rows say.
pub(super) fn examine(
    view: &mut View,
    key: &Key,
    filter: &Filter,
    values: &[Index],
) -> Result<Option<Examined>, StoreError> {
    let Some(document) = view.find_one(DOCUMENTS, doc! { "_id": key.as_str() }, None)? else { return Ok(None) };
    let version = layout::version(&document)?;
    if version.body.is_none() {
        return Ok(Some(Examined { version, accepted: false, rows: Vec::new() }));
    }
    let all = read(view, &Find::new(Filter::nothing(), 0))?;
    let at = all.iter().position(|seen| seen.key == *key).ok_or_else(|| layout::damaged(DOCUMENTS))?;
    let accepted = seen::satisfies(&all, at, filter);
    Ok(Some(Examined { version, accepted, rows: layout::rows(&document, Some(values))? }))
}

/// All documents that are there, in order of creation, without bodies.
fn read(view: &mut View, find: &Find) -> Result<Vec<Seen>, StoreError> {
    let too_costly = |limit| StoreError::TooCostly(TooCostly { index: None, limit });
    let options = FindOptions::builder().sort(doc! { "n": 1 }).projection(doc! { "b": 0 }).build();
    let mut cursor = view.find(DOCUMENTS, layout::is_current(), options)?;
    let mut all = Vec::new();
    while let Some(document) = view.next(&mut cursor)? {
        all.push(Seen::of_document(document)?);
        if all.len() as u64 > find.rows_max {
            return Err(too_costly(Limit::Rows(find.rows_max)));
        }
        if find.until.is_some_and(|until| Instant::now() > until) {
            return Err(too_costly(Limit::Time));
        }
    }
    Ok(all)
}
