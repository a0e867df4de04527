use flint_tests::Flint;
use serde_json::{Value, json};

/// Records that refer to each other in every way: by id, by canonical URL, inside a container, on a list.
fn filled() -> Flint {
    let flint = Flint::start();
    let put = |resource: Value| {
        let path = format!(
            "{}/{}",
            resource["resourceType"].as_str().expect("a type"),
            resource["id"].as_str().expect("an id")
        );
        flint.send(&format!("PUT /{path}"), resource).expect(201);
    };
    put(json!({"resourceType": "Patient", "id": "ann", "gender": "female", "name": [{"family": "Ash"}]}));
    put(json!({"resourceType": "Patient", "id": "ben", "gender": "male", "name": [{"family": "Birch"}]}));
    for (id, version) in [("q1", "1"), ("q2", "2")] {
        put(json!({"resourceType": "Questionnaire", "id": id, "status": "active", "title": format!("Mood {version}"),
            "url": "http://forms.example/mood", "version": version}));
    }
    for (id, canonical, patient) in
        [("r1", "http://forms.example/mood|1", "ann"), ("r", "http://forms.example/mood", "ben")]
    {
        put(
            json!({"resourceType": "QuestionnaireResponse", "id": id, "status": "completed", "questionnaire": canonical,
            "subject": {"reference": format!("Patient/{patient}")}}),
        );
    }
    put(json!({"resourceType": "MedicationRequest", "id": "own", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/ann"}, "medicationReference": {"reference": "#m"},
        "contained": [{"resourceType": "Medication", "id": "m", "code": {"coding": [{"code": "abc"}]}}]}));
    put(json!({"resourceType": "Observation", "id": "o", "status": "final", "code": {"coding": [{"code": "pulse"}]},
        "subject": {"reference": "Patient/ann/_history/1"}, "effectiveDateTime": "2027-02-01"}));
    put(json!({"resourceType": "List", "id": "mine", "status": "current", "mode": "working",
        "entry": [{"item": {"reference": "Patient/ben"}}, {"item": {"reference": "Observation/o"}}]}));
    flint
}

#[test]
fn follows_every_kind_of_reference() {
    let flint = filled();
    // The search, its matches, and what it includes.
    let cases: [(&str, &[&str], &[&str]); 21] = [
        ("QuestionnaireResponse?questionnaire.title=mood 1", &["r1", "r"], &[]),
        ("QuestionnaireResponse?questionnaire.title=mood 2", &["r"], &[]),
        ("QuestionnaireResponse?_id=r1&_include=QuestionnaireResponse:questionnaire", &["r1"], &["q1"]),
        ("QuestionnaireResponse?_id=r&_include=QuestionnaireResponse:*", &["r"], &["ben", "q1", "q2"]),
        ("Questionnaire?_id=q2&_revinclude=QuestionnaireResponse:questionnaire", &["q2"], &["r"]),
        ("Questionnaire?_has:QuestionnaireResponse:questionnaire:subject:Patient.gender=female", &["q1"], &[]),
        ("MedicationRequest?medication.code=abc", &["own"], &[]),
        ("MedicationRequest?medication.code=xyz", &[], &[]),
        ("Medication?code=abc", &[], &[]),
        // A reference to one version leads to the resource as it is now.
        ("Observation?subject:Patient.name=ash&_include=Observation:subject", &["o"], &["ann"]),
        ("Patient?_has:Observation:patient:code=pulse", &["ann"], &[]),
        ("Patient?_list=mine", &["ben"], &[]),
        ("Observation?_list=mine,other&subject:Patient._filter=gender eq female", &["o"], &[]),
        ("Patient?_list=other", &[], &[]),
        ("Observation?subject:Patient._list=mine", &[], &[]),
        ("Patient?_filter=name co \"ir\" or gender eq female", &["ann", "ben"], &[]),
        ("Patient?_filter=not(gender eq female)", &["ben"], &[]),
        ("Observation?_filter=subject:Patient[gender eq female].name sw as and date ge 2027", &["o"], &[]),
        ("Observation?_filter=subject:Patient[gender eq male].name sw as", &[], &[]),
        ("Patient?_filter=_has:Observation:patient:code eq pulse", &["ann"], &[]),
        ("?_type=Patient,Observation&_list=mine", &["ben", "o"], &[]),
    ];
    for (search, matches, included) in cases {
        let reply = flint.get(&format!("/{}", search.replace(' ', "%20").replace('"', "%22"))).expect(200);
        let ids = |mode| {
            let keys = reply.keys(mode).into_iter().map(|key| key.split_once('/').expect("a key").1.to_owned());
            let mut ids: Vec<_> = keys.collect();
            ids.sort();
            ids
        };
        let sorted = |ids: &[&str]| {
            let mut ids: Vec<_> = ids.iter().map(|id| (*id).to_owned()).collect();
            ids.sort();
            ids
        };
        assert_eq!((ids("match"), ids("include")), (sorted(matches), sorted(included)), "{search}");
    }
}

#[test]
fn refuses_what_it_does_not_serve() {
    let flint = filled();
    for (search, message) in [
        ("Patient?_query=mine", "this server has no named queries"),
        ("AllergyIntolerance?patient=ann&_list=$current-allergies", "this server keeps no functional lists"),
        ("Patient?_filter=gender%20is%20male", "operator `is` is unknown"),
        ("Patient?_filter=gender%20eq", "expected a value"),
        ("Patient?_count=1&_count=2", "parameter `_count` stands more than once"),
        ("Patient?_contained=yes", "parameter `_contained` has the value `yes`, expected `false`, `true` or `both`"),
    ] {
        let reply = flint.get(&format!("/{search}")).expect(400);
        reply.facts(&[("/issue/0/diagnostics", &format!("*{message}*"))]);
    }
}
