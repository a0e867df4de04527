//! What the documents of each collection have had in common ever since: in which indexes they have rows, in which of these no document has
//! had several, and which rows each of them has had. So a search can tell that one condition already implies another, and that a row is
//! the only one of its document.
//!
//! What is noted only ever widens, so that it seldom changes and is written with the commit that changes it: a home says what no document
//! does. The state counts these changes, and so tells whether what a process remembers is what the database has.

use std::collections::BTreeMap;
use std::sync::Arc;

use mongodb::bson::{RawArrayBuf, RawDocument, RawDocumentBuf, doc, rawdoc};
use mongodb::options::FindOptions;
use rustc_hash::{FxHashMap, FxHashSet};

use super::layout::{self, STATE};
use super::text;
use super::updates::Updates;
use super::view::View;
use crate::{Index, Row, StoreError};

/// What the `_id` of a home begins with; the name of the collection follows.
const HOME: &str = "home/";

/// What follows the `_id` of every home.
const HOME_END: &str = "home0";

/// How many rows are watched whether all documents have them, those with the shortest values of the first document.
const ALWAYS_MAX: usize = 8;

/// Of one collection.
#[derive(Clone, Debug, Default, PartialEq)]
struct Home {
    /// The texts of rows that each document has had; `None` before the first.
    always: Option<Vec<String>>,
    /// The indexes in which documents have had rows, and whether one has had several.
    indexes: FxHashMap<Index, bool>,
}

impl Home {
    /// Notes that a document has these rows, which are sorted; whether that is news.
    fn note(&mut self, rows: &[Row]) -> bool {
        let mut is_news = false;
        for same in rows.chunk_by(|a, b| a.index == b.index) {
            let repeats = same.len() > 1;
            let known = self.indexes.get(&same[0].index).copied();
            if known.is_none_or(|known| repeats && !known) {
                self.indexes.insert(same[0].index, repeats);
                is_news = true;
            }
        }
        match &mut self.always {
            None => {
                let mut shortest: Vec<_> = rows.iter().collect();
                shortest.sort_by_key(|row| row.value.len());
                shortest.truncate(ALWAYS_MAX);
                self.always = Some(shortest.into_iter().map(|row| text::of_row(row.index, &row.value)).collect());
                is_news = true;
            }
            Some(always) => {
                let before = always.len();
                always.retain(|text| text::to_row(text).is_some_and(|row| rows.binary_search(&row).is_ok()));
                is_news |= always.len() < before;
            }
        }
        is_news
    }

    fn to_document(&self, collection: &str) -> RawDocumentBuf {
        let (mut always, mut once, mut several) = (RawArrayBuf::new(), RawArrayBuf::new(), RawArrayBuf::new());
        self.always.iter().flatten().for_each(|text| always.push(text.as_str()));
        for (index, repeats) in &self.indexes {
            if *repeats { &mut several } else { &mut once }.push(i64::from(index.0));
        }
        rawdoc! { "_id": id(collection), "always": always, "once": once, "several": several }
    }

    /// A home with the name of its collection.
    fn of_document(document: &RawDocument) -> Option<(String, Home)> {
        let collection = document.get_str("_id").ok()?.strip_prefix(HOME)?;
        let mut home = Home { always: Some(Vec::new()), indexes: FxHashMap::default() };
        for text in document.get_array("always").ok()? {
            home.always.get_or_insert_default().push(text.ok()?.as_str()?.to_owned());
        }
        for (field, repeats) in [("once", false), ("several", true)] {
            for index in document.get_array(field).ok()? {
                home.indexes.insert(Index(u32::try_from(index.ok()?.as_i64()?).ok()?), repeats);
            }
        }
        Some((collection.to_owned(), home))
    }
}

fn id(collection: &str) -> String {
    format!("{HOME}{collection}")
}

/// What the writer remembers of homes. Must be cleared when what it noted is not committed.
#[derive(Default)]
pub(super) struct Homes {
    /// How many changes it knows of.
    changes: i64,
    homes: FxHashMap<String, Home>,
    changed: FxHashSet<String>,
}

impl Homes {
    pub(super) fn clear(&mut self) {
        *self = Homes::default();
    }

