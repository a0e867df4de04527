use flint_tests::{Flint, Guarded, Holder};
use serde_json::{Value, json};
use services::Overlap;

use super::*;
use crate::race::{at_once, statuses};

const NINE: (&str, &str) = ("09:00", "09:10");

/// Another surgery: its doctor's schedule `sch2`, with slots at nine and at ten past.
pub(super) fn another_surgery() -> Vec<Value> {
    vec![
        json!({"resourceType": "Practitioner", "id": "dr2"}),
        json!({"resourceType": "Schedule", "id": "sch2", "actor": [{"reference": "Practitioner/dr2"}]}),
        slot("t0900", "sch2", "free", NINE),
        slot("t0910", "sch2", "free", ("09:10", "09:20")),
    ]
}

fn surgeries(patient: Overlap, practitioner: Overlap) -> Flint {
    let flint = Flint::start_with(|config| {
        config.load.push(flint_tests::example("seed-transaction.json"));
        config.services.patient_overlap = patient;
        config.services.practitioner_overlap = practitioner;
    });
    flint.send("POST /", together(&another_surgery())).expect(200);
    flint
}

#[test]
fn one_patient_is_in_one_surgery_at_a_time() {
    for (policy, expected) in [(Overlap::Refuse, vec![(201, 1), (409, 1)]), (Overlap::Allow, vec![(201, 2)])] {
        let flint = surgeries(policy, Overlap::Refuse);
        for _ in 0..8 {
            let there = appointment("booked", "p1", &["t0900"], NINE);
            let replies = at_once(vec![post(&flint, &nine("booked", "p1")), post(&flint, &there)]);
            assert_eq!(statuses(&replies), expected);
            for reply in &replies {
                match reply.status {
                    201 => drop(to_status(&flint, &reply.pointer("/id"), "cancelled").send().expect(200)),
                    _ => {
                        assert!(reply.text.contains("`Patient/p1` has another appointment"), "{}", reply.text);
                        assert!(reply.text.contains("DUPLICATE_REJECTED"), "{}", reply.text);
                    }
                }
            }
            assert_eq!(
                (status_of(&flint, "Slot/s0900"), status_of(&flint, "Slot/t0900")),
                ("free".into(), "free".into())
            );
        }
    }
}

#[test]
fn one_practitioner_sees_one_slot_at_a_time() {
    for (policy, status) in [(Overlap::Refuse, 409), (Overlap::Allow, 201)] {
        let flint = surgeries(Overlap::Refuse, policy);
        // The doctor's other schedule, which she has in a role.
        put(
            &flint,
            json!({"resourceType": "Schedule", "id": "sch3", "actor": [{"reference": "PractitionerRole/dr1role"}]}),
        )
        .expect(201);
        put(&flint, slot("u0905", "sch3", "free", ("09:05", "09:15"))).expect(201);
        post(&flint, &nine("booked", "p1")).send().expect(201);
        let reply = post(&flint, &appointment("booked", "p2", &["u0905"], ("09:05", "09:15"))).send();
        assert_eq!(reply.status, status, "{}", reply.text);
        assert!(status == 201 || reply.text.contains("`Practitioner/dr1` has another"), "{}", reply.text);
        // And as who takes part, whatever the schedule.
        let mut guest = appointment("booked", "p3", &["t0900"], NINE);
        let doctor = json!({"actor": {"reference": "Practitioner/dr1"}, "status": "accepted"});
        guest["participant"].as_array_mut().expect("a list").push(doctor);
        let reply = post(&flint, &guest).send();
        assert_eq!(reply.status, status, "{}", reply.text);
        // Whoever has declined is not there.
        guest["participant"][1]["status"] = json!("declined");
        post(&flint, &guest).send().expect(if status == 409 { 201 } else { 409 });
    }
}

#[test]
fn nobody_has_two_seats_in_a_slot() {
    let flint = surgeries(Overlap::Allow, Overlap::Refuse);
    put(&flint, seating(slot("g", "sch1", "free", ("14:00", "15:00")), json!(3))).expect(201);
    let book = |patient| post(&flint, &appointment("booked", patient, &["g"], ("14:00", "15:00"))).send();
    book("p1").expect(201);
    book("p1").expect(409);
    book("p2").expect(201);
    assert_eq!(status_of(&flint, "Slot/g"), "free");
}

