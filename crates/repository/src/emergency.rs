//! Breaking the glass: a practitioner who declares an emergency sees what consents hide, for a limited time, for a reason that is kept, and
//! the patient is told.

use fhir::{Instant, Outcome};
use store::{Key, Snapshot};

use crate::consent::Elevation;
use crate::{Requester, fault};

/// Before the names of declared emergencies in the store: who declared them, and about whom.
const PREFIX: &str = "emergency/";

/// How many emergencies of one person are looked at; the declaration of more is refused.
const EMERGENCIES_MAX: usize = 100;

/// The emergencies that a requester has declared, over or not.
pub(crate) fn elevations(snapshot: &dyn Snapshot, requester: &Requester) -> Result<Vec<Elevation>, Outcome> {
    let Some(user) = &requester.user else { return Ok(Vec::new()) };
    let prefix = prefix(user);
    let values = snapshot.values(&prefix, None, EMERGENCIES_MAX).map_err(fault::outcome)?;
    let elevation = |(name, value): (Vec<u8>, Vec<u8>)| {
        let patient = Key::parse(std::str::from_utf8(&name[prefix.len()..]).ok()?)?;
        let until = Instant::from_millis(i64::from_be_bytes(value.try_into().ok()?));
        Some(Elevation { user: user.clone(), patient, until })
    };
    Ok(values.into_iter().filter_map(elevation).collect())
}

fn prefix(user: &Key) -> Vec<u8> {
    format!("{PREFIX}{user}/").into_bytes()
}
