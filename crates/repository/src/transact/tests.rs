//! Writes against a store on disk.

use fhir::IssueType::{self, *};
use fhir::json::Document;
use store::StoreError;

use super::plan::Plan;
use super::{Kept, draft};
use crate::testing::*;
use crate::{Change, ChangeKind, Counted, History, HistoryScope, Method, References, Transaction};

const ANN: &str =
    r#"{"resourceType":"Patient","id":"ann","active":true,"identifier":[{"system":"http://s","value":"1"}]}"#;
const BOB: &str = r#"{"resourceType":"Patient","id":"bob","identifier":[{"system":"http://s","value":"2"}]}"#;

fn refused(house: &House, change: Change) -> (IssueType, String) {
    let outcome = house.change(change).expect_err("refused");
    let issue = outcome.worst().expect("an issue");
    (issue.code, outcome.to_string())
}

#[test]
fn versions_follow_one_another() {
    let house = House::new();
    let first = r#"{"resourceType":"Patient","id":"ann","meta":{"versionId":"1","lastUpdated":"TIME"},"active":true}"#;
    let sent = r#"{"active":true,"id":"ann","resourceType":"Patient"}"#;
    assert_eq!(house.done(put(sent)), (ChangeKind::Created, first.to_owned()));
    assert_eq!(house.done(put(sent)), (ChangeKind::Unchanged, first.to_owned()));
    let with_meta = r#"{"resourceType":"Patient","id":"ann","meta":{"versionId":"9","lastUpdated":"2001-01-01T00:00:00Z"},"active":true}"#;
    assert_eq!(house.done(put(with_meta)).0, ChangeKind::Unchanged);
    let (kind, second) =
        house.done(put(r#"{"resourceType":"Patient","id":"ann","meta":{"tag":[{"code":"t"}]},"active":false}"#));
    assert_eq!(kind, ChangeKind::Updated);
    assert!(
        second.contains(r#""meta":{"versionId":"2","lastUpdated":"TIME","tag":[{"code":"t"}]},"active":false"#),
        "{second}"
    );
    assert_eq!(
        house.done(patch("Patient/ann", r#"[{"op":"replace","path":"/active","value":true}]"#)).0,
        ChangeKind::Updated
    );
    let deleted = house.change(delete("Patient/ann")).expect("deleted");
    assert_eq!((deleted.kind, deleted.version.map(|version| version.version)), (ChangeKind::Deleted, Some(4)));
    let again = house.change(delete("Patient/ann")).expect("fine");
    assert_eq!((again.kind, again.version.map(|version| version.version)), (ChangeKind::NothingToDelete, Some(4)));
    assert_eq!(house.session().read(&key("Patient/ann")).expect_err("deleted").issues[0].code, Deleted);
    let (kind, text) = house.done(put(sent));
    assert!(kind == ChangeKind::Created && text.contains(r#""versionId":"5""#), "{text}");

    let history = History {
        scope: HistoryScope::Document(key("Patient/ann")),
        since: None,
        before: None,
        after: None,
        limit: 10,
        total: true,
    };
    let page = house.session().history(&history).expect("a history");
    let methods: Vec<_> = page.versions.iter().map(|version| Method::of(version).as_str()).collect();
    assert_eq!((methods.as_slice(), page.total), (&["PUT", "DELETE", "PATCH", "PUT", "PUT"][..], Some(5)));
    let vread = |version: &str| house.session().vread(&key("Patient/ann"), version).map(|version| version.version);
    assert_eq!(vread("2").ok(), Some(2));
    let refused = [("4", Deleted), ("6", NotFound), ("0", NotFound), ("02", NotFound), ("x", NotFound), ("", NotFound)];
    for (version, code) in refused {
        assert_eq!(vread(version).expect_err("refused").issues[0].code, code, "version {version}");
    }
}

#[test]
fn creates_with_ids_of_its_own() {
    let house = House::new();
    let (kind, text) = house.done(post(r#"{"resourceType":"Patient","id":"mine","active":true}"#));
    assert_eq!(kind, ChangeKind::Created);
    assert_eq!(
        text,
        r#"{"resourceType":"Patient","id":"new-1","meta":{"versionId":"1","lastUpdated":"TIME"},"active":true}"#
    );
    assert_eq!(house.session().read(&key("Patient/mine")).expect_err("unknown").issues[0].code, NotFound);
    house.hold(&[r#"{"resourceType":"Patient","id":"new-2"}"#]);
    assert!(house.done(post(r#"{"resourceType":"Patient"}"#)).1.contains("new-3"), "an id in use is passed over");
}

#[test]
fn refuses_single_changes() {
    let house = House::new();
    house.hold(&[ANN, BOB]);
    let tagged = ANN.replace(
        r#""active""#,
        r#""meta":{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]},"active""#,
    );
    let observation =
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"REF"}}"#;
    let about = |reference: &str| post(&observation.replace("REF", reference));
    let cases = [
        (put_at("Patient/x", ANN), BadRequest, "the id `ann` where the URL names `x`"),
        (put_at("Patient/x", r#"{"resourceType":"Patient"}"#), BadRequest, "no id where the URL names `x`"),
        (put_at("Group/ann", ANN), BadRequest, "resourceType `Patient` where `Group`"),
        (put_at("Patient/a_b", &ANN.replace("ann", "a_b")), BadRequest, "`a_b` is not 1 to 64"),
        (put_at("Patient/x", r#"{"resourceType":"Patient","id":"x","meta":[]}"#), Structure, "`meta` is not an object"),
        (put(&tagged), Invalid, "SUBSETTED"),
        (post(r#"{"resourceType":"Patient","nonsense":1}"#), Structure, "nonsense"),
        (if_version(put(ANN), "W/\"2\""), Precondition, "version `2` of `Patient/ann`, the current one is `1`"),
        (if_version(put(ANN), "x"), BadRequest, "If-Match `x`"),
        (if_version(delete("Patient/ann"), "7"), Precondition, "version `7`"),
        (if_version(put(&ANN.replace("ann", "new")), "1"), Precondition, "there is no `Patient/new`"),
        (if_none(put(ANN)), Precondition, "`Patient/ann` is there as version `1`"),
        (
            patch("Patient/none", r#"[{"op":"add","path":"/active","value":true}]"#),
            NotFound,
            "there is no `Patient/none`",
        ),
        (
            patch("Patient/ann", r#"[{"op":"replace","path":"/id","value":"eve"}]"#),
            Invalid,
            "`id`, which must stay `ann`",
        ),
        (
            patch("Patient/ann", r#"[{"op":"replace","path":"/resourceType","value":"Group"}]"#),
            Invalid,
            "`resourceType`",
        ),
        (patch("Patient/ann", r#"[{"op":"test","path":"/active","value":false}]"#), Processing, ""),
        (patch("Patient/ann", r#"[{"op":"add","path":"/active","value":"yes"}]"#), Structure, "Patient.active"),
        (patch("Patient?identifier=http://s|", "[]"), MultipleMatches, "several"),
        (patch("Patient?identifier=none", "[]"), NotFound, "no Patient matches `identifier=none`"),
        (put_at("Patient?identifier=http://s|1", BOB), BadRequest, "the id `bob` where"),
        (
            put_at("Patient?identifier=http://s|", r#"{"resourceType":"Patient"}"#),
            MultipleMatches,
            "several Patients match",
        ),
        (put_at("Patient?identifier=http://s|9", BOB), Conflict, "`Patient/bob` exists"),
        (post_unless(ANN, "identifier=http://s|"), MultipleMatches, "several Patients match"),
        (post_unless(ANN, "nonsense=1"), BadRequest, "nonsense"),
        (post_unless(ANN, ""), BadRequest, "holds for every Patient"),
        (delete("Patient?"), BadRequest, "holds for every Patient"),
        (delete("Patient?identifier=http://s|"), MultipleMatches, "several"),
        (
            about("Patient/none"),
            UnresolvedReference,
            "`Patient/none` leads to no resource of this server (Observation.subject.reference)",
        ),
        (about("http://localhost/fhir/Patient/none"), UnresolvedReference, "Observation.subject.reference"),
        (about("urn:uuid:0b5b2a4e-0000-4000-8000-000000000001"), UnresolvedReference, "fullUrl of no entry"),
        (about("Patient?identifier=http://s|9"), UnresolvedReference, "no Patient matches"),
        (about("Patient?identifier=http://s|"), MultipleMatches, "several"),
    ];
    for (change, code, part) in cases {
        let shown = format!("{change:?}");
        let (found, text) = refused(&house, change);
        assert!(found == code && text.contains(part), "{text} ({found:?}) for {shown}");
    }
    let coding = house.change(about("Patient/none")).expect_err("refused").issues[0].coding;
    assert_eq!(coding, Some((fhir::outcome::SPINE_CODES, "REFERENCE_NOT_FOUND")));
    let all = house.search("Patient", "").expect("found");
    assert_eq!(all.total, Some(Counted::exactly(2)), "what was refused left nothing");
}

#[test]
fn accepts_single_changes() {
    use ChangeKind::*;
    let house = House::new();
    house.hold(&[ANN, BOB]);
    let observation =
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"REF"}}"#;
    let about = |reference: &str| post(&observation.replace("REF", reference));
    let cases = [
        (if_version(put(&ANN.replace("true", "false")), "W/\"1\""), Updated, r#""versionId":"2""#),
        (if_version(put(ANN), "\"2\""), Updated, r#""versionId":"3""#),
        (if_version(put(&ANN.replace("true", "false")), "*"), Updated, r#""versionId":"4""#),
        (if_none(put(&ANN.replace("ann", "eve").replace("\"1\"", "\"3\""))), Created, "Patient/eve"),
        (post_unless(ANN, "identifier=http://s|1"), Existing, "Patient/ann"),
        (post_unless(&ANN.replace("\"1\"", "\"4\""), "identifier=http%3A%2F%2Fs%7C4"), Created, "new-"),
        (put_at("Patient?identifier=http://s|2", BOB), Unchanged, "Patient/bob"),
        (
            put_at(
                "Patient?identifier=http://s|2",
                r#"{"resourceType":"Patient","active":true,"identifier":[{"system":"http://s","value":"2"}]}"#,
            ),
            Updated,
            "Patient/bob",
        ),
        (put_at("Patient?identifier=http://s|5", r#"{"resourceType":"Patient","id":"joe"}"#), Created, "Patient/joe"),
        (put_at("Patient?identifier=http://s|6", r#"{"resourceType":"Patient"}"#), Created, "new-"),
        (patch("Patient?identifier=http://s|2", r#"[{"op":"remove","path":"/active"}]"#), Updated, "Patient/bob"),
        (about("Patient?identifier=http://s|2"), Created, r#""reference":"Patient/bob""#),
        (about("Patient/ann"), Created, r#""reference":"Patient/ann""#),
        (about("Patient/ann/_history/1"), Created, r#""reference":"Patient/ann/_history/1""#),
        (about("http://localhost/fhir/Patient/ann"), Created, r#""reference":"http://localhost/fhir/Patient/ann""#),
        (about("http://elsewhere/fhir/Patient/none"), Created, "elsewhere"),
        (delete("Patient?identifier=http://s|9"), NothingToDelete, ""),
        (delete("Patient/never"), NothingToDelete, ""),
        (delete("Patient?identifier=http://s|3"), Deleted, ""),
    ];
    for (change, kind, part) in cases {
        let shown = format!("{change:?}");
        let changed = house.change(change).expect(&shown);
        let version = changed.version.as_ref();
        let body =
            version.and_then(|version| version.body.as_ref()).map_or(String::new(), |_| text(version.expect("there")));
        let told = format!("{} {body}", version.map_or(String::new(), |version| version.key.to_string()));
        assert!(changed.kind == kind && told.contains(part), "{:?} {told} for {shown}", changed.kind);
    }
}

#[test]
fn resolves_references_in_a_transaction() {
    let house = House::new();
    house.hold(&[r#"{"resourceType":"Practitioner","id":"doc","identifier":[{"system":"http://p","value":"7"}]}"#]);
    let urn = |digit: u8| format!("urn:uuid:0b5b2a4e-0000-4000-8000-00000000000{digit}");
    let observation = format!(
        r#"{{"resourceType":"Observation","text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{0}\">x</a></div>"}},
        "status":"final","code":{{"text":"x"}},"subject":{{"reference":"{0}"}},
        "performer":[{{"reference":"Practitioner?identifier=http://p|7"}},{{"reference":"Practitioner?identifier=http://p|8"}}],
        "hasMember":[{{"reference":"Observation/other"}},{{"reference":"{0}x"}}]}}"#,
        urn(1)
    )
    .replace(&format!(r#",{{"reference":"{}x"}}"#, urn(1)), "");
    let other = r#"{"resourceType":"Observation","id":"other","status":"final","code":{"text":"y"}}"#;
    let practitioner = r#"{"resourceType":"Practitioner","identifier":[{"system":"http://p","value":"8"}]}"#;
    let changes = vec![
        named(post(&observation), "http://elsewhere/fhir/Observation/one"),
        named(post(other), "http://elsewhere/fhir/Observation/other"),
        named(post(r#"{"resourceType":"Patient","active":true}"#), &urn(1)),
        post_unless(practitioner, "identifier=http://p|8"),
        post_unless(practitioner, "identifier=http://p|8"),
    ];
    let changed = house.transact(changes).expect("accepted");
    let keys: Vec<_> =
        changed.iter().map(|changed| changed.version.as_ref().expect("a version").key.to_string()).collect();
    assert_eq!(keys[3], keys[4], "the second conditional create found the first");
    assert_eq!((changed[3].kind, changed[4].kind), (ChangeKind::Created, ChangeKind::Existing));
    let text = house.text(&keys[0]);
    for part in [
        format!(r#"<a href=\"{}\">"#, keys[2]),
        format!(r#""subject":{{"reference":"{}"}}"#, keys[2]),
        format!(r#""performer":[{{"reference":"Practitioner/doc"}},{{"reference":"{}"}}]"#, keys[3]),
        format!(r#""hasMember":[{{"reference":"{}"}}]"#, keys[1]),
    ] {
        assert!(text.contains(&part), "{part} in {text}");
    }
    assert_eq!(
        house.search("Observation", &format!("subject={}", keys[2])).expect("found").total,
        Some(Counted::exactly(1))
    );
}

#[test]
fn transactions_are_whole_and_in_order() {
    let house = House::new();
    house.hold(&[ANN]);
    let bad = r#"{"resourceType":"Patient","id":"eve","nonsense":1}"#;
    let refusal = house.transact(vec![put(BOB), put(bad)]).expect_err("refused");
    assert_eq!(
        (refusal.change, refusal.outcome.issues[0].expression.as_slice()),
        (Some(1), &["Patient.nonsense".to_owned()][..])
    );
    assert_eq!(
        house.search("Patient", "").expect("found").total,
        Some(Counted::exactly(1)),
        "nothing of it was written"
    );

    let replaced =
        house.transact(vec![post_unless(ANN, "identifier=http://s|1"), delete("Patient/ann")]).expect("accepted");
    assert_eq!(
        (replaced[0].kind, replaced[1].kind),
        (ChangeKind::Created, ChangeKind::Deleted),
        "deletions come first"
    );

    house.hold(&[BOB]);
    let twice = [
        vec![put(BOB), delete("Patient/bob")],
        vec![put(BOB), put_at("Patient?identifier=http://s|2", BOB)],
        vec![
            put_at(
                "Patient?identifier=http://s|5",
                r#"{"resourceType":"Patient","identifier":[{"system":"http://s","value":"5"}]}"#
            );
            2
        ],
    ];
    for changes in twice {
        let refusal = house.transact(changes).expect_err("refused");
        let text = refusal.outcome.to_string();
        assert!(refusal.outcome.issues[0].code == BadRequest && text.contains("changes 1 and 2"), "{text}");
    }
    let urn = "urn:uuid:0b5b2a4e-0000-4000-8000-000000000001";
    let twice = house.transact(vec![named(put(ANN), urn), named(put(BOB), urn)]).expect_err("refused");
    assert_eq!(twice.outcome.issues[0].code, BadRequest);

    let gone =
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/bob"}}"#;
    let refusal = house.transact(vec![post(gone), delete("Patient/bob")]).expect_err("refused");
    assert_eq!(refusal.outcome.issues[0].code, UnresolvedReference, "what is deleted beside it is not there");

    let many = vec![delete("Patient/none"); crate::CHANGES_MAX];
    assert_eq!(house.transact(many).map(|changed| changed.len()).ok(), None, "one identity twice");
    let many = (0..=crate::CHANGES_MAX).map(|at| delete(&format!("Patient/{at}")));
    assert_eq!(house.transact(many.clone().collect()).expect_err("refused").outcome.issues[0].code, TooCostly);
    assert!(house.transact(many.skip(1).collect()).is_ok());
}

#[test]
fn accepts_any_reference_where_told_so() {
    let house = House::with(References::Accept);
    for reference in ["Patient/none", "urn:uuid:0b5b2a4e-0000-4000-8000-000000000001"] {
        let observation = format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{{"reference":"{reference}"}}}}"#
        );
        assert!(house.done(post(&observation)).1.contains(reference));
    }
}

#[test]
fn racing_writers_all_get_through() {
    let house = House::new();
    house.hold(&[ANN]);
    let threads = 100;
    std::thread::scope(|scope| {
        for at in 0..threads {
            let house = &house;
            scope.spawn(move || {
                let sent = format!(r#"{{"resourceType":"Patient","id":"ann","name":[{{"family":"n{at}"}}]}}"#);
                assert_eq!(house.done(put(&sent)).0, ChangeKind::Updated);
            });
        }
    });
    assert!(house.text("Patient/ann").contains(&format!(r#""versionId":"{}""#, threads + 1)));
}

#[test]
fn racing_conditional_creates_make_one() {
    let house = House::new();
    let threads = 32;
    let kinds: Vec<_> = std::thread::scope(|scope| {
        let create = || house.done(post_unless(ANN, "identifier=http://s|1")).0;
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(create)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
    });
    assert_eq!(kinds.iter().filter(|kind| **kind == ChangeKind::Created).count(), 1);
    assert_eq!(kinds.iter().filter(|kind| **kind == ChangeKind::Existing).count(), threads - 1);
    assert_eq!(house.search("Patient", "identifier=http://s|1").expect("found").total, Some(Counted::exactly(1)));
}

#[test]
fn conditions_over_joins_are_checked_again() {
    let bob = r#"{"resourceType":"Patient","id":"bob"}"#;
    let observation = |patient: &str, code: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"coding":[{{"code":"{code}"}}]}},"subject":{{"reference":"Patient/{patient}"}}}}"#
        )
    };
    let (now_bobs, now_other) = (observation("bob", "x"), observation("ann", "y"));
    let renamed = r#"{"resourceType":"Patient","id":"bob","name":[{"family":"Birch"}]}"#;
    let identified = r#"{"resourceType":"Patient","id":"bob","identifier":[{"system":"http://s","value":"2"}]}"#;
    let about_bob = r#"{"resourceType":"Basic","code":{"text":"x"},"subject":{"reference":"Patient/bob"}}"#;
    let about_bob_already =
        r#"{"resourceType":"Basic","id":"b","code":{"text":"x"},"subject":{"reference":"Patient/bob"}}"#;
    // What is created, unless what exists, what another does meanwhile, and whether that matters.
    let cases = [
        (about_bob, "subject:Patient.identifier=http://s|2", identified, true),
        (about_bob, "subject:Patient.identifier=http://s|2", renamed, false),
        (bob, "_id=bob&_has:Observation:patient:code=x", &now_bobs, true),
        (bob, "_id=bob&_has:Observation:patient:code=y", &now_other, false),
        (bob, "_id=bob&_has:Observation:patient:code=x", renamed, false),
    ];
    for (created, unless, meanwhile, matters) in cases {
        let house = House::new();
        house.hold(&[ANN, bob]);
        house.hold(&[&observation("ann", "x"), about_bob_already]);
        let session = house.session();
        let drafts = draft::all(&session, vec![post_unless(created, unless)]).expect("well-formed");
        let mut kept = Kept { fresh: vec![None], contents: vec![None] };
        let batch = {
            let snapshot = session.snapshot().expect("a snapshot");
            let plan = Plan::make(&session, &*snapshot, &drafts, &mut kept).expect("planned");
            plan.batch().expect("a batch").0
        };
        house.done(put(meanwhile));
        let lost = matches!(house.repository.store().commit(batch), Err(StoreError::Conflict(_)));
        assert_eq!(lost, matters, "{unless} and then {meanwhile}");
    }
}

/// Whoever has looked at what another has stirred meanwhile is made anew; two that stir the same are not.
#[test]
fn what_is_stirred_is_seen_by_who_looked_at_it() {
    for (looks, stirs, is_lost) in [("a", "b", true), ("a", "a", true), ("b", "a", false), ("b", "b", false)] {
        let house = House::new();
        let session = house.session();
        let snapshot = session.snapshot().expect("a snapshot");
        let batch = |name: &str, looks: &str, stirs: &str| {
            let mut transaction = Transaction::new(&session, &*snapshot);
            let document = Document::parse(format!(r#"{{"resourceType":"Patient","id":"{name}"}}"#).as_bytes());
            transaction.put(&key(&format!("Patient/{name}")), document.expect("JSON")).expect("planned");
            transaction.claimed(looks.as_bytes()).expect("a value");
            transaction.stir(stirs.as_bytes().to_vec());
            transaction.batch().expect("a batch").0
        };
        let (first, second) = (batch("first", "b", "a"), batch("second", looks, stirs));
        let store = house.repository.store();
        store.commit(first).expect("the first");
        let lost = matches!(store.commit(second), Err(StoreError::Conflict(_)));
        assert_eq!(lost, is_lost, "{looks} {stirs}");
    }
}

/// A parameter and what it is to find are written at the same time, neither knowing of the other.
#[test]
fn what_is_written_beside_a_new_parameter_is_found_by_it() {
    let parameter = r#"{"resourceType":"SearchParameter","id":"eyes","url":"urn:eyes","name":"Eyes","status":"active","description":"d",
        "code":"eyes","base":["Patient"],"type":"token","expression":"Patient.extension('urn:eyes').value"}"#;
    let patient = r#"{"resourceType":"Patient","id":"p","extension":[{"url":"urn:eyes","valueCode":"blue"}]}"#;
    let observation = format!(
        r##"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"x"}},"contained":[{patient}],"subject":{{"reference":"#p"}}}}"##
    );
    let cases = [(patient, "Patient", "eyes=blue"), (&observation, "Observation", "subject:Patient.eyes=blue")];
    for (written, resource_type, query) in cases {
        let house = House::new();
        let session = house.session();
        let drafts = draft::all(&session, vec![put(parameter)]).expect("well-formed");
        let mut kept = Kept { fresh: vec![None], contents: vec![None] };
        let batch = {
            let snapshot = session.snapshot().expect("a snapshot");
            let plan = Plan::make(&session, &*snapshot, &drafts, &mut kept).expect("planned");
            plan.batch().expect("a batch").0
        };
        house.hold(&[written]);
        house.repository.store().commit(batch).expect("committed");
        while house.repository.index_batch().expect("a store that works") {}
        let found = house.search(resource_type, query).expect("a search");
        assert_eq!(found.matches.len(), 1, "{query}");
    }
}

#[test]
fn large_transactions_keep_order() {
    let house = House::new();
    let patient = |at: usize| {
        format!(r#"{{"resourceType":"Patient","id":"p{at}","identifier":[{{"system":"http://s","value":"{at}"}}]}}"#)
    };
    let count = 2_000;
    let changed =
        house.transact((0..count).map(|at| post_unless(&patient(at), &format!("identifier=http://s|{at}"))).collect());
    let changed = changed.expect("accepted");
    for (at, changed) in changed.iter().enumerate() {
        let text = text(changed.version.as_ref().expect("a version"));
        assert!(text.contains(&format!(r#""value":"{at}""#)), "{text}");
    }
    let again =
        house.transact((0..count).map(|at| post_unless(&patient(at), &format!("identifier=http://s|{at}"))).collect());
    assert!(again.expect("accepted").iter().all(|changed| changed.kind == ChangeKind::Existing));
}
