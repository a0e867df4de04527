use std::time::Duration;

use flint_tests::{Flint, Guarded, Holder, Reply, example};
use serde_json::{Value, json};

const REPLACES: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.replaces";

/// An hour and a bit: how long an offer stands, unless the settings say something else.
const OFFER: Duration = Duration::from_secs(60 * 60 + 1);

fn slot(id: &str, minute: u32) -> Value {
    json!({ "resourceType": "Slot", "id": id, "status": "free", "schedule": { "reference": "Schedule/list" },
        "serviceType": [{ "coding": [{ "system": "urn:kind", "code": "gp" }] }],
        "start": format!("2027-03-09T09:{minute:02}:00Z"), "end": format!("2027-03-09T09:{:02}:00Z", minute + 10) })
}

fn participant(actor: &str) -> Value {
    json!({ "actor": { "reference": actor }, "status": "accepted" })
}

fn booking(id: &str, slot: &str, minute: u32, patient: &str) -> Value {
    json!({ "resourceType": "Appointment", "id": id, "status": "booked", "slot": [{ "reference": format!("Slot/{slot}") }],
        "start": format!("2027-03-09T09:{minute:02}:00Z"), "end": format!("2027-03-09T09:{:02}:00Z", minute + 10),
        "participant": [participant(&format!("Patient/{patient}"))] })
}

/// Someone who waits for the practitioner, on any of these days.
fn waiting(id: &str, patient: &str) -> Value {
    json!({ "resourceType": "Appointment", "id": id, "status": "waitlist",
        "requestedPeriod": [{ "start": "2027-03-08", "end": "2027-03-12" }],
        "participant": [participant(&format!("Patient/{patient}")), participant("Practitioner/dr2")] })
}

/// Two booked slots of one practitioner: `held1` and `held2`, of p1; patients w1 to w6.
fn practice() -> Flint {
    practice_with(Duration::from_secs(60 * 60))
}

/// The same where offers stand so long.
fn practice_with(offer_duration: Duration) -> Flint {
    let flint = Flint::start_with(|config| {
        config.load.push(example("seed-transaction.json"));
        config.services.offer_duration = offer_duration;
    });
    fill(&|resource| put(&flint, resource));
    flint
}

fn fill(put: &dyn Fn(Value)) {
    for id in ["w1", "w2", "w3", "w4", "w5", "w6"] {
        put(json!({ "resourceType": "Patient", "id": id, "name": [{ "family": id }] }));
    }
    for id in ["dr2", "dr3"] {
        put(json!({ "resourceType": "Practitioner", "id": id, "name": [{ "family": id }] }));
    }
    put(json!({ "resourceType": "Schedule", "id": "list", "actor": [{ "reference": "Practitioner/dr2" }] }));
    for (id, minute) in [("g00", 0), ("g10", 10)] {
        put(slot(id, minute));
    }
    put(booking("held1", "g00", 0, "p1"));
    put(booking("held2", "g10", 10, "p1"));
}

fn put(flint: &Flint, resource: Value) {
    let text = |name: &str| resource[name].as_str().expect("text").to_owned();
    flint.send(&format!("PUT /{}/{}", text("resourceType"), text("id")), resource.clone()).expect(201);
}

