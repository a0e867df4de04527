//! The one language between search and the stores: boolean combinations of byte ranges over index rows, words and links, with sort, page
//! and count.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use crate::{Key, Place, Version};

/// A numbered index. The caller chooses numbers that never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(pub u32);

/// How many bytes the bodies on one page of a search or history may have; a single larger one has a page for itself.
pub const PAGE_BYTES_MAX: usize = 64 << 20;

/// The longest value of a row in bytes.
pub const VALUE_MAX: usize = 400;

/// The longest word in bytes.
pub const WORD_MAX: usize = 255;

/// One entry of an index for one document. A document may have many rows in one index; equal rows count once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    /// The index it stands in.
    pub index: Index,
    /// At most [`VALUE_MAX`] bytes, compared as bytes.
    pub value: Vec<u8>,
}

/// Which documents. `All` of nothing is every document, `Any` of nothing is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Those that satisfy each.
    All(Vec<Filter>),
    /// Those that satisfy at least one.
    Any(Vec<Filter>),
    /// A `Not` needs a neighbour in an `All` that is none: a store may refuse to enumerate everything it holds.
    Not(Box<Filter>),
    /// Documents with at least one row that fits.
    Match(Match),
    /// Documents with a row of one of these values, which are sorted. A clone shares them: there may be many thousands.
    #[expect(missing_docs, reason = "the variant's text names its fields")]
    OneOf { index: Index, values: Arc<[Vec<u8>]> },
    /// Documents with exactly this word.
    #[expect(missing_docs, reason = "the variant's text names its fields")]
    Word { index: Index, word: Vec<u8> },
    /// Documents with a row, in one of `links`, that names a document which satisfies `to`.
    LinksTo {
        /// The indexes whose rows name documents. A row names the document whose [`Key::to_link`] it is, and each one that has a row
        /// with the same value in one of `names`.
        links: Vec<Index>,
        /// The indexes of names that documents have besides their keys.
        names: Vec<Index>,
        /// What the named document satisfies.
        to: Box<Filter>,
    },
    /// Documents that are named in a row, in one of `links`, of a document which satisfies `from`.
    LinkedFrom {
        /// The indexes whose rows name documents, as in [`Filter::LinksTo`].
        links: Vec<Index>,
        /// The indexes of names that documents have besides their keys.
        names: Vec<Index>,
        /// What the naming document satisfies.
        from: Box<Filter>,
    },
}

/// Rows of one index whose value lies in a range and passes a test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Match {
    /// The index.
    pub index: Index,
    /// Where the value lies.
    pub range: Range,
    /// What else holds for the value.
    pub test: Option<Test>,
}

/// A range of byte strings in lexical order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Where it begins.
    pub low: Bound<Vec<u8>>,
    /// Where it ends.
    pub high: Bound<Vec<u8>>,
}

/// A further condition on the value of a row that lies in the range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants' texts name their fields")]
pub enum Test {
    /// The bytes from `skip` on lie in `range`. Values shorter than `skip` do not pass.
    Tail { skip: usize, range: Range },
    /// The bytes from `skip` on contain `needle`.
    Contains { skip: usize, needle: Vec<u8> },
    /// The bytes from `skip` on begin with a [`Place`] that is no more than so many millimeters from `center`.
    Within { skip: usize, center: Place, millimeters: u64 },
    /// The bytes end with `ending`, and the whole is none of `except`, which are sorted.
    Ending { ending: Vec<u8>, except: Arc<[Vec<u8>]> },
}

/// A search.
#[derive(Clone, Debug)]
pub struct Find {
    /// Which documents.
    pub filter: Filter,
    /// Most significant first. Documents without a row in a key's indexes come last in either direction; of several rows an ascending key takes
    /// the smallest, a descending one the largest. Ties, and searches without keys, are in order of creation.
    pub sort: Vec<SortKey>,
    /// Without keys: any order will do that stays the same from page to page, be it another in each store, and for the same filter with a part more.
    /// What is found by a range of many values alone mostly comes in order of these.
    pub any_order: bool,
    /// Which part of the hits.
    pub page: Page,
    /// How many hits at most; 0 when only the count is wanted.
    pub limit: usize,
    /// Whether to count all documents that satisfy the filter.
    pub total: Count,
    /// Whether hits carry their bodies. The page then ends where one more would bring them over [`PAGE_BYTES_MAX`].
    pub bodies: bool,
    /// Hits carry their document's rows in these indexes: how references are followed without reading bodies.
    pub values: Vec<Index>,
    /// How many index rows may be touched before the search is refused as too costly.
    pub rows_max: u64,
    /// When the search is given up as too costly.
    pub until: Option<Instant>,
    /// Whether to tell what was done.
    pub explain: bool,
}

