//! Where grants are kept.

use fhir::Outcome;
use repository::{Edit, Vault};

use crate::Grant;
use crate::epoch;
use crate::record::{Stored, add, parse};
use crate::secret::{Random, new_name};

/// Grants that one look at them shows.
const LIST_MAX: usize = 1_000;

/// The grants in the vault.
#[derive(Clone, Copy)]
pub struct Grants<'a> {
    vault: Vault<'a>,
    random: &'a Random,
}

impl<'a> Grants<'a> {
    pub fn new(vault: Vault<'a>, random: &'a Random) -> Grants<'a> {
        Grants { vault, random }
    }

    /// An id for a grant to be.
    pub fn new_id(&self) -> String {
        new_name(self.random)
    }

    /// Keeps a new grant. Tokens count from now on that rest on it.
    pub fn add(&self, grant: &Grant) -> Result<(), Outcome> {
        self.vault.edit(vec![add(name(&grant.id), grant)])?;
        Ok(())
    }

    /// The grant of this id, when it stands at this time.
    pub fn find(&self, id: &str, now: i64) -> Result<Option<Grant>, Outcome> {
        let stored = Stored::<Grant>::find(self.vault, name(id))?;
        Ok(stored.map(|stored| stored.value).filter(|grant| grant.stands(now)))
    }

    /// The grants after this id, in order of id, at most 1,000.
    pub fn list(&self, after: Option<&str>) -> Result<Vec<Grant>, Outcome> {
        let values = self.vault.list("grant/", after.map(name).as_deref(), LIST_MAX)?;
        values.iter().map(|(name, value)| parse(name, value)).collect()
    }

    /// The edit that clears a grant of which nothing counts any longer.
    pub(crate) fn removal(&self, grant: &Grant) -> Edit {
        Edit::remove(name(&grant.id))
    }

    /// Ends a grant: none of its tokens counts from now on, in any process. What it was, when it still was; whoever ends it must see to the Consent
    /// that was written for it.
    pub fn end(&self, id: &str) -> Result<Option<Grant>, Outcome> {
        while let Some(stored) = Stored::<Grant>::find(self.vault, name(id))? {
            let grant = stored.value.clone();
            if self.vault.edit(vec![stored.take(), epoch::next(self.random)])? {
                return Ok(Some(grant));
            }
        }
        Ok(None)
    }
}

impl Grant {
    /// Whether it has not run out at this time.
    pub fn stands(&self, now: i64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

fn name(id: &str) -> String {
    format!("grant/{id}")
}
