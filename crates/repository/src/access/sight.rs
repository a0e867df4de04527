//! What of an access holds at one moment.

use std::sync::Arc;

use fhir::Outcome;
use search::Registry;
use store::{Filter, Key, Snapshot};

use super::grant::{FOLLOWED, about};
use super::{Access, Act, Consented, Permission};
use crate::consent::{Kind, Restrictions, is_public};
use crate::trail::EVENT;
use crate::{Requester, fault};

/// Of which resources of a type a caller may learn that they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    All,
    Only(Filter),
    /// Of none, nor that they are not: whether content may name one is decided by what may be written.
    Untold,
}

/// What a caller may see and do on one snapshot: what was granted, as far as consents let it be seen.
#[derive(Clone)]
pub(crate) struct Sight {
    access: Access,
    /// What consents hide, with the filters that were made for this access; `None` where nobody asks for consents.
    consented: Option<Arc<Consented>>,
    /// Which events of the audit are seen by patients themselves.
    events: Events,
    registry: Arc<Registry>,
}

/// Which events of the audit somebody sees who asks as a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Events {
    /// Nobody has looked which of them tell of what is hidden. It is so for all patients' apps, whether or not anything is hidden from them.
    Untold,
    /// Those that satisfy this; `None` for all.
    Told(Option<Filter>),
}

/// References that tell that a resource is there: who may not see that may not see what has them. For third parties the first of them
/// leads to something that is seen: of what is gone nothing says any more whether it was hidden.
const TELLING: [(&str, &[&str]); 1] = [("Provenance", &["target", "entity"])];

impl Sight {
    /// `consented` is of this access, and was made with the same search parameters.
    pub(crate) fn new(access: Access, consented: Option<Arc<Consented>>, registry: Arc<Registry>) -> Sight {
        Sight { access, consented, events: Events::Untold, registry }
    }

    /// The same, where it is known which events are seen.
    pub(crate) fn telling(self, events: Option<Filter>) -> Sight {
        Sight { events: Events::Told(events), ..self }
    }

    /// Whether nothing is hidden, of whatever type.
    pub(crate) fn is_full(&self) -> bool {
        self.access.is_full()
    }

    /// What the resources of a type satisfy with which this may be done; `None` when it is all of them. For seeing, and for what is already
    /// there.
    pub(crate) fn filter(&self, act: Act, resource_type: &str) -> Option<Arc<Filter>> {
        let granted = || self.access.permission(act, resource_type).filter();
        match &self.consented {
            None => granted().map(Arc::new),
            Some(consented) if resource_type == EVENT => both(granted(), self.events(consented)).map(Arc::new),
            Some(consented) => {
                let make = || both(granted(), self.compiled(consented.restrictions(), resource_type));
                consented.filter((Some(act), resource_type), make)
            }
        }
    }

    /// Whether consents decide what is seen, whether or not they hide anything.
    pub(crate) fn is_consented(&self) -> bool {
        self.consented.is_some()
    }

