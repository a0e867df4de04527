//! Every interaction and every operation, asked by everybody.
//!
//! The rows are checked against the server's own lists, so that what is new and has no row fails.

use std::collections::BTreeSet;
use std::time::Duration;

use flint_tests::{Call, Guarded, Reply};
use server::{ON_SYSTEM, ON_TYPES};
use services::{OPERATIONS, Operation};

use super::callers::{BLIND, CALLERS, end_consents, holder, keeper, refused};

/// What is asked. `{id}` is that of a Condition in p1's record, made for this one request, whose identifier has the id as value.
struct Row {
    /// The interaction's code, or what [`names`] makes of an operation.
    covers: &'static str,
    /// Method and URL, and a header after ` ; `.
    line: &'static str,
    body: &'static str,
    /// By [`CALLERS`]. For a batch those of its entry.
    statuses: [u16; 13],
}

const fn row(covers: &'static str, line: &'static str, body: &'static str, statuses: [u16; 13]) -> Row {
    Row { covers, line, body, statuses }
}

const CONDITION: &str = r#"{"resourceType":"Condition","id":"{id}",{content}}"#;
const NEW: &str = r#"{"resourceType":"Condition",{content}}"#;
const CONTENT: &str = r#""identifier":[{"system":"urn:t","value":"{id}"}],"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"code":{"text":"a cold"},"subject":{"reference":"Patient/p1"}{label}"#;
const LABEL: &str =
    r#","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]}"#;
const PATCH: &str = r#"[{"op":"add","path":"/recordedDate","value":"2027-02-02"}]"#;
/// The entries of batches and transactions, by the name that a row has for them: `batch get`.
const ENTRIES: [(&str, &str); 6] = [
    ("get", r#"{"request":{"method":"GET","url":"Condition/{id}"}}"#),
    ("find", r#"{"request":{"method":"GET","url":"Condition?identifier=urn:t|{id}&_total=accurate"}}"#),
    ("post", r#"{"resource":{new},"request":{"method":"POST","url":"Condition"}}"#),
    ("put", r#"{"resource":{condition},"request":{"method":"PUT","url":"Condition/{id}"}}"#),
    ("delete", r#"{"request":{"method":"DELETE","url":"Condition/{id}"}}"#),
    (
        "match",
        r#"{"resource":{new},"request":{"method":"POST","url":"Condition","ifNoneExist":"identifier=urn:t|{id}"}}"#,
    ),
];
const QUESTION: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{condition}},{"name":"mode","valueCode":"update"}]}"#;
const NO_TIME: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"appointment-reference","valueReference":{"reference":"Appointment/slot-none"}}]}"#;
const NONE: &str = r#"{"resourceType":"Parameters"}"#;
const FORM: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"questionnaire","resource":{"resourceType":"Questionnaire","url":"urn:f","status":"active","item":[{"linkId":"a","type":"string"}]}}]}"#;
/// A form that shows a condition.
const FORM_ABOUT: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"questionnaire","resource":{"resourceType":"Questionnaire","url":"urn:f","status":"active","extension":[{"url":"http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-launchContext","extension":[{"url":"name","valueCoding":{"code":"it"}},{"url":"type","valueCode":"Condition"}]}],"item":[{"linkId":"a","type":"string","extension":[{"url":"http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-initialExpression","valueExpression":{"language":"text/fhirpath","expression":"%it.code.text"}}]}]}},{"name":"context","part":[{"name":"name","valueString":"it"},{"name":"content","valueReference":{"reference":"Condition/{id}"}}]}]}"#;
const ANSWERS: &str = r#"{"resourceType":"QuestionnaireResponse",{answered}}"#;
const ANSWERED: &str = r##""status":"completed","questionnaire":"#f","contained":[{"resourceType":"Questionnaire","id":"f","status":"active","item":[{"linkId":"a","type":"integer","code":[{"code":"a"}],"extension":[{"url":"http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract","valueBoolean":true}]}]}],"subject":{"reference":"Patient/p1"},"item":[{"linkId":"a","answer":[{"valueInteger":1}]}]"##;
/// A referral of a patient who is not known before.
const MESSAGE: &str = r#"{"resourceType":"Bundle","id":"{id}","type":"message","entry":[{"fullUrl":"urn:uuid:a","resource":{"resourceType":"MessageHeader","eventCoding":{"system":"https://fhir.nhs.uk/CodeSystem/message-events-bars","code":"servicerequest-request"},"destination":[{"endpoint":"https://fhir.nhs.uk/Id/dos-service-id|2000099901"}],"source":{"endpoint":"urn:x"},"reason":{"coding":[{"system":"https://fhir.nhs.uk/CodeSystem/message-reason-bars","code":"new"}]},"focus":[{"reference":"urn:uuid:b"}]}},{"fullUrl":"urn:uuid:b","resource":{"resourceType":"ServiceRequest","status":"active","intent":"plan","subject":{"reference":"urn:uuid:c"}}},{"fullUrl":"urn:uuid:c","resource":{"resourceType":"Patient","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9476719931"}]}}]}"#;
const REASON: &str =
    r#"{"resourceType":"Parameters","parameter":[{"name":"reason","valueString":"found unconscious"}]}"#;

