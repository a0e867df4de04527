//! The rights of a request.

use fhir::Outcome;
use repository::Access;

/// Decides the rights of a request.
#[derive(Clone, Debug)]
pub enum Authority {
    /// `--auth off`: full access. The server then listens on loopback only.
    Off,
}

impl Authority {
    /// The rights of a request with this `Authorization` header.
    pub fn access(&self, _authorization: Option<&str>) -> Result<Access, Outcome> {
        match self {
            Authority::Off => Ok(Access::full()),
        }
    }
}
