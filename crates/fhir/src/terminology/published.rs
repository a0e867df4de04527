//! R4's own definitions as a source: the enumerated value sets of required bindings.

use std::sync::Arc;

use super::{Canonical, CodeSystem, Include, Source, ValueSet};
use crate::{Definitions, Outcome};

/// The version of everything that R4 defines.
const VERSION: &str = "4.0.1";

impl Source for Definitions {
    /// None: the tables have the codes of value sets, not the hierarchies of code systems.
    fn code_system(&self, _: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        Ok(None)
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        let known = Definitions::value_set(self, canonical.url).filter(|known| known.is_enumerated);
        Ok(known.filter(|_| canonical.takes(Some(VERSION))).map(|known| {
            let include = |(system, codes): &(&str, Vec<&str>)| Include {
                system: Some((*system).to_owned()),
                concepts: codes.iter().map(|code| (*code).to_owned()).collect(),
                ..Include::default()
            };
            Arc::new(ValueSet {
                url: known.url.to_owned(),
                version: Some(VERSION.to_owned()),
                includes: known.systems.iter().map(include).collect(),
                ..ValueSet::default()
            })
        }))
    }
}
