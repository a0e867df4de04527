//! What must be known of a store that is moved to another place.

use fhir::Outcome;
use store::{Millis, Snapshot};

use crate::audit::JOURNALED;
use crate::fault;
use crate::lease::{LEASES, parse};
use crate::parameters::{GENERATION, ROWS_FORMAT, is_indexing};

/// Whether a stored value says something about a process that has the store, and nothing about what is in it.
pub fn is_of_process(name: &[u8]) -> bool {
    name.starts_with(LEASES.as_bytes()) || name.starts_with(JOURNALED)
}

/// By what the rows of all resources are made: while it is the same, so are the rows of a version. `None` while some are made anew.
pub fn rows_made_by(snapshot: &dyn Snapshot) -> Result<Option<Vec<u8>>, Outcome> {
    if is_indexing(snapshot)? {
        return Ok(None);
    }
    let value = |name| snapshot.value(name).map(Option::unwrap_or_default).map_err(fault::outcome);
    Ok(Some([value(ROWS_FORMAT)?, value(GENERATION)?].join(&b' ')))
}

/// The name of the stored value without which all rows are made anew before the store is served.
pub const ROWS_MADE: &[u8] = ROWS_FORMAT;

/// Until when processes that share the store have jobs: as long as one lives, none that was taken is without a process for longer than
/// [`TAKEN_OVER`].
pub fn leased_until(snapshot: &dyn Snapshot) -> Result<Option<Millis>, Outcome> {
    const MOST: usize = 1_000;
    let leases = snapshot.values(LEASES.as_bytes(), None, MOST).map_err(fault::outcome)?;
    Ok(leases.iter().filter_map(|(_, value)| parse(value)).map(|(_, until)| until).max())
}

/// After so long another process has taken over what one has left: it looks every one or two seconds, and may be busy.
pub const TAKEN_OVER: Millis = 7_000;
