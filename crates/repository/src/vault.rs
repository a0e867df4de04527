//! Named values that the server keeps of its own beside the resources: who may sign in, what was granted, which keys sign.
//!
//! Nothing of it is a resource: no interaction, search or export reads it.

use fhir::Outcome;
use store::{Batch, Precondition, StoreError, Write};

use crate::{Repository, fault};

/// Apart from the names of claims and of other settings in the store.
const PREFIX: &str = "vault/";

/// The named values. Names are at most 500 bytes.
#[derive(Clone, Copy)]
pub struct Vault<'a> {
    repository: &'a Repository,
}

/// One change of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub name: String,
    /// What must stand there for any of the edits to be made.
    pub expected: Expected,
    /// What shall stand there; `None` for nothing.
    pub value: Option<Vec<u8>>,
}

/// What an [`Edit`] counts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    Anything,
    Nothing,
    Value(Vec<u8>),
}

impl Edit {
    /// Sets a value, whatever stands there.
    pub fn set(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Edit {
        Edit { name: name.into(), expected: Expected::Anything, value: Some(value.into()) }
    }

    /// Sets a value where nothing stands.
    pub fn add(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Edit {
        Edit { name: name.into(), expected: Expected::Nothing, value: Some(value.into()) }
    }

    /// Sets a value where this one stands.
    pub fn replace(name: impl Into<String>, old: impl Into<Vec<u8>>, new: impl Into<Vec<u8>>) -> Edit {
        Edit { name: name.into(), expected: Expected::Value(old.into()), value: Some(new.into()) }
    }

    /// Takes away this value.
    pub fn take(name: impl Into<String>, old: impl Into<Vec<u8>>) -> Edit {
        Edit { name: name.into(), expected: Expected::Value(old.into()), value: None }
    }

    /// Takes away what stands there, if anything does.
    pub fn remove(name: impl Into<String>) -> Edit {
        Edit { name: name.into(), expected: Expected::Anything, value: None }
    }

    fn precondition(&self) -> Option<Precondition> {
        let value = match &self.expected {
            Expected::Anything => return None,
            Expected::Nothing => None,
            Expected::Value(value) => Some(value.clone()),
        };
        Some(Precondition::Value { name: stored_name(&self.name), value })
    }

    fn write(self) -> Write {
        let name = stored_name(&self.name);
        match self.value {
            Some(value) => Write::Set { name, value },
            None => Write::Release { name },
        }
    }
}

impl Repository {
    /// The values that are kept beside the resources.
    pub fn vault(&self) -> Vault<'_> {
        Vault { repository: self }
    }
}

impl Vault<'_> {
    /// A number that is another after every commit: while it is the same, so are all values.
    pub fn commits(&self) -> u64 {
        self.repository.setup.store.commits()
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Outcome> {
        let snapshot = self.repository.setup.store.snapshot().map_err(fault::outcome)?;
        snapshot.value(&stored_name(name)).map_err(fault::outcome)
    }

    /// The values whose names begin with `prefix` and come after `after`, in order of name, at most `limit`.
    pub fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Vec<u8>)>, Outcome> {
        let snapshot = self.repository.setup.store.snapshot().map_err(fault::outcome)?;
        let after = after.map(stored_name);
        let values = snapshot.values(&stored_name(prefix), after.as_deref(), limit).map_err(fault::outcome)?;
        let named =
            |(name, value): (Vec<u8>, Vec<u8>)| (String::from_utf8_lossy(&name[PREFIX.len()..]).into_owned(), value);
        Ok(values.into_iter().map(named).collect())
    }

    /// Makes all edits in one commit, on disk when it returns; false, and none is made, when one does not find what it counts on.
    pub fn edit(&self, edits: Vec<Edit>) -> Result<bool, Outcome> {
        let preconditions = edits.iter().filter_map(Edit::precondition).collect();
        let writes = edits.into_iter().map(Edit::write).collect();
        match self.repository.setup.store.commit(Batch { preconditions, writes }) {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(fault::outcome(error)),
        }
    }
}

fn stored_name(name: &str) -> Vec<u8> {
    [PREFIX, name].concat().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::House;

    #[test]
    fn makes_all_edits_or_none() {
        let house = House::new();
        let vault = house.repository.vault();
        let cases = [
            (vec![Edit::add("a/1", "x"), Edit::set("a/2", "y")], true),
            (vec![Edit::add("a/1", "z"), Edit::set("a/2", "z")], false),
            (vec![Edit::replace("a/1", "y", "z"), Edit::remove("a/2")], false),
            (vec![Edit::replace("a/1", "x", "z"), Edit::add("b", "1")], true),
            (vec![Edit::take("b", "2")], false),
            (vec![Edit::take("b", "1"), Edit::remove("none")], true),
        ];
        for (edits, made) in cases {
            assert_eq!(vault.edit(edits.clone()), Ok(made), "{edits:?}");
        }
        assert_eq!(vault.get("a/1"), Ok(Some(b"z".to_vec())));
        assert_eq!(vault.get("b"), Ok(None));
        let names = |after| vault.list("a/", after, 9).expect("a list").into_iter().map(|(name, _)| name);
        assert_eq!(names(None).collect::<Vec<_>>(), ["a/1", "a/2"]);
        assert_eq!(names(Some("a/1")).collect::<Vec<_>>(), ["a/2"]);
    }
}
