//! Filters, orders and pages against a naive model.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::{Duration, Instant};

use super::Make;
use super::random::Random;
use super::support::{MORNING, TestClock, delete, key, put, put_with_words, reindex, row, written};
use crate::{
    Count, Counted, Cursor, Filter, Find, Found, Index, Key, Limit, Match, Page, Place, Range, Row, Snapshot, SortKey,
    Store, StoreError, Test, TooCostly,
};

pub(super) fn contract(make: Make<'_>) {
    for (seed, documents, queries) in [(1, 40, 300), (2, 300, 100), (3, 2000, 40)] {
        finds_like_the_model(make, seed, documents, queries);
    }
    pages_stay_in_place_while_others_write(make);
    shows_rows_of_hits(make);
    keeps_conditions_that_only_seem_implied(make);
    refuses_what_costs_too_much(make);
    refuses_what_takes_too_long(make);
    refuses_foreign_cursors(make);
}

/// Everything stored, in order of creation.
#[derive(Default)]
pub(super) struct Model(Vec<(String, BTreeSet<Row>)>);

const INDEXES: u32 = 6;
const ALL_OF: u32 = 10;
const OWN_OF: u32 = 20;
const WORDS: u32 = 30;
const LINKS: [Index; 2] = [Index(7), Index(8)];
const NAMES: [Index; 1] = [Index(9)];
const COLLECTIONS: [&str; 3] = ["Patient", "Observation", "Slot"];

impl Model {
    fn rows(&self, filter: &Filter) -> Vec<(usize, &str, Vec<Row>)> {
        let rows = self.0.iter().enumerate().filter(|(_, (_, rows))| !rows.is_empty());
        let rows = rows.map(|(number, (key, rows))| (number, key.as_str(), rows.iter().cloned().collect::<Vec<_>>()));
        rows.filter(|(number, ..)| self.satisfies(*number, filter)).collect()
    }

    fn satisfies(&self, number: usize, filter: &Filter) -> bool {
        let (_, rows) = &self.0[number];
        match filter {
            Filter::All(filters) => filters.iter().all(|filter| self.satisfies(number, filter)),
            Filter::Any(filters) => filters.iter().any(|filter| self.satisfies(number, filter)),
            Filter::Not(filter) => !self.satisfies(number, filter),
            Filter::Match(_) | Filter::OneOf { .. } | Filter::Word { .. } => {
                filter.accepts(&rows.iter().cloned().collect::<Vec<_>>())
            }
            Filter::LinksTo { links, names, to } => {
                let naming = |other: &usize| self.names(number, links, *other, names);
                (0..self.0.len()).filter(naming).any(|other| self.satisfies(other, to))
            }
            Filter::LinkedFrom { links, names, from } => {
                let naming = |other: &usize| self.names(*other, links, number, names);
                (0..self.0.len()).filter(naming).any(|other| self.satisfies(other, from))
            }
        }
    }

    /// Whether a row of one document names the other.
    fn names(&self, number: usize, links: &[Index], other: usize, names: &[Index]) -> bool {
        let (other, other_rows) = &self.0[other];
        let is_named = |value: &[u8]| {
            let mut names = other_rows.iter().filter(|row| names.contains(&row.index));
            Key::from_link(value).is_some_and(|key| key.as_str() == other) || names.any(|row| row.value == value)
        };
        let mut rows = self.0[number].1.iter().filter(|row| links.contains(&row.index));
        !other_rows.is_empty() && rows.any(|row| is_named(&row.value))
    }

    fn find(&self, filter: &Filter, sort: &[SortKey]) -> Vec<String> {
        let mut hits = self.rows(filter);
        hits.sort_by(|(a, _, a_rows), (b, _, b_rows)| {
            let mut ordering = std::cmp::Ordering::Equal;
            for key in sort {
                let value = |rows: &[Row]| {
                    let values =
                        rows.iter().filter(|row| key.indexes.contains(&row.index)).map(|row| row.value.clone());
                    if key.descending { values.max() } else { values.min() }
                };
                let (a, b) = (value(a_rows), value(b_rows));
                let by_value = if key.descending { b.cmp(&a) } else { a.cmp(&b) };
                ordering = ordering.then(a.is_none().cmp(&b.is_none())).then(by_value);
            }
            ordering.then(a.cmp(b))
        });
        hits.into_iter().map(|(_, key, _)| key.to_owned()).collect()
    }
}

