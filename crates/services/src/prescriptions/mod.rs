//! Repeat prescriptions: a plan authorizes repeats, a Task orders one, the practice completes it with a prescription. The model is that of
//! GP Connect Patient Facing Prescriptions.
//!
//! Invariants:
//! - A plan has one order at a time that is not ended: the claim on the plan is the truth.
//! - Prescription, the plan's count and the order's output change in one commit, and the count does not pass what is authorized.

mod caller;
mod dispensing;
mod issue;
mod lock;
mod nomination;
mod notice;
mod number;
mod order;
mod ordering;
mod pharmacy;
mod plan;
mod prescriber;
mod refusal;
mod repeat_order;
mod status;

pub(crate) use nomination::Nomination;
pub(crate) use prescriber::Prescriber;
pub(crate) use repeat_order::RepeatOrder;
