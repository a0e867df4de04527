//! Filters as conditions of the database.

use std::collections::BTreeSet;
use std::ops::Bound;

use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};

use super::pattern::Pattern;
use crate::mongodb::layout::is_current;
use crate::mongodb::text;
use crate::{Filter, Index, Match, Range, Test};

/// Which documents, as the database checks it.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Everything,
    Nothing,
    /// Those that satisfy this.
    Where(Where),
}

#[derive(Clone, Debug)]
pub(super) struct Where {
    pub(super) query: Document,
    /// Whether only documents with rows or words can satisfy it, which those that are deleted have not.
    pub(super) is_of_rows: bool,
    /// About how many bytes it has.
    bytes: usize,
}

/// How many bytes it takes to put a condition into another, about.
const FRAME: usize = 32;

/// What follows the text of every row of an index.
const AFTER: char = '\u{100}';

impl Condition {
    fn of_rows(query: Document) -> Condition {
        Condition::of(query, true)
    }

    fn of(query: Document, is_of_rows: bool) -> Condition {
        let bytes = RawDocumentBuf::try_from(&query).map_or(usize::MAX, |raw| raw.as_bytes().len());
        Condition::Where(Where { query, is_of_rows, bytes })
    }

    /// About how many bytes its query has.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Condition::Everything | Condition::Nothing => FRAME,
            Condition::Where(Where { bytes, .. }) => *bytes,
        }
    }

    /// Documents with one of these rows.
    pub(super) fn having_one_of(texts: BTreeSet<String>) -> Condition {
        let mut texts: Vec<_> = texts.into_iter().collect();
        match texts.len() {
            0 => Condition::Nothing,
            1 => Condition::of_rows(doc! { "r": texts.remove(0) }),
            _ => Condition::of_rows(doc! { "r": { "$in": texts } }),
        }
    }

    pub(super) fn having_word(index: Index, word: &[u8]) -> Condition {
        Condition::of_rows(doc! { "w": text::of_row(index, word) })
    }

    /// Documents with one of these keys, whether or not they are there.
    pub(super) fn having_key(keys: Vec<String>) -> Condition {
        match keys.is_empty() {
            true => Condition::Nothing,
            false => Condition::of(doc! { "_id": { "$in": keys } }, false),
        }
    }

    /// The current documents of these numbers.
    pub(super) fn having_number(numbers: Vec<i64>) -> Condition {
        match numbers.is_empty() {
            true => Condition::Nothing,
            false => Condition::of(doc! { "n": { "$in": numbers } }, false),
        }
    }

    /// Documents with a row that fits, but for a test that only [`Match::accepts`] knows: whether there is none such is the second part.
    pub(super) fn matching(wanted: &Match) -> (Condition, bool) {
        if let Some(value) = wanted.range.one_value() {
            let condition = match wanted.accepts(value) {
                true => Condition::of_rows(doc! { "r": text::of_row(wanted.index, value) }),
                false => Condition::Nothing,
            };
            return (condition, true);
        }
        if is_empty(&wanted.range) {
            return (Condition::Nothing, true);
        }
        let mut element = bounds(wanted.index, &wanted.range);
        let pattern = wanted.test.as_ref().map_or(Pattern::All, Pattern::of);
        let is_whole = pattern != Pattern::Unknown;
        match pattern {
            Pattern::None => return (Condition::Nothing, true),
            Pattern::Regex(regex) => {
                element.insert("$regex", regex);
                element.insert("$options", "s");
            }
            Pattern::All | Pattern::Unknown => {}
        }
        if let Some(Test::Ending { except, .. }) = &wanted.test
            && !except.is_empty()
        {
            let except = except.iter().map(|value| text::of_row(wanted.index, value));
            element.insert("$nin", except.collect::<Vec<_>>());
        }
        (Condition::of_rows(doc! { "r": { "$elemMatch": element } }), is_whole)
    }

    pub(super) fn not(self) -> Condition {
        match self {
            Condition::Everything => Condition::Nothing,
            Condition::Nothing => Condition::Everything,
            Condition::Where(Where { query, bytes, .. }) => Condition::Where(Where {
                query: doc! { "$nor": [query] },
                is_of_rows: false,
                bytes: bytes.saturating_add(FRAME),
            }),
        }
    }

    pub(super) fn all(conditions: impl IntoIterator<Item = Condition>) -> Condition {
        let mut queries = Vec::new();
        let mut bytes = FRAME;
        let mut is_of_rows = false;
        for condition in conditions {
            match condition {
                Condition::Everything => {}
                Condition::Nothing => return Condition::Nothing,
                Condition::Where(part) => {
                    is_of_rows |= part.is_of_rows;
                    bytes = bytes.saturating_add(FRAME).saturating_add(part.bytes);
                    queries.push(part.query);
                }
            }
        }
        match queries.len() {
            0 => Condition::Everything,
            1 => Condition::Where(Where { query: queries.remove(0), is_of_rows, bytes }),
            _ => Condition::Where(Where { query: doc! { "$and": queries }, is_of_rows, bytes }),
        }
    }

    pub(super) fn any(conditions: impl IntoIterator<Item = Condition>) -> Condition {
        let mut queries = Vec::new();
        let mut bytes = FRAME;
        let mut is_of_rows = true;
        for condition in conditions {
            match condition {
                Condition::Nothing => {}
                Condition::Everything => return Condition::Everything,
                Condition::Where(part) => {
                    is_of_rows &= part.is_of_rows;
                    bytes = bytes.saturating_add(FRAME).saturating_add(part.bytes);
                    queries.push(part.query);
                }
            }
        }
        match queries.len() {
            0 => Condition::Nothing,
            1 => Condition::Where(Where { query: queries.remove(0), is_of_rows, bytes }),
            _ => Condition::Where(Where { query: doc! { "$or": queries }, is_of_rows, bytes }),
        }
    }

    /// For current documents only; `None` where there can be none.
    pub(super) fn into_query(self) -> Option<Document> {
        match self {
            Condition::Everything => Some(is_current()),
            Condition::Nothing => None,
            Condition::Where(Where { query, is_of_rows: true, .. }) => Some(query),
            Condition::Where(Where { query, is_of_rows: false, .. }) => Some(doc! { "$and": [is_current(), query] }),
        }
    }
}