    /// Whether consents hide anything.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.consented.as_ref().is_some_and(|consented| consented.restrictions().hide_anything())
    }

    /// What the resources of a type satisfy that consents let be seen; `None` when it is all of them.
    pub(crate) fn consented(&self, resource_type: &str) -> Option<Arc<Filter>> {
        let consented = self.consented.as_ref().filter(|_| !is_public(resource_type))?;
        if resource_type == EVENT {
            return self.events(consented).map(Arc::new);
        }
        consented.filter((None, resource_type), || self.compiled(consented.restrictions(), resource_type))
    }

    /// Whether the caller may know of what is named, as consents say. `find` looks in the snapshot whether the filter of its type lets it be seen.
    pub(crate) fn tells(
        &self,
        snapshot: &dyn Snapshot,
        name: &str,
        find: impl FnOnce(&Filter) -> Result<bool, Outcome>,
    ) -> Result<bool, Outcome> {
        let Some(consented) = &self.consented else { return Ok(true) };
        let resource_type = name.split('/').next().unwrap_or_default();
        let find = || self.consented(resource_type).map_or(Ok(true), |filter| find(&filter));
        match resource_type {
            // What is told of events is of this one request.
            EVENT => find(),
            _ if is_joined(resource_type) => consented.tells(snapshot.commits(), name, find),
            _ => consented.tells(snapshot.commits_of(resource_type), name, find),
        }
    }

    /// Of events, those that patients see of what happened to their own records; nobody else but the record keeper sees any.
    fn events(&self, consented: &Consented) -> Option<Filter> {
        match &self.events {
            Events::Told(events) if !self.is_third_party() => {
                both(consented.restrictions().filter(&self.registry, EVENT), events.clone())
            }
            _ => Some(Filter::nothing()),
        }
    }

    fn is_third_party(&self) -> bool {
        self.access.requester().is_some_and(Requester::is_third_party)
    }

    /// The same, made anew.
    fn compiled(&self, restrictions: &Restrictions, resource_type: &str) -> Option<Filter> {
        let telling = TELLING.iter().find(|(name, _)| *name == resource_type);
        let is_third_party = self.is_third_party();
        let tells = telling.is_some() && is_third_party;
        if !restrictions.hide_anything() && !tells {
            return None;
        }
        if let Some((_, code)) = FOLLOWED.iter().find(|(name, _)| *name == resource_type)
            && Kind::of(&self.registry, resource_type) == Kind::Carrier
        {
            let seen = |seen: Option<Filter>| Some(seen.unwrap_or_else(Filter::everything));
            return Some(self.leading_to(restrictions, resource_type, &[code], seen));
        }
        let own = restrictions.filter(&self.registry, resource_type);
        let Some((_, codes)) = telling else { return own };
        let hidden = self.leading_to(restrictions, resource_type, codes, |seen| seen.map(Filter::not)).not();
        let seen = |seen: Option<Filter>| Some(seen.unwrap_or_else(Filter::everything));
        let shown = is_third_party.then(|| self.leading_to(restrictions, resource_type, &codes[..1], seen));
        both(both(own, Some(hidden)), shown)
    }

    /// Resources of which one of these references leads to what `far` makes of the filter of its type, `None` leading nowhere.
    fn leading_to(
        &self,
        restrictions: &Restrictions,
        resource_type: &str,
        codes: &[&str],
        far: impl Fn(Option<Filter>) -> Option<Filter>,
    ) -> Filter {
        let registry = &self.registry;
        let links = codes.iter().flat_map(|code| registry.indexes(resource_type, code)).copied().collect();
        let of_type = |name: &&str| Some(registry.all_of(name).and(far(restrictions.filter(registry, name))?));
        let to = Filter::Any(registry.resource_types().iter().filter_map(of_type).collect());
        Filter::LinksTo { links, names: Vec::new(), to: Box::new(to) }
    }

    /// Whether a document is there now with which this may be done; where nothing of its type is hidden, also whether it could be.
    pub(crate) fn accepts(&self, act: Act, snapshot: &dyn Snapshot, key: &Key) -> Result<bool, Outcome> {
        match self.filter(act, key.collection()) {
            None => Ok(true),
            Some(filter) => accepts(snapshot, key, &filter),
        }
    }

    /// Whether the consents that the access rests on are over, so that nothing may be written.
    pub(crate) fn is_over(&self) -> bool {
        self.consented.as_ref().is_some_and(|consented| consented.restrictions().are_over())
    }

    /// Of which resources of a type the caller may learn that they are there, as a reference would tell. What was granted does not matter: an
    /// app may name a practitioner without reading one.
    pub(crate) fn known(&self, resource_type: &str) -> Known {
        let consented = self.consented(resource_type).map(Arc::unwrap_or_clone);
        let known = match self.access.only_patient() {
            None => consented,
            Some(patient) if resource_type == patient.collection() => return Known::Untold,
            Some(patient) => match about(&self.registry, patient, resource_type) {
                about if about == Filter::nothing() && is_public(resource_type) => consented,
                about => both(Some(about), consented),
            },
        };
        known.map_or(Known::All, Known::Only)
    }

    /// Whether no resource of the type is hidden from a search.
    pub(crate) fn sees_all(&self, resource_type: &str) -> bool {
        *self.access.permission(Act::Search, resource_type) == Permission::Whole
            && self.consented(resource_type).is_none()
    }
}

/// Whether it may depend on others than the resources of this type themselves which of them consents hide.
fn is_joined(resource_type: &str) -> bool {
    FOLLOWED.iter().any(|(name, _)| *name == resource_type) || TELLING.iter().any(|(name, _)| *name == resource_type)
}

/// What satisfies both, `None` being all there is.
fn both(one: Option<Filter>, other: Option<Filter>) -> Option<Filter> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}

/// Whether a document is there now and satisfies a filter.
pub(crate) fn accepts(snapshot: &dyn Snapshot, key: &Key, filter: &Filter) -> Result<bool, Outcome> {
    let judged = snapshot.judge(key, filter).map_err(fault::outcome)?;
    Ok(judged.is_some_and(|(_, accepted)| accepted))
}
