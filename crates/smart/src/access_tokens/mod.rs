//! Access tokens: issued, and verified at each request.
//!
//! A token counts as long as its signature, its times, its client and its grant do. The signature is looked at once, the rest whenever anything was revoked.

mod cache;
mod external;
mod issue;
mod verified;
mod verify;

use repository::Millis;

pub(crate) use cache::Cache;
pub use external::{ClaimNames, Issuer};
pub(crate) use issue::{OwnClaims, revoked_name};
pub use verified::Verified;
pub use verify::Refused;

/// How long an access token of a person's grant counts, in milliseconds.
pub(crate) const LIFETIME_MAX: Millis = 60 * 60 * 1000;
/// How long one of a system counts, in milliseconds: SMART allows no more.
pub(crate) const SYSTEM_LIFETIME_MAX: Millis = 300 * 1000;
