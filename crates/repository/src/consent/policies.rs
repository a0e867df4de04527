//! The policies of all patients at one state of the store.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use fhir::Instant;
use store::Key;

use super::data::Data;
use super::decision::Asker;
use super::policy::Policy;
use super::restrictions::Restrictions;
use super::{Elevation, Implicit, POLICIES_MAX};
use crate::{Name, Requester};

/// The policies of all patients, as they were at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policies {
    pub(super) generation: u64,
    by_key: HashMap<Key, Arc<Policy>>,
    /// Those of each patient, in order of their keys.
    by_patient: HashMap<Key, Vec<Arc<Policy>>>,
    /// The patients of each identifier by which consents name them.
    identified: HashMap<Name, Vec<Key>>,
    /// The identifiers of each patient with consents, as rows have them: resources may name somebody by these alone.
    numbers: HashMap<Key, Vec<Vec<u8>>>,
    /// Patients with consents whose identifiers nobody has looked for.
    unnumbered: BTreeSet<Key>,
}

impl Policies {
    /// Another after every change of a policy.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// What is hidden from a requester now.
    pub(crate) fn restrictions(
        &self,
        requester: &Requester,
        now: Instant,
        implicit: Implicit,
        elevations: &[Elevation],
    ) -> Restrictions {
        let numbers = |patient: &Key| self.numbers.get(patient).map_or(&[][..], Vec::as_slice);
        if requester.custodian {
            return Restrictions::new([], Data::Everything, &numbers).of(self.generation, None);
        }
        let asker = Asker::new(requester, now, implicit);
        let elevated: Vec<_> = elevations.iter().filter(|elevation| elevation.holds_for(&asker)).collect();
        let mut turns: Vec<_> = elevated.iter().map(|elevation| elevation.until).collect();
        let restrictions = match &requester.patient {
            Some(patient) if requester.acts_for_patient() => {
                let seen = self.seen_of(&asker, patient, &elevated);
                self.of(patient).for_each(|policy| policy.root.turns(&mut turns));
                let is_over = seen == Data::Nothing;
                Restrictions::new([(patient.clone(), seen)], Data::Everything, &numbers).over(is_over)
            }
            _ if !self.rests(&asker) => Restrictions::new([], Data::Nothing, &numbers).over(true),
            _ => {
                let patients = self.by_patient.keys().chain(elevated.iter().map(|elevation| &elevation.patient));
                let patients: BTreeSet<_> = patients.collect();
                let seen =
                    patients.into_iter().map(|patient| (patient.clone(), self.seen_of(&asker, patient, &elevated)));
                Restrictions::new(seen, asker.implied(), &numbers)
            }
        };
        if !requester.acts_for_patient() {
            self.by_key.values().for_each(|policy| policy.root.turns(&mut turns));
        }
        let valid_until = turns.into_iter().filter(|turn| *turn > now).min();
        restrictions.of(self.generation, valid_until)
    }

    fn seen_of(&self, asker: &Asker<'_>, patient: &Key, elevated: &[&Elevation]) -> Data {
        let requester = asker.requester;
        let is_elevated = elevated.iter().any(|elevation| elevation.patient == *patient);
        let are_too_many = self.by_patient.get(patient).is_some_and(|policies| policies.len() > POLICIES_MAX);
        if are_too_many && requester.user.as_ref() != Some(patient) {
            // Nobody is hurt because an import brought too many.
            return if is_elevated { asker.sees([].into_iter(), true) } else { Data::Nothing };
        }
        if requester.acts_for_patient() {
            let own = requester.consents.iter().map(|key| self.of(patient).find(|policy| policy.key == *key));
            return asker.sees_for_patient(patient, own, self.of(patient));
        }
        asker.sees(self.of(patient), is_elevated)
    }

    /// Whether each consent that an access to no patient in particular rests on permits something.
    fn rests(&self, asker: &Asker<'_>) -> bool {
        asker.requester.consents.iter().all(|key| self.by_key.get(key).is_some_and(|policy| asker.permits(policy)))
    }

