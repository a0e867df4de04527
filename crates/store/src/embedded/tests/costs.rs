//! What searches cost, in index rows touched: near what the answer needs, and hardly more when there is more data.

use std::ops::Bound;

use crate::{Count, Counted, Cursor, Filter, Find, Found, Match, Page, Range, SortKey, Test};

use super::*;

const DOCUMENTS: u64 = 10_000;

/// How rows name `Other/1`.
const HUB: &[u8] = b"1\0Other";

/// Index 1: one value for all. 2: one of four. 3: unique. 4: shared by ten. 5: a date, ascending, missing from every 50th.
/// 6: one of two. 7: names `Other/1`. Index 2 has documents of another collection too, and index 8 only `Other/1`.
fn filled() -> (tempfile::TempDir, Embedded) {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path(), clock()).unwrap();
    let document = |number: u64| {
        let (unique, shared, date) = (number.to_be_bytes(), (number / 10).to_be_bytes(), (number * 7).to_be_bytes());
        let quarter = [b'a' + (number % 4) as u8];
        let half: &[u8] = if number.is_multiple_of(2) { b"even" } else { b"odd" };
        let mut rows: Vec<(u32, &[u8])> = vec![(1, b"all"), (2, &quarter), (3, &unique), (4, &shared), (6, half)];
        rows.push((7, HUB));
        if !number.is_multiple_of(50) {
            rows.push((5, &date));
        }
        put(&format!("D/{number}"), 1, &rows)
    };
    for first in (0..DOCUMENTS).step_by(2_500) {
        write(&store, (first..first + 2_500).map(document).collect());
    }
    write(&store, vec![put("Other/1", 1, &[(2, b"z"), (8, b"hub")])]);
    (directory, store)
}

fn everyone() -> Filter {
    Filter::equal(Index(1), "all")
}

fn quarter(letter: &str) -> Filter {
    Filter::equal(Index(2), letter)
}

fn unique(number: u64) -> Filter {
    Filter::equal(Index(3), number.to_be_bytes())
}

fn ten(number: u64) -> Filter {
    Filter::equal(Index(4), number.to_be_bytes())
}

fn even() -> Filter {
    everyone().and(Filter::equal(Index(6), "even"))
}

fn dates(low: u64, high: u64) -> Filter {
    let (low, high) = ((low * 7).to_be_bytes(), (high * 7).to_be_bytes());
    Filter::range(Index(5), Bound::Included(low.into()), Bound::Excluded(high.into()))
}

fn by(index: u32, descending: bool) -> Vec<SortKey> {
    vec![SortKey { indexes: vec![Index(index)], descending }]
}

fn run(store: &Embedded, filter: Filter, sort: Vec<SortKey>, page: Page, total: bool) -> Found {
    let total = if total { Count::Exact } else { Count::None };
    let find = Find { sort, page, total, ..Find::new(filter, 20) };
    store.snapshot().unwrap().find(&find).unwrap()
}

#[test]
fn touches_few_rows() {
    let (_directory, store) = filled();
    type Case<'c> = (&'c str, Filter, Vec<SortKey>, bool, u64, u64);
    // The filter, the order, whether to count, how many there are, and how many rows may be touched.
    let cases: [Case<'_>; 19] = [
        ("one", unique(77), vec![], true, 1, 2),
        ("ten", ten(77), vec![], true, 10, 20),
        ("a count of a frequent value", quarter("a"), vec![], true, DOCUMENTS / 4, 30),
        ("a count of a frequent value in its only collection", even(), vec![], true, DOCUMENTS / 2, 30),
        ("a page of it", even(), by(5, true), false, DOCUMENTS / 2, 300),
        ("everything", Filter::everything(), vec![], true, DOCUMENTS + 1, 30),
        ("one of a frequent value", everyone().and(unique(77)), vec![], true, 1, 20),
        ("the rare part drives", everyone().and(quarter("d")).and(ten(77)), vec![], true, 3, 60),
        ("the rare part drives a sorted search", everyone().and(ten(77)), by(5, true), true, 10, 80),
        ("many in order of creation", everyone().and(quarter("a")), vec![], false, DOCUMENTS / 4, 1_500),
        ("the latest", everyone(), by(5, true), true, DOCUMENTS, 200),
        ("the earliest", everyone(), by(5, false), true, DOCUMENTS, 200),
        ("the latest of a quarter", quarter("a"), by(5, true), true, DOCUMENTS / 4, 1_000),
        ("grouped by frequent values", everyone(), by(2, true), true, DOCUMENTS, 400),
        ("without", ten(77).and(quarter("a").not()), vec![], true, 8, 60),
        ("many but for a few", even().and(ten(1).not()), vec![], true, DOCUMENTS / 2 - 5, 120),
        (
            "many but for some",
            quarter("a").and(Filter::Any(vec![ten(1), ten(500), dates(40, 60)]).not()),
            vec![],
            true,
            DOCUMENTS / 4 - 10,
            400,
        ),
        ("a union", Filter::Any(vec![ten(1), ten(2), unique(5_000)]), vec![], true, 21, 50),
        ("two large sets", quarter("a").and(Filter::present(Index(5))), vec![], true, 2_400, 30_000),
    ];
    for (name, filter, sort, total, count, rows) in cases {
        let found = run(&store, filter, sort, Page::First, total);
        assert!(found.rows <= rows, "{name} touches {} rows, not {rows}", found.rows);
        if total {
            assert_eq!(found.total, Some(Counted::exactly(count)), "{name}");
        }
        assert_eq!(found.hits.len() as u64, count.min(20), "{name}");
    }
}

