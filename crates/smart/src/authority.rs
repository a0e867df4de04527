//! The rights of a request.

use fhir::Outcome;
use repository::{Access, Repository};

use crate::exchange::{Reply, Request};

/// Decides the rights of requests.
#[derive(Debug)]
pub enum Authority {
    /// `--auth off`: full access. The server then listens on loopback only.
    Off,
}

impl Authority {
    /// The rights of a request with this `Authorization` header; who shows no valid token is refused with [`fhir::IssueType::Login`].
    pub fn access(&self, _repository: &Repository, _authorization: Option<&str>) -> Result<Access, Outcome> {
        match self {
            Authority::Off => Ok(Access::full()),
        }
    }

    /// The rights of who needs none: for what is open to everybody.
    pub fn open_access(&self) -> Access {
        match self {
            Authority::Off => Access::full(),
        }
    }

    /// Answers a request to the authorization server; `None` where there is nothing.
    pub fn handle(&self, _repository: &Repository, _request: &Request<'_>) -> Option<Reply> {
        match self {
            Authority::Off => None,
        }
    }

    /// The endpoints of the authorization server by the names that a CapabilityStatement has for them; none where there is none.
    pub fn endpoints(&self) -> Vec<(&'static str, String)> {
        match self {
            Authority::Off => Vec::new(),
        }
    }

    /// Whether callers show who they are.
    pub fn is_on(&self) -> bool {
        !matches!(self, Authority::Off)
    }
}
