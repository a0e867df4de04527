//! Issuing a repeat: the prescription, the plan's count and the order's output, in the commit that completes the order.

use std::sync::Arc;

use fhir::json::{Document, Value};
use fhir::{Instant, Outcome};
use repository::{Key, Transaction};

use super::order::{ITEM_NUMBER, Order};
use super::plan::Plan;
use super::refusal::Reason;
use super::{number, ordering, pharmacy};
use crate::settings::Settings;

/// What a prescription has from its plan. The repeats that are authorized stay with the plan.
const COPIED: [&str; 15] = [
    "contained",
    "category",
    "priority",
    "medicationCodeableConcept",
    "medicationReference",
    "subject",
    "requester",
    "performer",
    "performerType",
    "reasonCode",
    "reasonReference",
    "courseOfTherapyType",
    "insurance",
    "dosageInstruction",
    "substitution",
];

const PRESCRIPTION_NUMBER: &str = "https://fhir.nhs.uk/Id/prescription-order-number";
const UUID: &str = "https://tools.ietf.org/html/rfc4122";

/// The intents of what a pharmacy dispenses by.
const PRESCRIBED: [&str; 5] = ["order", "original-order", "reflex-order", "filler-order", "instance-order"];

/// Writes what completing the order means. A prescription that the practice's own system names in `output` is the one, and no other is made.
pub(super) fn issue(
    transaction: &mut Transaction<'_>,
    settings: &Settings,
    task: &Key,
    order: Order<'_>,
    document: &Document,
) -> Result<(), Outcome> {
    let (plan_key, plan) = ordering::plan(transaction, order)?;
    ordering::issuable(transaction, order, Plan::new(&plan))?;
    count(transaction, settings, &plan_key, Plan::new(&plan))?;
    if brought(transaction, order, &plan_key)? {
        return Ok(());
    }
    let key = transaction.new_key("MedicationRequest")?;
    let prescription = prescription(transaction, order, &key, &plan_key, &plan)?;
    transaction.put(&key, prescription)?;
    transaction.put(task, with_output(document, &key)?)
}

/// Counts one repeat more, as the practice's own system may have done in the same transaction. The version of the plan that was read is a
/// precondition of the commit, so that no two count from the same number.
fn count(transaction: &mut Transaction<'_>, settings: &Settings, key: &Key, plan: Plan<'_>) -> Result<(), Outcome> {
    let stored = transaction.read_stored(key)?.map_or(0, |stored| Plan::new(&stored).issued());
    let is_counted = transaction.is_written(key) && plan.issued() > stored;
    let issued = if is_counted { plan.issued() } else { plan.issued().saturating_add(1) };
    match plan.authorized(settings) {
        Some(authorized) if issued > authorized => Err(Reason::Exceeded.refuse(authorized, "Task.status")),
        _ if is_counted => Ok(()),
        _ => transaction.put(key, plan.with_issued(issued)?),
    }
}

/// Whether the order names a prescription already; refused when it is none on this plan for this patient.
fn brought(transaction: &mut Transaction<'_>, order: Order<'_>, plan: &Key) -> Result<bool, Outcome> {
    let mut is_brought = false;
    for (at, reference) in order.prescriptions() {
        is_brought = true;
        // What is elsewhere is the word of who completes the order.
        let Some(key) = transaction.local(&reference) else { continue };
        let refuse = || Reason::OtherPrescription.refuse(&reference, format!("Task.output[{at}].value"));
        let document = transaction.read(&key)?.ok_or_else(refuse)?;
        let prescription = Plan::new(&document);
        let mut based_on = prescription.get("basedOn").into_iter().flat_map(|based_on| based_on.each());
        let is_on_plan = based_on.any(|on| {
            let literal = on.get("reference").and_then(|reference| reference.as_str());
            literal.and_then(|literal| transaction.local(&literal)).as_ref() == Some(plan)
        });
        let subject = ordering::patient(transaction, prescription.get("subject"))?;
        let is_for_patient = subject.is_some() && subject == ordering::patient(transaction, order.patient())?;
        if !PRESCRIBED.contains(&prescription.intent().as_ref()) || !is_on_plan || !is_for_patient {
            return Err(refuse());
        }
    }
    Ok(is_brought)
}

fn prescription(
    transaction: &mut Transaction<'_>,
    order: Order<'_>,
    key: &Key,
    plan_key: &Key,
    document: &Arc<Document>,
) -> Result<Document, Outcome> {
    let plan = Plan::new(document);
    let mut made = Value::object();
    made.set("resourceType", "MedicationRequest");
    // Who may not see the plan may not see what it becomes.
    if let Some(labels) = document.root().path(&["meta", "security"]) {
        made.set("meta", object([("security", Value::from(labels))]));
    }
    for name in COPIED {
        if let Some(value) = plan.get(name) {
            made.set(name, Value::from(value));
        }
    }
    let item = order.item_number().unwrap_or_else(|| number::item(key));
    made.set("identifier", Value::Array(vec![identifier(ITEM_NUMBER, item)]));
    made.set("status", "active");
    made.set("intent", "order");
    made.set("basedOn", Value::Array(vec![object([("reference", plan_key.as_str().into())])]));
    made.set("authoredOn", Instant::from_millis(transaction.now()).to_rfc3339());
    let group = match number::ods(transaction, plan)? {
        Some(ods) => identifier(PRESCRIPTION_NUMBER, number::prescription(key, &ods)),
        None => identifier(UUID, number::item(key)),
    };
    made.set("groupIdentifier", group);
    if let Some(dispensing) = dispensing(transaction, order, plan)? {
        made.set("dispenseRequest", dispensing);
    }
    Ok(Document::parse(made.to_string().as_bytes())?)
}

/// The plan's, for one issue, at the pharmacy that was chosen.
fn dispensing(transaction: &mut Transaction<'_>, order: Order<'_>, plan: Plan<'_>) -> Result<Option<Value>, Outcome> {
    let mut dispensing = plan.get("dispenseRequest").map(Value::from);
    if let Some(dispensing) = &mut dispensing {
        dispensing.remove("initialFill");
        dispensing.remove("_numberOfRepeatsAllowed");
        dispensing.set("numberOfRepeatsAllowed", Value::Number("0".to_owned()));
    }
    let patient = match ordering::patient(transaction, order.patient())? {
        Some(patient) => transaction.read(&patient)?,
        None => None,
    };
    let pharmacy = pharmacy::chosen(transaction, order, patient.as_deref())?;
    if let Some(pharmacy) = pharmacy {
        dispensing.get_or_insert_with(Value::object).set("performer", pharmacy);
    }
    Ok(dispensing)
}

/// The order with the prescription as an output.
fn with_output(document: &Document, prescription: &Key) -> Result<Document, Outcome> {
    let coding = object([
        ("system", "https://flint.example/fhir/CodeSystem/repeat-order-output".into()),
        ("code", "prescription".into()),
    ]);
    let output = object([
        ("type", object([("coding", Value::Array(vec![coding]))])),
        ("valueReference", object([("reference", prescription.as_str().into())])),
    ]);
    let mut task = Value::from(document.root());
    let mut outputs = task.get("output").map_or(Vec::new(), |outputs| outputs.items().to_vec());
    outputs.push(output);
    task.set("output", Value::Array(outputs));
    Ok(Document::parse(task.to_string().as_bytes())?)
}

fn identifier(system: &str, value: String) -> Value {
    object([("system", system.into()), ("value", value.into())])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
}
