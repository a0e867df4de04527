//! When a slot can be booked.

use fhir::json::{Document, Node};
use fhir::{DateTime, Instant};

use super::resource::Entry;

/// From when and until when a slot can be booked, on Slot.
const BOOKING_WINDOW: &str = "https://flint.example/fhir/StructureDefinition/booking-window";

/// Whether the slot can be booked now: it was released, and its booking has not closed.
/// <https://developer.nhs.uk/apis/gpconnect-1-2-7/appointments_slotavailabilitymanagement.html>
pub(crate) fn is_open(slot: &Document, now: Instant) -> bool {
    let window = Entry::new(slot).extensions(BOOKING_WINDOW).next().and_then(|it| it.get("valuePeriod"));
    let bound = |name: &str| DateTime::parse(&window?.get(name).and_then(Node::as_str)?).map(|time| time.range());
    bound("start").is_none_or(|(start, _)| start <= now) && bound("end").is_none_or(|(_, end)| now <= end)
}
