//! Appointments: booking takes slots, cancelling frees them, <https://hl7.org/fhir/R4/appointment.html>.
//!
//! Invariants:
//! - The claims of a slot's seats are the truth; `Slot.status` follows them. A slot whose seats are all claimed is never free.
//! - Claims, guards, slots and appointment change in one commit.

mod actor;
mod booker;
mod booking;
mod deadlines;
mod demands;
mod guard;
mod hold;
mod ihe;
mod kept;
mod limit;
mod of_practice;
mod outside;
mod patient;
mod refusal;
mod resource;
mod seats;
mod slot;
mod staff;
mod status;
mod waiting;
mod window;

pub(crate) use booker::BOOKING_ORGANIZATION;
pub(crate) use booking::Booking;
pub(crate) use deadlines::Deadlines;
pub use deadlines::Swept;
pub(crate) use ihe::{Book, Find, Hold};
pub(crate) use kept::{BOOKABLE_BY, KeptSlots};
pub(crate) use limit::BookingLimit;
pub(crate) use of_practice::OfPractice;
pub(crate) use outside::Outside;
pub(crate) use slot::ClaimedSlot;
pub(crate) use staff::asks as is_practice;
pub(crate) use waiting::{Answer, Offers, Waiting};
pub(crate) use window::is_open;

#[cfg(test)]
mod tests;
