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
        for writer in 0..8 {
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

/// How many patients the pages of one search share.
const PAGED: usize = 240;

#[test]
fn a_late_page_costs_what_the_first_costs() {
    let flint = Flint::start();
    let entries = (0..PAGED).map(|number| {
        let id = format!("p{number:03}");
        json!({"resource": patient(&id, number as u64), "request": {"method": "PUT", "url": format!("Patient/{id}")}})
    });
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries.collect::<Vec<_>>()});
    flint.send("POST /", bundle).expect(200);
    for sort in ["", "&_sort=_lastUpdated", "&_sort=-_id", "&_sort=birthdate"] {
        let mut page =
            flint.get(&format!("/Patient?gender=female&_count=20&_total=none&_explain=true{sort}")).expect(200);
        let mut costs = Vec::new();
        loop {
            costs.push(rows_touched(&page));
            match page.link("next") {
                Some(next) => page = flint.get(&next).expect(200),
                None => break,
            }
        }
        assert_eq!(costs.len(), PAGED / 20, "{sort}");
        // The last page need not look whether more comes.
        let (first, middle) = (costs[0], &costs[1..costs.len() - 1]);
        println!("{sort}: {costs:?}");
        assert!(first > 0 && middle.iter().all(|cost| *cost <= first + first / 2), "{sort}: {costs:?}");
    }
}

/// The rows that the steps of `_explain` name.
fn rows_touched(page: &Reply) -> u64 {
    let bundle = page.json();
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let outcomes = entries.filter(|entry| entry["search"]["mode"] == "outcome");
    let steps = outcomes.flat_map(|entry| entry["resource"]["issue"].as_array().into_iter().flatten());
    let steps = steps.filter_map(|step| step["diagnostics"].as_str()?.split_once(" rows"));
    steps.filter_map(|(before, _)| before.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
