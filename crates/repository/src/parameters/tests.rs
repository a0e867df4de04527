use store::{Batch, Cursor, Write};

use super::catalogue::{Job, read_jobs, write_jobs};
use super::{JOBS, ROWS_FORMAT};
use crate::testing::{House, post_unless, put};
use crate::{Access, Acts, ParameterState, Permission, Requester, Rights};

const EYES: &str = r#"{"resourceType":"SearchParameter","id":"eyes","url":"urn:eyes","name":"Eyes","status":"active","description":"d",
    "code":"eyes","base":["Patient"],"type":"token","expression":"Patient.extension('urn:eyes').value"}"#;

fn patient(id: &str, eyes: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"{id}","extension":[{{"url":"urn:eyes","valueCode":"{eyes}"}}]}}"#)
}

fn states(house: &House) -> Vec<ParameterState> {
    house.session().search_parameters().expect("states")
}

fn index(house: &House) {
    while house.repository.index_batch().expect("a store that works") {}
}

fn found(house: &House, query: &str) -> usize {
    house.search("Patient", query).expect("a search").matches.len()
}

#[test]
fn what_was_prepared_before_is_prepared_again() {
    let house = House::new();
    let stale = house.session();
    house.hold(&[EYES]);
    index(&house);
    // This session knows nothing of the parameter, and its write has the rows all the same.
    assert!(!stale.registry().parameters("Patient").iter().any(|parameter| parameter.code == "eyes"));
    stale.transact(vec![put(&patient("ann", "blue"))]).expect("accepted");
    assert_eq!(found(&house, "eyes=blue"), 1);
    // The condition of a write is asked with the parameters of now.
    for (eyes, count) in [("blue", 1), ("green", 2), ("green", 2)] {
        stale.transact(vec![post_unless(&patient("x", eyes), &format!("eyes={eyes}"))]).expect("accepted");
        assert_eq!(found(&house, "_id:missing=false"), count);
    }
}

#[test]
fn writes_at_the_same_time_lose_no_row() {
    let house = House::new();
    std::thread::scope(|scope| {
        let writer = |name: &'static str| {
            let house = &house;
            move || {
                for at in 0..60 {
                    house.hold(&[&patient(&format!("{name}{at}"), "blue")]);
                }
            }
        };
        scope.spawn(writer("a"));
        scope.spawn(writer("b"));
        scope.spawn(|| {
            for round in 0..4 {
                house.hold(&[&EYES
                    .replace("\"d\"", &format!("\"{round}\""))
                    .replace("urn:eyes')", &format!("urn:eyes{}')", round % 2))]);
                index(&house);
            }
            house.hold(&[EYES]);
            index(&house);
        });
    });
    index(&house);
    assert_eq!(states(&house).iter().filter(|state| state.is_active).count(), 1);
    let page = house.search("Patient", "eyes=blue").expect("a search");
    assert_eq!(page.total.map(|total| total.count), Some(120));
}

#[test]
fn what_is_contained_is_indexed_too() {
    let house = House::new();
    let contained = patient("p", "blue");
    let observation = format!(
        r##"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"x"}},"contained":[{contained}],"subject":{{"reference":"#p"}}}}"##
    );
    house.hold(&[&observation, EYES]);
    assert!(house.search("Observation", "subject:Patient.eyes=blue").is_err());
    assert!(house.repository.index_batch().expect("a store that works"));
    let found = |query: &str| house.search("Observation", query).expect("a search").matches.len();
    assert_eq!([found("subject:Patient.eyes=blue"), found("subject:Patient.eyes=green")], [1, 0]);
    assert!(!house.repository.index_batch().expect("a store that works"));
}

#[test]
fn a_search_begun_with_other_parameters_is_refused() {
    let house = House::new();
    house.hold(&[EYES, &patient("ann", "blue")]);
    index(&house);
    let stale = house.session();
    let ask = |query: &str| house.search_in(&stale, "Patient", query);
    assert!(ask("eyes=blue").is_ok());
    house.hold(&[&EYES.replace("urn:eyes')", "urn:other')")]);
    for (query, fits) in [("eyes=blue", false), ("_sort=eyes", false), ("gender:missing=true", true)] {
        assert_eq!(ask(query).is_ok(), fits, "{query}");
    }
}

#[test]
fn rows_of_another_form_are_made_anew() {
    let house = House::new();
    let told = |house: &House| {
        let mut told = Vec::new();
        house.repository.index_outdated(|done, total| told.push((done, total))).expect("a store that works");
        told
    };
    assert_eq!(told(&house), []);
    house.hold(&[EYES, &patient("ann", "blue"), &patient("bob", "green")]);
    index(&house);
    assert_eq!(told(&house), []);
    let old = Write::Set { name: ROWS_FORMAT.to_vec(), value: b"1".to_vec() };
    house.repository.store().commit(Batch { preconditions: Vec::new(), writes: vec![old] }).expect("committed");
    assert_eq!(told(&house).last(), Some(&(3, 3)));
    assert_eq!(told(&house), []);
    assert_eq!(found(&house, "eyes=blue"), 1);
}

