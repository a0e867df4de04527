//! Snapshots at their door: published profiles and what was published as their snapshots, rules one by one, and what is refused.

mod published;
mod refused;
mod rules;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::json::{Document, Node};
use crate::profile::Profile;
use crate::terminology::{Canonical, CodeSystem, Coded, Membership, Source, ValueSet};
use crate::{Library, Outcome, published as r4};

/// Definitions by their urls; R4's own besides.
#[derive(Default)]
struct Definitions {
    known: Mutex<HashMap<String, Option<Arc<Document>>>>,
}

impl Definitions {
    fn of(all: &[Arc<Document>]) -> Definitions {
        let url = |it: &Arc<Document>| it.root().get("url").and_then(Node::as_str).expect("a url").into_owned();
        Definitions { known: Mutex::new(all.iter().map(|it| (url(it), Some(it.clone()))).collect()) }
    }
}

impl Source for Definitions {
    fn code_system(&self, _: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        Ok(None)
    }

    fn value_set(&self, _: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        Ok(None)
    }
}

impl Library for Definitions {
    fn structure_definition(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        let mut known = self.known.lock().expect("not poisoned");
        let find = || r4::resource("StructureDefinition", canonical.url).map(Arc::new);
        Ok(known.entry(canonical.url.to_owned()).or_insert_with(find).clone())
    }

    fn profile(&self, _: Canonical<'_>) -> Result<Option<Arc<Profile>>, Outcome> {
        Ok(None)
    }

    fn questionnaire(&self, _: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Ok(None)
    }

    fn member(&self, _: Canonical<'_>, _: &Coded<'_>) -> Membership {
        Membership::Unknown(String::new())
    }

    fn resource(&self, _: &str) -> Option<Arc<Document>> {
        None
    }
}

/// A definition of ours: its url's last part, its base (the last part of a url of ours, or a type of R4), its derivation and its
/// elements.
fn definition(name: &str, base: &str, derivation: &str, elements: &str) -> Arc<Document> {
    let base = match base.starts_with(char::is_uppercase) {
        true => format!("http://hl7.org/fhir/StructureDefinition/{base}"),
        false => format!("http://ours.example/{base}"),
    };
    let json = format!(
        r#"{{"resourceType":"StructureDefinition","url":"http://ours.example/{name}","derivation":"{derivation}",
        "baseDefinition":"{base}","differential":{{"element":[{elements}]}}}}"#
    );
    Arc::new(Document::parse(json.as_bytes()).expect("a valid text"))
}
