//! Compiled filters say the same as the oracle, over random consents, records and requesters.

use std::collections::BTreeMap;

use store::testing::Random;

use super::oracle::World;
use super::*;
use crate::consent::Elevation;

/// How many worlds are made; each judges every resource of its record.
const WORLDS: u64 = 120;

const PATIENTS: [&str; 4] = ["a", "b", "c", "d"];
const USERS: [&str; 3] = ["Practitioner/one", "Practitioner/two", "Organization/three"];
const PURPOSES: [&str; 6] = ["TREAT", "BTG", "HRESCH", "CLINTRCH", "HSYSADMIN", "PATRQT"];
const CODES: [&str; 3] = ["pulse", "mood", "weight"];

/// A random number of choices, mostly one.
fn some<'c>(random: &mut Random, choices: &[&'c str]) -> Vec<&'c str> {
    let count = if random.one_in(3) { 2 } else { 1 };
    (0..count).map(|_| *random.pick(choices)).collect()
}

fn day(random: &mut Random) -> String {
    format!("2026-01-{:02}", 1 + random.below(28))
}

fn days(random: &mut Random, name: &str) -> String {
    let mut days = [day(random), day(random)];
    days.sort();
    period(name, &days[0], &days[1])
}

/// A reference in a record's data.
fn any_key(random: &mut Random) -> String {
    let resource_type = *random.pick(&["Observation", "Condition", "Encounter", "Practitioner", "Patient"]);
    match resource_type {
        "Practitioner" => (*random.pick(&USERS[..2])).to_owned(),
        "Patient" => format!("Patient/{}", random.pick(&PATIENTS)),
        _ => format!("{resource_type}/{}", random.below(6)),
    }
}

fn random_actors(random: &mut Random) -> String {
    match random.below(8) {
        0 => r#""actor":[{"reference":{"display":"somebody"}}]"#.to_owned(),
        1 => r#""actor":[{"reference":{"identifier":{"system":"urn:ods","value":"A1"}}}]"#.to_owned(),
        2 => actors(&["Patient/a", "RelatedPerson/r"]),
        _ => actors(&some(random, &USERS)),
    }
}

