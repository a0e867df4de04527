//! Searches that take more than one `find`.

use store::Filter;

use crate::testing::House;
use crate::{Access, Acts, Counted, Permission, Requester, Rights, SearchPage};

/// A practice of two patients with their observations.
fn house() -> House {
    let house = House::new();
    let observation = |id: &str, patient: &str, code: &str, more: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"code":"{code}"}}]}},"subject":{{"reference":"Patient/{patient}"}}{more}}}"#
        )
    };
    house.hold(&[
        r#"{"resourceType":"Organization","id":"trust","name":"Trust"}"#,
        r#"{"resourceType":"Organization","id":"gp","name":"Surgery","partOf":{"reference":"Organization/trust"}}"#,
        r#"{"resourceType":"Practitioner","id":"doc","name":[{"family":"Young"}]}"#,
        r#"{"resourceType":"Patient","id":"ann","gender":"female","name":[{"family":"Ash"}],"managingOrganization":{"reference":"Organization/gp"}}"#,
        r#"{"resourceType":"Patient","id":"bob","gender":"male","name":[{"family":"Birch"}],"generalPractitioner":[{"reference":"Practitioner/doc"}]}"#,
        &observation("o1", "ann", "pulse", r#","performer":[{"reference":"Practitioner/doc"}]"#),
        &observation("o2", "ann", "weight", r#","hasMember":[{"reference":"Observation/o1"}]"#),
        &observation("o3", "bob", "pulse", ""),
    ]);
    house
}

fn ids(versions: &[store::Version]) -> String {
    let mut ids: Vec<_> = versions.iter().map(|version| version.key.id()).collect();
    ids.sort_unstable();
    ids.join(" ")
}

#[test]
fn joins_what_is_near() {
    let house = House::new();
    house.hold(&[
        r#"{"resourceType":"Location","id":"parliament","position":{"latitude":51.4995,"longitude":-0.1248}}"#,
        r#"{"resourceType":"Location","id":"louvre","position":{"latitude":48.8606,"longitude":2.3376}}"#,
        r#"{"resourceType":"HealthcareService","id":"clinic","location":[{"reference":"Location/parliament"}]}"#,
        r#"{"resourceType":"HealthcareService","id":"clinique","location":[{"reference":"Location/louvre"}]}"#,
    ]);
    let cases = [
        ("Location", "near=51.5081|-0.0759|4|km", "parliament"),
        ("Location", "near=51.5081|-0.0759|3|km", ""),
        ("Location", "near=51.5081|-0.0759|400", "louvre parliament"),
        ("Location", "near:missing=true", ""),
        ("HealthcareService", "location.near=51.5081|-0.0759|4", "clinic"),
        ("HealthcareService", "location.near=48.9|2.3|10", "clinique"),
    ];
    for (resource_type, query, expected) in cases {
        let page = house.search(resource_type, query).unwrap_or_else(|outcome| panic!("{query}: {outcome}"));
        assert_eq!(ids(&page.matches), expected, "{query}");
    }
}

#[test]
fn joins_and_includes() {
    let house = house();
    // Type, query, ids of the matches, ids of what is included.
    let cases = [
        ("Observation", "subject:Patient.name=ash", "o1 o2", ""),
        ("Observation", "patient.gender=male", "o3", ""),
        ("Observation", "patient.gender=male&code=weight", "", ""),
        ("Observation", "subject:Patient.organization.name=surgery", "o1 o2", ""),
        ("Observation", "subject:Patient.organization.partof.name=trust", "o1 o2", ""),
        ("Observation", "subject:Patient.organization.name=none", "", ""),
        ("Observation", "has-member.code=pulse", "o2", ""),
        ("Patient", "_has:Observation:patient:code=weight", "ann", ""),
        ("Patient", "_has:Observation:patient:code=pulse", "ann bob", ""),
        ("Patient", "_has:Observation:patient:code=pulse&gender=male", "bob", ""),
        ("Patient", "_has:Observation:patient:performer.name=young", "ann", ""),
        ("Patient", "_has:Observation:patient:code=none", "", ""),
        ("Organization", "_has:Patient:organization:_has:Observation:patient:code=weight", "gp", ""),
        ("Observation", "code=pulse&_include=Observation:subject", "o1 o3", "ann bob"),
        ("Observation", "_id=o1&_include=Observation:performer&_include=Observation:subject", "o1", "ann doc"),
        ("Observation", "_id=o1&_include=Observation:*", "o1", "ann doc"),
        ("Observation", "_id=o1&_include=Observation:subject:Group", "o1", ""),
        ("Observation", "_id=o1,o2&_include=Observation:has-member", "o1 o2", ""),
        ("Observation", "_id=o2&_include=Observation:has-member", "o2", "o1"),
        ("Observation", "_id=o2&_include=Observation:subject&_include:iterate=Patient:organization", "o2", "ann gp"),
        (
            "Observation",
            "_id=o2&_include=Observation:subject&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
            "o2",
            "ann gp trust",
        ),
        ("Patient", "_id=ann&_revinclude=Observation:patient", "ann", "o1 o2"),
        ("Patient", "_id=ann&_include=Patient:organization&_revinclude=Observation:patient", "ann", "gp o1 o2"),
        (
            "Organization",
            "_id=gp&_revinclude=Patient:organization&_revinclude:iterate=Observation:patient",
            "gp",
            "ann o1 o2",
        ),
        ("Patient", "_id=ann&_include=Patient:general-practitioner", "ann", ""),
    ];
    for (resource_type, query, matches, included) in cases {
        let page = house.search(resource_type, query).unwrap_or_else(|outcome| panic!("{query}: {outcome}"));
        assert_eq!((ids(&page.matches).as_str(), ids(&page.included).as_str()), (matches, included), "{query}");
        assert_eq!(page.total, Some(Counted::exactly(page.matches.len() as u64)), "{query}");
        assert!(!page.includes_cut && page.rows > 0 || matches.is_empty(), "{query}");
    }
}

#[test]
fn cuts_includes_at_the_limit() {
    let house = House::new();
    let max = super::include::INCLUDES_MAX;
    let observations = |from: usize, to: usize| {
        let one = |at| {
            format!(
                r#"{{"resourceType":"Observation","id":"o{at}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/ann"}}}}"#
            )
        };
        (from..to).map(one).collect::<Vec<_>>()
    };
    house.hold(&[r#"{"resourceType":"Patient","id":"ann"}"#]);
    let found = |house: &House| -> SearchPage {
        house.search("Patient", "_id=ann&_revinclude=Observation:patient").expect("found")
    };
    house.hold(&observations(0, max).iter().map(String::as_str).collect::<Vec<_>>());
    let page = found(&house);
    assert_eq!((page.included.len(), page.includes_cut), (max, false));
    house.hold(&observations(max, max + 1).iter().map(String::as_str).collect::<Vec<_>>());
    let page = found(&house);
    assert_eq!((page.included.len(), page.includes_cut), (max, true));
}

#[test]
fn joins_many_on_both_sides() {
    let house = House::new();
    const MANY: usize = 1_500;
    // Each is linked to itself and to the next, so that a join has this many on both sides.
    let patient = |at: usize| {
        let (gender, next) = (if at.is_multiple_of(3) { "male" } else { "female" }, (at + 1) % MANY);
        format!(
            r#"{{"resourceType":"Patient","id":"p{at}","gender":"{gender}","link":[{{"other":{{"reference":"Patient/p{at}"}},"type":"seealso"}},
                {{"other":{{"reference":"Patient/p{next}"}},"type":"seealso"}}]}}"#
        )
    };
    let patients: Vec<_> = (0..MANY).map(patient).collect();
    for chunk in patients.chunks(crate::CHANGES_MAX) {
        house.hold(&chunk.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let cases = [
        ("link:Patient.gender=female", MANY * 2 / 3 + MANY / 3),
        ("link:Patient.gender=male", MANY * 2 / 3),
        ("link:Patient.gender=male&gender=female", MANY / 3),
        ("_has:Patient:link:gender=male", MANY * 2 / 3),
        ("_has:Patient:link:gender=male&gender=male", MANY / 3),
        ("_has:Patient:link:link:Patient.gender=male&_id=p1,p2,p3", 3),
        ("link:Patient.gender=other", 0),
    ];
    for (query, count) in cases {
        let page = house.search("Patient", query).unwrap_or_else(|outcome| panic!("{query}: {outcome}"));
        assert_eq!(page.total.map(|total| total.count), Some(count as u64), "{query}");
        assert_eq!(page.matches.len(), count.min(100), "{query}");
    }
}

/// Forms by their canonical URLs, in two versions, and what was filled in.
fn forms() -> House {
    let house = House::new();
    let form = |id: &str, version: &str, title: &str| {
        format!(
            r#"{{"resourceType":"Questionnaire","id":"{id}","status":"active","url":"http://forms.example/phq","version":"{version}","title":"{title}"}}"#
        )
    };
    let response = |id: &str, canonical: &str| {
        format!(
            r#"{{"resourceType":"QuestionnaireResponse","id":"{id}","status":"completed","questionnaire":"{canonical}"}}"#
        )
    };
    house.hold(&[
        &form("q1", "1", "Mood"),
        &form("q2", "2", "Mood again"),
        r#"{"resourceType":"Questionnaire","id":"q3","status":"draft","url":"http://forms.example/gad","title":"Fear"}"#,
        &response("r1", "http://forms.example/phq|1"),
        &response("r2", "http://forms.example/phq|2"),
        &response("r", "http://forms.example/phq"),
        &response("r3", "http://forms.example/gad"),
        &response("r4", "http://forms.example/gad|9"),
    ]);
    house
}

#[test]
fn follows_canonicals() {
    let house = forms();
    let cases = [
        ("QuestionnaireResponse", "questionnaire.title=mood again", "r r2", ""),
        ("QuestionnaireResponse", "questionnaire.title=mood", "r r1 r2", ""),
        ("QuestionnaireResponse", "questionnaire:Questionnaire.status=draft", "r3", ""),
        ("Questionnaire", "_has:QuestionnaireResponse:questionnaire:status=completed", "q1 q2 q3", ""),
        ("Questionnaire", "_has:QuestionnaireResponse:questionnaire:_id=r1", "q1", ""),
        ("Questionnaire", "_has:QuestionnaireResponse:questionnaire:_id=r", "q1 q2", ""),
        ("Questionnaire", "_has:QuestionnaireResponse:questionnaire:_id=r4", "", ""),
        ("QuestionnaireResponse", "_id=r1&_include=QuestionnaireResponse:questionnaire", "r1", "q1"),
        ("QuestionnaireResponse", "_id=r&_include=QuestionnaireResponse:questionnaire", "r", "q1 q2"),
        ("QuestionnaireResponse", "_id=r4&_include=QuestionnaireResponse:*", "r4", ""),
        ("QuestionnaireResponse", "_id=r3&_include=QuestionnaireResponse:*", "r3", "q3"),
        ("Questionnaire", "_id=q1&_revinclude=QuestionnaireResponse:questionnaire", "q1", "r r1"),
        ("Questionnaire", "_id=q3&_revinclude=QuestionnaireResponse:*", "q3", "r3"),
    ];
    check(&house, &cases);
}

#[test]
fn chains_into_what_is_contained() {
    let house = House::new();
    house.hold(&[
        r##"{"resourceType":"MedicationRequest","id":"own","status":"active","intent":"order","subject":{"reference":"#p"},
            "contained":[{"resourceType":"Medication","id":"m","code":{"text":"Sleeping draught"},"ingredient":[{"itemCodeableConcept":{"coding":[{"code":"abc"}]}}],
                "manufacturer":{"reference":"#o"}},{"resourceType":"Organization","id":"o","name":"Acme"},
                {"resourceType":"Patient","id":"p","gender":"female","generalPractitioner":[{"reference":"Practitioner/doc"}]}],
            "medicationReference":{"reference":"#m"}}"##,
        r#"{"resourceType":"Practitioner","id":"doc","name":[{"family":"Young"}]}"#,
        r#"{"resourceType":"Medication","id":"m","ingredient":[{"itemCodeableConcept":{"coding":[{"code":"xyz"}]}}]}"#,
        r#"{"resourceType":"Patient","id":"ann","gender":"male"}"#,
        r#"{"resourceType":"MedicationRequest","id":"other","status":"active","intent":"order","subject":{"reference":"Patient/ann"},
            "medicationReference":{"reference":"Medication/m"}}"#,
    ]);
    let cases = [
        ("MedicationRequest", "medication.ingredient-code=abc", "own", ""),
        ("MedicationRequest", "medication.ingredient-code=xyz", "other", ""),
        ("MedicationRequest", "medication.ingredient-code=abc,xyz", "other own", ""),
        ("MedicationRequest", "medication.ingredient-code:not=abc", "other", ""),
        ("MedicationRequest", "medication.manufacturer:Organization.name=acme", "own", ""),
        ("MedicationRequest", "medication.manufacturer.name=other", "", ""),
        ("MedicationRequest", "medication.manufacturer:missing=true", "other", ""),
        ("MedicationRequest", "medication.code:text=sleeping", "own", ""),
        ("MedicationRequest", "medication._content=draught", "own", ""),
        ("MedicationRequest", "medication._content=draft", "", ""),
        ("MedicationRequest", "patient.gender=female", "own", ""),
        ("MedicationRequest", "patient:missing=false", "other own", ""),
        ("MedicationRequest", "subject:Patient.general-practitioner:Practitioner.name=young", "own", ""),
        ("MedicationRequest", "subject:Group.code=x", "", ""),
        ("Medication", "ingredient-code=abc", "", ""),
        ("Medication", "ingredient-code=xyz", "m", ""),
    ];
    check(&house, &cases);
}

