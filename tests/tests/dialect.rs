use flint_tests::{Flint, Reply, example};
use serde_json::json;
use server::Dialect;

/// The surgery, with orders for p1 that name their patient in the ways of the prescription API: by reference, by identifier, and
/// by an NHS number where an id should be.
fn surgery(dialect: Dialect) -> Flint {
    let flint = Flint::start_with(|config| {
        config.dialect = dialect;
        config.load.push(example("seed-transaction.json"));
        config.references = server::References::Accept;
    });
    let number = json!({"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9000000009"});
    let patients = [
        ("t1", json!({"reference": "Patient/p1"})),
        ("t2", json!({"type": "Patient", "identifier": number})),
        ("t3", json!({"reference": "Patient/9000000009", "identifier": number})),
        ("t4", json!({"reference": "Patient/p2"})),
    ];
    for (id, patient) in patients {
        let task = json!({"resourceType": "Task", "id": id, "status": "requested", "intent": "order", "for": patient});
        flint.send(&format!("PUT /Task/{id}"), task).expect(201);
    }
    let consent = json!({"resourceType": "Consent", "id": "c1", "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"type": "Patient", "identifier": number}, "performer": [{"type": "Patient", "identifier": number}],
        "policyRule": {"text": "x"}});
    flint.send("PUT /Consent/c1", consent).expect(201);
    let appointment = json!({"resourceType": "Appointment", "id": "a1", "status": "proposed",
        "start": "2027-03-08T09:00:00Z", "end": "2027-03-08T09:10:00Z",
        "participant": [{"actor": {"reference": "Patient/p1"}, "status": "accepted"}]});
    flint.send("PUT /Appointment/a1", appointment).expect(201);
    flint
}

fn keys(reply: Reply, mode: &str) -> Vec<String> {
    let mut keys = reply.keys(mode);
    keys.sort();
    keys
}

/// What a client asks, the ids of the matches, and the self link's query without `_count`.
const SPOKEN: [(&str, &[&str], &str); 15] = [
    ("/Slot?_id=s0900&_include:recurse=Slot:schedule", &["s0900"], "_id=s0900&_include:iterate=Slot:schedule"),
    ("/Schedule?_id=sch1&_revinclude:recurse=Slot:schedule", &["sch1"], "_id=sch1&_revinclude:iterate=Slot:schedule"),
    (
        "/Slot?Schedule.actor:HealthcareService=svc1&start=2027-03-08T09:10:00Z",
        &["s0910"],
        "schedule.actor:HealthcareService=svc1&start=2027-03-08T09:10:00Z",
    ),
    (
        "/Slot?schedule.actor:HealthcareService=2000099901&start=2027-03-08T09:10:00Z",
        &["s0910"],
        "schedule.actor:HealthcareService=2000099901&start=2027-03-08T09:10:00Z",
    ),
    (
        "/Slot?Schedule.actor:HealthcareService=https://fhir.nhs.uk/Id/dos-service-id|2000099901&_id=s0910",
        &["s0910"],
        "schedule.actor:HealthcareService=https:*|2000099901&_id=s0910",
    ),
    ("/Slot?Schedule.actor:HealthcareService=2000099902", &[], "schedule.actor:HealthcareService=2000099902"),
    ("/Patient/p1/Appointment?start=ge2027-03-08&start=le2027-03-09", &["a1"], "date=ge2027-03-08&date=le2027-03-09"),
    (
        "/Slot?start=ge2027-03-08T09:00:00Z&end=le2027-03-08T09:20:00Z",
        &["s0900", "s0910"],
        "start=ge2027-03-08T09:00:00Z&end=le2027-03-08T09:20:00Z",
    ),
    (
        "/Consent?performer:identifier=9000000009",
        &["c1", "ndop", "organ", "share-app", "share-husband"],
        "performer:identifier=https:*nhs-number|9000000009",
    ),
    ("/Appointment?start=ge2027-03-09", &[], "date=ge2027-03-09"),
    (
        "/Slot?_id=s0900&searchFilter=https://fhir.nhs.uk/Id/ods-organization-code|A99901",
        &["s0900"],
        "_id=s0900&searchFilter=https:*|A99901",
    ),
    // Summer time: nine o'clock is eight in UTC.
    (
        "/Slot?status=free&start=ge2027-03-29T08:00:00Z&end=le2027-03-29T09:00:00Z",
        &["sBST"],
        "status=free&start=*&end=*",
    ),
    (
        "/Slot?status=free,busy&start=ge2027-03-29T08:00:00Z&start=le2027-03-29T09:00:00Z",
        &["sBST"],
        "status=free,busy&start=*",
    ),
    ("/Task?patient=9000000009", &["t1", "t2", "t3"], "patient=9000000009"),
    ("/Task?patient:identifier=9000000009", &["t1", "t2", "t3"], "patient:identifier=https:*nhs-number|9000000009"),
];

