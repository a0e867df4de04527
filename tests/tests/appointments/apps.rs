//! What whoever acts for one patient may not do to the time of others.

use flint_tests::{Bearer, Guarded, Holder};
use serde_json::{Value, json};

use super::*;

fn keeper(guarded: &Guarded) -> Bearer<'_> {
    guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() })
}

fn app<'a>(guarded: &'a Guarded, user: &str, patient: &str) -> Bearer<'a> {
    guarded.hold(&Holder { scope: "patient/*.cruds", user, patient, ..Holder::default() })
}

/// The appointment with one participant more.
fn and(mut appointment: Value, actor: &Value, status: &str) -> Value {
    let participants = appointment["participant"].as_array_mut().expect("a list");
    participants.push(json!({"actor": actor, "status": status}));
    appointment
}

fn by_identifier(identifier: &Value) -> Value {
    json!({"type": "Patient", "identifier": {"system": identifier["system"], "value": identifier["value"]}})
}

fn patch(caller: &Bearer<'_>, key: &str, patch: Value) -> flint_tests::Reply {
    let call = caller.call(&format!("PATCH /{key}"));
    call.body("application/json-patch+json", patch.to_string()).send()
}

#[test]
fn an_app_binds_nobody_else() {
    let guarded = Guarded::surgery();
    let (keeper, one, two) = (keeper(&guarded), app(&guarded, "Patient/p1", "p1"), app(&guarded, "Patient/p2", "p2"));
    let number = |patient: &str| keeper.get(&format!("/Patient/{patient}")).expect(200).json()["identifier"][0].clone();
    let registered = number("p2");
    let mut unknown = registered.clone();
    unknown["value"] = json!("9999999468");
    let elsewhere = json!({"reference": "https://elsewhere.example/fhir/Patient/7", "identifier": registered});
    keeper.send("PUT /Slot/s1400", slot("s1400", "sch1", "free", ("14:00", "14:10"))).expect(201);
    let at_two = |status: &str, patient: &str| appointment(status, patient, &["s1400"], ("14:00", "14:10"));
    // p2 is busy then: whoever is told so is told that p2 is registered, and when p2 is not at home.
    two.send("POST /Appointment", nine("booked", "p2")).expect(201);
    let mut told = Vec::new();
    for (other, sent) in [
        (by_identifier(&registered), registered["value"].as_str().expect("a number")),
        (by_identifier(&unknown), "9999999468"),
    ] {
        for status in ["booked", "pending", "waitlist"] {
            for answered in ["accepted", "declined"] {
                let reply = one.send("POST /Appointment", and(at_two(status, "p1"), &other, answered)).expect(422);
                assert!(reply.text.contains("another patient") && reply.text.contains(sent), "{}", reply.text);
                assert!(!reply.text.contains("Patient/p2"), "{}", reply.text);
                told.push(reply.text.replace(sent, ""));
            }
        }
    }
    assert!(told.iter().all(|text| *text == told[0]), "{told:?}");
    let reply = one.send("POST /Appointment", and(at_two("booked", "p1"), &elsewhere, "accepted"));
    assert!([403, 422].contains(&reply.status), "{}", reply.text);
    let literal = json!({"reference": "Patient/p2"});
    one.send("POST /Appointment", and(at_two("booked", "p1"), &literal, "accepted")).expect(403);
    // Nor afterwards, and the own number is no other's.
    let own = and(at_two("booked", "p1"), &by_identifier(&number("p1")), "accepted");
    let id = format!("Appointment/{}", one.send("POST /Appointment", own).expect(201).pointer("/id"));
    let added = json!({"actor": by_identifier(&registered), "status": "accepted"});
    patch(&one, &id, json!([{"op": "add", "path": "/participant/-", "value": added}])).expect(422);
    // Whom the practice put there stays there.
    patch(&keeper, &id, json!([{"op": "add", "path": "/participant/-", "value": added}])).expect(200);
    patch(&one, &id, json!([{"op": "replace", "path": "/status", "value": "cancelled"}])).expect(200);
    two.send("POST /Appointment", at_two("booked", "p2")).expect(201);
}