#[test]
fn finds_what_is_contained() {
    let house = House::new();
    house.hold(&[
        r#"{"resourceType":"Organization","id":"trust","name":"Trust"}"#,
        r#"{"resourceType":"Patient","id":"own","name":[{"family":"Ash"}]}"#,
        r##"{"resourceType":"Observation","id":"two","status":"final","code":{"text":"x"},"subject":{"reference":"#a"},
            "contained":[{"resourceType":"Patient","id":"a","name":[{"family":"Ash"}],"managingOrganization":{"reference":"#o"},
                "link":[{"other":{"reference":"#b"},"type":"seealso"}]},
            {"resourceType":"Patient","id":"b","gender":"male","name":[{"family":"Ash"}]},
            {"resourceType":"Organization","id":"o","name":"Hill"}]}"##,
        r##"{"resourceType":"Condition","id":"one","subject":{"reference":"#a"},"contained":[{"resourceType":"Patient","id":"a",
            "name":[{"family":"Ashley"}],"managingOrganization":{"reference":"Organization/trust"}}]}"##,
        // One that contains its like, and matches as well.
        r##"{"resourceType":"Patient","id":"like","name":[{"family":"Ash"}],"link":[{"other":{"reference":"#a"},"type":"seealso"}],
            "contained":[{"resourceType":"Patient","id":"a","gender":"other","name":[{"family":"Ash"}]}]}"##,
    ]);
    // Query, its matches with their containers, and those that stand alone.
    let cases = [
        ("name=ash", "like own", ""),
        ("name=ash&_contained=true", "like one two", ""),
        ("name=ash&_contained=both", "like one own two", ""),
        ("name=ash&_contained=true&_containedType=contained", "", "one#a two#a two#b like#a"),
        ("name=ash&_contained=both&_containedType=contained", "like own", "one#a two#a two#b like#a"),
        ("name=ash&_containedType=contained", "like own", ""),
        ("gender:missing=true&_contained=true&_containedType=contained", "", "one#a two#a"),
        ("organization.name=trust&_contained=true", "one", ""),
        ("organization.name=hill&_contained=true", "two", ""),
        ("link:Patient.gender=male&_contained=true&_containedType=contained", "", "two#a"),
        ("_has:Observation:patient:status=final&_contained=true", "", ""),
        ("name=birch&_contained=true", "", ""),
    ];
    for (query, matches, alone) in cases {
        let page = house.search("Patient", query).unwrap_or_else(|outcome| panic!("{query}: {outcome}"));
        assert_eq!((ids(&page.matches), insides(&page)), (matches.to_owned(), sorted(alone)), "{query}");
        assert!(page.next.is_none(), "{query}");
        assert!(page.total.is_none() || !query.contains("_contained="), "{query}");
    }
}