fn set_status(flint: &Flint, id: &str, status: &str) -> Reply {
    let patch = format!(r#"[{{"op":"replace","path":"/status","value":"{status}"}}]"#);
    flint.call(&format!("PATCH /Appointment/{id}")).body("application/json-patch+json", patch).send()
}

fn answer(id: &str, patient: &str, status: &str) -> Value {
    json!({ "resourceType": "AppointmentResponse", "appointment": { "reference": format!("Appointment/{id}") },
        "actor": { "reference": format!("Patient/{patient}") }, "participantStatus": status })
}

fn status(flint: &Flint, key: &str) -> String {
    flint.get(&format!("/{key}")).expect(200).pointer("/status")
}

/// The statuses of these appointments.
fn statuses(flint: &Flint, ids: &[&str]) -> String {
    ids.iter().map(|id| status(flint, &format!("Appointment/{id}"))).collect::<Vec<_>>().join(" ")
}

#[test]
fn who_waits_longest_is_offered_what_is_given_back() {
    let flint = practice();
    // Whatever they say, the server knows since when they wait.
    let mut cheat = waiting("a3", "w3");
    cheat["extension"] = json!([{ "url": "https://flint.example/fhir/StructureDefinition/waiting-since", "valueInstant": "2020-01-01T00:00:00Z" }]);
    put(&flint, waiting("a2", "w2"));
    put(&flint, waiting("a1", "w1"));
    put(&flint, cheat);
    set_status(&flint, "held1", "cancelled").expect(200);
    assert_eq!(statuses(&flint, &["a2", "a1", "a3"]), "proposed waitlist waitlist");
    assert_eq!(status(&flint, "Slot/g00"), "busy-tentative");
    let offer = flint.get("/Appointment/a2").expect(200);
    offer.facts(&[
        ("/slot/0/reference", "Slot/g00"),
        ("/start", "2027-03-09T09:00:00Z"),
        ("/end", "2027-03-09T09:10:00Z"),
        ("/participant/0/status", "needs-action"),
        ("/participant/1/status", "accepted"),
    ]);
    let told = flint.get("/Communication?subject=Patient/w2").expect(200).facts(&[("/total", "1")]);
    told.facts(&[
        ("/entry/0/resource/about/0/reference", "Appointment/a2"),
        ("/entry/0/resource/payload/0/contentString", "*2027-03-09T09:00:00Z*"),
    ]);
    flint.send("PUT /Appointment/x", booking("x", "g00", 0, "w4")).expect(409);
    flint.send("POST /AppointmentResponse", answer("a2", "w2", "accepted")).expect(201);
    assert_eq!(statuses(&flint, &["a2", "a1", "a3"]), "booked waitlist waitlist");
    flint.get("/Appointment/a2").expect(200).facts(&[("/participant/0/status", "accepted")]);
    assert_eq!(status(&flint, "Slot/g00"), "busy");
    set_status(&flint, "held2", "cancelled").expect(200);
    assert_eq!(statuses(&flint, &["a2", "a1", "a3"]), "booked proposed waitlist");
}

#[test]
fn what_is_declined_goes_to_the_next_and_never_back() {
    let flint = practice();
    put(&flint, waiting("a1", "w1"));
    put(&flint, waiting("a2", "w2"));
    set_status(&flint, "held1", "cancelled").expect(200);
    flint.send("POST /AppointmentResponse", answer("a1", "w1", "declined")).expect(201);
    assert_eq!(statuses(&flint, &["a1", "a2"]), "waitlist proposed");
    let back = flint.get("/Appointment/a1").expect(200);
    back.facts(&[("/slot", "-"), ("/start", "-"), ("/end", "-"), ("/participant/0/status", "accepted")]);
    // The same by a change of one's own.
    let patch = r#"[{"op":"replace","path":"/participant/0/status","value":"declined"}]"#;
    flint.call("PATCH /Appointment/a2").body("application/json-patch+json", patch).send().expect(200);
    assert_eq!(statuses(&flint, &["a1", "a2"]), "waitlist waitlist");
    assert_eq!(status(&flint, "Slot/g00"), "free");
    // Both wait on, a1 before a2, for another slot.
    set_status(&flint, "held2", "cancelled").expect(200);
    assert_eq!(statuses(&flint, &["a1", "a2"]), "proposed waitlist");
    flint.get("/Appointment/a1").expect(200).facts(&[("/slot/0/reference", "Slot/g10")]);
    // Whoever leaves altogether makes room as well.
    set_status(&flint, "a1", "cancelled").expect(200);
    assert_eq!(statuses(&flint, &["a1", "a2"]), "cancelled proposed");
}

#[test]
fn an_offer_that_is_not_answered_goes_to_the_next() {
    let flint = practice();
    put(&flint, waiting("a1", "w1"));
    put(&flint, waiting("a2", "w2"));
    set_status(&flint, "held1", "cancelled").expect(200);
    flint.advance(OFFER);
    flint.send("POST /AppointmentResponse", answer("a1", "w1", "accepted")).expect(409);
    assert_eq!(statuses(&flint, &["a1", "a2"]), "waitlist proposed");
    flint.send("POST /AppointmentResponse", answer("a2", "w2", "accepted")).expect(201);
    flint.send("POST /AppointmentResponse", answer("a2", "w2", "declined")).expect(409);
    assert_eq!(statuses(&flint, &["a1", "a2"]), "waitlist booked");
}

#[test]
fn two_slots_at_once_go_to_two() {
    let flint = practice();
    for (id, patient) in [("a1", "w1"), ("a2", "w2"), ("a3", "w3")] {
        put(&flint, waiting(id, patient));
    }
    let cancel = |id: &str| {
        json!({ "request": { "method": "PATCH", "url": format!("Appointment/{id}") },
        "resource": { "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
            { "name": "type", "valueCode": "replace" }, { "name": "path", "valueString": "Appointment.status" },
            { "name": "value", "valueCode": "cancelled" }] }] } })
    };
    let bundle =
        json!({ "resourceType": "Bundle", "type": "transaction", "entry": [cancel("held1"), cancel("held2")] });
    flint.send("POST /", bundle).expect(200);
    assert_eq!(statuses(&flint, &["a1", "a2", "a3"]), "proposed proposed waitlist");
    assert_eq!([status(&flint, "Slot/g00"), status(&flint, "Slot/g10")], ["busy-tentative", "busy-tentative"]);
}

