//! What there is, compared with what was acknowledged and with itself.

use std::collections::{BTreeMap, BTreeSet};

use flint_tests::Client;
use serde_json::Value;

use super::SLOTS;
use super::writer::{GENDERS, Parts, TAGS, Writer, text, version_of_tag};

/// Every version of every resource by `Type/id`; `None` is a deletion.
type Versions = BTreeMap<String, BTreeMap<u64, Option<Value>>>;

type Resources<'a> = BTreeMap<&'a str, &'a Value>;

/// Fails the test unless all is there, nothing is there in part, and all ways to read agree. Says how many versions there are.
pub(crate) fn check(client: &Client, writers: &[Writer]) -> usize {
    let versions = versions(client);
    let newest = versions.iter().filter_map(|(key, versions)| Some((key, versions.last_key_value()?.1.as_ref()?)));
    let current: Resources<'_> = newest.map(|(key, resource)| (key.as_str(), resource)).collect();
    for writer in writers {
        acknowledged(client, &versions, writer);
        whole(&versions, writer);
        tags(client, &current, writer);
    }
    references(&current);
    searches(client, &current);
    bookings(&current);
    versions.values().map(BTreeMap::len).sum()
}

/// The history of everything, which has no gaps.
fn versions(client: &Client) -> Versions {
    let mut versions = Versions::new();
    let mut total = 0;
    for (entry, all) in entries(client, "/_history?_count=300") {
        total = all;
        let key = text(&entry["fullUrl"]).trim_start_matches(client.base_url()).trim_start_matches('/');
        let version = version_of_tag(text(&entry["response"]["etag"])).expect("a version");
        let resource = entry.get("resource").cloned();
        assert_eq!(resource.is_none(), entry["request"]["method"] == "DELETE", "{entry}");
        let before = versions.entry(key.to_owned()).or_default().insert(version, resource);
        assert_eq!(before, None, "{key} has version {version} twice");
    }
    for (key, versions) in &versions {
        assert!((1..=versions.len() as u64).eq(versions.keys().copied()), "{key} has a gap: {:?}", versions.keys());
    }
    assert_eq!(total, versions.values().map(BTreeMap::len).sum::<usize>());
    versions
}

/// Every entry of a Bundle and of those that follow, with the total.
fn entries(client: &Client, url: &str) -> Vec<(Value, usize)> {
    let mut entries = Vec::new();
    let mut next = Some(url.to_owned());
    while let Some(url) = next {
        let page = client.get(&url).expect(200);
        let mut bundle = page.json();
        let total = bundle["total"].as_u64().expect("a total") as usize;
        if let Some(Value::Array(page)) = bundle.get_mut("entry").map(Value::take) {
            entries.extend(page.into_iter().map(|entry| (entry, total)));
        }
        next = page.link("next");
    }
    entries
}

fn acknowledged(client: &Client, versions: &Versions, writer: &Writer) {
    for (at, acknowledged) in writer.acknowledged.iter().enumerate() {
        let (key, version) = (&acknowledged.key, acknowledged.version);
        let found = versions.get(key).and_then(|versions| versions.get(&version));
        assert_eq!(found, Some(&acknowledged.resource), "version {version} of {key}");
        if at >= writer.last_round {
            let reply = client.get(&format!("/{key}/_history/{version}"));
            match &acknowledged.resource {
                Some(resource) => assert_eq!(&reply.expect(200).json(), resource),
                None => drop(reply.expect(410)),
            }
        }
    }
}

/// Of each request there is all or nothing.
fn whole(versions: &Versions, writer: &Writer) {
    let mut found = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (key, versions) in versions {
        for tag in versions.values().flatten().filter_map(tag) {
            found.entry(tag).or_default().insert(key);
        }
    }
    for (tag, parts) in &writer.requests {
        let count = found.get(tag.as_str()).map_or(0, BTreeSet::len);
        match *parts {
            Parts::Exactly(parts) => assert_eq!(count, parts, "request {tag}: {:?}", found.get(tag.as_str())),
            Parts::AllOrNone(parts) => assert!(count == 0 || count == parts, "request {tag} is there in part"),
        }
    }
}

fn tag(resource: &Value) -> Option<&str> {
    resource["identifier"][0]["value"].as_str()
}

