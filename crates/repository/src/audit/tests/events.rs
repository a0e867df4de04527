//! Records as AuditEvents: a table of accounts and what becomes of them.

use fhir::json::Document;
use fhir::validate::validate;
use fhir::{Definitions, Severity};

use super::*;
use crate::audit::{DATA_MAX, QUERY_MAX};
use crate::testing::text;

fn events(house: &House) -> Vec<String> {
    house.repository.ledger().settle(None).expect("settled");
    house.events_of("_sort=_id").iter().map(text).collect()
}

/// The AuditEvents of one account, one after another.
fn made(account: &Account<'_>) -> Vec<String> {
    let house = House::new();
    assert_eq!(house.repository.ledger().append(&[*account]).wait(), Ok(()));
    events(&house)
}

/// What a reader of the table wants to see of an AuditEvent, a line for each element.
fn summary(event: &str) -> String {
    let document = Document::parse(event.as_bytes()).expect("JSON");
    let root = document.root();
    let string = |node: fhir::json::Node<'_>, path: &[&str]| {
        node.path(path).and_then(|node| node.as_str().map(|text| text.into_owned())).unwrap_or_default()
    };
    let code = |node: fhir::json::Node<'_>, name: &str| {
        let coded =
            node.get(name).map(|node| node.get("coding").map_or(node, |coding| coding.items().next().expect("one")));
        coded.map_or(String::new(), |node| string(node, &["code"]))
    };
    let mut lines = vec![format!(
        "{} {} {}",
        string(root, &["action"]),
        string(root, &["outcome"]),
        string(root, &["outcomeDesc"])
    )];
    let profile =
        root.path(&["meta", "profile"]).and_then(|profiles| profiles.items().next()).and_then(|url| url.as_str());
    lines.push(profile.map_or(String::new(), |url| url.rsplit('.').next().expect("a name").to_owned()));
    lines.push(
        root.get("subtype")
            .expect("there")
            .items()
            .map(|subtype| string(subtype, &["code"]))
            .collect::<Vec<_>>()
            .join(" "),
    );
    for agent in root.get("agent").expect("there").items() {
        let role = agent.get("role").and_then(|roles| roles.items().next()).map_or(String::new(), |role| {
            string(role.get("coding").expect("there").items().next().expect("one"), &["code"])
        });
        let who = [string(agent, &["who", "reference"]), string(agent, &["who", "display"])].concat();
        lines.push(format!("agent {} {role} {who} {}", code(agent, "type"), string(agent, &["network", "address"])));
    }
    for entity in root.get("entity").into_iter().flat_map(|entities| entities.items()) {
        let what = [string(entity, &["what", "reference"]), string(entity, &["what", "identifier", "value"])].concat();
        let query = string(entity, &["query"]);
        lines.push(format!(
            "entity {} {} {what}{query}{}",
            code(entity, "type"),
            code(entity, "role"),
            string(entity, &["description"])
        ));
    }
    lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("; ")
}