/// Lists and totals that were found are found again without their rows until documents of their collection change.
#[test]
fn finds_again_until_the_collection_changes() {
    let (_directory, store) = filled();
    let tens = |from: u64, to| (from..to).map(|number: u64| number.to_be_bytes().to_vec()).collect();
    let but_for = |tens: Vec<Vec<u8>>| even().and(Filter::OneOf { index: Index(4), values: tens.into() }.not());
    let count = |snapshot: &dyn Snapshot, filter: &Filter| {
        let find = Find { total: Count::Exact, ..Find::new(filter.clone(), 1) };
        let found = snapshot.find(&find).unwrap();
        (found.total.unwrap().count, found.rows)
    };
    let filter = but_for(tens(0, 200));
    let before = store.snapshot().unwrap();
    let first = count(&*before, &filter);
    assert_eq!(first.0, DOCUMENTS / 2 - 1_000);
    let again = |snapshot: &dyn Snapshot| {
        let again = count(snapshot, &filter);
        assert!(again.0 == first.0 && again.1 + 1_000 < first.1, "{again:?} after {first:?}");
    };
    again(&*before);
    write(&store, vec![put("Other/1", 2, &[(2, b"y"), (8, b"hub")])]);
    again(&*store.snapshot().unwrap());
    again(&*before);
    // The list serves other totals.
    let other = even().and(unique(77)).not().and(filter.clone());
    assert_eq!(count(&*before, &other).0, first.0);
    write(&store, vec![put("D/0", 2, &[(1, b"all"), (4, &2_000_u64.to_be_bytes()), (6, b"even")])]);
    let after = store.snapshot().unwrap();
    for _ in 0..2 {
        assert_eq!(count(&*after, &filter).0, first.0 + 1);
        assert_eq!(count(&*before, &filter).0, first.0);
    }
    store.commit(Batch { preconditions: Vec::new(), writes: vec![deletion("D/5000", 1)] }).unwrap();
    assert_eq!(count(&*store.snapshot().unwrap(), &filter).0, first.0);
}

fn deletion(name: &str, version: u64) -> Write {
    Write::Delete { key: Key::parse(name).unwrap(), version: version + 1, mark: 0 }
}

