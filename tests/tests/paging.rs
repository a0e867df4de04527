use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use flint_tests::{Flint, Reply};
use serde_json::{Value, json};
use store::testing::Random;

/// Resources that stand still.
const STILL: usize = 60;

/// While at least so many others are written, one search after the other is paged through.
const WRITES: usize = 40;

#[test]
fn what_stands_still_is_shown_once_while_others_change() {
    let flint = Flint::start();
    for number in 0..STILL {
        let still = patient(&format!("still-{number:02}"), number as u64);
        flint.send(&format!("PUT /Patient/still-{number:02}"), still).expect(201);
    }
    let (written, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (flint, written, done) = (&flint, &written, &done);
            scope.spawn(move || {
                let mut random = Random::new(writer);
                while !done.load(Ordering::Relaxed) {
                    write(flint, writer, &mut random);
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let reading = scope.spawn(|| {
            let sorts = ["", "&_sort=birthdate", "&_sort=-birthdate,family", "&_sort=_lastUpdated", "&_sort=-_id"];
            for sort in sorts {
                let before = written.load(Ordering::Relaxed);
                while written.load(Ordering::Relaxed) < before + WRITES {
                    page_through(&flint, &format!("/Patient?gender=female&_count=7{sort}"));
                }
            }
        });
        let read = reading.join();
        done.store(true, Ordering::Relaxed);
        read.expect("every page is as it should be");
    });
}

/// Few dates and names, so that many are equal in any order.
fn patient(id: &str, number: u64) -> Value {
    let family = ["Ash", "Birch", "Cedar"][number as usize % 3];
    json!({"resourceType": "Patient", "id": id, "gender": "female", "birthDate": format!("198{}-01-01", number % 7),
        "name": [{"family": family}]})
}

/// Puts one of a few others in, changes it, or takes it away.
fn write(flint: &Flint, writer: u64, random: &mut Random) {
    let id = format!("moves-{writer}-{}", random.below(12));
    match random.below(4) {
        0 => drop(flint.call(&format!("DELETE /Patient/{id}")).send().expect(204)),
        _ => {
            let reply = flint.send(&format!("PUT /Patient/{id}"), patient(&id, random.below(100)));
            assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        }
    }
}

fn page_through(flint: &Flint, url: &str) {
    let expected: BTreeSet<String> = (0..STILL).map(|number| format!("Patient/still-{number:02}")).collect();
    let mut forth = Vec::new();
    let mut page = flint.get(url).expect(200);
    assert_eq!(page.link("previous"), None);
    loop {
        add(&mut forth, &page);
        match page.link("next") {
            Some(next) => page = flint.get(&next).expect(200),
            None => break,
        }
    }
    assert_eq!((forth.len(), forth.iter().cloned().collect()), (STILL, expected), "{url}");
    let mut back = Vec::new();
    loop {
        let mut keys = Vec::new();
        add(&mut keys, &page);
        back.splice(0..0, keys);
        match page.link("previous") {
            Some(previous) => page = flint.get(&previous).expect(200),
            None => break,
        }
    }
    assert_eq!(back, forth, "{url}");
}

fn add(keys: &mut Vec<String>, page: &Reply) {
    let found = page.keys("match");
    assert!(found.len() <= 7, "{found:?}");
    keys.extend(found.into_iter().filter(|key| key.contains("still")));
}