/// Whoever wins, each slot is offered to one, and nobody has two.
#[test]
fn races_make_one_offer_for_each_slot() {
    let flint = practice();
    for (id, patient) in [("a1", "w1"), ("a2", "w2"), ("a3", "w3"), ("a4", "w4")] {
        put(&flint, waiting(id, patient));
    }
    let replies: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = ["held1", "held2"].map(|id| scope.spawn(|| set_status(&flint, id, "cancelled"))).into();
        threads.into_iter().map(|thread| thread.join().expect("no panic").status).collect()
    });
    assert_eq!(replies, [200, 200]);
    assert_eq!(statuses(&flint, &["a1", "a2", "a3", "a4"]), "proposed proposed waitlist waitlist");
    let slots = ["a1", "a2"].map(|id| flint.get(&format!("/Appointment/{id}")).pointer("/slot/0/reference"));
    assert_ne!(slots[0], slots[1]);
    // One accepts in several windows at once.
    let replies: Vec<_> = std::thread::scope(|scope| {
        let accept = |_| scope.spawn(|| flint.send("POST /AppointmentResponse", answer("a1", "w1", "accepted")).status);
        let threads: Vec<_> = (0..8).map(accept).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(replies.iter().filter(|status| **status == 201).count(), 1, "{replies:?}");
    assert!(replies.iter().all(|status| [201, 409].contains(status)), "{replies:?}");
}

#[test]
fn only_what_suits_is_offered() {
    let flint = practice();
    let with = |name: &str, value: Value| {
        let mut appointment = waiting("no", "w1");
        appointment[name] = value;
        appointment
    };
    let unsuitable = [
        with("requestedPeriod", json!([{ "start": "2027-03-10", "end": "2027-03-12" }])),
        with("requestedPeriod", json!([{ "start": "2027-03-09T09:05:00Z", "end": "2027-03-12" }])),
        with("requestedPeriod", json!([{ "start": "2027-03-08", "end": "2027-03-09T09:05:00Z" }])),
        with("participant", json!([participant("Patient/w1")])),
        with("participant", json!([participant("Patient/w1"), participant("Practitioner/dr3")])),
        with(
            "participant",
            json!([participant("Patient/w1"), participant("Practitioner/dr2"), participant("Location/loc1")]),
        ),
        with("serviceType", json!([{ "coding": [{ "system": "urn:kind", "code": "nurse" }] }])),
        with("minutesDuration", json!(20)),
        with(
            "extension",
            json!([{ "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeliveryChannel",
            "valueCodeableConcept": { "coding": [{ "system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-DeliveryChannel", "code": "Video" }] } }]),
        ),
    ];
    for (turn, mut appointment) in unsuitable.into_iter().enumerate() {
        appointment["id"] = json!(format!("no{turn}"));
        // Nobody has more than five places.
        let patient = if turn < 5 { "Patient/w1" } else { "Patient/w3" };
        appointment["participant"][0]["actor"]["reference"] = json!(patient);
        put(&flint, appointment);
    }
    // Somebody who has another appointment then, and one who waits for the kind of service alone.
    put(&flint, waiting("busy", "w5"));
    let elsewhere = json!({ "resourceType": "Appointment", "id": "elsewhere", "status": "booked", "start": "2027-03-09T08:55:00Z",
        "end": "2027-03-09T09:05:00Z", "participant": [participant("Patient/w5")] });
    put(&flint, elsewhere);
    let mut by_kind = waiting("kind", "w2");
    by_kind["participant"] = json!([participant("Patient/w2")]);
    by_kind["serviceType"] = json!([{ "coding": [{ "system": "urn:kind", "code": "gp" }] }]);
    put(&flint, by_kind);
    set_status(&flint, "held1", "cancelled").expect(200);
    let proposed = flint.get("/Appointment?status=proposed").expect(200).keys("match");
    assert_eq!(proposed, ["Appointment/kind"]);
}

#[test]
fn what_is_accepted_replaces_what_is_inconvenient() {
    let flint = practice();
    put(&flint, slot("g20", 20));
    put(&flint, booking("late", "g20", 20, "w1"));
    let mut better = waiting("a1", "w1");
    better["extension"] = json!([{ "url": REPLACES, "valueReference": { "reference": "Appointment/late" } }]);
    put(&flint, better);
    put(&flint, waiting("a2", "w2"));
    set_status(&flint, "held1", "cancelled").expect(200);
    assert_eq!(statuses(&flint, &["a1", "late"]), "proposed booked");
    flint.send("POST /AppointmentResponse", answer("a1", "w1", "accepted")).expect(201);
    assert_eq!(statuses(&flint, &["a1", "late", "a2"]), "booked cancelled proposed");
    flint.get("/Appointment/late").expect(200).facts(&[("/cancelationReason/coding/0/code", "pat")]);
    flint.get("/Appointment/a2").expect(200).facts(&[("/slot/0/reference", "Slot/g20")]);
    // Nobody replaces the appointment of another, nor what has begun.
    let mut theft = booking("theft", "g30", 30, "w3");
    put(&flint, slot("g30", 30));
    theft["extension"] = json!([{ "url": REPLACES, "valueReference": { "reference": "Appointment/held2" } }]);
    flint
        .send("PUT /Appointment/theft", theft)
        .expect(422)
        .facts(&[("/issue/0/expression/0", "Appointment.extension")]);
    assert_eq!(status(&flint, "Appointment/held2"), "booked");
}

/// So many places nobody has that others would wait in vain.
#[test]
fn a_patient_has_few_places() {
    let flint = practice();
    let mut places: Vec<_> = (1..=5).map(|turn| format!("a{turn}")).collect();
    places.iter().for_each(|id| put(&flint, waiting(id, "w1")));
    let refused = |appointment: Value| {
        let reply = flint.send("PUT /Appointment/more", appointment).expect(422);
        reply.facts(&[
            ("/issue/0/code", "business-rule"),
            ("/issue/0/expression/0", "Appointment.participant"),
            ("/issue/0/diagnostics", "*has `5` places*"),
        ]);
    };
    refused(waiting("more", "w1"));
    // Nor does one take over that of another.
    put(&flint, waiting("other", "w2"));
    let mut over = waiting("other", "w1");
    flint.send("PUT /Appointment/other", over.clone()).expect(422);
    over["participant"][0]["status"] = json!("declined");
    let reply = flint
        .send("PUT /Appointment/nobody", {
            let mut over = over;
            over["id"] = json!("nobody");
            over
        })
        .expect(422);
    reply.facts(&[("/issue/0/diagnostics", "none of the `2` participants is a patient*")]);
    // An offer keeps the place, amended or not; who leaves gives it back, and who goes back to it had it.
    let amend = r#"[{"op":"add","path":"/comment","value":"x"}]"#;
    flint.call("PATCH /Appointment/a2").body("application/json-patch+json", amend).send().expect(200);
    set_status(&flint, "held1", "cancelled").expect(200);
    assert_eq!(statuses(&flint, &["a1", "a2"]), "proposed waitlist");
    refused(waiting("more", "w1"));
    flint.send("POST /AppointmentResponse", answer("a1", "w1", "declined")).expect(201);
    assert_eq!(statuses(&flint, &["a1"]), "waitlist");
    set_status(&flint, "a5", "cancelled").expect(200);
    put(&flint, waiting("a6", "w1"));
    places.push("a6".to_owned());
    refused(waiting("more", "w1"));
    // Who comes in several windows at once has no more.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let come = |turn| {
            let flint = &flint;
            let entry = waiting(&format!("b{turn}"), "w4");
            scope.spawn(move || flint.send(&format!("PUT /Appointment/b{turn}"), entry).status)
        };
        let threads: Vec<_> = (0..8).map(come).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 5, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 422].contains(status)), "{statuses:?}");
}

