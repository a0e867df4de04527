//! FHIR operations, <https://hl7.org/fhir/R4/operations.html>: what is called with `$`.

use std::sync::Arc;

use bytes::Bytes;
use fhir::json::Document;
use fhir::place::{Text, place};
use fhir::{Issue, IssueType, Outcome};
use repository::{Key, Session};
use search::Query;

use crate::Services;

/// An operation. Routing and the CapabilityStatement are derived from what it says about itself.
pub trait Operation: Sync {
    /// The name after the `$`.
    fn code(&self) -> &'static str;
    /// The canonical url of its OperationDefinition. That of R4 or a guide, or of ours, stands in `profiles/nhs/definitions`; by it the inputs
    /// are checked before [`Operation::run`] ([`crate::call`]).
    fn definition(&self) -> &'static str;
    /// Whether `[base]/$code` is served.
    fn at_system(&self) -> bool {
        false
    }
    /// The types on which `[base]/[type]/$code` is served.
    fn at_types(&self) -> &'static [&'static str] {
        &[]
    }
    /// The types on whose instances `[base]/[type]/[id]/$code` is served.
    fn at_instances(&self) -> &'static [&'static str] {
        &[]
    }
    /// Whether it may write: then GET is refused.
    fn affects_state(&self) -> bool;
    /// Whether it is answered to who shows no token, too: it shows everybody the same, and nothing of a patient.
    fn is_open(&self) -> bool {
        false
    }
    /// What the answer to this query is.
    fn gives(&self, _query: &[(String, String)]) -> Gives {
        Gives::Resource
    }
    /// The media types beside those of FHIR whose bodies it takes as they are.
    fn takes(&self) -> &'static [&'static str] {
        &[]
    }
    /// Whether what it tells of can be ended, by DELETE at its URL.
    fn can_end(&self) -> bool {
        false
    }
    /// What comes of a call with inputs that were checked; for most operations [`Operation::run`] says it. Called by [`crate::call`] alone.
    fn answer(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Answered, Outcome> {
        self.run(session, invocation).map(Answered::Bytes)
    }
    /// Does it; for operations that answer with what [`Operation::gives`] says.
    fn run(&self, _session: &Session<'_>, _invocation: &Invocation) -> Result<Bytes, Outcome> {
        Err(Outcome::new(IssueType::Exception, "the operation has no bytes for an answer"))
    }
}

/// What comes of a call.
#[derive(Clone, Debug)]
pub enum Answered {
    /// What [`Operation::gives`] says.
    Bytes(Bytes),
    /// A page of this search.
    Search(Box<Query>),
    /// Taken on: how it goes is told here, below the base URL; nowhere if nothing is left to tell.
    Accepted(Option<String>),
    /// Not there yet; how far it is, for people.
    Waiting(String),
}

/// What the bytes of an answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// A resource as minified JSON.
    Resource,
    /// A file, which everybody's caches may keep for a while.
    File {
        /// Of this media type.
        media_type: &'static str,
        /// In seconds; `None` for what is the caller's own.
        max_age: Option<u32>,
    },
}

/// One call of an operation.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What it was called on.
    pub subject: Subject,
    /// The query's parameters, decoded.
    pub parameters: Vec<(String, String)>,
    /// The resource in the body.
    pub resource: Option<Document>,
    /// Whether the caller asks to be answered later: `Prefer: respond-async`.
    pub is_async: bool,
    /// Whether what the operation tells of is to be ended.
    pub ends: bool,
    /// The body as it was sent, where the resource was in it.
    pub sent: Option<Sent>,
    /// The body, where it is of a media type that the operation takes as it is.
    pub raw: Option<Bytes>,
    /// What the services of this server share.
    pub services: Arc<Services>,
}

/// A body as it was sent, to tell where in it something is wrong.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the formats speak for themselves")]
pub enum Sent {
    Json(Bytes),
    Xml(Bytes),
}

impl Sent {
    /// Notes on issues where in the body their elements stand.
    pub fn place<'i>(&self, issues: impl Iterator<Item = &'i mut Issue>) {
        let text = match self {
            Sent::Json(bytes) => Text::Json(bytes),
            Sent::Xml(bytes) => Text::Xml(bytes),
        };
        place(text, issues);
    }
}

/// What an operation was called on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the levels speak for themselves")]
pub enum Subject {
    System,
    Type(&'static str),
    Instance(Key),
}
