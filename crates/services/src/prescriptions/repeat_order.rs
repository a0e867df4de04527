//! The rule RepeatOrder.

use std::sync::Arc;

use fhir::Outcome;
use fhir::json::Document;
use repository::{Method, Planned, Rule, Transaction};

use super::order::Order;
use super::plan::Plan;
use super::refusal::Reason;
use super::{caller, dispensing, issue, lock, notice, ordering, status};
use crate::Services;
use crate::appointments::is_practice;

/// What the practice and the pharmacy say in an order, by the names of R4.
const OF_PRACTICE: [&str; 2] = ["output", "businessStatus"];

/// A Task that orders a repeat prescription can be issued when it is made, holds its plan until it ends, goes from state to state by the table,
/// and is completed with a prescription.
///
/// The patient makes it, and withdraws or changes it while it is requested; all else is the practice's. What comes in a state that ends an order
/// is the record of one made elsewhere: nothing is demanded of it, and nothing follows. Other Tasks are none of this rule's.
#[derive(Debug)]
pub(crate) struct RepeatOrder {
    pub(crate) services: Arc<Services>,
}

impl Rule for RepeatOrder {
    fn name(&self) -> &'static str {
        "repeat-order"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Task"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let before = planned.before.as_deref().and_then(Order::of);
        let after = planned.after.as_deref().and_then(Order::of);
        if transaction.is_import() {
            return lock::follow(transaction, &planned.key, before, after);
        }
        match (before, after) {
            (None, None) => return Ok(()),
            (None, Some(after)) => self.begin(transaction, after)?,
            (Some(before), Some(after)) => change(transaction, planned, before, after)?,
            (Some(before), None) => end(transaction, planned, before)?,
        }
        lock::follow(transaction, &planned.key, before, after)?;
        match (before, after, planned.after.as_deref()) {
            (Some(before), Some(after), Some(task)) if before.is_open() && !after.is_open() => {
                self.follow(transaction, planned, after, task)
            }
            _ => Ok(()),
        }
    }
}

impl RepeatOrder {
    fn begin(&self, transaction: &mut Transaction<'_>, order: Order<'_>) -> Result<(), Outcome> {
        let status = order.status();
        status::known(&status)?;
        if !caller::is_professional(transaction) {
            if status != "requested" {
                return Err(Reason::OfPractice.refuse(status, "Task.status"));
            }
            refuse_of_practice(None, order)?;
        }
        dispensing::check(order)?;
        match order.is_open() {
            true => ordering::check(transaction, &self.services.settings, order),
            false => Ok(()),
        }
    }

    /// What follows when an order ends: a prescription when it is completed, and in any case a word to the patient.
    fn follow(
        &self,
        transaction: &mut Transaction<'_>,
        planned: &Planned,
        order: Order<'_>,
        task: &Document,
    ) -> Result<(), Outcome> {
        if order.status() == "completed" {
            issue::issue(transaction, &self.services.settings, &planned.key, order, task)?;
        }
        let plan = match order.plan(transaction) {
            Some(plan) => transaction.read(&plan)?,
            None => None,
        };
        let labels = plan.as_deref().and_then(|plan| Plan::new(plan).get("meta")?.get("security"));
        notice::tell(transaction, &planned.key, order, labels)
    }
}

/// Refuses a change that is not the caller's to make, or that the order in its state does not take.
fn change(
    transaction: &mut Transaction<'_>,
    planned: &Planned,
    before: Order<'_>,
    after: Order<'_>,
) -> Result<(), Outcome> {
    let (from, to) = (before.status(), after.status());
    if transaction.changes_nothing(&planned.key) {
        return refuse_second_completion(planned, after);
    }
    let is_professional = caller::is_professional(transaction);
    status::known(&to)?;
    status::permit(is_professional, &from, &to)?;
    if from != to && to == "completed" && !is_practice(transaction) {
        return Err(Reason::OfPractice.refuse(to, "Task.status"));
    }
    if !is_professional {
        if from != "requested" {
            return Err(Reason::NotRequested.refuse(from, "Task.status"));
        }
        refuse_of_practice(Some(before), after)?;
    }
    if before.plan(transaction) != after.plan(transaction) {
        return Err(Reason::Moved.refuse(after.focus(), "Task.focus"));
    }
    if ordering::named(transaction, before.patient())? != ordering::named(transaction, after.patient())? {
        return Err(Reason::Moved.refuse(after.patient_text(), "Task.for"));
    }
    if from == "completed" {
        refuse_other_output(before, after)?;
    }
    if from != to && ["failed", "rejected"].contains(&to.as_ref()) && after.raw("statusReason").is_none() {
        return Err(Reason::Unexplained.refuse(to, "Task.statusReason"));
    }
    dispensing::check(after)?;
    match ["note", "input", "authoredOn"].iter().all(|name| before.raw(name) == after.raw(name)) {
        true => Ok(()),
        false => ordering::said(transaction, after),
    }
}

/// Refuses to take away an order that is not the caller's any more, or to make something else of it.
fn end(transaction: &Transaction<'_>, planned: &Planned, before: Order<'_>) -> Result<(), Outcome> {
    if planned.after.is_some() {
        return Err(Reason::NoOrder.refuse(&planned.key, "Task.code"));
    }
    let status = before.status();
    match caller::is_professional(transaction) || status == "requested" {
        true => Ok(()),
        false => Err(Reason::NotRequested.refuse(status, "Task.status")),
    }
}

/// A PATCH that changes nothing of what somebody else has just completed comes from a second who would complete it, and is told so.
fn refuse_second_completion(planned: &Planned, order: Order<'_>) -> Result<(), Outcome> {
    let is_completed = order.status() == "completed" && order.raw("businessStatus").is_none();
    match order.prescriptions().next() {
        Some((_, prescription)) if is_completed && planned.method == Method::Patch => {
            Err(Reason::Completed.refuse(prescription, "Task.status"))
        }
        _ => Ok(()),
    }
}

/// A completed order keeps its prescriptions: who leaves them out has not seen that it is completed.
fn refuse_other_output(before: Order<'_>, after: Order<'_>) -> Result<(), Outcome> {
    let kept: Vec<_> = after.prescriptions().map(|(_, prescription)| prescription).collect();
    match before.prescriptions().find(|(_, prescription)| !kept.contains(prescription)) {
        Some((_, prescription)) => Err(Reason::Completed.refuse(prescription, "Task.output")),
        None => Ok(()),
    }
}

fn refuse_of_practice(before: Option<Order<'_>>, after: Order<'_>) -> Result<(), Outcome> {
    let changed = |name: &&&str| before.and_then(|before| before.raw(name)) != after.raw(name);
    match OF_PRACTICE.iter().find(changed) {
        Some(name) => Err(Reason::OfPractice.refuse(name, format!("Task.{name}"))),
        None => Ok(()),
    }
}
