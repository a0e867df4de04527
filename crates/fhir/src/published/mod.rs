//! Conformance resources that are always there: R4's own and ours (`profiles/nhs`). R4's are packed in `profiles/r4/conformance.bin` and unpacked on demand: structure definitions without their
//! snapshots, value sets, code systems and concept maps, without narrative. `profiles/README.md` describes the archive.

mod own;

use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

use flate2::read::DeflateDecoder;
use rustc_hash::FxHashMap;

use self::own::OWN;
use crate::Outcome;
use crate::json::{Document, Node};
use crate::library::Library;
use crate::profile::Profile;
use crate::terminology::{self, Canonical, Coded, Membership};

static ARCHIVE: &[u8] = include_bytes!("../../../../profiles/r4/conformance.bin");

/// The archive's parts, and where in them each resource is.
struct Index {
    /// By type and url.
    entries: Vec<Entry>,
    /// Packed.
    blocks: Vec<&'static [u8]>,
    /// The block that was unpacked last: resources are often asked for in the order in which they stand.
    last: Mutex<Option<(usize, Arc<str>)>>,
}

struct Entry {
    resource_type: &'static str,
    url: &'static str,
    block: usize,
    start: usize,
    length: usize,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut parts = Vec::new();
    let mut rest = ARCHIVE;
    while let Some((length, after)) = rest.split_first_chunk() {
        let Some((part, after)) = after.split_at_checked(u32::from_le_bytes(*length) as usize) else { break };
        parts.push(part);
        rest = after;
    }
    let index: &'static str = unpacked(parts.first().copied().unwrap_or_default()).leak();
    let blocks = parts.split_off(1.min(parts.len()));
    Index { entries: index.lines().filter_map(entry).collect(), blocks, last: Mutex::new(None) }
});

fn entry(line: &'static str) -> Option<Entry> {
    let mut fields = line.split('\t');
    let (resource_type, url) = (fields.next()?, fields.next()?);
    let mut number = || fields.next()?.parse().ok();
    Some(Entry { resource_type, url, block: number()?, start: number()?, length: number()? })
}

/// The archive is our own and a test reads all of it, so it cannot be damaged here.
fn unpacked(part: &[u8]) -> String {
    let mut text = String::new();
    let read = DeflateDecoder::new(part).read_to_string(&mut text);
    debug_assert!(read.is_ok(), "{read:?}");
    text
}

impl Index {
    fn find(&self, resource_type: &str, url: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| (entry.resource_type, entry.url).cmp(&(resource_type, url)));
        at.ok().map(|at| &self.entries[at])
    }

    fn block(&self, number: usize) -> Option<Arc<str>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, text)) if *known == number => Some(text.clone()),
            _ => {
                let text: Arc<str> = unpacked(self.blocks.get(number)?).into();
                *last = Some((number, text.clone()));
                Some(text)
            }
        }
    }
}

/// The resource of this type and canonical url (without version).
pub fn resource(resource_type: &str, url: &str) -> Option<Document> {
    if let Some(own) = OWN.iter().find(|own| own.url == url && own.resource_type == resource_type) {
        return Some(own.document.clone());
    }
    let entry = INDEX.find(resource_type, url)?;
    let block = INDEX.block(entry.block)?;
    Document::parse(block.get(entry.start..entry.start + entry.length)?.as_bytes()).ok()
}

/// The resource of this type and canonical url; `None` also when it has another version than is asked for.
pub fn canonical(resource_type: &str, canonical: Canonical<'_>) -> Option<Document> {
    let found = resource(resource_type, canonical.url)?;
    let version = found.root().get("version").and_then(Node::as_str);
    canonical.takes(version.as_deref()).then_some(found)
}

/// The canonical urls of all resources of a type, sorted: R4's, then ours.
pub fn urls(resource_type: &str) -> impl Iterator<Item = &'static str> {
    let r4 = INDEX.entries.iter().filter(move |entry| entry.resource_type == resource_type).map(|entry| entry.url);
    let own = OWN.iter().filter(move |own| own.resource_type == resource_type).map(|own| own.url.as_str());
    r4.chain(own)
}