/// As a store has it that was moved from another engine, whose cursors mean nothing here.
#[test]
fn what_was_begun_elsewhere_is_begun_again() {
    let house = House::new();
    let contained = patient("p", "blue");
    let observation = format!(
        r##"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"x"}},"contained":[{contained}],"subject":{{"reference":"#p"}}}}"##
    );
    house.hold(&[&observation, &patient("ann", "blue"), EYES]);
    let store = house.repository.store();
    let jobs = read_jobs(&*store.snapshot().expect("a snapshot")).expect("jobs");
    let begun = jobs.into_iter().map(|job| Job { done: 1, after: Some(Cursor(b"elsewhere".to_vec())), ..job });
    let begun: Vec<_> = begun.collect();
    assert!(begun.iter().any(|job| job.containers));
    let writes = vec![
        Write::Set { name: JOBS.to_vec(), value: write_jobs(&begun) },
        Write::Release { name: ROWS_FORMAT.to_vec() },
    ];
    store.commit(Batch { preconditions: Vec::new(), writes }).expect("committed");
    house.repository.index_outdated(|_, _| {}).expect("a store that works");
    assert_eq!(found(&house, "eyes=blue"), 1);
    assert_eq!(house.search("Observation", "subject:Patient.eyes=blue").expect("a search").matches.len(), 1);
}

#[test]
fn what_cannot_stand_in_the_catalogue_is_refused() {
    let house = House::new();
    for url in ["urn:a\\tb", "urn:a\\nb", "urn:a b"] {
        let refused = house.change(put(&EYES.replace(r#""url":"urn:eyes""#, &format!(r#""url":"{url}""#))));
        assert!(refused.is_err(), "{url}");
    }
    assert_eq!(states(&house), []);
}

#[test]
fn what_says_the_same_again_changes_nothing() {
    let house = House::new();
    house.hold(&[EYES]);
    index(&house);
    let before = house.repository.generation();
    house.hold(&[EYES]);
    assert_eq!(house.repository.generation(), before);
    assert!(!house.repository.index_batch().expect("a store that works"));
}

/// Each new generation makes everybody prepare their writes again: many small types end in one.
#[test]
fn small_types_are_indexed_together() {
    let house = House::new();
    house.hold(&[&patient("ann", "blue"), &patient("bob", "green")]);
    let of_all = EYES.replace(r#"["Patient"]"#, r#"["DomainResource"]"#).replace("Patient.ext", "DomainResource.ext");
    house.hold(&[&of_all]);
    let (before, _) = house.repository.generation();
    index(&house);
    assert_eq!(house.repository.generation().0, before + 1);
    assert!(states(&house).len() > 140 && states(&house).iter().all(|state| state.is_active));
    assert_eq!(found(&house, "eyes=blue"), 1);
}

#[test]
fn resources_with_many_rows_are_indexed_a_few_at_a_time() {
    let house = House::new();
    let codings: Vec<_> = (0..160).map(|code| format!(r#"{{"code":"{code}"}}"#)).collect();
    let concept = format!(r#"{{"coding":[{}]}}"#, codings.join(","));
    let observation = |id: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{concept},"valueCodeableConcept":{concept}}}"#
        )
    };
    house.hold(&[&observation("a"), &observation("b"), &observation("c")]);
    house.hold(&[&EYES.replace("Patient", "Observation")]);
    let done = || states(&house)[0].progress;
    let mut seen = Vec::new();
    while house.repository.index_batch().expect("a store that works") {
        seen.extend(done());
    }
    assert!(!seen.is_empty() && seen[0].0 < 3, "{seen:?}");
    assert!(states(&house)[0].is_active);
}

#[test]
fn states_count_only_what_the_caller_may_see() {
    let house = House::new();
    house.hold(&[&patient("ann", "blue")]);
    house.hold(&[EYES]);
    let reads = || Rights::default().with(Acts::SEE, &Permission::Whole);
    let states = |rights: Vec<(&'static str, Rights)>| {
        let session = house.repository.open(Access::limited(rights, Requester::default()));
        session.search_parameters().map(|states| states.into_iter().map(|state| state.progress).collect::<Vec<_>>())
    };
    let only = |filter| Rights::default().with(Acts::SEE, &Permission::Only(filter));
    let nothing = || store::Filter::nothing();
    assert_eq!(states(vec![("SearchParameter", reads()), ("Patient", reads())]), Ok(vec![Some((0, 1))]));
    assert_eq!(states(vec![("SearchParameter", reads()), ("Patient", only(nothing()))]), Ok(vec![None]));
    assert_eq!(states(vec![("SearchParameter", reads())]), Ok(vec![None]));
    assert_eq!(states(vec![("SearchParameter", only(nothing()))]), Ok(vec![]));
    assert!(states(vec![("Patient", reads())]).is_err());
}
