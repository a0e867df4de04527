//! References of a transaction become references to the resources that it writes or finds,
//! <https://hl7.org/fhir/R4/http.html#trules>.

use std::collections::HashMap;

use fhir::json::{Document, Edit};
use fhir::outcome::SPINE_CODES;
use fhir::{Definitions, IssueType, Outcome, Reference};
use store::{Find, Key, Snapshot};

use super::draft::{Criteria, Draft};
use super::identity::{Aim, Aims, several};
use super::matching::Matching;
use super::references::{Site, SiteKind, expression};
use crate::access::{Known, Sight, accepts};
use crate::{Method, References, Session, fault};

/// Everything that a reference may lead to.
pub(super) struct Resolver<'a, 'm, 's> {
    session: &'a Session<'a>,
    snapshot: &'a dyn Snapshot,
    drafts: &'a [Draft],
    aims: &'a Aims,
    matching: &'m mut Matching<'a, 's>,
    sight: Sight,
    by_full_url: HashMap<&'a str, &'a Key>,
    conditions: HashMap<String, Result<Key, Outcome>>,
    exists: HashMap<Key, bool>,
}

impl<'a, 'm, 's> Resolver<'a, 'm, 's> {
    pub(super) fn new(
        session: &'a Session<'a>,
        snapshot: &'a dyn Snapshot,
        drafts: &'a [Draft],
        aims: &'a Aims,
        matching: &'m mut Matching<'a, 's>,
    ) -> Resolver<'a, 'm, 's> {
        let by_full_url = drafts.iter().enumerate().filter_map(|(change, draft)| match aims.of(change) {
            Aim::Write(key) | Aim::Existing(key) => Some((draft.full_url.as_deref()?, key)),
            Aim::Nothing => None,
        });
        let by_full_url = by_full_url.collect();
        let (conditions, exists) = (HashMap::default(), HashMap::default());
        let sight = matching.sight().clone();
        Resolver { session, snapshot, drafts, aims, matching, sight, by_full_url, conditions, exists }
    }

    /// The edits that rewrite the references of a document, sorted; or all that does not resolve.
    pub(super) fn edits(
        &mut self,
        full_url: Option<&str>,
        document: &Document,
        sites: &[Site],
    ) -> Result<Vec<Edit>, Outcome> {
        let mut edits = Vec::new();
        let mut issues = Vec::new();
        for site in sites {
            match self.resolve(full_url, site) {
                Ok(Some(text)) => edits.push(Edit { range: site.range.clone(), text }),
                Ok(None) => {}
                Err(outcome) => {
                    let at = expression(self.session.setup().definitions, document, site.range.start);
                    issues.extend(outcome.at(at).issues);
                }
            }
        }
        edits.sort_by_key(|edit| edit.range.start);
        if issues.is_empty() { Ok(edits) } else { Err(Outcome { issues }) }
    }

    /// What a reference becomes; `None` when it stays as it is.
    fn resolve(&mut self, full_url: Option<&str>, site: &Site) -> Result<Option<String>, Outcome> {
        let text = site.text.as_str();
        if let Some(key) = self.by_full_url.get(text) {
            return Ok(Some(key.to_string()));
        }
        if site.kind == SiteKind::Link {
            return Ok(None);
        }
        match Reference::parse(text) {
            Some(Reference::Urn(urn)) => self.refuse_dangling(urn),
            Some(Reference::Conditional { resource_type, query }) => {
                self.condition(text, resource_type, query).map(|key| Some(key.to_string()))
            }
            Some(Reference::Relative { resource_type, id, .. }) => {
                // Beside a fullUrl, a relative reference leads to the neighbor of that URL first.
                if let Some(Reference::Absolute { base, .. }) = full_url.and_then(Reference::parse)
                    && let Some(key) = self.by_full_url.get(format!("{base}/{resource_type}/{id}").as_str())
                {
                    return Ok((key.as_str() != text).then(|| key.to_string()));
                }
                self.check(text, resource_type, id)
            }
            Some(Reference::Absolute { base, resource_type, id, .. }) if base == self.session.setup().base_url => {
                self.check(text, resource_type, id)
            }
            _ => Ok(None),
        }
    }

    fn refuse_dangling(&self, urn: &str) -> Result<Option<String>, Outcome> {
        match self.session.references {
            References::Accept => Ok(None),
            References::Check => Err(unresolved(format!("`{urn}` is the fullUrl of no entry of this transaction"))),
        }
    }

    /// The one resource that a conditional reference matches.
    fn condition(&mut self, text: &str, resource_type: &str, query: &str) -> Result<Key, Outcome> {
        if let Some(known) = self.conditions.get(text) {
            return known.clone();
        }
        let definitions = self.session.setup().definitions;
        let found = self.find(definitions, resource_type, query);
        self.conditions.insert(text.to_owned(), found.clone());
        found
    }

    fn find(&mut self, definitions: &Definitions, resource_type: &str, query: &str) -> Result<Key, Outcome> {
        let Some(resource_type) = definitions.resource_type(resource_type) else {
            return Err(unresolved(format!("`{resource_type}` is not a resource type of FHIR R4")));
        };
        let criteria = Criteria::new(self.session, resource_type, query.to_owned())?;
        match self.matching.matches(&criteria, self.aims)?.as_slice() {
            [] => Err(unresolved(format!(
                "no {resource_type} matches the conditional reference `{resource_type}?{query}`"
            ))),
            [key] => Ok(key.clone()),
            _ => Err(several(&criteria)),
        }
    }

    /// Refuses a reference to a resource of this server that is not there. From whom anything may be hidden is refused it in any case: were it
    /// accepted, it would come back masked exactly where there is something hidden.
    fn check(&mut self, text: &str, resource_type: &str, id: &str) -> Result<Option<String>, Outcome> {
        if self.session.references == References::Accept && !self.sight.is_consented() {
            return Ok(None);
        }
        let Some(key) = Key::new(resource_type, id) else { return Ok(None) };
        if let Some(patient) = self.numbered(&key)? {
            return Ok(Some(patient.to_string()));
        }
        let exists = match self.exists.get(&key) {
            Some(exists) => *exists,
            None => {
                let exists = self.exists(&key)?;
                self.exists.insert(key, exists);
                exists
            }
        };
        if exists {
            Ok(None)
        } else {
            Err(unresolved(format!("the reference `{text}` leads to no resource of this server")))
        }
    }

    /// The patient whom an NHS number in place of an id means, as far as the caller may know; an id that there is means itself.
    fn numbered(&self, key: &Key) -> Result<Option<Key>, Outcome> {
        let of_patient = (key.collection() == "Patient").then(|| self.session.registry().patients_numbered(key.id()));
        let Some(filter) = of_patient.flatten().filter(|_| self.aims.writer(key).is_none()) else { return Ok(None) };
        if self.snapshot.head(key).map_err(fault::outcome)?.is_some_and(|head| !head.deleted) {
            return Ok(None);
        }
        let found = self.snapshot.find(&Find::new(filter, 2)).map_err(fault::outcome)?;
        let [hit] = found.hits.as_slice() else { return Ok(None) };
        let is_told = match self.sight.known("Patient") {
            Known::Untold => self.session.access.only_patient() == Some(&hit.key),
            Known::All => true,
            Known::Only(filter) => accepts(self.snapshot, &hit.key, &filter)?,
        };
        Ok(is_told.then(|| hit.key.clone()))
    }

    fn exists(&self, key: &Key) -> Result<bool, Outcome> {
        match self.aims.writer(key).map(|change| self.drafts[change].method) {
            Some(Method::Delete) => Ok(false),
            Some(Method::Post | Method::Put) => Ok(true),
            Some(Method::Patch) | None => self.is_there(key),
        }
    }
}

impl Resolver<'_, '_, '_> {
    /// Whether there is such a resource, as far as the caller may know.
    fn is_there(&self, key: &Key) -> Result<bool, Outcome> {
        match self.sight.known(key.collection()) {
            Known::Untold => Ok(true),
            Known::All => {
                let head = self.snapshot.head(key).map_err(fault::outcome)?;
                Ok(head.is_some_and(|head| !head.deleted))
            }
            Known::Only(filter) => accepts(self.snapshot, key, &filter),
        }
    }
}

/// The refusal of a reference that does not lead to anything.
fn unresolved(text: String) -> Outcome {
    Outcome::new(IssueType::UnresolvedReference, text).coded(SPINE_CODES, "REFERENCE_NOT_FOUND")
}
