//! Definitions for [`search::Terms`]: CodeSystem and ValueSet resources of the store, then R4's own.
//!
//! They are read whatever the access: only their codes take part in a search, as they would in a terminology server.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Instant;

use fhir::json::Document;
use fhir::terminology::{Canonical, CodeSystem, Source, ValueSet};
use fhir::{Definitions, IssueType, Outcome, Reference};
use rustc_hash::FxHashMap;
use search::{TERMS_CODES_MAX, Terms};
use store::{Filter, Find, Key};

use super::Runner;
use crate::fault;
use crate::session::parse_stored;

/// How many versions of one definition are looked at for the latest.
const VERSIONS_MAX: usize = 100;

/// Definitions that one search has looked up.
pub(super) struct Loaded {
    /// How many codes may still be compared.
    codes_left: Cell<usize>,
    code_systems: RefCell<FxHashMap<String, Option<Arc<CodeSystem>>>>,
    value_sets: RefCell<FxHashMap<String, Option<Arc<ValueSet>>>>,
}

impl Default for Loaded {
    fn default() -> Loaded {
        Loaded {
            codes_left: Cell::new(TERMS_CODES_MAX),
            code_systems: RefCell::default(),
            value_sets: RefCell::default(),
        }
    }
}

impl Source for Runner<'_> {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        cached(&self.loaded.code_systems, canonical, || match self.stored("CodeSystem", canonical)? {
            Some(document) => Ok(Some(Arc::new(CodeSystem::new(document.root())))),
            None => Definitions::r4().code_system(canonical),
        })
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        // An expansion asks here at least once; a query may ask for thousands that touch no rows.
        if Instant::now() > self.until {
            let text = "the time of the search ran out while expanding value sets";
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        cached(&self.loaded.value_sets, canonical, || {
            let stored = match self.local("ValueSet", canonical.url) {
                Some(key) => self.by_key(&key)?,
                None => self.stored("ValueSet", canonical)?,
            };
            match stored {
                Some(document) => Ok(Some(Arc::new(ValueSet::new(document.root())))),
                None => Source::value_set(Definitions::r4(), canonical),
            }
        })
    }
}

fn cached<T>(
    loaded: &RefCell<FxHashMap<String, Option<Arc<T>>>>,
    canonical: Canonical<'_>,
    load: impl FnOnce() -> Result<Option<Arc<T>>, Outcome>,
) -> Result<Option<Arc<T>>, Outcome> {
    let name = canonical.to_string();
    if let Some(known) = loaded.borrow().get(&name) {
        return Ok(known.clone());
    }
    let found = load()?;
    loaded.borrow_mut().insert(name, found.clone());
    Ok(found)
}

impl Runner<'_> {
    /// What is asked of terminology, as a filter.
    pub(super) fn terms(&self, terms: &Terms) -> Result<Filter, Outcome> {
        terms.filter(self, &self.loaded.codes_left)
    }

    /// The definition of this url: of the version named, else the latest.
    fn stored(&self, resource_type: &str, canonical: Canonical<'_>) -> Result<Option<Document>, Outcome> {
        let filter = self.session.registry().by_url(resource_type, canonical.url);
        let mut latest: Option<(Option<String>, Document)> = None;
        for document in self.documents(filter, canonical.url)? {
            let version = document.root().get("version").and_then(|version| version.as_str()).map(String::from);
            let is_later =
                |known: &Option<String>| Canonical::compare_versions(version.as_deref(), known.as_deref()).is_ge();
            if canonical.takes(version.as_deref()) && latest.as_ref().is_none_or(|(known, _)| is_later(known)) {
                latest = Some((version, document));
            }
        }
        Ok(latest.map(|(_, document)| document))
    }

    fn documents(&self, filter: Filter, url: &str) -> Result<Vec<Document>, Outcome> {
        let found = self.find(Find { bodies: true, ..Find::new(filter, VERSIONS_MAX) })?;
        if found.next.is_some() {
            let text = format!("more than {VERSIONS_MAX} definitions have the url `{url}`");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        let bodies = found.hits.iter().filter_map(|hit| Some((&hit.key, hit.version.as_ref()?.body.as_ref()?)));
        bodies.map(|(key, body)| parse_stored(key, body)).collect()
    }

    fn by_key(&self, key: &Key) -> Result<Option<Document>, Outcome> {
        let version = self.snapshot.read(key).map_err(fault::outcome)?;
        version.and_then(|version| version.body).map(|body| parse_stored(key, &body)).transpose()
    }

    /// The resource of this server that a reference names.
    fn local(&self, wanted: &str, reference: &str) -> Option<Key> {
        let (resource_type, id) = match Reference::parse(reference)? {
            Reference::Relative { resource_type, id, .. } => (resource_type, id),
            Reference::Absolute { base, resource_type, id, .. } if base == self.session.setup().base_url => {
                (resource_type, id)
            }
            _ => return None,
        };
        Key::new(resource_type, id).filter(|_| resource_type == wanted)
    }
}

