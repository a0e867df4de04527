//! Who may see what, slowly and from the words: IHE PCF, and what is written at the head of the repository's module `consent`. It looks at
//! resources as JSON, one by one, and shares no code with the server.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::datum::{Datum, of_type, text};
use super::says::{Denies, Provision, Says};
use super::world::{Version, World};

/// The day of the first commit; each round is on the next.
const FIRST_DAY: usize = 1;

/// What is seen of patients without consents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Implicit {
    All,
    Normal,
    Nothing,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    /// `Practitioner/dr0`; empty for a system.
    pub(super) user: String,
    pub(super) organization: String,
    /// Of the client: `system|value`.
    pub(super) identifiers: Vec<String>,
    pub(super) purposes: Vec<String>,
    /// The patient in context.
    pub(super) patient: Option<String>,
    /// Only that patient's record is granted.
    pub(super) is_limited: bool,
    /// The only types that are granted; `None` for all.
    pub(super) types: Option<Vec<&'static str>>,
    pub(super) consents: Vec<String>,
    /// Somebody without a token, who sees the directory.
    pub(super) is_nobody: bool,
}

/// All that is there, and the consents by patient.
pub(super) struct Oracle<'w> {
    /// What is there now.
    current: BTreeMap<&'w str, &'w Value>,
    /// What was there last, also of what is gone.
    last: BTreeMap<&'w str, &'w Value>,
    consents: BTreeMap<String, Vec<&'w Value>>,
    implicit: Implicit,
}

impl<'w> Oracle<'w> {
    pub(super) fn new(world: &'w World, implicit: Implicit) -> Oracle<'w> {
        let all = world.all();
        let current: BTreeMap<_, _> =
            all.iter().filter_map(|(key, versions)| Some((*key, versions.last()?.content?))).collect();
        let last = |versions: &[Version<'w>]| versions.iter().rev().find_map(|version| version.content);
        let last = all.iter().filter_map(|(key, versions)| Some((*key, last(versions)?))).collect();
        let mut consents: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for (_, content) in current.iter().filter(|(key, _)| key.starts_with("Consent/")) {
            let scope = content["scope"]["coding"][0]["code"].as_str().expect("a scope");
            if content["status"] == "active" && ["patient-privacy", "research"].contains(&scope) {
                let patient = match text(&content["patient"]["identifier"]["value"]).strip_prefix('N') {
                    Some(number) => format!("Patient/p{number}"),
                    None => text(&content["patient"]["reference"]),
                };
                consents.entry(patient).or_default().push(content);
            }
        }
        Oracle { current, last, consents, implicit }
    }

    /// Whether a resource is seen that had this content in a round.
    pub(super) fn sees(&self, asker: &Asker, key: &str, content: &Value, round: usize) -> bool {
        let datum = Datum { key, content, day: format!("2027-03-0{}", FIRST_DAY + round) };
        self.is_granted(asker, &datum) && self.is_consented(asker, &datum)
    }

    /// The content as the asker gets it: nothing in it names what is hidden.
    pub(super) fn masked(&self, asker: &Asker, key: &str, content: &Value) -> Value {
        let datum = Datum { key, content, day: format!("2027-03-0{FIRST_DAY}") };
        let mut content = content.clone();
        self.mask(asker, &datum, &mut content);
        content
    }

    fn mask(&self, asker: &Asker, datum: &Datum<'_>, value: &mut Value) {
        if let Some(target) = value.get("reference").and_then(Value::as_str) {
            if self.is_untold(asker, datum, target) {
                let absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
                *value = json!({ "extension": [{ "url": absent, "valueCode": "masked" }] });
            }
            return;
        }
        match value {
            Value::Object(members) => members.values_mut().for_each(|value| self.mask(asker, datum, value)),
            Value::Array(items) => items.iter_mut().for_each(|value| self.mask(asker, datum, value)),
            _ => {}
        }
    }

    /// Whether a reference would tell of what is hidden. Who sees a part of a record may know whose it is, and everybody knows who asks.
    fn is_untold(&self, asker: &Asker, datum: &Datum<'_>, target: &str) -> bool {
        let is_known = asker.is_nobody || asker.patient.as_deref() == Some(target) || asker.user == target;
        let Some((key, content)) = self.last.get_key_value(target) else { return false };
        let named = Datum { key, content, day: format!("2027-03-0{FIRST_DAY}") };
        !is_known && !datum.patients().contains(target) && !self.is_consented(asker, &named)
    }

    /// The day of what is there now does not matter: what others lead to has dates of its own, or is judged as of the first round.
    fn current(&self, key: &str) -> Option<Datum<'_>> {
        let (key, content) = self.current.get_key_value(key)?;
        Some(Datum { key, content, day: format!("2027-03-0{FIRST_DAY}") })
    }

    fn is_granted(&self, asker: &Asker, datum: &Datum<'_>) -> bool {
        let name = of_type(datum.key);
        if !asker.may_ask(datum.key) {
            return false;
        }
        if asker.is_nobody {
            return datum.is_public() || datum.is_of_place();
        }
        if !asker.is_limited {
            return true;
        }
        let Some(patient) = &asker.patient else { return false };
        let is_about = |datum: &Datum<'_>| match of_type(datum.key) {
            "Patient" => datum.key == patient,
            "Task" => datum.content["for"]["reference"] == patient.as_str(),
            _ => datum.patients().contains(patient),
        };
        let leads = |element: &Value| {
            let target = self.current(element["reference"].as_str().unwrap_or_default());
            target.is_some_and(|target| !target.is_public() && is_about(&target))
        };
        match name {
            _ if datum.is_public() => true,
            "Schedule" => datum.patients().is_empty() || is_about(datum),
            "Binary" => leads(&datum.content["securityContext"]),
            "Provenance" => is_about(datum) || leads(&datum.content["target"][0]),
            _ => is_about(datum),
        }
    }

