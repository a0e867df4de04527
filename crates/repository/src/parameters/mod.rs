//! Search parameters that come, change and go while the server runs, <https://hl7.org/fhir/R4/search.html#parameters>.
//!
//! A SearchParameter resource that is active is in use from the commit that writes it: that commit puts it into the [`catalogue`], notes
//! that the resources of its types are to be indexed anew, and counts the generation up. Every commit that writes index rows demands the
//! generation that it was prepared in, so none is lost between two: what was prepared before is prepared again.
//!
//! Invariants:
//! - What is in use, and how far the indexing is, stands in the store alone; a [`Live`] registry is what was read from it.
//! - A parameter is searched only when every resource of the type has its rows.
//! - Indexing takes turns with everybody: bounded batches, each one commit among others.

mod catalogue;
mod change;
mod index;
mod live;
mod state;

#[cfg(test)]
mod tests;

pub(crate) use catalogue::{Generation, is_indexing};
pub(crate) use change::Keeper;
pub(crate) use index::Work;
pub(crate) use live::Live;
pub use state::ParameterState;

/// The stored value that counts the changes of the catalogue.
pub(crate) const GENERATION: &[u8] = b"search/generation";

/// The stored value with the parameters in use.
const PARAMETERS: &[u8] = b"search/parameters";

/// The stored value with the types to be indexed anew, and how far they are.
const JOBS: &[u8] = b"search/jobs";

/// The stored value with the form of all rows.
pub(crate) const ROWS_FORMAT: &[u8] = b"search/rows-format";
