//! Everything that can be asked for.

use super::dice::Dice;
use super::oracle::Asker;
use super::world::{TYPES, World};

/// The types of which the asker may ask.
fn types(asker: &Asker) -> Vec<&'static str> {
    let all = TYPES.iter().chain(&["Consent"]).copied();
    all.filter(|name| asker.types.as_ref().is_none_or(|types| types.contains(name))).collect()
}

/// Searches, reads with views, operations: what is compared word for word.
pub(super) fn plain(world: &World, asker: &Asker, dice: &mut Dice) -> Vec<String> {
    let types = types(asker);
    let listed = types.join(",");
    let patient = format!("p{}", dice.below(world.patients));
    let mut urls = Vec::new();
    for name in &types {
        urls.push(format!("/{name}?_total=accurate&_count={}", 1 + dice.below(9)));
        urls.push(format!("/{name}?_summary=count"));
        urls.push(format!(
            "/{name}?_total=estimate&_count=3&_sort={}",
            dice.of(&["_lastUpdated", "-_lastUpdated", "_id", "-_id"])
        ));
        urls.push(format!("/{name}?_security=PSY&_total=accurate"));
        urls.push(format!("/{name}?_security:not=R&_total=accurate"));
        urls.push(format!("/{name}?_lastUpdated=ge2027-03-02&_total=accurate"));
        let id = some_id(world, name, dice);
        urls.push(format!("/{name}?_id={id}&_total=accurate"));
        urls.push(format!("/{name}/{id}?_summary=true"));
        urls.push(format!("/{name}/{id}?_elements=identifier"));
        urls.push(format!("/{name}/{id}/$validate"));
        urls.push(format!("/{name}/{id}/$fhirpath?expression=descendants().resolve().id"));
    }
    let has = |name: &str| types.contains(&name);
    let mut of = |name: &str, all: &[&str]| {
        if has(name) {
            urls.extend(all.iter().map(|query| {
                format!("/{name}?{}", query.replace("PATIENT", &patient).replace(' ', "%20").replace('|', "%7C"))
            }));
        }
    };
    let letter = *dice.of(&["a", "b", "c"]);
    let number = dice.below(world.patients * 2);
    of(
        "Patient",
        &[
            "_has:Condition:patient:code=a&_total=accurate",
            "_has:Condition:asserter:code=b&_total=accurate",
            "_has:Observation:subject:_security=PSY&_total=accurate",
            "_has:Observation:patient:value-quantity=3&_total=accurate",
            "_has:Observation:subject:_has:Provenance:target:recorded=ge2027-02-01&_total=accurate",
            "_has:Encounter:subject:date=ge2027-02-01&_total=accurate",
            "_revinclude=Condition:subject&_revinclude=Observation:subject&_revinclude=Provenance:target&_count=2",
            "_revinclude:iterate=Provenance:target&_revinclude=Encounter:subject&_include=Patient:link&_include:iterate=Patient:organization",
            "link:Patient.family=Family0&_total=accurate",
            "_filter=family eq Family0 or family eq Family1&_total=accurate",
            "_sort=-birthdate&_count=2",
            "_sort=family&_total=accurate",
            "identifier=urn:nhs|N0&_total=accurate",
            "_has:Consent:patient:status=active&_total=accurate",
        ],
    );
    of(
        "Condition",
        &[
            &format!("code={letter}&_total=accurate&_sort=code"),
            "subject=Patient/PATIENT&_total=accurate&_include=*&_revinclude=Provenance:target&_revinclude=List:item",
            "_include=Condition:subject&_include:iterate=Patient:link&_count=4",
            "_include=Condition:encounter&_include:iterate=Encounter:participant&_count=4",
            "subject:Patient.family=Family0&_total=accurate",
            "asserter:Patient.birthdate=ge1950&_total=accurate",
            "encounter.date=ge2027-02-01&_total=accurate",
            "encounter.participant:Practitioner.family=Doctor0&_total=accurate",
            "_list=li0&_total=accurate",
            "_list=li1&_total=accurate",
            "_text=asthma&_total=accurate",
            "_content=fracture&_total=accurate&_count=3",
            "_filter=code eq a and (onset-date ge 2027-02-01 or asserter re Practitioner/dr0)&_total=accurate",
            "code:not=a&_total=accurate",
            "onset-date:missing=true&_total=accurate",
            "_sort=-onset-date&_count=3",
            "_sort=recorded-date,-_id&_count=4&_total=accurate",
            "_contained=both&code=a&_total=accurate",
            "_tag:missing=true&_summary=count",
            "patient.identifier=urn:nhs|N1&_total=accurate",
            &format!("encounter=Encounter/e{number}&_total=accurate"),
            &format!("encounter=e{number}&_total=accurate"),
            &format!("encounter:Encounter=e{number},none&_total=accurate"),
            &format!("_filter=encounter eq Encounter/e{number} or code eq a&_total=accurate"),
        ],
    );
    of(
        "Observation",
        &[
            "_sort=date&_count=2",
            "_sort=-date&_count=5&_total=accurate",
            "subject:Patient._has:Condition:subject:code=a&_total=accurate",
            "performer:Patient.family=Family1&_total=accurate",
            "performer:Practitioner.identifier=urn:gmc|G0&_include=*&_total=accurate",
            "encounter.subject:Patient.family=Family0&_total=accurate",
            "_revinclude=Provenance:target&_revinclude=Observation:*&_count=3",
            "value-quantity=gt2&_total=accurate",
            "_has:Provenance:target:agent=Practitioner/dr1&_total=accurate",
            "_content=penicillin&_sort=_id&_total=accurate",
            "combo-code=b&_total=accurate",
        ],
    );
    of(
        "Encounter",
        &[
            "_has:Condition:encounter:code=c&_total=accurate",
            "_revinclude=Observation:encounter&_revinclude=Condition:encounter&_revinclude:iterate=Provenance:target&_count=3",
            "participant:Practitioner.family=Doctor1&_sort=date&_total=accurate",
        ],
    );
    of(
        "Task",
        &[
            "focus:MedicationRequest.code=a&_total=accurate",
            "_include=Task:focus&_include=Task:patient&_include=Task:requester&_count=3",
            "requester=Patient/PATIENT&_total=accurate",
            &format!("focus=MedicationRequest/mr{number}&_total=accurate"),
            &format!("focus=mr{number}&_summary=count"),
        ],
    );
    of(
        "Practitioner",
        &[
            "_has:Encounter:participant:date=ge2027-02-01&_total=accurate",
            "_has:Observation:performer:code=a&_total=accurate",
            "_revinclude=Encounter:participant&_revinclude=MedicationRequest:requester&_count=1",
        ],
    );
    of(
        "Provenance",
        &[
            "target=Patient/PATIENT&_total=accurate",
            "target:Condition.code=a&_total=accurate",
            "_include=Provenance:target&_count=3",
            &format!("target=Condition/c{number}&_total=accurate"),
            "_include=*&_count=50",
        ],
    );
    of(
        "List",
        &[
            "item:Condition.code=b&_total=accurate",
            "_include=List:item&_count=3",
            "_include=*&_include:iterate=*&_count=2",
            &format!("item=Condition/c{number}&_total=accurate"),
            &format!("item=c{number}&_total=accurate"),
            &format!("item=Condition/c{number},Condition/c0&_total=accurate"),
        ],
    );
    of("Binary", &["_total=accurate", "_count=1"]);
    of("Appointment", &["actor=Patient/PATIENT&_total=accurate&_include=Appointment:actor", "_sort=-date&_count=3"]);
    of("Communication", &["sender:Patient.family=Family0&_total=accurate", "_content=penicillin&_total=accurate"]);
    of(
        "DocumentReference",
        &[
            "_revinclude=Binary:*&_revinclude=Provenance:*&_total=accurate",
            "author:Patient.family=Family1&_total=accurate",
        ],
    );
    of("Schedule", &["_include=Schedule:actor&_revinclude=Slot:schedule", "actor=Patient/p1&_total=accurate"]);
    of(
        "Consent",
        &[
            "patient=Patient/PATIENT&_total=accurate",
            "actor=Practitioner/dr0&_total=accurate",
            "data=Condition/c0&_total=accurate",
        ],
    );
    for within in ["Patient", "Practitioner", "Encounter", "RelatedPerson"] {
        let id = some_id(world, within, dice);
        for name in types.iter().filter(|_| true) {
            urls.push(format!("/{within}/{id}/{name}?_total=accurate&_count=20"));
        }
        urls.push(format!("/{within}/{id}/*?_type=Condition,Observation&_total=accurate"));
    }
    if has("Patient") {
        for query in [
            format!("_count={}", 1 + dice.below(9)),
            "start=2027-01-10&end=2027-02-10&_count=20".to_owned(),
            "_since=2027-03-02T00:00:00Z&_count=20".to_owned(),
            "_type=Patient,Observation,Practitioner&_count=4".to_owned(),
        ] {
            urls.push(format!("/Patient/{patient}/$everything?{query}"));
            // Whoever is limited to one patient gets that record, and the twin knows of nobody who asks.
            if !asker.is_limited {
                urls.push(format!("/Patient/$everything?{query}"));
            }
        }
    }
    urls.push(format!("/?_type={listed}&_total=accurate&_count=7"));
    urls.push(format!("/?_type={listed}&_summary=count"));
    urls.push(format!("/?_type={listed}&_security=HIV&_sort=-_lastUpdated&_count=5"));
    urls
}