fn link(index: Index, name: &str) -> Row {
    Row { index, value: key(name).to_link() }
}

/// Index 0 has a row for each document, 1 a few frequent values, 2 nearly unique ones, 3 several per document, 4 awkward bytes, and 5
/// one value that half of the documents have. Each collection has a row for (nearly) each of its documents, and an index of its own.
fn random_rows(random: &mut Random, documents: u64, collection: u32) -> Vec<Row> {
    let mut rows = vec![Row { index: Index(0), value: b"type".to_vec() }];
    let mut add = |index, value: Vec<u8>| rows.push(Row { index: Index(index), value });
    if !random.one_in(5) {
        add(1, vec![b'a' + random.below(4) as u8]);
    }
    add(2, random.below(documents).to_be_bytes().to_vec());
    for _ in 0..random.below(4) {
        add(3, format!("word{}", random.below(20)).into_bytes());
    }
    for _ in 0..random.below(3) {
        add(4, awkward_value(random));
    }
    if random.one_in(2) {
        add(5, Vec::new());
    }
    if collection != 2 || !random.one_in(100) {
        add(ALL_OF + collection, Vec::new());
    }
    add(OWN_OF + collection, vec![b'a' + random.below(3) as u8]);
    rows
}

/// Rows that name documents, half of them the same few, some of them none that is there; and names.
fn random_links(random: &mut Random, model: &Model) -> Vec<Row> {
    let indexes = LINKS.into_iter().take(random.below(3) as usize);
    let mut links = Vec::new();
    for index in indexes {
        let most = if random.one_in(2) { 3.min(model.0.len()) } else { model.0.len() };
        links.push(link(index, &model.0[random.below(most as u64) as usize].0));
        links.push(Row { index, value: vec![1, random.below(5) as u8] });
    }
    if random.one_in(4) {
        links.push(Row { index: NAMES[0], value: vec![1, random.below(6) as u8] });
    }
    links
}

fn random_words(random: &mut Random) -> Vec<Row> {
    (0..random.below(4)).map(|_| row(WORDS, random_word(random))).collect()
}

/// Some are in half of the documents, some in hardly any.
fn random_word(random: &mut Random) -> Vec<u8> {
    let most = *random.pick(&[2, 30, 1000]);
    format!("w{}", random.below(most)).into_bytes()
}

/// Values that are prefixes of each other, or look like the bytes of a number.
fn awkward_value(random: &mut Random) -> Vec<u8> {
    let length = random.below(4) * random.below(6);
    (0..length).map(|_| *random.pick(&[0, 0, 1, 0xfe, 0xff])).collect()
}

fn random_value(random: &mut Random, index: u32, documents: u64) -> Vec<u8> {
    match index {
        0 => b"type".to_vec(),
        1 => vec![b'a' + random.below(5) as u8],
        2 => random.below(documents).to_be_bytes().to_vec(),
        3 => format!("word{}", random.below(22)).into_bytes(),
        4 => awkward_value(random),
        _ => Vec::new(),
    }
}

fn random_bound(random: &mut Random, index: u32, documents: u64) -> Bound<Vec<u8>> {
    match random.below(3) {
        0 => Bound::Unbounded,
        1 => Bound::Included(random_value(random, index, documents)),
        _ => Bound::Excluded(random_value(random, index, documents)),
    }
}

