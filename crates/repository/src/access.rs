//! What a caller may see and do: decided here, for every path by which a datum can leave.

use fhir::Outcome;
use store::Filter;

/// The rights of one request.
#[derive(Clone, Debug)]
pub struct Access {}

impl Access {
    /// Everything: for authentication turned off, and for the server's own commands.
    pub fn full() -> Access {
        Access {}
    }

    /// The filter to AND into every search of this type; `None` when nothing is hidden.
    pub fn filter(&self, _resource_type: &str) -> Option<Filter> {
        None
    }

    /// Whether resources of this type may be read at all.
    pub fn permit_read(&self, _resource_type: &str) -> Result<(), Outcome> {
        Ok(())
    }

    /// Whether resources of this type may be written.
    pub fn permit_write(&self, _resource_type: &str) -> Result<(), Outcome> {
        Ok(())
    }
}
