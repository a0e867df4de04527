//! The book follows the store.

use std::sync::Arc;

use store::testing::Random;

use super::*;
use crate::consent::Book;
use crate::testing::{House, delete, put};
use crate::{Access, Acts, Change, Permission, References, Requester, Rights};

fn refreshed(book: &Book, house: &House) -> Arc<Policies> {
    let snapshot = house.repository.store().snapshot().expect("a snapshot");
    book.refresh(&*snapshot, &house.repository.registry()).expect("a book")
}

fn anew(house: &House) -> Arc<Policies> {
    refreshed(&Book::new(BASE_URL), house)
}

/// What policies mean, as far as these requesters can tell.
fn meaning(policies: &Policies) -> Vec<(Option<Instant>, Vec<Option<store::Filter>>)> {
    let registry = registry();
    let own = Requester {
        patient: Some(key("Patient/a")),
        consents: vec![key("Consent/c0")],
        ..requester(&["Patient/a"], &["TREAT"])
    };
    let requesters = [requester(&["Practitioner/one"], &["TREAT"]), requester(&["Practitioner/two"], &["HRESCH"]), own];
    let mean = |requester: &Requester| {
        let restrictions = policies.restrictions(requester, at("2026-01-15"), Implicit::Permit, &[]);
        let filters = ["Patient", "Observation"].map(|name| restrictions.filter(&registry, name));
        (restrictions.valid_until(), filters.into())
    };
    requesters.iter().map(mean).collect()
}

