//! Each path by which a datum can leave, for those who may see some of them.

use fhir::IssueType::{BadRequest, Forbidden, NotFound};

use super::*;
use crate::testing::*;
use fhir::Library;

use crate::{Change, ChangeKind, Counted, History, HistoryScope, Session};

/// The records of two patients.
fn house() -> House {
    let house = House::new();
    let observation = |id: &str, patient: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"code":"pulse"}}]}},"subject":{{"reference":"Patient/{patient}"}},"performer":[{{"reference":"Practitioner/doc"}}]}}"#
        )
    };
    house.hold(&[
        r#"{"resourceType":"Practitioner","id":"doc","name":[{"family":"Young"}]}"#,
        r#"{"resourceType":"Patient","id":"ann","name":[{"family":"Ash"}]}"#,
        r#"{"resourceType":"Patient","id":"bob","name":[{"family":"Birch"}]}"#,
        &observation("o-ann", "ann"),
        &observation("o-bob", "bob"),
    ]);
    house
}

/// Ann, through an app that may see and write her observations and herself.
fn ann(house: &House) -> Access {
    within(house, "ann", &[("Patient", EVERY), ("Observation", EVERY), ("Group", Acts::SEE)])
}

/// Everything that can be done.
const EVERY: Acts = Acts::SEE.and(Act::Create).and(Act::Update).and(Act::Delete);

