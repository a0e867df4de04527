use std::collections::BTreeSet;
use std::time::Duration;

use flint_tests::{Flint, Guarded, Holder, Reply, example};
use serde_json::{Value, json};
use server::Directory;

const BOOKABLE_BY: &str = "https://flint.example/fhir/StructureDefinition/bookable-by";
const BOOKING_WINDOW: &str = "https://flint.example/fhir/StructureDefinition/booking-window";

/// What is published, each resource as `Type/id`, by the files of the manifest.
fn published(get: &dyn Fn(&str) -> Reply) -> BTreeSet<String> {
    let manifest = get("/$bulk-publish").expect(200);
    let manifest = manifest.facts(&[("content-type", "application/json"), ("/requiresAccessToken", "false")]).json();
    let mut all = BTreeSet::new();
    for output in manifest["output"].as_array().expect("files") {
        let file = get(output["url"].as_str().expect("a URL")).expect(200);
        let file = file.facts(&[("content-type", "application/fhir+ndjson"), ("cache-control", "public, max-age=60")]);
        for key in file.lines_of(&output["type"]) {
            assert!(!all.contains(&key), "twice: {key}");
            all.insert(key);
        }
    }
    all
}

/// Slots that are not for everybody to see, and a schedule and a service that only a patient or a hub has to do with.
fn keep(put: &dyn Fn(Value)) {
    let hub = json!([{ "url": BOOKABLE_BY, "valueCoding": { "system": "https://fhir.nhs.uk/Id/ods-organization-code", "code": "A1001" } }]);
    let schedule =
        |id: &str, actors: Value| json!({ "resourceType": "Schedule", "id": id, "comment": "secret", "actor": actors });
    let slot = |id: &str, schedule: &str| {
        json!({ "resourceType": "Slot", "id": id, "status": "free", "schedule": { "reference": format!("Schedule/{schedule}") },
            "comment": "secret", "start": "2027-03-10T09:00:00Z", "end": "2027-03-10T09:10:00Z" })
    };
    let location = json!({ "reference": "Location/loc1" });
    let with = |mut resource: Value, name: &str, value: Value| {
        resource[name] = value;
        resource
    };
    for resource in [
        json!({ "resourceType": "HealthcareService", "id": "of-hub", "extension": hub }),
        json!({ "resourceType": "Location", "id": "home", "name": "where nobody comes" }),
        schedule("mine", json!([{ "reference": "Patient/p1" }, location])),
        schedule("theirs", json!([{ "type": "RelatedPerson", "display": "secret" }, location])),
        schedule("hubs", json!([{ "reference": "HealthcareService/of-hub" }, location])),
        with(schedule("kept", json!([location])), "extension", hub.clone()),
        with(schedule("old", json!([location])), "active", json!(false)),
        schedule("open", json!([location, { "reference": "PractitionerRole/dr1role" }])),
        slot("s-mine", "mine"),
        slot("s-theirs", "theirs"),
        slot("s-hubs", "hubs"),
        slot("s-kept", "kept"),
        slot("s-old", "old"),
        slot("s-open", "open"),
        with(slot("s-own", "open"), "extension", hub.clone()),
        with(
            slot("s-later", "open"),
            "extension",
            json!([{ "url": BOOKING_WINDOW, "valuePeriod": { "start": "2027-03-05" } }]),
        ),
        with(slot("s-busy", "open"), "status", json!("busy")),
        with(slot("s-unavailable", "open"), "status", json!("busy-unavailable")),
        with(with(slot("s-far", "open"), "start", json!("2028-03-10T09:00:00Z")), "end", json!("2028-03-10T09:10:00Z")),
    ] {
        put(resource);
    }
}

const PUBLISHED: [&str; 10] = [
    "HealthcareService/svc1",
    "Location/loc1",
    "PractitionerRole/dr1role",
    "Schedule/open",
    "Schedule/sch1",
    "Slot/s-open",
    "Slot/s0900",
    "Slot/s0910",
    "Slot/s0920",
    "Slot/sBST",
];

#[test]
fn what_is_open_is_published_to_everybody() {
    let guarded = Guarded::surgery();
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    keep(&|resource| {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        keeper.send(&format!("PUT /{}/{}", text("resourceType"), text("id")), resource.clone()).expect(201);
    });
    let expected: BTreeSet<_> = PUBLISHED.iter().map(|key| (*key).to_owned()).collect();
    let own =
        guarded.hold(&Holder { scope: "patient/*.cruds", user: "Patient/p1", patient: "p1", ..Holder::default() });
    assert_eq!(published(&|url| guarded.flint().get(url)), expected);
    assert_eq!(published(&|url| own.get(url)), expected);
    assert_eq!(published(&|url| keeper.get(url)), expected);
    let forged = guarded.flint().call("GET /$bulk-publish").header("Authorization", "Bearer x").send();
    assert_eq!(forged.status, 401);
    let manifest = guarded.flint().get("/$bulk-publish").expect(200).json();
    for output in manifest["output"].as_array().expect("files") {
        let file = guarded.flint().get(output["url"].as_str().expect("a URL")).expect(200);
        assert!(!file.text.contains("secret"), "{}", file.text);
    }
}

