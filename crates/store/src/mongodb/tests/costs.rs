//! What searches cost the database, in documents it looks at and keys of indexes it reads: near what the answer needs.

use std::ops::Bound;
use std::time::Instant;

use mongodb::bson::{Document, doc};

use super::*;
use crate::{Count, Counted, Filter, Find, Found, Limit, Match, Range, SortKey, Test, TooCostly};

const DOCUMENTS: u64 = 10_000;

/// How rows name `Other/1`.
const HUB: &[u8] = b"1\0Other";

/// Index 1: one row without a value for all. 2: one of four. 3: unique. 4: shared by ten. 5: a date, ascending, missing from every 50th.
/// 6: one of two. 7: names `Other/1`. 8: only `Other/1` has it. 9: two of a hundred. 11: a date, descending.
fn filled(mongod: &'static Mongod) -> Temporary {
    let store = Temporary::open(mongod, TestClock::new(NOON));
    for first in (0..DOCUMENTS).step_by(1_000) {
        commit(&store, (first..first + 1_000).map(document).collect()).unwrap();
    }
    commit(&store, vec![put_rows("Other/1", vec![row(2, b"z"), row(8, b"hub")])]).unwrap();
    store
}

fn document(number: u64) -> Write {
    let quarter = [b'a' + (number % 4) as u8];
    let half: &[u8] = if number.is_multiple_of(2) { b"even" } else { b"odd" };
    let names = [number * 7 % 100, number * 13 % 100].map(|name| row(9, &[name as u8]));
    let mut rows = vec![
        row(1, b""),
        row(2, &quarter),
        row(3, &number.to_be_bytes()),
        row(4, &(number / 10).to_be_bytes()),
        row(6, half),
        row(7, HUB),
        row(11, &(DOCUMENTS - number).to_be_bytes()),
    ];
    rows.extend(names);
    if !number.is_multiple_of(50) {
        rows.push(row(5, &(number * 7).to_be_bytes()));
    }
    put_rows(&format!("D/{number}"), rows)
}

fn row(index: u32, value: &[u8]) -> Row {
    Row { index: Index(index), value: value.to_vec() }
}

fn put_rows(name: &str, rows: Vec<Row>) -> Write {
    match put(name, 1, "{}") {
        Write::Put(put) => Write::Put(Put { rows, ..put }),
        other => other,
    }
}

fn all() -> Filter {
    Filter::equal(Index(1), "")
}

fn quarter(letter: &str) -> Filter {
    Filter::equal(Index(2), letter)
}

fn ten(number: u64) -> Filter {
    Filter::equal(Index(4), number.to_be_bytes())
}

fn half(name: &str) -> Filter {
    Filter::equal(Index(6), name)
}

/// Those whose names begin so.
fn halves(prefix: &str) -> Filter {
    Filter::prefix(Index(6), prefix)
}

fn dates(low: u64, high: u64) -> Filter {
    let (low, high) = ((low * 7).to_be_bytes(), (high * 7).to_be_bytes());
    Filter::range(Index(5), Bound::Included(low.into()), Bound::Excluded(high.into()))
}

fn by(index: u32, descending: bool) -> Vec<SortKey> {
    vec![SortKey { indexes: vec![Index(index)], descending }]
}

/// What the database did for a search: how many documents it looked at and how many keys of indexes it read, and whether it ever went
/// through a collection.
struct Cost {
    documents: i64,
    keys: i64,
    scanned: bool,
}

/// What is found, and what that cost the database.
fn measured(store: &Temporary, find: &Find) -> (Found, Cost) {
    let snapshot = store.snapshot().unwrap();
    let (found, operations) = profiled(store, || snapshot.find(find).unwrap());
    let mut cost = Cost { documents: 0, keys: 0, scanned: false };
    for operation in &operations {
        cost.scanned |= operation.get_str("planSummary").is_ok_and(|plan| plan.contains("COLLSCAN"));
        if operation.get_str("ns").is_ok_and(|collection| collection.ends_with(".documents")) {
            let number = |name: &str| operation.get(name).and_then(|it| it.as_i64().or(it.as_i32().map(i64::from)));
            cost.documents += number("docsExamined").unwrap_or_default();
            cost.keys += number("keysExamined").unwrap_or_default();
        }
    }
    assert!(!operations.is_empty());
    (found, cost)
}

