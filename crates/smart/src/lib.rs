//! SMART App Launch 2.2: who may do what, <https://hl7.org/fhir/smart-app-launch/>.
//!
//! Invariants:
//! - Whoever shows no valid token gets nothing; what a token grants is decided here, and only narrowed elsewhere.
//! - No secret is kept as it was given: passwords by Argon2id, all others by their hash; secrets are compared in constant time.
//! - Nothing here knows a web server: an [`Exchange`](exchange::Request) comes in as plain data, and a reply goes out so.

pub mod exchange;

pub mod scope;

mod authority;
mod client;
mod grant;
mod tokens;

pub use authority::Authority;
pub use client::{Client, ClientAuth};
pub use grant::Grant;
pub use tokens::Verified;