/// The searches that are slow elsewhere.
#[test]
fn touches_few_rows_where_others_touch_many() {
    let (_directory, store) = filled();
    let units = Filter::Any((0..DOCUMENTS).step_by(10).map(unique).collect());
    let by_date = |descending| by(5, descending);
    // The name, the filter, the order, how many there are, and how many rows a page may touch, a page with a count of what is cheap, and
    // a page with an exact count.
    let odd = Filter::equal(Index(6), "even").not();
    let (before, after) = (dates(0, 5_000), dates(5_000, 10_000));
    let two_ranges = quarter("a").and(dates(0, 5_000)).and(Filter::prefix(Index(3), [0]));
    let cases = [
        ("all but one value", everyone().and(odd), vec![], 5_000, [400, 400, 400]),
        ("all but a value of others too", everyone().and(quarter("a").not()), vec![], 7_500, [400, 400, 13_000]),
        ("without a date", everyone().and(Filter::present(Index(5)).not()), vec![], 200, [3_000, 3_000, 22_500]),
        ("a thousand ids", everyone().and(units), vec![], 1_000, [1_100, 1_100, 1_200]),
        ("dates", everyone().and(dates(1_000, 9_000)), vec![], 7_840, [3_000, 3_000, 11_000]),
        ("dates before", everyone().and(dates(0, 500)), vec![], 490, [700, 700, 700]),
        ("dates before, the latest", everyone().and(before), by_date(true), 4_900, [400, 500, 6_000]),
        ("dates after, the earliest", everyone().and(after), by_date(false), 4_900, [400, 500, 6_000]),
        ("a value and dates", quarter("a").and(dates(1_000, 9_000)), vec![], 1_920, [1_500, 1_500, 12_000]),
        ("a value and two ranges", two_ranges, vec![], 1_200, [2_000, 3_000, 20_000]),
        ("the latest with a value", quarter("a").and(everyone()), by_date(true), 2_500, [1_500, 1_500, 13_000]),
    ];
    for (name, filter, sort, count, limits) in cases {
        let budgets = [Count::None, Count::Within(500), Count::Exact];
        for (total, rows) in budgets.into_iter().zip(limits) {
            let find = Find { sort: sort.clone(), total, ..Find::new(filter.clone(), 20) };
            let found = store.snapshot().unwrap().find(&find).unwrap();
            assert!(found.rows <= rows, "{name} with {total:?} touches {} rows, not {rows}", found.rows);
            assert_eq!(found.hits.len(), 20, "{name}");
            match (total, found.total) {
                (Count::Exact, total) => assert_eq!(total, Some(Counted::exactly(count)), "{name}"),
                (Count::Within(_), Some(total)) if total.exact => assert_eq!(total.count, count, "{name}"),
                (Count::Within(_), Some(total)) => {
                    assert!((count / 2..count * 2).contains(&total.count), "{name}: about {}", total.count)
                }
                (_, total) => assert_eq!(total, None, "{name}"),
            }
        }
    }
}

/// A page of what is found by ranges is their next rows, wherever it begins.
#[test]
fn touches_the_rows_of_a_page_where_any_order_will_do() {
    let (_directory, store) = filled();
    let snapshot = store.snapshot().unwrap();
    for filter in [dates(1_000, 9_000), Filter::Any(vec![dates(9_000, 9_100), dates(0, 9_050)])] {
        let mut find = Find { any_order: true, ..Find::new(everyone().and(filter.clone()), 20) };
        for number in 0..100 {
            let found = snapshot.find(&find).unwrap();
            assert!(found.rows <= 60, "page {number} of {filter:?} touches {} rows", found.rows);
            if let Some(previous) = found.previous {
                let back = snapshot.find(&Find { page: Page::Before(previous), ..find.clone() }).unwrap();
                assert!(back.rows <= 60, "back from page {number} of {filter:?} touches {} rows", back.rows);
            }
            find.page = Page::After(found.next.unwrap());
        }
    }
}

/// A page of what a list has in a short range is found in the range, which is where both of its ends are, however they are given.
#[test]
fn touches_few_rows_of_a_list_in_a_short_range() {
    let (_directory, store) = filled();
    let snapshot = store.snapshot().unwrap();
    let bound = |number: u64| (number * 7).to_be_bytes().to_vec();
    let from = Filter::range(Index(5), Bound::Included(bound(5_000)), Bound::Unbounded);
    let to = Filter::range(Index(5), Bound::Unbounded, Bound::Excluded(bound(5_400)));
    let none = Filter::range(Index(5), Bound::Included(bound(5_200)), Bound::Excluded(bound(5_100)));
    for filter in [
        quarter("b").and(dates(5_000, 5_400)),
        quarter("b").and(from.clone()).and(to.clone()),
        quarter("b").and(to).and(Filter::Any(vec![from, none])),
    ] {
        let mut find = Find { any_order: true, ..Find::new(everyone().and(filter.clone()), 20) };
        let mut keys = Vec::new();
        for number in 0..5 {
            let found = snapshot.find(&find).unwrap();
            // The first page chooses the order, for which it looks at a sample.
            let most = if number == 0 { 1_000 } else { 300 };
            assert!(found.rows <= most, "page {number} of {filter:?} touches {} rows, not {most}", found.rows);
            keys.extend(found.hits.iter().map(|hit| hit.key.to_string()));
            if let Some(previous) = found.previous {
                let back = snapshot.find(&Find { page: Page::Before(previous), ..find.clone() }).unwrap();
                assert!(back.rows <= 300, "back from page {number} of {filter:?} touches {} rows", back.rows);
                let back = back.hits.iter().map(|hit| hit.key.to_string());
                assert!(back.eq(keys[20 * (number - 1)..20 * number].iter().cloned()), "back from page {number}");
            }
            match found.next {
                Some(next) => find.page = Page::After(next),
                None => assert_eq!(number, 4, "{filter:?}"),
            }
        }
        let expected = (5_000..5_400).filter(|number| number % 4 == 1 && number % 50 != 0);
        assert_eq!(keys, expected.map(|number| format!("D/{number}")).collect::<Vec<_>>(), "{filter:?}");
    }
}

