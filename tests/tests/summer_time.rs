use flint_tests::{Flint, example};
use serde_json::{Value, json};

/// The slots of the night in which summer time ends in London, each of half an hour: half past one comes twice.
const NIGHT: [(&str, &str, &str); 4] = [
    ("first-0100", "2026-10-25T01:00:00+01:00", "2026-10-25T01:30:00+01:00"),
    ("first-0130", "2026-10-25T01:30:00+01:00", "2026-10-25T01:00:00+00:00"),
    ("second-0100", "2026-10-25T01:00:00+00:00", "2026-10-25T01:30:00+00:00"),
    ("second-0130", "2026-10-25T01:30:00+00:00", "2026-10-25T02:00:00Z"),
];

/// When these slots are to come: the tests' clock begins later.
fn night(year: &str, text: &str) -> String {
    // 2026-10-25 and 2027-10-31 are the Sundays on which the clocks go back.
    if year == "2027" { text.replace("2026-10-25", "2027-10-31") } else { text.to_owned() }
}

fn held(year: &str) -> Flint {
    let flint = Flint::start_with(|config| config.load.push(example("seed-transaction.json")));
    for (id, start, end) in NIGHT {
        let slot = json!({ "resourceType": "Slot", "id": id, "status": "free", "schedule": { "reference": "Schedule/sch1" },
            "start": night(year, start), "end": night(year, end) });
        flint.send(&format!("PUT /Slot/{id}"), slot).expect(201);
    }
    flint
}

#[test]
fn the_hour_that_comes_twice_is_two_hours() {
    let flint = held("2026");
    let cases: [(&str, &[&str]); 6] = [
        ("start=2026-10-25T01:30:00%2B01:00", &["Slot/first-0130"]),
        ("start=2026-10-25T01:30:00%2B00:00", &["Slot/second-0130"]),
        ("start=2026-10-25T00:30:00Z", &["Slot/first-0130"]),
        (
            "start=ge2026-10-25T01:30:00%2B01:00&start=lt2026-10-25T01:30:00Z&_sort=start",
            &["Slot/first-0130", "Slot/second-0100"],
        ),
        (
            "start=ge2026-10-25T01:00:00%2B01:00&end=le2026-10-25T01:00:00Z&_sort=start",
            &["Slot/first-0100", "Slot/first-0130"],
        ),
        (
            "start=ge2026-10-25T00:00:00Z&_sort=-start&_count=2&start=lt2026-10-26",
            &["Slot/second-0130", "Slot/second-0100"],
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(flint.get(&format!("/Slot?{query}")).expect(200).keys("match"), expected, "{query}");
    }
    flint.get("/Slot/first-0130").expect(200).facts(&[("/start", "2026-10-25T01:30:00+01:00")]);
}

fn booking(slots: &[&str], start: &str, end: &str) -> Value {
    let slots: Vec<_> = slots.iter().map(|slot| json!({ "reference": format!("Slot/{slot}") })).collect();
    json!({ "resourceType": "Appointment", "status": "booked", "slot": slots, "start": night("2027", start), "end": night("2027", end),
        "participant": [{ "actor": { "reference": "Patient/p1" }, "status": "accepted" }] })
}

/// Slots lie side by side where one begins at the instant at which the other ends, whatever the clock on the wall says.
#[test]
fn slots_are_side_by_side_by_instants() {
    let flint = held("2027");
    let refused = [
        (
            booking(&["first-0100", "second-0130"], "2026-10-25T01:00:00+01:00", "2026-10-25T02:00:00Z"),
            "Appointment.slot[1]",
        ),
        (booking(&["first-0130"], "2026-10-25T01:30:00+00:00", "2026-10-25T01:00:00+00:00"), "Appointment"),
        (booking(&["first-0130"], "2026-10-25T01:30:00+01:00", "2026-10-25T02:00:00+00:00"), "Appointment.end"),
    ];
    for (appointment, element) in refused {
        let reply = flint.send("POST /Appointment", appointment).expect(422);
        reply.facts(&[("/issue/0/expression/0", &format!("{element}*"))]);
    }
    // The same instants, said in another way.
    let across = booking(&["second-0100", "first-0130"], "2026-10-25T00:30:00Z", "2026-10-25T02:30:00+01:00");
    flint.send("POST /Appointment", across).expect(201);
    flint.get("/Slot?status=busy&start=gt2027-10-30").expect(200).facts(&[("/total", "2")]);
    flint
        .send("POST /Appointment", booking(&["second-0130"], "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"))
        .expect(201);
}
