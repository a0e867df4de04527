use std::time::Duration;

use flint_tests::{Flint, Guarded, Holder};
use serde_json::{Value, json};

const CHANNEL: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeliveryChannel";
const BOOKING_ORGANIZATION: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-BookingOrganization";
const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// A slot of half an hour on 9 March 2027 at this hour.
fn slot(id: &str, schedule: &str, hour: u32) -> Value {
    json!({ "resourceType": "Slot", "id": id, "status": "free", "schedule": { "reference": format!("Schedule/{schedule}") },
        "start": format!("2027-03-09T{hour:02}:00:00Z"), "end": format!("2027-03-09T{hour:02}:30:00Z") })
}

/// What is booked at an hour, by which channel and organisation.
fn appointment(id: &str, slot: &str, hour: u32, channel: &str, organization: &str) -> Value {
    let mut appointment = json!({ "resourceType": "Appointment", "id": id, "status": "booked", "slot": [{ "reference": format!("Slot/{slot}") }],
        "start": format!("2027-03-09T{hour:02}:00:00Z"), "end": format!("2027-03-09T{hour:02}:30:00Z"),
        "participant": [{ "actor": { "reference": "Patient/p1" }, "status": "accepted" }], "extension": [] });
    let extensions = appointment["extension"].as_array_mut().expect("an array");
    if !channel.is_empty() {
        let coding = json!({ "system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-DeliveryChannel", "code": channel });
        extensions.push(json!({ "url": CHANNEL, "valueCodeableConcept": { "coding": [coding] } }));
    }
    if !organization.is_empty() {
        extensions.push(json!({ "url": BOOKING_ORGANIZATION, "valueReference": { "reference": "#bo" } }));
    }
    if extensions.is_empty() {
        appointment.as_object_mut().expect("an object").remove("extension");
    }
    if !organization.is_empty() {
        let identifier = json!([{ "system": ODS, "value": organization }]);
        appointment["contained"] =
            json!([{ "resourceType": "Organization", "id": "bo", "identifier": identifier, "name": "x" }]);
    }
    appointment
}

/// Two services with a day of slots each, from 8 to 15; p1 has booked those at 8 to 12 of the first.
fn practice() -> Flint {
    let flint = Flint::surgery();
    let put = |resource: Value| {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        flint.send(&format!("PUT /{}/{}", text("resourceType"), text("id")), resource.clone()).expect(201);
    };
    for service in ["a", "b"] {
        put(json!({ "resourceType": "HealthcareService", "id": service, "name": service }));
        put(
            json!({ "resourceType": "Schedule", "id": service, "actor": [{ "reference": format!("HealthcareService/{service}") }] }),
        );
        (8..16).for_each(|hour| put(slot(&format!("{service}{hour}"), service, hour)));
    }
    let booked = [
        ("x8", 8, "In-person", "A1001"),
        ("x9", 9, "Telephone", "A1001"),
        ("x10", 10, "Telephone", "RYE"),
        ("x11", 11, "Video", ""),
        ("x12", 12, "", ""),
    ];
    for (id, hour, channel, organization) in booked {
        put(appointment(id, &format!("a{hour}"), hour, channel, organization));
    }
    flint
}