/// What `work` gives, and what the database did meanwhile.
fn profiled<T>(store: &Temporary, work: impl FnOnce() -> T) -> (T, Vec<Document>) {
    let connection = &store.store().connection;
    let profile = |level: i32| connection.command(doc! { "profile": level, "slowms": 0 }).unwrap();
    drop(connection.command(doc! { "drop": "system.profile" }));
    profile(2);
    let done = work();
    profile(0);
    let operations = connection.collection("system.profile").clone_with_type::<Document>();
    let of_others = doc! { "ns": { "$not": { "$regex": "system.profile$" } } };
    let operations = connection.wait(async {
        let mut cursor = operations.find(of_others).await.unwrap();
        let mut operations = Vec::new();
        while cursor.advance().await.unwrap() {
            operations.push(cursor.deserialize_current().unwrap());
        }
        operations
    });
    (done, operations)
}

/// The server has put its generation of search parameters before each commit, and a create names nothing that was there.
#[test]
fn reads_nothing_before_it_makes_documents() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = Temporary::open(mongod, TestClock::new(NOON));
    let make = |number: u32| {
        let value = Precondition::Value { name: b"generation".to_vec(), value: None };
        let absent = Precondition::Version { key: key(&format!("P/{number}")), version: 0 };
        let writes = (0..3).map(|at| put(&format!("P/{}", number + at), 1, "")).collect();
        store.commit(Batch { preconditions: vec![value, absent], writes }).unwrap();
    };
    make(10);
    let (_, operations) = profiled(&store, || make(20));
    let kinds: Vec<_> = operations.iter().map(|operation| operation.get_str("op").unwrap()).collect();
    assert!(kinds.contains(&"insert") && !kinds.iter().any(|kind| ["query", "getmore"].contains(kind)), "{kinds:?}");
}

#[test]
fn looks_at_few_documents() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = filled(mongod);
    let present = |index| Filter::present(Index(index));
    let hub = Filter::LinksTo { links: vec![Index(7)], names: vec![], to: Filter::equal(Index(8), "hub").into() };
    let named = Filter::LinkedFrom { links: vec![Index(7)], names: vec![], from: ten(7).into() };
    let ids = (0..DOCUMENTS).step_by(10).map(|number| number.to_be_bytes().to_vec()).collect();
    let ending = Test::Ending { ending: vec![7], except: [].into() };
    let ending = Filter::Match(Match { index: Index(9), range: Range::full(), test: Some(ending) });
    let by_all = vec![SortKey { indexes: (4..=11).step_by(7).chain(100..250).map(Index).collect(), descending: true }];
    type Case<'c> = (&'c str, Filter, Vec<SortKey>, u64, [i64; 2]);
    // The filter, the order, how many there are, and how many documents a page may look at, and a page with a count.
    let cases: [Case<'_>; 32] = [
        ("one", Filter::equal(Index(3), 77_u64.to_be_bytes()), vec![], 1, [5, 5]),
        ("ten", ten(77), vec![], 10, [25, 25]),
        ("a quarter", quarter("a"), vec![], 2_500, [50, 50]),
        ("all of a kind", all(), vec![], 10_000, [50, 50]),
        ("half of all of a kind", all().and(half("odd")), vec![], 5_000, [50, 50]),
        ("a quarter of all", all().and(quarter("a")), vec![], 2_500, [60, 2_600]),
        ("everything", Filter::everything(), vec![], DOCUMENTS + 1, [50, 50]),
        ("the rare part leads", all().and(half("odd")).and(ten(77)), vec![], 5, [60, 60]),
        ("the rare part of a sorted search", all().and(ten(77)), by(5, true), 10, [60, 60]),
        ("the latest", all(), by(5, true), 10_000, [50, 50]),
        ("the earliest", all(), by(5, false), 10_000, [50, 50]),
        ("the latest of a quarter", all().and(quarter("a")), by(5, true), 2_500, [700, 3_200]),
        ("grouped by frequent values", all(), by(2, true), 10_000, [50, 50]),
        ("by names, of which there are two each", all(), by(9, false), 10_000, [200, 200]),
        ("by two keys", all(), [by(9, true), by(3, true)].concat(), 10_000, [400, 400]),
        ("by many indexes", all(), by_all, 10_000, [100, 100]),
        ("without", all().and(ten(77)).and(quarter("a").not()), vec![], 8, [60, 60]),
        ("all but a value", all().and(half("odd").not()), vec![], 5_000, [100, 100]),
        ("all but a value that others have too", all().and(quarter("a").not()), vec![], 7_500, [100, 10_100]),
        ("with a date", all().and(present(5)), vec![], 9_800, [60, 60]),
        ("without a date", all().and(present(5).not()), vec![], 200, [1_020, 1_020]),
        ("a thousand ids", all().and(Filter::OneOf { index: Index(3), values: ids }), vec![], 1_000, [300, 300]),
        ("a range of one value", all().and(halves("e")), vec![], 5_000, [70, 70]),
        ("a range of two values", all().and(halves("")), vec![], 10_000, [70, 70]),
        ("the latest in a range of one value", all().and(halves("e")), by(5, true), 5_000, [700, 700]),
        ("dates", all().and(dates(1_000, 9_000)), vec![], 7_840, [70, 70]),
        ("dates at the end", all().and(dates(9_900, 10_000)), vec![], 98, [60, 60]),
        ("dates after, the earliest", all().and(dates(5_000, 10_000)), by(5, false), 4_900, [1_000, 1_000]),
        ("dates after, the latest", all().and(dates(5_000, 10_000)), by(5, true), 4_900, [1_000, 1_000]),
        ("what names a hub", all().and(hub), vec![], 10_000, [60, 60]),
        ("what is named", named, vec![], 1, [60, 60]),
        ("an ending", all().and(ending), vec![], 200, [11_000, 22_000]),
    ];
    for (name, filter, sort, count, limits) in cases {
        for (total, limit) in [Count::None, Count::Exact].into_iter().zip(limits) {
            let find = Find { sort: sort.clone(), total, any_order: true, ..Find::new(filter.clone(), 20) };
            let (found, cost) = measured(&store, &find);
            assert!(!cost.scanned, "{name} goes through a collection");
            let Cost { documents, keys, .. } = cost;
            assert!(documents <= limit, "{name} with {total:?} looks at {documents} documents, not {limit}");
            let counted = count.max(DOCUMENTS.saturating_sub(count)) as i64 * 2;
            assert!(keys <= limit.max(600) + counted, "{name} with {total:?} reads {keys} keys");
            assert_eq!(found.hits.len() as u64, count.min(20), "{name}");
            if total == Count::Exact {
                assert_eq!(found.total, Some(Counted::exactly(count)), "{name}");
            }
        }
    }
}