fn random_match(random: &mut Random, documents: u64) -> Filter {
    if random.one_in(6) {
        return Filter::word(Index(WORDS), random_word(random));
    }
    let index = random.below(u64::from(INDEXES) + 1) as u32;
    let value = random_value(random, index, documents);
    match random.below(8) {
        0 | 1 => Filter::equal(Index(index), value),
        6 => {
            let others = (0..random.below(6)).map(|_| random_value(random, index, documents));
            Filter::Any(others.chain([value]).map(|value| Filter::equal(Index(index), value)).collect())
        }
        7 => {
            let others = (0..random.below(6)).map(|_| random_value(random, index, documents));
            let values = others.chain([value]).collect::<std::collections::BTreeSet<_>>();
            Filter::OneOf { index: Index(index), values: values.into_iter().collect() }
        }
        2 => Filter::prefix(Index(index), &value[..value.len().min(5)]),
        3 => {
            let (low, high) = (random_bound(random, index, documents), random_bound(random, index, documents));
            Filter::range(Index(index), low, high)
        }
        4 => Filter::present(Index(index)),
        _ => {
            let skip = random.below(6) as usize;
            let tail = value.get(skip..).unwrap_or_default().to_vec();
            let test = if random.one_in(4) {
                // Whatever the bytes of a value are, they are a place.
                let center = Place { latitude: random.below(1 << 32) as u32, longitude: random.below(1 << 32) as u32 };
                Test::Within { skip, center, millimeters: random.below(20_000_000_000) }
            } else if random.one_in(3) {
                Test::Ending { ending: tail, except: [random_value(random, index, documents)].into() }
            } else if random.one_in(2) {
                Test::Contains { skip, needle: tail }
            } else {
                Test::Tail {
                    skip,
                    range: Range { low: Bound::Included(tail), high: random_bound(random, index, documents) },
                }
            };
            Filter::Match(Match { index: Index(index), range: Range::full(), test: Some(test) })
        }
    }
}

pub(super) fn random_filter(random: &mut Random, documents: u64, depth: u32) -> Filter {
    if depth == 0 || random.one_in(3) {
        return random_match(random, documents);
    }
    let parts =
        |random: &mut Random| (0..random.below(4)).map(|_| random_filter(random, documents, depth - 1)).collect();
    match random.below(8) {
        // The model looks at all pairs of documents for each join, so joins in joins are for few.
        6 | 7 if documents <= 300 => {
            let links = LINKS[random.below(2) as usize..].to_vec();
            let inner = if documents <= 40 { depth - 1 } else { 0 };
            let other = Box::new(random_filter(random, documents, inner));
            let names = NAMES[random.below(2) as usize..].to_vec();
            match random.one_in(2) {
                true => Filter::LinksTo { links, names, to: other },
                false => Filter::LinkedFrom { links, names, from: other },
            }
        }
        0 => {
            let collection = random.below(3) as u32;
            let own = Filter::equal(Index(OWN_OF + collection), [b'a' + random.below(3) as u8]);
            Filter::equal(Index(ALL_OF + collection), "").and(own).and(Filter::All(parts(random)))
        }
        1 => Filter::All(parts(random)),
        2 => Filter::Any(parts(random)),
        3 => random_filter(random, documents, depth - 1).not(),
        _ => Filter::equal(Index(0), "type").and(random_filter(random, documents, depth - 1)),
    }
}

fn random_indexes(random: &mut Random) -> Vec<Index> {
    match random.below(4) {
        0 => (0..3).map(|collection| Index(OWN_OF + collection)).collect(),
        1 => [1, 3, 5].map(Index).to_vec(),
        _ => vec![Index(random.below(u64::from(INDEXES) + 1) as u32)],
    }
}

pub(super) fn random_sort(random: &mut Random) -> Vec<SortKey> {
    let keys = *random.pick(&[0, 0, 1, 1, 1, 2, 3]);
    (0..keys).map(|_| SortKey { indexes: random_indexes(random), descending: random.one_in(2) }).collect()
}