fn set_status(flint: &Flint, id: &str, status: &str) {
    let patch = format!(r#"[{{"op":"replace","path":"/status","value":"{status}"}}]"#);
    flint.call(&format!("PATCH /Appointment/{id}")).body("application/json-patch+json", patch).send().expect(200);
}

/// The values of the parameters of these names, parts by their names after a dot.
fn told(answer: &Value, name: &str) -> Vec<String> {
    let (name, part) = name.split_once('.').unwrap_or((name, ""));
    let text = |parameter: &Value| {
        let value = parameter.as_object().expect("an object").iter().find(|(name, _)| name.starts_with("value"));
        value.map_or(String::new(), |(_, value)| value.as_str().map_or(value.to_string(), str::to_owned))
    };
    let parameters = answer["parameter"].as_array().expect("parameters").iter().filter(|it| it["name"] == name);
    let of = |parameter: &Value| match part {
        "" => text(parameter),
        part => {
            let parts = parameter["part"].as_array().expect("parts");
            parts.iter().find(|it| it["name"] == part).map_or(String::new(), text)
        }
    };
    parameters.map(of).collect()
}

#[test]
fn figures_are_those_of_the_data() {
    let flint = practice();
    let url = "/HealthcareService/a/$demand?start=2027-03-08&end=2027-03-10";
    let before = flint.get(url).expect(200).json();
    assert_eq!(told(&before, "free.date"), ["2027-03-08", "2027-03-09", "2027-03-10"]);
    assert_eq!(told(&before, "free.slots"), ["0", "3", "0"]);
    assert_eq!(told(&before, "attended"), ["0"]);
    assert!(told(&before, "missedShare").is_empty());
    assert_eq!(told(&before, "byChannel.channel"), ["In-person", "Telephone", "Video", ""]);
    assert_eq!(told(&before, "byChannel.booked"), ["1", "2", "1", "1"]);
    assert_eq!(told(&before, "byOrganization.booked"), ["2", "1", "2"]);
    assert!(
        before.to_string().contains(r#"{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"A1001"}"#)
    );
    assert!(told(&before, "triage").is_empty());

    // One is cancelled long before, one on the day; one does not come, two do.
    set_status(&flint, "x12", "cancelled");
    flint.advance(Duration::from_secs(8 * 24 * 60 * 60));
    set_status(&flint, "x11", "cancelled");
    set_status(&flint, "x8", "fulfilled");
    set_status(&flint, "x9", "arrived");
    set_status(&flint, "x10", "noshow");
    let after = flint.get(url).expect(200).json();
    assert_eq!(told(&after, "free.slots"), ["0", "5", "0"]);
    assert_eq!(
        [told(&after, "attended"), told(&after, "missed"), told(&after, "missedShare")],
        [["2"], ["1"], ["0.333"]]
    );
    let cancelled = [told(&after, "cancelled"), told(&after, "cancelledLate"), told(&after, "cancelledLateShare")];
    assert_eq!(cancelled, [["2"], ["1"], ["0.5"]]);
    assert_eq!(told(&after, "byChannel.booked"), ["1", "2", "0", "0"]);
}

#[test]
fn the_lead_time_is_to_the_third_next_slot() {
    let flint = practice();
    let lead = |url: &str| {
        let answer = flint.get(&format!("{url}/$demand?start=2027-03-09&end=2027-03-09")).expect(200).json();
        let parameters = answer["parameter"].as_array().expect("parameters").clone();
        let lead = parameters.into_iter().find(|it| it["name"] == "leadTime")?;
        lead["valueDuration"]["value"].as_i64()
    };
    flint.tick(Duration::ZERO);
    let minutes = |text: &str, hour: i64| {
        let day = if text == "b" { 8 } else { 0 };
        // From 2027-03-01T08:00:00Z.
        let start = 1_803_888_000_000 + (day * 24 + hour - 8) * 3_600_000;
        (start - flint.now()) / 60_000
    };
    assert_eq!(lead("/HealthcareService/b"), Some(minutes("b", 10)));
    assert_eq!(
        lead("/HealthcareService/svc1"),
        Some((1_803_888_000_000 + (7 * 24 + 1) * 3_600_000 + 20 * 60_000 - flint.now()) / 60_000)
    );
    for id in ["a13", "a14"] {
        let mut busy = flint.get(&format!("/Slot/{id}")).expect(200).json();
        busy["status"] = json!("busy-unavailable");
        flint.send(&format!("PUT /Slot/{id}"), busy).expect(200);
    }
    assert_eq!(lead("/HealthcareService/a"), None);
}

#[test]
fn all_services_together_and_triage() {
    let flint = practice();
    let waiting = json!({ "resourceType": "Appointment", "status": "waitlist", "requestedPeriod": [{ "start": "2027-03-08", "end": "2027-03-12" }],
        "minutesDuration": 600, "participant": [{ "actor": { "reference": "Patient/p2" }, "status": "accepted" },
            { "actor": { "reference": "HealthcareService/b" }, "status": "accepted" }] });
    flint.send("POST /Appointment", waiting).expect(201);
    for (id, status) in [("g1", "success"), ("g2", "success"), ("g3", "success"), ("g4", "data-required")] {
        let guidance = json!({ "resourceType": "GuidanceResponse", "id": id, "status": status, "moduleUri": "urn:module",
            "subject": { "reference": "Patient/p1" }, "occurrenceDateTime": "2027-03-01T08:00:00Z" });
        flint.send(&format!("PUT /GuidanceResponse/{id}"), guidance).expect(201);
    }
    let mut booked = appointment("y8", "b13", 13, "Video", "RYE");
    booked["supportingInformation"] = json!([{ "reference": "GuidanceResponse/g1" }]);
    flint.send("PUT /Appointment/y8", booked).expect(201);
    let all = flint.get("/HealthcareService/$demand?start=2027-03-01&end=2027-03-09").expect(200).json();
    assert_eq!(told(&all, "waiting"), ["1"]);
    assert_eq!(told(&all, "triage.contacts"), ["3"]);
    assert_eq!([told(&all, "triage.ended"), told(&all, "triage.endedShare")], [["2"], ["0.667"]]);
    assert_eq!(told(&all, "byOrganization.booked"), ["2", "2", "2"]);
    let waits = |service: &str| {
        told(
            &flint
                .get(&format!("/HealthcareService/{service}/$demand?start=2027-03-09&end=2027-03-09"))
                .expect(200)
                .json(),
            "waiting",
        )
    };
    assert_eq!([waits("a"), waits("b")], [["0"], ["1"]]);
}

#[test]
fn refuses_what_it_cannot_answer() {
    let flint = Flint::surgery();
    let refused = [
        ("svc1/$demand", 400),
        ("svc1/$demand?start=2027-03-01", 400),
        ("svc1/$demand?start=2027-03-01&end=2027-03", 400),
        ("svc1/$demand?start=2027-03-02&end=2027-03-01", 400),
        ("svc1/$demand?start=2027-01-01&end=2027-04-03", 400),
        ("svc1/$demand?start=2027-03-01&end=2027-03-02&day=1", 400),
        ("none/$demand?start=2027-03-01&end=2027-03-02", 404),
    ];
    for (url, status) in refused {
        let reply = flint.get(&format!("/HealthcareService/{url}"));
        assert!(reply.status == status || status == 400 && reply.status == 422, "{url}: {}", reply.text);
    }
    let guarded = Guarded::surgery();
    let own =
        guarded.hold(&Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() });
    own.get("/HealthcareService/svc1/$demand?start=2027-03-01&end=2027-03-02").expect(403);
}
