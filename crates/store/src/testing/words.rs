//! Words against a naive model, at every step of a long life.

use std::collections::BTreeSet;

use super::Make;
use super::random::Random;
use super::support::{MORNING, TestClock, delete, finds, put_with_words, reindex, row, written};
use crate::{Filter, Index, Row, Store, Write};

/// Enough writes for a store that takes words together before it indexes them to do so several times.
const WRITES: u64 = 7_000;

const TITLE: u32 = 8;
const TEXT: u32 = 9;
const KIND: u32 = 1;

pub(super) fn contract(make: Make<'_>) {
    finds_words_like_the_model(make);
    keeps_words_and_rows_apart(make);
}

struct Document {
    name: String,
    version: u64,
    /// Rows and words; `None` when it is deleted.
    rows: Option<BTreeSet<Row>>,
}

fn finds_words_like_the_model(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let mut random = Random::new(11);
    let mut documents: Vec<Document> = Vec::new();
    let mut writes = Vec::new();
    // Batches small and large.
    let mut batch = 1;
    for number in 0..WRITES {
        writes.push(random_write(&mut random, &mut documents));
        if writes.len() >= batch {
            written(&*store, std::mem::take(&mut writes));
            batch = *random.pick(&[1, 1, 2, 10, 100, 900]);
        }
        if number % 500 == 499 {
            written(&*store, std::mem::take(&mut writes));
            for _ in 0..8 {
                agrees(&*store, &documents, random_filter(&mut random, 2));
            }
        }
    }
    for word in ["common", "half", "w0", "w17", "only5", "only1000", "none"] {
        agrees(&*store, &documents, Filter::word(Index(TEXT), word));
    }
}

fn agrees(store: &dyn Store, documents: &[Document], filter: Filter) {
    let current = documents.iter().filter_map(|document| Some((&document.name, document.rows.as_ref()?)));
    let accepted = current.filter(|(_, rows)| filter.accepts(&rows.iter().cloned().collect::<Vec<_>>()));
    let expected: Vec<String> = accepted.map(|(name, _)| name.clone()).collect();
    assert_eq!(finds(store, filter.clone()), expected, "{filter:?}");
}

/// A new document, or a change of one that came before.
fn random_write(random: &mut Random, documents: &mut Vec<Document>) -> Write {
    let (kind, words) = (vec![row(KIND, [random.below(3) as u8])], random_words(random, documents.len()));
    let rows = kind.iter().chain(&words).cloned().collect();
    if documents.is_empty() || random.below(10) < 6 {
        let name = format!("{}/{}", random.pick(&["A", "B"]), documents.len());
        documents.push(Document { name: name.clone(), version: 1, rows: Some(rows) });
        return put_with_words(&name, 1, "", kind, words);
    }
    let at = random.below(documents.len() as u64) as usize;
    let document = &mut documents[at];
    if document.rows.is_some() && random.one_in(3) {
        document.rows = Some(rows);
        return reindex(&document.name, document.version, kind, words);
    }
    document.version += 1;
    if document.rows.is_some() && random.one_in(4) {
        document.rows = None;
        return delete(&document.name, document.version);
    }
    document.rows = Some(rows);
    put_with_words(&document.name, document.version, "", kind, words)
}

/// Words that nearly all, half, a few or no other documents have; some documents have none.
fn random_words(random: &mut Random, number: usize) -> Vec<Row> {
    if random.one_in(20) {
        return Vec::new();
    }
    let mut words = vec![row(TEXT, "common"), row(TEXT, format!("only{number}"))];
    if random.one_in(2) {
        words.push(row(TEXT, "half"));
    }
    for _ in 0..random.below(5) {
        let index = *random.pick(&[TITLE, TEXT]);
        let rarity = *random.pick(&[5, 50, 500]);
        words.push(row(index, format!("w{}", random.below(rarity))));
    }
    words
}

fn random_filter(random: &mut Random, depth: u32) -> Filter {
    if depth == 0 {
        let index = Index(*random.pick(&[TITLE, TEXT, TEXT]));
        let rarity = *random.pick(&[5, 50, 500]);
        return match random.below(6) {
            0 => Filter::equal(Index(KIND), [random.below(4) as u8]),
            1 => Filter::word(index, "common"),
            2 => Filter::word(index, "half"),
            3 => Filter::word(index, format!("only{}", random.below(WRITES))),
            _ => Filter::word(index, format!("w{}", random.below(rarity))),
        };
    }
    let mut part = || random_filter(random, depth - 1);
    let parts = vec![part(), part()];
    match random.below(4) {
        0 => Filter::All(parts),
        1 => Filter::Any(parts),
        2 => Filter::word(Index(TEXT), "common").and(Filter::All(parts).not()),
        _ => Filter::equal(Index(KIND), [1]).and(Filter::Any(parts)),
    }
}

/// A word is no row of its index, and sorts and values do not see it.
fn keeps_words_and_rows_apart(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    written(
        &*store,
        vec![put_with_words("P/1", 1, "", vec![row(1, "b")], vec![row(2, "a"), row(2, "b"), row(2, "a")])],
    );
    let cases = [
        (Filter::word(Index(2), "a"), 1),
        (Filter::word(Index(2), "b"), 1),
        (Filter::word(Index(2), ""), 0),
        (Filter::word(Index(2), "ab"), 0),
        (Filter::word(Index(1), "b"), 0),
        (Filter::present(Index(2)), 0),
        (Filter::equal(Index(2), "a"), 0),
        (Filter::word(Index(2), "a").and(Filter::word(Index(2), "b")), 1),
        (Filter::word(Index(2), "a").and(Filter::word(Index(2), "b").not()), 0),
    ];
    for (filter, count) in cases {
        assert_eq!(finds(&*store, filter.clone()).len(), count, "{filter:?}");
    }
}
