//! Packages of definitions, <https://hl7.org/fhir/packages.html>: profiles, value sets, code systems, concept maps, search parameters,
//! questionnaires and more as one file, which is added and removed as a whole, also while the server runs.
//!
//! Invariants:
//! - What a package adds are resources like any other, written through the one door; which they are is noted in the same commit.
//! - A package is never more than data: no path that it names is written to, and all its sizes are bounded.
//! - Removing takes away what was added and is unchanged, and nothing that another package has as well.

mod add;
mod archive;
mod catalogue;
mod manifest;
mod operations;
mod remove;

#[cfg(test)]
mod testing;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use add::add;
pub use catalogue::{Added, Package};
pub use manifest::Id;
pub(crate) use operations::{PackageAdd, PackageList, PackageRemove};
pub use remove::remove;

use fhir::Outcome;
use repository::Session;

use self::catalogue::Catalogue;

/// All packages, in the order they came.
pub fn list(session: &Session<'_>) -> Result<Vec<Package>, Outcome> {
    session.permit_everything()?;
    Ok(Catalogue::read(session)?.0)
}

/// Packages come and go one at a time: what is written of them rests on what was read.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
