//! Access tokens: issued, and verified at each request.

mod verified;

pub use verified::Verified;
