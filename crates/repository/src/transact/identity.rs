//! Which resource each change is about: the ids of new ones, and what the conditions match.
//!
//! Changes are taken in the order of <https://hl7.org/fhir/R4/http.html#trules>: DELETE, POST, then PUT and PATCH.

use std::collections::HashMap;

use fhir::{IssueType, Outcome};
use store::{Key, Snapshot};

use super::draft::{Criteria, Draft};
use super::matching::Matching;
use crate::{Act, Method, Refusal, Session, fault};

/// What a change is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// It writes this resource.
    Write(Key),
    /// A conditional create found this one.
    Existing(Key),
    /// A conditional delete found none.
    Nothing,
}

/// The aims of all changes, as far as they are settled.
pub(super) struct Aims {
    aims: Vec<Option<Aim>>,
    writers: HashMap<Key, usize>,
}

impl Aims {
    pub(super) fn settle(
        session: &Session<'_>,
        snapshot: &dyn Snapshot,
        drafts: &[Draft],
        fresh: &mut [Option<Key>],
        matching: &mut Matching<'_, '_>,
    ) -> Result<Aims, Refusal> {
        let mut aims = Aims { aims: vec![None; drafts.len()], writers: HashMap::default() };
        let mut order: Vec<_> = (0..drafts.len()).collect();
        order.sort_by_key(|&change| rank(drafts[change].method));
        for change in order {
            let mut settler = Settler { session, snapshot, draft: &drafts[change], fresh: &mut fresh[change] };
            let aim = settler.settle(matching, &aims);
            aims.set(change, aim.map_err(|outcome| Refusal::of(change, outcome))?)?;
        }
        Ok(aims)
    }

    pub(super) fn of(&self, change: usize) -> &Aim {
        self.aims[change].as_ref().unwrap_or(&Aim::Nothing)
    }

    /// The resource that a settled change writes.
    pub(super) fn written(&self, change: usize) -> Option<&Key> {
        match &self.aims[change] {
            Some(Aim::Write(key)) => Some(key),
            _ => None,
        }
    }

    /// The change that writes a resource.
    pub(super) fn writer(&self, key: &Key) -> Option<usize> {
        self.writers.get(key).copied()
    }

    fn set(&mut self, change: usize, aim: Aim) -> Result<(), Refusal> {
        if let Aim::Write(key) = &aim
            && let Some(other) = self.writers.insert(key.clone(), change)
        {
            let (first, second) = (other.min(change) + 1, other.max(change) + 1);
            let text = format!(
                "changes {first} and {second} of the transaction are both about `{key}`; it can change only once"
            );
            return Err(Refusal::of(change, Outcome::new(IssueType::BadRequest, text)));
        }
        self.aims[change] = Some(aim);
        Ok(())
    }
}

/// The place of an interaction in a transaction's order.
pub(super) fn rank(method: Method) -> u8 {
    match method {
        Method::Delete => 0,
        Method::Post => 1,
        Method::Put | Method::Patch => 2,
    }
}

struct Settler<'a> {
    session: &'a Session<'a>,
    snapshot: &'a dyn Snapshot,
    draft: &'a Draft,
    fresh: &'a mut Option<Key>,
}

impl Settler<'_> {
    fn settle(&mut self, matching: &mut Matching<'_, '_>, aims: &Aims) -> Result<Aim, Outcome> {
        if let Some(key) = &self.draft.target {
            return Ok(Aim::Write(key.clone()));
        }
        let Some(criteria) = &self.draft.criteria else { return Ok(Aim::Write(self.new_key()?)) };
        let matches = matching.matches(criteria, aims)?;
        match (matches.as_slice(), self.draft.method) {
            ([], Method::Post) => Ok(Aim::Write(self.new_key()?)),
            ([], Method::Put) => self.create_by_update(matching, criteria),
            ([], Method::Patch) => Err(Outcome::new(
                IssueType::NotFound,
                format!("no {} matches `{}`", criteria.resource_type, criteria.text),
            )),
            ([], Method::Delete) => Ok(Aim::Nothing),
            ([key], Method::Post) => Ok(Aim::Existing(key.clone())),
            ([key], _) => self.refuse_another_id(criteria, key).map(|()| Aim::Write(key.clone())),
            _ => Err(several(criteria)),
        }
    }

    /// A conditional update that matches nothing creates, with the content's id if it has one.
    fn create_by_update(&mut self, matching: &Matching<'_, '_>, criteria: &Criteria) -> Result<Aim, Outcome> {
        let Some(id) = &self.draft.body_id else { return Ok(Aim::Write(self.new_key()?)) };
        let key = key(self.draft.resource_type, id)?;
        if matching.sight().filter(Act::Update, key.collection()).is_some() {
            let text = format!(
                "nothing matches `{}`, and the id of a new resource is this server's choice: leave `{id}` out",
                criteria.text
            );
            return Err(Outcome::new(IssueType::BadRequest, text).at(format!("{}.id", self.draft.resource_type)));
        }
        match self.snapshot.head(&key).map_err(fault::outcome)? {
            Some(head) if !head.deleted => {
                Err(Outcome::new(IssueType::Conflict, format!("`{key}` exists and does not match `{}`", criteria.text)))
            }
            _ => Ok(Aim::Write(key)),
        }
    }

    fn refuse_another_id(&self, criteria: &Criteria, key: &Key) -> Result<(), Outcome> {
        match &self.draft.body_id {
            Some(id) if id != key.id() => {
                let text = format!("the content has the id `{id}` where `{}` matches `{key}`", criteria.text);
                Err(Outcome::new(IssueType::BadRequest, text).at(format!("{}.id", self.draft.resource_type)))
            }
            _ => Ok(()),
        }
    }

    /// The key of a resource to be, the same in every try unless somebody took it meanwhile.
    fn new_key(&mut self) -> Result<Key, Outcome> {
        if let Some(key) = &*self.fresh
            && self.snapshot.head(key).map_err(fault::outcome)?.is_none()
        {
            return Ok(key.clone());
        }
        let key = key(self.draft.resource_type, &(self.session.setup().ids)())?;
        *self.fresh = Some(key.clone());
        Ok(key)
    }
}

fn key(resource_type: &str, id: &str) -> Result<Key, Outcome> {
    let long = || Outcome::new(IssueType::BadRequest, format!("`{id}` cannot be the id of a resource"));
    Key::new(resource_type, id).ok_or_else(long)
}

/// Several resources where at most one may match.
pub(super) fn several(criteria: &Criteria) -> Outcome {
    Outcome::new(
        IssueType::MultipleMatches,
        format!("several {}s match `{}`, where at most one may", criteria.resource_type, criteria.text),
    )
}
