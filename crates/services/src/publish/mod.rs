//! What is open to book, for everybody: SMART Scheduling Links, <https://github.com/smart-on-fhir/smart-scheduling-links>.
//!
//! Invariants:
//! - Nothing is published but places, services, schedules and slots that are free, to come, and kept for nobody in particular; of schedules
//!   and slots only the elements that this needs.
//! - A file has a bounded number of lines: what is more is in more files.
//! - What there is is counted once a minute, however many ask.

mod kept;
mod lines;
mod manifest;
mod operation;
mod split;

pub(crate) use kept::Kept;
pub(crate) use operation::BulkPublish;
