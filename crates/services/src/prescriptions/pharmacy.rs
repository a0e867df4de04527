//! The pharmacy of a prescription: the order's own, else the one that the patient has nominated, else the plan's.

use fhir::Outcome;
use fhir::json::{Document, Node, Value};
use repository::{Key, Transaction};

use super::order::{Identifier, Order};
use super::plan::extension;
use super::refusal::Reason;

/// UK Core: where the patient's prescriptions go.
const NOMINATED: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NominatedPharmacy";

/// Codes of organizations and of their sites, by the Organisation Data Service.
pub(super) const ODS: [&str; 2] =
    ["https://fhir.nhs.uk/Id/ods-organization-code", "https://fhir.nhs.uk/Id/ods-site-code"];

/// Refuses an order that names a pharmacy for itself which is no Organization of this server.
pub(super) fn check(transaction: &mut Transaction<'_>, order: Order<'_>) -> Result<(), Outcome> {
    for (at, identifier) in order.pharmacies() {
        let known = match &identifier {
            Some(identifier) => known(transaction, identifier)?,
            None => None,
        };
        if known.is_none() {
            let code = identifier.map_or(String::new(), |identifier| identifier.value);
            return Err(Reason::Pharmacy.refuse(code, format!("Task.input[{at}].value")));
        }
    }
    Ok(())
}

/// The Organization with this ODS code.
pub(super) fn known(transaction: &mut Transaction<'_>, identifier: &Identifier) -> Result<Option<Key>, Outcome> {
    match ODS.contains(&identifier.system.as_str()) {
        true => transaction.identified("Organization", &identifier.system, &identifier.value),
        false => Ok(None),
    }
}

/// The pharmacy that a patient has nominated: a Reference.
pub(super) fn nominated(patient: &Document) -> Option<Node<'_>> {
    extension(patient.root(), NOMINATED)?.get("valueReference")
}

/// The Reference to the pharmacy for what is issued on an order; `None` for the plan's.
pub(super) fn chosen(
    transaction: &mut Transaction<'_>,
    order: Order<'_>,
    patient: Option<&Document>,
) -> Result<Option<Value>, Outcome> {
    let own = order.pharmacies().find_map(|(_, identifier)| identifier);
    if let Some(identifier) = own
        && let Some(organization) = known(transaction, &identifier)?
    {
        let mut reference = Value::object();
        reference.set("reference", organization.as_str());
        return Ok(Some(reference));
    }
    Ok(patient.and_then(nominated).map(Value::from))
}