/// How all documents that satisfy a filter are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Count {
    /// Not at all.
    #[default]
    None,
    /// Each of them.
    Exact,
    /// Each of them where that touches at most this many rows more than the page; otherwise about.
    Within(u64),
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The number.
    pub count: u64,
    /// Whether each was counted; otherwise the number is an estimate.
    pub exact: bool,
}

impl Counted {
    /// All were counted.
    pub fn exactly(count: u64) -> Counted {
        Counted { count, exact: true }
    }
}

/// One key of the order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// By the values of these indexes, at least one, as if they were one index.
    pub indexes: Vec<Index>,
    /// Largest first.
    pub descending: bool,
}

/// Which page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// The first hits.
    #[default]
    First,
    /// The hits that come after this position.
    After(Cursor),
    /// The last hits that come before this position, in the same order as always.
    Before(Cursor),
}

/// A position in the order: a keyset, not an offset. Opaque to callers, the same for every process over one store, valid for the same filter and sort only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub Vec<u8>);

/// One page of a search.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// At most [`Find::limit`], in order.
    pub hits: Vec<Hit>,
    /// There when more follow.
    pub next: Option<Cursor>,
    /// There when some come before.
    pub previous: Option<Cursor>,
    /// How many documents satisfy the filter, on all pages together; there when asked for.
    pub total: Option<Counted>,
    /// How many index rows were touched: the honest cost.
    pub rows: u64,
    /// What was done, first to last; there when asked for.
    pub plan: Vec<Step>,
}

/// One thing that a search did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What, as a clause for people: `intersect`, `walk in order`.
    pub verb: &'static str,
    /// In which index, where it was one.
    pub index: Option<Index>,
    /// How many index rows that touched.
    pub rows: u64,
    /// How many documents were left.
    pub left: Option<u64>,
}

/// A document that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Which document.
    pub key: Key,
    /// The current version, when bodies were asked for.
    pub version: Option<Version>,
    /// The document's rows in the indexes asked for by [`Find::values`], sorted.
    pub rows: Vec<Row>,
}

impl Find {
    /// The first `limit` documents that satisfy the filter, in order of creation, at any cost; nothing else of them.
    pub fn new(filter: Filter, limit: usize) -> Find {
        Find {
            filter,
            sort: Vec::new(),
            any_order: false,
            page: Page::First,
            limit,
            total: Count::None,
            bodies: false,
            values: Vec::new(),
            rows_max: u64::MAX,
            until: None,
            explain: false,
        }
    }
}

impl Filter {
    /// Documents with a row of exactly this value.
    pub fn equal(index: Index, value: impl Into<Vec<u8>>) -> Filter {
        let value = value.into();
        Filter::range(index, Bound::Included(value.clone()), Bound::Included(value))
    }

    /// Documents with a row whose value begins with `prefix`.
    pub fn prefix(index: Index, prefix: impl Into<Vec<u8>>) -> Filter {
        Filter::Match(Match { index, range: Range::prefix(prefix.into()), test: None })
    }

    /// Documents with a row between the bounds.
    pub fn range(index: Index, low: Bound<Vec<u8>>, high: Bound<Vec<u8>>) -> Filter {
        Filter::Match(Match { index, range: Range { low, high }, test: None })
    }

    /// Documents with this word.
    pub fn word(index: Index, word: impl Into<Vec<u8>>) -> Filter {
        Filter::Word { index, word: word.into() }
    }

    /// Documents with any row in the index.
    pub fn present(index: Index) -> Filter {
        Filter::range(index, Bound::Unbounded, Bound::Unbounded)
    }

    /// Every document.
    pub fn everything() -> Filter {
        Filter::All(Vec::new())
    }

    /// No document.
    pub fn nothing() -> Filter {
        Filter::Any(Vec::new())
    }

    /// The documents that do not satisfy this.
    #[expect(clippy::should_implement_trait, reason = "reads as the boolean word it is")]
    pub fn not(self) -> Filter {
        Filter::Not(Box::new(self))
    }

