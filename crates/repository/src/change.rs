//! Every write, in the one form that [`crate::Session::transact`] takes.

use fhir::Outcome;
use fhir::json::Document;
use fhir::patch::Patch;
use store::{Key, Version};

use crate::Act;

/// How many changes one transaction may hold.
pub const CHANGES_MAX: usize = 10_000;

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

impl Change {
    /// The resource that it names by its id.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Change::Update { target: Target::Key(key), .. }
            | Change::Patch { target: Target::Key(key), .. }
            | Change::Delete { target: Target::Key(key), .. } => Some(key),
            _ => None,
        }
    }
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

/// What a change did.
#[derive(Clone, Debug)]
pub struct Changed {
    pub kind: ChangeKind,
    /// The version that is current now. `None` only for a delete of what never was there.
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
    pub outcome: Outcome,
}

impl Refusal {
    /// The refusal of one change.
    pub(crate) fn of(change: usize, outcome: Outcome) -> Refusal {
        Refusal { change: Some(change), outcome }
    }
}

impl From<Outcome> for Refusal {
    fn from(outcome: Outcome) -> Refusal {
        Refusal { change: None, outcome }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Outcome {
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

    /// What is done by it.
    pub(crate) fn act(self) -> Act {
        match self {
            Method::Post => Act::Create,
            Method::Put | Method::Patch => Act::Update,
            Method::Delete => Act::Delete,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_read_back() {
        let key = Key::new("Patient", "1").expect("a key");
        for method in [Method::Post, Method::Put, Method::Patch, Method::Delete] {
            let body = (method != Method::Delete).then(bytes::Bytes::new);
            let version = Version { key: key.clone(), version: 1, time: 0, body, mark: method.mark() };
            assert_eq!(Method::of(&version), method);
        }
    }
}