/// Each command is a way to the database and back.
#[test]
fn asks_little() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = filled(mongod);
    let one = || Filter::equal(Index(3), 77_u64.to_be_bytes());
    // The filter, the order, and how many commands a page takes with its total, after a search for the same.
    let cases = [
        ("one", one(), vec![], 1),
        ("all of a kind", all(), vec![], 2),
        ("a quarter", all().and(quarter("a")), vec![], 2),
        ("a quarter, the latest", all().and(quarter("a")), by(5, true), 2),
        ("half, the latest", all().and(half("odd")), by(5, true), 2),
        ("a few, the latest", all().and(ten(7)), by(5, true), 3),
        ("few dates", all().and(dates(900, 910)), vec![], 1),
        ("dates", all().and(dates(900, 1_100)), vec![], 2),
        ("many dates", all().and(dates(1_000, 9_000)), vec![], 2),
        ("what begins so", all().and(halves("e")), vec![], 2),
        ("what begins so, the latest", all().and(halves("e")), by(5, true), 2),
    ];
    for (name, filter, sort, commands) in cases {
        let total = Count::Within(500);
        let find = Find { sort, total, any_order: true, bodies: true, ..Find::new(filter, 20) };
        let snapshot = store.snapshot().unwrap();
        let before = snapshot.find(&find).unwrap();
        let (found, operations) = profiled(&store, || snapshot.find(&find).unwrap());
        assert_eq!(operations.len(), commands, "{name}: {operations:?}");
        let exact = |found: &Found| found.total.filter(|total| total.exact);
        assert_eq!(exact(&found), exact(&before), "{name}");
        assert!(found.hits.iter().all(|hit| hit.version.is_some()), "{name}");
        let keys = |found: &Found| found.hits.iter().map(|hit| hit.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&found), keys(&before), "{name}");
    }
}

/// Whether documents are named by others is asked for all of them at once, although one is named by very many.
#[test]
fn asks_for_those_that_are_named_together() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = Temporary::open(mongod, TestClock::new(NOON));
    let named = (0..60).map(|number| put_rows(&format!("P/{number}"), vec![row(1, b"p")]));
    let naming = (0..1_000).map(|number| if number < 40 { number } else { 0 }).enumerate().map(|(number, of)| {
        put_rows(&format!("O/{number}"), vec![row(2, b"code"), row(7, format!("{of}\0P").as_bytes())])
    });
    commit(&store, named.chain(naming).collect()).unwrap();
    let from = Box::new(Filter::equal(Index(2), "code"));
    let is_named = Filter::LinkedFrom { links: vec![Index(7)], names: vec![], from };
    for (filter, count) in [(is_named.clone(), 40), (is_named.not(), 20)] {
        let filter = Filter::equal(Index(1), "p").and(filter);
        let find = Find { total: Count::Within(500), bodies: true, ..Find::new(filter, 10) };
        let snapshot = store.snapshot().unwrap();
        let before = snapshot.find(&find).unwrap();
        let (found, operations) = profiled(&store, || snapshot.find(&find).unwrap());
        assert_eq!((found.total, before.total), (Some(Counted::exactly(count)), found.total));
        assert_eq!(found.hits.len(), 10);
        assert_eq!(operations.len(), 4, "{operations:?}");
    }
}