#[test]
fn time_is_given_back_with_the_appointment() {
    let there = || appointment("booked", "p1", &["t0900"], NINE);
    for end in ["cancelled", "entered-in-error", "noshow", "deleted", "moved"] {
        let flint = surgeries(Overlap::Refuse, Overlap::Refuse);
        let id = post(&flint, &nine("booked", "p1")).send().expect(201).pointer("/id");
        post(&flint, &there()).send().expect(409);
        match end {
            "deleted" => drop(flint.call(&format!("DELETE /Appointment/{id}")).send().expect(204)),
            "moved" => {
                let mut moved = appointment("booked", "p1", &["s0910"], ("09:10", "09:20"));
                moved["id"] = json!(id);
                put(&flint, moved).expect(200);
            }
            status => drop(to_status(&flint, &id, status).send().expect(200)),
        }
        let reply = post(&flint, &there()).send();
        assert_eq!(reply.status, 201, "{end}: {}", reply.text);
    }
    for kept in ["checked-in", "arrived", "fulfilled"] {
        let flint = surgeries(Overlap::Refuse, Overlap::Refuse);
        let id = post(&flint, &nine("booked", "p1")).send().expect(201).pointer("/id");
        to_status(&flint, &id, kept).send().expect(200);
        post(&flint, &there()).send().expect(409);
    }
}

#[test]
fn appointments_without_slots_take_time() {
    let flint = surgeries(Overlap::Refuse, Overlap::Refuse);
    let mut elsewhere = appointment("booked", "p1", &[], ("09:05", "09:25"));
    elsewhere["id"] = json!("elsewhere");
    put(&flint, elsewhere.clone()).expect(201);
    post(&flint, &nine("booked", "p1")).send().expect(409);
    post(&flint, &nine("booked", "p2")).send().expect(201);
    // What was accepted is not looked at again, and what moves is.
    elsewhere["comment"] = json!("bring the letter");
    put(&flint, elsewhere.clone()).expect(200);
    let mut other = appointment("booked", "p1", &[], ("10:00", "10:10"));
    other["id"] = json!("other");
    put(&flint, other.clone()).expect(201);
    other["start"] = json!(at("09:20"));
    put(&flint, other).expect(409);
    // Times that meet are two.
    post(&flint, &appointment("booked", "p1", &[], ("08:55", "09:05"))).send().expect(201);
    let year = json!({"resourceType": "Appointment", "status": "booked", "start": "2027-04-01T00:00:00Z", "end": "2028-04-01T00:00:00Z",
        "participant": [{"actor": {"reference": "Patient/p1"}, "status": "accepted"}]});
    let reply = flint.send("POST /Appointment", year).expect(422);
    assert!(reply.text.contains("at most `31`"), "{}", reply.text);
    let mut crowd = appointment("booked", "p1", &[], ("12:00", "12:10"));
    let guest = |number: i32| {
        let identifier = json!({"system": "urn:x", "value": number.to_string()});
        json!({"actor": {"type": "Patient", "identifier": identifier}, "status": "accepted"})
    };
    crowd["participant"] = (0..100).map(guest).collect();
    flint.send("POST /Appointment", crowd.clone()).expect(201);
    crowd["participant"] = (100..201).map(guest).collect();
    let reply = flint.send("POST /Appointment", crowd).expect(422);
    assert!(reply.text.contains("can be kept free"), "{}", reply.text);
}

#[test]
fn one_patient_has_many_names() {
    let flint = surgeries(Overlap::Refuse, Overlap::Refuse);
    let number = flint.get("/Patient/p1").expect(200).json()["identifier"][0].clone();
    let (system, value) = (number["system"].clone(), number["value"].clone());
    post(&flint, &nine("booked", "p1")).send().expect(201);
    let mut there = appointment("booked", "p1", &["t0900"], NINE);
    there["participant"][0]["actor"] =
        json!({"type": "Patient", "identifier": {"system": system.clone(), "value": value.clone()}});
    let reply = post(&flint, &there).send().expect(409);
    assert!(reply.text.contains("`Patient/p1` has another"), "{}", reply.text);
    there["participant"][0]["actor"]["identifier"]["value"] =
        flint.get("/Patient/p2").expect(200).json()["identifier"][0]["value"].clone();
    post(&flint, &there).send().expect(201);
}

