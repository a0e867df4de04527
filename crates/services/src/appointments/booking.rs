//! The rule Booking.

use fhir::Outcome;
use repository::{Planned, Rule, Transaction};

/// An appointment that is booked holds its slots; no slot is held twice.
#[derive(Debug)]
pub struct Booking;

impl Rule for Booking {
    fn name(&self) -> &'static str {
        "booking"
    }
    fn resource_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }
    fn apply(&self, _transaction: &mut Transaction<'_>, _planned: &Planned) -> Result<(), Outcome> {
        todo!()
    }
}
