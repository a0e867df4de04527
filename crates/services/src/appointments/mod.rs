//! Appointments: booking takes slots, cancelling frees them, <https://hl7.org/fhir/R4/appointment.html>.
//!
//! Invariants:
//! - The claim of a slot is the truth; `Slot.status` follows it. A slot with a claim is never free.
//! - Claim, slot and appointment change in one commit.

mod booking;
mod demands;
mod refusal;
mod resource;
mod slot;
mod status;

pub(crate) use booking::Booking;
pub(crate) use slot::ClaimedSlot;

#[cfg(test)]
mod tests;