#[test]
fn who_comes_while_a_slot_is_free_is_offered_it() {
    let flint = practice();
    put(&flint, slot("g20", 20));
    put(&flint, slot("g30", 30));
    let unsuitable = |id: &str, name: &str, value: Value| {
        let mut appointment = waiting(id, "w1");
        appointment[name] = value;
        put(&flint, appointment);
        assert_eq!(statuses(&flint, &[id]), "waitlist");
    };
    unsuitable("no1", "requestedPeriod", json!([{ "start": "2027-03-10", "end": "2027-03-12" }]));
    unsuitable("no2", "participant", json!([participant("Patient/w1"), participant("Practitioner/dr3")]));
    unsuitable("no3", "serviceType", json!([{ "coding": [{ "system": "urn:kind", "code": "nurse" }] }]));
    assert_eq!(status(&flint, "Slot/g20"), "free");
    // The earliest that is free, and nobody twice at one time.
    put(&flint, waiting("a1", "w2"));
    flint.get("/Appointment/a1").expect(200).facts(&[("/status", "proposed"), ("/slot/0/reference", "Slot/g20")]);
    assert_eq!(status(&flint, "Slot/g20"), "busy-tentative");
    flint.get("/Communication?subject=Patient/w2").expect(200).facts(&[("/total", "1")]);
    let mut by_kind = waiting("a2", "w3");
    by_kind["participant"] = json!([participant("Patient/w3")]);
    by_kind["serviceType"] = json!([{ "coding": [{ "system": "urn:kind", "code": "gp" }] }]);
    put(&flint, by_kind);
    flint.get("/Appointment/a2").expect(200).facts(&[("/status", "proposed"), ("/slot/0/reference", "Slot/g30")]);
    put(&flint, waiting("a3", "w4"));
    assert_eq!(statuses(&flint, &["a3"]), "waitlist");
    flint.send("POST /AppointmentResponse", answer("a1", "w2", "accepted")).expect(201);
    assert_eq!(status(&flint, "Slot/g20"), "busy");
}

