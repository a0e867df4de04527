//! What a caller wants held or booked, and for whom.

use std::borrow::Cow;

use fhir::json::{Document, Node};
use fhir::outcome::{SPINE_CODES, quoted};
use fhir::{IssueType, Outcome};
use repository::{Act, Key, Session, Version, query_string};

use super::super::actor::kind_of;
use super::super::resource::{Entry, with};
use super::{answer, proposal};
use crate::inputs::Inputs;
use search::{NHS_NUMBER, is_nhs_number};

/// How many identifiers of a patient are looked for.
const IDENTIFIERS_MAX: usize = 5;

/// An Appointment as it was asked for.
pub(super) enum Asked {
    /// A slot, for which it was proposed.
    Slot(Key, Document),
    /// One that is stored.
    Stored(Version, Document),
    /// One that was sent.
    Sent(Document),
}

impl Asked {
    /// By `appointment-reference` or `appointment-resource`.
    pub(super) fn of(session: &Session<'_>, inputs: &Inputs<'_>) -> Result<Asked, Outcome> {
        let resource = inputs.resource("appointment-resource");
        match (references(inputs, "appointment-reference").as_slice(), resource) {
            ([reference], None) => Asked::referred(session, reference),
            ([], Some(resource)) if resource.resource_type() == Some("Appointment") => {
                Ok(Asked::Sent(Document::parse(resource.raw().as_bytes())?))
            }
            ([], Some(_)) => {
                Err(Outcome::new(IssueType::BadRequest, "the input `appointment-resource` must be an Appointment"))
            }
            _ => Err(Outcome::new(
                IssueType::BadRequest,
                "give either `appointment-reference` or `appointment-resource`, once",
            )),
        }
    }

    fn referred(session: &Session<'_>, reference: &str) -> Result<Asked, Outcome> {
        let key = session.local(reference).filter(|key| key.collection() == "Appointment");
        let Some(key) = key else {
            let text = format!("{} is no Appointment of this server", quoted(reference));
            return Err(answer::gone(&text));
        };
        if let Some((version, document)) = stored(session, &key)? {
            return Ok(Asked::Stored(version, document));
        }
        match proposal::slot(session, key.id())? {
            Some((slot, document)) => Ok(Asked::Slot(slot, document)),
            None => Err(answer::gone(&format!("there is no {} to be had", quoted(key.as_str())))),
        }
    }
}

/// The stored Appointment, where the caller sees one.
pub(super) fn stored(session: &Session<'_>, key: &Key) -> Result<Option<(Version, Document)>, Outcome> {
    if session.permit(Act::Read, "Appointment").is_err() {
        return Ok(None);
    }
    match session.read(key) {
        Ok(version) => {
            let document = Document::parse(version.body.as_deref().unwrap_or_default())?;
            Ok(Some((version, document)))
        }
        Err(outcome) if proposal::is_absent(&outcome) => Ok(None),
        Err(outcome) => Err(outcome),
    }
}

/// The references of an input: as References, or as text.
pub(super) fn references<'a>(inputs: &Inputs<'a>, name: &str) -> Vec<Cow<'a, str>> {
    let values = inputs.values(name).filter_map(|value| value.get("reference")?.as_str());
    inputs.texts(name).into_iter().chain(values).collect()
}

/// For whom: the patient of the input, else the one in context.
pub(super) fn patient(session: &Session<'_>, given: Option<Key>) -> Result<Key, Outcome> {
    let in_context = session.requester().and_then(|requester| requester.patient.clone());
    given
        .or(in_context)
        .ok_or_else(|| Outcome::new(IssueType::Required, "nobody says for which patient, and there is none in context"))
}

