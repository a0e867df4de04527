//! What a resource that is seen tells of others that are hidden: in all that goes out, a reference to what consents hide is masked, as
//! <https://hl7.org/fhir/R4/extension-data-absent-reason.html> has it, and the resource is labeled REDACTED,
//! <https://hl7.org/fhir/R4/security-labels.html>.
//!
//! - Masked is what a read would answer as not there although it is, or was: what never was there names nobody.
//! - Whoever sees a part of a patient's record may know whose it is, and everybody knows who asks: such references stay.
//! - Who changes a resource in which something is masked changes what they get, and what is masked stays in its place. A change that leaves
//!   it no place is refused.
//!
//! It costs nothing where consents hide nothing from the caller. Else the bytes are looked through for what may be a name, each name is
//! asked for once, and only what names something hidden is parsed.

mod cover;
mod restore;
mod scan;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use fhir::Outcome;
use fhir::json::Document;
use search::{Name, Named};
use store::{Filter, Head, Index, Key, Snapshot, Version};

pub(crate) use self::cover::refuse_redacted;
use self::cover::{Cover, Covered};
pub(crate) use self::restore::{Masked, Restored};
use crate::access::Sight;
use crate::consent::Kind;
use crate::search::Runner;
use crate::session::parse_stored;
use crate::{Changed, Session, fault};

/// The type of those whose records there are.
const PATIENT: &str = "Patient";

/// The body of a version, to be masked.
pub(crate) fn body(version: &mut Version) -> Option<(&Key, &mut Bytes)> {
    Some((&version.key, version.body.as_mut()?))
}

/// Of which resources the caller may know, each asked for once.
struct Masks<'a> {
    session: &'a Session<'a>,
    snapshot: &'a dyn Snapshot,
    sight: &'a Sight,
    told: RefCell<HashMap<Key, bool>>,
}

impl Session<'_> {
    /// Masks what these versions tell of what is hidden.
    pub(crate) fn mask<'v>(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        versions: impl IntoIterator<Item = &'v mut Version>,
    ) -> Result<(), Outcome> {
        match sight.is_narrowed() {
            true => self.mask_bodies(snapshot, sight, versions.into_iter().filter_map(body).collect()),
            false => Ok(()),
        }
    }

    /// The same for bodies, each with the key of the resource that it is, or is in.
    pub(crate) fn mask_bodies(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        bodies: Vec<(&Key, &mut Bytes)>,
    ) -> Result<(), Outcome> {
        if sight.is_narrowed() {
            let masks = Masks::new(self, snapshot, sight);
            let mut known = HashSet::new();
            for (key, body) in bodies {
                if let Some(covered) = masks.covered(key, body, &mut known)? {
                    *body = Bytes::from(covered.text);
                }
            }
        }
        Ok(())
    }

    /// What was done, as far as the caller may see it now.
    pub(crate) fn masked(&self, mut changed: Vec<Changed>) -> Result<Vec<Changed>, Outcome> {
        if self.requester().is_some_and(|requester| !requester.custodian) {
            let snapshot = self.snapshot()?;
            let sight = self.sight(&*snapshot)?;
            self.mask(&*snapshot, &sight, changed.iter_mut().filter_map(|changed| changed.version.as_mut()))?;
        }
        Ok(changed)
    }

    /// What the caller gets of a version in which something is masked; `None` when nothing is.
    pub(crate) fn masked_of(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        version: &Version,
    ) -> Result<Option<Masked>, Outcome> {
        let Some(body) = version.body.as_ref().filter(|_| sight.is_narrowed()) else { return Ok(None) };
        let covered = Masks::new(self, snapshot, sight).covered(&version.key, body, &mut HashSet::new())?;
        covered.map(|covered| Masked::new(&version.key, covered)).transpose()
    }
}