    /// Makes ready for noting documents of these collections, at so many changes.
    pub(super) fn read<'c>(
        &mut self,
        view: &mut View,
        changes: i64,
        collections: impl Iterator<Item = &'c str>,
    ) -> Result<(), StoreError> {
        if self.changes != changes {
            self.clear();
            self.changes = changes;
        }
        let missing: FxHashSet<_> = collections.filter(|collection| !self.homes.contains_key(*collection)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = missing.iter().map(|collection| id(collection)).collect();
        self.homes.extend(missing.into_iter().map(|collection| (collection.to_owned(), Home::default())));
        let mut cursor = view.find(STATE, doc! { "_id": { "$in": ids } }, FindOptions::default())?;
        while let Some(document) = view.next(&mut cursor)? {
            self.homes.extend([Home::of_document(document).ok_or_else(|| layout::damaged(STATE))?]);
        }
        Ok(())
    }

    /// Notes that a document of a collection has these rows, which are sorted.
    pub(super) fn note(&mut self, collection: &str, rows: &[Row]) {
        if let Some(home) = self.homes.get_mut(collection)
            && home.note(rows)
            && !self.changed.contains(collection)
        {
            self.changed.insert(collection.to_owned());
        }
    }

    /// Writes what has changed, and says how many changes there are then.
    pub(super) fn finish(&mut self, view: &mut View) -> Result<i64, StoreError> {
        if self.changed.is_empty() {
            return Ok(self.changes);
        }
        let mut updates = Updates::new(STATE);
        for collection in self.changed.drain() {
            let home = self.homes.get(&collection).map(|home| home.to_document(&collection));
            let u = home.ok_or_else(|| layout::damaged(STATE))?;
            updates.push(view, rawdoc! { "q": { "_id": id(&collection) }, "u": u, "upsert": true })?;
        }
        updates.flush(view)?;
        self.changes += 1;
        Ok(self.changes)
    }
}

/// What a search knows of homes.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Whether it is all that there is to know.
    is_whole: bool,
    /// The only collection whose documents have had rows in the index; none where there are several. And whether one had several.
    indexes: FxHashMap<Index, (Option<Arc<str>>, bool)>,
    always: BTreeMap<Arc<str>, Vec<String>>,
}

impl Known {
    /// What the database has, as this view sees it.
    pub(super) fn read(view: &mut View) -> Result<Known, StoreError> {
        let mut known = Known { is_whole: true, ..Known::default() };
        let filter = doc! { "_id": { "$gte": HOME, "$lt": HOME_END } };
        let mut cursor = view.find(STATE, filter, FindOptions::default())?;
        while let Some(document) = view.next(&mut cursor)? {
            let (collection, home) = Home::of_document(document).ok_or_else(|| layout::damaged(STATE))?;
            let collection: Arc<str> = collection.into();
            for (index, repeats) in home.indexes {
                let at = known.indexes.entry(index).or_insert_with(|| (Some(collection.clone()), false));
                at.0.take_if(|home| *home != collection);
                at.1 |= repeats;
            }
            known.always.insert(collection, home.always.unwrap_or_default());
        }
        Ok(known)
    }

    /// The only collection whose documents have had rows in the index.
    pub(super) fn home(&self, index: Index) -> Option<&str> {
        self.indexes.get(&index)?.0.as_deref()
    }

    /// Whether documents may have rows in the index.
    pub(super) fn may_have(&self, index: Index) -> bool {
        !self.is_whole || self.indexes.contains_key(&index)
    }

    /// Whether no document has had several rows in the index.
    pub(super) fn is_single(&self, index: Index) -> bool {
        self.indexes.get(&index).is_none_or(|(_, repeats)| !repeats)
    }

    /// Whether all documents of the collection have this row.
    pub(super) fn is_always(&self, collection: &str, index: Index, value: &[u8]) -> bool {
        let text = text::of_row(index, value);
        self.always.get(collection).is_some_and(|always| always.contains(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: u32, value: &str) -> Row {
        Row { index: Index(index), value: value.into() }
    }

    #[test]
    fn notes_only_news() {
        let mut home = Home::default();
        // The rows of one document after the other, and whether they are news.
        let cases = [
            (vec![row(1, ""), row(2, "a"), row(3, "longer")], true),
            (vec![row(1, ""), row(2, "a"), row(3, "longer")], false),
            (vec![row(1, ""), row(2, "b"), row(3, "longer")], true),
            (vec![row(1, ""), row(2, "a"), row(3, "longer")], false),
            (vec![row(1, ""), row(2, "a"), row(2, "b"), row(3, "longer")], true),
            (vec![row(1, ""), row(2, "a"), row(3, "longer"), row(4, "")], true),
            (vec![row(1, "")], true),
            (vec![row(1, "")], false),
            (vec![], true),
            (vec![row(1, "")], false),
        ];
        for (number, (rows, is_news)) in cases.into_iter().enumerate() {
            assert_eq!(home.note(&rows), is_news, "document {number}");
        }
        assert_eq!(home.always, Some(vec![]));
        let repeats: BTreeMap<_, _> = home.indexes.iter().map(|(index, repeats)| (index.0, *repeats)).collect();
        assert_eq!(repeats, BTreeMap::from([(1, false), (2, true), (3, false), (4, false)]));
        assert_eq!(Home::of_document(&home.to_document("P")), Some(("P".to_owned(), home)));
    }
}
