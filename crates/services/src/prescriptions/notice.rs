//! What tells the patient how an order ended.

use fhir::json::{Document, Node, quote};
use fhir::{Instant, Outcome};
use repository::{Key, Transaction};

use super::order::Order;

/// Tells the patient of an order that the practice has ended, in the same commit. It does not say what was ordered: who may see that finds it by
/// the order.
pub(super) fn tell(
    transaction: &mut Transaction<'_>,
    task: &Key,
    order: Order<'_>,
    security: Option<Node<'_>>,
) -> Result<(), Outcome> {
    let (Some(patient), Some(text)) = (order.raw("for"), text(&order.status())) else { return Ok(()) };
    let key = transaction.new_key("Communication")?;
    let security = security.map_or(String::new(), |labels| format!(r#""meta":{{"security":{}}},"#, labels.raw()));
    let sent = Instant::from_millis(transaction.now());
    let communication = format!(
        r#"{{"resourceType":"Communication",{security}"basedOn":[{{"reference":"{task}"}}],"status":"completed","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/communication-category","code":"notification"}}]}}],"subject":{patient},"sent":"{sent}","recipient":[{patient}],"payload":[{{"contentString":{}}}]}}"#,
        quote(text),
    );
    transaction.put(&key, Document::parse(communication.as_bytes())?)
}

fn text(status: &str) -> Option<&'static str> {
    match status {
        "completed" => Some("Your repeat prescription was issued."),
        "failed" => Some("Your repeat prescription could not be issued. The order says why."),
        "rejected" => Some("Your order of a repeat prescription was refused. The order says why."),
        _ => None,
    }
}
