//! Definitions that validation, FHIRPath and terminology look up: conformance resources of the store, then R4's own and ours.
//!
//! Invariants:
//! - Definitions are read whatever the access: only what they say about other resources takes part, as in a terminology server. Any other
//!   resource is read as far as the access allows.
//! - What was parsed and compiled holds for one [`Generation`] of definitions; a [`Shelf`] sees one generation from its first look-up on.

mod elsewhere;
mod generation;
mod imported;
mod lookup;
mod recent;
mod shelf;

pub use elsewhere::TerminologyServer;
pub(crate) use generation::Generation;
pub(crate) use imported::Imported;
pub(crate) use lookup::Library;
pub use shelf::Shelf;

#[cfg(test)]
mod tests;
