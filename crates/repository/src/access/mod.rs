//! What a caller may see and do: decided here, for every path by which a datum can leave.
//!
//! Invariants:
//! - An [`Access`] says what was granted; a [`Sight`] is what of it holds at one moment. Every interaction asks a `Sight` of its own.
//! - What is hidden is as good as not there: it takes part in no match, count, order, join, include, condition or reference check.

mod act;
mod consented;
mod directory;
mod grant;
mod sight;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use fhir::{Instant, IssueType, Outcome};
use search::Registry;
use store::Key;

pub use act::{Act, Acts, Permission, Rights};
pub(crate) use consented::Consented;
pub use directory::DIRECTORY;
pub(crate) use directory::Opened;
pub use grant::Permit;
pub(crate) use sight::{Known, Sight, accepts};

use crate::Requester;
use crate::consent::{Elevation, Implicit, Policies};

/// The system of the codes of RFC 6750, paragraph 3.1: why a token does not do.
pub const BEARER_CODES: &str = "https://www.rfc-editor.org/rfc/rfc6750";

/// More is asked for than the scopes of the token grant.
pub const INSUFFICIENT_SCOPE: &str = "insufficient_scope";

/// The rights of one caller.
#[derive(Clone, Debug)]
pub struct Access {
    /// `None` for everything, and nobody to name.
    limits: Option<Arc<Limits>>,
}

/// What is granted, and to whom.
#[derive(Debug)]
pub(crate) struct Limits {
    granted: BTreeMap<&'static str, Rights>,
    requester: Requester,
    /// Nothing is granted but in the compartment of the requester's patient.
    is_within_patient: bool,
    /// The record keeper's own system, which was granted everything.
    is_everything: bool,
    /// What is granted is open to everybody: nobody needs to say who asks.
    is_open: bool,
    /// What consents hid when that was last asked.
    consented: ArcSwapOption<Consented>,
}

/// The types of which everybody who looks for care may know.
const PUBLIC: [&str; 5] = ["HealthcareService", "Location", "PractitionerRole", "Schedule", "Slot"];

impl Access {
    /// Everything: for authentication turned off, and for the server's own commands.
    pub fn full() -> Access {
        Access { limits: None }
    }

    /// These rights by resource type, and nothing on other types.
    pub fn limited(rights: impl IntoIterator<Item = (&'static str, Rights)>, requester: Requester) -> Access {
        let granted = rights.into_iter().collect();
        let consented = ArcSwapOption::empty();
        let (is_within_patient, is_everything, is_open) = (false, false, false);
        let limits = Limits { granted, requester, is_within_patient, is_everything, is_open, consented };
        Access { limits: Some(Arc::new(limits)) }
    }

    /// What everybody may know who looks for care: places, services and free times. Of schedules those that name no patient.
    pub(crate) fn public(registry: &Registry) -> Access {
        let rights = |permission| Rights::default().with(Acts::SEE, &permission);
        let rights = PUBLIC.map(|name| match name {
            "Schedule" => (name, rights(Permission::Only(registry.about_anybody(name).not()))),
            name => (name, rights(Permission::Whole)),
        });
        Access::limited(rights, Requester::default())
    }

    /// The patient whose compartment is all that is granted, if it is.
    pub(crate) fn only_patient(&self) -> Option<&Key> {
        let limits = self.limits.as_ref().filter(|limits| limits.is_within_patient)?;
        limits.requester.patient.as_ref()
    }

    /// Who asks; `None` when nobody needs to say.
    pub fn requester(&self) -> Option<&Requester> {
        self.limits.as_ref().filter(|limits| !limits.is_open).map(|limits| &limits.requester)
    }

    /// Whether nothing is hidden, and what concerns the whole server may be done.
    pub(crate) fn is_full(&self) -> bool {
        self.limits.as_ref().is_none_or(|limits| limits.is_everything)
    }

    /// What consents hide by these policies, now, and with the emergencies of a snapshot with so many commits; `None` when nobody needs to say who asks.
    pub(crate) fn consented(
        &self,
        policies: &Policies,
        now: Instant,
        implicit: Implicit,
        registry: &Arc<Registry>,
        commits: u64,
        elevations: impl FnOnce(&Requester) -> Result<Vec<Elevation>, Outcome>,
    ) -> Result<Option<Arc<Consented>>, Outcome> {
        let Some(limits) = &self.limits else { return Ok(None) };
        let known = limits.consented.load();
        let known = known.as_ref().filter(|known| known.holds(policies, now, registry));
        if let Some(known) = known
            && known.has_those_of(commits, now)
        {
            return Ok(Some(known.clone()));
        }
        let elevations = elevations(&limits.requester)?;
        if let Some(known) = known
            && known.has(&elevations, commits)
        {
            return Ok(Some(known.clone()));
        }
        let restrictions = policies.restrictions(&limits.requester, now, implicit, &elevations);
        let consented = Arc::new(Consented::new(restrictions, elevations, commits, registry.clone()));
        limits.consented.store(Some(consented.clone()));
        Ok(Some(consented))
    }

    /// Refuses who may not do this with any resource of the type.
    pub fn permit(&self, act: Act, resource_type: &str) -> Result<(), Outcome> {
        match self.permission(act, resource_type) {
            Permission::Denied => {
                let text = format!("the caller may not {act} {resource_type}");
                Err(Outcome::new(IssueType::Forbidden, text).coded(BEARER_CODES, INSUFFICIENT_SCOPE))
            }
            Permission::Whole | Permission::Only(_) => Ok(()),
        }
    }

    /// On which resources of the type this is granted.
    pub(crate) fn permission(&self, act: Act, resource_type: &str) -> &Permission {
        match &self.limits {
            None => &Permission::Whole,
            Some(limits) => limits.granted.get(resource_type).map_or(&Permission::Denied, |rights| rights.on(act)),
        }
    }
}

#[cfg(test)]
mod tests;