    fn is_consented(&self, asker: &Asker, datum: &Datum<'_>) -> bool {
        match of_type(datum.key) {
            _ if datum.is_public() || asker.is_nobody => true,
            "Binary" => self.leads_to_seen(asker, &datum.content["securityContext"]),
            "Provenance" => {
                let target = datum.content["target"][0]["reference"].as_str().unwrap_or_default();
                let is_target_seen = |target: Datum<'_>| self.is_consented(asker, &target);
                let is_patient = asker.patient.as_ref() == Some(&asker.user);
                self.is_own_seen(asker, datum) && self.current(target).map_or(is_patient, is_target_seen)
            }
            _ => self.is_own_seen(asker, datum),
        }
    }

    /// What is not there hides nothing.
    fn leads_to_seen(&self, asker: &Asker, element: &Value) -> bool {
        let target = self.current(element["reference"].as_str().unwrap_or_default());
        target.is_none_or(|target| self.is_consented(asker, &target))
    }

    /// In the records of several patients it is hidden if any hides it.
    fn is_own_seen(&self, asker: &Asker, datum: &Datum<'_>) -> bool {
        let mut of = datum.patients();
        of.extend(self.identified(datum));
        match asker.patient.as_ref().filter(|_| asker.acts_for_patient()) {
            Some(own) => !of.contains(own) || self.is_seen_for(asker, own, datum),
            // By an identifier that nobody has it may be anybody's.
            None if of.is_empty() && datum.content["patient"]["identifier"].is_object() => self.is_implied(datum),
            None => of.iter().all(|patient| self.is_seen_of(asker, patient, datum)),
        }
    }

    /// Who has the identifier by which alone it names a patient.
    fn identified(&self, datum: &Datum<'_>) -> Option<String> {
        let value = text(&datum.content["patient"]["identifier"]["value"]);
        let patient = format!("Patient/p{}", value.strip_prefix('N')?);
        self.current.contains_key(patient.as_str()).then_some(patient)
    }

    /// For a patient's own view, and for who acts for the patient.
    fn is_seen_for(&self, asker: &Asker, patient: &str, datum: &Datum<'_>) -> bool {
        if asker.consents.is_empty() && asker.user != patient {
            return false;
        }
        let all = self.consents.get(patient).map(Vec::as_slice).unwrap_or_default();
        let permits = |key: &String| {
            let id = key.strip_prefix("Consent/").expect("a consent");
            let consent = all.iter().find(|consent| consent["id"] == id);
            consent.is_some_and(|consent| Provision::says_of(consent, asker, datum, Denies::All) == Says::Permit)
        };
        let is_denied =
            all.iter().any(|consent| Provision::says_of(consent, asker, datum, Denies::Named) == Says::Deny);
        asker.consents.iter().all(permits) && !is_denied
    }

    fn is_seen_of(&self, asker: &Asker, patient: &str, datum: &Datum<'_>) -> bool {
        let all = self.consents.get(patient).map(Vec::as_slice).unwrap_or_default();
        let said: Vec<_> = all.iter().map(|consent| Provision::says_of(consent, asker, datum, Denies::All)).collect();
        if said.contains(&Says::Deny) {
            return false;
        }
        let is_permitted = |consent: &&&Value| {
            let Some(root) = Provision::root(consent) else { return false };
            root.effect == Says::Permit && root.counts(asker, Denies::All)
        };
        let base = !all.iter().any(|consent| is_permitted(&consent)) && self.is_implied(datum);
        base || said.contains(&Says::Permit)
    }

    /// Whether it is seen where nobody has said anything.
    fn is_implied(&self, datum: &Datum<'_>) -> bool {
        match self.implicit {
            Implicit::All => true,
            Implicit::Normal => datum.is_normal(),
            Implicit::Nothing => false,
        }
    }
}

impl Asker {
    /// Whether there is a right on the type, so that nothing but what is seen decides.
    pub(super) fn may_ask(&self, key: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&of_type(key)))
    }

    /// The client's own, and those with which the world has made its people and organizations.
    pub(super) fn has_identifier(&self, identifier: &str) -> bool {
        let made = [
            ("Organization/o", "urn:ods|O"),
            ("Practitioner/dr", "urn:gmc|G"),
            ("RelatedPerson/rp", "urn:nhs|R"),
            ("Patient/p", "urn:nhs|N"),
        ];
        let is_made = |key: &str| {
            made.iter().any(|(kind, name)| key.strip_prefix(kind).is_some_and(|at| format!("{name}{at}") == identifier))
        };
        self.identifiers.iter().any(|own| own == identifier) || is_made(&self.user) || is_made(&self.organization)
    }

    fn acts_for_patient(&self) -> bool {
        let name = of_type(&self.user);
        self.patient.is_some() && (["Patient", "RelatedPerson"].contains(&name) || !self.consents.is_empty())
    }
}
