//! IHE Scheduling: `$find`, `$hold` and `$book` on Appointment, <https://profiles.ihe.net/ITI/Scheduling/>.
//!
//! They compose changes and answer; what may be held and booked is decided by the rule Booking.

mod answer;
mod asked;
mod book;
mod find;
mod hold;
mod proposal;

pub(crate) use book::Book;
pub(crate) use find::Find;
pub(crate) use hold::Hold;