/// A consent hides p2 from a system: it neither books p2 nor learns that there is a p2.
#[test]
fn who_is_hidden_is_not_bound() {
    let guarded = Guarded::surgery();
    let keeper = keeper(&guarded);
    let number = keeper.get("/Patient/p2").expect(200).json()["identifier"][0].clone();
    let deny = json!({"resourceType": "Consent", "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA"}]}],
        "patient": {"reference": "Patient/p2"}, "dateTime": "2027-02-01T10:00:00Z",
        "performer": [{"reference": "Patient/p2"}], "organization": [{"reference": "Organization/gp1"}],
        "policy": [{"uri": "http://example.org/policy/none"}], "provision": {"type": "deny"}});
    keeper.send("POST /Consent", deny).expect(201);
    let system = guarded.hold(&Holder { scope: "system/*.cruds", purposes: &["TREAT"], ..Holder::default() });
    system.get("/Patient/p2").expect(404);
    keeper.send("POST /Appointment", nine("booked", "p2")).expect(201);
    keeper.send("PUT /Slot/v0905", slot("v0905", "sch1", "free", ("09:05", "09:15"))).expect(201);
    keeper.send("POST /", together(&super::guards::another_surgery())).expect(200);
    let mut there = appointment("booked", "p2", &["t0900"], ("09:00", "09:10"));
    let mut unknown = number.clone();
    unknown["value"] = json!("9999999468");
    let told = [number, unknown].map(|number| {
        there["participant"][0]["actor"] = by_identifier(&number);
        let text = system.send("POST /Appointment", there.clone()).expect(422).text;
        text.replace(number["value"].as_str().expect("a number"), "")
    });
    assert_eq!(told[0], told[1]);
}

/// Whoever is not registered here, or not any more, is registered first.
#[test]
fn patients_are_registered_before_they_are_booked() {
    let guarded = Guarded::surgery();
    let keeper = keeper(&guarded);
    let system = guarded.hold(&Holder { scope: "system/*.cruds", purposes: &["TREAT"], ..Holder::default() });
    for (id, name, value) in [
        ("gone", "active", json!(false)),
        ("late", "deceasedBoolean", json!(true)),
        ("past", "deceasedDateTime", json!("2027-01-01")),
    ] {
        let mut patient = json!({"resourceType": "Patient", "id": id});
        patient[name] = value;
        keeper.send(&format!("PUT /Patient/{id}"), patient).expect(201);
    }
    let named = |id: &str| json!({"reference": format!("Patient/{id}")});
    for actor in [
        named("gone"),
        named("late"),
        named("past"),
        by_identifier(&json!({"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9999999468"})),
        json!({"type": "Patient", "display": "a man"}),
        json!({"reference": "https://elsewhere.example/fhir/Patient/7"}),
    ] {
        for status in ["booked", "pending"] {
            let mut there = nine(status, "p1");
            there["participant"][0]["actor"] = actor.clone();
            for caller in [&system, &keeper] {
                caller.send("POST /Appointment", there.clone()).expect(422).facts(&[
                    ("/issue/0/code", "not-found"),
                    ("/issue/0/details/coding/0/code", "PATIENT_NOT_FOUND"),
                    ("/issue/0/expression/0", "Appointment.participant[0].actor"),
                ]);
            }
        }
    }
    assert_eq!(keeper.get("/Slot/s0900").expect(200).pointer("/status"), "free");
    // With the appointment is early enough.
    let patient = json!({"resourceType": "Patient", "id": "new"});
    keeper.send("POST /", together(&[patient, nine("booked", "new")])).expect(200);
}

/// A system that is not the practice's takes nobody's time but by slots.
#[test]
fn systems_book_slots_alone() {
    let guarded = Guarded::surgery();
    let system = guarded.hold(&Holder { scope: "system/*.cruds", purposes: &["TREAT"], ..Holder::default() });
    let month = json!({"resourceType": "Appointment", "status": "booked", "start": "2027-04-01T00:00:00Z", "end": "2027-05-01T00:00:00Z",
        "participant": [{"actor": {"reference": "Practitioner/dr1"}, "status": "accepted"}]});
    let reply = system.send("POST /Appointment", month).expect(422);
    assert!(reply.text.contains("names the slots that it takes"), "{}", reply.text);
    let other = json!({"reference": "Practitioner/other"});
    keeper(&guarded)
        .send("PUT /Practitioner/other", json!({"resourceType": "Practitioner", "id": "other"}))
        .expect(201);
    let reply = system.send("POST /Appointment", and(nine("booked", "p1"), &other, "accepted")).expect(422);
    assert!(reply.text.contains("name who is in their schedule"), "{}", reply.text);
    // What is free, and when, is the practice's to say.
    for (line, body) in [
        ("PUT /Slot/s0900", slot("s0900", "sch1", "busy-unavailable", ("09:00", "09:10"))),
        ("PUT /Slot/mine", slot("mine", "sch1", "free", ("13:00", "13:10"))),
        (
            "PUT /Schedule/sch1",
            json!({"resourceType": "Schedule", "id": "sch1", "actor": [{"reference": "Location/loc1"}]}),
        ),
    ] {
        system.send(line, body).expect(403).facts(&[("/issue/0/details/coding/0/code", "ACCESS_DENIED")]);
    }
    system.call("DELETE /Slot/s0910").send().expect(403);
    system.send("POST /Appointment", nine("booked", "p1")).expect(201);
    assert_eq!(system.get("/Slot/s0900").expect(200).pointer("/status"), "busy");
}

