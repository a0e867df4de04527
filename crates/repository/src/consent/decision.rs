//! What one requester sees of one patient's record at one moment, <https://profiles.ihe.net/ITI/PCF/volume-1.html>.
//!
//! - A provision counts when it holds now and is about the requester and one of the purposes.
//! - The base is what the root permits of the patient's consents permit; where none counts, it is the implicit policy. Permits further down,
//!   the exceptions to denies, add to it.
//! - Among the exceptions to one provision a deny wins, and they win over that provision. What one consent denies no other one permits.
//! - Whoever broke the glass sees what the implicit policy lets be seen in an emergency, and denies of the whole patient or by labels do not
//!   count unless they name that purpose.
//! - The patient's own view, and that of somebody who acts for the patient, rests on the consents that the access names: each must permit.
//!   Other consents narrow it where they name the requester.

use std::collections::HashSet;

use fhir::Instant;
use fhir::published::Published;
use fhir::terminology::ancestors;
use store::Key;

use super::data::Data;
use super::policy::Policy;
use super::provision::{Effect, Listed, Provision, What};
use super::{Elevation, Implicit};
use crate::{Name, Requester};

const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// The purpose of whoever breaks the glass.
const BREAK_GLASS: &str = "BTG";

/// Actions that are not done by reading.
const NOT_READING: [&str; 2] = ["collect", "correct"];

/// Who asks, prepared for many decisions of one moment.
pub(super) struct Asker<'a> {
    pub(super) requester: &'a Requester,
    pub(super) now: Instant,
    pub(super) implicit: Implicit,
    names: HashSet<Name>,
    /// With all wider ones: who asks for an emergency asks for treatment.
    purposes: HashSet<String>,
    emergency: HashSet<String>,
}

/// How provisions are weighed.
#[derive(Clone, Copy, PartialEq)]
enum Weighing {
    Plain,
    /// For whoever broke the glass.
    Emergency,
    /// Only denies that name who asks.
    Named,
}

impl<'a> Asker<'a> {
    pub(super) fn new(requester: &'a Requester, now: Instant, implicit: Implicit) -> Asker<'a> {
        let keys = requester.user.iter().chain(&requester.organization).cloned().map(Name::Key);
        Asker {
            requester,
            now,
            implicit,
            names: requester.names.iter().cloned().chain(keys).collect(),
            purposes: requester.purposes.iter().flat_map(|purpose| widened(purpose)).collect(),
            emergency: widened(BREAK_GLASS).into_iter().collect(),
        }
    }

    /// What is seen of a patient about whom there is neither consent nor emergency.
    pub(super) fn implied(&self) -> Data {
        match self.implicit {
            Implicit::Permit => Data::Everything,
            Implicit::PermitNormal => Data::Normal,
            Implicit::BreakGlassOnly | Implicit::Deny => Data::Nothing,
        }
    }

    /// What is seen of a patient with these consents.
    pub(super) fn sees<'p>(&self, policies: impl Iterator<Item = &'p Policy>, is_elevated: bool) -> Data {
        let weighing = if is_elevated { Weighing::Emergency } else { Weighing::Plain };
        let mut base = match (is_elevated, self.implicit) {
            (true, Implicit::Permit | Implicit::PermitNormal | Implicit::BreakGlassOnly) => Data::Everything,
            _ => self.implied(),
        };
        let (mut permitted, mut denied) = (Data::Nothing, Data::Nothing);
        for policy in policies {
            if !is_elevated && policy.root.effect == Effect::Permit && self.counts(&policy.root, weighing) {
                base = Data::Nothing;
            }
            let (permits, denies) = self.weigh(&policy.root, weighing);
            permitted = permitted.or(permits);
            denied = denied.or(denies);
        }
        base.or(permitted).without(denied)
    }

