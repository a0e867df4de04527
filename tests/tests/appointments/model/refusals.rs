use serde_json::Value;

use super::clients::Answer;

/// A refusal: status, issue type, code, words.
type Refusal = (u16, &'static str, &'static str, &'static str);

/// Those that such requests get. Who comes too late for something is told so by 409, and by IHE's operations by 404.
const KNOWN: [Refusal; 28] = [
    (409, "conflict", "DUPLICATE_REJECTED", "is not free"),
    (409, "conflict", "DUPLICATE_REJECTED", "has another appointment at that time"),
    (409, "conflict", "DUPLICATE_REJECTED", "is held for this patient"),
    (409, "conflict", "DUPLICATE_REJECTED", "the slot is held by"),
    (409, "conflict", "FORBIDDEN_UPDATE", "which is over"),
    (404, "not-found", "DUPLICATE_REJECTED", "is not free"),
    (404, "not-found", "DUPLICATE_REJECTED", "has another appointment at that time"),
    (404, "not-found", "DUPLICATE_REJECTED", "is held for this patient"),
    (404, "not-found", "FORBIDDEN_UPDATE", "which is over"),
    (404, "not-found", "NOT_FOUND", "the appointment is cancelled"),
    (404, "not-found", "NOT_FOUND", "cannot be booked"),
    (404, "not-found", "NOT_FOUND", "to be had"),
    (404, "not-found", "NOT_FOUND", "was deleted as version"),
    (404, "not-found", "NOT_FOUND", "another request changed the appointment"),
    (410, "deleted", "NOT_FOUND", "was deleted as version"),
    (412, "conflict", "RESOURCE_VERSION_MISMATCH", "the current one is"),
    (412, "conflict", "RESOURCE_VERSION_MISMATCH", "and there is no"),
    (422, "not-found", "REFERENCE_NOT_FOUND", "leads to no resource of this server"),
    (422, "not-found", "REFERENCE_NOT_FOUND", "is no slot of this server"),
    (422, "business-rule", "INVALID_RESOURCE", "an appointment cannot go"),
    (422, "business-rule", "INVALID_RESOURCE", "is no instant to come"),
    (422, "business-rule", "INVALID_RESOURCE", "is later than before"),
    (409, "conflict", "FORBIDDEN_UPDATE", "and no offer that stands"),
    (422, "business-rule", "INVALID_RESOURCE", "places on the waiting list"),
    // Who declines what is offered no more declines to wait.
    (422, "business-rule", "INVALID_RESOURCE", "is a patient who has not declined"),
    (422, "business-rule", "INVALID_RESOURCE", "that can be replaced"),
    // What waits has no time at which it is booked.
    (422, "invariant", "UNPROCESSABLE_ENTITY", "app-3 does not hold"),
    // Entered in error after it was cancelled for a reason.
    (422, "invariant", "UNPROCESSABLE_ENTITY", "app-4 does not hold"),
];

/// What is wrong with a refusal.
pub(super) fn wrong(answer: &Answer) -> Option<String> {
    if answer.status < 300 {
        return None;
    }
    let text = |pointer: &str| answer.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let found = (answer.status, text("/issue/0/code"), text("/issue/0/details/coding/0/code"));
    let words = text("/issue/0/diagnostics");
    let is_known = KNOWN.iter().any(|known| (known.0, known.1, known.2) == found && words.contains(known.3));
    (!is_known || text("/resourceType") != "OperationOutcome").then(|| format!("not known: {found:?}, {answer:?}"))
}
