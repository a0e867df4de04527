//! The versions of one document, from the newest back: each leads to the version before, and to one that is further away.
//!
//! Versions lie in the order in which they were written, whosever they are, and no table tells where the versions of one document lie: it
//! would be written to at a place of its own for every update. What is old is reached over leaps instead. A version leaps to the one whose
//! number is its own without the lowest bit that is set (7 to 6, 6 to 4, 4 to none), so that the way to any of n versions has at most about
//! the square of the logarithm of n steps.

use super::layout::{Earlier, Packed, Stored};
use super::tables::{View, damaged};
use crate::{Head, Key, Millis, StoreError, Version};

/// Where the newest version of a document is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Newest {
    /// The document's.
    pub(super) number: u64,
    pub(super) version: u64,
    pub(super) sequence: u64,
    pub(super) deleted: bool,
}

impl Newest {
    pub(super) fn head(self) -> Head {
        Head { version: self.version, deleted: self.deleted }
    }
}

/// The newest version of a document; `None` when there never was one.
pub(super) fn newest(view: View<'_>, key: &Key) -> Result<Option<Newest>, StoreError> {
    Ok(newest_with_rows(view, key)?.map(|(newest, _)| newest))
}

/// The newest version of a document, and its rows unless that is a deletion; `None` when there never was one.
pub(super) fn newest_with_rows<'t>(
    view: View<'t>,
    key: &Key,
) -> Result<Option<(Newest, Option<Packed<'t>>)>, StoreError> {
    let Some(document) = view.document(key.as_str())? else { return Ok(None) };
    let number = document.number;
    if let Some(sequence) = document.deletion {
        let version = view.version(sequence)?.version;
        return Ok(Some((Newest { number, version, sequence, deleted: true }, None)));
    }
    let current = view.current(number)?.ok_or_else(|| damaged("current"))?;
    let newest = Newest { number, version: current.version, sequence: current.sequence, deleted: false };
    Ok(Some((newest, Some(current.rows))))
}

/// The version with this sequence.
pub(super) fn read(view: View<'_>, sequence: u64) -> Result<Version, StoreError> {
    view.version(sequence)?.to_version().ok_or_else(|| damaged("versions"))
}

/// The number of the version to which this one leaps; 0 for none.
pub(super) fn leaps_to(version: u64) -> u64 {
    version & version.wrapping_sub(1)
}

/// What the version after `newest` leads to.
pub(super) fn earlier(view: View<'_>, newest: Option<Newest>) -> Result<Earlier, StoreError> {
    let Some(newest) = newest else { return Ok(Earlier::default()) };
    let wanted = leaps_to(newest.version + 1);
    if wanted == 0 {
        return Ok(Earlier { previous: newest.sequence, leap: 0 });
    }
    let mut at = (newest.version, newest.sequence);
    // The bits that are set below the new number's lowest one go one after the other.
    while at.0 > wanted {
        at = (leaps_to(at.0), view.version(at.1)?.earlier.leap);
    }
    Ok(Earlier { previous: newest.sequence, leap: at.1 })
}

/// Version `wanted` of the document with a later or the same version at `sequence`.
pub(super) fn numbered(view: View<'_>, sequence: u64, wanted: u64) -> Result<Stored<'_>, StoreError> {
    let mut at = view.version(sequence)?;
    while at.version > wanted {
        let leaps = leaps_to(at.version) >= wanted;
        at = before(view, &at, if leaps { at.earlier.leap } else { at.earlier.previous })?;
    }
    Ok(at)
}

/// The newest version committed before `limit` of the document with its newest version at `sequence`; `None` when none was.
pub(super) fn committed_before(view: View<'_>, sequence: u64, limit: Millis) -> Result<Option<Stored<'_>>, StoreError> {
    let mut at = view.version(sequence)?;
    while at.time >= limit {
        let Earlier { previous, leap } = at.earlier;
        if previous == 0 {
            return Ok(None);
        }
        // Times never fall from one version to the next.
        let far = if leap == 0 { None } else { Some(before(view, &at, leap)?) };
        at = match far.filter(|far| far.time >= limit) {
            Some(far) => far,
            None => before(view, &at, previous)?,
        };
    }
    Ok(Some(at))
}

/// The version at `sequence`, which is one of the same document before `after`.
pub(super) fn before<'t>(view: View<'t>, after: &Stored<'_>, sequence: u64) -> Result<Stored<'t>, StoreError> {
    let found = view.version(sequence)?;
    match found.version < after.version && found.key == after.key {
        true => Ok(found),
        false => Err(damaged("versions")),
    }
}