/// What the last round acknowledged is found by its tag, and by no other way than it is read.
fn tags(client: &Client, current: &Resources<'_>, writer: &Writer) {
    for acknowledged in &writer.acknowledged[writer.last_round..] {
        let Some(tag) = acknowledged.resource.as_ref().and_then(tag) else { continue };
        let (resource_type, _) = acknowledged.key.split_once('/').expect("a key");
        let found = client.get(&format!("/{resource_type}?identifier={TAGS}|{tag}")).expect(200).keys("match");
        let read = current.get(acknowledged.key.as_str()).is_some_and(|resource| self::tag(resource) == Some(tag));
        assert_eq!(found.contains(&acknowledged.key), read, "{tag}");
        assert!(found.len() <= 1, "{tag}: {found:?}");
        let reply = client.get(&format!("/{}", acknowledged.key));
        match current.get(acknowledged.key.as_str()) {
            Some(resource) => assert_eq!(&reply.expect(200).json(), *resource),
            None => drop(reply.expect(410)),
        }
    }
}

/// A reference that a transaction has made leads to a part of the same transaction.
fn references(current: &Resources<'_>) {
    for (key, resource) in current.iter().filter(|(key, _)| key.starts_with("Observation/")) {
        let encounter = text(&resource["encounter"]["reference"]);
        let found = current.get(encounter).unwrap_or_else(|| panic!("{encounter} of {key} is not there"));
        assert_eq!((tag(found), &found["subject"]), (tag(resource), &resource["subject"]), "{key}");
    }
}

/// Searches by several indexes find exactly what was read.
fn searches(client: &Client, current: &Resources<'_>) {
    type Holds = fn(&Value) -> bool;
    let mut cases: Vec<(String, Holds)> = vec![
        ("Patient?".to_owned(), |_| true),
        ("Observation?status=final".to_owned(), |_| true),
        ("Encounter?status=finished".to_owned(), |_| true),
        ("Appointment?".to_owned(), |_| true),
        ("Appointment?status=booked".to_owned(), |appointment| appointment["status"] == "booked"),
        ("Appointment?status:not=booked".to_owned(), |appointment| appointment["status"] != "booked"),
        ("Appointment?patient=patient&date=ge2999".to_owned(), |_| true),
        ("Slot?schedule=schedule".to_owned(), |_| true),
        ("Slot?status=busy".to_owned(), |slot| slot["status"] == "busy"),
        ("Slot?status=free&_sort=-start".to_owned(), |slot| slot["status"] == "free"),
    ];
    let genders: [Holds; 4] = [
        |patient| patient["gender"] == GENDERS[0],
        |patient| patient["gender"] == GENDERS[1],
        |patient| patient["gender"] == GENDERS[2],
        |patient| patient["gender"] == GENDERS[3],
    ];
    cases.extend(GENDERS.iter().zip(genders).map(|(gender, holds)| (format!("Patient?gender={gender}"), holds)));
    for (query, holds) in cases {
        let (resource_type, _) = query.split_once('?').expect("a query");
        let of_type = |key: &str| key.split_once('/').is_some_and(|(found, _)| found == resource_type);
        let expected: Resources<'_> = current
            .iter()
            .filter(|(key, resource)| of_type(key) && holds(resource))
            .map(|(key, resource)| (*key, *resource))
            .collect();
        let found = entries(client, &format!("/{query}&_count=100"));
        assert_eq!(found.len(), expected.len(), "{query}");
        for (entry, total) in &found {
            let resource = &entry["resource"];
            let key = format!("{resource_type}/{}", text(&resource["id"]));
            assert_eq!((expected.get(key.as_str()), *total), (Some(&resource), expected.len()), "{query}");
        }
    }
}

/// Each busy slot has exactly one booked appointment, and each booked appointment its busy slot.
fn bookings(current: &Resources<'_>) {
    let of_type = |start: &'static str| current.iter().filter(move |(key, _)| key.starts_with(start));
    let mut busy: Vec<&str> =
        of_type("Slot/").filter(|(_, slot)| slot["status"] == "busy").map(|(key, _)| *key).collect();
    let booked = of_type("Appointment/").filter(|(_, appointment)| appointment["status"] == "booked");
    let mut taken: Vec<&str> = booked.map(|(_, appointment)| text(&appointment["slot"][0]["reference"])).collect();
    busy.sort_unstable();
    taken.sort_unstable();
    assert_eq!(busy, taken);
    assert_eq!(of_type("Slot/").count() as u64, SLOTS);
}
