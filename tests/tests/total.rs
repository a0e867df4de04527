use std::time::Duration;

use flint_tests::Flint;
use serde_json::{Value, json};
use server::Config;

/// Enough for kept counts and samples, and more than a search finds before it thinks about how.
const OBSERVATIONS: usize = 1_500;

/// Each has its own minute, and all have one code.
fn filled(set: impl FnOnce(&mut Config)) -> Flint {
    let flint = Flint::start_with(set);
    let observation = |at: usize| {
        let time = format!("2026-{:02}-{:02}T{:02}:{:02}:00Z", 1 + at / 300, 1 + at / 60 % 5, at % 24, at % 60);
        json!({"resourceType": "Observation", "status": "final", "effectiveDateTime": time,
            "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}})
    };
    for first in (0..OBSERVATIONS).step_by(500) {
        let entries: Vec<Value> = (first..first + 500)
            .map(|at| json!({"resource": observation(at), "request": {"method": "POST", "url": "Observation"}}))
            .collect();
        flint.send("POST /", json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).expect(200);
    }
    flint
}

#[test]
fn counts_as_it_is_asked_to() {
    let flint = filled(|config| config.limits.count_rows = 100);
    let exact = |query: &str, total: &str| {
        let reply = flint.get(&format!("/Observation?{query}")).expect(200);
        reply.facts(&[("/total", total), ("/_total", "-")]);
    };
    let all = OBSERVATIONS.to_string();
    exact("date=ge2020&_total=accurate&_count=2", &all);
    exact("date=ge2020&_summary=count", &all);
    exact("date=ge2020&_count=0", &all);
    exact("date=lt2020", "0");
    exact("date=ge2020&_total=none&_count=2", "-");
    // A code is counted while it is written.
    exact("code=8480-6&_count=2", &all);
    exact("_count=2", &all);
    for query in ["date=ge2020", "date=ge2020&_total=estimate", "date=ge2020&code=8480-6&_sort=-date"] {
        let mut reply = flint.get(&format!("/Observation?{query}&_count=2")).expect(200);
        let total = reply.pointer("/total");
        let about = total.parse::<usize>().expect("a number");
        assert!((OBSERVATIONS / 2..OBSERVATIONS * 2).contains(&about), "{query}: about {about}");
        for _ in 0..2 {
            reply = reply.facts(&[
                ("/total", &total),
                ("/_total/extension/0/url", "*/StructureDefinition/estimated"),
                ("/_total/extension/0/valueBoolean", "true"),
            ]);
            reply = flint.get(&reply.link("next").expect("more")).expect(200);
        }
    }
}

#[test]
fn gives_up_a_search_that_takes_too_long() {
    let flint = filled(|config| config.limits.search_timeout = Duration::ZERO);
    let reply = flint.get("/Observation?date=ge2020&_summary=count").expect(400);
    reply.facts(&[
        ("/issue/0/code", "too-costly"),
        ("/issue/0/diagnostics", "*the time of the search ran out while reading `Observation.date`"),
    ]);
    flint.get("/Observation?_id=none").expect(200).facts(&[("/total", "0")]);
}
