//! What an element has below it by its type, or by the element that it refers to.

use super::tree::Branch;
use super::{Maker, TYPES};
use crate::json::Node;
use crate::outcome::quoted;
use crate::{IssueType, Outcome};

impl<'a> Maker<'a> {
    /// Gives an element the children of its type, or of the element that it refers to, unless it has them.
    pub(super) fn unfold(&mut self, branch: &mut Branch<'a>, path: &str) -> Result<(), Outcome> {
        if !branch.children.is_empty() {
            return Ok(());
        }
        if let Some(reference) = branch.get("contentReference").and_then(Node::as_str) {
            return self.unfold_reference(branch, &reference);
        }
        let types: Vec<_> = branch.types().collect();
        let url = match types[..] {
            [] => return Ok(()),
            [only] => {
                let mut profiles = only.get("profile").into_iter().flat_map(Node::items).filter_map(Node::as_str);
                let profile = profiles.next().filter(|_| profiles.next().is_none());
                // A profile that is not known here says nothing; its type is known.
                let known = match profile {
                    Some(profile) => self.definition(&profile)?.map(|_| profile),
                    None => None,
                };
                let code = only.get("code").and_then(Node::as_str).unwrap_or_default();
                known.unwrap_or_else(|| match code.contains(':') {
                    true => code,
                    false => format!("{TYPES}{code}").into(),
                })
            }
            // What all types have in common.
            _ => format!("{TYPES}Element").into(),
        };
        // A path inside a type of FHIRPath leads nowhere, which is said where the child is looked for.
        if url.starts_with("http://hl7.org/fhirpath/") {
            return Ok(());
        }
        let tree = self.tree_of(&url).map_err(|outcome| outcome.at(path))?;
        branch.children = self.copied(&tree)?.children;
        Ok(())
    }

    /// `#Observation.referenceRange`, or the same after the definition's url.
    fn unfold_reference(&mut self, branch: &mut Branch<'a>, reference: &str) -> Result<(), Outcome> {
        let unknown = || {
            let text = format!("the content reference {} leads to no element", quoted(reference));
            Outcome::new(IssueType::Invalid, text)
        };
        let (url, target) = reference.split_once('#').ok_or_else(unknown)?;
        let (type_name, path) = target.split_once('.').ok_or_else(unknown)?;
        let url = if url.is_empty() { format!("{TYPES}{type_name}") } else { url.to_owned() };
        let tree = self.tree_of(&url)?;
        let target = self.copied(tree.find(path).ok_or_else(unknown)?)?;
        branch.remove("contentReference");
        if let Some(types) = target.get("type") {
            branch.set("type", types);
        }
        branch.children = target.children;
        Ok(())
    }
}