/// What these permits give in a patient's compartment.
fn within(house: &House, patient: &str, permits: &[(&'static str, Acts)]) -> Access {
    let permit = |(resource_type, acts): &(&'static str, Acts)| Permit {
        of_patient: true,
        resource_type: Some(resource_type),
        acts: *acts,
        parameters: Vec::new(),
    };
    let permits: Vec<_> = permits.iter().map(permit).collect();
    let requester = Requester { patient: Key::new("Patient", patient), ..Requester::default() };
    house.repository.grant(&permits, requester).expect("permits that can be understood")
}

#[test]
fn searches_show_what_is_granted() {
    let house = house();
    // Type, query, ids of matches and of what is included.
    let cases = [
        ("Patient", "", "ann", ""),
        ("Patient", "_id=bob", "", ""),
        ("Observation", "code=pulse", "o-ann", ""),
        ("Observation", "subject:Patient.name=birch", "", ""),
        ("Observation", "subject:Patient.name=ash", "o-ann", ""),
        ("Observation", "performer:Practitioner.name=young", "", ""),
        ("Patient", "_has:Observation:patient:code=pulse", "ann", ""),
        ("Observation", "_include=Observation:*", "o-ann", "ann"),
        ("Patient", "_revinclude=Observation:patient", "ann", "o-ann"),
    ];
    for (resource_type, query, matches, included) in cases {
        let page = house.search_as(ann(&house), resource_type, query).expect(query);
        let ids = |versions: &[store::Version]| {
            versions.iter().map(|version| version.key.id().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((ids(&page.matches).as_str(), ids(&page.included).as_str()), (matches, included), "{query}");
        assert_eq!(page.total, Some(Counted::exactly(page.matches.len() as u64)), "{query}");
    }
    let refused = house.search_as(ann(&house), "Practitioner", "").expect_err("refused");
    assert_eq!(refused.issues[0].code, Forbidden);
}

/// What is looked at on the way to an answer is more than is shown.
#[test]
fn plans_are_for_those_who_see_everything() {
    let house = house();
    let plan = |access| {
        let page =
            house.search_as(access, "Observation", "code=pulse&subject:Patient.name=ash&_include=*&_explain=true");
        page.expect("found").plan.join("; ")
    };
    let (whole, limited) = (plan(Access::full()), plan(ann(&house)));
    for text in ["search: ", "by a value of `Observation.", "intersect", "2 resources"] {
        assert!(whole.contains(text), "{text}: {whole}");
    }
    assert_eq!(limited, "what a search did is told only to who may see everything");
}

#[test]
fn reads_show_what_is_granted() {
    let house = house();
    let session = || house.repository.open(ann(&house));
    let history = |scope| {
        let history = History { scope, since: None, before: None, after: None, limit: 100, total: true };
        let page = session().history(&history);
        page.map(|page| (page.versions.len(), page.total)).map_err(|outcome| outcome.issues[0].code)
    };
    for (of, code) in [("Patient/bob", NotFound), ("Observation/o-bob", NotFound), ("Practitioner/doc", Forbidden)] {
        assert_eq!(session().read(&key(of)).expect_err(of).issues[0].code, code, "{of}");
        assert_eq!(session().vread(&key(of), "1").expect_err(of).issues[0].code, code, "{of}");
        assert_eq!(history(HistoryScope::Document(key(of))), Err(code), "{of}");
    }
    for of in ["Patient/ann", "Observation/o-ann"] {
        assert!(session().read(&key(of)).is_ok() && session().vread(&key(of), "1").is_ok(), "{of}");
        assert_eq!(history(HistoryScope::Document(key(of))), Ok((1, None)), "{of}");
    }
    assert_eq!(history(HistoryScope::Collection("Observation".to_owned())), Ok((1, None)));
    assert_eq!(history(HistoryScope::Collection("Practitioner".to_owned())), Err(Forbidden));
    assert_eq!(history(HistoryScope::All), Ok((2, None)));
}

#[test]
fn writes_only_what_is_granted() {
    let house = house();
    let change = |change: Change| house.repository.open(ann(&house)).transact(vec![change]);
    let observation = |patient: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
        )
    };
    let refused = [
        (put(r#"{"resourceType":"Patient","id":"bob"}"#), NotFound),
        (put(r#"{"resourceType":"Patient","id":"none"}"#), NotFound),
        (put(r#"{"resourceType":"Practitioner","id":"doc"}"#), Forbidden),
        (put(r#"{"resourceType":"Group","id":"g","type":"person","actual":true}"#), Forbidden),
        (post(&observation("bob")), Forbidden),
        (post(&observation("none")), Forbidden),
        (delete("Practitioner/doc"), Forbidden),
        (patch("Patient/bob", "[]"), NotFound),
        (patch("Patient/none", "[]"), NotFound),
        (if_version(patch("Patient/bob", "[]"), "7"), NotFound),
        (
            patch("Observation/o-ann", r#"[{"op":"replace","path":"/subject/reference","value":"Patient/bob"}]"#),
            Forbidden,
        ),
        (put_at("Practitioner?name=young", r#"{"resourceType":"Practitioner"}"#), Forbidden),
        (put_at("Patient?name=birch", r#"{"resourceType":"Patient","id":"bob"}"#), BadRequest),
        (put_at("Patient?name=birch", r#"{"resourceType":"Patient","id":"none"}"#), BadRequest),
    ];
    for (wrong, code) in refused {
        let shown = format!("{wrong:?}");
        let refusal = change(wrong).expect_err(&shown);
        assert_eq!(refusal.outcome.issues[0].code, code, "{shown}");
    }
    let accepted = [
        (put(r#"{"resourceType":"Patient","id":"ann","active":true}"#), ChangeKind::Updated),
        (post(&observation("ann")), ChangeKind::Created),
        (post_unless(&observation("ann"), "code=pulse"), ChangeKind::Existing),
        (delete("Observation?patient=bob"), ChangeKind::NothingToDelete),
        (delete("Observation/o-bob"), ChangeKind::NothingToDelete),
        (delete("Observation/none"), ChangeKind::NothingToDelete),
        (delete("Observation/o-ann"), ChangeKind::Deleted),
    ];
    for (right, kind) in accepted {
        let shown = format!("{right:?}");
        assert_eq!(change(right).expect(&shown)[0].kind, kind, "{shown}");
    }
    assert!(house.session().read(&key("Observation/o-bob")).is_ok());
}

/// Pages of a history are as full for her as if nothing else were there, and the last has no next one.
#[test]
fn histories_have_no_gaps() {
    let house = house();
    let version = |id: &str, patient: &str, status: &str| {
        put(&format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"{status}","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
        ))
    };
    for (id, patient, status) in [
        ("1", "ann", "final"),
        ("2", "bob", "final"),
        ("3", "bob", "final"),
        ("1", "ann", "amended"),
        ("4", "ann", "final"),
        ("2", "bob", "amended"),
    ] {
        house.change(version(id, patient, status)).expect("written");
    }
    house.change(delete("Observation/4")).expect("deleted");
    house.change(delete("Observation/3")).expect("deleted");
    let access = ann(&house);
    for (limit, expected) in [
        (1, "4/2|4/1|1/2|1/1|o-ann/1"),
        (2, "4/2 4/1|1/2 1/1|o-ann/1"),
        (3, "4/2 4/1 1/2|1/1 o-ann/1"),
        (5, "4/2 4/1 1/2 1/1 o-ann/1"),
        (9, "4/2 4/1 1/2 1/1 o-ann/1"),
    ] {
        let mut pages = Vec::new();
        let mut after = None;
        loop {
            let scope = HistoryScope::Collection("Observation".to_owned());
            let history = History { scope, since: None, before: None, after, limit, total: true };
            let page = house.repository.open(access.clone()).history(&history).expect("a page");
            assert_eq!(page.total, None);
            let shown = page.versions.iter().map(|version| format!("{}/{}", version.key.id(), version.version));
            pages.push(shown.collect::<Vec<_>>().join(" "));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(pages.join("|"), expected, "{limit}");
    }
}

/// A deletion is told to whom the resource was shown, and a version only where the current one is shown too.
#[test]
fn versions_are_shown_with_what_is_current() {
    let house = house();
    house.change(delete("Observation/o-ann")).expect("deleted");
    house.change(delete("Observation/o-bob")).expect("deleted");
    let observation = |patient: &str| {
        put(&format!(
            r#"{{"resourceType":"Observation","id":"moved","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
        ))
    };
    for patient in ["bob", "ann"] {
        house.change(observation(patient)).expect("written");
    }
    let access = ann(&house);
    let session = || house.repository.open(access.clone());
    let code = |outcome: Outcome| outcome.issues[0].code;
    let seen = |of: &str, version: &str| session().vread(&key(of), version).map(drop).map_err(code);
    assert_eq!(session().read(&key("Observation/o-ann")).map(drop).map_err(code), Err(IssueType::Deleted));
    assert_eq!(session().read(&key("Observation/o-bob")).map(drop).map_err(code), Err(NotFound));
    assert_eq!(seen("Observation/o-ann", "1"), Ok(()));
    assert_eq!(seen("Observation/o-ann", "2"), Err(IssueType::Deleted));
    assert_eq!(seen("Observation/o-bob", "1"), Err(NotFound));
    assert_eq!((seen("Observation/moved", "1"), seen("Observation/moved", "2")), (Err(NotFound), Ok(())));
    house.change(observation("bob")).expect("written");
    assert_eq!((seen("Observation/moved", "2"), seen("Observation/moved", "3")), (Err(NotFound), Err(NotFound)));
}

/// Types are open, closed or within the patient's compartment, whatever the app was granted.
#[test]
fn permits_reach_what_is_about_the_patient() {
    let house = house();
    let everything = Permit { of_patient: true, resource_type: None, acts: EVERY, parameters: Vec::new() };
    let requester = || Requester { patient: Key::new("Patient", "ann"), ..Requester::default() };
    let access = house.repository.grant(std::slice::from_ref(&everything), requester()).expect("an access");
    let may = |act, resource_type: &str| access.permit(act, resource_type).is_ok();
    // Type, and whether it may be seen and written.
    for (resource_type, seen, written) in [
        ("Observation", true, true),
        ("Task", true, true),
        ("Slot", true, false),
        ("Schedule", true, false),
        ("Practitioner", true, false),
        ("ValueSet", true, false),
        ("Bundle", false, false),
        ("Binary", true, true),
        ("AuditEvent", true, false),
    ] {
        assert_eq!((may(Act::Read, resource_type), may(Act::Search, resource_type)), (seen, seen), "{resource_type}");
        for act in [Act::Create, Act::Update, Act::Delete] {
            assert_eq!(may(act, resource_type), written, "{resource_type}");
        }
    }
    let parameters = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    for (name, value, understood) in
        [("code", "pulse", true), ("subject.name", "ash", false), ("colour", "red", false), ("_sort", "date", false)]
    {
        let permit =
            Permit { resource_type: Some("Observation"), parameters: parameters(name, value), ..everything.clone() };
        assert_eq!(house.repository.grant(&[permit], requester()).is_ok(), understood, "{name}");
    }
    let narrow = |value| Permit {
        resource_type: Some("Observation"),
        acts: EVERY,
        parameters: parameters("code", value),
        of_patient: true,
    };
    for (value, expected) in [("pulse", 1), ("weight", 0)] {
        let access = house.repository.grant(&[narrow(value)], requester()).expect("an access");
        assert_eq!(house.search_as(access, "Observation", "").expect("found").matches.len(), expected, "{value}");
    }
}

/// Whatever is shown or written is accounted for to each patient whose record it is, and to nobody else.
#[test]
fn what_is_shown_and_written_is_accounted_for() {
    let house = house();
    let staff = Permit { of_patient: false, resource_type: None, acts: EVERY, parameters: Vec::new() };
    let requester = Requester { client: "app".to_owned(), ..Requester::default() };
    let access = house.repository.grant(&[staff], requester).expect("an access");
    let events = |patient: &str| {
        house.repository.ledger().settle(None).expect("settled");
        let query = if patient.is_empty() { String::new() } else { format!("patient={patient}") };
        house.search("AuditEvent", &query).expect("found").matches.len()
    };
    let counts = || [events("ann"), events("bob"), events("")];
    let read = |of: &'static str| move |session: &Session<'_>| drop(session.read(&key(of)));
    let search = |of: &'static str, query: &'static str| {
        let house = &house;
        move |session: &Session<'_>| drop(house.search_in(session, of, query).expect(query))
    };
    let history = |session: &Session<'_>| {
        let scope = HistoryScope::Collection("Observation".to_owned());
        let history = History { scope, since: None, before: None, after: None, limit: 1, total: true };
        drop(session.history(&history).expect("a page"));
    };
    let change = |change: fn() -> Change| move |session: &Session<'_>| drop(session.transact(vec![change()]));
    let observation = || {
        put(
            r#"{"resourceType":"Observation","id":"o-ann","status":"amended","code":{"text":"x"},"subject":{"reference":"Patient/ann"}}"#,
        )
    };
    // What is done, and whether Ann, Bob and anybody get an event more.
    type Case<'a> = (&'a str, Box<dyn Fn(&Session<'_>) + 'a>, [bool; 3]);
    let cases: [Case<'_>; 14] = [
        ("reads Ann", Box::new(read("Patient/ann")), [true, false, true]),
        ("reads Bob's", Box::new(read("Observation/o-bob")), [false, true, true]),
        ("reads a doctor", Box::new(read("Practitioner/doc")), [false, false, false]),
        ("reads nothing", Box::new(read("Patient/none")), [false, false, false]),
        ("finds both", Box::new(search("Observation", "code=pulse")), [true, true, true]),
        ("includes", Box::new(search("Observation", "patient=ann&_include=Observation:patient")), [true, false, true]),
        (
            "includes in reverse",
            Box::new(search("Practitioner", "_revinclude=Observation:performer")),
            [true, true, true],
        ),
        ("follows", Box::new(search("Practitioner", "_has:Observation:performer:patient=ann")), [false, false, false]),
        ("finds nothing", Box::new(search("Observation", "code=none")), [false, false, true]),
        ("resolves", Box::new(|session| drop(session.library().resource("Patient/bob"))), [false, true, true]),
        ("goes through versions", Box::new(history), [false, true, true]),
        ("updates", Box::new(change(observation)), [true, false, true]),
        ("updates nothing", Box::new(change(observation)), [false, false, false]),
        ("deletes", Box::new(change(|| delete("Observation/o-bob"))), [false, true, true]),
    ];
    let mut before = counts();
    for (name, act, expected) in cases {
        let session = house.repository.open(access.clone());
        act(&session);
        if let Some(ticket) = session.account() {
            ticket.wait().expect("durable");
        }
        let after = counts();
        let more = [0, 1, 2].map(|at| after[at] > before[at]);
        assert_eq!(more, expected, "{name}: {before:?} {after:?}");
        before = after;
    }
    house.session().read(&key("Patient/ann")).expect("read");
    assert!(house.session().account().is_none());
    assert_eq!(counts(), before);
}

/// What concerns the whole server is for the record keeper's own systems alone, and not even they rewrite the account.
#[test]
fn only_the_record_keepers_systems_may_do_everything() {
    let house = house();
    let everything = || Permit { of_patient: false, resource_type: None, acts: EVERY, parameters: Vec::new() };
    let custodian = || Requester { custodian: true, ..Requester::default() };
    let cases = [
        (everything(), custodian(), true),
        (everything(), Requester::default(), false),
        (everything(), Requester { user: Key::new("Practitioner", "doc"), ..custodian() }, false),
        (Permit { acts: Acts::SEE, ..everything() }, custodian(), false),
        (Permit { resource_type: Some("Patient"), ..everything() }, custodian(), false),
        (Permit { of_patient: true, ..everything() }, custodian(), false),
    ];
    for (permit, requester, expected) in cases {
        let shown = format!("{permit:?} {requester:?}");
        let access = house.repository.grant(&[permit], requester).expect("an access");
        assert_eq!(house.repository.open(access.clone()).permit_everything().is_ok(), expected, "{shown}");
        for act in [Act::Update, Act::Delete] {
            assert!(access.permit(act, "AuditEvent").is_err(), "{shown}");
        }
    }
}

/// A Provenance is about what it targets, a Binary about what its security context names.
#[test]
fn follows_what_resources_are_about() {
    let house = house();
    let provenance = |id: &str, target: &str| {
        format!(
            r#"{{"resourceType":"Provenance","id":"{id}","target":[{{"reference":"{target}"}}],"recorded":"2027-03-01T09:00:00Z","agent":[{{"who":{{"reference":"Practitioner/doc"}}}}]}}"#
        )
    };
    let binary = |id: &str, context: &str| {
        format!(
            r#"{{"resourceType":"Binary","id":"{id}","contentType":"text/plain","securityContext":{{"reference":"{context}"}}}}"#
        )
    };
    house.hold(&[
        &provenance("of-ann", "Patient/ann"),
        &provenance("of-hers", "Observation/o-ann"),
        &provenance("of-a-version", "Observation/o-ann/_history/1"),
        &provenance("of-his", "Observation/o-bob"),
        &binary("of-ann", "Patient/ann"),
        &binary("of-hers", "Observation/o-ann"),
        &binary("of-his", "Observation/o-bob"),
        r#"{"resourceType":"Binary","id":"of-nobody","contentType":"text/plain"}"#,
    ]);
    let access = within(&house, "ann", &[("Provenance", EVERY), ("Binary", EVERY)]);
    for (resource_type, expected) in [("Provenance", "of-ann of-hers of-a-version"), ("Binary", "of-ann of-hers")] {
        let page = house.search_as(access.clone(), resource_type, "").expect("found");
        let ids: Vec<_> = page.matches.iter().map(|version| version.key.id()).collect();
        assert_eq!(ids.join(" "), expected, "{resource_type}");
        for id in ["of-ann", "of-hers", "of-his", "of-nobody"] {
            let read = house.repository.open(access.clone()).read(&key(&format!("{resource_type}/{id}")));
            assert_eq!(read.is_ok(), expected.contains(id), "{resource_type} {id}");
        }
    }
    let post = |resource: &str| house.repository.open(access.clone()).transact(vec![post(resource)]);
    for (resource, accepted) in [
        (binary("x", "Patient/ann"), true),
        (binary("x", "Observation/o-ann"), true),
        (binary("x", "Observation/o-bob"), false),
        (binary("x", "Patient/bob"), false),
        (provenance("x", "Patient/ann"), true),
    ] {
        assert_eq!(post(&resource).is_ok(), accepted, "{resource}");
    }
}
