//! What the definition of a search parameter leaves out: modifiers, prefixes, chains and repetitions.

use fhir::definitions::{SearchKind, SearchParameter};
use fhir::json::Node;

use super::items;
use crate::escape::split;
use crate::refusal::{Refusal, shortened};

/// What a definition leaves out of what its kind could do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The only modifiers.
    modifiers: Option<Vec<String>>,
    /// The only prefixes; none at all is always fine.
    comparators: Option<Vec<String>>,
    /// The only parameters that may follow in a chain.
    chains: Option<Vec<String>>,
    /// One value each time.
    single_or: bool,
    /// Once in a query.
    pub(crate) single_and: bool,
}

impl Limits {
    pub(super) fn read(root: Node<'_>) -> Limits {
        let list = |name: &str| {
            let values: Vec<_> = items(root, name).map(|value| value.into_owned()).collect();
            (!values.is_empty()).then_some(values)
        };
        let is_false = |name: &str| root.get(name).is_some_and(|node| node.raw() == "false");
        Limits {
            modifiers: list("modifier"),
            comparators: list("comparator"),
            chains: list("chain"),
            single_or: is_false("multipleOr"),
            single_and: is_false("multipleAnd"),
        }
    }

    /// Refuses a use that the definition leaves out.
    pub(crate) fn check(
        &self,
        definition: &SearchParameter,
        modifier: Option<&str>,
        value: &str,
    ) -> Result<(), Refusal> {
        let code = &definition.code;
        let unlisted = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref().filter(|list| !list.iter().any(|listed| listed == name)).map(|list| list.join(", "))
        };
        // The value set of modifiers names them as in a query, but for these two.
        let named = modifier.map(|modifier| match modifier {
            "of-type" => "ofType",
            _ if modifier.starts_with(|char: char| char.is_ascii_uppercase()) => "type",
            _ => modifier,
        });
        if let Some(allowed) = named.and_then(|name| unlisted(&self.modifiers, name)) {
            let modifier = shortened(modifier.unwrap_or_default());
            return Err(Refusal::unknown(format!("modifier `:{modifier}` of `{code}` is not allowed, only {allowed}")));
        }
        if self.single_or && split(value, b',').count() > 1 {
            return Err(Refusal::bad(format!("parameter `{code}` takes one value, not several with commas")));
        }
        let is_ordered = matches!(definition.kind, SearchKind::Number | SearchKind::Date | SearchKind::Quantity);
        if is_ordered && modifier != Some("missing") {
            for value in split(value, b',') {
                let letters = value.bytes().take_while(u8::is_ascii_lowercase).count();
                let prefix = &value[..letters];
                if let Some(allowed) = unlisted(&self.comparators, prefix).filter(|_| !prefix.is_empty()) {
                    return Err(Refusal::bad(format!("prefix `{prefix}` of `{code}` is not allowed, only {allowed}")));
                }
            }
        }
        Ok(())
    }

    /// Refuses a chain that the definition leaves out.
    pub(crate) fn check_chain(&self, code: &str, next: &str) -> Result<(), Refusal> {
        match &self.chains {
            Some(chains) if !chains.iter().any(|chain| chain == next) => {
                let (next, chains) = (shortened(next), chains.join(", "));
                Err(Refusal::unknown(format!("`{code}` does not chain to `{next}`, only to {chains}")))
            }
            _ => Ok(()),
        }
    }
}