fn random_provision(random: &mut Random, depth: u32) -> String {
    let effect = *random.pick(&["permit", "deny"]);
    let mut elements = Vec::new();
    let mut add = |random: &mut Random, once_in: u64, element: &dyn Fn(&mut Random) -> String| {
        if random.one_in(once_in) {
            elements.push(element(random));
        }
    };
    add(random, 2, &|random| purposes(&some(random, &PURPOSES)));
    add(random, 3, &random_actors);
    add(random, 4, &|random| labels(&some(random, &["N", "R", "PSY", "HIV"])));
    add(random, 6, &|random| {
        let class = |name: &str| format!(r#"{{"system":"http://hl7.org/fhir/resource-types","code":"{name}"}}"#);
        listed("class", some(random, &["Observation", "Condition", "Patient", "Encounter"]).into_iter().map(class))
    });
    add(random, 8, &|random| {
        let code = |code: &str| format!(r#"{{"coding":[{{"system":"urn:codes","code":"{code}"}}]}}"#);
        listed("code", some(random, &CODES).into_iter().map(code))
    });
    add(random, 5, &|random| days(random, "dataPeriod"));
    add(random, 5, &|random| {
        let meaning = *random.pick(&["instance", "related", "dependents", "authoredby", "unknown"]);
        let keys = [any_key(random), any_key(random)];
        data(meaning, &[&keys[0], &keys[1]])
    });
    add(random, 5, &|random| days(random, "period"));
    add(random, 25, &|_| r#""modifierExtension":[{"url":"urn:not"}]"#.to_owned());
    let count = if depth == 0 { 0 } else { random.below(3) };
    let exceptions: Vec<_> = (0..count).map(|_| random_provision(random, depth - 1)).collect();
    provision(effect, &elements.iter().map(String::as_str).collect::<Vec<_>>(), &exceptions)
}

fn random_consent(random: &mut Random, id: u64) -> String {
    let consent = consent(&format!("c{id}"), random.pick::<&str>(&PATIENTS[..3]), &random_provision(random, 3));
    match random.below(10) {
        0 => consent.replacen("patient-privacy", "research", 1),
        1 => consent.replacen("patient-privacy", "adr", 1),
        2 => consent.replacen(r#""status":"active""#, r#""status":"inactive""#, 1),
        3 => consent.replace("http://terminology.hl7.org", "https://terminology.hl7.org"),
        _ => consent,
    }
}

fn meta(random: &mut Random) -> String {
    let labels: Vec<_> =
        (0..random.below(3)).map(|_| label(random.pick::<&str>(&["N", "R", "V", "PSY", "HIV", "ETHUD"]))).collect();
    let updated = day(random);
    format!(r#""meta":{{"lastUpdated":"{updated}T10:00:00Z","security":[{}]}}"#, labels.join(","))
}

/// The record of all patients: each type six times.
fn random_record(random: &mut Random) -> Vec<Document> {
    let mut record = Vec::new();
    for id in 0..6 {
        let patient = *random.pick(&PATIENTS);
        let subject = match random.below(6) {
            0 => String::new(),
            _ => format!(r#""subject":{{"reference":"Patient/{patient}"}},"#),
        };
        let performer = match random.one_in(5) {
            true => format!("Patient/{}", random.pick(&PATIENTS)),
            false => (*random.pick(&USERS)).to_owned(),
        };
        let encounter = random.below(6);
        let code = *random.pick(&CODES);
        let code = format!(r#""code":{{"coding":[{{"system":"urn:codes","code":"{code}"}}]}}"#);
        let effective = match random.one_in(4) {
            true => String::new(),
            false => format!(r#","effectiveDateTime":"{}""#, day(random)),
        };
        let onset = match random.one_in(2) {
            true => String::new(),
            false => format!(r#","onsetDateTime":"{}""#, day(random)),
        };
        let mut add = |text: String| record.push(document(&text));
        add(format!(
            r#"{{"resourceType":"Observation","id":"{id}",{},"status":"final",{subject}{code},"performer":[{{"reference":"{performer}"}}],
            "encounter":{{"reference":"Encounter/{encounter}"}}{effective}}}"#,
            meta(random)
        ));
        add(format!(
            r#"{{"resourceType":"Condition","id":"{id}",{},"subject":{{"reference":"Patient/{patient}"}},{code},
            "asserter":{{"reference":"Practitioner/two"}},"recordedDate":"{}"{onset}}}"#,
            meta(random),
            day(random)
        ));
        let stay = match random.one_in(3) {
            true => String::new(),
            false => format!(",{}", days(random, "period")),
        };
        add(format!(
            r#"{{"resourceType":"Encounter","id":"{id}",{},"status":"finished","class":{{"code":"AMB"}},
            "subject":{{"reference":"Patient/{patient}"}}{stay}}}"#,
            meta(random)
        ));
        add(format!(
            r#"{{"resourceType":"Task","id":"{id}",{},"status":"draft","intent":"order","for":{{"reference":"Patient/{patient}"}},
            "requester":{{"reference":"{performer}"}},"authoredOn":"{}"}}"#,
            meta(random),
            day(random)
        ));
    }
    for patient in PATIENTS {
        let link = match random.one_in(5) {
            true => format!(
                r#","link":[{{"type":"seealso","other":{{"reference":"Patient/{}"}}}}]"#,
                random.pick(&PATIENTS)
            ),
            false => String::new(),
        };
        record.push(document(&format!(r#"{{"resourceType":"Patient","id":"{patient}",{}{link}}}"#, meta(random))));
    }
    record.push(document(r#"{"resourceType":"Practitioner","id":"one"}"#));
    record
}

fn random_requester(random: &mut Random, consents: u64) -> Requester {
    let user = *random.pick(&["Practitioner/one", "Practitioner/two", "Patient/a", "RelatedPerson/r"]);
    let mut requester = requester(&[user], &some(random, &PURPOSES));
    if random.one_in(2) {
        requester.organization = Some(key("Organization/three"));
    }
    if random.one_in(3) {
        requester.names.push(Name::Identifier { system: "urn:ods".to_owned(), value: "A1".to_owned() });
    }
    if random.one_in(2) || user == "RelatedPerson/r" {
        requester.patient = Some(key(if random.one_in(4) { "Patient/b" } else { "Patient/a" }));
        let count = random.below(3);
        requester.consents = (0..count).map(|_| key(&format!("Consent/c{}", random.below(consents)))).collect();
    }
    requester.custodian = random.one_in(30);
    requester
}

#[test]
fn filters_agree_with_the_oracle() {
    let registry = registry();
    let mut random = Random::new(5);
    let (mut seen, mut hidden) = (0, 0);
    for world in 0..WORLDS {
        let count = 1 + random.below(6);
        let consents: Vec<_> = (0..count).map(|id| random_consent(&mut random, id)).collect();
        let policies = policies(&consents.iter().map(String::as_str).collect::<Vec<_>>());
        let documents: Vec<_> = consents.iter().map(|consent| document(consent)).collect();
        let record = random_record(&mut random);
        let rows: Vec<_> = record.iter().map(|resource| rows(&registry, resource)).collect();
        for _ in 0..3 {
            let requester = random_requester(&mut random, count);
            let now = day(&mut random);
            let implicit =
                *random.pick(&[Implicit::Permit, Implicit::PermitNormal, Implicit::BreakGlassOnly, Implicit::Deny]);
            let user = key(random.pick::<&str>(&USERS));
            let elevation = Elevation { user, patient: key("Patient/a"), until: at(&day(&mut random)) };
            let elevations = if random.one_in(3) { vec![elevation] } else { Vec::new() };
            let oracle =
                World { consents: &documents, requester: &requester, now: &now, implicit, elevations: &elevations };
            let restrictions = policies.restrictions(&requester, at(&now), implicit, &elevations);
            let mut filters = BTreeMap::new();
            let mut hides = false;
            for (resource, rows) in record.iter().zip(&rows) {
                let resource_type = resource.root().resource_type().expect("a type");
                let filter = filters
                    .entry(resource_type)
                    .or_insert_with(|| restrictions.filter(&registry, resource_type))
                    .as_ref();
                let is_seen = filter.is_none_or(|filter| filter.accepts(rows));
                let told = || {
                    format!(
                        "{world}: {requester:?} {now} {implicit:?} {elevations:?} {} {consents:#?}",
                        resource.text()
                    )
                };
                assert_eq!(is_seen, oracle.sees(resource), "{}", told());
                hides |= !is_seen;
                if is_seen { seen += 1 } else { hidden += 1 }
            }
            let carriers = restrictions.filter(&registry, "Bundle");
            assert!(carriers.is_some() || !hides, "{world}: what may carry records is hidden with them");
        }
    }
    assert!(seen > 2_000 && hidden > 2_000, "{seen} seen, {hidden} hidden");
}