    /// What somebody sees who is the patient or acts for the patient: `rests_on` are the consents of this access, `None` where one is not
    /// there or about another patient, and `policies` all of the patient's.
    pub(super) fn sees_for_patient<'p>(
        &self,
        patient: &Key,
        rests_on: impl Iterator<Item = Option<&'p Policy>>,
        policies: impl Iterator<Item = &'p Policy>,
    ) -> Data {
        if self.requester.consents.is_empty() && self.requester.user.as_ref() != Some(patient) {
            return Data::Nothing;
        }
        let permits =
            |policy: Option<&Policy>| policy.map_or(Data::Nothing, |it| self.weigh(&it.root, Weighing::Plain).0);
        let permitted = rests_on.map(permits).fold(Data::Everything, Data::and);
        let denies = policies.map(|policy| self.weigh(&policy.root, Weighing::Named).1);
        permitted.without(denies.fold(Data::Nothing, Data::or))
    }

    /// Whether a consent permits anything.
    pub(super) fn permits(&self, policy: &Policy) -> bool {
        self.weigh(&policy.root, Weighing::Plain).0 != Data::Nothing
    }

    /// What a provision with its exceptions permits and what it denies.
    fn weigh(&self, provision: &Provision, weighing: Weighing) -> (Data, Data) {
        let (mut permitted, mut denied) = (Data::Nothing, Data::Nothing);
        for exception in &provision.exceptions {
            let (permits, denies) = self.weigh(exception, weighing);
            permitted = permitted.or(permits);
            denied = denied.or(denies);
        }
        let own = match self.counts(provision, weighing) {
            true => Data::of(&provision.what, provision.effect),
            false => Data::Nothing,
        };
        match provision.effect {
            Effect::Silent => (permitted.without(denied.clone()), denied),
            Effect::Permit => (permitted.or(own).without(denied.clone()), denied),
            Effect::Deny => {
                let own = own.without(permitted.clone());
                (permitted.without(denied.clone()), denied.or(own))
            }
        }
    }

    /// Whether a provision holds now and is about who asks.
    fn counts(&self, provision: &Provision, weighing: Weighing) -> bool {
        let (start, end) = provision.period;
        let is_deny = provision.effect == Effect::Deny;
        let is_asked = |purpose: &String| {
            self.purposes.contains(purpose) || weighing == Weighing::Emergency && self.emergency.contains(purpose)
        };
        let is_reading = |action: &String| !NOT_READING.contains(&action.as_str());
        start <= self.now
            && self.now < end
            && fits(&provision.actors, is_deny, |name| self.names.contains(name))
            && fits(&provision.purposes, is_deny, is_asked)
            && fits(&provision.actions, is_deny, is_reading)
            && !(is_deny && spares(provision, weighing))
    }
}

/// Whether one alternative fits. Of those that are not understood a deny takes each for one that does.
fn fits<T>(listed: &Option<Listed<T>>, is_deny: bool, fits: impl Fn(&T) -> bool) -> bool {
    listed.as_ref().is_none_or(|listed| is_deny && listed.has_others || listed.known.iter().any(fits))
}

/// Whether a deny does not count in this weighing.
fn spares(deny: &Provision, weighing: Weighing) -> bool {
    match weighing {
        Weighing::Plain => false,
        Weighing::Named => deny.actors.is_none(),
        Weighing::Emergency => {
            let of_patient_or_labels = What { labels: None, ..deny.what.clone() } == What::default();
            let names_emergency = deny
                .purposes
                .as_ref()
                .is_some_and(|it| it.has_others || it.known.iter().any(|code| code == BREAK_GLASS));
            of_patient_or_labels && !names_emergency && !deny.is_absolute
        }
    }
}

/// A purpose and all wider ones.
fn widened(purpose: &str) -> Vec<String> {
    ancestors(&Published, ACT_REASON, purpose).unwrap_or_else(|_| vec![purpose.to_owned()])
}

impl Elevation {
    /// Whether it lifts denies for who asks, now.
    pub(super) fn holds_for(&self, asker: &Asker<'_>) -> bool {
        asker.requester.user.as_ref() == Some(&self.user) && asker.now < self.until
    }
}