/// A store with documents that came, changed, went and returned, and the model of it.
pub(super) fn filled(store: &dyn Store, random: &mut Random, documents: u64) -> Model {
    let mut model = Model::default();
    let mut versions = Vec::new();
    let mut writes = Vec::new();
    for number in 0..documents + documents / 2 {
        let update = number >= documents;
        let at = if update { random.below(documents) as usize } else { number as usize };
        if !update {
            let collection = COLLECTIONS[at % 3];
            model.0.push((format!("{collection}/{}-{at}", random.below(1000)), BTreeSet::new()));
            versions.push(0);
        }
        versions[at] += 1;
        let links = random_links(random, &model);
        let (name, rows) = &mut model.0[at];
        if update && !rows.is_empty() && random.one_in(3) {
            rows.clear();
            writes.push(delete(name, versions[at]));
        } else {
            let exists = !rows.is_empty();
            let mut index = random_rows(random, documents, at as u32 % 3);
            index.extend(links);
            let words = random_words(random);
            *rows = index.iter().chain(&words).cloned().collect();
            if exists && random.one_in(3) {
                versions[at] -= 1;
                writes.push(reindex(name, versions[at], index, words));
            } else {
                writes.push(put_with_words(name, versions[at], name, index, words));
            }
        }
        if random.one_in(20) {
            written(store, std::mem::take(&mut writes));
        }
    }
    written(store, writes);
    model
}

fn query(filter: Filter, sort: Vec<SortKey>) -> Find {
    Find { sort, ..Find::new(filter, 10) }
}

fn keys(found: &Found) -> Vec<String> {
    found.hits.iter().map(|hit| hit.key.to_string()).collect()
}

fn finds_like_the_model(make: Make<'_>, seed: u64, documents: u64, queries: u32) {
    let store = make(TestClock::new(MORNING));
    let mut random = Random::new(seed);
    let model = filled(&*store, &mut random, documents);
    let snapshot = store.snapshot().expect("a snapshot");
    for number in 0..queries {
        let find = query(random_filter(&mut random, documents, 3), random_sort(&mut random));
        let expected = model.find(&find.filter, &find.sort);
        let limit = 1 + random.below(12.max(expected.len() as u64)) as usize;
        let find = Find { limit, total: *random.pick(&[Count::None, Count::Exact]), bodies: random.one_in(4), ..find };
        let context = format!("seed {seed}, query {number}: {find:?}");
        pages_forward_and_back(&*snapshot, &find, &expected, &context);
        if find.sort.is_empty() {
            pages_in_any_order(&*snapshot, &Find { any_order: true, ..find.clone() }, &expected, &context);
        }
        let count = snapshot.find(&Find { limit: 0, total: Count::Exact, ..find.clone() }).expect("a count");
        assert_eq!(count.total, Some(Counted::exactly(expected.len() as u64)), "{context}");
        let rows = random.below(2 * documents);
        let within = Count::Within(rows);
        let about = snapshot.find(&Find { total: within, explain: true, ..find.clone() }).expect("a page");
        let total = about.total.expect("it was asked for");
        assert!(total.count == expected.len() as u64 || !total.exact, "{context}");
        assert!(total.exact || about.next.is_some() && total.count > about.hits.len() as u64, "{context}");
        assert!(count.hits.is_empty() && count.next.is_none() && count.previous.is_none(), "{context}");
    }
}

/// The same documents, in an order that stays.
fn pages_in_any_order(snapshot: &dyn Snapshot, find: &Find, expected: &[String], context: &str) {
    let mut found = Vec::new();
    let mut page = Some(Page::First);
    while let Some(at) = page {
        let next = snapshot.find(&Find { page: at, ..find.clone() }).expect("a page");
        found.extend(keys(&next));
        page = next.next.map(Page::After);
    }
    let sorted = |keys: &[String]| keys.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!((found.len(), sorted(&found)), (expected.len(), sorted(expected)), "{context}");
    pages_forward_and_back(snapshot, find, &found, context);
}

