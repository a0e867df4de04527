use std::collections::BTreeSet;

use flint_tests::{Flint, Guarded, Holder, Reply, example};
use serde_json::{Value, json};
use server::Dialect;

const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const KIND: &str = "https://fhir.nhs.uk/STU3/CodeSystem/GPConnect-OrganisationType-1";
const BOOKABLE_BY: &str = "https://flint.example/fhir/StructureDefinition/bookable-by";

fn kept_for(codings: &[(&str, &str)]) -> Vec<Value> {
    let extension = |(system, code): &(&str, &str)| json!({ "url": BOOKABLE_BY, "valueCoding": { "system": system, "code": code } });
    codings.iter().map(extension).collect()
}

/// Slots of one day: for everybody; for 111, or urgent care; of a schedule for the hub; of a service for the hub, one of them for 111 as well.
fn keep(put: &dyn Fn(Value)) {
    let service = |id: &str, kept: &[(&str, &str)]| json!({ "resourceType": "HealthcareService", "id": id, "active": true, "name": id, "extension": kept_for(kept) });
    let schedule = |id: &str, service: &str, kept: &[(&str, &str)]| {
        json!({ "resourceType": "Schedule", "id": id, "extension": kept_for(kept), "actor": [
            { "reference": "Location/loc1" }, { "reference": format!("HealthcareService/{service}") }] })
    };
    let slot = |id: &str, schedule: &str, kept: &[(&str, &str)]| {
        let hour = 10 + id.len();
        json!({ "resourceType": "Slot", "id": id, "status": "free", "schedule": { "reference": format!("Schedule/{schedule}") },
            "start": format!("2027-03-09T{hour}:00:00Z"), "end": format!("2027-03-09T{hour}:10:00Z"), "extension": kept_for(kept) })
    };
    for resource in [
        service("anybody", &[]),
        service("hub", &[(ODS, "A1001")]),
        schedule("open", "anybody", &[]),
        schedule("of-hub", "anybody", &[(ODS, "A1001")]),
        schedule("at-hub", "hub", &[]),
        slot("k", "open", &[]),
        slot("kk", "open", &[(ODS, "RYE"), (KIND, "urgent-care")]),
        slot("kkk", "of-hub", &[]),
        slot("kkkk", "at-hub", &[]),
        slot("kkkkk", "at-hub", &[(ODS, "RYE")]),
    ] {
        let mut resource = resource;
        if resource["extension"].as_array().is_some_and(Vec::is_empty) {
            resource.as_object_mut().expect("an object").remove("extension");
        }
        put(resource);
    }
}

fn put(flint: &Flint) -> impl Fn(Value) {
    |resource| {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        flint.send(&format!("PUT /{}/{}", text("resourceType"), text("id")), resource.clone()).expect(201);
    }
}

fn surgery(dialect: Dialect) -> Flint {
    let flint = Flint::start_with(|config| {
        config.dialect = dialect;
        config.load.push(example("seed-transaction.json"));
    });
    keep(&put(&flint));
    flint
}

fn ids(reply: Reply) -> BTreeSet<String> {
    reply.keys("match").iter().map(|key| key.trim_start_matches("Slot/").to_owned()).collect()
}

