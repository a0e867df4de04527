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
//! asked for once between two commits that change resources of its type, and only what names something hidden is parsed.

mod cover;
mod restore;
mod scan;

use std::collections::BTreeSet;

use bytes::Bytes;
use fhir::Outcome;
use fhir::json::Document;
use search::{Name, Named};
use store::{Filter, Head, Index, Key, Snapshot, Version};

pub(crate) use self::cover::refuse_redacted;
use self::cover::{Cover, Covered};
pub(crate) use self::restore::{Masked, Restored};
use crate::access::{Act, Sight};
use crate::consent::Kind;
use crate::search::Runner;
use crate::session::parse_stored;
use crate::trail::{EVENT, Seen, What};
use crate::{ChangeKind, Changed, Session, fault};

/// The type of those whose records there are.
const PATIENT: &str = "Patient";

/// A body to be masked, of a resource or of what is in one.
pub(crate) struct Body<'v> {
    /// The resource that it is, or is in.
    key: &'v Key,
    bytes: &'v mut Bytes,
    /// Patients in whose records the resource is, as far as they are known beforehand.
    patients: Option<&'v BTreeSet<Key>>,
}

impl<'v> Body<'v> {
    pub(crate) fn new(key: &'v Key, bytes: &'v mut Bytes, patients: Option<&'v BTreeSet<Key>>) -> Body<'v> {
        Body { key, bytes, patients }
    }

    /// `None` for a deletion.
    pub(crate) fn of(version: &'v mut Version, patients: Option<&'v BTreeSet<Key>>) -> Option<Body<'v>> {
        Some(Body { key: &version.key, bytes: version.body.as_mut()?, patients })
    }
}

/// Of which resources the caller may know.
struct Masks<'a> {
    session: &'a Session<'a>,
    snapshot: &'a dyn Snapshot,
    sight: &'a Sight,
}

impl Session<'_> {
    /// Masks what these versions tell of what is hidden.
    pub(crate) fn mask<'v>(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        versions: impl IntoIterator<Item = &'v mut Version>,
    ) -> Result<(), Outcome> {
        self.mask_bodies(snapshot, sight, versions.into_iter().filter_map(|version| Body::of(version, None)))
    }

    /// The same for bodies.
    pub(crate) fn mask_bodies<'v>(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        bodies: impl IntoIterator<Item = Body<'v>>,
    ) -> Result<(), Outcome> {
        if !sight.is_consented() {
            return Ok(());
        }
        let masks = sight.is_narrowed().then(|| Masks::new(self, snapshot, sight));
        for Body { key, bytes, patients } in bodies {
            if key.collection() == EVENT
                && let Some(less) = self.without_values(key, bytes)?
            {
                *bytes = less;
            }
            if let Some(masks) = &masks
                && let Some(covered) = masks.covered(key, bytes, patients)?
            {
                *bytes = Bytes::from(covered.text);
            }
        }
        Ok(())
    }

    /// Those of these versions in which something is masked.
    pub(crate) fn masked_among<'v>(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        versions: impl IntoIterator<Item = &'v Version>,
    ) -> Result<Vec<Key>, Outcome> {
        let masks = Masks::new(self, snapshot, sight);
        let mut masked = Vec::new();
        for version in versions {
            if let Some(body) = &version.body
                && masks.covered(&version.key, body, None)?.is_some()
            {
                masked.push(version.key.clone());
            }
        }
        Ok(masked)
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

    /// What was done, with its content only where the caller made it or may read it. What is shown of it without having been written is accounted
    /// for as a read.
    pub fn disclosed(&self, mut changed: Changed) -> Result<Changed, Outcome> {
        let Some(version) = changed.version.as_ref().filter(|version| version.body.is_some()) else {
            return Ok(changed);
        };
        if changed.kind != ChangeKind::Created && !self.reads_all(version.key.collection()) {
            let snapshot = self.snapshot()?;
            if !self.shows(&*snapshot, &self.sight(&*snapshot)?, Act::Read, version)? {
                changed.version = Some(Version { body: None, ..version.clone() });
                return Ok(changed);
            }
        }
        if self.accounts() && matches!(changed.kind, ChangeKind::Unchanged | ChangeKind::Existing) {
            self.note(What::Read, vec![Seen::of(version, self.patients_of(version)?)]);
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
        let covered = Masks::new(self, snapshot, sight).covered(&version.key, body, None)?;
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
            if masks.tells(key.as_str())? || self.is_of_record(named, key) {
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
        Masks { session, snapshot, sight }
    }

    /// The body with all masked that tells of what is hidden; `None` when nothing does. `patients` are some of those in whose records it is.
    fn covered(&self, key: &Key, body: &Bytes, patients: Option<&BTreeSet<Key>>) -> Result<Option<Covered>, Outcome> {
        let is_of_record = |name: &str| patients.is_some_and(|patients| patients.iter().any(|it| it.as_str() == name));
        let found = scan::names(body, self.session.base_url());
        let mut is_suspect = !found.is_complete;
        for name in found.names {
            is_suspect |= !is_of_record(name) && !self.tells(name)?;
        }
        if !is_suspect {
            return Ok(None);
        }
        let document = parse_stored(key, body)?;
        let own = self.patients_of(&document)?;
        let is_hidden =
            |named: &Key| Ok(!own.contains(named) && !is_of_record(named.as_str()) && !self.tells(named.as_str())?);
        Cover::new(self.session, &document, &is_hidden).covered()
    }

    /// Whether the caller may know of what is there, or was, under this name.
    fn tells(&self, name: &str) -> Result<bool, Outcome> {
        self.sight.tells(self.snapshot, name, |filter| match Key::parse(name) {
            Some(key) => Ok(self.is_own(name) || self.lets_see(&key, filter)?),
            None => Ok(true),
        })
    }

    fn is_own(&self, name: &str) -> bool {
        let is = |key: &Option<Key>| key.as_ref().is_some_and(|key| key.as_str() == name);
        self.session.requester().is_some_and(|requester| is(&requester.user) || is(&requester.patient))
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