fn pages_forward_and_back(snapshot: &dyn Snapshot, find: &Find, expected: &[String], context: &str) {
    let mut find = find.clone();
    let mut cursors = Vec::new();
    for (number, page) in expected.chunks(find.limit).chain(expected.is_empty().then_some(&[][..])).enumerate() {
        let found = snapshot.find(&find).expect("a page");
        assert_eq!(keys(&found), page, "page {number} of {context}");
        let total = (find.total == Count::Exact).then_some(Counted::exactly(expected.len() as u64));
        assert_eq!(found.total, total, "{context}");
        assert_eq!(found.previous.is_some(), number > 0, "previous of page {number} of {context}");
        assert_eq!(
            found.next.is_some(),
            (number + 1) * find.limit < expected.len(),
            "next of page {number} of {context}"
        );
        for hit in &found.hits {
            let body = hit.version.as_ref().and_then(|version| version.body.clone());
            assert_eq!(body.is_some_and(|body| body == hit.key.as_str().as_bytes()), find.bodies, "{context}");
        }
        cursors.push(found.previous);
        if let Some(next) = found.next {
            find.page = Page::After(next);
        }
    }
    let pages: Vec<&[String]> = expected.chunks(find.limit).collect();
    for (number, cursor) in cursors.into_iter().enumerate().skip(1) {
        let cursor = cursor.expect("it was checked above");
        let found = snapshot.find(&Find { page: Page::Before(cursor), ..find.clone() }).expect("a page");
        assert_eq!(keys(&found), pages[number - 1], "page before page {number} of {context}");
        assert_eq!(found.previous.is_some(), number > 1, "previous before page {number} of {context}");
        assert!(found.next.is_some(), "next before page {number} of {context}");
    }
}

/// Words in one index, with a document each, in this order of creation.
fn words(store: &dyn Store, words: &[&str]) {
    for word in words {
        written(
            store,
            vec![put(&format!("W/{word}"), 1, "", vec![Row { index: Index(1), value: word.as_bytes().to_vec() }])],
        );
    }
}

fn pages_stay_in_place_while_others_write(make: Make<'_>) {
    let by_word = |descending| vec![SortKey { indexes: vec![Index(1)], descending }];
    type Case<'c> = (Vec<SortKey>, [&'c str; 3], &'c [&'c str], &'c [&'c str]);
    // The sort, the first page, and the pages after and before its end once documents have come and gone on both sides.
    let cases: [Case<'_>; 3] = [
        (vec![], ["W/b", "W/h", "W/d"], &["W/f", "W/a", "W/g"], &["W/b", "W/h"]),
        (by_word(false), ["W/b", "W/d", "W/f"], &["W/g", "W/h"], &["W/a", "W/b", "W/f"]),
        (by_word(true), ["W/h", "W/f", "W/d"], &["W/b", "W/a"], &["W/h", "W/g", "W/f"]),
    ];
    for (sort, first, after, before) in cases {
        let store = make(TestClock::new(MORNING));
        words(&*store, &["b", "h", "d", "f"]);
        let find = Find { limit: 3, ..query(Filter::everything(), sort) };
        let page = store.snapshot().expect("a snapshot").find(&find).expect("a page");
        assert_eq!(keys(&page), first);
        let cursor = page.next.expect("one more document");
        words(&*store, &["a", "g"]);
        written(&*store, vec![delete("W/d", 2)]);
        let snapshot = store.snapshot().expect("a snapshot");
        let next = snapshot.find(&Find { page: Page::After(cursor.clone()), ..find.clone() }).expect("a page");
        assert_eq!((keys(&next), next.next.is_some(), next.previous.is_some()), (strings(after), false, true));
        let back = snapshot.find(&Find { page: Page::Before(cursor), ..find.clone() }).expect("a page");
        assert_eq!((keys(&back), back.next.is_some(), back.previous.is_some()), (strings(before), true, false));
        let first_again = snapshot.find(&find).expect("a page");
        assert_eq!(keys(&first_again)[..2], keys(&back)[..2]);
    }
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn shows_rows_of_hits(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let row = |index, value: &str| Row { index: Index(index), value: value.as_bytes().to_vec() };
    written(&*store, vec![put("P/1", 1, "", vec![row(3, "z"), row(1, "b"), row(2, "x"), row(1, "a"), row(3, "y")])]);
    let find = Find { values: vec![Index(3), Index(1), Index(9)], ..query(Filter::everything(), vec![]) };
    let found = store.snapshot().expect("a snapshot").find(&find).expect("a search");
    assert_eq!(found.hits[0].rows, [row(1, "a"), row(1, "b"), row(3, "y"), row(3, "z")]);
}