    /// The documents that satisfy both.
    pub fn and(self, other: Filter) -> Filter {
        match (self, other) {
            (Filter::All(mut left), Filter::All(right)) => {
                left.extend(right);
                Filter::All(left)
            }
            (Filter::All(mut left), right) => {
                left.push(right);
                Filter::All(left)
            }
            (left, Filter::All(mut right)) => {
                right.insert(0, left);
                Filter::All(right)
            }
            (left, right) => Filter::All(vec![left, right]),
        }
    }

    /// Whether a document with exactly these rows, its words among them, satisfies the filter: the meaning of the language in one place,
    /// also used to test backends. A part about other documents cannot be told from rows,
    /// and counts as not satisfied.
    pub fn accepts(&self, rows: &[Row]) -> bool {
        match self {
            Filter::All(filters) => filters.iter().all(|filter| filter.accepts(rows)),
            Filter::Any(filters) => filters.iter().any(|filter| filter.accepts(rows)),
            Filter::Not(filter) => !filter.accepts(rows),
            Filter::Match(wanted) => rows.iter().any(|row| row.index == wanted.index && wanted.accepts(&row.value)),
            Filter::OneOf { index, values } => {
                rows.iter().any(|row| row.index == *index && values.binary_search(&row.value).is_ok())
            }
            Filter::Word { index, word } => rows.iter().any(|row| row.index == *index && row.value == *word),
            Filter::LinksTo { .. } | Filter::LinkedFrom { .. } => false,
        }
    }
}

impl Match {
    /// Whether a value of this index fits.
    pub fn accepts(&self, value: &[u8]) -> bool {
        self.range.contains(value) && self.test.as_ref().is_none_or(|test| test.accepts(value))
    }
}

impl Test {
    /// Whether a value passes.
    pub fn accepts(&self, value: &[u8]) -> bool {
        match self {
            Test::Tail { skip, range } => value.get(*skip..).is_some_and(|tail| range.contains(tail)),
            Test::Contains { skip, needle } => {
                let tail = value.get(*skip..).unwrap_or_default();
                needle.is_empty() || tail.windows(needle.len()).any(|window| window == needle)
            }
            Test::Within { skip, center, millimeters } => {
                let place = value.get(*skip..).and_then(|tail| tail.first_chunk());
                place.is_some_and(|place| Place::from_bytes(*place).distance(*center) * 1000.0 <= *millimeters as f64)
            }
            Test::Ending { ending, except } => {
                let is_excepted = || except.binary_search_by(|other| other.as_slice().cmp(value)).is_ok();
                value.ends_with(ending) && !is_excepted()
            }
        }
    }
}

impl Range {
    /// Every value.
    pub fn full() -> Range {
        Range { low: Bound::Unbounded, high: Bound::Unbounded }
    }

    /// Values that begin with `prefix`.
    pub fn prefix(prefix: Vec<u8>) -> Range {
        let mut after = prefix.clone();
        while let Some(last) = after.last_mut() {
            if *last < u8::MAX {
                *last += 1;
                break;
            }
            after.pop();
        }
        let high = if after.is_empty() { Bound::Unbounded } else { Bound::Excluded(after) };
        Range { low: Bound::Included(prefix), high }
    }

    /// Whether it is [`Range::prefix`] of something.
    pub fn is_prefix(&self) -> bool {
        match &self.low {
            Bound::Included(low) => Range::prefix(low.clone()).high == self.high,
            Bound::Excluded(_) | Bound::Unbounded => false,
        }
    }

    /// The only value in it, if its bounds say so.
    pub fn one_value(&self) -> Option<&[u8]> {
        match (&self.low, &self.high) {
            (Bound::Included(low), Bound::Included(high)) if low == high => Some(low),
            _ => None,
        }
    }

    /// Whether `value` lies in the range.
    pub fn contains(&self, value: &[u8]) -> bool {
        let above = match &self.low {
            Bound::Included(low) => value >= low.as_slice(),
            Bound::Excluded(low) => value > low.as_slice(),
            Bound::Unbounded => true,
        };
        above
            && match &self.high {
                Bound::Included(high) => value <= high.as_slice(),
                Bound::Excluded(high) => value < high.as_slice(),
                Bound::Unbounded => true,
            }
    }
}