#[test]
fn tells_what_happened() {
    let (nurse, own, proxy) = (staff(), view("Patient/ann", "Patient/ann"), view("RelatedPerson/mum", "Patient/ann"));
    let other = view("Patient/bob", "Patient/ann");
    let system = Requester { client: "lab".to_owned(), ..Requester::default() };
    let nobody = Requester::default();
    let one = [about(Some("Patient/ann"), &[("Observation/o", 3)])];
    let two = [
        about(Some("Patient/ann"), &[("Observation/o", 3), ("Observation/p", 1)]),
        about(Some("Patient/bob"), &[("Observation/q", 2)]),
    ];
    let slots = [about(None, &[("Slot/s", 1)])];
    let consent = [about(Some("Patient/ann"), &[("Consent/c", 1)])];
    let nothing = [about(Some("Patient/ann"), &[])];
    let asked = [about(Some("Patient/ann"), &[("Observation/o", 0)])];
    let cases: Vec<(&str, Account<'_>, Vec<&str>)> = vec![
        (
            "own read",
            account(Act::Read, &own, &one),
            vec![
                "R 0; PatientRead; read; agent IRCP Patient/ann; agent 110152 Ward round 192.0.2.7; agent 110153 http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity 2 4 Observation/o/_history/3; entity XrequestId r-1",
            ],
        ),
        (
            "proxy",
            account(Act::Vread, &proxy, &one),
            vec![
                "R 0; PatientRead; vread; agent IRCP PRS RelatedPerson/mum; agent 110152 Ward round 192.0.2.7; agent 110153 http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity 2 4 Observation/o/_history/3; entity XrequestId r-1",
            ],
        ),
        (
            "a proxy who is a patient here",
            account(Act::Read, &other, &one),
            vec![
                "R 0; PatientRead; read; agent IRCP PRS Patient/bob; agent 110152 Ward round 192.0.2.7; agent 110153 http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity 2 4 Observation/o/_history/3; entity XrequestId r-1",
            ],
        ),
        (
            "own search",
            Account { query: "Observation?code=1", ..account(Act::SearchType, &own, &one) },
            vec![
                "E 0; PatientQuery; search-type; agent IRCP Patient/ann; agent 110153 Ward round 192.0.2.7; agent 110152 http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity 2 24 T2JzZXJ2YXRpb24/Y29kZT0x; entity Observation 4 Observation/o/_history/3; entity XrequestId r-1",
            ],
        ),
        (
            "own search without a match",
            Account { query: "Observation?code=1", ..account(Act::SearchType, &own, &[]) },
            vec![
                "E 0; PatientQuery; search-type; agent IRCP Patient/ann; agent 110153 Ward round 192.0.2.7; agent 110152 http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity 2 24 T2JzZXJ2YXRpb24/Y29kZT0x; entity XrequestId r-1",
            ],
        ),
        // Patient?name=b: who reads of it does not learn whom else it was about.
        (
            "staff search",
            Account { query: "Patient?name=b", ..account(Act::SearchType, &nurse, &two) },
            vec![
                "E 0; Query; search-type; agent IRCP Practitioner/joy; agent PROV Organization/surgery; agent 110153 Ward round 192.0.2.7; agent 110152 http://localhost/fhir http://localhost/fhir; entity 2 24 UGF0aWVudD9uYW1lPWI=; entity XrequestId r-1",
                "E 0; PatientQuery; search-type; agent IRCP Practitioner/joy; agent PROV Organization/surgery; agent 110153 Ward round 192.0.2.7; agent 110152 http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity 2 24 UGF0aWVudD9uYW1lPQ==; entity Observation 4 Observation/o/_history/3; entity Observation 4 Observation/p/_history/1; entity XrequestId r-1",
                "E 0; PatientQuery; search-type; agent IRCP Practitioner/joy; agent PROV Organization/surgery; agent 110153 Ward round 192.0.2.7; agent 110152 http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/bob; entity 2 24 UGF0aWVudD9uYW1lPQ==; entity Observation 4 Observation/q/_history/2; entity XrequestId r-1",
            ],
        ),
        (
            "system",
            Account { query: "Slot?status=free", ..account(Act::SearchType, &system, &slots) },
            vec![
                "E 0; Query; search-type; agent 110153 lab 192.0.2.7; agent 110152 http://localhost/fhir http://localhost/fhir; entity 2 24 U2xvdD9zdGF0dXM9ZnJlZQ==; entity Slot 4 Slot/s/_history/1; entity XrequestId r-1",
            ],
        ),
        (
            "create",
            account(Act::Create, &nurse, &one),
            vec![
                "C 0; PatientCreate; create; agent AUT Practitioner/joy; agent PROV Organization/surgery; agent 110153 Ward round 192.0.2.7; agent 110152 http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity 2 4 Observation/o/_history/3; entity XrequestId r-1",
            ],
        ),
        (
            "patch",
            account(Act::Patch, &system, &slots),
            vec![
                "U 0; Update; patch; agent 110153 lab 192.0.2.7; agent 110152 http://localhost/fhir http://localhost/fhir; entity 2 4 Slot/s/_history/1; entity XrequestId r-1",
            ],
        ),
        (
            "delete",
            Account { request: "", peer: None, ..account(Act::Delete, &nobody, &one) },
            vec![
                "D 0; PatientDelete; delete; agent 110150 a command on the server's machine localhost; agent custodian http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity 2 4 Observation/o/_history/3",
            ],
        ),
        (
            "refused read",
            Account { ending: Ending::Refused, note: "there is no \"x\"", ..account(Act::Read, &own, &asked) },
            vec![
                "R 4 there is no \"x\"; ; read; agent IRCP Patient/ann; agent 110152 Ward round 192.0.2.7; agent 110153 http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity 2 4 Observation/o; entity XrequestId r-1",
            ],
        ),
        (
            "operation",
            Account {
                operation: "$everything",
                query: "Patient/ann/$everything",
                ..account(Act::Operation, &nurse, &one)
            },
            vec![
                "E 0; ; operation $everything; agent IRCP Practitioner/joy; agent PROV Organization/surgery; agent 110153 Ward round 192.0.2.7; agent 110152 http://localhost/fhir http://localhost/fhir; entity 2 24 UGF0aWVudC9hbm4vJGV2ZXJ5dGhpbmc=; entity XrequestId r-1",
                "E 0; ; operation $everything; agent IRCP Practitioner/joy; agent PROV Organization/surgery; agent 110153 Ward round 192.0.2.7; agent 110152 http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity 2 24 UGF0aWVudC8qLyRldmVyeXRoaW5n; entity Observation 4 Observation/o/_history/3; entity XrequestId r-1",
            ],
        ),
        (
            "sign-in refused",
            Account { ending: Ending::Refused, note: "the password is wrong", ..account(Act::SignIn, &nobody, &[]) },
            vec![
                "E 4 the password is wrong; ; 110122; agent 110150 not identified 192.0.2.7; agent authserver http://localhost/fhir http://localhost/fhir; entity XrequestId r-1",
            ],
        ),
        (
            "grant",
            account(Act::Authorize, &own, &consent),
            vec![
                "E 0; ; AuthZ-Consent; agent IRCP Patient/ann; agent 110150 Ward round 192.0.2.7; agent authserver http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity Consent 4 Consent/c/_history/1; entity XrequestId r-1",
            ],
        ),
        (
            "break-glass",
            Account { note: "unconscious", ..account(Act::BreakGlass, &nurse, &nothing) },
            vec![
                "E 0; ; 110127; agent IRCP Practitioner/joy; agent PROV Organization/surgery; agent 110150 Ward round 192.0.2.7; agent authserver http://localhost/fhir http://localhost/fhir; entity 1 1 Patient/ann; entity XrequestId r-1",
            ],
        ),
    ];
    for (what, account, expected) in cases {
        let events = made(&account);
        let summaries: Vec<_> = events.iter().map(|event| summary(event)).collect();
        assert_eq!(summaries, expected, "{what}");
    }
}

