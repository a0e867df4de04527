//! How many places on the list one patient has.

use fhir::Outcome;
use repository::{Key, Transaction};

use super::entry::has_waited;
use crate::appointments::actor::{self, NAME_MAX};
use crate::appointments::refusal::Reason;
use crate::appointments::resource::Entry;
use crate::{Overlap, Settings};

/// How many appointments one patient waits for at a time: with more of them nobody else's turn would come.
const PLACES_MAX: usize = 5;

/// How many places of one patient are listed, whoever may know of them: so many are read when the next comes.
const LISTED_MAX: usize = 10 * PLACES_MAX;

/// Refuses a place on the list to nobody who comes, and to who has as many as one may have.
///
/// Each patient has a list of the places under one name, so that two who come at the same time see one another. Who leaves is dropped from it
/// when the next comes. Places that the patient hides from who comes are not counted, for the refusal would tell of them;
/// [`Settings::hidden_overlap`] may decide otherwise.
pub(super) fn take(
    transaction: &mut Transaction<'_>,
    settings: &Settings,
    key: &Key,
    before: Option<Entry<'_>>,
    after: Entry<'_>,
) -> Result<(), Outcome> {
    // Back from an offer is to a place that one has.
    let is_back = before.is_some_and(|before| before.status() == "proposed" && has_waited(before));
    if after.status() != "waitlist" || is_back {
        return Ok(());
    }
    let had = match before.filter(|before| is_on_list(*before)) {
        Some(before) => actor::patients(transaction, before)?,
        None => Vec::new(),
    };
    let patients = actor::patients(transaction, after)?;
    if patients.is_empty() && !transaction.is_import() {
        return Err(Reason::Patient.refuse(after.participants().count(), "Appointment.participant"));
    }
    for patient in patients.into_iter().filter(|patient| !had.contains(patient)) {
        let name = format!("wait/{patient}");
        if name.len() > NAME_MAX {
            return Err(Reason::Name.refuse(name.len(), "Appointment.participant"));
        }
        let held = transaction.claimed(name.as_bytes())?.and_then(|held| String::from_utf8(held).ok());
        let (mut places, mut counted) = (Vec::new(), 0);
        for other in held.unwrap_or_default().lines().filter_map(Key::parse) {
            if other != *key && waits(transaction, &other, &patient)? {
                let is_told = settings.hidden_overlap == Overlap::Refuse || transaction.is_told(&other)?;
                counted += usize::from(is_told);
                places.push(other.to_string());
            }
        }
        let full = [(counted, PLACES_MAX), (places.len(), LISTED_MAX)].into_iter().find(|(count, max)| count >= max);
        match full {
            None => places.push(key.to_string()),
            Some((_, max)) if !transaction.is_import() => {
                return Err(Reason::Places.refuse(max, "Appointment.participant"));
            }
            Some(_) => {}
        }
        transaction.exchange(name.into_bytes(), Some(places.join("\n").into_bytes()))?;
    }
    Ok(())
}

/// Whether an appointment still waits for this patient.
fn waits(transaction: &mut Transaction<'_>, key: &Key, patient: &String) -> Result<bool, Outcome> {
    let Some(appointment) = transaction.read(key)? else { return Ok(false) };
    let entry = Entry::new(&appointment);
    Ok(is_on_list(entry) && actor::patients(transaction, entry)?.contains(patient))
}

/// Whether an appointment has a place: an offer keeps it.
fn is_on_list(appointment: Entry<'_>) -> bool {
    match &*appointment.status() {
        "waitlist" => true,
        "proposed" => has_waited(appointment),
        _ => false,
    }
}