#[test]
fn a_search_finds_what_is_kept_for_who_asks() {
    let flint = surgery(Dialect::Nhs);
    let day = "/Slot?start=ge2027-03-09&end=le2027-03-10&status=free";
    let cases: [(&str, &[&str]); 9] = [
        ("", &["k"]),
        ("&searchFilter={ods}|A1001", &["k", "kkk", "kkkk"]),
        ("&searchFilter={ods}|a1001", &["k", "kkk", "kkkk"]),
        ("&searchFilter={ods}|RYE", &["k", "kk"]),
        ("&searchFilter={kind}|urgent-care", &["k", "kk"]),
        ("&searchFilter={kind}|urgent-care&searchFilter={ods}|A1001", &["k", "kk", "kkk", "kkkk"]),
        ("&searchFilter={ods}|A1001,{ods}|RYE", &["k", "kk", "kkk", "kkkk", "kkkkk"]),
        ("&searchFilter=urn:unknown|A1001", &["k"]),
        ("&searchFilter=urn:unknown|x&searchFilter={ods}|A1001", &["k", "kkk", "kkkk"]),
    ];
    for (filter, expected) in cases {
        let filter = filter.replace("{ods}", ODS).replace("{kind}", KIND).replace('|', "%7C");
        let reply = flint.get(&format!("{day}{filter}&_total=accurate")).expect(200);
        let reply = reply.facts(&[("/total", &expected.len().to_string())]);
        let link = reply.link("self").expect("a link");
        assert_eq!(ids(reply), expected.iter().map(|id| (*id).to_owned()).collect(), "{filter}");
        assert_eq!(ids(flint.get(&link).expect(200)).len(), expected.len(), "{link}");
    }
    assert_eq!(ids(flint.get("/Slot?start=ge2027-03-09&end=le2027-03-10").expect(200)).len(), 5);
    let plain = surgery(Dialect::R4);
    assert_eq!(ids(plain.get(day).expect(200)).len(), 5);
    let own = plain.get(&format!("{day}&bookable-by:missing=true&schedule.bookable-by:missing=true")).expect(200);
    assert_eq!(ids(own), BTreeSet::from(["k".to_owned(), "kkkk".to_owned()]));
}

