//! The one door to data.
//!
//! Invariants:
//! - Every read and every write of a resource passes through a [`Session`], and so through its [`Access`].
//! - Every write is a [`Change`] for one [`Session::transact`]: permit, resolve references, validate, rules, number versions, index, one commit.
//! - What decides a conditional interaction holds at the moment of the commit, so racing calls never make two.

mod access;
pub mod audit;
mod change;
mod consent;
mod emergency;
mod fault;
mod lease;
mod library;
mod lookup;
mod mask;
pub mod moving;
mod names;
mod note;
mod once;
mod packed;
mod parameters;
mod requester;
mod rule;
mod search;
mod session;
mod trail;
mod transact;
mod transaction;
mod vault;

#[cfg(test)]
mod testing;

pub use ::search::{parse_query_string, query_string};
pub use access::{Access, Act, Acts, BEARER_CODES, DIRECTORY, INSUFFICIENT_SCOPE, Permission, Permit, Rights};
pub use change::{CHANGES_MAX, Change, ChangeKind, Changed, Method, Refusal, Target};
pub use consent::{Implicit, POLICIES_MAX, PROVISION_DEPTH_MAX, PROVISIONS_MAX};
pub use emergency::{EMERGENCIES_MAX, EMERGENCY_DURATION, Emergency, REASON_MAX};
pub use fhir::outcome::HTTP_ERROR_CODES;
pub use fhir::patch::Patch;
pub use library::{Shelf, TerminologyServer};
pub use note::Note;
pub use once::{ONCE_DURATION, Once, Repetition};
pub use parameters::ParameterState;
pub use requester::{Name, Requester};
pub use rule::{Planned, Rule};
pub use search::{ContainedMatch, INCLUDES_MAX, SearchPage, SearchRequest};
pub use session::{EarlierVersions, References, Repository, Session, Setup, Validation, new_id};
pub use trail::Origin;
pub use transaction::Transaction;
pub use vault::{Edit, Expected, Vault};

pub use store::{Count, Counted, Cursor, History, HistoryPage, HistoryScope, Key, Millis, Page, Version};
