//! The elements of a snapshot as a tree, each beside R4's own definition of it.

use std::borrow::Cow;

use super::refused;
use crate::definitions::{Element, Structure, StructureKind};
use crate::json::Node;
use crate::outcome::quoted;
use crate::{Definitions, IssueType, Outcome};

/// The most elements of a snapshot: R4's largest has 300.
pub(crate) const ELEMENTS_MAX: usize = 20_000;

/// The deepest path. What walks over the elements recurses so deep.
const DEPTH_MAX: usize = 48;

/// The deepest slice of slices: `a/b/c` is three deep.
const SLICES_DEPTH_MAX: usize = 8;

/// The elements; the first is the root.
pub(super) struct Outline<'d> {
    pub(super) elements: Vec<Outlined<'d>>,
}

pub(super) struct Outlined<'d> {
    /// The ElementDefinition; `None` for a sliced element that the snapshot leaves out.
    pub(super) definition: Option<Node<'d>>,
    /// R4's own; `None` for the root.
    pub(super) element: Option<&'static Element>,
    /// What its children are elements of; `Element` when it may have several types.
    pub(super) structure: &'static Structure,
    pub(super) slice_name: Option<Cow<'d, str>>,
    /// For a slice, what it is a slice of.
    pub(super) sliced: Option<usize>,
    /// Without slices.
    pub(super) children: Vec<usize>,
    pub(super) slices: Vec<usize>,
}

impl<'d> Outline<'d> {
    /// The tree of `snapshot.element`, whose root is of type `structure`.
    pub(super) fn of(
        definitions: &'static Definitions,
        structure: &'static Structure,
        elements: Node<'d>,
    ) -> Result<Outline<'d>, Outcome> {
        let mut outline = Outline { elements: Vec::new() };
        // The elements around the next one, outermost first.
        let mut around: Vec<usize> = Vec::new();
        for definition in elements.items() {
            if outline.elements.len() >= ELEMENTS_MAX {
                let message = format!("the snapshot has more than {ELEMENTS_MAX} elements");
                return Err(Outcome::new(IssueType::TooCostly, message));
            }
            let Some(path) = definition.get("path").and_then(Node::as_str) else {
                return Err(refused("an element of the snapshot has no path"));
            };
            let depth = path.split('.').count();
            if depth > DEPTH_MAX || depth > around.len() + 1 || (depth == 1) != outline.elements.is_empty() {
                let message = format!("the element {} does not stand below its parent", quoted(&path));
                return Err(refused(message));
            }
            around.truncate(depth - 1);
            let added = match around.last() {
                Some(&parent) => outline.add(definitions, parent, definition, &path)?,
                None => Some(outline.push(definition, None, structure, None)),
            };
            // Below a primitive stands its value, which is no element of ours; nothing stands below that.
            if let Some(added) = added {
                around.push(added);
            }
        }
        match outline.elements.is_empty() {
            true => Err(refused("the snapshot has no elements")),
            false => Ok(outline),
        }
    }

    fn push(
        &mut self,
        definition: impl Into<Option<Node<'d>>>,
        element: Option<&'static Element>,
        structure: &'static Structure,
        slice_name: Option<Cow<'d, str>>,
    ) -> usize {
        let definition = definition.into();
        let (children, slices) = (Vec::new(), Vec::new());
        self.elements.push(Outlined { definition, element, structure, slice_name, sliced: None, children, slices });
        self.elements.len() - 1
    }

    fn add(
        &mut self,
        definitions: &'static Definitions,
        parent: usize,
        definition: Node<'d>,
        path: &str,
    ) -> Result<Option<usize>, Outcome> {
        let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
        let owner = self.elements[parent].structure;
        // `value[x]`, or `valueQuantity` for the slice of that type.
        let (element, alias) = match (owner.element(name.strip_suffix("[x]").unwrap_or(name)), owner.member(name)) {
            (Some(element), _) => (element, None),
            (None, Some((element, element_type))) => (element, Some(element_type)),
            (None, None) if owner.kind == StructureKind::Primitive && name == "value" => return Ok(None),
            (None, None) => {
                return Err(refused(format!("the element {} is none of {}", quoted(path), owner.name)));
            }
        };
        let structure = match alias {
            Some(alias) => definitions.structure_of(alias),
            None => structure(definitions, element, definition),
        };
        let slice_name = definition.get("sliceName").and_then(Node::as_str);
        let slice_name = slice_name.or_else(|| alias.map(|_| Cow::Owned(name.to_owned())));
        if slice_name.as_ref().is_some_and(|name| name.split('/').count() > SLICES_DEPTH_MAX) {
            let message = format!("the element {} has slices more than {SLICES_DEPTH_MAX} deep", quoted(path));
            return Err(Outcome::new(IssueType::TooCostly, message));
        }
        let added = self.push(definition, Some(element), structure, slice_name.clone());
        let same = |outline: &Outline<'_>, at: &usize| {
            outline.elements[*at].element.is_some_and(|known| std::ptr::eq(known, element))
        };
        let known = self.elements[parent].children.iter().copied().find(|at| same(self, at));
        match (slice_name, known) {
            (None, None) => self.elements[parent].children.push(added),
            (None, Some(_)) => {
                return Err(refused(format!("the element {} stands twice without a slice name", quoted(path))));
            }
            (Some(slice_name), known) => {
                let known = known.unwrap_or_else(|| {
                    let structure = sole_structure(definitions, element);
                    let sliced = self.push(None, Some(element), structure, None);
                    self.elements[parent].children.push(sliced);
                    sliced
                });
                let sliced = self.resliced(known, &slice_name);
                self.elements[added].sliced = Some(sliced);
                self.elements[sliced].slices.push(added);
            }
        }
        Ok(Some(added))
    }

    /// What the slice of this name divides: the slice `a` for `a/b`, or the element itself.
    fn resliced(&self, sliced: usize, slice_name: &str) -> usize {
        let Some((outer, _)) = slice_name.rsplit_once('/') else { return sliced };
        let mut candidates = self.elements[sliced].slices.clone();
        while let Some(at) = candidates.pop() {
            if self.elements[at].slice_name.as_deref() == Some(outer) {
                return at;
            }
            candidates.extend(&self.elements[at].slices);
        }
        sliced
    }

    /// The child of this name: its own, or for a slice that of what it is a slice of.
    pub(super) fn child(&self, at: usize, name: &str) -> Option<usize> {
        let is_named = |child: &&usize| self.elements[**child].element.is_some_and(|element| element.name == name);
        let own = self.elements[at].children.iter().find(is_named).copied();
        own.or_else(|| self.child(self.elements[at].sliced?, name))
    }
}

/// The type of an element that may have one type; `Element` for any other.
fn sole_structure(definitions: &'static Definitions, element: &'static Element) -> &'static Structure {
    match &element.types[..] {
        [only] => definitions.structure_of(only),
        _ => definitions.structure("Element").expect("R4 defines Element"),
    }
}

fn structure(definitions: &'static Definitions, element: &'static Element, definition: Node<'_>) -> &'static Structure {
    let mut codes = definition.get("type").into_iter().flat_map(Node::items).map(|it| it.get("code"));
    let sole = match (codes.next(), codes.next()) {
        (Some(code), None) => code.and_then(Node::as_str),
        _ => None,
    };
    match sole.as_deref() {
        // The elements of a backbone element are named by its path.
        None | Some("BackboneElement" | "Element") => sole_structure(definitions, element),
        Some(code) => definitions.structure(code).unwrap_or_else(|| sole_structure(definitions, element)),
    }
}
