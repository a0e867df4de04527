//! What patients come for: the rules of the services, and operations.

mod appointments;

use repository::Rule;

/// Every rule, in the order they apply.
pub static RULES: &[&'static dyn Rule] = &[&appointments::Booking];