    fn of(&self, patient: &Key) -> impl Iterator<Item = &Policy> {
        self.by_patient.get(patient).into_iter().flatten().map(AsRef::as_ref)
    }

    /// Whether a consent says anything.
    pub(super) fn holds(&self, key: &Key) -> bool {
        self.by_key.contains_key(key)
    }

    /// Puts in what a consent says now; `None` when it says nothing any more.
    pub(super) fn put(&mut self, key: &Key, policy: Option<Policy>) {
        if let Some(old) = self.by_key.remove(key) {
            self.patients(&old).iter().for_each(|patient| self.forget(patient, key));
        }
        let Some(policy) = policy.map(Arc::new) else { return };
        for patient in self.patients(&policy) {
            self.add(patient, policy.clone());
        }
        self.by_key.insert(key.clone(), policy);
    }

    /// Notes which patients an identifier names, for the consents that name them so.
    pub(super) fn identify(&mut self, name: Name, patients: Vec<Key>) {
        let naming: Vec<_> = self.by_key.values().filter(|policy| policy.patient == name).cloned().collect();
        for policy in naming {
            self.patients(&policy).iter().for_each(|patient| self.forget(patient, &policy.key));
            patients.iter().for_each(|patient| self.add(patient.clone(), policy.clone()));
        }
        self.identified.insert(name, patients);
    }

    /// The patients that an identifier names; `None` when nobody has looked for them.
    pub(super) fn identified(&self, name: &Name) -> Option<&[Key]> {
        self.identified.get(name).map(Vec::as_slice)
    }

    /// Whether no consent says anything.
    pub(super) fn are_none(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The patients with consents whose identifiers nobody has looked for.
    pub(super) fn unnumbered(&self) -> impl Iterator<Item = &Key> {
        self.unnumbered.iter()
    }

    /// The patients with consents.
    pub(super) fn patients_with_any(&self) -> impl Iterator<Item = &Key> {
        self.by_patient.keys()
    }

    /// Whether a patient has consents.
    pub(super) fn has_any_of(&self, patient: &Key) -> bool {
        self.by_patient.contains_key(patient)
    }

    /// The identifiers of a patient, as rows have them; `None` when nobody has looked for them.
    pub(super) fn numbers(&self, patient: &Key) -> Option<&[Vec<u8>]> {
        self.numbers.get(patient).map(Vec::as_slice)
    }

    /// Notes the identifiers of a patient.
    pub(super) fn number(&mut self, patient: Key, numbers: Vec<Vec<u8>>) {
        self.unnumbered.remove(&patient);
        self.numbers.insert(patient, numbers);
    }

    /// The identifiers by which consents name patients.
    pub(super) fn identifiers(&self) -> HashSet<Name> {
        let names = self.by_key.values().map(|policy| &policy.patient);
        names.filter(|name| matches!(name, Name::Identifier { .. })).cloned().collect()
    }

    /// Whether patients are noted for an identifier by which no consent names them any more: nobody looks after those.
    pub(super) fn has_unnamed(&self) -> bool {
        let names = self.identifiers();
        self.identified.keys().any(|name| !names.contains(name))
    }

    pub(super) fn drop_unnamed(&mut self) {
        let names = self.identifiers();
        self.identified.retain(|name, _| names.contains(name));
    }

    fn patients(&self, policy: &Policy) -> Vec<Key> {
        match &policy.patient {
            Name::Key(key) => vec![key.clone()],
            name => self.identified.get(name).cloned().unwrap_or_default(),
        }
    }

    fn add(&mut self, patient: Key, policy: Arc<Policy>) {
        if !self.numbers.contains_key(&patient) {
            self.unnumbered.insert(patient.clone());
        }
        let policies = self.by_patient.entry(patient).or_default();
        let at = policies.partition_point(|other| other.key < policy.key);
        policies.insert(at, policy);
    }

    fn forget(&mut self, patient: &Key, key: &Key) {
        let Some(policies) = self.by_patient.get_mut(patient) else { return };
        policies.retain(|policy| policy.key != *key);
        if policies.is_empty() {
            self.by_patient.remove(patient);
            self.numbers.remove(patient);
            self.unnumbered.remove(patient);
        }
    }
}
