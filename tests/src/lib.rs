//! The harness: a whole server on a free port of this machine, with a clock that stands still between requests and ids that count.

mod flint;
mod reply;

pub use flint::{Call, Flint, example};
pub use reply::Reply;
