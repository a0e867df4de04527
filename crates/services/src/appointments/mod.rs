//! Appointments: booking takes slots, cancelling frees them.

mod booking;
pub use booking::Booking;
