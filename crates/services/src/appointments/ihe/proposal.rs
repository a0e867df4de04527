//! A free slot as an Appointment.

use fhir::json::{Document, Node, quote};
use fhir::{IssueType, Outcome};
use repository::{Key, Session};

use super::super::actor::kind_of;
use super::super::resource::{DELIVERY_CHANNEL, Entry};

/// What stands before the id of a slot in that of the Appointment proposed for it.
const PREFIX: &str = "slot-";

/// The longest id of a resource, <https://hl7.org/fhir/R4/datatypes.html#id>.
const ID_MAX: usize = 64;

/// What a slot and its schedule say about an appointment under the same names.
const SAME: [&str; 4] = ["serviceCategory", "serviceType", "specialty", "appointmentType"];

/// Who is named to whoever looks for care: nobody's record is told by it.
const PARTICIPANTS: [&str; 4] = ["Practitioner", "PractitionerRole", "HealthcareService", "Location"];

/// The id of the Appointment proposed for a slot.
pub(super) fn id_of(slot: &Key) -> String {
    match slot.id().len() + PREFIX.len() <= ID_MAX {
        true => format!("{PREFIX}{}", slot.id()),
        false => slot.id().to_owned(),
    }
}

/// The slots for which an Appointment with this id may have been proposed.
fn slots_of(id: &str) -> impl Iterator<Item = Key> {
    let named = id.strip_prefix(PREFIX);
    let long = (id.len() + PREFIX.len() > ID_MAX).then_some(id);
    named.into_iter().chain(long).filter_map(|id| Key::new("Slot", id))
}

/// The slot for which an Appointment was proposed.
pub(super) fn slot(session: &Session<'_>, id: &str) -> Result<Option<(Key, Document)>, Outcome> {
    let open = session.publicly();
    for key in slots_of(id) {
        match open.read(&key) {
            Ok(version) => return Ok(Some((key, Document::parse(version.body.as_deref().unwrap_or_default())?))),
            Err(outcome) if is_absent(&outcome) => {}
            Err(outcome) => return Err(outcome),
        }
    }
    Ok(None)
}

/// Whether there is nothing under a key.
pub(super) fn is_absent(outcome: &Outcome) -> bool {
    outcome.worst().is_some_and(|issue| matches!(issue.code, IssueType::NotFound | IssueType::Deleted))
}

/// The schedule that a slot is in, where everybody may know it.
pub(super) fn schedule(session: &Session<'_>, slot: &Document) -> Result<Option<Document>, Outcome> {
    let Some(key) = session.local(&Entry::new(slot).schedule()) else { return Ok(None) };
    match session.publicly().read(&key) {
        Ok(version) => Ok(Some(Document::parse(version.body.as_deref().unwrap_or_default())?)),
        Err(outcome) if is_absent(&outcome) => Ok(None),
        Err(outcome) => Err(outcome),
    }
}

/// What the Appointment for a slot is like.
pub(super) struct Terms<'a> {
    pub(super) status: &'a str,
    /// Of a proposal that is not stored.
    pub(super) id: Option<String>,
    pub(super) patient: Option<&'a Key>,
    pub(super) comment: Option<&'a str>,
    /// `created`, as an instant.
    pub(super) created: Option<String>,
    /// From when to when it was looked for; the slot's times when it was not.
    pub(super) period: Option<(&'a str, &'a str)>,
}

/// The Appointment that fills a slot.
pub(super) fn appointment(key: &Key, slot: &Document, schedule: Option<&Document>, terms: &Terms<'_>) -> String {
    let raw = |name: &str| slot.root().get(name).map(Node::raw);
    let mut members = vec![r#""resourceType":"Appointment""#.to_owned()];
    members.extend(terms.id.as_ref().map(|id| format!(r#""id":"{id}""#)));
    let channels: Vec<_> = Entry::new(slot).extensions(DELIVERY_CHANNEL).map(Node::raw).collect();
    members.extend((!channels.is_empty()).then(|| format!(r#""extension":[{}]"#, channels.join(","))));
    members.push(format!(r#""status":"{}""#, terms.status));
    for name in SAME {
        let said = raw(name).or_else(|| schedule?.root().get(name).map(Node::raw));
        members.extend(said.map(|said| format!(r#""{name}":{said}"#)));
    }
    for name in ["start", "end"] {
        members.extend(raw(name).map(|time| format!(r#""{name}":{time}"#)));
    }
    members.push(format!(r#""slot":[{{"reference":"{key}"}}]"#));
    members.extend(terms.created.as_ref().map(|created| format!(r#""created":"{created}""#)));
    members.extend(terms.comment.map(|comment| format!(r#""comment":{}"#, quote(comment))));
    members.push(format!(r#""participant":[{}]"#, participants(schedule, terms).join(",")));
    let period = match terms.period {
        Some((start, end)) => Some((quote(start), quote(end))),
        None => raw("start").zip(raw("end")).map(|(start, end)| (start.to_owned(), end.to_owned())),
    };
    members.extend(period.map(|(start, end)| format!(r#""requestedPeriod":[{{"start":{start},"end":{end}}}]"#)));
    format!("{{{}}}", members.join(","))
}

fn participants(schedule: Option<&Document>, terms: &Terms<'_>) -> Vec<String> {
    let status = if terms.status == "booked" { "accepted" } else { "needs-action" };
    let actors = schedule.map(Entry::new).into_iter().flat_map(Entry::actors);
    let named = actors.filter(|actor| kind_of(*actor).is_some_and(|kind| PARTICIPANTS.contains(&kind.as_str())));
    let named = named.map(|actor| format!(r#"{{"actor":{},"required":"required","status":"{status}"}}"#, actor.raw()));
    let patient = terms.patient.map(participant);
    let participants: Vec<_> = patient.into_iter().chain(named).collect();
    match participants.is_empty() {
        // There is always one: who it will be is not known yet.
        true => vec![r#"{"type":[{"text":"patient"}],"required":"required","status":"needs-action"}"#.to_owned()],
        false => participants,
    }
}

/// The patient as who takes part.
pub(super) fn participant(patient: &Key) -> String {
    format!(r#"{{"actor":{{"reference":"{patient}"}},"required":"required","status":"accepted"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_slots() {
        for length in [1, 58, 59, 60, 64] {
            let slot = Key::new("Slot", &"s".repeat(length)).expect("a key");
            let id = id_of(&slot);
            assert!(id.len() <= ID_MAX && slots_of(&id).any(|found| found == slot), "{id}");
        }
        assert_eq!(slots_of("other").count(), 0);
    }
}