#[test]
fn understands_what_nhs_clients_send() {
    let flint = surgery(Dialect::Nhs);
    for (url, ids, link) in SPOKEN {
        let reply = flint.get(&url.replace('|', "%7C")).expect(200);
        let link = link.replace('|', "%7C");
        let path = url.split('?').next().unwrap_or_default();
        let reply = reply.facts(&[("/link/0/url", &format!("*{path}?{link}&_count=50"))]);
        let found: Vec<_> =
            keys(reply, "match").iter().map(|key| key.split('/').next_back().unwrap_or_default().to_owned()).collect();
        assert_eq!(found, ids, "{url}");
    }
    let included = keys(flint.get("/Slot?_id=s0900&_include:recurse=Slot:schedule").expect(200), "include");
    assert_eq!(included, ["Schedule/sch1"]);
    let proxy = "/Consent?performer:identifier=9000000009&_include=Consent:performer";
    assert_eq!(keys(flint.get(proxy).expect(200), "include"), ["Patient/p1"]);
    flint.get("/Slot?searchFilter=b").expect(400);
    flint.get("/Slot?Schedule.nothing=x").expect(400);
    for query in
        ["Patient?identifier=%|9434765918", "Task?patient:identifier=%|123", "Task?patient.identifier=%|9434765919,%|x"]
    {
        let query = query.replace('%', "https://fhir.nhs.uk/Id/nhs-number").replace('|', "%7C");
        flint
            .get(&format!("/{query}"))
            .expect(400)
            .facts(&[("/issue/0/code", "value"), ("/issue/0/details/coding/0/code", "INVALID_NHS_NUMBER")]);
    }
    flint.get("/Appointment?start=2013-13").expect(400).facts(&[("/issue/0/diagnostics", "*`date`*`2013-13`*")]);
}

#[test]
fn follows_its_own_links() {
    let flint = surgery(Dialect::Nhs);
    let first = flint.get("/Task?patient=9000000009&_count=2").expect(200).facts(&[("/total", "3")]);
    let next = first.link("next").expect("more");
    let all = [first.keys("match"), flint.get(&next).expect(200).keys("match")].concat();
    assert_eq!(all.len(), 3);
}

#[test]
fn refuses_or_takes_literally_what_r4_does_not_say() {
    let flint = surgery(Dialect::R4);
    let refused = [
        "/Slot?_include:recurse=Slot:schedule",
        "/Schedule?_revinclude:recurse=Slot:schedule",
        "/Slot?Schedule.actor:HealthcareService=svc1",
        "/Slot?schedule.actor:HealthcareService=https://fhir.nhs.uk/Id/dos-service-id%7C2000099901",
        "/Patient/p1/Appointment?start=ge2027-03-08",
        "/Slot?searchFilter=https://fhir.nhs.uk/Id/ods-organization-code%7CA99901",
    ];
    for url in refused {
        flint.get(url).expect(400).facts(&[("/resourceType", "OperationOutcome")]);
    }
    let literal = [
        ("/Slot?schedule.actor:HealthcareService=2000099901", &[][..]),
        ("/Task?patient=9000000009", &["Task/t3"]),
        ("/Task?patient:identifier=9000000009", &["Task/t2", "Task/t3"]),
        ("/Consent?performer:identifier=9000000009", &["Consent/c1"]),
        ("/Slot?end=le2027-03-08T09:10:00Z&start=ge2027-03-08", &["Slot/s0900"]),
    ];
    for (url, expected) in literal {
        assert_eq!(keys(flint.get(url).expect(200), "match"), expected, "{url}");
    }
}

#[test]
fn takes_one_patch_operation() {
    let operation = r#"{"op":"replace","path":"/status","value":"cancelled"}"#;
    let partial = r#"{"resourceType":"Task","status":"cancelled"}"#;
    let array = format!("[{operation}]");
    let cases = [
        (Dialect::Nhs, "json-patch+json", operation, 200),
        (Dialect::Nhs, "json-patch+json", &array, 200),
        (Dialect::Nhs, "json-patch+json", partial, 415),
        (Dialect::Nhs, "json-patch+json", r#"{"status":"cancelled"}"#, 400),
        (Dialect::Nhs, "json-patch+json", r#"{"op":"#, 400),
        (Dialect::Nhs, "fhir+json", partial, 415),
        (Dialect::R4, "json-patch+json", operation, 400),
        (Dialect::R4, "json-patch+json", &array, 200),
        (Dialect::R4, "json-patch+json", partial, 400),
        (Dialect::R4, "fhir+json", partial, 415),
    ];
    for dialect in [Dialect::Nhs, Dialect::R4] {
        let flint = surgery(dialect);
        for (_, kind, body, status) in cases.iter().filter(|case| case.0 == dialect) {
            let call = flint.call("PATCH /Task/t1").body(&format!("application/{kind}"), *body);
            let reply = call.send().expect(*status);
            if *status == 415 {
                reply.facts(&[("/issue/0/diagnostics", "*a PATCH with part of a resource is not served*")]);
            }
        }
    }
}