/// Who may not see a container learns nothing of what it contains.
#[test]
fn what_is_contained_is_hidden_with_its_container() {
    let house = House::new();
    let observation = |id: &str, family: &str| {
        format!(
            r##"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"#a"}},
                "contained":[{{"resourceType":"Patient","id":"a","name":[{{"family":"{family}"}}]}}]}}"##
        )
    };
    house.hold(&[
        &observation("shown", "Ash"),
        &observation("hidden", "Ash"),
        r##"{"resourceType":"Condition","id":"c","subject":{"reference":"#a"},"contained":[{"resourceType":"Patient","id":"a",
            "name":[{"family":"Ash"}]}]}"##,
    ]);
    let registry = house.repository.registry();
    let shown = registry.identity(&crate::testing::key("Observation/shown"));
    let rights = |only: Option<Filter>| {
        let permission = only.map_or(Permission::Whole, Permission::Only);
        Rights::default().with(Acts::SEE, &permission)
    };
    let access = Access::limited(
        [("Patient", rights(None)), ("Observation", rights(Some(shown.clone())))],
        Requester::default(),
    );
    for contained in ["true", "both"] {
        for (kind, matches, alone) in [("container", "shown", ""), ("contained", "", "shown#a")] {
            let query = format!("name=ash&_contained={contained}&_containedType={kind}&_explain=true");
            let page = house.search_as(access.clone(), "Patient", &query).expect("found");
            assert_eq!((ids(&page.matches).as_str(), insides(&page)), (matches, sorted(alone)), "{query}");
            assert!(page.next.is_none() && page.total.is_none(), "{query}");
            let digits = |step: &String| step.contains(|letter: char| letter.is_ascii_digit());
            assert!(!page.plan.iter().any(digits), "{:?}", page.plan);
        }
    }
    let only_observations = Access::limited([("Observation", rights(None))], Requester::default());
    assert!(house.search_as(only_observations, "Patient", "_contained=true").is_err());
}

