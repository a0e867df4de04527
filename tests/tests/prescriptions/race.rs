//! Orders and completions at the same time.

use std::sync::Mutex;

use flint_tests::Flint;
use store::testing::Random;

use super::*;
use crate::race::{at_once, statuses};

/// How many ask at the same time.
const THREADS: usize = 16;

#[test]
fn one_order_of_a_plan_wins() {
    let flint = Flint::surgery();
    let calls = (0..32).map(|_| flint.call("POST /Task").json(&order("plan-ok")));
    assert_eq!(statuses(&at_once(calls.collect())), [(201, 1), (409, 31)]);
    flint.get("/Task/_history?_count=0").expect(200).facts(&[("/total", "1")]);
}

/// The same order, by two who both want to sign it; and two orders of one plan, as an import may bring them.
#[test]
fn one_of_two_completions_wins_when_one_repeat_is_left() {
    let flint = surgery_with(&[
        plan("one", 5, Some(6)),
        plan("two", 5, Some(6)),
        task("a", "one", "in-progress"),
        task("b", "two", "in-progress"),
        task("c", "two", "in-progress"),
    ]);
    for (plan, tasks) in [("one", ["a", "a"]), ("two", ["b", "c"])] {
        let calls = tasks.map(|id| patched(flint.call(&format!("PATCH /Task/{id}")), "completed"));
        let replies = at_once(calls.into());
        assert_eq!(statuses(&replies), [(200, 1), (409, 1)], "{replies:?}");
        assert_eq!((issued(&flint, plan), prescriptions(&flint, plan).len()), (6, 1));
    }
    flint.get("/Communication?_summary=count").expect(200).facts(&[("/total", "2")]);
}

/// Many order and complete, some what others ordered, until nothing is left: what is issued is what was authorized.
#[test]
fn no_plan_gives_more_than_it_authorizes() {
    const PLANS: u64 = 8;
    const LEFT: u64 = 3;
    let ids: Vec<_> = (0..PLANS).map(|at| format!("plan{at}")).collect();
    let mut resources = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        resources.push(plan(id, at as u64, Some(at as u64 + LEFT)));
        resources.extend((0..3).map(|number| task(&format!("{id}-{number}"), id, "accepted")));
    }
    let flint = surgery_with(&resources);
    let waiting: Mutex<Vec<String>> =
        Mutex::new(ids.iter().flat_map(|id| (0..3).map(move |number| format!("{id}-{number}"))).collect());
    let completed = Mutex::new(0);
    std::thread::scope(|scope| {
        for seed in 0..THREADS {
            let (flint, ids, waiting, completed) = (&flint, &ids, &waiting, &completed);
            scope.spawn(move || {
                let mut random = Random::new(seed as u64);
                for _ in 0..6 {
                    let id = random.pick(ids).clone();
                    let reply = flint.send("POST /Task", order(&id));
                    assert!([201, 409, 422].contains(&reply.status), "{}", reply.text);
                    if reply.status == 201 {
                        waiting.lock().expect("no panic").push(reply.pointer("/id"));
                    }
                    let task = {
                        let waiting = waiting.lock().expect("no panic");
                        random.pick(&waiting).clone()
                    };
                    let reply = to_status(flint, &task, "completed");
                    assert!([200, 409].contains(&reply.status), "{}", reply.text);
                    if reply.status == 200 {
                        *completed.lock().expect("no panic") += 1;
                    }
                }
            });
        }
    });
    let mut all = 0;
    for (at, id) in ids.iter().enumerate() {
        let made = prescriptions(&flint, id).len() as u64;
        assert_eq!(issued(&flint, id), at as u64 + made, "{id}");
        assert!(made <= LEFT, "{id}: {made}");
        let done = flint.get(&format!("/Task?focus=MedicationRequest/{id}&status=completed&_total=accurate"));
        done.expect(200).facts(&[("/total", &made.to_string())]);
        all += made;
    }
    assert_eq!(all, *completed.lock().expect("no panic"));
    assert!(all >= PLANS, "{all}");
}
