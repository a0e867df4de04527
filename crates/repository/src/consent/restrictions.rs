//! What consents hide from one requester, as filters.

use std::collections::HashMap;
use std::sync::Arc;

use fhir::Instant;
use search::Registry;
use store::{Filter, Index, Key, Match, Range, Test};

use super::data::Data;
use super::filters::{all, any, filter, not, one_of};
use super::kind::Kind;
use super::policies::Policies;

/// What consents hide from one requester, from one moment to the next at which a consent begins or ends.
///
/// A resource in the records of several patients is hidden if any of them hides it.
#[derive(Clone, Debug)]
pub(crate) struct Restrictions {
    generation: u64,
    valid_until: Option<Instant>,
    /// Patients by what is seen of them, where that is other than of everybody else.
    groups: Vec<(Patients, Data)>,
    /// All patients in a group.
    known: Patients,
    /// What is seen of all others.
    others: Data,
    /// What the access rests on permits nothing.
    is_over: bool,
}

/// Patients as rows name them.
#[derive(Clone, Debug)]
struct Patients {
    /// As references do, sorted.
    links: Arc<[Vec<u8>]>,
    /// As their own ids, sorted.
    ids: Arc<[Vec<u8>]>,
    /// By their identifiers, sorted.
    numbers: Arc<[Vec<u8>]>,
}

impl Restrictions {
    /// What is seen of some patients, whose identifiers are known, and what of all others.
    pub(super) fn new<'n>(
        seen: impl IntoIterator<Item = (Key, Data)>,
        others: Data,
        numbers: &dyn Fn(&Key) -> &'n [Vec<u8>],
    ) -> Restrictions {
        let mut groups: HashMap<Data, Vec<Key>> = HashMap::new();
        for (patient, data) in seen {
            if data != others {
                groups.entry(data).or_default().push(patient);
            }
        }
        let known = match others {
            // Nobody asks who they are.
            Data::Everything => Patients::new([].into_iter(), numbers),
            _ => Patients::new(groups.values().flatten(), numbers),
        };
        let mut groups: Vec<_> =
            groups.into_iter().map(|(data, patients)| (Patients::new(patients.iter(), numbers), data)).collect();
        groups.sort_by(|(one, _), (other, _)| one.links.cmp(&other.links));
        Restrictions { generation: 0, valid_until: None, groups, known, others, is_over: false }
    }

    /// The same, for an access that rests on consents which permit nothing, or not.
    pub(super) fn over(self, is_over: bool) -> Restrictions {
        Restrictions { is_over, ..self }
    }

    /// The same, made from this state of all consents and valid so long.
    pub(super) fn of(self, generation: u64, valid_until: Option<Instant>) -> Restrictions {
        Restrictions { generation, valid_until, ..self }
    }

    /// The state of all consents that this was made from.
    #[cfg(test)]
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// When it must be made anew although no consent was written; `None` for never.
    #[cfg(test)]
    pub(crate) fn valid_until(&self) -> Option<Instant> {
        self.valid_until
    }

    /// Whether these are still what the policies mean for that requester.
    pub(crate) fn hold(&self, policies: &Policies, now: Instant) -> bool {
        self.generation == policies.generation() && self.valid_until.is_none_or(|until| now < until)
    }

    /// Whether the access rests on consents that permit nothing: then nothing may be written either.
    pub(crate) fn are_over(&self) -> bool {
        self.is_over
    }

    /// Whether anything is hidden.
    pub(crate) fn hide_anything(&self) -> bool {
        self.others != Data::Everything || self.groups.iter().any(|(_, data)| *data != Data::Everything)
    }

    /// What the resources of a type that are seen satisfy; `None` when none is hidden.
    ///
    /// It is judged by rows alone, with that of the commit's time ([`Registry::time_index`]) among them. Cheap: what is large is shared.
    pub(crate) fn filter(&self, registry: &Registry, resource_type: &str) -> Option<Filter> {
        if !self.hide_anything() {
            return None;
        }
        let references = match Kind::of(registry, resource_type) {
            Kind::Public => return None,
            Kind::Carrier => return Some(Filter::nothing()),
            Kind::Record(references) => references,
        };
        let is_patient = resource_type == "Patient";
        let own = registry.id_index("Patient");
        let identified: Vec<_> = references.iter().map(|it| registry.identifier_index(*it)).collect();
        let members = |patients: &Patients| {
            let own = is_patient.then(|| one_of(&[own], &patients.ids));
            let named = [one_of(&references, &patients.links), one_of(&identified, &patients.numbers)];
            any(named.into_iter().chain(own))
        };
        let hidden = |data| not(filter(registry, resource_type, data));
        let groups = self.groups.iter().map(|(patients, data)| not(all([members(patients), hidden(data)])));
        let others = match hidden(&self.others) {
            nothing if nothing == Filter::nothing() => None,
            hidden => {
                let beyond = registry.referring_beyond(&references, "Patient", &self.known.links);
                // Where identifiers alone say whose it is, and they are not of patients who are known, it may be anybody's.
                let others = any(identified.iter().map(|it| beyond_values(*it, &self.known.numbers)));
                let named = all([others, not(registry.referring_beyond(&references, "Patient", &Arc::default()))]);
                let own = is_patient.then(|| not(one_of(&[own], &self.known.ids)));
                Some(not(all([any([beyond, named].into_iter().chain(own)), hidden])))
            }
        };
        match all(groups.chain(others)) {
            Filter::All(filters) if filters.is_empty() => None,
            filter => Some(filter),
        }
    }
}

/// Resources with another value in an index than these, which are sorted.
fn beyond_values(index: Index, values: &Arc<[Vec<u8>]>) -> Filter {
    let test = Test::Ending { ending: Vec::new(), except: values.clone() };
    Filter::Match(Match { index, range: Range::full(), test: Some(test) })
}

impl Patients {
    fn new<'k, 'n>(
        patients: impl Iterator<Item = &'k Key> + Clone,
        numbers: &dyn Fn(&Key) -> &'n [Vec<u8>],
    ) -> Patients {
        let mut numbers: Vec<_> = patients.clone().flat_map(|patient| numbers(patient).iter().cloned()).collect();
        numbers.sort_unstable();
        let mut links: Vec<_> = patients.map(Key::to_link).collect();
        links.sort_unstable();
        let ids = links.iter().filter_map(|link| Some(Registry::id_value(Key::from_link(link)?.id()))).collect();
        Patients { links: links.into(), ids, numbers: numbers.into() }
    }
}