/// Containers and ids of what stands alone.
fn insides(page: &SearchPage) -> Vec<String> {
    let insides = page.contained.iter().map(|contained| format!("{}#{}", contained.container.id(), contained.id));
    let mut insides: Vec<_> = insides.collect();
    insides.sort();
    insides
}

fn sorted(names: &str) -> Vec<String> {
    let mut names: Vec<_> = names.split_whitespace().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn includes_whatever_refers_to_the_matches() {
    let house = house();
    let cases = [
        ("Patient", "_id=ann&_revinclude=*", "ann", "o1 o2"),
        ("Patient", "_revinclude=*", "ann bob", "o1 o2 o3"),
        ("Organization", "_id=trust&_revinclude=*", "trust", "gp"),
        ("Organization", "_id=trust&_revinclude:iterate=*", "trust", "ann gp o1 o2"),
        ("Practitioner", "_revinclude=*&_include=*", "doc", "bob o1"),
    ];
    check(&house, &cases);
    check(&forms(), &[("Questionnaire", "_id=q1&_revinclude=*", "q1", "r r1")]);
    let rights = |only: Option<Filter>| {
        let permission = only.map_or(Permission::Whole, Permission::Only);
        Rights::default().with(Acts::SEE, &permission)
    };
    let first = house.repository.registry().identity(&crate::testing::key("Observation/o1"));
    let access =
        Access::limited([("Patient", rights(None)), ("Observation", rights(Some(first)))], Requester::default());
    let page = house.search_as(access, "Patient", "_revinclude=*").expect("found");
    assert_eq!((ids(&page.matches).as_str(), ids(&page.included).as_str()), ("ann bob", "o1"));
}

/// Type, query, ids of the matches, ids of what is included.
fn check(house: &House, cases: &[(&str, &str, &str, &str)]) {
    for (resource_type, query, matches, included) in cases {
        let page = house.search(resource_type, query).unwrap_or_else(|outcome| panic!("{query}: {outcome}"));
        assert_eq!((ids(&page.matches).as_str(), ids(&page.included).as_str()), (*matches, *included), "{query}");
    }
}