/// Who is alone asks nothing before a commit.
#[test]
fn presumes_what_it_has_committed() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = Temporary::open(mongod, TestClock::new(NOON));
    let make = |number: u32| {
        let snapshot = store.store().presumed().unwrap();
        assert_eq!(snapshot.value(b"generation"), Ok(None));
        let preconditions = Vec::from_iter(snapshot.premise());
        store.commit(Batch { preconditions, writes: vec![put(&format!("P/{number}"), 1, "")] }).unwrap();
    };
    (0..10).for_each(make);
    let (_, operations) = profiled(&store, || make(10));
    assert_eq!(operations.len(), 3, "{operations:?}");
}

/// Where there are many, a sample tells about how many.
#[test]
fn estimates_from_a_sample() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = filled(mongod);
    let cases = [
        ("a quarter of all", all().and(quarter("a")), 2_500),
        ("all but a quarter", all().and(quarter("a").not()), 7_500),
        ("dates", dates(2_000, 8_000), 5_880),
    ];
    for (name, filter, count) in cases {
        let find = |rows| Find { total: Count::Within(rows), any_order: true, ..Find::new(filter.clone(), 20) };
        let (found, cost) = measured(&store, &find(500));
        let total = found.total.unwrap();
        assert!(!total.exact && (count * 2 / 3..count * 3 / 2).contains(&total.count), "{name}: about {}", total.count);
        assert!(cost.documents <= 1_500 && !cost.scanned, "{name} looks at {} documents", cost.documents);
        assert_eq!(measured(&store, &find(count)).0.total, Some(Counted::exactly(count)), "{name}");
    }
    // The keys of few rows are counted where so many documents would not be.
    for (filter, count) in [
        (all().and(half("odd")), 5_000),
        (all().and(halves("o")), 5_000),
        (all().and(half("odd").not()), 5_000),
        (half("odd").not(), 5_001),
        (dates(2_000, 4_000), 1_960),
    ] {
        let find = Find { total: Count::Within(500), any_order: true, ..Find::new(filter, 20) };
        let (found, cost) = measured(&store, &find);
        assert_eq!(found.total, Some(Counted::exactly(count)));
        assert!(cost.documents <= 60, "looks at {} documents", cost.documents);
    }
}

/// What is over before the time is looked at is not refused for it.
#[test]
fn is_never_too_late_for_a_few() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = filled(mongod);
    let late = |filter| Find { until: Some(Instant::now()), total: Count::Exact, ..Find::new(filter, 20) };
    let find = |filter| store.snapshot().unwrap().find(&late(filter)).map(|found| found.total);
    let refused = |index| Err(StoreError::TooCostly(TooCostly { index: Some(Index(index)), limit: Limit::Time }));
    assert_eq!(find(all().and(ten(7))), Ok(Some(Counted::exactly(10))));
    assert_eq!(find(all().and(ten(DOCUMENTS))), Ok(Some(Counted::exactly(0))));
    assert_eq!(find(all().and(dates(1_000, 9_000))), refused(5));
    assert_eq!(find(all().and(half("odd"))), refused(6));
}

/// More documents are on the far side of a join than become a condition: candidates are looked at instead.
#[test]
fn follows_links_of_very_many() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = filled(mongod);
    let everything = || Box::new(Filter::everything());
    let to = |links: u32| Filter::LinksTo { links: vec![Index(links)], names: vec![], to: everything() };
    let from = |names| Filter::LinkedFrom { links: vec![Index(7)], names, from: everything() };
    let hub = || Filter::equal(Index(8), "hub");
    // Row 8 of `Other/1` is no link; as a name it is none that a row gives.
    let cases = [
        ("they link", ten(7).and(to(7)), 10),
        ("none links not", ten(7).and(to(7).not()), 0),
        ("other rows are no links", ten(7).and(to(2)), 0),
        ("one of two conditions", ten(7).and(Filter::Any(vec![to(2), half("odd")])), 5),
        ("all but those that link", hub().and(Filter::Any(vec![to(7), ten(7)]).not()), 1),
        ("it is named", hub().and(from(vec![])), 1),
        ("it is named, and has names", hub().and(from(vec![Index(8)])), 1),
        ("it is not unnamed", hub().and(from(vec![]).not()), 0),
        ("they are not named", ten(7).and(from(vec![Index(8)])), 0),
        ("they are unnamed", ten(7).and(from(vec![]).not()), 10),
    ];
    for (name, filter, count) in cases {
        for sort in [vec![], by(5, true)] {
            let find = Find { sort, total: Count::Exact, ..Find::new(filter.clone(), 3) };
            let found = store.snapshot().unwrap().find(&find).unwrap();
            assert_eq!(found.total, Some(Counted::exactly(count)), "{name}");
            assert_eq!(found.hits.len() as u64, count.min(3), "{name}");
        }
    }
}

