//! SMART App Launch 2.2: who may do what, <https://hl7.org/fhir/smart-app-launch/>.
//!
//! Invariants:
//! - Whoever shows no valid token gets nothing; what a token grants is decided here, and only narrowed elsewhere.
//! - No secret is kept as it was given: passwords by Argon2id, all others by their hash; secrets are compared in constant time.
//! - Nothing here knows a web server: an [`Exchange`](exchange::Request) comes in as plain data, and a reply goes out so.

pub mod event;
pub mod exchange;
pub mod jose;
pub mod oidc;
pub mod people;
pub mod scope;

mod access_tokens;
mod audited;
mod authority;
mod authorize;
mod client;
mod clients;
mod codes;
mod desk;
mod discovery;
mod epoch;
mod error;
mod grant;
mod grants;
mod introspect;
mod manage;
mod pages;
mod record;
mod refresh_tokens;
mod revoke;
mod secret;
mod server;
mod sign_in;
mod signing;
mod sweep;
mod token;
mod token_event;
mod uri;

#[cfg(test)]
mod tests;

pub use access_tokens::{ClaimNames, Issuer, Refused, Verified};
pub use audited::Audited;
pub use authority::Authority;
pub use authorize::Launch;
pub use client::{Client, ClientAuth};
pub use clients::{
    ClientError, Clients, InvalidClient, NewAuth, NewClient, REDIRECT_URIS_MAX, Registered, Registration,
};
pub use codes::{CODE_AGE_MAX, Codes};
pub use desk::Desk;
pub use discovery::CAPABILITIES;
pub use error::{ErrorCode, OAuthError};
pub use grant::Grant;
pub use grants::Grants;
pub use pages::{Pages, PagesSetup};
pub use secret::{Random, new_name, system_random};
pub use server::{AuthorizationServer, AuthorizationSetup};
pub use signing::{FormerKeys, rotate_keys};
pub use token_event::{TokenAct, TokenEvent, TokenEvents};
