//! What is open to read without sign-in: the directory of services, with the ratings of its places.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use fhir::Outcome;
use search::Registry;
use store::Filter;

use super::{Access, Acts, Limits, Permission, Permit, Rights};
use crate::{Repository, Requester};

/// The types of which something is open: all of a type, but of Observations only what is said of a place alone. Practitioner is not among
/// them: a role says who works where, the rest is the person's own.
pub const DIRECTORY: [&str; 6] =
    ["Endpoint", "HealthcareService", "Location", OBSERVATION, "Organization", "PractitionerRole"];

const OBSERVATION: &str = "Observation";

/// The references by which an Observation about a place may be about somebody as well.
const BESIDE: [&str; 8] =
    ["focus", "encounter", "specimen", "device", "based-on", "part-of", "has-member", "derived-from"];

/// Performers who are persons, or stand for some.
const PERSONS: [&str; 4] = ["CareTeam", "Practitioner", "PractitionerRole", "RelatedPerson"];

/// An access that was made with these search parameters.
pub(crate) type Opened = (Arc<Registry>, Access);

impl Repository {
    /// The access of who shows no token: reading and searching the directory. Nobody is named by it, and nothing of it is anybody's record.
    pub fn directory(&self) -> Result<Access, Outcome> {
        let registry = self.registry();
        if let Some(known) = &*self.opened.load()
            && Arc::ptr_eq(&known.0, &registry)
        {
            return Ok(known.1.clone());
        }
        let mut granted: BTreeMap<&'static str, Rights> = BTreeMap::new();
        for resource_type in DIRECTORY {
            let permission = match resource_type {
                OBSERVATION => Permission::Only(self.of_places(&registry)?),
                _ => Permission::Whole,
            };
            granted.insert(resource_type, Rights::default().with(Acts::SEE, &permission));
        }
        let limits = Limits {
            granted,
            requester: Requester::default(),
            is_within_patient: false,
            is_everything: false,
            is_open: true,
            consented: ArcSwapOption::empty(),
        };
        let access = Access { limits: Some(Arc::new(limits)) };
        self.opened.store(Some(Arc::new((registry, access.clone()))));
        Ok(access)
    }

    /// Observations about a place and nothing else, such as the ratings of the Care Quality Commission. A security label closes one.
    fn of_places(&self, registry: &Registry) -> Result<Filter, Outcome> {
        let absent = BESIDE.iter().chain(&["_security"]).map(|code| (format!("{code}:missing"), "true".to_owned()));
        let alone = Permit {
            of_patient: false,
            resource_type: Some(OBSERVATION),
            acts: Acts::SEE,
            parameters: absent.collect(),
        };
        let alone = alone.asked(self, registry, OBSERVATION)?.unwrap_or_else(Filter::nothing);
        let leads = |code: &str, resource_type: &str| {
            registry.referring_beyond(&registry.references(OBSERVATION, &[code]), resource_type, &Arc::default())
        };
        let by_persons = PERSONS.iter().map(|resource_type| leads("performer", resource_type));
        let of_somebody = Filter::Any(by_persons.chain([registry.about_anybody(OBSERVATION)]).collect());
        Ok(leads("subject", "Location").and(alone).and(of_somebody.not()))
    }
}