/// Long lists that have little in common are not read: what stands next in one is looked for in the other.
#[test]
fn touches_few_rows_where_long_lists_meet_rarely() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path(), clock()).unwrap();
    // Index 1 has thousands of neighbors, index 2 one of fifty and all of the last thousand, index 3 every one, and 5 a date, descending.
    let document = |number: u64| {
        let (thousand, date) = ((number / 1_000).to_be_bytes(), (6_000 - number).to_be_bytes());
        let mut rows: Vec<(u32, &[u8])> = vec![(1, &thousand), (3, b"all"), (5, &date)];
        if number.is_multiple_of(50) || number >= 5_000 {
            rows.push((2, b"code"));
        }
        put(&format!("D/{number}"), 1, &rows)
    };
    for first in (0..6_000).step_by(2_000) {
        write(&store, (first..first + 2_000).map(document).collect());
    }
    let thousand = |number: u64| Filter::equal(Index(1), number.to_be_bytes());
    let (code, all) = (Filter::equal(Index(2), "code"), Filter::equal(Index(3), "all"));
    let dates = Filter::range(Index(5), Bound::Excluded(3_500_u64.to_be_bytes().into()), Bound::Unbounded);
    let cases = [
        ("a few of both", code.clone().and(thousand(2)), vec![], Count::Exact, 20, 300),
        ("a few of both, the latest", code.clone().and(thousand(2)), by(5, true), Count::Exact, 20, 340),
        ("a few of both in a range", code.clone().and(thousand(2)).and(dates), vec![], Count::Exact, 10, 500),
        ("a few of both and all", all.clone().and(code.clone()).and(thousand(2)), vec![], Count::Exact, 20, 300),
        ("no list has what the other has", thousand(0).and(thousand(4)), vec![], Count::Exact, 0, 10),
        ("the shorter is part of the longer", all.and(code.clone()), vec![], Count::None, 1_100, 60),
        ("neighbors", code.and(thousand(5)), vec![], Count::None, 1_000, 350),
    ];
    for (name, filter, sort, total, count, rows) in cases {
        let find = Find { sort, total, ..Find::new(filter, 20) };
        let found = store.snapshot().unwrap().find(&find).unwrap();
        assert!(found.rows <= rows, "{name} touches {} rows, not {rows}", found.rows);
        assert_eq!(found.hits.len() as u64, count.min(20), "{name}");
        if total == Count::Exact {
            assert_eq!(found.total, Some(Counted::exactly(count)), "{name}");
        }
    }
}

/// Many documents name one: where that is known, a page of them is not found by reading them all.
#[test]
fn touches_few_rows_of_what_names_a_hub() {
    let (_directory, store) = filled();
    let hub = Filter::LinksTo { links: vec![Index(7)], names: vec![], to: Filter::equal(Index(8), "hub").into() };
    for (filter, sort, rows) in [
        (hub.clone(), vec![], 1_500),
        (everyone().and(hub.clone()), vec![], 1_500),
        (everyone().and(hub.clone()), by(5, true), 1_500),
        (everyone().and(hub).and(quarter("b")), vec![], 3_000),
    ] {
        let find = Find { sort: sort.clone(), ..Find::new(filter.clone(), 200) };
        let found = store.snapshot().unwrap().find(&find).unwrap();
        assert_eq!(found.hits.len(), 200);
        assert!(found.rows <= rows, "{filter:?} by {sort:?} touches {} rows, not {rows}", found.rows);
    }
}

/// A total is about a page that is there already: where it cannot be counted, or not even be estimated, it is guessed.
#[test]
fn gives_a_page_whatever_its_total_would_cost() {
    let (_directory, store) = filled();
    let dates = Filter::present(Index(5));
    for filter in [dates.clone(), quarter("a").and(dates.clone()), dates.and(ten(77).not())] {
        let page = Find::new(filter.clone(), 20);
        let snapshot = store.snapshot().unwrap();
        let rows = snapshot.find(&page).unwrap().rows;
        for left in [0, 1, 10, 100, 1_000, 3_000] {
            let find = Find { total: Count::Within(100_000), rows_max: rows + left, ..page.clone() };
            let found = snapshot.find(&find).unwrap_or_else(|error| panic!("{filter:?} with {left} left: {error}"));
            assert!(found.hits.len() == 20 && found.rows <= rows + left, "{filter:?} with {left} left");
            assert_eq!(found.total.map(|total| total.exact), Some(false), "{filter:?} with {left} left");
        }
        let find = Find { total: Count::Exact, rows_max: rows + 100, ..page };
        assert!(matches!(snapshot.find(&find), Err(StoreError::TooCostly(_))));
    }
}

