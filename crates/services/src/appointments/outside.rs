//! Who may change what of an appointment.

use std::borrow::Cow;
use std::collections::BTreeSet;

use fhir::Outcome;
use fhir::json::{Document, Node};
use repository::{Millis, Planned, Rule, Transaction};

use super::hold::HELD_UNTIL;
use super::refusal::Reason;
use super::resource::{Entry, is_patient};
use super::staff;
use crate::same::same;

/// Callers who are not of the practice book, wait, answer what they are offered and cancel before the start; they describe what they come
/// for. All else of an appointment is for the practice: its staff, the record keeper, and whoever may do everything.
/// <https://simplifier.net/guide/GP-Connect-Patient-Facing-Appointments-Management/Home/Build/How-to-amend-an-appointment>
#[derive(Debug)]
pub(crate) struct Outside;

/// The states in which such callers make appointments.
const MADE: [&str; 3] = ["booked", "pending", "waitlist"];

/// The reason in words, beside `cancelationReason`, as GP Connect sends it.
const REASON_TEXT: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-GPConnect-AppointmentCancellationReason-1";

/// How many extensions are compared; with more of them none may change.
const EXTENSIONS_MAX: usize = 100;

const TEXTS: &[&str] = &["description", "comment"];
const CANCEL: &[&str] = &["cancelationReason"];
const WAIT: &[&str] = &["description", "comment", "requestedPeriod"];
const COMPLETE: &[&str] =
    &["description", "comment", "reasonCode", "reasonReference", "supportingInformation", "basedOn"];

/// From a state to a state: the elements that may change with it. Besides, patients answer where nothing is booked yet ([`only_answers`]), and
/// extensions change with the state ([`only_extensions`]).
const WAYS: [(&str, &str, &[&str]); 10] = [
    ("booked", "booked", TEXTS),
    ("booked", "cancelled", CANCEL),
    ("pending", "pending", COMPLETE),
    ("pending", "booked", COMPLETE),
    ("pending", "cancelled", CANCEL),
    ("waitlist", "waitlist", WAIT),
    ("waitlist", "cancelled", CANCEL),
    ("proposed", "proposed", TEXTS),
    ("proposed", "booked", COMPLETE),
    ("proposed", "cancelled", CANCEL),
];

impl Rule for Outside {
    fn name(&self) -> &'static str {
        "outside-the-practice"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        if transaction.is_import() || staff::asks(transaction) {
            return Ok(());
        }
        match (&planned.before, &planned.after) {
            (None, Some(after)) => made(Entry::new(after)),
            (Some(before), Some(after)) => changed(before, after, transaction.now()),
            (_, None) => Err(Reason::Deleted.refuse(&planned.key, "Appointment")),
        }
    }
}

fn made(after: Entry<'_>) -> Result<(), Outcome> {
    let status = after.status();
    match MADE.contains(&&*status) {
        true => Ok(()),
        false => Err(Reason::MadeOutside.refuse(status, "Appointment.status")),
    }
}

fn changed(before: &Document, after: &Document, now: Millis) -> Result<(), Outcome> {
    let changed = changed_elements(before.root(), after.root());
    if changed.is_empty() {
        return Ok(());
    }
    let (from, to) = (Entry::new(before), Entry::new(after));
    if from.instant("start").is_some_and(|start| start.as_millis() <= now) {
        return Err(Reason::Begun.refuse(from.text("start"), "Appointment.start"));
    }
    let (from, to) = (from.status(), to.status());
    let Some((.., elements)) = WAYS.iter().find(|(before, after, _)| *before == from && *after == to) else {
        return Err(match WAYS.iter().any(|(before, ..)| *before == from) {
            true => Reason::Way.refuse(format_args!("from {from} to {to}"), "Appointment.status"),
            false => Reason::Over.refuse(from, "Appointment.status"),
        });
    };
    for name in changed.into_iter().filter(|name| !elements.contains(&name.as_ref()) && *name != "status") {
        let may_change = match &*name {
            "extension" => only_extensions(before.root(), after.root(), &from, &to),
            "participant" => from != "booked" && only_answers(before.root(), after.root()),
            _ => false,
        };
        if !may_change {
            return Err(Reason::Element.refuse(&name, format!("Appointment.{name}")));
        }
    }
    Ok(())
}

/// The elements of a resource that differ, but for what the server writes itself. Of `meta`, labels alone are the practice's.
fn changed_elements<'a>(before: Node<'a>, after: Node<'a>) -> BTreeSet<Cow<'a, str>> {
    let names = before.members().chain(after.members()).map(|(name, _)| name);
    let differs = |name: &str| match name {
        "id" | "resourceType" => false,
        "meta" => !same(before.path(&["meta", "security"]), after.path(&["meta", "security"])),
        name => !same(before.get(name), after.get(name)),
    };
    let changed = names.filter(|name| differs(name));
    changed.map(|name| name.strip_prefix('_').map_or(Cow::Borrowed(name), |name| name.to_owned().into())).collect()
}

/// Whether extensions differ only in what comes with this change of state: the reason of a cancellation, or the end of a hold.
fn only_extensions(before: Node<'_>, after: Node<'_>, from: &str, to: &str) -> bool {
    let (had, has) = (items(before, "extension"), items(after, "extension"));
    if had.len().max(has.len()) > EXTENSIONS_MAX {
        return false;
    }
    let is = |extension: &Node<'_>, url| extension.get("url").is_some_and(|found| found.is_str(url));
    let is_in = |one: &Node<'_>, all: &[Node<'_>]| all.iter().any(|other| same(Some(*one), Some(*other)));
    let mut added = has.iter().filter(|extension| !is_in(extension, &had));
    let mut removed = had.iter().filter(|extension| !is_in(extension, &has));
    added.all(|extension| to == "cancelled" && is(extension, REASON_TEXT))
        && removed.all(|extension| from != to && is(extension, HELD_UNTIL))
}

/// Whether participants differ only in whether patients come.
fn only_answers(before: Node<'_>, after: Node<'_>) -> bool {
    let (before, after) = (items(before, "participant"), items(after, "participant"));
    let answers = |(before, after): (Node<'_>, Node<'_>)| {
        let is_patient = before.get("actor").is_some_and(is_patient);
        let mut names = before.members().chain(after.members()).map(|(name, _)| name);
        names.all(|name| is_patient && name == "status" || same(before.get(name), after.get(name)))
    };
    before.len() == after.len() && before.into_iter().zip(after).all(answers)
}

fn items<'a>(root: Node<'a>, name: &str) -> Vec<Node<'a>> {
    root.get(name).into_iter().flat_map(Node::each).collect()
}