/// Slots of one day, an hour apart, each with its booking window; it is 08:00 UTC on 1 March 2027. Whether they can be booked.
const WINDOWS: [(&str, &str, bool); 7] = [
    ("always", "{}", true),
    ("released", r#"{"start":"2027-02-01"}"#, true),
    ("embargoed", r#"{"start":"2027-03-02T07:00:00Z"}"#, false),
    ("today", r#"{"start":"2027-03-01","end":"2027-03-01"}"#, true),
    ("yesterday", r#"{"start":"2027-02-01","end":"2027-02-28"}"#, false),
    ("to-eight", r#"{"end":"2027-03-01T08:00:00Z"}"#, false),
    ("to-noon", r#"{"end":"2027-03-01T12:00:00Z"}"#, true),
];

fn with_windows(put: &dyn Fn(Value)) {
    put(json!({ "resourceType": "Schedule", "id": "windows", "actor": [{ "reference": "Location/loc1" }] }));
    for (at, (id, window, _)) in WINDOWS.into_iter().enumerate() {
        let mut slot = json!({ "resourceType": "Slot", "id": id, "status": "free", "schedule": { "reference": "Schedule/windows" },
            "start": format!("2027-03-09T{:02}:00:00Z", 8 + at), "end": format!("2027-03-09T{:02}:10:00Z", 8 + at) });
        if window != "{}" {
            let period: Value = serde_json::from_str(window).expect("a period");
            slot["extension"] = json!([{ "url": "https://flint.example/fhir/StructureDefinition/booking-window", "valuePeriod": period }]);
        }
        put(slot);
    }
}

#[test]
fn a_slot_is_booked_within_its_booking_window() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    with_windows(&|resource| {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        keeper.send(&format!("PUT /{}/{}", text("resourceType"), text("id")), resource.clone()).expect(201);
    });
    let app =
        guarded.hold(&Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() });
    let staff = Holder { scope: "user/*.cruds", user: "Practitioner/dr1", purposes: &["TREAT"], ..Holder::default() };
    let staff = guarded.hold(&staff);
    let booking = |at: usize, id: &str| {
        json!({ "resourceType": "Appointment", "status": "booked", "slot": [{ "reference": format!("Slot/{id}") }],
            "start": format!("2027-03-09T{:02}:00:00Z", 8 + at), "end": format!("2027-03-09T{:02}:10:00Z", 8 + at),
            "participant": [{ "actor": { "reference": "Patient/p1" }, "status": "accepted" }] })
    };
    let inputs = r#"{"resourceType":"Parameters","parameter":[{"name":"start","valueDateTime":"2027-03-09T00:00:00Z"},{"name":"end","valueDateTime":"2027-03-10T00:00:00Z"},{"name":"location-reference","valueReference":{"reference":"Location/loc1"}}]}"#;
    let open: BTreeSet<_> = WINDOWS.iter().filter(|(.., open)| *open).map(|(id, ..)| format!("slot-{id}")).collect();
    let found = app.call("POST /Appointment/$find").body("application/fhir+json", inputs).send().expect(200).json();
    let found =
        found["entry"].as_array().expect("entries").iter().map(|it| it["resource"]["id"].as_str().expect("an id"));
    assert_eq!(found.map(str::to_owned).collect::<BTreeSet<_>>(), open);
    for (at, (id, _, is_open)) in WINDOWS.into_iter().enumerate() {
        if is_open {
            app.send("POST /Appointment", booking(at, id)).expect(201);
            continue;
        }
        app.send("POST /Appointment", booking(at, id)).expect(422).facts(&[
            ("/issue/0/code", "business-rule"),
            ("/issue/0/expression/0", "Appointment.slot[0]"),
            ("/issue/0/diagnostics", &format!("*`Slot/{id}`*not released*closed*")),
        ]);
        // The practice books when it likes.
        staff.send("POST /Appointment", booking(at, id)).expect(201);
    }
}

#[test]
fn a_search_finds_what_can_be_booked_now() {
    let flint = surgery(Dialect::Nhs);
    with_windows(&put(&flint));
    let day = "/Slot?schedule=Schedule/windows&start=ge2027-03-09&end=le2027-03-10";
    let open = WINDOWS.iter().filter(|(.., open)| *open).map(|(id, ..)| (*id).to_owned()).collect();
    assert_eq!(ids(flint.get(&format!("{day}&status=free")).expect(200)), open);
    assert_eq!(ids(flint.get(day).expect(200)).len(), WINDOWS.len());
    let plain = surgery(Dialect::R4);
    with_windows(&put(&plain));
    assert_eq!(ids(plain.get(&format!("{day}&status=free")).expect(200)).len(), WINDOWS.len());
    let later = plain.get(&format!("{day}&booking-window=sa2027-03-01T08:00:00Z")).expect(200);
    assert_eq!(ids(later), BTreeSet::from(["embargoed".to_owned()]));
}

#[test]
fn a_search_reaches_two_weeks() {
    let flint = surgery(Dialect::Nhs);
    // As GP Connect says it, and as BaRS does.
    let far = [
        ("start=ge2027-03-01&end=le2027-03-16", "invalid", "INVALID_PARAMETER"),
        ("start=ge2027-03-01T00:00:00Z&start=le2027-04-01T00:00:00Z", "too-costly", "UNPROCESSABLE_ENTITY"),
    ];
    for (window, issue, code) in far {
        let reply = flint.get(&format!("/Slot?status=free&{window}")).expect(422);
        reply.facts(&[("/issue/0/details/coding/0/code", code), ("/issue/0/code", issue)]);
    }
    flint.get("/Slot?status=free&start=ge2027-03-01&end=le2027-03-15").expect(200);
    for (window, missing) in [("", "*from when*`start=ge..`*"), ("&start=ge2027-03-01", "*until when*`end=le..`*")] {
        let reply = flint.get(&format!("/Slot?status=free{window}")).expect(400);
        reply.facts(&[("/issue/0/code", "required"), ("/issue/0/diagnostics", missing)]);
    }
    let plain = surgery(Dialect::R4);
    plain.get(&format!("/Slot?status=free&{}", far[0].0)).expect(200);
    plain.get("/Slot?status=free").expect(200);
}

fn booking(slot: &str, organization: Option<Value>) -> Value {
    let hour = 10 + slot.len();
    let mut appointment = json!({ "resourceType": "Appointment", "status": "booked", "slot": [{ "reference": format!("Slot/{slot}") }],
        "start": format!("2027-03-09T{hour}:00:00Z"), "end": format!("2027-03-09T{hour}:10:00Z"),
        "participant": [{ "actor": { "reference": "Patient/p1" }, "status": "accepted" }] });
    if let Some(mut organization) = organization {
        organization["resourceType"] = json!("Organization");
        organization["id"] = json!("bo");
        appointment["contained"] = json!([organization]);
        appointment["extension"] = json!([{ "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-BookingOrganization",
            "valueReference": { "reference": "#bo" } }]);
    }
    appointment
}

fn ods(code: &str) -> Option<Value> {
    Some(json!({ "identifier": [{ "system": ODS, "value": code }], "name": code }))
}

#[test]
fn a_slot_is_booked_by_whom_it_is_kept_for() {
    let flint = surgery(Dialect::R4);
    let urgent =
        Some(json!({ "name": "urgent care", "type": [{ "coding": [{ "system": KIND, "code": "urgent-care" }] }] }));
    let refused = [
        ("kk", ods("A1001")),
        ("kkk", ods("RYE")),
        ("kkkk", ods("RYE")),
        ("kkkk", urgent.clone()),
        ("kkkkk", ods("A1001")),
        ("kkkkk", ods("RYE")),
    ];
    for (slot, organization) in refused {
        let reply = flint.send("POST /Appointment", booking(slot, organization)).expect(422);
        reply.facts(&[
            ("/issue/0/code", "business-rule"),
            ("/issue/0/expression/0", "Appointment.slot[0]"),
            ("/issue/0/diagnostics", &format!("*`Slot/{slot}`*kept*")),
        ]);
        flint.get(&format!("/Slot/{slot}")).expect(200).facts(&[("/status", "free")]);
    }
    for (slot, organization) in [("k", ods("ZZZ")), ("kk", urgent), ("kkk", ods("A1001")), ("kkkk", ods("a1001"))] {
        flint.send("POST /Appointment", booking(slot, organization)).expect(201);
    }
}

#[test]
fn the_client_is_somebodys() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    keep(&|resource| {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        keeper.send(&format!("PUT /{}/{}", text("resourceType"), text("id")), resource.clone()).expect(201);
    });
    let own = Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() };
    guarded.hold(&own).send("POST /Appointment", booking("kkk", None)).expect(422);
    let hub = json!({ "resourceType": "Organization", "id": "hub", "identifier": [{ "system": ODS, "value": "A1001" }], "name": "Hub" });
    keeper.send("PUT /Organization/hub", hub).expect(201);
    let of_hub = guarded.hold(&Holder { organization: "Organization/hub", ..own.clone() });
    of_hub.send("POST /Appointment", booking("kk", None)).expect(422);
    let booked = of_hub.send("POST /Appointment", booking("kkk", None)).expect(201);
    let by_identifier = ["https://fhir.nhs.uk/Id/ods-organization-code|A1001"];
    let named = guarded.hold(&Holder { identifiers: &by_identifier, ..own.clone() });
    named.send("POST /Appointment", booking("kkkk", None)).expect(201);
    // What was accepted stays so, whoever amends it.
    let amend = r#"[{"op":"add","path":"/comment","value":"x"}]"#;
    let url = format!("PATCH /Appointment/{}", booked.pointer("/id"));
    guarded.hold(&own).call(&url).body("application/json-patch+json", amend).send().expect(200);
    let staff = Holder { scope: "user/*.cruds", user: "Practitioner/dr1", purposes: &["TREAT"], ..Holder::default() };
    guarded.hold(&staff).send("POST /Appointment", booking("kk", None)).expect(201);
}

/// An app speaks for whom those who run the server say, and for nobody else.
#[test]
fn no_app_says_whom_it_books_for() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    let put = |resource: Value| {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        keeper.send(&format!("PUT /{}/{}", text("resourceType"), text("id")), resource.clone()).expect(201);
    };
    keep(&put);
    fill_limited(&put);
    let hub = json!({ "resourceType": "Organization", "id": "hub", "identifier": [{ "system": ODS, "value": "A1001" }], "name": "Hub" });
    put(hub);
    let own = Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() };
    let (app, of_hub) = (guarded.hold(&own), guarded.hold(&Holder { organization: "Organization/hub", ..own.clone() }));
    // Nobody writes the code of the hub into the own record, and whoever has it there is not the hub.
    let mut patient = app.get("/Patient/p1").expect(200).json();
    patient["identifier"].as_array_mut().expect("identifiers").push(json!({ "system": ODS, "value": "A1001" }));
    app.send("PUT /Patient/p1", patient.clone()).expect(403);
    keeper.send("PUT /Patient/p1", patient).expect(200);
    let renewed = guarded.hold(&own);
    for organization in [None, ods("A1001"), ods("RYE")] {
        for app in [&app, &renewed] {
            let reply = app.send("POST /Appointment", booking("kkk", organization.clone())).expect(422);
            reply.facts(&[("/issue/0/diagnostics", "*`Slot/kkk`*kept*")]);
        }
    }
    // Nor is it offered what it waits for in the name of another.
    let mut wish = booking("kkk", ods("A1001"));
    wish["status"] = json!("waitlist");
    wish["requestedPeriod"] = json!([{ "start": wish["start"], "end": wish["end"] }]);
    for name in ["slot", "start", "end"] {
        wish.as_object_mut().expect("an object").remove(name);
    }
    let service = json!({ "actor": { "reference": "HealthcareService/anybody" }, "status": "accepted" });
    wish["participant"].as_array_mut().expect("participants").push(service);
    app.send("POST /Appointment", wish.clone()).expect(201).facts(&[("/status", "waitlist")]);
    let offer = of_hub.send("POST /Appointment", wish).expect(201);
    let offer = offer.facts(&[("/status", "proposed"), ("/slot/0/reference", "Slot/kkk")]);
    let accepted = json!({ "resourceType": "AppointmentResponse", "participantStatus": "accepted",
        "appointment": { "reference": format!("Appointment/{}", offer.pointer("/id")) }, "actor": { "reference": "Patient/p1" } });
    app.send("POST /AppointmentResponse", accepted).expect(201);
    // The hub's app is no other's.
    let unnamed = Some(json!({ "name": "A1001" }));
    for other in [ods("RYE"), unnamed.clone()] {
        let reply = of_hub.send("POST /Appointment", booking("k", other)).expect(422);
        reply.facts(&[
            ("/issue/0/code", "business-rule"),
            ("/issue/0/expression/0", "Appointment.extension"),
            ("/issue/0/diagnostics", "*not the organisation of the client*"),
        ]);
    }
    of_hub.send("POST /Appointment", booking("kkkk", ods("a1001"))).expect(201);
    // All who name nobody are as one; so are those who name somebody without a name.
    app.send("POST /Appointment", at(8, None)).expect(201);
    app.send("POST /Appointment", at(9, unnamed.clone())).expect(201);
    for organization in [None, unnamed] {
        let over = app.send("POST /Appointment", at(10, organization)).expect(422);
        over.facts(&[("/issue/0/diagnostics", "*the `2` appointments*")]);
    }
    for code in ["A1001", "RYE", "X1", "X2"] {
        app.send("POST /Appointment", at(10, ods(code))).expect(422);
    }
    for hour in [10, 11] {
        of_hub.send("POST /Appointment", at(hour, None)).expect(201);
    }
    of_hub.send("POST /Appointment", at(12, ods("A1001"))).expect(422);
    // The practice books for whom it says.
    let staff = Holder { scope: "user/*.cruds", user: "Practitioner/dr1", purposes: &["TREAT"], ..Holder::default() };
    let staff = guarded.hold(&staff);
    staff.send("POST /Appointment", at(12, ods("A1001"))).expect(422);
    staff.send("POST /Appointment", at(12, ods("RYE"))).expect(201);
}

