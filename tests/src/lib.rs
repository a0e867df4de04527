//! The harness: a whole server on a free port of this machine, with a clock that stands still between requests and ids that count.

mod browser;
mod client;
mod flint;
mod guarded;
mod place;
mod process;
mod provider;
mod reply;

pub use browser::Browser;
pub use client::{Call, Client};
pub use flint::{Flint, example};
pub use guarded::{Bearer, Guarded, Holder};
pub use place::is_database;
pub use process::Process;
pub use provider::{OpenId, rs512};
pub use reply::Reply;
