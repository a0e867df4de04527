//! What tells every process that a token it has verified may count no longer.

use fhir::Outcome;
use repository::{Edit, Vault};

use crate::secret::{Random, new_name};

/// Changes with every revocation, in the same commit.
const NAME: &str = "auth/epoch";

/// A time in which nothing was revoked.
pub(crate) type Epoch = Option<Vec<u8>>;

pub(crate) fn current(vault: Vault<'_>) -> Result<Epoch, Outcome> {
    vault.get(NAME)
}

/// Begins another one. A random name needs no look at the former one.
pub(crate) fn next(random: &Random) -> Edit {
    Edit::set(NAME, new_name(random))
}