fn random_change(random: &mut Random) -> Change {
    let id = random.below(8);
    let patient = *random.pick(&["a", "b", "c"]);
    let value = *random.pick(&["a", "b", "c"]);
    let effect = *random.pick(&["permit", "deny"]);
    let elements = match random.below(4) {
        0 => actors(&["Practitioner/one"]),
        1 => purposes(&["HRESCH"]),
        2 => period("period", "2026-01-10", "2026-01-20"),
        _ => labels(&["PSY"]),
    };
    let written = consent(&format!("c{id}"), patient, &provision(effect, &[&elements], &[]));
    let category = r#""category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"policyRule":{"text":"x"},"patient""#;
    let written = written.replacen(r#""patient""#, category, 1);
    match random.below(8) {
        0 => delete(&format!("Consent/c{id}")),
        1 => put(&written.replacen(r#""active""#, r#""inactive""#, 1)),
        2 => put(&written.replacen("patient-privacy", "adr", 1)),
        3 => {
            let identified = format!(r#"{{"identifier":{{"system":"urn:nhs","value":"{patient}"}}}}"#);
            put(&written.replacen(&format!(r#"{{"reference":"Patient/{patient}"}}"#), &identified, 1))
        }
        4 => put(&format!(
            r#"{{"resourceType":"Patient","id":"{patient}","identifier":[{{"system":"urn:nhs","value":"{value}"}}],"birthDate":"19{}-01-01"}}"#,
            10 + random.below(80)
        )),
        5 => put(&format!(
            r#"{{"resourceType":"Practitioner","id":"x{id}","birthDate":"19{}-01-01"}}"#,
            10 + random.below(80)
        )),
        _ => put(&written),
    }
}

#[test]
fn follows_every_write() {
    let mut random = Random::new(3);
    for _ in 0..12 {
        let house = House::with(References::Accept);
        let book = Book::new(BASE_URL);
        for _ in 0..12 {
            for _ in 0..1 + random.below(6) {
                house.change(random_change(&mut random)).expect("accepted");
            }
            assert_eq!(meaning(&refreshed(&book, &house)), meaning(&anew(&house)));
        }
    }
}

#[test]
fn reads_more_changes_than_fit_on_a_page() {
    let house = House::with(References::Accept);
    let book = Book::new(BASE_URL);
    refreshed(&book, &house);
    let deny = |id: u64| {
        consent(&format!("c{id}"), "a", &provision("deny", &[&actors(&[&format!("Practitioner/{id}")])], &[]))
    };
    house.transact((0..30).map(|id| put(&with_category(&deny(id)))).collect()).expect("accepted");
    let policies = refreshed(&book, &house);
    for id in 0..30 {
        let restrictions = policies.restrictions(
            &requester(&[&format!("Practitioner/{id}")], &[]),
            at("2026-01-15"),
            Implicit::Permit,
            &[],
        );
        assert!(restrictions.hide_anything(), "{id}");
    }
}

fn with_category(consent: &str) -> String {
    consent.replacen(r#""patient":"#, r#""category":[{"text":"x"}],"policyRule":{"text":"x"},"patient":"#, 1)
}

#[test]
fn changes_nothing_when_nothing_has_changed() {
    let house = House::with(References::Accept);
    let book = Book::new(BASE_URL);
    house.hold(&[&with_category(&consent("c", "a", r#"{"type":"deny"}"#))]);
    let first = refreshed(&book, &house);
    house.hold(&[r#"{"resourceType":"Practitioner","id":"x"}"#, r#"{"resourceType":"Patient","id":"a"}"#]);
    house.hold(&[&with_category(&consent("organ", "a", r#"{"type":"permit"}"#)).replacen("patient-privacy", "adr", 1)]);
    assert!(Arc::ptr_eq(&first, &refreshed(&book, &house)), "no policy is another");
    house.hold(&[&with_category(&consent("c", "a", r#"{"type":"permit"}"#))]);
    let second = refreshed(&book, &house);
    assert!(second.generation() > first.generation());
    assert_eq!(
        second.restrictions(&Requester::default(), at("2026-01-15"), Implicit::Permit, &[]).generation(),
        second.generation()
    );
}

#[test]
fn an_older_view_brings_nothing_back() {
    let house = House::with(References::Accept);
    let book = Book::new(BASE_URL);
    house.hold(&[&with_category(&consent("c", "a", r#"{"type":"permit"}"#))]);
    let older = house.repository.store().snapshot().expect("a snapshot");
    house.change(delete("Consent/c")).expect("deleted");
    let sees = |policies: &Policies| {
        let restrictions =
            policies.restrictions(&requester(&["Practitioner/one"], &[]), at("2026-01-15"), Implicit::Deny, &[]);
        seen(&registry(), &restrictions, &[document(r#"{"resourceType":"Patient","id":"a"}"#)])
    };
    assert_eq!(sees(&refreshed(&book, &house)), "");
    let stale = book.refresh(&*older, &house.repository.registry()).expect("a book");
    assert_eq!(sees(&stale), "", "what was withdrawn stays withdrawn");
    assert_eq!(sees(&refreshed(&Book::new(BASE_URL), &house)), "");
}

#[test]
fn finds_patients_by_their_identifiers() {
    let house = House::with(References::Accept);
    let book = Book::new(BASE_URL);
    let deny = consent("c", "a", r#"{"type":"deny"}"#);
    let identified = r#""patient":{"identifier":{"system":"urn:nhs","value":"1"}}"#;
    house.hold(&[&with_category(&deny).replacen(r#""patient":{"reference":"Patient/a"}"#, identified, 1)]);
    let sees = |policies: &Policies| {
        let restrictions =
            policies.restrictions(&requester(&["Practitioner/one"], &[]), at("2026-01-15"), Implicit::Permit, &[]);
        seen(&registry(), &restrictions, &[document(r#"{"resourceType":"Patient","id":"a"}"#)])
    };
    assert_eq!(sees(&refreshed(&book, &house)), "a", "nobody is known by it");
    house.hold(&[r#"{"resourceType":"Patient","id":"a","identifier":[{"system":"urn:nhs","value":"1"}]}"#]);
    assert_eq!(sees(&refreshed(&book, &house)), "");
    let known = refreshed(&book, &house);
    house.hold(&[r#"{"resourceType":"Patient","id":"b"}"#]);
    assert!(Arc::ptr_eq(&known, &refreshed(&book, &house)), "another patient changes nothing");
    house.hold(&[r#"{"resourceType":"Patient","id":"a","identifier":[{"system":"urn:nhs","value":"2"}]}"#]);
    assert_eq!(sees(&refreshed(&book, &house)), "a", "it is another's now");
    house.hold(&[r#"{"resourceType":"Patient","id":"a","identifier":[{"system":"urn:nhs","value":"1"}]}"#]);
    assert_eq!(sees(&refreshed(&book, &house)), "");
    house.change(delete("Consent/c")).expect("deleted");
    assert_eq!(sees(&refreshed(&book, &house)), "a");
}

/// What names somebody by an identifier alone is in the record of the patient who has it, whatever that patient says.
#[test]
fn knows_whose_it_is_by_an_identifier_alone() {
    let house = House::with(References::Accept);
    let book = Book::new(BASE_URL);
    let observation = |id: &str, value: &str| {
        document(&format!(
            r#"{{"resourceType":"Observation","id":"{id}","subject":{{"type":"Patient","identifier":{{"system":"urn:nhs","value":"{value}"}}}}}}"#
        ))
    };
    let record = [observation("one", "1"), observation("two", "2")];
    let sees = |implicit| {
        let asker = requester(&["Practitioner/one"], &[]);
        let restrictions = refreshed(&book, &house).restrictions(&asker, at("2026-01-15"), implicit, &[]);
        seen(&registry(), &restrictions, &record)
    };
    let patient = |value: &str| {
        format!(r#"{{"resourceType":"Patient","id":"a","identifier":[{{"system":"urn:nhs","value":"{value}"}}]}}"#)
    };
    let consented = |effect: &str| with_category(&consent("c", "a", &format!(r#"{{"type":"{effect}"}}"#)));
    house.hold(&[&consented("deny")]);
    assert_eq!(sees(Implicit::Permit), "one two", "nobody has it");
    house.hold(&[&patient("1")]);
    assert_eq!((sees(Implicit::Permit), sees(Implicit::Deny)), ("two".to_owned(), String::new()));
    house.hold(&[&consented("permit")]);
    assert_eq!((sees(Implicit::Permit), sees(Implicit::Deny)), ("one two".to_owned(), "one".to_owned()));
    house.hold(&[&patient("2")]);
    assert_eq!((sees(Implicit::Permit), sees(Implicit::Deny)), ("one two".to_owned(), "two".to_owned()));
    house.hold(&[&consented("deny")]);
    assert_eq!(sees(Implicit::Permit), "one");
    house.change(delete("Patient/a")).expect("deleted");
    assert_eq!(sees(Implicit::Permit), "one two", "nobody has it any more");
    let again = refreshed(&Book::new(BASE_URL), &house);
    let restrictions = again.restrictions(&Requester::default(), at("2026-01-15"), Implicit::Permit, &[]);
    assert_eq!(seen(&registry(), &restrictions, &record), "one two");
}

/// The store finds, counts and pages what the filters say.
#[test]
fn searches_show_what_is_left() {
    let house = House::with(References::Accept);
    let observation = |id: &str, patient: &str, label: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","meta":{{"security":[{}]}},"status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}}}}"#,
            super::label(label)
        )
    };
    for id in ["a", "b", "c"] {
        house.hold(&[
            &format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#),
            &observation(&format!("plain-{id}"), id, "N"),
            &observation(&format!("mind-{id}"), id, "PSY"),
        ]);
    }
    let deny = |id: &str, elements: &[&str]| {
        with_category(&consent(&format!("deny-{id}"), id, &provision("deny", elements, &[])))
    };
    let permit = |id: &str| with_category(&consent(&format!("permit-{id}"), id, r#"{"type":"permit"}"#));
    house.hold(&[&deny("a", &[]), &deny("b", &[&labels(&["PSY"])]), &permit("b")]);
    let book = Book::new(BASE_URL);
    let policies = refreshed(&book, &house);
    for (implicit, patients, observations) in [
        (Implicit::Permit, "b c", "mind-c plain-b plain-c"),
        (Implicit::PermitNormal, "b c", "plain-b plain-c"),
        (Implicit::Deny, "b", "plain-b"),
    ] {
        let restrictions =
            policies.restrictions(&requester(&["Practitioner/one"], &["TREAT"]), at("2026-01-15"), implicit, &[]);
        let registry = house.repository.registry();
        let rights = ["Patient", "Observation"].map(|name| {
            let permission = restrictions.filter(&registry, name).map_or(Permission::Whole, Permission::Only);
            (name, Rights::default().with(Acts::SEE, &permission))
        });
        // Whose sight nothing else narrows.
        let custodian = Requester { custodian: true, ..Requester::default() };
        for (resource_type, expected) in [("Patient", patients), ("Observation", observations)] {
            for query in
                ["", "_sort=_id", "_lastUpdated=gt2020", "_id=mind-a,plain-a,mind-b,plain-b,mind-c,plain-c,a,b,c"]
            {
                let page = house
                    .search_as(Access::limited(rights.clone(), custodian.clone()), resource_type, query)
                    .expect("found");
                let mut ids: Vec<_> = page.matches.iter().map(|version| version.key.id()).collect();
                ids.sort_unstable();
                assert_eq!(ids.join(" "), expected, "{implicit:?} {query}");
                assert_eq!(page.total, Some(crate::Counted::exactly(ids.len() as u64)), "{implicit:?} {query}");
            }
        }
    }
}
