//! One order at a time: an order that is not ended holds a claim on its plan.

use fhir::Outcome;
use repository::{Key, Transaction};

use super::order::Order;
use super::refusal::Reason;

/// Lets an order hold its plan while it is open, and give it back when it ends. An open order that came by import beside another one goes on
/// without the claim, and so does one by who may not know of the other: a refusal would tell that it is there. The plan's count bounds both.
pub(super) fn follow(
    transaction: &mut Transaction<'_>,
    order: &Key,
    before: Option<Order<'_>>,
    after: Option<Order<'_>>,
) -> Result<(), Outcome> {
    let held = before.filter(|before| before.is_open()).and_then(|before| before.plan(transaction));
    let wanted = after.filter(|after| after.is_open()).and_then(|after| after.plan(transaction));
    if let Some(plan) = &held
        && wanted.as_ref() != Some(plan)
        && holder(transaction, plan)?.as_ref() == Some(order)
    {
        transaction.release(name(plan));
    }
    let Some(plan) = &wanted else { return Ok(()) };
    if let Some(other) = holder(transaction, plan)?.filter(|holder| holder != order)
        && (transaction.is_import() || held == wanted || !transaction.is_told(&other)?)
    {
        return Ok(());
    }
    let refusal = Reason::Ordered.refuse(plan, "Task.focus");
    transaction.claim(name(plan), order.as_str().as_bytes().to_vec(), refusal)
}

fn holder(transaction: &mut Transaction<'_>, plan: &Key) -> Result<Option<Key>, Outcome> {
    let value = transaction.claimed(&name(plan))?;
    Ok(value.and_then(|value| Key::parse(std::str::from_utf8(&value).ok()?)))
}

fn name(plan: &Key) -> Vec<u8> {
    format!("repeat-order/{}", plan.id()).into_bytes()
}
