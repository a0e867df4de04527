//! A record as an AuditEvent, <https://hl7.org/fhir/R4/auditevent.html>, by the profiles of IHE's Basic Audit Log Patterns,
//! <https://profiles.ihe.net/ITI/BALP/>.
//!
//! It follows from the record alone, so that a change of either shows. Whatever changes here needs another format of blocks.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fhir::json::{Document, quote};
use fhir::{Instant, Outcome};
use search::Rows;
use store::Key;

use super::{Act, Datum, Ending, Place, Record};
use crate::transact::content::Content;

/// The extension with the place of the record and its hash: what tells an AuditEvent that the ledger made.
pub const EXTENSION: &str = "https://flint.example/fhir/StructureDefinition/audit-record";

const TAG: &str = r#"{"system":"https://flint.example/fhir/CodeSystem/audit-tags","code":"ledger"}"#;
const OPERATIONS: &str = "https://flint.example/fhir/CodeSystem/audit-operations";
const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const REST: &str = "http://hl7.org/fhir/restful-interaction";
const BALP_AUTHZ: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType";
const HL7: &str = "http://terminology.hl7.org/CodeSystem/";

/// What an act is called.
struct Kind {
    event: Coding,
    /// System, code, display.
    subtype: Coding,
    action: char,
    /// The profile of a success, without and with a patient.
    profile: Option<&'static str>,
}

struct Coding {
    system: &'static str,
    code: &'static str,
    display: &'static str,
}

const fn coding(system: &'static str, code: &'static str, display: &'static str) -> Coding {
    Coding { system, code, display }
}

/// The resource that a record becomes.
pub(super) fn key(place: Place) -> Key {
    Key::new("AuditEvent", &place.id()).expect("the type and a short id")
}

/// What tells whether a record is the one that stood there.
pub(super) fn hash(place: Place, account: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&place.block.to_be_bytes()).update(&place.position.to_be_bytes()).update(account);
    *hasher.finalize().as_bytes()
}

/// Text as content that can be written.
pub(super) fn content(text: &str, rows: impl FnOnce(&Document) -> Result<Rows, Outcome>) -> Result<Content, Outcome> {
    let document = Document::parse(text.as_bytes())?;
    let rows = rows(&document)?;
    Ok(Content { document: Arc::new(document), rows, notes: Vec::new() })
}