#[test]
fn what_a_practice_sends_as_free_is_offered() {
    let flint = practice();
    let mut late = slot("g20", 20);
    late["status"] = json!("busy-unavailable");
    put(&flint, late.clone());
    for (id, patient) in [("a1", "w1"), ("a2", "w2"), ("a3", "w3")] {
        put(&flint, waiting(id, patient));
    }
    // What is booked, or busy, or was free is offered to nobody.
    flint.send("PUT /Slot/g00", slot("g00", 0)).expect(200);
    flint.send("PUT /Slot/g20", late).expect(200);
    let mut past = slot("past", 30);
    (past["start"], past["end"]) = (json!("2027-02-09T09:00:00Z"), json!("2027-02-09T09:10:00Z"));
    put(&flint, past);
    assert_eq!(statuses(&flint, &["a1", "a2", "a3"]), "waitlist waitlist waitlist");
    flint.send("PUT /Slot/g20", slot("g20", 20)).expect(200);
    assert_eq!(statuses(&flint, &["a1", "a2", "a3"]), "proposed waitlist waitlist");
    assert_eq!(status(&flint, "Slot/g20"), "busy-tentative");
    put(&flint, slot("g30", 30));
    assert_eq!(statuses(&flint, &["a1", "a2", "a3"]), "proposed proposed waitlist");
    flint.get("/Appointment/a2").expect(200).facts(&[("/slot/0/reference", "Slot/g30")]);
    // What comes with its booking is not free.
    let entry = |resource: Value| {
        let url = format!(
            "{}/{}",
            resource["resourceType"].as_str().expect("a type"),
            resource["id"].as_str().expect("an id")
        );
        json!({ "resource": resource, "request": { "method": "PUT", "url": url } })
    };
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction",
        "entry": [entry(slot("g40", 40)), entry(booking("own", "g40", 40, "p1"))] });
    flint.send("POST /", bundle).expect(200);
    assert_eq!(statuses(&flint, &["own", "a3"]), "booked waitlist");
}