impl Runner<'_> {
    /// What names another resource, as far as the caller may know of that one.
    pub(crate) fn naming(&self, named: &Named) -> Result<Filter, Outcome> {
        if !self.sight().is_narrowed() {
            return Ok(named.filter.clone());
        }
        if named.name == Name::Identifier {
            let links = named.indexes.clone();
            let hidden = Filter::LinksTo { links, names: Vec::new(), to: Box::new(self.hidden()) };
            return Ok(named.filter.clone().and(hidden.not()));
        }
        let masks = Masks::new(self.session, self.snapshot, self.sight());
        let keys = named.keys();
        let mut told = Vec::new();
        for key in &keys {
            if masks.tells(key)? || self.is_of_record(named, key) {
                told.push(key.clone());
            }
        }
        // Of an id alone it is always looked for one by one, so that the time does not tell whether all of them are told.
        match told.len() == keys.len() && matches!(named.name, Name::Key(_)) {
            true => Ok(named.filter.clone()),
            false => Ok(named.among(&told)),
        }
    }

    /// Whether the name is that of the patient in whose record the resources are that it is asked of.
    fn is_of_record(&self, named: &Named, key: &Key) -> bool {
        let (registry, resource_type) = (self.session.registry(), named.resource_type);
        let of_record = |index: &Index| match Kind::of(registry, resource_type) {
            Kind::Record(indexes) => indexes.contains(index) || registry.patient_indexes(resource_type).contains(index),
            Kind::Public | Kind::Carrier => false,
        };
        key.collection() == PATIENT && named.indexes.iter().any(of_record)
    }

    /// What consents hide, of every type.
    fn hidden(&self) -> Filter {
        let registry = self.session.registry();
        let of_type = |name: &&str| {
            let seen = self.sight().consented(name)?;
            Some(registry.all_of(name).and(seen.as_ref().clone().not()))
        };
        Filter::Any(registry.resource_types().iter().filter_map(of_type).collect())
    }
}

impl<'a> Masks<'a> {
    fn new(session: &'a Session<'a>, snapshot: &'a dyn Snapshot, sight: &'a Sight) -> Masks<'a> {
        Masks { session, snapshot, sight, told: RefCell::default() }
    }

    /// The body with all masked that tells of what is hidden; `None` when nothing does. `known` are names of which none is hidden.
    fn covered(&self, key: &Key, body: &Bytes, known: &mut HashSet<Box<str>>) -> Result<Option<Covered>, Outcome> {
        let found = scan::names(body, self.session.base_url());
        let mut is_suspect = !found.is_complete;
        for name in found.names {
            if !known.contains(name) {
                match self.is_hidden_name(name)? {
                    true => is_suspect = true,
                    false => drop(known.insert(name.into())),
                }
            }
        }
        if !is_suspect {
            return Ok(None);
        }
        let document = parse_stored(key, body)?;
        let own = self.patients_of(&document)?;
        let is_hidden = |named: &Key| Ok(!own.contains(named) && !self.tells(named)?);
        Cover::new(self.session, &document, &is_hidden).covered()
    }

    fn is_hidden_name(&self, name: &str) -> Result<bool, Outcome> {
        match Key::parse(name) {
            Some(key) => Ok(!self.tells(&key)?),
            None => Ok(false),
        }
    }

    /// Whether the caller may know of what is there, or was, under this key.
    fn tells(&self, key: &Key) -> Result<bool, Outcome> {
        let Some(filter) = self.sight.consented(key.collection()) else { return Ok(true) };
        if let Some(told) = self.told.borrow().get(key) {
            return Ok(*told);
        }
        let told = self.is_own(key) || self.lets_see(key, &filter)?;
        self.told.borrow_mut().insert(key.clone(), told);
        Ok(told)
    }

    fn is_own(&self, key: &Key) -> bool {
        let requester = self.session.requester();
        requester.is_some_and(|requester| [&requester.user, &requester.patient].contains(&&Some(key.clone())))
    }

    fn lets_see(&self, key: &Key, filter: &Filter) -> Result<bool, Outcome> {
        match self.snapshot.judge(key, filter).map_err(fault::outcome)? {
            None | Some((_, true)) => Ok(true),
            Some((Head { deleted: false, .. }, false)) => Ok(false),
            Some((Head { deleted: true, .. }, false)) => {
                let deletion = self.snapshot.read(key).map_err(fault::outcome)?;
                deletion.map_or(Ok(true), |deletion| self.session.fits(self.snapshot, self.sight, filter, &deletion))
            }
        }
    }

    /// The patients in whose records a resource is.
    fn patients_of(&self, document: &Document) -> Result<BTreeSet<Key>, Outcome> {
        let registry = self.session.registry();
        let kind = document.root().resource_type().map(|name| Kind::of(registry, name));
        let Some(Kind::Record(indexes)) = kind else { return Ok(BTreeSet::new()) };
        let rows = registry.rows(document)?.rows;
        let named = rows.iter().filter(|row| indexes.contains(&row.index)).filter_map(|row| Key::from_link(&row.value));
        Ok(named.filter(|named| named.collection() == PATIENT).collect())
    }
}
