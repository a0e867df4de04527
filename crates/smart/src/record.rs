//! Values of the vault that are JSON.

use fhir::{IssueType, Outcome};
use repository::{Edit, Vault};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value as it was read: an edit of it counts on that it still stands.
pub(crate) struct Stored<T> {
    pub(crate) value: T,
    name: String,
    bytes: Vec<u8>,
}

impl<T: Serialize + DeserializeOwned> Stored<T> {
    /// The value of this name.
    pub(crate) fn find(vault: Vault<'_>, name: String) -> Result<Option<Stored<T>>, Outcome> {
        let Some(bytes) = vault.get(&name)? else { return Ok(None) };
        Ok(Some(Stored { value: parse(&name, &bytes)?, name, bytes }))
    }

    pub(crate) fn replace(self, value: &T) -> Edit {
        Edit::replace(self.name, self.bytes, bytes(value))
    }

    pub(crate) fn take(self) -> Edit {
        Edit::take(self.name, self.bytes)
    }
}

/// Sets a value where nothing stands.
pub(crate) fn add(name: impl Into<String>, value: &impl Serialize) -> Edit {
    Edit::add(name, bytes(value))
}

/// Sets a value, whatever stands there.
pub(crate) fn set(name: impl Into<String>, value: &impl Serialize) -> Edit {
    Edit::set(name, bytes(value))
}

/// The value of this name that stands in the vault as these bytes.
pub(crate) fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Outcome> {
    serde_json::from_slice(bytes).map_err(|error| {
        let kind = name.split('/').next().unwrap_or(name);
        Outcome::new(IssueType::Exception, format!("a `{kind}` of the vault is damaged: {error}"))
    })
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data with text keys has a JSON text")
}