#[test]
fn free_times_are_those_that_the_caller_may_book() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    let put = |resource: Value| {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        keeper.send(&format!("PUT /{}/{}", text("resourceType"), text("id")), resource.clone()).expect(201);
    };
    keep(&put);
    put(
        json!({ "resourceType": "Organization", "id": "urgent", "name": "Urgent", "type": [{ "coding": [{ "system": KIND, "code": "urgent-care" }] }] }),
    );
    let own = Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() };
    let hub = [&*format!("{ODS}|A1001")];
    let staff = Holder { scope: "user/*.cruds", user: "Practitioner/dr1", purposes: &["TREAT"], ..Holder::default() };
    let cases: [(Holder<'_>, &[&str]); 4] = [
        (own.clone(), &["k"]),
        (Holder { identifiers: &hub, ..own.clone() }, &["k", "kkk", "kkkk"]),
        (Holder { organization: "Organization/urgent", ..own }, &["k", "kk"]),
        (staff, &["k", "kk", "kkk", "kkkk", "kkkkk"]),
    ];
    for (holder, expected) in cases {
        let found = guarded.hold(&holder).get("/Appointment/$find?start=2027-03-09&end=2027-03-10").expect(200);
        let found = found.facts(&[("/total", &expected.len().to_string())]).json();
        let entries = found["entry"].as_array().expect("times");
        let slots =
            entries.iter().map(|it| it["resource"]["slot"][0]["reference"].as_str().expect("a slot").to_owned());
        let expected: BTreeSet<_> = expected.iter().map(|id| format!("Slot/{id}")).collect();
        assert_eq!(slots.collect::<BTreeSet<_>>(), expected);
    }
}