/// A search inside texts looks at those that words say may be it, and at those alone.
#[test]
fn touches_few_rows_inside_texts() {
    const TEXT: Index = Index(9);
    const TRIGRAM: Index = Index(10);
    let row = |index, value: &[u8]| Row { index, value: value.to_vec() };
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path(), clock()).unwrap();
    // The last of each thousand has a text of its own, and the one before has more words than are kept.
    let text = |number: u64| match number % 1_000 {
        999 => format!("anna ravenna {number}"),
        _ => format!("anna novak {number}"),
    };
    let document = |number: u64| {
        let Write::Put(put) = put(&format!("D/{number}"), 1, &[(1, b"all"), (9, text(number).as_bytes())]) else {
            unreachable!("it is a put")
        };
        let text = text(number);
        let mut words: Vec<_> = match number % 1_000 {
            998 => vec![row(TRIGRAM, b"")],
            _ => text.as_bytes().windows(3).map(|trigram| row(TRIGRAM, trigram)).collect(),
        };
        words.sort();
        words.dedup();
        Write::Put(Put { words, ..put })
    };
    for first in (0..DOCUMENTS).step_by(2_500) {
        write(&store, (first..first + 2_500).map(document).collect());
    }
    let containing = |needle: &str| {
        let trigrams = needle.as_bytes().windows(3).map(|trigram| Filter::word(TRIGRAM, trigram));
        let candidates = Filter::Any(vec![Filter::All(trigrams.collect()), Filter::word(TRIGRAM, "")]);
        let test = Some(Test::Contains { skip: 0, needle: needle.into() });
        everyone().and(candidates).and(Filter::Match(Match { index: TEXT, range: Range::full(), test }))
    };
    for (needle, sort, count, rows) in [
        ("ravenna", vec![], 10, 200),
        ("ravenna", by(9, false), 10, 400),
        // Some have every trigram of it, but not in this order.
        ("venna ra", vec![], 0, 200),
        ("ravennanova", vec![], 0, 40),
        ("nowhere", vec![], 0, 40),
        ("novak 1998", vec![], 1, 40),
        ("anna", vec![], DOCUMENTS, 400),
    ] {
        let find = Find { sort, ..Find::new(containing(needle), 20) };
        let found = store.snapshot().unwrap().find(&find).unwrap();
        assert_eq!(found.hits.len() as u64, count.min(20), "{needle}");
        assert!(found.rows <= rows, "{needle} touches {} rows, not {rows}", found.rows);
    }
    assert_eq!(store.verify(), Ok(()));
}

#[test]
fn touches_few_rows_on_late_pages() {
    let (_directory, store) = filled();
    for (sort, rows) in
        [(vec![], 200), (by(5, true), 400), (by(5, false), 400), (by(2, false), 400), (by(2, true), 400)]
    {
        let mut page = Page::First;
        let mut last: Option<Cursor> = None;
        for number in 0..60 {
            let found = run(&store, everyone(), sort.clone(), page, false);
            assert!(found.rows <= rows, "page {number} by {sort:?} touches {} rows, not {rows}", found.rows);
            last = found.previous;
            page = Page::After(found.next.unwrap());
        }
        let found = run(&store, everyone(), sort.clone(), Page::Before(last.unwrap()), false);
        assert!(found.rows <= rows, "a page back by {sort:?} touches {} rows, not {rows}", found.rows);
        assert_eq!(found.hits.len(), 20);
    }
}

#[test]
fn keeps_counts_of_frequent_values_only() {
    let (_directory, store) = filled();
    let txn = store.files.env.read_txn().unwrap();
    let kept = store.files.tables.counts.iter(&txn).unwrap();
    let kept: Vec<Vec<u8>> = kept.map(|entry| entry.unwrap().0.to_vec()).collect();
    assert_eq!(
        kept,
        [
            &b"\0\0\0\x01all"[..],
            b"\0\0\0\x02a",
            b"\0\0\0\x02b",
            b"\0\0\0\x02c",
            b"\0\0\0\x02d",
            b"\0\0\0\x06even",
            b"\0\0\0\x06odd",
            b"\0\0\0\x071\0Other",
        ]
    );
    assert_eq!(store.verify(), Ok(()));
}