/// Like what consents hide: of each of many kinds, some documents of some holders, and what names such a document.
fn hidden(kinds: u32) -> Filter {
    let kind = |index| Filter::equal(Index(index), "");
    let of_holders = |count: u64| Filter::OneOf {
        index: Index(4),
        values: (0..count).map(|number| number.to_be_bytes().to_vec()).collect(),
    };
    let seen = |index| match index {
        1 => Filter::All(vec![of_holders(500), quarter("a").not()]).not(),
        _ => Filter::All(vec![of_holders(500), half("odd")]).not(),
    };
    let to = (1..=kinds).map(|index| kind(index).and(seen(index).not())).collect();
    let names = Filter::LinksTo { links: vec![Index(7)], names: vec![], to: Box::new(Filter::Any(to)) };
    (1..=kinds).fold(names.not(), |filter, index| filter.and(Filter::Any(vec![kind(index).not(), seen(index)])))
}

/// What has very many alternatives is checked of those documents that the rest of the search finds.
#[test]
fn checks_wide_filters_of_what_the_rest_finds() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = filled(mongod);
    // Of the first 500 tens all that are no quarter `a` are hidden.
    let cases = [
        ("ten that are hidden but for some", ten(7), vec![], 2, 60),
        ("ten of which none is hidden", ten(777), vec![], 10, 60),
        ("a few in an order", ten(777), by(5, true), 10, 90),
        ("a quarter", quarter("b"), vec![], 1_250, 4_000),
        ("those that are seen of all", all(), by(5, false), 6_250, 25_000),
    ];
    for (name, filter, sort, count, limit) in cases {
        let find = Find { sort, total: Count::Exact, ..Find::new(filter.and(hidden(150)), 20) };
        let (found, cost) = measured(&store, &find);
        assert_eq!(found.total, Some(Counted::exactly(count)), "{name}");
        assert!(!cost.scanned && cost.documents <= limit, "{name} looks at {} documents", cost.documents);
    }
    let find = Find { total: Count::Within(500), ..Find::new(all().and(hidden(150)), 20) };
    let (found, cost) = measured(&store, &find);
    let about = found.total.unwrap();
    assert!(!about.exact && (4_000..9_000).contains(&about.count) && !cost.scanned, "about {}", about.count);
    let judged = |name: &str| {
        let key = key(name);
        store.snapshot().unwrap().judge(&key, &all().and(hidden(150))).unwrap().map(|(_, accepted)| accepted)
    };
    assert_eq!(["D/4", "D/5", "D/9999", "D/none"].map(judged), [Some(true), Some(false), Some(true), None]);
}

#[test]
fn refuses_what_one_query_cannot_say() {
    let Some(mongod) = Mongod::shared() else { return };
    let store = Temporary::open(mongod, TestClock::new(NOON));
    let values = |count: u64| (0..count).map(|number| [&number.to_be_bytes()[..], &[b'x'; 92]].concat()).collect();
    let listed = |count| Filter::OneOf { index: Index(3), values: values(count) };
    let nested = |depth| (0..depth).fold(half("odd"), |filter, _| Filter::Any(vec![filter, ten(7)]).not());
    for (name, filter, is_too_large) in [
        ("many values", listed(50_000), false),
        ("too many values", listed(100_000), true),
        ("too many values of one alternative", Filter::Any(vec![ten(7), listed(100_000)]), true),
        ("deep", nested(39), false),
        // What is no condition for the database is checked here.
        ("many values that must not be", Filter::Any(vec![ten(7), listed(100_000).not()]), false),
        ("deeper than the database takes", nested(200), false),
    ] {
        let result = store.snapshot().unwrap().find(&Find::new(filter, 1));
        assert_eq!(matches!(result, Err(StoreError::TooCostly(_))), is_too_large, "{name}: {result:?}");
        assert!(is_too_large || result.is_ok(), "{name}: {result:?}");
    }
}
