//! From JSON to XML: the definitions say the order of elements and what is an attribute.

use smallvec::SmallVec;

use super::escape::encode;
use super::read::is_attribute;
use super::{FHIR, narrative};
use crate::definitions::{Definitions, ElementType, Structure, StructureKind};
use crate::json::{Document, Kind, Node};
use crate::outcome::quoted;
use crate::{IssueType, Outcome};

/// A resource as XML, without white space between elements. What XML cannot say is refused: an unknown element, a control
/// character, a narrative that is not well formed.
pub fn write(definitions: &'static Definitions, document: &Document) -> Result<String, Outcome> {
    write_from(definitions, document, None)
}

/// A resource as XML, its elements on lines of their own.
pub fn write_pretty(definitions: &'static Definitions, document: &Document) -> Result<String, Outcome> {
    write_from(definitions, document, Some(0))
}

fn write_from(
    definitions: &'static Definitions,
    document: &Document,
    indent: Option<usize>,
) -> Result<String, Outcome> {
    let mut out = String::with_capacity(document.text().len() * 3 / 2);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let mut writer = Writer { definitions, out, indent };
    writer.new_line();
    writer.resource(document.root(), Some(FHIR))?;
    Ok(writer.out)
}

struct Writer {
    definitions: &'static Definitions,
    out: String,
    /// How deep the current element is, when each has a line of its own.
    indent: Option<usize>,
}

/// What an element of a structure holds in an object.
#[derive(Clone, Copy)]
struct Member<'d> {
    position: usize,
    element_type: &'static ElementType,
    value: Option<Node<'d>>,
    sibling: Option<Node<'d>>,
}

impl Writer {
    fn resource(&mut self, node: Node<'_>, namespace: Option<&str>) -> Result<(), Outcome> {
        let name = node.resource_type().unwrap_or_default();
        let structure = self.definitions.structure(name).filter(|it| self.definitions.is_resource_type(it.name));
        let Some(structure) = structure else {
            return Err(refusal(format!("{} is not a resource type of R4", quoted(name))));
        };
        self.open(structure.name);
        if let Some(namespace) = namespace {
            self.attribute("xmlns", namespace)?;
        }
        self.content(structure, node, structure.name)
    }

    /// Writes an object's elements and the end of the element that holds them.
    fn content(&mut self, structure: &'static Structure, node: Node<'_>, name: &str) -> Result<(), Outcome> {
        let members = self.members(structure, node)?;
        let is_attribute = |member: &Member<'_>| is_attribute(structure, structure.elements[member.position].name);
        for member in members.iter().filter(|member| is_attribute(member)) {
            let value = member.value.and_then(Node::as_str);
            let value = value.ok_or_else(|| wrong(member.element_type.json_name, structure))?;
            self.attribute(member.element_type.json_name, &value)?;
        }
        let elements = members.iter().filter(|member| !is_attribute(member));
        if elements.clone().next().is_none() {
            self.out.push_str("/>");
            return Ok(());
        }
        self.out.push('>');
        self.deeper(1);
        for member in elements {
            self.element(member)?;
        }
        self.deeper(-1);
        self.new_line();
        self.close(name);
        Ok(())
    }