/// The AuditEvent of a record, in the form that content is arranged in.
pub(super) fn text(place: Place, record: &Record, server: &str, hash: &[u8; 32]) -> String {
    let kind = kind(record.act);
    let mut text = String::with_capacity(3072);
    push(&mut text, format_args!(r#"{{"resourceType":"AuditEvent","id":"{}","meta":{{"#, place.id()));
    if let Some(profile) = profile(&kind, record) {
        let patient = if record.patient.is_some() { "Patient" } else { "" };
        push(&mut text, format_args!(r#""profile":["{PROFILES}{patient}{profile}"],"#));
    }
    push(&mut text, format_args!(r#""tag":[{TAG}]}},"extension":[{{"url":"{EXTENSION}","extension":["#));
    push(&mut text, format_args!(r#"{{"url":"block","valueString":"{}"}},"#, place.block));
    push(&mut text, format_args!(r#"{{"url":"position","valueUnsignedInt":{}}},"#, place.position));
    let hash = blake3::Hash::from_bytes(*hash).to_hex();
    push(&mut text, format_args!(r#"{{"url":"hash","valueString":"{hash}"}}]}}],"type":"#));
    kind.event.push(&mut text);
    text.push_str(r#","subtype":["#);
    kind.subtype.push(&mut text);
    if !record.operation.is_empty() {
        let code = quote(&record.operation);
        push(&mut text, format_args!(r#",{{"system":"{OPERATIONS}","code":{code}}}"#));
    }
    let recorded = Instant::from_millis(record.time).to_rfc3339();
    let (action, outcome) = (kind.action, record.ending as u8);
    push(&mut text, format_args!(r#"],"action":"{action}","recorded":"{recorded}","outcome":"{outcome}""#));
    push_note(&mut text, record);
    push_agents(&mut text, record, server);
    push_source(&mut text, server);
    push_entities(&mut text, record);
    text.push('}');
    text
}

/// Writing into a string does not fail.
fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes everything");
}

impl Coding {
    fn push(&self, text: &mut String) {
        let Coding { system, code, display } = self;
        push(text, format_args!(r#"{{"system":"{system}","code":"{code}","display":"{display}"}}"#));
    }

    fn push_concept(&self, text: &mut String) {
        text.push_str(r#"{"coding":["#);
        self.push(text);
        text.push_str("]}");
    }
}

fn kind(act: Act) -> Kind {
    let rest = |code: &'static str, action, profile| Kind {
        event: coding("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", "Restful Operation"),
        subtype: coding(REST, code, code),
        action,
        profile,
    };
    let other = |event, subtype, action| Kind { event, subtype, action, profile: None };
    let alert = || coding(DCM, "110113", "Security Alert");
    let authentication = || coding(DCM, "110114", "User Authentication");
    match act {
        Act::Read => rest("read", 'R', Some("Read")),
        Act::Vread => rest("vread", 'R', Some("Read")),
        Act::HistoryInstance => rest("history-instance", 'R', None),
        Act::HistoryType => rest("history-type", 'R', None),
        Act::HistorySystem => rest("history-system", 'R', None),
        Act::SearchType => rest("search-type", 'E', Some("Query")),
        Act::SearchSystem => rest("search-system", 'E', Some("Query")),
        Act::Create => rest("create", 'C', Some("Create")),
        Act::Update => rest("update", 'U', Some("Update")),
        Act::Patch => rest("patch", 'U', Some("Update")),
        Act::Delete => rest("delete", 'D', Some("Delete")),
        Act::Operation => rest("operation", 'E', None),
        Act::Export => other(coding(DCM, "110106", "Export"), coding(REST, "operation", "operation"), 'R'),
        Act::SignIn => other(authentication(), coding(DCM, "110122", "Login"), 'E'),
        Act::SignOut => other(authentication(), coding(DCM, "110123", "Logout"), 'E'),
        Act::Authenticate => other(authentication(), coding(DCM, "110126", "Node Authentication"), 'E'),
        Act::Authorize => other(alert(), authorization(), 'E'),
        Act::Revoke => other(alert(), coding(DCM, "110136", "Security Roles Changed"), 'U'),
        Act::BreakGlass => other(alert(), coding(DCM, "110127", "Emergency Override Started"), 'E'),
        Act::BreakGlassEnd => other(alert(), coding(DCM, "110138", "Emergency Override Stopped"), 'E'),
        Act::Configure => other(alert(), coding(DCM, "110129", "Security Configuration"), 'U'),
        Act::ChangeAccount => other(alert(), coding(DCM, "110137", "User Security Attributes Changed"), 'U'),
    }
}

fn authorization() -> Coding {
    coding(BALP_AUTHZ, "AuthZ-Consent", "Authorization Decision using Roles and Consent")
}

/// The profile that it conforms to: these are of successes, about one resource or with a query.
fn profile(kind: &Kind, record: &Record) -> Option<&'static str> {
    let whole = match kind.profile? {
        "Query" => !record.query.is_empty(),
        _ => is_of_one(record),
    };
    kind.profile.filter(|_| whole && record.ending == Ending::Success)
}

fn is_of_one(record: &Record) -> bool {
    record.data.len() == 1 && record.more == 0
}

/// Why: the purposes of use, and what was said about it.
fn push_note(text: &mut String, record: &Record) {
    let broken = record.act == Act::BreakGlass;
    if !record.note.is_empty() && !broken {
        push(text, format_args!(r#","outcomeDesc":{}"#, quote(&record.note)));
    }
    let glass = broken.then_some("BTG").filter(|code| !record.purposes.iter().any(|purpose| purpose == code));
    let purposes: Vec<_> = record.purposes.iter().map(String::as_str).chain(glass).collect();
    let note = if broken { record.note.as_str() } else { "" };
    if !purposes.is_empty() {
        push(text, format_args!(r#","purposeOfEvent":{}"#, concepts(&purposes, note)));
    }
}

/// Purposes of use, the last with a text.
fn concepts(purposes: &[&str], note: &str) -> String {
    let concept = |(at, purpose): (usize, &&str)| {
        let note = match at + 1 == purposes.len() && !note.is_empty() {
            true => format!(r#","text":{}"#, quote(note)),
            false => String::new(),
        };
        format!(r#"{{"coding":[{{"system":"{HL7}v3-ActReason","code":{}}}]{note}}}"#, quote(purpose))
    };
    let concepts: Vec<_> = purposes.iter().enumerate().map(concept).collect();
    format!("[{}]", concepts.join(","))
}

fn push_agents(text: &mut String, record: &Record, server: &str) {
    text.push_str(r#","agent":["#);
    push_user(text, record);
    push_organization(text, record);
    push_client(text, record);
    text.push_str(r#",{"type":"#);
    let [_, custodian] = roles(record.act);
    custodian.push_concept(text);
    let server = quote(server);
    push(text, format_args!(r#","who":{{"display":{server}}},"requestor":false"#));
    push(text, format_args!(r#","network":{{"address":{server},"type":"5"}}}}]"#));
}

/// What client and server are called: as the data flow where something is read, as the request does elsewhere.
fn roles(act: Act) -> [Coding; 2] {
    let source = coding(DCM, "110153", "Source Role ID");
    let destination = coding(DCM, "110152", "Destination Role ID");
    let application = coding(DCM, "110150", "Application");
    match act {
        Act::Read | Act::Vread | Act::HistoryInstance | Act::HistoryType | Act::HistorySystem | Act::Export => {
            [destination, source]
        }
        Act::SearchType | Act::SearchSystem | Act::Create | Act::Update | Act::Patch | Act::Operation => {
            [source, destination]
        }
        Act::Delete => {
            let system = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
            [application, coding(system, "custodian", "Custodian")]
        }
        _ => {
            let system = "http://terminology.hl7.org/CodeSystem/extra-security-role-type";
            [application, coding(system, "authserver", "authorization server")]
        }
    }
}

/// The person, told apart from the patient whom it is about by what they are to them.
fn push_user(text: &mut String, record: &Record) {
    let Some(user) = &record.user else { return };
    let participation = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    let writes = matches!(record.act, Act::Create | Act::Update | Act::Patch | Act::Delete);
    let kind = match writes {
        true => coding(participation, "AUT", "author (originator)"),
        false => coding(participation, "IRCP", "information recipient"),
    };
    text.push_str(r#"{"type":"#);
    kind.push_concept(text);
    if let Some(role) = role(user, record) {
        text.push_str(r#","role":["#);
        role.push_concept(text);
        text.push(']');
    }
    push(text, format_args!(r#","who":{{"reference":{}}},"requestor":true"#, quote(user.as_str())));
    if !record.purposes.is_empty() {
        let purposes: Vec<_> = record.purposes.iter().map(String::as_str).collect();
        push(text, format_args!(r#","purposeOfUse":{}"#, concepts(&purposes, "")));
    }
    text.push_str("},");
}

fn role(user: &Key, record: &Record) -> Option<Coding> {
    let system = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
    match user.collection() {
        "Patient" if record.patient.as_ref().is_none_or(|patient| patient == user) => {
            Some(coding(system, "PAT", "patient"))
        }
        "Patient" | "RelatedPerson" => Some(coding(system, "PRS", "personal relationship")),
        "Practitioner" | "PractitionerRole" => Some(coding(system, "PROV", "healthcare provider")),
        _ => None,
    }
}

fn push_organization(text: &mut String, record: &Record) {
    let Some(organization) = &record.organization else { return };
    text.push_str(r#"{"type":"#);
    coding("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV", "healthcare provider").push_concept(text);
    let reference = quote(organization.as_str());
    push(text, format_args!(r#","who":{{"reference":{reference}}},"requestor":false}},"#));
}

fn push_client(text: &mut String, record: &Record) {
    text.push_str(r#"{"type":"#);
    let [client, _] = roles(record.act);
    client.push_concept(text);
    let name = match (record.client_name.as_str(), record.client.as_str(), record.peer.as_str()) {
        ("", "", "") => "a command on the server's machine",
        ("", "", _) => "not identified",
        ("", client, _) => client,
        (name, ..) => name,
    };
    let name = quote(name);
    text.push_str(r#","who":{"#);
    if !record.client.is_empty() {
        push(text, format_args!(r#""identifier":{{"value":{}}},"#, quote(&record.client)));
    }
    push(text, format_args!(r#""display":{name}}}"#));
    if record.act != Act::Delete {
        push(text, format_args!(r#","name":{name}"#));
    }
    let (address, kind) = match record.peer.as_str() {
        "" => ("localhost", 1),
        peer => (peer, 2),
    };
    let (requestor, address) = (record.user.is_none(), quote(address));
    push(text, format_args!(r#","requestor":{requestor},"network":{{"address":{address},"type":"{kind}"}}}}"#));
}

fn push_source(text: &mut String, server: &str) {
    push(text, format_args!(r#","source":{{"observer":{{"display":{}}},"type":["#, quote(server)));
    coding("http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server").push(text);
    text.push_str("]}");
}

fn push_entities(text: &mut String, record: &Record) {
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
        push(&mut entity, format_args!(r#","description":"{} more resources"}}"#, record.more));
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