#[cfg(test)]
mod tests {
    use crate::ChangeKind;
    use crate::testing::{House, post_unless};

    fn house() -> House {
        let house = House::new();
        let value_set = |id: &str, version: &str, code: &str| {
            format!(
                r#"{{"resourceType":"ValueSet","id":"{id}","url":"http://v.example/pulse","version":"{version}","status":"active",
                "compose":{{"include":[{{"system":"urn:c","concept":[{{"code":"{code}"}}]}}]}}}}"#
            )
        };
        house.hold(&[
            r#"{"resourceType":"CodeSystem","id":"c","url":"urn:c","status":"active","content":"complete","concept":[
                {"code":"vital","concept":[{"code":"pulse"},{"code":"weight"}]}]}"#,
            &value_set("v9", "1.9", "weight"),
            &value_set("v10", "1.10", "pulse"),
            r#"{"resourceType":"Patient","id":"ann","gender":"female"}"#,
            r#"{"resourceType":"Patient","id":"bob"}"#,
            r#"{"resourceType":"Observation","id":"p","status":"final","code":{"coding":[{"system":"urn:c","code":"pulse"}]},"subject":{"reference":"Patient/ann"}}"#,
            r#"{"resourceType":"Observation","id":"w","status":"final","code":{"coding":[{"system":"urn:c","code":"weight"}]},"subject":{"reference":"Patient/bob"}}"#,
        ]);
        house
    }

    #[test]
    fn looks_definitions_up_in_the_store() {
        let house = house();
        for (resource_type, query, expected) in [
            ("Observation", "code:in=http://v.example/pulse", "p"),
            ("Observation", "code:in=http://v.example/pulse|1.9", "w"),
            ("Observation", "code:not-in=http://v.example/pulse", "w"),
            ("Observation", "code:in=ValueSet/v9", "w"),
            ("Observation", "code:in=http://localhost/fhir/ValueSet/v9", "w"),
            ("Observation", "code:below=urn:c|vital", "p w"),
            ("Observation", "code:above=urn:c|vital", ""),
            ("Patient", "_has:Observation:patient:code:in=http://v.example/pulse", "ann"),
            ("Observation", "patient.gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", "p"),
            ("Patient", "gender:in=http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1", "ann"),
            ("Patient", "gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender", "bob"),
        ] {
            let page = house.search(resource_type, query).unwrap_or_else(|outcome| panic!("{query}: {outcome}"));
            let ids: Vec<_> = page.matches.iter().map(|version| version.key.id()).collect();
            assert_eq!(ids.join(" "), expected, "{query}");
        }
        for (query, expected) in [
            (
                "code:in=http://v.example/pulse|2",
                "parameter `code:in`: the value set `http://v.example/pulse|2` is not known here",
            ),
            ("code:in=ValueSet/none", "the value set `ValueSet/none` is not known here"),
            (
                "code:in=http://hl7.org/fhir/ValueSet/languages",
                "`http://hl7.org/fhir/ValueSet/languages` is not known here",
            ),
            ("code:below=http://snomed.info/sct|1", "the code system `http://snomed.info/sct` is not known here"),
        ] {
            let refused = house.search("Observation", query).map(|page| page.total).expect_err(query);
            assert!(refused.to_string().contains(expected), "{refused}");
        }
    }

    #[test]
    fn conditions_ask_terminology_and_compare_identifiers_as_written() {
        let house = house();
        let observation = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"}}"#;
        let kind = |query: &str| house.done(post_unless(observation, query)).0;
        assert_eq!(kind("code:in=http://v.example/pulse"), ChangeKind::Existing);
        assert_eq!(kind("code:below=urn:c|weight&patient.gender:missing=true"), ChangeKind::Existing);
        let patient = |value: &str| {
            format!(r#"{{"resourceType":"Patient","identifier":[{{"system":"urn:i","value":"{value}"}}]}}"#)
        };
        for (value, expected) in [
            ("Ab1", ChangeKind::Created),
            ("aB1", ChangeKind::Created),
            ("AB1", ChangeKind::Created),
            ("Ab1", ChangeKind::Existing),
            ("aB1", ChangeKind::Existing),
            ("ab1", ChangeKind::Created),
        ] {
            let change = post_unless(&patient(value), &format!("identifier=urn:i|{value}"));
            assert_eq!(house.done(change).0, expected, "{value}");
        }
        assert_eq!(house.search("Patient", "identifier=urn:i|aB1").expect("found").matches.len(), 4);
    }
}