    /// The members of an object in the order of the definitions.
    fn members<'d>(&self, structure: &'static Structure, node: Node<'d>) -> Result<SmallVec<[Member<'d>; 8]>, Outcome> {
        let mut members: SmallVec<[Member<'d>; 8]> = SmallVec::new();
        for (name, value) in node.members() {
            if name == "resourceType" && structure.kind == StructureKind::Resource {
                continue;
            }
            let (name, is_sibling) = name.strip_prefix('_').map_or((name, false), |name| (name, true));
            let Some((position, element_type)) = structure.position(name) else {
                return Err(refusal(format!("{} is not an element of {}", quoted(name), structure.name)));
            };
            let known = members.iter_mut().find(|member| std::ptr::eq(member.element_type, element_type));
            let mut new = Member { position, element_type, value: None, sibling: None };
            let member = known.unwrap_or(&mut new);
            *(if is_sibling { &mut member.sibling } else { &mut member.value }) = Some(value);
            if new.value.is_some() || new.sibling.is_some() {
                members.push(new);
            }
        }
        members.sort_by_key(|member| member.position);
        Ok(members)
    }

    fn element(&mut self, member: &Member<'_>) -> Result<(), Outcome> {
        let structure = self.definitions.structure_of(member.element_type);
        if structure.kind != StructureKind::Primitive {
            let values = member.value.into_iter().flat_map(Node::each);
            return values.into_iter().try_for_each(|value| self.complex(member.element_type, structure, value));
        }
        let mut values = member.value.into_iter().flat_map(Node::each);
        let mut siblings = member.sibling.into_iter().flat_map(Node::each);
        loop {
            match (values.next(), siblings.next()) {
                (None, None) => return Ok(()),
                (value, sibling) => self.primitive(member.element_type, structure, value, sibling)?,
            }
        }
    }

    fn complex(
        &mut self,
        element_type: &'static ElementType,
        structure: &'static Structure,
        node: Node<'_>,
    ) -> Result<(), Outcome> {
        let name = element_type.json_name;
        if node.kind() != Kind::Object {
            return Err(wrong(name, structure));
        }
        self.new_line();
        self.open(name);
        if structure.kind != StructureKind::Resource {
            return self.content(structure, node, name);
        }
        self.out.push('>');
        self.deeper(1);
        self.new_line();
        self.resource(node, None)?;
        self.deeper(-1);
        self.new_line();
        self.close(name);
        Ok(())
    }

    fn primitive(
        &mut self,
        element_type: &'static ElementType,
        structure: &'static Structure,
        value: Option<Node<'_>>,
        sibling: Option<Node<'_>>,
    ) -> Result<(), Outcome> {
        let name = element_type.json_name;
        let (value, sibling) = (value.filter(is_there), sibling.filter(is_there));
        if value.is_none() && sibling.is_none() {
            return Ok(());
        }
        self.new_line();
        if structure.name == "xhtml" {
            let text = value.and_then(Node::as_str).ok_or_else(|| wrong(name, structure))?;
            return narrative::write(&mut self.out, &text).map_err(refusal);
        }
        self.open(name);
        if let Some(value) = value {
            match value.kind() {
                Kind::String => self.attribute("value", &value.as_str().unwrap_or_default())?,
                Kind::Number | Kind::Boolean => self.attribute("value", value.raw())?,
                Kind::Object | Kind::Array | Kind::Null => return Err(wrong(name, structure)),
            }
        }
        match sibling {
            Some(sibling) if sibling.kind() == Kind::Object => self.content(structure, sibling, name),
            Some(_) => Err(wrong(name, structure)),
            None => {
                self.out.push_str("/>");
                Ok(())
            }
        }
    }

    fn attribute(&mut self, name: &str, value: &str) -> Result<(), Outcome> {
        self.out.extend([" ", name, "=\""]);
        encode(&mut self.out, value).map_err(|character| {
            refusal(format!("XML cannot hold the character `{}` of {}", character.escape_default(), quoted(value)))
        })?;
        self.out.push('"');
        Ok(())
    }

    fn open(&mut self, name: &str) {
        self.out.extend(["<", name]);
    }

    fn close(&mut self, name: &str) {
        self.out.extend(["</", name, ">"]);
    }

    fn deeper(&mut self, levels: isize) {
        self.indent = self.indent.and_then(|indent| indent.checked_add_signed(levels));
    }

    fn new_line(&mut self) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", indent));
        }
    }
}

fn is_there(node: &Node<'_>) -> bool {
    node.kind() != Kind::Null
}

fn wrong(name: &str, structure: &Structure) -> Outcome {
    refusal(format!("`{name}` holds no {}", structure.name))
}

/// The resource is at hand, but not as XML.
fn refusal(message: String) -> Outcome {
    Outcome::new(IssueType::Processing, message)
}
