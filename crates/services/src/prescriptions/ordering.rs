//! What a new order must fulfill.

use std::sync::Arc;

use fhir::json::{Document, Node};
use fhir::{Instant, Outcome};
use repository::{Key, Transaction};

use super::order::{Identifier, Order};
use super::plan::Plan;
use super::refusal::Reason;
use super::{caller, pharmacy};
use crate::london;
use crate::settings::Settings;

/// How many characters of a note reach the practice.
pub(super) const NOTE_MAX: usize = 1_000;

/// How much the clock of who orders may be ahead of ours, in microseconds.
const AHEAD_MAX: i64 = 60_000_000;

/// Refuses an order that cannot be issued: what it says first, then what it is for.
pub(super) fn check(transaction: &mut Transaction<'_>, settings: &Settings, order: Order<'_>) -> Result<(), Outcome> {
    said(transaction, order)?;
    let (_, plan) = plan(transaction, order)?;
    let plan = Plan::new(&plan);
    if plan.is_acute() {
        return Err(Reason::Acute.refuse(order.focus(), "Task.focus"));
    }
    issuable(transaction, order, plan)?;
    let today = london::day(Instant::from_millis(transaction.now()));
    if let Some(date) = plan.expired(today) {
        return Err(Reason::Expired.refuse(date, "Task.focus"));
    }
    match plan.authorized(settings) {
        Some(authorized) if plan.issued() >= authorized => Err(Reason::Exhausted.refuse(authorized, "Task.focus")),
        _ => Ok(()),
    }
}

/// Refuses what an order says by itself.
pub(super) fn said(transaction: &mut Transaction<'_>, order: Order<'_>) -> Result<(), Outcome> {
    if let Some((at, length)) = order.notes().enumerate().find(|(_, length)| *length > NOTE_MAX) {
        return Err(Reason::Note.refuse(length, format!("Task.note[{at}].text")));
    }
    let latest = Instant(Instant::from_millis(transaction.now()).0 + AHEAD_MAX);
    if let Some((text, _)) = order.authored_on().filter(|(_, moment)| *moment > latest) {
        return Err(Reason::Future.refuse(text, "Task.authoredOn"));
    }
    pharmacy::check(transaction, order)
}

/// The plan of an order, which is there as far as the caller may know, is a plan, and is for the patient of the order.
pub(super) fn plan(transaction: &mut Transaction<'_>, order: Order<'_>) -> Result<(Key, Arc<Document>), Outcome> {
    let focus = order.focus();
    let unknown = || Reason::UnknownPlan.refuse(&focus, "Task.focus");
    let Some(key) = order.plan(transaction) else {
        let names_one = focus.contains("MedicationRequest/");
        return Err(if names_one { unknown() } else { Reason::NoPlan.refuse(&focus, "Task.focus") });
    };
    let document = transaction.read(&key)?.ok_or_else(unknown)?;
    if !transaction.is_told(&key)? {
        return Err(unknown());
    }
    let intent = Plan::new(&document).intent();
    if intent != "plan" {
        return Err(Reason::NotAPlan.refuse(intent, "Task.focus"));
    }
    let wanted = named(transaction, order.patient())?;
    if wanted.is_none() || wanted != named(transaction, Plan::new(&document).get("subject"))? {
        // Who asks for a patient does not learn that others have such a plan.
        if !caller::is_professional(transaction) {
            return Err(unknown());
        }
        return Err(Reason::OtherPatient.refuse(order.patient_text(), "Task.for"));
    }
    Ok((key, document))
}

/// Refuses to issue on a plan that is not active, or to who has died.
pub(super) fn issuable(transaction: &mut Transaction<'_>, order: Order<'_>, plan: Plan<'_>) -> Result<(), Outcome> {
    let status = plan.status();
    if status != "active" {
        return Err(Reason::NotActive.refuse(status, "Task.focus"));
    }
    let Some(patient) = patient(transaction, order.patient())? else { return Ok(()) };
    let document = transaction.read(&patient)?;
    let has_died = document.is_some_and(|document| {
        let said = |name| document.root().get(name);
        said("deceasedDateTime").is_some() || said("deceasedBoolean").and_then(Node::as_bool) == Some(true)
    });
    match has_died {
        true => Err(Reason::Deceased.refuse(&patient, "Task.for")),
        false => Ok(()),
    }
}

/// The Patient whom a reference names, by its id or by its identifier.
pub(super) fn patient(transaction: &mut Transaction<'_>, reference: Option<Node<'_>>) -> Result<Option<Key>, Outcome> {
    let Some(reference) = reference else { return Ok(None) };
    let literal = reference.get("reference").and_then(Node::as_str);
    if let Some(key) = literal.and_then(|literal| transaction.local(&literal))
        && transaction.read(&key)?.is_some()
    {
        return Ok(Some(key));
    }
    match reference.get("identifier").and_then(Identifier::of) {
        Some(identifier) => transaction.identified("Patient", &identifier.system, &identifier.value),
        None => Ok(None),
    }
}

/// By what a reference tells its patient from others: the Patient of this server, else what is written.
pub(super) fn named(transaction: &mut Transaction<'_>, reference: Option<Node<'_>>) -> Result<Option<String>, Outcome> {
    if let Some(key) = patient(transaction, reference)? {
        return Ok(Some(key.as_str().to_owned()));
    }
    let Some(reference) = reference else { return Ok(None) };
    let identifier = reference.get("identifier").and_then(Identifier::of);
    let identifier = identifier.map(|identifier| format!("{}|{}", identifier.system, identifier.value));
    Ok(identifier.or_else(|| Some(reference.get("reference")?.as_str()?.into_owned())))
}