/// Whether the slot is there before who waits for it or comes after, a period holds a slot that begins and ends with it.
#[test]
fn periods_hold_what_begins_and_ends_with_them() {
    let cases = [
        (json!({ "start": "2027-03-09T09:00:00Z", "end": "2027-03-09T09:10:00Z" }), "proposed"),
        (json!({ "start": "2027-03-09T09:00:00.000Z", "end": "2027-03-09T09:10:00.000Z" }), "proposed"),
        (json!({ "start": "2027-03-09T09:00:00Z" }), "proposed"),
        (json!({ "end": "2027-03-09T09:10:00Z" }), "proposed"),
        (json!({ "end": "2027-03-09T09:09:59Z" }), "proposed"),
        (json!({ "start": "2027-03-09T09:00:01Z", "end": "2027-03-09T09:10:00Z" }), "waitlist"),
        (json!({ "start": "2027-03-09T09:00:00Z", "end": "2027-03-09T09:09:58Z" }), "waitlist"),
    ];
    for (period, expected) in cases {
        let flint = practice();
        let mut first = waiting("a1", "w1");
        first["requestedPeriod"] = json!([period]);
        let mut second = first.clone();
        put(&flint, first);
        set_status(&flint, "held1", "cancelled").expect(200);
        assert_eq!(statuses(&flint, &["a1"]), expected, "given back in {period}");
        set_status(&flint, "a1", "cancelled").expect(200);
        second["id"] = json!("a2");
        put(&flint, second);
        assert_eq!(statuses(&flint, &["a2"]), expected, "free in {period}");
    }
}

/// As many as can come to one slot are offered it.
#[test]
fn every_seat_is_offered() {
    let flint = practice();
    for (id, patient) in [("a1", "w1"), ("a2", "w2"), ("a3", "w3")] {
        put(&flint, waiting(id, patient));
    }
    let mut group = slot("g20", 20);
    group["extension"] = json!([{ "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity", "valueInteger": 2 }]);
    put(&flint, group);
    assert_eq!(statuses(&flint, &["a1", "a2", "a3"]), "proposed proposed waitlist");
    assert_eq!(status(&flint, "Slot/g20"), "busy-tentative");
    set_status(&flint, "a1", "cancelled").expect(200);
    assert_eq!(statuses(&flint, &["a2", "a3"]), "proposed proposed");
}

#[test]
fn who_declines_or_wants_something_else_is_offered_what_lies_free() {
    let flint = practice();
    put(&flint, slot("g20", 20));
    put(&flint, slot("g30", 30));
    let offered = |id: &str| flint.get(&format!("/Appointment/{id}")).expect(200).pointer("/slot/0/reference");
    put(&flint, waiting("a1", "w1"));
    assert_eq!(offered("a1"), "Slot/g20");
    flint.send("POST /AppointmentResponse", answer("a1", "w1", "declined")).expect(201);
    assert_eq!((statuses(&flint, &["a1"]).as_str(), offered("a1").as_str()), ("proposed", "Slot/g30"));
    set_status(&flint, "a1", "waitlist").expect(200);
    assert_eq!(statuses(&flint, &["a1"]), "waitlist");
    flint.get("/Communication?subject=Patient/w1").expect(200).facts(&[("/total", "2")]);
    // Another day suits, or another practitioner.
    let mut other = waiting("a2", "w2");
    other["requestedPeriod"] = json!([{ "start": "2027-03-10", "end": "2027-03-12" }]);
    put(&flint, other);
    assert_eq!(statuses(&flint, &["a2"]), "waitlist");
    flint.send("PUT /Appointment/a2", waiting("a2", "w2")).expect(200);
    assert_eq!(offered("a2"), "Slot/g20");
    // Whoever does not look at an offer is offered nothing that others could have meanwhile.
    flint.advance(OFFER);
    assert_eq!(statuses(&flint, &["a1", "a2"]), "waitlist waitlist");
    assert_eq!([status(&flint, "Slot/g20"), status(&flint, "Slot/g30")], ["free", "free"]);
}

