mod agreement;
mod book;
mod cases;
mod oracle;
mod pcf;
mod surgery;

use fhir::json::Document;
use fhir::{DateTime, Definitions, Instant};
use search::Registry;
use store::{Key, Row};

use super::policy::Policy;
use super::{Implicit, Policies, Restrictions};
use crate::testing::{document, key};
use crate::{Name, Requester};

const BASE_URL: &str = "http://localhost/fhir";

fn registry() -> Registry {
    Registry::new(Definitions::r4(), BASE_URL)
}

/// The moment that a date or time begins.
fn at(text: &str) -> Instant {
    DateTime::parse(text).expect("a date").range().0
}

/// The policies of these Consents.
fn policies(consents: &[&str]) -> Policies {
    let mut policies = Policies::default();
    for consent in consents {
        let consent = document(consent);
        let key = key_of(&consent);
        policies.put(&key, Policy::read(&key, consent.root(), BASE_URL));
    }
    policies
}

fn key_of(document: &Document) -> Key {
    let id = document.root().get("id").and_then(|id| id.as_str()).expect("an id");
    Key::new(document.root().resource_type().expect("a resource"), &id).expect("a key")
}

/// The rows of a resource as the store has them: with the time of its commit.
fn rows(registry: &Registry, resource: &Document) -> Vec<Row> {
    let mut rows = registry.rows(resource).expect("a resource").together();
    if let Some(time) = resource.root().path(&["meta", "lastUpdated"]).and_then(|time| time.as_str()) {
        let index = registry.time_index(resource.root().resource_type().expect("a resource"));
        rows.push(Row { index, value: store::time_value(at(&time).as_millis()).to_vec() });
    }
    rows
}

/// The ids of the resources that are seen, in their order.
fn seen(registry: &Registry, restrictions: &Restrictions, resources: &[Document]) -> String {
    let is_seen = |resource: &&Document| {
        let filter = restrictions.filter(registry, resource.root().resource_type().expect("a resource"));
        filter.is_none_or(|filter| filter.accepts(&rows(registry, resource)))
    };
    let ids: Vec<_> = resources.iter().filter(is_seen).map(|resource| key_of(resource).id().to_owned()).collect();
    ids.join(" ")
}

/// Who is called by the keys, and asks for the purposes. The first key is the user's.
fn requester(names: &[&str], purposes: &[&str]) -> Requester {
    Requester {
        user: names.first().map(|name| key(name)),
        names: names.iter().map(|name| Name::Key(key(name))).collect(),
        purposes: purposes.iter().map(|purpose| (*purpose).to_owned()).collect(),
        ..Requester::default()
    }
}

const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-";

/// A provision: what it does, its elements, and the exceptions to it.
fn provision(effect: &str, elements: &[&str], exceptions: &[String]) -> String {
    let mut members = vec![format!(r#""type":"{effect}""#)];
    members.extend(elements.iter().map(|element| (*element).to_owned()));
    if !exceptions.is_empty() {
        members.push(format!(r#""provision":[{}]"#, exceptions.join(",")));
    }
    format!("{{{}}}", members.join(","))
}

fn listed(name: &str, items: impl Iterator<Item = String>) -> String {
    format!(r#""{name}":[{}]"#, items.collect::<Vec<_>>().join(","))
}

fn purposes(codes: &[&str]) -> String {
    listed("purpose", codes.iter().map(|code| format!(r#"{{"system":"{V3}ActReason","code":"{code}"}}"#)))
}

/// The label of a level of confidentiality or of a sensitive topic.
fn label(code: &str) -> String {
    let system = if ["L", "N", "R", "V"].contains(&code) { "Confidentiality" } else { "ActCode" };
    format!(r#"{{"system":"{V3}{system}","code":"{code}"}}"#)
}

fn labels(codes: &[&str]) -> String {
    listed("securityLabel", codes.iter().map(|code| label(code)))
}

fn actors(references: &[&str]) -> String {
    let actor = |reference: &&str| {
        format!(r#"{{"role":{{"coding":[{{"code":"IRCP"}}]}},"reference":{{"reference":"{reference}"}}}}"#)
    };
    listed("actor", references.iter().map(actor))
}

fn data(meaning: &str, references: &[&str]) -> String {
    let datum = |reference: &&str| format!(r#"{{"meaning":"{meaning}","reference":{{"reference":"{reference}"}}}}"#);
    listed("data", references.iter().map(datum))
}

/// A Period of this name.
fn period(name: &str, start: &str, end: &str) -> String {
    let sides = [("start", start), ("end", end)].into_iter().filter(|(_, side)| !side.is_empty());
    let sides: Vec<_> = sides.map(|(name, side)| format!(r#""{name}":"{side}""#)).collect();
    format!(r#""{name}":{{{}}}"#, sides.join(","))
}

/// An active consent about privacy.
fn consent(id: &str, patient: &str, provision: &str) -> String {
    format!(
        r#"{{"resourceType":"Consent","id":"{id}","status":"active","scope":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},
        "patient":{{"reference":"Patient/{patient}"}},"provision":{provision}}}"#
    )
}