/// Every act and ending, with all that an account can hold, and with nothing.
#[test]
fn are_valid() {
    let house = House::new();
    let odd = Requester {
        client: "\"<é>\n".to_owned(),
        client_name: "x".repeat(300),
        ..view("RelatedPerson/mum", "Patient/ann")
    };
    let nobody = Requester::default();
    let subjects = [about(Some("Patient/ann"), &[("Observation/o", 3)]), about(None, &[("Slot/s", 0), ("Slot/t", 1)])];
    let mut accounts = Vec::new();
    for act in Act::ALL {
        for ending in [Ending::Success, Ending::Refused, Ending::Failed] {
            accounts.push(Account {
                ending,
                operation: "$everything",
                note: "\"\u{1f512}\"",
                query: "Observation?code=%22",
                peer: Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()),
                ..account(*act, &odd, &subjects)
            });
            accounts.push(Account { ending, request: "", peer: None, ..account(*act, &nobody, &[]) });
        }
    }
    assert_eq!(house.repository.ledger().append(&accounts).wait(), Ok(()));
    house.repository.ledger().settle(None).expect("settled");
    let page = house.repository.store().snapshot().expect("a snapshot").documents("AuditEvent", None, 1000);
    let events = page.expect("a page").versions;
    assert_eq!(events.len(), accounts.len() / 2 * 3);
    for event in events {
        let body = event.body.expect("a body");
        let document = Document::parse(&body).expect("JSON");
        let issues = validate(Definitions::r4(), &document);
        let errors: Vec<_> = issues.iter().filter(|issue| issue.severity <= Severity::Warning).collect();
        assert!(errors.is_empty(), "{errors:?}: {}", document.text());
    }
}

#[test]
fn keep_within_bounds() {
    let long: Vec<_> = (0..=DATA_MAX).map(|at| Datum { key: key(&format!("Observation/{at}")), version: 1 }).collect();
    let subjects = |data: &[Datum]| [Subject { patient: Some(key("Patient/ann")), data: data.to_vec() }];
    let (own, query) = (view("Patient/ann", "Patient/ann"), format!("Observation?code={}", "x".repeat(QUERY_MAX)));
    let of = |data: &[Datum], query: &str| {
        let subjects = subjects(data);
        let events = made(&Account { query, ..account(Act::SearchType, &own, &subjects) });
        let document = Document::parse(events[0].as_bytes()).expect("JSON");
        let entities = document.root().get("entity").expect("there").items().count();
        (entities, events[0].contains("1 more resources"), events[0].len())
    };
    let all = of(&long[1..], "Observation");
    assert_eq!((all.0, all.1), (DATA_MAX + 3, false));
    let more = of(&long, "Observation");
    assert_eq!((more.0, more.1), (DATA_MAX + 4, true));
    assert!(of(&[], &query).2 < 4 * QUERY_MAX);
}

#[test]
fn are_found_by_every_parameter() {
    let house = House::new();
    let subjects = [about(Some("Patient/ann"), &[("Observation/o", 3)])];
    let mum = Requester { organization: staff().organization, ..view("RelatedPerson/mum", "Patient/ann") };
    let accounts = [account(Act::Read, &mum, &subjects)];
    assert_eq!(house.repository.ledger().append(&accounts).wait(), Ok(()));
    house.repository.ledger().settle(None).expect("settled");
    let queries = [
        "action=R",
        "address=192.0.2",
        "agent=RelatedPerson/mum",
        "agent=Organization/surgery",
        "agent-name=ward",
        "agent-role=PRS",
        "date=2027-03-01",
        "entity=Observation/o",
        "entity=Patient/ann",
        "entity-role=4",
        "entity-type=2",
        "outcome=0",
        "patient=ann",
        "patient=Patient/ann",
        "subtype=http://hl7.org/fhir/restful-interaction|read",
        "type=rest",
        "_profile=https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead",
        "_tag=ledger",
        "_lastUpdated=2027-03-01",
        "_id=audit-000000000001-00000",
        "_content=ward",
    ];
    for query in queries {
        assert_eq!(house.events_of(query).len(), 1, "{query}");
    }
    for query in ["patient=bob", "action=C", "agent=Practitioner/jay", "entity=Observation/p"] {
        assert_eq!(house.events_of(query).len(), 0, "{query}");
    }
}