#[test]
fn midnight_divides_nothing() {
    let flint = surgeries(Overlap::Refuse, Overlap::Refuse);
    let night = |patient: &str, start: &str, end: &str| {
        json!({"resourceType": "Appointment", "status": "booked", "start": start, "end": end,
            "participant": [{"actor": {"reference": format!("Patient/{patient}")}, "status": "accepted"}]})
    };
    flint.send("POST /Appointment", night("p1", "2027-03-08T23:50:00Z", "2027-03-09T00:10:00Z")).expect(201);
    flint.send("POST /Appointment", night("p1", "2027-03-09T00:05:00Z", "2027-03-09T00:15:00Z")).expect(409);
    flint.send("POST /Appointment", night("p1", "2027-03-08T23:40:00Z", "2027-03-08T23:51:00Z")).expect(409);
    // The same times in London's summer, by another clock.
    flint.send("POST /Appointment", night("p1", "2027-03-09T01:09:00+01:00", "2027-03-09T01:20:00+01:00")).expect(409);
    flint.send("POST /Appointment", night("p1", "2027-03-09T01:10:00+01:00", "2027-03-09T01:20:00+01:00")).expect(201);
}

/// Of somebody else's appointment nobody learns more than that it is there.
#[test]
fn a_refusal_tells_times_to_those_who_know_them() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    keeper.send("POST /", together(&another_surgery())).expect(200);
    keeper.send("PUT /Slot/v0905", slot("v0905", "sch1", "free", ("09:05", "09:15"))).expect(201);
    let patient = |user, id| guarded.hold(&Holder { scope: "patient/*.cruds", user, patient: id, ..Holder::default() });
    let (one, two) = (patient("Patient/p1", "p1"), patient("Patient/p2", "p2"));
    one.send("POST /Appointment", nine("booked", "p1")).expect(201);
    let own = one.send("POST /Appointment", appointment("booked", "p1", &["t0900"], NINE)).expect(409);
    assert!(own.text.contains("from 2027-03-08T09:00:00.000Z to 2027-03-08T09:10:00.000Z"), "{}", own.text);
    let other = two.send("POST /Appointment", appointment("booked", "p2", &["v0905"], ("09:05", "09:15"))).expect(409);
    assert!(other.text.contains("`Practitioner/dr1` has another appointment at that time\""), "{}", other.text);
}

/// Nobody keeps a doctor from others by an appointment that is none of hers.
#[test]
fn patients_take_the_time_of_who_is_to_be_booked() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    keeper.send("POST /", together(&another_surgery())).expect(200);
    let patient = Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() };
    let patient = guarded.hold(&patient);
    let with = |doctor: &str, mut appointment: Value| {
        let doctor = json!({"actor": {"reference": doctor}, "status": "accepted"});
        appointment["participant"].as_array_mut().expect("a list").push(doctor);
        appointment
    };
    let all_day = with("Practitioner/dr1", appointment("booked", "p1", &[], ("08:00", "18:00")));
    let reply = patient.send("POST /Appointment", all_day.clone()).expect(422);
    assert!(reply.text.contains("names the slots that it takes"), "{}", reply.text);
    for doctor in ["Practitioner/dr2", "PractitionerRole/dr1role"] {
        let reply = patient.send("POST /Appointment", with(doctor, appointment("booked", "p1", &["t0900"], NINE)));
        assert_eq!(reply.status, if doctor == "Practitioner/dr2" { 201 } else { 422 }, "{}", reply.text);
    }
    let id = patient.get("/Appointment").expect(200).keys("match").remove(0);
    let cancel = r#"[{"op":"replace","path":"/status","value":"cancelled"}]"#;
    patient.call(&format!("PATCH /{id}")).body("application/json-patch+json", cancel).send().expect(200);
    patient.send("POST /Appointment", with("PractitionerRole/dr1role", nine("booked", "p1"))).expect(201);
    keeper
        .send("POST /Appointment", with("Practitioner/dr2", appointment("booked", "p2", &[], ("11:00", "18:00"))))
        .expect(201);
}