/// A schedule on which each organisation may hold two appointments, with slots at 8 to 15.
fn limited() -> Flint {
    let flint = Flint::surgery();
    fill_limited(&put(&flint));
    flint
}

fn fill_limited(put: &dyn Fn(Value)) {
    put(json!({ "resourceType": "Schedule", "id": "few", "actor": [{ "reference": "Location/loc1" }],
        "extension": [{ "url": "https://flint.example/fhir/StructureDefinition/booking-limit", "valuePositiveInt": 2 }] }));
    for hour in 8..16 {
        put(
            json!({ "resourceType": "Slot", "id": format!("few{hour}"), "status": "free", "schedule": { "reference": "Schedule/few" },
            "start": format!("2027-03-09T{hour:02}:00:00Z"), "end": format!("2027-03-09T{hour:02}:10:00Z") }),
        );
    }
}

fn at(hour: u32, organization: Option<Value>) -> Value {
    let mut appointment = booking("k", organization);
    appointment["slot"] = json!([{ "reference": format!("Slot/few{hour}") }]);
    appointment["start"] = json!(format!("2027-03-09T{hour:02}:00:00Z"));
    appointment["end"] = json!(format!("2027-03-09T{hour:02}:10:00Z"));
    appointment
}

fn patch(flint: &Flint, id: &str, operations: Value) -> Reply {
    let call = flint.call(&format!("PATCH /Appointment/{id}"));
    call.body("application/json-patch+json", operations.to_string()).send()
}