#[test]
fn texts_reach_the_practice_whole() {
    let guarded = Guarded::surgery();
    let one = app(&guarded, "Patient/p1", "p1");
    for status in ["booked", "pending", "waitlist"] {
        for (name, most) in [("description", 100), ("comment", 500)] {
            let mut wish = nine(status, "p1");
            if status == "waitlist" {
                wish = json!({"resourceType": "Appointment", "status": status, "participant": wish["participant"],
                    "requestedPeriod": [{"start": "2027-03-08T09:00:00Z", "end": "2027-03-08T12:00:00Z"}]});
            }
            wish[name] = json!("x".repeat(most + 1));
            let reply = one.send("POST /Appointment", wish).expect(422);
            reply.facts(&[("/issue/0/expression/0", &format!("Appointment.{name}"))]);
        }
    }
}

#[test]
fn whoever_declines_holds_nothing() {
    let guarded = Guarded::surgery();
    let (keeper, one) = (keeper(&guarded), app(&guarded, "Patient/p1", "p1"));
    let decline = json!([{"op": "replace", "path": "/participant/0/status", "value": "declined"}]);
    for status in ["booked", "pending"] {
        let mut declined = nine(status, "p1");
        declined["participant"][0]["status"] = json!("declined");
        for caller in [&one, &keeper] {
            let reply = caller.send("POST /Appointment", declined.clone()).expect(422);
            assert!(reply.text.contains("declined"), "{}", reply.text);
        }
        assert_eq!(keeper.get("/Slot/s0900").expect(200).pointer("/status"), "free");
        let id =
            format!("Appointment/{}", one.send("POST /Appointment", nine(status, "p1")).expect(201).pointer("/id"));
        // What is booked patients do not answer any more.
        let told = if status == "booked" { "only the practice changes `participant`" } else { "declined" };
        for (caller, told) in [(&one, told), (&keeper, "declined")] {
            let reply = patch(caller, &id, decline.clone()).expect(422);
            assert!(reply.text.contains(told), "{}", reply.text);
        }
        let mut cancelled = decline.clone();
        cancelled
            .as_array_mut()
            .expect("a list")
            .push(json!({"op": "replace", "path": "/status", "value": "cancelled"}));
        patch(&keeper, &id, cancelled).expect(200);
    }
    // Of several patients one may decline, and is free then.
    let both = and(nine("booked", "p1"), &json!({"reference": "Patient/p2"}), "accepted");
    let id = format!("Appointment/{}", keeper.send("POST /Appointment", both).expect(201).pointer("/id"));
    patch(&keeper, &id, decline).expect(200);
}

/// A day of a doctor is not one lay booking.
#[test]
fn an_app_books_a_few_slots_at_once() {
    let guarded = Guarded::surgery();
    let (keeper, one) = (keeper(&guarded), app(&guarded, "Patient/p1", "p1"));
    let time = |at: usize| format!("14:{:02}", at * 5);
    let slots: Vec<_> = (0..7).map(|at| slot(&format!("m{at}"), "sch1", "free", (&time(at), &time(at + 1)))).collect();
    keeper.send("POST /", together(&slots)).expect(200);
    let ids: Vec<_> = (0..7).map(|at| format!("m{at}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let of = |status: &str, many: usize| appointment(status, "p1", &ids[..many], ("14:00", &time(many)));
    for status in ["booked", "pending"] {
        let reply = one.send("POST /Appointment", of(status, 7)).expect(422);
        assert!(reply.text.contains("`7` slots are more") && reply.text.contains("`6`"), "{}", reply.text);
    }
    let id = one.send("POST /Appointment", of("booked", 6)).expect(201).pointer("/id");
    let cancel = json!([{"op": "replace", "path": "/status", "value": "cancelled"}]);
    patch(&one, &format!("Appointment/{id}"), cancel).expect(200);
    keeper.send("POST /Appointment", of("booked", 7)).expect(201);
}