/// However many there are before them for whom the slot is too short.
#[test]
fn who_waits_behind_many_is_found() {
    let flint = practice();
    let entry = |resource: Value| {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        let url = format!("{}/{}", text("resourceType"), text("id"));
        json!({ "resource": resource, "request": { "method": "PUT", "url": url } })
    };
    let mut entries = Vec::new();
    for patient in 0..42 {
        entries.push(entry(json!({ "resourceType": "Patient", "id": format!("many{patient}") })));
        for place in 0..5 {
            let mut long = waiting(&format!("long{patient}-{place}"), &format!("many{patient}"));
            long["minutesDuration"] = json!(20);
            entries.push(entry(long));
        }
    }
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
    flint.send("POST /", bundle).expect(200);
    put(&flint, waiting("a1", "w1"));
    set_status(&flint, "held1", "cancelled").expect(200);
    assert_eq!(statuses(&flint, &["a1"]), "proposed");
}

/// Whichever of the two is first.
#[test]
fn who_comes_while_a_slot_is_given_back_is_offered_it() {
    let flint = practice();
    put(&flint, slot("g20", 20));
    for turn in 0..40 {
        let (booked, waits) = (format!("b{turn}"), format!("a{turn}"));
        put(&flint, booking(&booked, "g20", 20, "w2"));
        std::thread::scope(|scope| {
            scope.spawn(|| set_status(&flint, &booked, "cancelled").expect(200));
            scope.spawn(|| put(&flint, waiting(&waits, "w1")));
        });
        assert_eq!(statuses(&flint, &[&waits]), "proposed", "{turn}");
        set_status(&flint, &waits, "cancelled").expect(200);
    }
}

/// The one who gives a slot back learns nothing of who waits, and the one who waits nothing of who gave it back.
#[test]
fn nobody_learns_of_the_other() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    fill(&|resource| {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        keeper.send(&format!("PUT /{}/{}", text("resourceType"), text("id")), resource.clone()).expect(201);
    });
    let of = |user: &'static str, id: &'static str| Holder {
        scope: "patient/*.cruds",
        user,
        patient: id,
        ..Holder::default()
    };
    let (one, other) = (guarded.hold(&of("Patient/p1", "p1")), guarded.hold(&of("Patient/w1", "w1")));
    let mut wish = waiting("x", "w1");
    wish.as_object_mut().expect("an object").remove("id");
    let waits = other.send("POST /Appointment", wish).expect(201).pointer("/id");
    let patch = r#"[{"op":"replace","path":"/status","value":"cancelled"}]"#;
    let cancelled = one.call("PATCH /Appointment/held1").body("application/json-patch+json", patch).send().expect(200);
    assert!(!cancelled.text.contains("w1"), "{}", cancelled.text);
    one.get(&format!("/Appointment/{waits}")).expect(404);
    other.get(&format!("/Appointment/{waits}")).expect(200).facts(&[("/status", "proposed")]);
    other.get("/Communication").expect(200).facts(&[("/total", "1")]);
    one.get("/Communication").expect(200).facts(&[("/total", "0")]);
    let audit = other.get("/AuditEvent?_count=200").expect(200);
    assert!(audit.text.contains(&waits) && !audit.text.contains("Patient/p1"), "{}", audit.text);
    assert!(!one.get("/AuditEvent?_count=200").expect(200).text.contains(&waits));
    one.send("POST /AppointmentResponse", answer(&waits, "p1", "declined")).expect(422);
    one.send("POST /AppointmentResponse", answer(&waits, "w1", "declined")).expect(422);
    other.send("POST /AppointmentResponse", answer(&waits, "w1", "accepted")).expect(201);
    other.get(&format!("/Appointment/{waits}")).expect(200).facts(&[("/status", "booked")]);
}

/// Offers stand as long as the settings say, and never longer than until the appointment.
#[test]
fn an_offer_stands_as_long_as_the_settings_say() {
    let until = |flint: &Flint| {
        let offer = flint.get("/Appointment/a1").expect(200).json();
        let extensions = offer["extension"].as_array().expect("extensions").clone();
        let held = extensions.into_iter().find(|it| it["url"].as_str().is_some_and(|url| url.ends_with("held-until")));
        held.expect("a time")["valueInstant"].as_str().expect("an instant").to_owned()
    };
    let cases = [
        (Duration::from_secs(5 * 60), "2027-03-01T08:05"),
        (Duration::from_secs(30 * 24 * 60 * 60), "2027-03-09T09:00:00"),
    ];
    for (duration, expected) in cases {
        let flint = practice_with(duration);
        put(&flint, waiting("a1", "w1"));
        set_status(&flint, "held1", "cancelled").expect(200);
        assert!(until(&flint).starts_with(expected), "{}", until(&flint));
    }
}