#[test]
fn an_organisation_holds_no_more_than_the_limit() {
    let flint = limited();
    let first = flint.send("POST /Appointment", at(8, ods("A1001"))).expect(201).pointer("/id");
    flint.send("POST /Appointment", at(9, ods("a1001"))).expect(201);
    let over = flint.send("POST /Appointment", at(10, ods("A1001"))).expect(422);
    over.facts(&[("/issue/0/code", "business-rule"), ("/issue/0/diagnostics", "*the `2` appointments*")]);
    flint.get("/Slot/few10").expect(200).facts(&[("/status", "free")]);
    flint.send("POST /Appointment", at(10, ods("RYE"))).expect(201);
    for hour in [11, 12, 13] {
        flint.send("POST /Appointment", at(hour, None)).expect(201);
    }
    // Moved on the same schedule it counts once; what is given back may be taken again.
    let to = |hour: u32| {
        json!([{ "op": "replace", "path": "/slot/0/reference", "value": format!("Slot/few{hour}") },
            { "op": "replace", "path": "/start", "value": format!("2027-03-09T{hour:02}:00:00Z") },
            { "op": "replace", "path": "/end", "value": format!("2027-03-09T{hour:02}:10:00Z") }])
    };
    patch(&flint, &first, to(14)).expect(200);
    flint.send("POST /Appointment", at(8, ods("A1001"))).expect(422);
    patch(&flint, &first, json!([{ "op": "replace", "path": "/status", "value": "cancelled" }])).expect(200);
    flint.send("POST /Appointment", at(8, ods("A1001"))).expect(201);
    flint.send("POST /Appointment", at(14, ods("A1001"))).expect(422);
    // What is over does not count.
    flint.advance(std::time::Duration::from_secs(8 * 24 * 60 * 60 + 2 * 60 * 60));
    flint.send("POST /Appointment", at(14, ods("A1001"))).expect(201);
    flint.send("POST /Appointment", at(15, ods("A1001"))).expect(201);
}

#[test]
fn bookings_at_the_same_time_keep_to_the_limit() {
    let flint = limited();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let book = |hour| {
            let flint = &flint;
            scope.spawn(move || flint.send("POST /Appointment", at(hour, ods("A1001"))).status)
        };
        let threads: Vec<_> = (8..16).map(book).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 2, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 422].contains(status)), "{statuses:?}");
    flint.get("/Slot?schedule=Schedule/few&status=busy").expect(200).facts(&[("/total", "2")]);
    flint.get("/Appointment?booking-organization=A1001").expect(200).facts(&[("/total", "2")]);
}
