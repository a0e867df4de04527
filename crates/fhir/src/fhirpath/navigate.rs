//! From an element to its children: choice types, primitives' siblings, resources inside resources.

use super::ElementNode;
use crate::Definitions;
use crate::definitions::{Element, ElementType, Structure, StructureKind};
use crate::json::{Kind, Node};

impl<'a> ElementNode<'a> {
    /// The JSON object that holds the members: a primitive's are those of its sibling.
    fn members_object(&self) -> Option<Node<'a>> {
        if self.is_primitive() { self.sibling } else { self.value }
    }

    /// The children of one name: `value`, not `valueQuantity`.
    pub fn members(&self, definitions: &'static Definitions, name: &str) -> Vec<ElementNode<'a>> {
        let mut members = Vec::new();
        let _ = self.visit_member(definitions, name, &mut |child| {
            members.push(child);
            Ok::<(), ()>(())
        });
        members
    }

    /// Gives the children of one name to `visit`, until it fails.
    pub(crate) fn visit_member<E>(
        &self,
        definitions: &'static Definitions,
        name: &str,
        visit: &mut impl FnMut(ElementNode<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(object) = self.members_object() else { return Ok(()) };
        let Some(element) = self.structure.element(name) else { return Ok(()) };
        if element.is_choice {
            let Some((element_type, value, sibling)) = choice(self.structure, element, object) else { return Ok(()) };
            return Child { definitions, element, element_type }.visit(value, sibling, visit);
        }
        let Some(element_type) = element.types.first() else { return Ok(()) };
        let child = Child { definitions, element, element_type };
        let (value, sibling) =
            if child.structure().is_primitive() { object.get_with_sibling(name) } else { (object.get(name), None) };
        child.visit(value, sibling, visit)
    }

    /// Gives all children to `visit`, in the order of the JSON, until it fails.
    pub(crate) fn visit_children<E>(
        &self,
        definitions: &'static Definitions,
        visit: &mut impl FnMut(ElementNode<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(object) = self.members_object() else { return Ok(()) };
        let has_siblings = object.members().any(|(name, _)| name.starts_with('_'));
        for (name, node) in object.members() {
            let (plain, is_sibling) = match name.strip_prefix('_') {
                Some(plain) => (plain, true),
                None => (name, false),
            };
            let Some((element, element_type)) = self.structure.member(plain) else { continue };
            let child = Child { definitions, element, element_type };
            if is_sibling {
                if object.get(plain).is_none() {
                    child.visit(None, Some(node), visit)?;
                }
            } else {
                let is_paired = has_siblings && child.structure().is_primitive();
                let sibling = if is_paired { object.get_with_sibling(name).1 } else { None };
                child.visit(Some(node), sibling, visit)?;
            }
        }
        Ok(())
    }
}

/// Which type of a choice element is there: its value, its sibling, or both.
fn choice<'a>(
    structure: &'static Structure,
    element: &'static Element,
    object: Node<'a>,
) -> Option<(&'static ElementType, Option<Node<'a>>, Option<Node<'a>>)> {
    let (mut chosen, mut value, mut extra) = (None, None, None);
    for (name, node) in object.members() {
        let plain = name.strip_prefix('_').unwrap_or(name);
        if !plain.starts_with(element.name) {
            continue;
        }
        let Some((owner, element_type)) = structure.member(plain) else { continue };
        if !std::ptr::eq(owner, element) {
            continue;
        }
        // Two types at once are invalid: the first one counts.
        if chosen.is_some_and(|first: &ElementType| first.json_name != element_type.json_name) {
            continue;
        }
        chosen = Some(element_type);
        if plain.len() == name.len() { value = Some(node) } else { extra = Some(node) }
    }
    chosen.map(|element_type| (element_type, value, extra))
}

/// An element of a known type that values are about to be found for.
#[derive(Clone, Copy)]
struct Child {
    definitions: &'static Definitions,
    element: &'static Element,
    element_type: &'static ElementType,
}

impl Child {
    fn structure(&self) -> &'static Structure {
        self.definitions.structure_of(self.element_type)
    }

    /// Every item of a repeating element; values and siblings belong together by their place.
    fn visit<'a, E>(
        &self,
        value: Option<Node<'a>>,
        sibling: Option<Node<'a>>,
        visit: &mut impl FnMut(ElementNode<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let structure = self.structure();
        let Some(sibling) = sibling else {
            for node in value.iter().flat_map(|value| value.each()) {
                self.visit_one(structure, Some(node), None, visit)?;
            }
            return Ok(());
        };
        let mut values = value.iter().flat_map(|value| value.each());
        let mut siblings = sibling.each();
        loop {
            match (values.next(), siblings.next()) {
                (None, None) => return Ok(()),
                (value, sibling) => self.visit_one(structure, value, sibling, visit)?,
            }
        }
    }

    fn visit_one<'a, E>(
        &self,
        structure: &'static Structure,
        value: Option<Node<'a>>,
        sibling: Option<Node<'a>>,
        visit: &mut impl FnMut(ElementNode<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let present = |node: &Node<'a>| node.kind() != Kind::Null;
        let (value, sibling) = (value.filter(present), sibling.filter(present));
        if value.is_none() && sibling.is_none() {
            return Ok(());
        }
        let structure = match value {
            Some(resource) if structure.is_resource() => {
                let named = resource.resource_type().and_then(|name| self.definitions.structure(name));
                named.filter(|named| named.is_resource()).unwrap_or(structure)
            }
            _ => structure,
        };
        visit(ElementNode { value, sibling, structure, element: Some(self.element) })
    }
}

impl Structure {
    fn is_primitive(&self) -> bool {
        self.kind == StructureKind::Primitive
    }

    fn is_resource(&self) -> bool {
        self.kind == StructureKind::Resource
    }
}
