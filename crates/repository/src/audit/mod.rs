//! The audit: who saw and did what, and why, <https://hl7.org/fhir/R4/auditevent.html>.
//!
//! An [`Account`] tells of one access. That of a read is durable before anything is disclosed ([`Ledger::append`]), that of a write is in
//! the commit of the write ([`Ledger::writes`]). One thread keeps those of reads in the store's journal, one chains all of them in blocks, and one
//! makes an AuditEvent of each record.
//!
//! Invariants:
//! - The blocks are the truth and are never changed. Each holds the hash of the one before it, so that a change, a gap or another order
//!   shows; that the last ones were cut off shows to who noted a [`Head`].
//! - An AuditEvent follows from its record alone. Nobody writes one but the ledger, which makes each exactly once.
//! - No record names two patients.
//! - What is answered about AuditEvents after [`Ledger::settle`] is complete.

mod account;
mod block;
mod chain;
mod code;
mod event;
mod keep;
mod ledger;
mod make;
mod outstanding;
mod pace;
mod record;
mod rule;
mod shown;
mod ticket;
mod verify;

#[cfg(test)]
mod tests;

pub use account::{Account, Act, DATA_MAX, Datum, Ending, QUERY_MAX, Subject};
pub use block::{Head, Place};
pub(crate) use chain::JOURNALED;
pub use event::EXTENSION;
pub use ledger::Ledger;
pub use pace::STRANGERS_MAX;
pub use record::Record;
pub(crate) use rule::Protection;
pub use ticket::Ticket;
pub use verify::{Damage, Report};
