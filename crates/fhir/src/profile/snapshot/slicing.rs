//! Slices, those of a choice by type among them, <https://hl7.org/fhir/R4/profiling.html#slicing>.

use super::merge::made;
use super::tree::Branch;
use super::{Derived, Maker, TYPES};
use crate::Outcome;
use crate::json::Node;

const EXTENSIONS_SLICING: &str = r#"{"discriminator":[{"type":"value","path":"url"}],"ordered":false,"rules":"open"}"#;
const TYPES_SLICING: &str = r#"{"discriminator":[{"type":"type","path":"$this"}],"ordered":false,"rules":"open"}"#;
const TYPES_SLICING_CLOSED: &str =
    r#"{"discriminator":[{"type":"type","path":"$this"}],"ordered":false,"rules":"closed"}"#;

impl<'a> Maker<'a> {
    /// Lays a slice of the differential over the slice of the same name, or over a new one.
    pub(super) fn lay_slice(
        &mut self,
        branch: &mut Branch<'a>,
        differential: &mut Branch<'a>,
        path: &str,
        derived: Derived<'_>,
    ) -> Result<(), Outcome> {
        let known = branch.slices.iter().position(|slice| slice.slice == differential.slice);
        let at = match known {
            Some(at) => at,
            None => {
                self.imply_slicing(branch);
                let slice = self.new_slice(branch, differential)?;
                branch.slices.push(slice);
                branch.slices.len() - 1
            }
        };
        self.lay(&mut branch.slices[at], differential, path, derived)
    }

    /// Extensions are sliced by url and choices by type, also where no one says so.
    fn imply_slicing(&self, branch: &mut Branch<'a>) {
        let implied = match &*branch.name {
            "extension" | "modifierExtension" => EXTENSIONS_SLICING,
            name if name.ends_with("[x]") => TYPES_SLICING,
            _ => return,
        };
        if branch.get("slicing").is_none()
            && let Some(slicing) = made(self.pool, implied.to_owned())
        {
            branch.set("slicing", slicing);
        }
    }

    /// A slice begins as the element that it is a slice of; it need not be there unless it says so.
    fn new_slice(&mut self, branch: &Branch<'a>, differential: &Branch<'a>) -> Result<Branch<'a>, Outcome> {
        let mut slice = Branch {
            name: branch.name.clone(),
            slice: differential.slice.clone(),
            members: branch.members.clone(),
            children: branch.children.clone(),
            slices: Vec::new(),
        };
        self.handle(slice.size())?;
        slice.remove("slicing");
        if let Some(zero) = made(self.pool, "0".to_owned()) {
            slice.set("min", zero);
        }
        let slice_name = differential.slice.as_deref().unwrap_or_default();
        if let Some(only) = type_named(branch, slice_name).filter(|_| differential.get("type").is_none()) {
            self.narrow(&mut slice, &[only]);
        }
        Ok(slice)
    }

    fn narrow(&self, branch: &mut Branch<'a>, types: &[Node<'a>]) {
        let types: Vec<_> = types.iter().map(|it| it.raw()).collect();
        if let Some(types) = made(self.pool, format!("[{}]", types.join(","))) {
            branch.set("type", types);
        }
    }

    /// `valueQuantity` in a differential is a slice of `value[x]`.
    pub(super) fn move_short_forms(
        &mut self,
        branch: &mut Branch<'a>,
        differential: &mut Branch<'a>,
        derived: Derived<'_>,
    ) {
        let is_extension = branch.types().any(|it| it.get("code").is_some_and(|code| code.is_str("Extension")))
            || branch.name == "Extension";
        for choice in branch.children.iter_mut().filter(|child| child.name.ends_with("[x]")) {
            let is_short = |child: &Branch<'a>| type_named(choice, &child.name).is_some();
            if !differential.children.iter().any(is_short) {
                continue;
            }
            let (short, mut others): (Vec<_>, Vec<_>) =
                std::mem::take(&mut differential.children).into_iter().partition(is_short);
            let at = others.iter().position(|child| child.name == choice.name).unwrap_or_else(|| {
                others.push(Branch::named(choice.name.clone()));
                others.len() - 1
            });
            if choice.get("slicing").is_none() && others[at].get("slicing").is_none() {
                let is_needed = |child: &Branch<'_>| child.get("min").is_some_and(|min| min.raw() != "0");
                let narrows = is_extension || derived.url.starts_with(TYPES) || short.iter().any(is_needed);
                self.slice_by_type(choice, &short, narrows);
            }
            for child in short {
                let slice = others[at].place_slice(&child.name);
                slice.members.extend(child.members);
                slice.children.extend(child.children);
            }
            differential.children = others;
        }
    }

    /// Slices a choice by type for short forms. These say nothing of the other types, but an extension has only the values that it
    /// names, a value that must be there leaves no others, and R4's own profiles were published before short forms had this meaning.
    fn slice_by_type(&self, choice: &mut Branch<'a>, short: &[Branch<'a>], narrows: bool) {
        let named: Vec<_> = short.iter().filter_map(|child| type_named(choice, &child.name)).collect();
        let is_closed = narrows || named.len() == choice.types().count();
        if narrows {
            self.narrow(choice, &named);
        }
        let slicing = if is_closed { TYPES_SLICING_CLOSED } else { TYPES_SLICING };
        if let Some(slicing) = made(self.pool, slicing.to_owned()) {
            choice.set("slicing", slicing);
        }
    }
}

/// The type of a choice that a short form names: `Quantity` of `value[x]` for `valueQuantity`.
fn type_named<'a>(choice: &Branch<'a>, short: &str) -> Option<Node<'a>> {
    let named = short.strip_prefix(choice.name.strip_suffix("[x]")?)?;
    let (first, rest) = named.split_at_checked(1)?;
    choice.types().find(|it| {
        let code = it.get("code").and_then(Node::as_str).unwrap_or_default();
        let known = code.split_at_checked(1);
        known.is_some_and(|(known, known_rest)| known.eq_ignore_ascii_case(first) && known_rest == rest)
    })
}
