//! HTTP outside, [`Interaction`](interaction) inside: FHIR's RESTful API, <https://hl7.org/fhir/R4/http.html>.
//!
//! Invariants:
//! - One parser makes an interaction of a method, a path and a query, from HTTP and from a Bundle entry alike.
//! - After the body is read everything is synchronous: performing an interaction never awaits.
//! - Every answer but the server's own pages (`/health`, `/metrics`) is FHIR; every refusal of a request that is HTTP is an OperationOutcome.
//! - Nothing of a body, a token or a query's values goes to the log.

pub mod command;

mod authorization;
mod backend;
mod body;
mod capability;
mod config;
mod copy;
mod health;
mod http;
mod import;
mod interaction;
mod intruders;
mod issuer;
mod listen;
mod local;
mod media;
mod negotiate;
mod once;
mod page;
mod perform;
mod pretty;
mod progress;
mod project;
mod provider;
mod remote;
mod respond;
mod service;
mod state;
mod sweeper;
mod telemetry;
mod terminology;

pub use config::{Auth, Config, Directory, Limits, Settings};
pub use http::app;
pub use interaction::{ON_SYSTEM, ON_TYPES};
pub use listen::{Indexing, Server, StartError, serve};
pub use repository::{EarlierVersions, Implicit, References};
pub use search::Dialect;
pub use state::State;
pub use store::{Clock, Millis};
pub use telemetry::LogFormat;
