//! Which events of the audit patients see through their apps, and how much of them. Nobody else but the record keeper sees any.
//!
//! - An event that names something hidden, or which was hidden when it was deleted, is not there: masked it would tell that there is something.
//! - What others asked stands there without its values, which may name what is hidden, for every app alike: else it would tell of an app
//!   whether anything is hidden from it.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fhir::json::{Document, Edit, Node, quote, splice};
use fhir::{IssueType, Outcome};
use search::Registry;
use store::{Filter, Find, Key, Page, Snapshot, Version};

use super::event::MORE;
use super::record::names_of;
use crate::access::Sight;
use crate::session::parse_stored;
use crate::trail::EVENT;
use crate::{Requester, Session, fault};

/// How many events of one patient are looked through for what they tell.
const EVENTS_MAX: usize = 200_000;

/// How many are read at once.
const PAGE: usize = 1_000;

impl Session<'_> {
    /// What the caller may see where events of the audit are looked for.
    pub(crate) fn sight_of_events(&self, snapshot: &dyn Snapshot) -> Result<Sight, Outcome> {
        let sight = self.sight(snapshot)?;
        let own = self.requester().filter(|requester| sight.is_narrowed() && !requester.is_third_party());
        let patient = own.and_then(|requester| requester.patient.as_ref());
        let Some(patient) = patient else { return Ok(sight.telling(None)) };
        let sight = sight.telling(None);
        let mut hidden = HashSet::new();
        let mut left = EVENTS_MAX;
        let mut page = Page::First;
        loop {
            let filter = self.registry().about(patient, EVENT);
            let find = Find { page, bodies: true, ..Find::new(filter, PAGE) };
            let found = snapshot.find(&find).map_err(fault::outcome)?;
            left = left.checked_sub(found.hits.len()).ok_or_else(too_many)?;
            let events: Vec<_> = found.hits.into_iter().filter_map(|hit| hit.version).collect();
            hidden.extend(self.untold(snapshot, &sight, &events)?);
            // In order of creation: who was shown an event was so after that was made.
            for event in &events {
                if event.body.as_ref().is_some_and(|body| events_in(body).any(|key| hidden.contains(&key))) {
                    hidden.insert(event.key.clone());
                }
            }
            match found.next {
                Some(next) => page = Page::After(next),
                None => break,
            }
        }
        if hidden.is_empty() {
            return Ok(sight);
        }
        let mut hidden: Vec<_> = hidden.iter().map(|key| Registry::id_value(key.id())).collect();
        hidden.sort_unstable();
        let hidden = Filter::OneOf { index: self.registry().id_index(EVENT), values: hidden.into() };
        let told = self.registry().all_of(EVENT).and(hidden.not());
        Ok(sight.telling(Some(told)))
    }

    /// What the caller may see, and of events some only where they are looked for.
    pub(crate) fn sight_of(&self, snapshot: &dyn Snapshot, has_events: bool) -> Result<Sight, Outcome> {
        if has_events { self.sight_of_events(snapshot) } else { self.sight(snapshot) }
    }

    /// The same where only this event is looked for.
    pub(crate) fn sight_of_event(&self, snapshot: &dyn Snapshot, key: &Key) -> Result<Sight, Outcome> {
        let sight = self.sight(snapshot)?.telling(None);
        let event = match sight.is_narrowed() {
            true => snapshot.read(key).map_err(fault::outcome)?,
            false => None,
        };
        // Whether those are told of which it tells is found out from all of them.
        if event.as_ref().and_then(|event| event.body.as_ref()).is_some_and(|body| events_in(body).next().is_some()) {
            return self.sight_of_events(snapshot);
        }
        let is_untold = !self.untold(snapshot, &sight, event.as_ref())?.is_empty();
        Ok(sight.telling(is_untold.then(Filter::nothing)))
    }

    /// Those of these events that tell of what is hidden. What others saw besides all that is named may be hidden; what the caller saw
    /// itself it knows.
    fn untold<'v>(
        &self,
        snapshot: &dyn Snapshot,
        sight: &Sight,
        events: impl IntoIterator<Item = &'v Version> + Clone,
    ) -> Result<Vec<Key>, Outcome> {
        let mut untold = self.masked_among(snapshot, sight, events.clone())?;
        for event in events {
            if let Some(body) = event.body.as_ref().filter(|body| has_more(body))
                && !self.is_by_caller(&parse_stored(&event.key, body)?)
            {
                untold.push(event.key.clone());
            }
        }
        Ok(untold)
    }

    /// An event without the values of what somebody else asked; `None` where there are none.
    pub(crate) fn without_values(&self, key: &Key, body: &Bytes) -> Result<Option<Bytes>, Outcome> {
        let document = parse_stored(key, body)?;
        if self.is_by_caller(&document) {
            return Ok(None);
        }
        let entities = document.root().get("entity").into_iter().flat_map(Node::each);
        let queries = entities.filter_map(|entity| entity.get("query"));
        let edits: Vec<_> = queries.map(|query| Edit { range: query.span(), text: quote(&names(query)) }).collect();
        Ok((!edits.is_empty()).then(|| splice(document.text(), edits).into()))
    }

    /// Whether an event says that it was this client for this person.
    fn is_by_caller(&self, event: &Document) -> bool {
        let Some(Requester { client, user: Some(user), .. }) = self.requester() else { return false };
        let agents = || event.root().get("agent").into_iter().flat_map(Node::each);
        let is = |path: &[&str], text: &str| agents().any(|agent| agent.path(path).is_some_and(|it| it.is_str(text)));
        is(&["who", "identifier", "value"], client) && is(&["who", "reference"], user.as_str())
    }
}

/// The events that an event tells of.
fn events_in(body: &[u8]) -> impl Iterator<Item = Key> {
    const BEGIN: &[u8] = b"\"AuditEvent/";
    let at = memchr::memmem::find_iter(body, BEGIN).map(|at| &body[at + BEGIN.len()..]);
    at.filter_map(|rest| {
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'/'))?;
        Key::new(EVENT, std::str::from_utf8(&rest[..end]).ok()?)
    })
}

fn has_more(body: &[u8]) -> bool {
    memchr::memmem::find(body, MORE.as_bytes()).is_some()
}

/// What was asked, in base64, as before.
fn names(query: Node<'_>) -> String {
    let query = query.as_str().and_then(|query| STANDARD.decode(query.as_bytes()).ok()).unwrap_or_default();
    STANDARD.encode(names_of(&String::from_utf8_lossy(&query)))
}

fn too_many() -> Outcome {
    let text = format!("the patient has more than {EVENTS_MAX} AuditEvents, too many to look through for this caller");
    Outcome::new(IssueType::TooCostly, text)
}