/// The texts of those alternatives that are single rows; the others.
pub(super) fn single_rows<'f>(filters: impl IntoIterator<Item = &'f Filter>) -> (BTreeSet<String>, Vec<&'f Filter>) {
    let mut texts = BTreeSet::new();
    let mut others = Vec::new();
    for filter in filters {
        match filter {
            Filter::Match(wanted) => match wanted.range.one_value() {
                Some(value) if wanted.accepts(value) => drop(texts.insert(text::of_row(wanted.index, value))),
                Some(_) => {}
                None => others.push(filter),
            },
            Filter::OneOf { index, values } => texts.extend(values.iter().map(|value| text::of_row(*index, value))),
            filter => others.push(filter),
        }
    }
    (texts, others)
}

/// What holds for the texts of rows whose value lies in the range.
fn bounds(index: Index, range: &Range) -> Document {
    let text = |value: &Vec<u8>| Bson::from(text::of_row(index, value));
    let (low, from) = match &range.low {
        Bound::Included(value) => ("$gte", text(value)),
        Bound::Excluded(value) => ("$gt", text(value)),
        Bound::Unbounded => ("$gte", Bson::from(text::of_index(index))),
    };
    let (high, to) = match &range.high {
        Bound::Included(value) => ("$lte", text(value)),
        Bound::Excluded(value) => ("$lt", text(value)),
        Bound::Unbounded => ("$lt", Bson::from(after(index))),
    };
    Document::from_iter([(low.to_owned(), from), (high.to_owned(), to)])
}

/// A text after those of all rows of an index and before those of the next.
pub(super) fn after(index: Index) -> String {
    let mut text = text::of_index(index);
    text.push(AFTER);
    text
}

/// Ranges turned inside out, which the database takes for an error where it is told to walk them.
pub(super) fn is_empty(range: &Range) -> bool {
    match (&range.low, &range.high) {
        (Bound::Unbounded, Bound::Excluded(high)) => high.is_empty(),
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low) | Bound::Excluded(low), Bound::Excluded(high) | Bound::Included(high)) => low >= high,
    }
}
