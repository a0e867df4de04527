//! At each limit, and one past it.

use std::ops::Bound;

use bytes::Bytes;

use super::Make;
use super::support::{MORNING, TestClock, finds, key, put, put_with_words, read, reindex, row, write, written};
use crate::{Filter, Index, Key, Put, StoreError, VALUE_MAX, WORD_MAX, Write};

pub(super) fn contract(make: Make<'_>) {
    takes_the_longest_keys(make);
    takes_the_longest_values(make);
    takes_the_longest_words(make);
    refuses_times_beyond_the_body(make);
    refuses_names_that_do_not_fit(make);
    takes_large_bodies(make);
}

fn is_misuse<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Misuse(_)))
}

fn takes_the_longest_keys(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let longest = format!("P/{}", "x".repeat(Key::MAX - 2));
    assert_eq!(Key::parse(&format!("{longest}x")), None);
    written(&*store, vec![put(&longest, 1, "body", vec![row(1, "a")])]);
    assert_eq!(read(&*store, &longest).map(|version| version.version), Some(1));
    assert_eq!(finds(&*store, Filter::equal(Index(1), "a")), [longest]);
}

fn takes_the_longest_values(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    // Worst for any escape, and neighbors in the order.
    let values: Vec<Vec<u8>> =
        vec![vec![0; VALUE_MAX - 1], vec![0; VALUE_MAX], vec![0xff; VALUE_MAX - 1], vec![0xff; VALUE_MAX]];
    for (number, value) in values.iter().enumerate() {
        written(&*store, vec![put(&format!("P/{number}"), 1, "", vec![row(u32::MAX, value.clone())])]);
        assert_eq!(finds(&*store, Filter::equal(Index(u32::MAX), value.clone())), [format!("P/{number}")]);
    }
    let too_long = vec![0; VALUE_MAX + 1];
    assert!(is_misuse(write(&*store, vec![put("P/9", 1, "", vec![row(1, too_long.clone())])])));
    assert_eq!(read(&*store, "P/9"), None);
    // A filter may ask for more than a value can be.
    let longer = [values[1].clone(), vec![0; 300]].concat();
    let range = |low, high| finds(&*store, Filter::range(Index(u32::MAX), low, high));
    assert_eq!(finds(&*store, Filter::equal(Index(u32::MAX), too_long)), [""; 0]);
    assert_eq!(finds(&*store, Filter::prefix(Index(u32::MAX), longer.clone())), [""; 0]);
    assert_eq!(range(Bound::Included(longer.clone()), Bound::Unbounded), ["P/2", "P/3"]);
    assert_eq!(range(Bound::Unbounded, Bound::Excluded(longer.clone())), ["P/0", "P/1"]);
    assert_eq!(range(Bound::Excluded(longer), Bound::Included(vec![0xff; VALUE_MAX + 9])), ["P/2", "P/3"]);
}

fn takes_the_longest_words(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let words = |length| vec![row(u32::MAX, vec![b'x'; length])];
    let finds = |length| finds(&*store, Filter::word(Index(u32::MAX), vec![b'x'; length]));
    written(&*store, vec![put_with_words("P/1", 1, "", vec![], words(WORD_MAX))]);
    assert_eq!((finds(WORD_MAX), finds(WORD_MAX - 1)), (vec!["P/1".to_owned()], vec![]));
    assert!(is_misuse(write(&*store, vec![put_with_words("P/2", 1, "", vec![], words(WORD_MAX + 1))])));
    assert!(is_misuse(write(&*store, vec![reindex("P/1", 1, vec![], words(WORD_MAX + 1))])));
    assert!(is_misuse(write(&*store, vec![reindex("P/1", 1, vec![row(1, vec![0; VALUE_MAX + 1])], vec![])])));
    assert_eq!((read(&*store, "P/2"), finds(WORD_MAX).len(), finds(WORD_MAX + 1).len()), (None, 1, 0));
}

fn refuses_times_beyond_the_body(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let body = Bytes::from_static(&[b'x'; 24]);
    let stamped = |at| {
        let put = Put {
            key: key("P/1"),
            version: 1,
            body: body.clone(),
            stamp_at: Some(at),
            rows: vec![],
            words: vec![],
            time_index: None,
            mark: 0,
        };
        write(&*store, vec![Write::Put(put)])
    };
    assert!(is_misuse(stamped(1)));
    assert!(is_misuse(stamped(usize::MAX)));
    assert_eq!(read(&*store, "P/1"), None);
    assert!(
        stamped(0).is_ok_and(|committed| committed.versions[0].body.as_deref() == Some(b"2026-03-01T09:00:00.000Z"))
    );
}

fn refuses_names_that_do_not_fit(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let longest = vec![0; 511];
    for write_of in [
        |name: Vec<u8>| Write::Claim { name, value: Vec::new() },
        |name| Write::Set { name, value: vec![1; 100_000] },
        |name| Write::Release { name },
    ] {
        assert!(is_misuse(write(&*store, vec![write_of(Vec::new())])));
        assert!(is_misuse(write(&*store, vec![write_of(vec![0; 512])])));
        written(&*store, vec![write_of(longest.clone())]);
    }
    assert_eq!(store.snapshot().expect("a snapshot").value(&[0; 512]), Ok(None));
}

/// A body is kept whole, or refused as too large with nothing stored; only large ones may be refused.
fn takes_large_bodies(make: Make<'_>) {
    const ALWAYS_TAKEN: usize = 15 << 20;
    let store = make(TestClock::new(MORNING));
    let lengths = [0, 4000, 5000, 100_000, 5_000_000, ALWAYS_TAKEN, 16 << 20, 17 << 20];
    let body = |length| "0123456789".repeat(length / 10 + 1)[..length].to_owned();
    for (number, length) in lengths.into_iter().enumerate() {
        let (name, small) = (format!("P/{number}"), format!("Q/{number}"));
        let body = body(length);
        let is_taken = match write(&*store, vec![put(&small, 1, "", vec![]), put(&name, 1, &body, vec![])]) {
            Err(StoreError::TooLarge(_)) if length > ALWAYS_TAKEN => false,
            taken => taken.expect("the batch is right").versions.len() == 2,
        };
        assert_eq!(read(&*store, &small).is_some(), is_taken, "{length}");
        let stored = read(&*store, &name).map(|version| version.body.expect("a body"));
        assert!(stored.as_deref() == is_taken.then_some(body.as_bytes()), "{length}");
    }
    keeps_what_is_too_large_to_index(make);
}

/// Rows that have no room beside a body do not take its place.
fn keeps_what_is_too_large_to_index(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let body = "x".repeat(14 << 20);
    written(&*store, vec![put("P/1", 1, &body, vec![row(1, "a")])]);
    let rows =
        (0..10_000_u32).map(|number| row(2, [number.to_be_bytes().to_vec(), vec![0xff; 300]].concat())).collect();
    let found = match write(&*store, vec![put("P/2", 1, "", vec![]), reindex("P/1", 1, rows, vec![])]) {
        Err(StoreError::TooLarge(_)) => [1, 0],
        taken => [0, taken.expect("the batch is right").versions.len()],
    };
    let finds = [1, 2].map(|index| finds(&*store, Filter::present(Index(index))).len());
    assert_eq!((finds, read(&*store, "P/2").is_some()), (found, found[1] == 1));
    assert!(read(&*store, "P/1").is_some_and(|version| version.body.as_deref() == Some(body.as_bytes())));
}