/// The patient that `patient-reference` names.
pub(super) fn patient_referred(session: &Session<'_>, inputs: &Inputs<'_>) -> Result<Option<Key>, Outcome> {
    match references(inputs, "patient-reference").as_slice() {
        [] if inputs.is_given("patient-reference") => Err(no_patient("the input `patient-reference`")),
        [] => Ok(None),
        [reference] => match session.local(reference).filter(|key| key.collection() == "Patient") {
            Some(patient) => Ok(Some(patient)),
            None => Err(no_patient(&quoted(reference))),
        },
        _ => Err(Outcome::new(IssueType::BadRequest, "the input `patient-reference` is given more than once")),
    }
}

/// The patient that `patient-resource` describes, who must be known here: by id, else by an identifier.
pub(super) fn patient_described(session: &Session<'_>, inputs: &Inputs<'_>) -> Result<Option<Key>, Outcome> {
    let resources: Vec<_> = inputs.resources("patient-resource").collect();
    let resource = match resources.as_slice() {
        [] => return Ok(None),
        [resource] if resource.resource_type() == Some("Patient") => *resource,
        [_] => return Err(Outcome::new(IssueType::BadRequest, "the input `patient-resource` must be a Patient")),
        _ => {
            let text = "several of `patient-resource` are not served: an appointment here is for one patient";
            return Err(Outcome::new(IssueType::NotSupported, text));
        }
    };
    let by_id = resource.get("id").and_then(Node::as_str).and_then(|id| Key::new("Patient", &id));
    let in_context = session.requester().and_then(|requester| requester.patient.as_ref());
    if by_id.is_some() && by_id.as_ref() == in_context {
        return Ok(by_id);
    }
    if let Some(key) = by_id {
        match session.read(&key) {
            Ok(_) => return Ok(Some(key)),
            Err(outcome) if proposal::is_absent(&outcome) => {}
            Err(outcome) => return Err(outcome),
        }
    }
    for identifier in resource.get("identifier").into_iter().flat_map(Node::each).take(IDENTIFIERS_MAX) {
        let text = |name| identifier.get(name).and_then(Node::as_str);
        let (Some(system), Some(value)) = (text("system"), text("value")) else { continue };
        if system == NHS_NUMBER && !is_nhs_number(&value) {
            let text = format!("the NHS number {} has not ten digits of which the last is right", quoted(&value));
            return Err(Outcome::new(IssueType::BadValue, text).coded(SPINE_CODES, "INVALID_NHS_NUMBER"));
        }
        let token = format!("{}|{}", escaped(&system), escaped(&value));
        let found = session.lookup("Patient", &query_string([("identifier", token.as_str())]), 2)?;
        if let [patient] = found.as_slice() {
            return Ok(Some(patient.key.clone()));
        }
    }
    Err(no_patient("the input `patient-resource`"))
}

/// As a search takes it literally.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|char| [(r"\,|$".contains(char)).then_some('\\'), Some(char)]).flatten().collect()
}

fn no_patient(what: &str) -> Outcome {
    let outcome = Outcome::new(IssueType::UnresolvedReference, format!("{what} is no patient who is registered here"));
    outcome.coded(SPINE_CODES, "PATIENT_NOT_FOUND")
}

/// An Appointment that was sent, as one to be stored with this status, for this patient where it names none.
pub(super) fn to_store(
    session: &Session<'_>,
    sent: &Document,
    status: &str,
    given: Option<Key>,
) -> Result<Document, Outcome> {
    let mut changes = vec![("status", Some(format!("\"{status}\""))), ("id", None), ("meta", None)];
    let names_patient = Entry::new(sent).actors().any(|actor| kind_of(actor).as_deref() == Some("Patient"));
    if !names_patient || given.is_some() {
        let patient = patient(session, given)?;
        let participants = sent.root().get("participant").into_iter().flat_map(Node::each);
        let is_patient = |it: &Node<'_>| it.get("actor").and_then(kind_of).as_deref() == Some("Patient");
        let others = participants.filter(|it| it.get("actor").is_some() && !is_patient(it));
        let mut participants = vec![proposal::participant(&patient)];
        participants.extend(others.map(|it| it.raw().to_owned()));
        changes.push(("participant", Some(format!("[{}]", participants.join(",")))));
    }
    with(sent, &changes)
}
