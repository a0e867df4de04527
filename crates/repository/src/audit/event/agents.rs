//! Who took part: the person, the organization, the client, and this server.

use fhir::json::quote;
use store::Key;

use super::coding::{Coding, DCM, coding, push};
use super::concepts;
use crate::audit::{Act, Record};

pub(super) fn push_agents(text: &mut String, record: &Record, server: &str) {
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

/// The person. Who acts for the patient whom it is about is told apart by the role.
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

/// Only of those who act for somebody: every role costs index rows, and others are told by their type.
fn role(user: &Key, record: &Record) -> Option<Coding> {
    let acts_for = match user.collection() {
        "RelatedPerson" => true,
        "Patient" => record.patient.as_ref().is_some_and(|patient| patient != user),
        _ => false,
    };
    let system = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
    acts_for.then(|| coding(system, "PRS", "personal relationship"))
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