/// For whom nothing is hidden but by scope, as definitions and places are.
const OPEN: [u16; 13] = [403, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200];
const ALL: [u16; 13] = [200; 13];
const SEEN: [u16; 13] = [403, 404, 404, 404, 200, 200, 200, 404, 200, 200, 200, 404, 200];
/// Of the patient's record as a whole, whatever is hidden in it.
const RECORD: [u16; 13] = [403, 404, 200, 404, 200, 200, 200, 404, 200, 200, 200, 404, 200];
const CHANGED: [u16; 13] = [403, 404, 404, 404, 200, 200, 200, 404, 200, 403, 200, 404, 200];
const GONE: [u16; 13] = [403, 204, 204, 204, 204, 204, 204, 204, 204, 403, 204, 204, 204];
/// Whoever does not see the patient may not refer to the patient: 422.
const MADE: [u16; 13] = [403, 403, 201, 403, 201, 201, 201, 403, 201, 403, 201, 422, 201];
/// What is hidden from who may write is not found, and made anew.
const MADE_OR_FOUND: [u16; 13] = [403, 403, 201, 403, 200, 200, 200, 403, 200, 403, 200, 422, 200];
const STALE: [u16; 13] = [403, 404, 404, 404, 412, 412, 412, 404, 412, 403, 412, 404, 412];
/// For who works for the practice.
const STAFF: [u16; 13] = [403, 403, 403, 403, 403, 403, 403, 403, 200, 200, 403, 403, 200];
const KEPT: [u16; 13] = [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 200];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // In the order of the columns: wrong scope, other patient, hidden by consent, expired consent, app, patient, proxy, ended proxy,
    // staff, staff without write scope, system, research, custodian.
    row("capabilities", "GET /metadata", "", ALL),
    row("read", "GET /Condition/{id}", "", SEEN),
    row("read", "HEAD /Condition/{id}", "", SEEN),
    row("read", "GET /Condition/{id}?_summary=true", "", SEEN),
    row("read", "GET /Condition/{id}?_elements=code", "", SEEN),
    row("read", "GET /Condition/{id}?_format=xml", "", SEEN),
    row("read", "GET /Condition/{id} ; If-None-Match: W/\"1\"", "", [403, 404, 404, 404, 304, 304, 304, 404, 304, 304, 304, 404, 304]),
    row("read", "GET /Condition/{id} ; If-Modified-Since: Fri, 01 Mar 2030 08:00:00 GMT", "", [403, 404, 404, 404, 304, 304, 304, 404, 304, 304, 304, 404, 304]),
    row("read", "GET /Location/loc1", "", OPEN),
    row("search-type", "GET /Location?_id=loc1", "", OPEN),
    row("search-type", "POST /Location/_search", "_id=loc1", OPEN),
    row("vread", "GET /Location/loc1/_history/1", "", OPEN),
    row("history-instance", "GET /Location/loc1/_history", "", OPEN),
    row("vread", "GET /Condition/{id}/_history/1", "", SEEN),
    row("vread", "GET /Condition/{id}/_history/2", "", [403, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    row("history-instance", "GET /Condition/{id}/_history", "", SEEN),
    row("history-instance", "GET /Condition/{id}/_history?_summary=count", "", SEEN),
    row("history-instance", "GET /Condition/{id}/_history?_at=2027", "", SEEN),
    row("history-type", "GET /Condition/_history?_count=3", "", OPEN),
    row("history-type", "HEAD /Condition/_history?_count=3", "", OPEN),
    row("history-system", "GET /_history?_since=2030", "", ALL),
    row("search-type", "GET /Condition?_id={id}&_total=accurate", "", OPEN),
    row("search-type", "GET /Condition?_id={id}&_summary=count", "", OPEN),
    row("search-type", "HEAD /Condition?_id={id}", "", OPEN),
    row("search-type", "GET /Condition?identifier=urn:t%7C{id}&_total=accurate&_sort=-_lastUpdated&_include=*", "", OPEN),
    row("search-type", "POST /Condition/_search", "_id={id}&_total=accurate", OPEN),
    row("search-type", "GET /Patient?_has:Condition:patient:identifier=urn:t%7C{id}&_total=accurate", "", OPEN),
    row("search-type", "GET /Patient/p1/Condition?identifier=urn:t%7C{id}&_total=accurate", "", OPEN),
    row("search-type", "POST /Patient/p1/Condition/_search", "identifier=urn:t%7C{id}&_total=accurate", OPEN),
    row("search-type", "GET /Patient/p1/*?_id={id}&_total=accurate", "", OPEN),
    row("search-type", "POST /Patient/p1/_search", "_id={id}&_total=accurate", OPEN),
    row("search-system", "GET /?_id={id}&_total=accurate", "", [403, 403, 403, 403, 403, 403, 403, 403, 200, 200, 200, 200, 200]),
    row("search-system", "GET /?_type=Condition&_id={id}&_total=accurate", "", OPEN),
    row("search-system", "POST /_search", "_type=Condition&_id={id}&_total=accurate", OPEN),
    row("create", "POST /Condition", NEW, MADE),
    row("create", "POST /Condition ; If-None-Exist: identifier=urn:t|{id}", NEW, MADE_OR_FOUND),
    row("update", "PUT /Condition/{id}", CONDITION, CHANGED),
    row("update", "PUT /Condition/{id} ; If-Match: W/\"7\"", CONDITION, STALE),
    row("update", "PUT /Condition/{id} ; If-Match: W/\"1\"", CONDITION, CHANGED),
    row("update", "PUT /Condition/{id} ; If-None-Match: *", CONDITION, STALE),
    row("update", "PUT /Condition?identifier=urn:t%7C{id}", NEW, MADE_OR_FOUND),
    row("patch", "PATCH /Condition/{id}", PATCH, CHANGED),
    row("patch", "PATCH /Condition/{id} ; If-Match: W/\"7\"", PATCH, STALE),
    row("patch", "PATCH /Condition?identifier=urn:t%7C{id}", PATCH, CHANGED),
    row("delete", "DELETE /Condition/{id}", "", GONE),
    row("delete", "DELETE /Condition/{id} ; If-Match: W/\"7\"", "", [403, 204, 204, 204, 412, 412, 412, 204, 412, 403, 412, 204, 412]),
    row("delete", "DELETE /Condition?identifier=urn:t%7C{id}", "", GONE),
    row("batch", "POST /", "batch get", SEEN),
    row("batch", "POST /", "batch find", OPEN),
    row("batch", "POST /", "batch post", MADE),
    row("batch", "POST /", "batch put", CHANGED),
    row("batch", "POST /", "batch delete", GONE),
    row("batch", "POST /", "batch match", MADE_OR_FOUND),
    row("transaction", "POST /", "transaction get", SEEN),
    row("transaction", "POST /", "transaction find", OPEN),
    row("transaction", "POST /", "transaction post", MADE),
    row("transaction", "POST /", "transaction put", CHANGED),
    row("transaction", "POST /", "transaction delete", GONE),
    row("transaction", "POST /", "transaction match", MADE_OR_FOUND),
    row("$validate Condition", "POST /Condition/$validate", CONDITION, ALL),
    row("$validate Condition", "POST /Condition/$validate?mode=create", NEW, [403, 403, 200, 403, 200, 200, 200, 403, 200, 403, 200, 200, 200]),
    row("$validate Condition/id", "GET /Condition/{id}/$validate", "", SEEN),
    row("$validate Condition/id", "GET /Condition/{id}/$validate?mode=delete", "", [403, 404, 404, 404, 200, 200, 200, 404, 200, 403, 200, 404, 200]),
    row("$validate Condition/id", "POST /Condition/{id}/$validate", QUESTION, [403, 200, 200, 200, 200, 200, 200, 200, 200, 403, 200, 200, 200]),
    row("$fhirpath", "GET /$fhirpath?expression=1", "", ALL),
    row("$fhirpath", "POST /$fhirpath?expression=subject.resolve().exists()", CONDITION, ALL),
    row("$fhirpath Condition/id", "GET /Condition/{id}/$fhirpath?expression=code", "", SEEN),
    row("$fhirpath Condition/id", "POST /Condition/{id}/$fhirpath", r#"{"resourceType":"Parameters","parameter":[{"name":"expression","valueString":"code"}]}"#, SEEN),
    row("$find Appointment", "GET /Appointment/$find?start=2027-03-08&end=2027-03-08", "", OPEN),
    row("$hold Appointment", "POST /Appointment/$hold", NO_TIME, [403, 404, 404, 404, 404, 404, 404, 404, 404, 403, 404, 404, 404]),
    row("$book Appointment", "POST /Appointment/$book", NO_TIME, [403, 404, 404, 404, 404, 404, 404, 404, 404, 403, 404, 404, 404]),
    row("$search-parameters", "GET /$search-parameters", "", OPEN),
    row("$snapshot StructureDefinition", "GET /StructureDefinition/$snapshot?url=http://hl7.org/fhir/StructureDefinition/Patient", "", OPEN),
    row("$snapshot StructureDefinition/id", "GET /StructureDefinition/it/$snapshot", "", OPEN),
    row("$expand ValueSet", "GET /ValueSet/$expand?url=urn:vs", "", OPEN),
    row("$expand ValueSet/id", "GET /ValueSet/it/$expand", "", OPEN),
    row("$validate-code ValueSet", "GET /ValueSet/$validate-code?url=urn:vs&system=urn:cs&code=a", "", OPEN),
    row("$validate-code ValueSet/id", "GET /ValueSet/it/$validate-code?system=urn:cs&code=a", "", OPEN),
    row("$validate-code CodeSystem", "GET /CodeSystem/$validate-code?url=urn:cs&code=a", "", OPEN),
    row("$validate-code CodeSystem/id", "GET /CodeSystem/it/$validate-code?code=a", "", OPEN),
    row("$lookup CodeSystem", "GET /CodeSystem/$lookup?system=urn:cs&code=a", "", OPEN),
    row("$subsumes CodeSystem", "GET /CodeSystem/$subsumes?system=urn:cs&codeA=a&codeB=a", "", OPEN),
    row("$subsumes CodeSystem/id", "GET /CodeSystem/it/$subsumes?codeA=a&codeB=a", "", OPEN),
    row("$translate ConceptMap", "GET /ConceptMap/$translate?url=urn:cm&system=urn:cs&code=a", "", OPEN),
    row("$translate ConceptMap/id", "GET /ConceptMap/it/$translate?system=urn:cs&code=a", "", OPEN),
    row("$break-glass Patient/id", "POST /Patient/p1/$break-glass", REASON, [403, 403, 403, 403, 403, 403, 403, 403, 200, 200, 403, 403, 403]),
    row("$populate Questionnaire", "POST /Questionnaire/$populate", FORM, ALL),
    row("$populate Questionnaire", "POST /Questionnaire/$populate", FORM_ABOUT, SEEN),
    row("$populate Questionnaire/id", "POST /Questionnaire/it/$populate", NONE, OPEN),
    row("$extract QuestionnaireResponse", "POST /QuestionnaireResponse/$extract", ANSWERS, ALL),
    row("$extract QuestionnaireResponse/id", "GET /QuestionnaireResponse/it/$extract", "", RECORD),
    row("$process-message", "POST /$process-message", MESSAGE, [403, 403, 403, 403, 403, 403, 403, 403, 200, 403, 200, 200, 200]),
    row("$everything Patient/id", "GET /Patient/p1/$everything", "", RECORD),
    row("$everything Patient/id", "POST /Patient/p1/$everything", r#"{"resourceType":"Parameters","parameter":[{"name":"_type","valueCode":"Condition"}]}"#, RECORD),
    row("$everything Patient/id", "GET /Patient/p1/$everything?_type=Condition&_since=2030-01-01T00:00:00Z", "", RECORD),
    row("$everything Patient", "GET /Patient/$everything", "", [403, 200, 200, 404, 200, 200, 200, 404, 200, 200, 200, 200, 200]),
    row("$export", "GET /$export?_type=Condition ; Prefer: respond-async", "", [403, 202, 202, 202, 202, 202, 202, 202, 202, 202, 202, 202, 202]),
    row("$export Patient", "GET /Patient/$export?_type=Condition ; Prefer: respond-async", "", [403, 202, 202, 202, 202, 202, 202, 202, 202, 202, 202, 202, 202]),
    row("$export Group/id", "GET /Group/it/$export?_type=Condition ; Prefer: respond-async", "", [403, 404, 202, 404, 202, 202, 202, 404, 202, 202, 202, 404, 202]),
    row("$export-status", "GET /$export-status?job=none", "", [404; 13]),
    row("$bulk-publish", "GET /$bulk-publish", "", ALL),
    row("$demand HealthcareService", "GET /HealthcareService/$demand?start=2027-03-08&end=2027-03-08", "", STAFF),
    row("$demand HealthcareService/id", "GET /HealthcareService/svc1/$demand?start=2027-03-08&end=2027-03-08", "", STAFF),
    row("$package-list", "GET /$package-list", "", KEPT),
    row("$package-add", "POST /$package-add", "no package", [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 422]),
    row("$package-remove", "POST /$package-remove?package=x@1", "", [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 404]),
];

/// What operations are on, each with the id `it`.
const DEFINITIONS: [(&str, &str); 7] = [
    ("Group", r#""type":"person","actual":true,"member":[{"entity":{"reference":"Patient/p1"}}]"#),
    ("Questionnaire", r#""url":"urn:q","status":"active""#),
    ("QuestionnaireResponse", ANSWERED),
    ("CodeSystem", r#""url":"urn:cs","status":"active","content":"complete","concept":[{"code":"a"}]"#),
    ("ValueSet", r#""url":"urn:vs","status":"active","compose":{"include":[{"system":"urn:cs"}]}"#),
    (
        "ConceptMap",
        r#""url":"urn:cm","status":"active","group":[{"source":"urn:cs","target":"urn:other","element":[{"code":"a","target":[{"code":"b","equivalence":"equal"}]}]}]"#,
    ),
    (
        "StructureDefinition",
        r#""url":"urn:sd","name":"It","status":"active","fhirVersion":"4.0.1","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint","differential":{"element":[{"id":"Patient","path":"Patient","short":"it"}]}"#,
    ),
];

/// Every interaction and operation that the server has, by the names that rows have for them.
fn names() -> BTreeSet<String> {
    let interactions = ON_TYPES.iter().chain(&ON_SYSTEM).chain(&["capabilities"]).map(|code| (*code).to_owned());
    interactions.chain(OPERATIONS.iter().flat_map(|operation| levels(*operation))).collect()
}

/// An operation at each of its levels and types, on Condition for all where it is served there.
fn levels(operation: &dyn Operation) -> Vec<String> {
    let code = operation.code();
    let told = |types: &'static [&'static str]| match types.contains(&"Condition") {
        true => vec!["Condition"],
        false => types.to_vec(),
    };
    let system = operation.at_system().then(|| format!("${code}"));
    let of_type = told(operation.at_types()).into_iter().map(|name| format!("${code} {name}"));
    let of_instance = told(operation.at_instances()).into_iter().map(|name| format!("${code} {name}/id"));
    system.into_iter().chain(of_type).chain(of_instance).collect()
}

#[test]
fn every_interaction_and_operation_has_a_row() {
    let rows: BTreeSet<_> = ROWS.iter().map(|row| row.covers.to_owned()).collect();
    assert_eq!(rows, names());
}

/// A server with the surgery, and the definitions that rows ask for; hardly any time goes by.
fn matrix() -> Guarded {
    let guarded = Guarded::surgery();
    guarded.flint().tick(Duration::from_millis(1));
    let keeper = guarded.hold(&keeper());
    end_consents(&keeper);
    for (name, content) in DEFINITIONS {
        let body = format!(r#"{{"resourceType":"{name}","id":"it",{content}}}"#);
        keeper.call(&format!("PUT /{name}/it")).body("application/fhir+json", body).send().expect(201);
    }
    guarded
}

/// Whoever shows no token that counts is asked for one, whatever is asked, and whether or not it is there; but the directory is open to
/// who shows none.
#[test]
fn nothing_is_answered_without_a_token() {
    let guarded = matrix();
    for (why, authorization) in refused(&guarded) {
        let is_open = |row: &&Row| row.covers == "capabilities" || why == "no token" && row.covers == "$bulk-publish";
        for row in ROWS.iter().filter(|row| !is_open(row)) {
            for id in ["copd1", "nope1"] {
                let call = row.call(|line| guarded.flint().call(line), id, "");
                // Refused before the body is read: the connection is of no use any more.
                let call = call.header("Connection", "close");
                let call = authorization.iter().fold(call, |call, value| call.header("Authorization", value));
                let reply = call.send();
                if why == "no token" && row.is_of_directory() {
                    assert_eq!(reply.status, 200, "{}: {}", row.line, reply.text);
                    continue;
                }
                assert_eq!(reply.status, 401, "{why}: {} {}: {}", row.line, row.body, reply.text);
                let challenge = if why == "no token" { "Bearer" } else { "Bearer error=\"invalid_token\"*" };
                let reply = reply.facts(&[("www-authenticate", challenge)]);
                assert!(!reply.text.contains(id), "{}", reply.text);
            }
        }
    }
}

/// What each caller gets, and that who may not see a resource gets what there is for one that does not exist.
#[test]
fn everybody_gets_what_they_may() {
    let guarded = matrix();
    let keeper = guarded.hold(&keeper());
    let mut wrong = Vec::new();
    for (column, name) in CALLERS.iter().enumerate() {
        let caller = guarded.hold(&holder(name));
        let label = if *name == "hidden by consent" { LABEL } else { "" };
        for (at, row) in ROWS.iter().enumerate() {
            let made = |made: bool| {
                let id = format!("{}{column:02}{at:03}", if made { "there" } else { "never" });
                if made && row.has_id() {
                    let body = row.fill(CONDITION, &id, label);
                    let call = keeper.call(&format!("PUT /Condition/{id}"));
                    call.body("application/fhir+json", body).send().expect(201);
                }
                (row.call(|line| caller.call(line), &id, label).send(), id)
            };
            let (reply, id) = made(true);
            let (expected, status) = (row.statuses[column], row.status(&reply));
            if status != expected {
                wrong.push(format!("{name}: {} {}: {status}, not {expected}: {}", row.line, row.body, reply.text));
            }
            if BLIND.contains(name) && row.has_id() {
                let (absent, other) = made(false);
                let (hidden, absent) = (told(&reply, &id), told(&absent, &other));
                if hidden != absent {
                    wrong.push(format!("{name}: {} {}: {hidden}\nbut if absent {absent}", row.line, row.body));
                }
                keeper.get(&format!("/Condition/{id}")).expect(200).facts(&[("etag", "W/\"1\"")]);
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
}

impl Row {
    /// Whether it is about the one Condition.
    fn has_id(&self) -> bool {
        !self.body.is_empty() && self.body != REASON && !self.is_of_directory() || self.line.contains("{id}")
    }

    /// Whether who shows no token may ask it.
    fn is_of_directory(&self) -> bool {
        ["read", "search-type"].contains(&self.covers) && self.line.contains(" /Location")
    }

    fn call<'c>(&self, call: impl Fn(&str) -> Call<'c>, id: &str, label: &str) -> Call<'c> {
        let line = self.line.replace("{id}", id);
        let (line, header) = line.split_once(" ; ").unwrap_or((&line, ""));
        let call = match header.split_once(": ") {
            Some((name, value)) => call(line).header(name, value),
            None => call(line),
        };
        let body = match self.body.split_once(' ') {
            Some((kind @ ("batch" | "transaction"), name)) => {
                let (_, entry) = ENTRIES.iter().find(|(known, _)| *known == name).expect("an entry");
                format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{entry}]}}"#)
            }
            _ => self.body.to_owned(),
        };
        let body = self.fill(&body, id, label);
        match body.chars().next() {
            None => call,
            Some('{') => call.body("application/fhir+json", body),
            Some('[') => call.body("application/json-patch+json", body),
            Some(_) if self.covers == "$package-add" => call.body("application/gzip", body),
            Some(_) => call.body("application/x-www-form-urlencoded", body),
        }
    }

    fn fill(&self, body: &str, id: &str, label: &str) -> String {
        let body = body.replace("{condition}", CONDITION).replace("{new}", NEW).replace("{content}", CONTENT);
        let body = body.replace("{answered}", ANSWERED);
        body.replace("{label}", label).replace("{id}", id)
    }

    /// The status that counts: that of the entry, where a batch was taken.
    fn status(&self, reply: &Reply) -> u16 {
        if self.line != "POST /" || reply.status != 200 {
            return reply.status;
        }
        reply.pointer("/entry/0/response/status")[..3].parse().expect("a status")
    }
}

/// All that an answer tells, but for what differs between any two requests: the id asked for, ids and times given out.
pub(super) fn told(reply: &Reply, id: &str) -> String {
    // The length is that of the text, in which ids have one digit or more.
    let passing = ["content-length", "date", "x-request-id", "last-modified"];
    let headers = reply.headers().iter().filter(|(name, _)| !passing.contains(&name.as_str()));
    let headers: String = headers.map(|(name, value)| format!("{name}: {value}\n")).collect();
    let text = format!("{}\n{headers}{}", reply.status, reply.text).replace(id, "ID");
    let text = without(&text, "id-", |c| c.is_ascii_digit());
    let text = without(&text, "urn:uuid:", |c| c != '"');
    let text = without(&text, "\"timestamp\":\"", |c| c != '"');
    let text = without(&text, "\"lastUpdated\":\"", |c| c != '"');
    without(&text, "\"lastModified\":\"", |c| c != '"')
}

/// The text without what follows each mark.
pub(super) fn without(text: &str, mark: &str, passes: impl Fn(char) -> bool) -> String {
    let mut parts = text.split(mark);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + mark + part.trim_start_matches(&passes))
}
