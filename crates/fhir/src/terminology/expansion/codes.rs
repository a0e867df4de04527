//! The codes of a value set as a search compares them.

use std::collections::{BTreeMap, BTreeSet};

use crate::Outcome;
use crate::terminology::members::Wholes;
use crate::terminology::{Canonical, Members, Source};

/// How many codes an expansion may have, whole systems not counted.
pub const CODES_MAX: usize = 10_000;

/// The codes of a value set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes {
    /// Systems of which every code belongs to it.
    pub systems: BTreeSet<String>,
    /// Codes of other systems, by system.
    pub codes: BTreeMap<String, BTreeSet<String>>,
}

impl Codes {
    /// Whether a code is in the value set.
    pub fn contains(&self, system: &str, code: &str) -> bool {
        self.systems.contains(system) || self.codes.get(system).is_some_and(|codes| codes.contains(code))
    }

    /// How many codes there are, whole systems not counted.
    pub fn count(&self) -> usize {
        self.codes.values().map(BTreeSet::len).sum()
    }
}

/// The codes of a value set; what is unknown, too large or runs in a circle is refused.
pub fn expand(source: &dyn Source, value_set: Canonical<'_>) -> Result<Codes, Outcome> {
    source.members(value_set)?.codes()
}

impl Members {
    /// Its codes, systems of which it has every code as such; more than [`CODES_MAX`] others are refused.
    pub fn codes(&self) -> Result<Codes, Outcome> {
        let mut codes = Codes::default();
        for item in self.items(Wholes::Kept, CODES_MAX)? {
            match item.code() {
                Some(code) => {
                    codes.codes.entry(item.system().to_owned()).or_default().insert(code.to_owned());
                }
                None => {
                    codes.systems.insert(item.system().to_owned());
                }
            }
        }
        Ok(codes)
    }
}