#[test]
fn what_is_booked_or_past_is_open_no_more() {
    let flint = Flint::surgery();
    let get = |url: &str| flint.get(url);
    let slots = |all: BTreeSet<String>| all.into_iter().filter(|key| key.starts_with("Slot/")).collect::<Vec<_>>();
    assert_eq!(slots(published(&get)), ["Slot/s0900", "Slot/s0910", "Slot/s0920", "Slot/sBST"]);
    let booking = std::fs::read_to_string(example("request-book-one-slot.json")).expect("an example");
    flint.send("POST /Appointment", serde_json::from_str(&booking).expect("JSON")).expect(201);
    assert_eq!(slots(published(&get)), ["Slot/s0910", "Slot/s0920", "Slot/sBST"]);
    flint.advance(Duration::from_secs(7 * 24 * 60 * 60 + 75 * 60));
    assert_eq!(slots(published(&get)), ["Slot/s0920", "Slot/sBST"]);
}

#[test]
fn caches_are_told_what_changed() {
    let flint = Flint::surgery();
    let manifest = flint.get("/$bulk-publish").expect(200);
    let (tag, time) = (manifest.header("etag").to_owned(), manifest.pointer("/transactionTime"));
    let again = |url: &str, tag: &str| flint.call(&format!("GET {url}")).header("If-None-Match", tag).send();
    let known =
        again("/$bulk-publish", &tag).expect(304).facts(&[("etag", &tag), ("cache-control", "public, max-age=60")]);
    assert!(known.text.is_empty());
    let slots =
        manifest.json()["output"].as_array().expect("files").iter().find(|file| file["type"] == "Slot").cloned();
    let slots = slots.expect("a file")["url"].as_str().expect("a URL").to_owned();
    let slots_tag = flint.get(&slots).expect(200).header("etag").to_owned();
    again(&slots, &slots_tag).expect(304);
    again(&slots, "W/\"other\"").expect(200);
    let booking = std::fs::read_to_string(example("request-book-one-slot.json")).expect("an example");
    flint.send("POST /Appointment", serde_json::from_str(&booking).expect("JSON")).expect(201);
    again(&slots, &slots_tag).expect(200);
    // The manifest is made once a minute, whatever changes and whoever asks.
    flint.advance(Duration::from_secs(30));
    again("/$bulk-publish", &tag).expect(304);
    flint.advance(Duration::from_secs(30));
    let after = again("/$bulk-publish", &tag).expect(200);
    assert!(after.pointer("/transactionTime") > time, "{}", after.text);
}

#[test]
fn files_are_asked_for_by_their_urls() {
    let flint = Flint::surgery();
    let manifest = flint.get("/$bulk-publish").expect(200).json();
    let url = manifest["output"][0]["url"].as_str().expect("a URL").to_owned();
    for accept in ["application/fhir+ndjson", "application/x-ndjson", "*/*"] {
        flint.call(&format!("GET {url}")).header("Accept", accept).send().expect(200);
    }
    let (from, to) = ("from=2027-03-08T00:00:00Z", "to=2027-03-15T00:00:00Z");
    flint.get(&format!("/$bulk-publish?file=Slot&{from}&{to}")).expect(200);
    flint.get("/$bulk-publish?_since=2027-01-01T00:00:00Z").expect(200);
    let refused = [
        format!("file=Patient&{from}&{to}"),
        format!("file=Slot&{from}"),
        "file=Slot&from=2027-03-08&to=2027-03-15".to_owned(),
        "type=Slot".to_owned(),
    ];
    for query in refused {
        flint.get(&format!("/$bulk-publish?{query}")).expect(400).facts(&[("/resourceType", "OperationOutcome")]);
    }
}

#[test]
fn who_closes_the_directory_closes_this() {
    let guarded = Guarded::start_with(|config| {
        config.load.push(example("seed-transaction.json"));
        config.directory = Directory::Closed;
    });
    guarded.flint().get("/$bulk-publish").expect(401);
    let keeper = guarded.hold(&Holder { scope: "system/*.cruds", custodian: true, ..Holder::default() });
    keeper.get("/$bulk-publish").expect(200);
}