/// The definitions that are always there as a library of their own, for where there is no store.
#[derive(Clone, Copy, Debug)]
pub struct Published;

/// A profile, or why it cannot be compiled: a logical model is none.
type Compiled = Result<Arc<Profile>, Outcome>;

/// Profiles that were compiled, by url. Bounded by what is published: what is not there is not remembered.
static PROFILES: LazyLock<RwLock<FxHashMap<String, Compiled>>> = LazyLock::new(RwLock::default);

impl Library for Published {
    fn structure_definition(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Ok(self::canonical("StructureDefinition", canonical).map(Arc::new))
    }

    fn profile(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Profile>>, Outcome> {
        let known = PROFILES.read().unwrap_or_else(PoisonError::into_inner).get(canonical.url).cloned();
        let compiled = match known {
            Some(compiled) => compiled,
            None => {
                let Some(definition) = resource("StructureDefinition", canonical.url) else { return Ok(None) };
                let compiled = Profile::compile(self, &definition);
                let mut profiles = PROFILES.write().unwrap_or_else(PoisonError::into_inner);
                profiles.entry(canonical.url.to_owned()).or_insert(compiled).clone()
            }
        };
        let is_asked_for = |profile: &Arc<Profile>| canonical.takes(profile.version.as_deref());
        Ok(Some(compiled?).filter(is_asked_for))
    }

    fn questionnaire(&self, _: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Ok(None)
    }

    fn member(&self, value_set: Canonical<'_>, coded: &Coded<'_>) -> Membership {
        terminology::member(self, value_set, coded)
    }

    fn resource(&self, _: &str) -> Option<Arc<Document>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_is_there_under_its_url() {
        for (resource_type, count) in
            [("CodeSystem", 1062), ("ConceptMap", 80), ("StructureDefinition", 655), ("ValueSet", 1316), ("Patient", 0)]
        {
            let urls: Vec<_> = urls(resource_type).filter(|url| !url.starts_with("https://flint.example/")).collect();
            assert_eq!(urls.len(), count, "{resource_type}");
            assert!(urls.is_sorted());
            for url in urls {
                let found = resource(resource_type, url).unwrap_or_else(|| panic!("{url} is damaged"));
                let root = found.root();
                assert!(root.get("url").is_some_and(|it| it.is_str(url)), "{url}");
                assert_eq!(root.resource_type(), Some(resource_type));
                assert!(root.get("text").is_none() && root.get("snapshot").is_none(), "{url}");
            }
        }
    }

    #[test]
    fn finds_by_type_and_url() {
        let gender = "http://hl7.org/fhir/administrative-gender";
        let found = resource("CodeSystem", gender).expect("known");
        let codes: Vec<_> = found.root().get("concept").into_iter().flat_map(Node::items).collect();
        assert_eq!(codes.len(), 4);
        for (resource_type, url) in [("ValueSet", gender), ("CodeSystem", "urn:none"), ("", "")] {
            assert!(resource(resource_type, url).is_none(), "{resource_type} {url}");
        }
    }

    #[test]
    fn compiles_a_profile_once() {
        let profile = |text: &str| Published.profile(Canonical::parse(text)).expect("usable");
        for (url, version) in [
            ("http://hl7.org/fhir/StructureDefinition/bp", "4.0.1"),
            ("https://flint.example/fhir/StructureDefinition/nhs-patient", "1.0.0"),
        ] {
            let first = profile(url).expect("known");
            assert!(Arc::ptr_eq(&first, &profile(&format!("{url}|{version}")).expect("known")), "{url}");
            assert!(profile(&format!("{url}|9.9")).is_none(), "another version of {url}");
        }
        assert!(profile("urn:none").is_none());
    }
}
