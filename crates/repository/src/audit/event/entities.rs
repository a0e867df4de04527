//! What it was about: the patient, the query, the data, the request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fhir::json::quote;

use super::coding::{Coding, coding, push};
use super::is_of_one;
use crate::audit::{Act, Datum, Record};

/// How the number of those ends that are not named.
pub(in crate::audit) const MORE: &str = r#" more resources""#;

pub(super) fn push_entities(text: &mut String, record: &Record) {
    let mut entities = Vec::new();
    let entity_type = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
    if let Some(patient) = &record.patient {
        let kind = coding(entity_type, "1", "Person");
        entities.push(entity(patient.as_str(), &kind, &coding(ROLES, "1", "Patient")));
    }
    if !record.query.is_empty() {
        let query = STANDARD.encode(&record.query);
        let mut entity = r#"{"type":"#.to_owned();
        coding(entity_type, "2", "System Object").push(&mut entity);
        entity.push_str(r#","role":"#);
        coding(ROLES, "24", "Query").push(&mut entity);
        push(&mut entity, format_args!(r#","query":"{query}"}}"#));
        entities.push(entity);
    }
    entities.extend(record.data.iter().map(|datum| data(datum, record)));
    if record.more > 0 {
        let mut entity = r#"{"role":"#.to_owned();
        coding(ROLES, "4", "Domain Resource").push(&mut entity);
        push(&mut entity, format_args!(r#","description":"{}{MORE}}}"#, record.more));
        entities.push(entity);
    }
    if !record.request.is_empty() {
        let value = quote(&record.request);
        let mut entity = format!(r#"{{"what":{{"identifier":{{"value":{value}}}}},"type":"#);
        let system = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
        push(&mut entity, format_args!(r#"{{"system":"{system}","code":"XrequestId"}}}}"#));
        entities.push(entity);
    }
    if !entities.is_empty() {
        push(text, format_args!(r#","entity":[{}]"#, entities.join(",")));
    }
}

const ROLES: &str = "http://terminology.hl7.org/CodeSystem/object-role";

fn entity(reference: &str, kind: &Coding, role: &Coding) -> String {
    let mut entity = format!(r#"{{"what":{{"reference":{}}},"type":"#, quote(reference));
    kind.push(&mut entity);
    entity.push_str(r#","role":"#);
    role.push(&mut entity);
    entity.push('}');
    entity
}

/// The one resource of an interaction is its object; one among several, which a query found, has its type.
fn data(datum: &Datum, record: &Record) -> String {
    let reference = match datum.version {
        0 => datum.key.as_str().to_owned(),
        version => format!("{}/_history/{version}", datum.key),
    };
    let role = coding(ROLES, "4", "Domain Resource");
    if record.query.is_empty() && is_of_one(record) && record.act != Act::Authorize {
        return entity(
            &reference,
            &coding("http://terminology.hl7.org/CodeSystem/audit-entity-type", "2", "System Object"),
            &role,
        );
    }
    let name = quote(datum.key.collection());
    let mut entity = format!(r#"{{"what":{{"reference":{}}},"type":"#, quote(&reference));
    push(&mut entity, format_args!(r#"{{"system":"http://hl7.org/fhir/resource-types","code":{name}}},"role":"#));
    role.push(&mut entity);
    entity.push('}');
    entity
}
