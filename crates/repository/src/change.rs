//! Every write, in the one form that [`crate::Session::transact`] takes.

use fhir::json::{Document, JsonPatch};
use store::{Key, Version};

/// One write.
#[derive(Clone, Debug)]
pub enum Change {
    /// Create with an id of the server's choice. With `if_none_exist` (a query string without `?`), only when nothing matches.
    /// `full_url` is the Bundle entry's, which other entries may refer to.
    Create {
        resource_type: &'static str,
        document: Document,
        if_none_exist: Option<String>,
        full_url: Option<String>,
    },
    /// A new version, or a create with the id in the target.
    Update {
        target: Target,
        document: Document,
        /// `If-Match`: the version id that must be current.
        if_match: Option<String>,
        /// `If-None-Match: *`: there must be none yet.
        if_none_match: bool,
        full_url: Option<String>,
    },
    Patch {
        target: Target,
        patch: Patch,
        if_match: Option<String>,
    },
    Delete {
        target: Target,
        if_match: Option<String>,
    },
}

/// What a write is about.
#[derive(Clone, Debug)]
pub enum Target {
    Key(Key),
    /// Conditional: the one match of a query string (without `?`).
    Criteria {
        resource_type: &'static str,
        query: String,
    },
}

/// A change of some elements.
#[derive(Clone, Debug)]
pub enum Patch {
    Json(JsonPatch),
}

/// What a change did.
#[derive(Clone, Debug)]
pub struct Changed {
    pub kind: ChangeKind,
    /// The version that is current now. `None` only for a conditional delete that matched nothing.
    pub version: Option<Version>,
    /// Notes that did not refuse the write: warnings of the validation.
    pub issues: Vec<fhir::Issue>,
}

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Created,
    Updated,
    /// Content equal to the current version: no new version was made.
    Unchanged,
    /// A conditional create found its match.
    Existing,
    Deleted,
    /// A delete of what is not there (or no longer): fine.
    NothingToDelete,
}

/// Why a transaction was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The position of the change that is to blame; `None` when it is no single one.
    pub change: Option<usize>,
    pub outcome: fhir::Outcome,
}

impl From<fhir::Outcome> for Refusal {
    fn from(outcome: fhir::Outcome) -> Refusal {
        Refusal { change: None, outcome }
    }
}

impl From<Refusal> for fhir::Outcome {
    fn from(refusal: Refusal) -> fhir::Outcome {
        refusal.outcome
    }
}

/// How a version came to be: [`Version::mark`], and `entry.request.method` of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Post = 1,
    Put = 2,
    Patch = 3,
    Delete = 4,
}

impl Method {
    /// What is stored in [`Version::mark`].
    pub fn mark(self) -> u8 {
        self as u8
    }

    /// How this version came to be.
    pub fn of(version: &Version) -> Method {
        match version.mark {
            _ if version.body.is_none() => Method::Delete,
            1 => Method::Post,
            3 => Method::Patch,
            _ => Method::Put,
        }
    }

    /// The HTTP method.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}
