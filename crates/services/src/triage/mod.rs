//! Triage: forms that are filled in from the record and turned into Observations, what a triage engine decides, and referrals.
//!
//! No clinical logic is here: what follows from answers, an engine decides and pushes as GuidanceResponse and RequestGroup.
//!
//! Invariants:
//! - Nothing is filled into a form that the caller could not read.
//! - A GuidanceResponse lets one appointment be booked, of the patient it is about.
//! - A message is taken once, and as a whole.

mod extension;
mod extract;
mod guidance;
mod guided;
mod message;
mod populate;
mod questionnaire;
mod referral;
mod refusal;

pub(crate) use extract::Extract;
pub(crate) use guidance::GuidanceGiver;
pub(crate) use guided::Guided;
pub(crate) use message::{ProcessMessage, ReceivedOnce};
pub(crate) use populate::Populate;
pub(crate) use referral::Referral;