/// A row that all documents of a collection have, until one comes that has not, and until others have the row too.
fn keeps_conditions_that_only_seem_implied(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let row = |index| Row { index: Index(index), value: Vec::new() };
    let member = |number: u32| put(&format!("P/{number}"), 1, "", vec![row(1), row(2)]);
    written(&*store, (0..1000).map(member).collect());
    let both = query(Filter::equal(Index(1), "").and(Filter::equal(Index(2), "")), vec![]);
    let count = || {
        store
            .snapshot()
            .expect("a snapshot")
            .find(&Find { total: Count::Exact, ..both.clone() })
            .expect("a page")
            .total
            .map(|total| total.count)
    };
    assert_eq!(count(), Some(1000));
    written(&*store, vec![put("P/x", 1, "", vec![row(2)])]);
    assert_eq!(count(), Some(1000));
    written(&*store, vec![put("P/x", 2, "", vec![row(1)]), put("P/1", 2, "", vec![row(2)])]);
    assert_eq!(count(), Some(999));
    written(&*store, vec![put("Q/1", 1, "", vec![row(1)]), put("Q/2", 1, "", vec![row(2)]), delete("P/2", 2)]);
    assert_eq!(count(), Some(998));
}

fn refuses_what_costs_too_much(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let mut random = Random::new(4);
    filled(&*store, &mut random, 400);
    let snapshot = store.snapshot().expect("a snapshot");
    let filters = [
        Filter::present(Index(1)),
        Filter::present(Index(1)).not(),
        Filter::prefix(Index(3), "word1").and(Filter::present(Index(5)).not()),
    ];
    for filter in filters {
        for sort in [vec![], vec![SortKey { indexes: vec![Index(2)], descending: true }]] {
            let find = Find { total: Count::Exact, ..query(filter.clone(), sort) };
            let cost = snapshot.find(&find).expect("a page").rows;
            assert!(cost > 0, "{find:?}");
            assert!(snapshot.find(&Find { rows_max: cost, ..find.clone() }).is_ok(), "{find:?}");
            let refusal = snapshot.find(&Find { rows_max: cost - 1, ..find.clone() });
            assert!(matches!(refusal, Err(StoreError::TooCostly(_))), "{find:?}");
        }
    }
}

fn refuses_what_takes_too_long(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let mut random = Random::new(5);
    filled(&*store, &mut random, 2_000);
    let snapshot = store.snapshot().expect("a snapshot");
    let find = Find { total: Count::Exact, ..query(Filter::present(Index(2)).not(), vec![]) };
    let later = Instant::now() + Duration::from_secs(3600);
    assert!(snapshot.find(&Find { until: Some(later), ..find.clone() }).is_ok());
    let refusal = snapshot.find(&Find { until: Some(Instant::now()), ..find });
    assert!(matches!(refusal, Err(StoreError::TooCostly(TooCostly { limit: Limit::Time, .. }))), "{refusal:?}");
}

fn refuses_foreign_cursors(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    words(&*store, &["a", "b", "c"]);
    let snapshot = store.snapshot().expect("a snapshot");
    let sort = vec![SortKey { indexes: vec![Index(1)], descending: false }];
    let find = Find { limit: 1, ..query(Filter::everything(), sort) };
    let cursor = snapshot.find(&find).expect("a page").next.expect("more");
    let foreign = [Cursor(Vec::new()), Cursor(b"foreign".to_vec()), Cursor(vec![0xff; 3000])];
    for cursor in foreign.into_iter().chain([Cursor([cursor.0.as_slice(), &[0]].concat())]) {
        for page in [Page::After(cursor.clone()), Page::Before(cursor)] {
            let refusal = snapshot.find(&Find { page, ..find.clone() });
            assert!(matches!(refusal, Err(StoreError::Misuse(_))), "{refusal:?}");
        }
    }
    let unsorted = Find { sort: Vec::new(), page: Page::After(cursor), ..find };
    assert!(matches!(snapshot.find(&unsorted), Err(StoreError::Misuse(_))));
}
