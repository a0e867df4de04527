//! Query strings of searches.

use std::sync::LazyLock;

use fhir::{Definitions, Instant};
use search::{Dialect, Handling, Registry, Scope, parse_query_string};

use super::Target;

pub(super) const TARGET: Target = Target {
    name: "search",
    corpus: || QUERIES.iter().map(|text| text.as_bytes().to_vec()).collect(),
    words: &[
        "&",
        "=",
        ",",
        "|",
        "$",
        ":",
        ".",
        "\\",
        "%",
        "%00",
        "%ff",
        "%5C",
        "+",
        "ge",
        "ap",
        "sa",
        "1e999",
        "-",
        "2013-13",
        "9999-12-31T23:59:60Z",
        ":missing",
        ":not-in",
        ":of-type",
        ":identifier",
        ":Patient",
        ":iterate",
        "_has:",
        "_filter=",
        "_sort=-",
        "_include=*",
        "_count=",
        "_type=",
        "(",
        ")",
        " and ",
        " or ",
        "not(",
        " eq ",
        " re ",
        "\"",
        "Patient?",
        "/",
        "#",
        "http://",
        "|1.0",
        "near=1|2|3|km",
        "_text=",
        "_content=",
        "*",
        "^",
    ],
    run,
};

const QUERIES: [&str; 18] = [
    "name=eve&birthdate=ge1950&birthdate=lt1960-01-01&_sort=-birthdate,name&_count=20",
    "identifier=https://fhir.nhs.uk/Id/nhs-number|9000000009",
    "code=http://loinc.org|8480-6,http://loinc.org|8462-4&date=ge2020-01-01T00:00:00Z",
    "code-value-quantity=http://loinc.org|8480-6$gt120&value-quantity=5.4|http://unitsofmeasure.org|mg",
    "patient.name:contains=smi&patient.organization.identifier=urn:x|1",
    "_has:Observation:patient:_has:AuditEvent:entity:agent=Practitioner/x",
    "_filter=name eq \"eve\" and (birthdate ge 1950-01-01 or not (active eq true)) and given.family co \"x\"",
    "_text=(heart and attack) or \"shortness of breath\"&_content=not stroke",
    "near=51.5|-0.12|5|km&operational-status:not=C",
    "_include=Observation:subject:Patient&_include:iterate=Patient:organization&_revinclude=Provenance:target",
    "subject:identifier=urn:oid:1.2|7&subject:Patient=ann&subject:missing=false",
    "code:in=http://hl7.org/fhir/ValueSet/x&code:below=http://snomed.info/sct|1&code:text=head%20ache",
    "type:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|446053",
    "_elements=identifier,active&_summary=count&_total=accurate&_contained=both&_containedType=container",
    "_type=Patient,Observation&_lastUpdated=gt2020-05-05&_tag=a|b&_id=1,2,3&_list=42",
    "probability=gt0.8&length=3.14e0&url:below=http://acme.org/fhir/",
    "date=sa2013-01-14&date=eb2013-03-14T12&date=ap2013-02&_explain=true",
    "name=a\\,b\\|c\\$d\\\\e&Schedule.actor:HealthcareService=s1&start=ge2027&end=le2028",
];

const TYPES: [&str; 6] = ["Patient", "Observation", "Location", "Slot", "Encounter", "ValueSet"];

/// The parameters of a server with every spelling turned on.
pub(super) fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> =
        LazyLock::new(|| Registry::new(Definitions::r4(), "http://flint.example/fhir").with_dialect(Dialect::Nhs));
    &REGISTRY
}

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(parameters) = parse_query_string(text) else { return };
    let types = TYPES.iter().map(|name| Definitions::r4().resource_type(name));
    for resource_type in types.chain([None]) {
        let scope = Scope { resource_type, compartment: None };
        for handling in [Handling::Strict, Handling::Lenient] {
            if let Err(outcome) = registry().query(&scope, &parameters, handling, Instant(0)) {
                assert!(!outcome.issues.is_empty());
            }
        }
    }
}
