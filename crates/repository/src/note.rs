//! What a command keeps about its own work beside the resources, such as how far an import came.

use fhir::Outcome;
use store::Write;

use crate::{Session, fault};

/// Apart from the names of claims and of other settings in the store.
const PREFIX: &str = "note/";

/// A named text. Setting it replaces what the name held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// At most 500 bytes.
    pub name: String,
    pub value: String,
}

impl Note {
    pub(crate) fn write(self) -> Write {
        Write::Set { name: stored_name(&self.name), value: self.value.into_bytes() }
    }
}

impl Session<'_> {
    /// What the note of this name holds; `None` when there is none.
    pub fn noted(&self, name: &str) -> Result<Option<String>, Outcome> {
        let value = self.snapshot()?.value(&stored_name(name)).map_err(fault::outcome)?;
        let text =
            |value| String::from_utf8(value).map_err(|_| fault::exception(&format!("the note `{name}` is damaged")));
        value.map(text).transpose()
    }
}

fn stored_name(name: &str) -> Vec<u8> {
    [PREFIX, name].concat().into_bytes()
}
