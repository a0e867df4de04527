//! The waiting list, <https://hl7.org/fhir/R4/appointment.html#12.10.4.5>: who waits is offered what is given back.
//!
//! Invariants:
//! - An offer is the appointment that waited, with the slot, until a time. It stands in the same commit as what gave the slot back, and so does
//!   what tells the patient.
//! - The order is that of waiting, by a time that the server keeps. Whoever declines, or does not answer, waits on at the end.
//! - A slot is offered to nobody twice.
//! - Whoever comes to the list while a slot is given back is offered it, whichever of the two is committed first.
//! - Nobody has more than a few places on the list.

mod answer;
mod entry;
mod matching;
mod meeting;
mod offer;
mod place;
mod replaces;

pub(crate) use answer::Answer;
pub(super) use entry::has_waited;
pub(crate) use offer::Offers;
pub(crate) use replaces::Waiting;
