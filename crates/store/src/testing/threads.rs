//! Many at once: no update is lost, no name is taken twice, and refusals of one do not touch others.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Make;
use super::support::{MORNING, TestClock, at_version, finds, key, put, put_with_words, read, row};
use crate::{Batch, Filter, Index, Precondition, StoreError, Write};

const THREADS: usize = 8;
const ROUNDS: usize = 20;

pub(super) fn contract(make: Make<'_>) {
    loses_no_update(make);
    gives_a_name_to_one(make);
    lets_one_make_what_none_found(make);
    shows_batches_whole(make);
}

/// The same work on several threads.
fn on_threads(work: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let work = &work;
            scope.spawn(move || work(thread));
        }
    });
}

fn loses_no_update(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let increment = || {
        let before = read(&*store, "Counter/1");
        let version = before.as_ref().map_or(0, |before| before.version);
        let count: usize = before
            .and_then(|before| before.body)
            .map_or(0, |body| std::str::from_utf8(&body).expect("digits").parse().expect("a number"));
        let next = put("Counter/1", version + 1, &(count + 1).to_string(), vec![row(1, (count + 1).to_string())]);
        store.commit(Batch { preconditions: vec![at_version("Counter/1", version)], writes: vec![next] })
    };
    on_threads(|_| {
        for _ in 0..ROUNDS {
            loop {
                match increment() {
                    Ok(_) => break,
                    Err(StoreError::Conflict(0)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    let last = read(&*store, "Counter/1").expect("a counter");
    let expected = (THREADS * ROUNDS).to_string();
    assert_eq!((last.version, last.body.as_deref()), ((THREADS * ROUNDS) as u64, Some(expected.as_bytes())));
    assert_eq!(finds(&*store, Filter::present(Index(1))), ["Counter/1"]);
    assert_eq!(finds(&*store, Filter::equal(Index(1), expected)), ["Counter/1"]);
}

fn gives_a_name_to_one(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    let winners = AtomicUsize::new(0);
    on_threads(|thread| {
        for round in 0..ROUNDS {
            let claim =
                Write::Claim { name: format!("slot {round}").into_bytes(), value: thread.to_string().into_bytes() };
            let booking = put(&format!("Booking/{round}-{thread}"), 1, "", vec![row(1, "booked")]);
            match store.commit(Batch { preconditions: vec![], writes: vec![booking, claim] }) {
                Ok(_) => drop(winners.fetch_add(1, Ordering::SeqCst)),
                Err(StoreError::Claimed(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    assert_eq!(winners.load(Ordering::SeqCst), ROUNDS);
    let booked = finds(&*store, Filter::equal(Index(1), "booked"));
    assert_eq!(booked.len(), ROUNDS);
    for name in booked {
        let (round, thread) = key(&name)
            .id()
            .split_once('-')
            .map(|(round, thread)| (round.to_owned(), thread.to_owned()))
            .expect("two parts");
        let holder = store.snapshot().expect("a snapshot").value(format!("slot {round}").as_bytes());
        assert_eq!(holder, Ok(Some(thread.into_bytes())));
    }
}

fn lets_one_make_what_none_found(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    on_threads(|thread| {
        for round in 0..ROUNDS {
            let value = format!("identifier {round}");
            let nobody = Precondition::Finds { filter: Filter::equal(Index(1), value.as_str()), keys: vec![] };
            let writes = vec![put(&format!("Patient/{round}-{thread}"), 1, "", vec![row(1, value.as_str())])];
            match store.commit(Batch { preconditions: vec![nobody], writes }) {
                Ok(_) | Err(StoreError::Conflict(0)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    for round in 0..ROUNDS {
        assert_eq!(finds(&*store, Filter::equal(Index(1), format!("identifier {round}"))).len(), 1, "{round}");
    }
}

/// Pairs written together are seen together, by reading and by searching.
fn shows_batches_whole(make: Make<'_>) {
    let store = make(TestClock::new(MORNING));
    on_threads(|thread| {
        for round in 1..=ROUNDS as u64 {
            let names = ["left", "right"].map(|side| format!("Pair/{side}-{thread}"));
            let value = format!("{thread} {round}");
            let (rows, words) = (vec![row(1, value.as_str())], vec![row(2, value.as_str())]);
            let put = |name| put_with_words(name, round, &value, rows.clone(), words.clone());
            let writes = names.iter().map(|name| put(name)).collect();
            store.commit(Batch { preconditions: vec![], writes }).expect("nobody else writes these");
            let snapshot = store.snapshot().expect("a snapshot");
            for other in 0..THREADS {
                let version = |side| {
                    snapshot.read(&key(&format!("Pair/{side}-{other}"))).expect("a read").map_or(0, |read| read.version)
                };
                let (left, right) = (version("left"), version("right"));
                assert_eq!(left, right, "pair {other}");
                assert!(other != thread || left == round, "own commits are seen");
                let value = format!("{other} {left}");
                for filter in [Filter::equal(Index(1), value.as_str()), Filter::word(Index(2), value.as_str())] {
                    let found = snapshot.find(&super::support::all_of(filter)).expect("a search");
                    assert_eq!(found.hits.len(), if left > 0 { 2 } else { 0 });
                }
            }
        }
    });
}