/// Whoever says of a hold that it waited before has it ended like any other.
#[test]
fn what_never_waited_ends() {
    let flint = practice();
    set_status(&flint, "held1", "cancelled").expect(200);
    for place in 0..5 {
        let mut wish = waiting(&format!("a{place}"), "w1");
        wish["requestedPeriod"] = json!([{ "start": "2027-05-01", "end": "2027-05-02" }]);
        put(&flint, wish);
    }
    let forged = json!([{ "url": "https://flint.example/fhir/StructureDefinition/waiting-since", "valueInstant": "2020-01-01T00:00:00Z" },
        { "url": "https://flint.example/fhir/StructureDefinition/offered-slot", "valueString": "Slot/g10" }]);
    let mut hold = booking("cheat", "g00", 0, "w1");
    hold["status"] = json!("pending");
    hold["extension"] = forged.clone();
    put(&flint, hold);
    let held = flint.get("/Appointment/cheat").expect(200);
    assert!(!held.text.contains("waiting-since") && !held.text.contains("offered-slot"), "{}", held.text);
    // Nor afterwards.
    let add = json!([{ "op": "add", "path": "/extension/-", "value": forged[0] }]);
    flint.call("PATCH /Appointment/cheat").body("application/json-patch+json", add.to_string()).send().expect(200);
    flint.advance(Duration::from_secs(301));
    assert_eq!(
        (status(&flint, "Appointment/cheat"), status(&flint, "Slot/g00")),
        ("cancelled".to_owned(), "free".to_owned())
    );
}

/// A response that is changed does what one that is made does.
#[test]
fn an_answer_may_come_later() {
    let flint = practice();
    put(&flint, waiting("a1", "w1"));
    set_status(&flint, "held1", "cancelled").expect(200);
    let said = flint.send("POST /AppointmentResponse", answer("a1", "w1", "tentative")).expect(201);
    assert_eq!(status(&flint, "Appointment/a1"), "proposed");
    let mut said = said.json();
    said["participantStatus"] = json!("accepted");
    let url = format!("PUT /AppointmentResponse/{}", said["id"].as_str().expect("an id"));
    flint.send(&url, said.clone()).expect(200);
    assert_eq!(status(&flint, "Appointment/a1"), "booked");
    said["comment"] = json!("see you");
    flint.send(&url, said.clone()).expect(200);
    said["participantStatus"] = json!("declined");
    flint.send(&url, said).expect(409).facts(&[("/issue/0/diagnostics", "*no offer that stands*")]);
}

/// To replace is to cancel: who may not change an appointment replaces none.
#[test]
fn who_may_not_cancel_replaces_nothing() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    fill(&|resource| {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        keeper.send(&format!("PUT /{}/{}", text("resourceType"), text("id")), resource.clone()).expect(201);
    });
    keeper.send("PUT /Slot/g20", slot("g20", 20)).expect(201);
    let mut instead = booking("new", "g20", 20, "p1");
    instead.as_object_mut().expect("an object").remove("id");
    instead["extension"] = json!([{ "url": REPLACES, "valueReference": { "reference": "Appointment/held1" } }]);
    let own = Holder { user: "Patient/p1", patient: "p1", ..Holder::default() };
    let creates = guarded.hold(&Holder { scope: "patient/Appointment.crs patient/Slot.rs", ..own.clone() });
    let refused = creates.send("POST /Appointment", instead.clone()).expect(403);
    refused.facts(&[
        ("/issue/0/details/coding/0/code", "ACCESS_DENIED"),
        ("/issue/0/expression/0", "Appointment.extension"),
    ]);
    assert_eq!(keeper.get("/Appointment/held1").expect(200).pointer("/status"), "booked");
    let changes = guarded.hold(&Holder { scope: "patient/Appointment.cruds patient/Slot.rs", ..own });
    changes.send("POST /Appointment", instead).expect(201);
    assert_eq!(keeper.get("/Appointment/held1").expect(200).pointer("/status"), "cancelled");
}
