//! `Appointment/$hold`: keeps the slots of a proposed Appointment until it is booked, <https://profiles.ihe.net/ITI/Scheduling/ITI-116.html>.

use bytes::Bytes;
use fhir::Outcome;
use fhir::json::Document;
use repository::{Act, Change, Key, Session, Target};

use super::super::hold::is_alive;
use super::super::resource::{Entry, with};
use super::answer::{self, changed, gone, persistently, searchset};
use super::asked::{Asked, patient, patient_referred, to_store};
use super::proposal::{Terms, appointment, schedule};
use crate::inputs::Inputs;
use crate::{Invocation, Operation};

/// Inputs `appointment-reference` or `appointment-resource`, and `patient-reference`.
pub(crate) struct Hold;

impl Operation for Hold {
    fn code(&self) -> &'static str {
        "hold"
    }

    fn definition(&self) -> &'static str {
        "https://profiles.ihe.net/ITI/Scheduling/OperationDefinition/appointment-hold"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn affects_state(&self) -> bool {
        true
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        session.permit(Act::Create, "Appointment")?;
        let inputs = Inputs::of(invocation);
        let given = patient_referred(session, &inputs)?;
        persistently(|| Hold::once(session, &inputs, given.clone()))
    }
}

impl Hold {
    fn once(session: &Session<'_>, inputs: &Inputs<'_>, given: Option<Key>) -> Result<Bytes, Outcome> {
        let document = match Asked::of(session, inputs)? {
            Asked::Slot(key, slot) => {
                let patient = patient(session, given)?;
                let terms = Terms {
                    status: "pending",
                    id: None,
                    patient: Some(&patient),
                    comment: None,
                    created: Some(session.now().to_string()),
                    period: None,
                };
                let schedule = schedule(session, &slot)?;
                Document::parse(appointment(&key, &slot, schedule.as_ref(), &terms).as_bytes())?
            }
            Asked::Sent(sent) => match &*Entry::new(&sent).status() {
                "proposed" | "pending" => to_store(session, &sent, "pending", given)?,
                status => return Err(gone(&format!("an appointment that is {status} cannot be held"))),
            },
            Asked::Stored(version, stored) => {
                let entry = Entry::new(&stored);
                return match &*entry.status() {
                    "pending" if is_alive(entry, session.now().as_millis()) => {
                        let (key, resource) = (version.key.to_string(), stored.text().to_owned());
                        Ok(searchset(session, &[answer::Entry { key, resource }], 1))
                    }
                    "pending" | "proposed" => {
                        let document = with(&stored, &[("status", Some("\"pending\"".to_owned()))])?;
                        let (target, if_match) = (Target::Key(version.key), Some(version.version.to_string()));
                        let (if_none_match, full_url) = (false, None);
                        changed(session, Change::Update { target, document, if_match, if_none_match, full_url })
                    }
                    status => Err(gone(&format!("an appointment that is {status} cannot be held"))),
                };
            }
        };
        changed(session, Change::Create { resource_type: "Appointment", document, if_none_exist: None, full_url: None })
    }
}