/// What is exported.
pub(super) fn exports(asker: &Asker) -> Vec<String> {
    let types = types(asker);
    let mut urls = vec![format!("/$export?_type={}", types.join(","))];
    if types.contains(&"Patient") {
        urls.push("/Patient/$export".to_owned());
        urls.push("/Patient/$export?_type=Patient,Condition&_typeFilter=Condition%3Fcode%3Da".to_owned());
    }
    urls
}

/// Histories, at an hour before anybody has asked for anything: the audit's events come later.
pub(super) fn histories(world: &World, asker: &Asker, dice: &mut Dice) -> Vec<String> {
    let mut urls = Vec::new();
    for name in types(asker) {
        urls.push(format!("/{name}/_history?_count={}", 1 + dice.below(7)));
        urls.push(format!("/{name}/_history?_since=2027-03-02T00:00:00Z&_count=3"));
        for _ in 0..3 {
            let id = some_id(world, name, dice);
            urls.push(format!("/{name}/{id}/_history?_count={}", 1 + dice.below(2)));
        }
    }
    urls.push("/_history?_before=2027-03-04T12:00:00Z&_count=13".to_owned());
    urls.push("/_history?_before=2027-03-04T12:00:00Z&_count=100".to_owned());
    urls
}

/// The id of one of the world's resources of a type; at times one that there is not.
fn some_id(world: &World, name: &str, dice: &mut Dice) -> String {
    let all: Vec<_> = world.rounds[0].iter().filter_map(|(key, _)| key.strip_prefix(&format!("{name}/"))).collect();
    if all.is_empty() || dice.once_in(20) { "none".to_owned() } else { (*dice.of(&all)).to_owned() }
}
