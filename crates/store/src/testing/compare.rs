//! Two stores with the same documents find the same.

use super::random::Random;
use super::search::{filled, random_filter, random_sort};
use crate::{Count, Cursor, Find, Found, Index, Page, Row, Snapshot, Store};

/// Puts the same random documents into two empty stores, and compares what as many random searches find in them, page by page and back.
pub fn find_alike(one: &dyn Store, other: &dyn Store, seed: u64, documents: u64, searches: u32) {
    for store in [one, other] {
        filled(store, &mut Random::new(seed), documents);
    }
    let (one, other) = (one.snapshot().expect("a snapshot"), other.snapshot().expect("a snapshot"));
    let mut random = Random::new(!seed);
    for number in 0..searches {
        let find = Find {
            sort: random_sort(&mut random),
            limit: 1 + random.below(60) as usize,
            total: *random.pick(&[Count::None, Count::Exact]),
            bodies: random.one_in(4),
            values: (0..random.below(4)).map(|_| Index(random.below(9) as u32)).collect(),
            ..Find::new(random_filter(&mut random, documents, 3), 0)
        };
        pages_are_alike(&*one, &*other, find, &format!("seed {seed}, search {number}"));
    }
}

/// Each store goes on with its own cursors.
fn pages_are_alike(one: &dyn Snapshot, other: &dyn Snapshot, mut find: Find, context: &str) {
    let mut finds = [find.clone(), find.clone()];
    let mut previous: Option<[Cursor; 2]> = None;
    for number in 0.. {
        let found = [one.find(&finds[0]).expect("a page"), other.find(&finds[1]).expect("a page")];
        assert_eq!(shown(&found[0]), shown(&found[1]), "page {number}, {context}: {find:?}");
        if let Some(cursors) = previous {
            let back = back(one, other, &find, cursors);
            assert_eq!(shown(&back[0]), shown(&back[1]), "back from page {number}, {context}: {find:?}");
        }
        let [Found { next: Some(next), previous: a, .. }, Found { next: Some(other_next), previous: b, .. }] = found
        else {
            return;
        };
        previous = a.zip(b).map(|(a, b)| [a, b]);
        // To the end by pages of all sizes.
        find.limit += find.limit / 2;
        finds = [next, other_next].map(|next| Find { page: Page::After(next), ..find.clone() });
    }
}

fn back(one: &dyn Snapshot, other: &dyn Snapshot, find: &Find, [cursor, other_cursor]: [Cursor; 2]) -> [Found; 2] {
    let before = |cursor| Find { page: Page::Before(cursor), ..find.clone() };
    [one.find(&before(cursor)).expect("a page"), other.find(&before(other_cursor)).expect("a page")]
}

/// All of a page that is the same in every store.
#[expect(clippy::type_complexity, reason = "it is only compared")]
fn shown(found: &Found) -> (Vec<(String, Option<(u64, Vec<u8>)>, &[Row])>, bool, bool, Option<u64>) {
    let hits = found.hits.iter().map(|hit| {
        let version = hit.version.as_ref();
        let version = version.map(|it| (it.version, it.body.as_deref().unwrap_or_default().to_vec()));
        (hit.key.to_string(), version, hit.rows.as_slice())
    });
    let total = found.total.map(|total| total.count);
    (hits.collect(), found.next.is_some(), found.previous.is_some(), total)
}
