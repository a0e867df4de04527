//! A record as an AuditEvent, <https://hl7.org/fhir/R4/auditevent.html>, by the profiles of IHE's Basic Audit Log Patterns,
//! <https://profiles.ihe.net/ITI/BALP/>.
//!
//! It follows from the record alone, so that a change of either shows. Whatever changes here needs another format of blocks.

mod agents;
mod coding;
mod entities;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fhir::json::{Document, quote};
use fhir::{Instant, Outcome};
use search::Rows;
use store::Key;

use self::agents::push_agents;
use self::coding::{Kind, coding, kind, push};
pub(super) use self::entities::MORE;
use self::entities::push_entities;
use super::{Act, Ending, Place, Record};
use crate::transact::content::Content;

/// The extension with the place of the record and its hash: what tells an AuditEvent that the ledger made.
pub const EXTENSION: &str = "https://flint.example/fhir/StructureDefinition/audit-record";

const TAG: &str = r#"{"system":"https://flint.example/fhir/CodeSystem/audit-tags","code":"ledger"}"#;
const OPERATIONS: &str = "https://flint.example/fhir/CodeSystem/audit-operations";
const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const HL7: &str = "http://terminology.hl7.org/CodeSystem/";

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
    let hash = STANDARD.encode(hash);
    push(&mut text, format_args!(r#"{{"url":"hash","valueBase64Binary":"{hash}"}}]}}],"type":"#));
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

fn push_source(text: &mut String, server: &str) {
    push(text, format_args!(r#","source":{{"observer":{{"display":{}}},"type":["#, quote(server)));
    coding("http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server").push(text);
    text.push_str("]}");
}
