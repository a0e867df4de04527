//! From what a token grants to rights by type.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use fhir::{IssueType, Outcome};
use search::{Handling, Registry, Scope};
use store::{Filter, Key};

use super::{Access, Act, Acts, Limits, Permission, Rights};
use crate::consent::is_public;
use crate::trail::EVENT;
use crate::{Repository, Requester};

/// One scope of a token: these acts on this type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Only in the compartment of the requester's patient: a scope that begins with `patient/`. For users who are patients, or act for them,
    /// that holds of every permit.
    pub of_patient: bool,
    /// `None` for every type.
    pub resource_type: Option<&'static str>,
    pub acts: Acts,
    /// Search parameters that the resources must satisfy, decoded.
    pub parameters: Vec<(String, String)>,
}

/// Types that are about whatever one of their references leads to, and the parameter of that.
pub(crate) const FOLLOWED: [(&str, &str); 2] = [("Binary", "security-context"), ("Provenance", "target")];

/// What is about the patients that it names, and about everybody where it names none: when a surgery is open.
const OPEN: &str = "Schedule";

impl Repository {
    /// The access that these permits give, each beside the others. A permit whose parameters cannot be understood, or rest on more than the
    /// resource itself, is refused.
    pub fn grant(&self, permits: &[Permit], requester: Requester) -> Result<Access, Outcome> {
        let mut granted: BTreeMap<&'static str, Rights> = BTreeMap::new();
        for permit in permits {
            let types = match &permit.resource_type {
                Some(resource_type) => std::slice::from_ref(resource_type),
                None => self.setup.definitions.resource_types(),
            };
            for resource_type in types {
                let rights = granted.remove(resource_type).unwrap_or_default();
                granted.insert(resource_type, permit.add(self, resource_type, &requester, rights)?);
            }
        }
        let is_within_patient = requester.is_lay() || permits.iter().all(|permit| permit.of_patient);
        let is_everything = requester.custodian && requester.user.is_none() && permits.contains(&Permit::everything());
        let consented = ArcSwapOption::empty();
        let is_open = false;
        let limits = Limits { granted, requester, is_within_patient, is_everything, is_open, consented };
        Ok(Access { limits: Some(Arc::new(limits)) })
    }
}

impl Permit {
    /// All that can be done, with every resource: `system/*.cruds`.
    fn everything() -> Permit {
        Permit { of_patient: false, resource_type: None, acts: Act::ALL.into_iter().collect(), parameters: Vec::new() }
    }

    /// `rights` and what this permit adds to them.
    fn add(
        &self,
        repository: &Repository,
        resource_type: &'static str,
        requester: &Requester,
        rights: Rights,
    ) -> Result<Rights, Outcome> {
        let registry = repository.registry();
        let asked = self.asked(repository, &registry, resource_type)?;
        let place = self.place(&registry, resource_type, requester);
        let only = |filter: &Filter| match &asked {
            Some(asked) => Permission::Only(asked.clone().and(filter.clone())),
            None => Permission::Only(filter.clone()),
        };
        let whole = asked.clone().map_or(Permission::Whole, Permission::Only);
        let (seen, written) = match &place {
            Place::Everywhere => (whole.clone(), whole),
            Place::Public => (whole, Permission::Denied),
            Place::Open(seen) => (only(seen), Permission::Denied),
            Place::Within { seen, written } => (only(seen), only(written)),
            Place::Nowhere => return Ok(rights),
        };
        let acts = |wanted: &[Act]| wanted.iter().copied().filter(|act| self.acts.has(*act)).collect::<Acts>();
        let rights = rights.with(acts(&[Act::Read, Act::Search]), &seen);
        // The account of who saw what is the server's to keep; systems may add what they did themselves.
        Ok(match (resource_type, &place) {
            (EVENT, Place::Everywhere) if requester.user.is_none() && requester.patient.is_none() => {
                rights.with(acts(&[Act::Create]), &written)
            }
            (EVENT, _) => rights,
            _ => rights.with(acts(&[Act::Create, Act::Update, Act::Delete]), &written),
        })
    }

    /// The filter of the parameters; `None` when there are none.
    pub(super) fn asked(
        &self,
        repository: &Repository,
        registry: &Registry,
        resource_type: &'static str,
    ) -> Result<Option<Filter>, Outcome> {
        if self.parameters.is_empty() {
            return Ok(None);
        }
        let scope = Scope { resource_type: Some(resource_type), compartment: None };
        let query = registry.query(&scope, &self.parameters, Handling::Strict, repository.now())?;
        match query.criterion.of_rows() {
            Some(filter) if query.includes.is_empty() && query.sort.is_empty() => Ok(Some(filter)),
            _ => {
                let text = "the parameters of a scope may only ask about the values of the resource itself";
                Err(Outcome::new(IssueType::NotSupported, text))
            }
        }
    }

    fn place(&self, registry: &Registry, resource_type: &str, requester: &Requester) -> Place {
        if !self.of_patient && !requester.is_lay() {
            return Place::Everywhere;
        }
        let about = requester.patient.as_ref().map(|patient| (patient, about(registry, patient, resource_type)));
        let Some((patient, about)) = about.filter(|(_, about)| *about != Filter::nothing()) else {
            return if is_public(resource_type) { Place::Public } else { Place::Nowhere };
        };
        if resource_type == OPEN {
            return Place::Open(Filter::Any(vec![about, registry.about_anybody(resource_type).not()]));
        }
        let written = about.clone().and(registry.about_another(patient, resource_type).not());
        Place::Within { seen: about, written }
    }
}

/// What is about a patient, or leads to what is.
pub(crate) fn about(registry: &Registry, patient: &Key, resource_type: &str) -> Filter {
    match FOLLOWED.iter().find(|(followed, _)| *followed == resource_type) {
        Some((_, code)) => about_by(registry, patient, resource_type, code),
        None => registry.about(patient, resource_type),
    }
}

fn about_by(registry: &Registry, patient: &Key, resource_type: &str, code: &str) -> Filter {
    let links = registry.indexes(resource_type, code);
    let to = registry.resource_types().iter().map(|name| registry.about(patient, name));
    let to = Box::new(Filter::Any(to.collect()));
    Filter::Any(vec![
        registry.about(patient, resource_type),
        Filter::LinksTo { links: links.to_vec(), names: Vec::new(), to },
    ])
}

/// Where a permit reaches among the resources of a type.
enum Place {
    Everywhere,
    /// All may be seen, for they are about nobody: places, services, free slots, definitions. None may be written.
    Public,
    /// These may be seen, none may be written.
    Open(Filter),
    /// What is about the patient. What is written is about nobody else.
    Within {
        seen: Filter,
        written: Filter,
    },
    Nowhere,
}
