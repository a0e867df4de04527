//! The members of objects: known names, JSON kinds, cardinality, choices, and the `_name` siblings of primitives,
//! <https://hl7.org/fhir/R4/json.html>.

use smallvec::SmallVec;

use super::nearest::nearest;
use super::path::Path;
use super::primitive::{self, kind_name};
use super::resource::Walk;
use crate::definitions::{Element, ElementType, Structure, StructureKind};
use crate::fhirpath::ElementNode;
use crate::json::{Kind, Node};
use crate::outcome::{IssueType, quoted};

/// An element as it stands in an object: its value, its `_name` sibling, or both; when it repeats, arrays of these.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) element: &'static Element,
    pub(super) element_type: &'static ElementType,
    pub(super) structure: &'static Structure,
    pub(super) value: Option<Node<'a>>,
    pub(super) sibling: Option<Node<'a>>,
}

impl<'a> Walk<'a> {
    /// Checks the members of a resource, a data type or a backbone element.
    pub(super) fn object(&mut self, node: Node<'a>, structure: &'static Structure, path: &Path<'_>) {
        let mut choices = SmallVec::<[&'static ElementType; 2]>::new();
        let has_siblings = node.members().any(|(name, _)| name.starts_with('_'));
        for (name, value) in node.members() {
            let (base, is_sibling) = match name.strip_prefix('_') {
                Some(base) => (base, true),
                None => (name, false),
            };
            let Some((element, element_type)) = structure.member(base) else {
                if name != "resourceType" || structure.kind != StructureKind::Resource {
                    self.unknown(name, structure, path);
                }
                continue;
            };
            let structure = self.definitions.structure_of(element_type);
            let mut member = Member { element, element_type, structure, value: Some(value), sibling: None };
            if is_sibling {
                if !may_have_sibling(&member) {
                    let message = || format!("{} cannot be: only primitive elements have one", quoted(name));
                    self.issues.error(&path.child(name), IssueType::Structure, message);
                    continue;
                }
                if node.get(base).is_some() {
                    continue;
                }
                (member.value, member.sibling) = (None, Some(value));
            } else if has_siblings && structure.kind == StructureKind::Primitive {
                member.sibling = sibling(node, name);
            }
            if element.is_choice {
                self.choice(&mut choices, &member, path);
            }
            self.member(member, &path.child(element.name));
        }
        self.missing(node, structure, path);
    }

    /// Checks that no other type of the same choice was met.
    fn choice(&mut self, met: &mut SmallVec<[&'static ElementType; 2]>, member: &Member<'a>, path: &Path<'_>) {
        let is_of_element = |met: &&&ElementType| member.element.types.iter().any(|own| std::ptr::eq(own, **met));
        if let Some(other) = met.iter().find(is_of_element) {
            let (other, this, name) = (other.json_name, member.element_type.json_name, member.element.name);
            let message = || format!("both `{other}` and `{this}` stand here, but `{name}[x]` has one type");
            self.issues.error(&path.child(name), IssueType::Structure, message);
        }
        met.push(member.element_type);
    }

    fn unknown(&mut self, name: &str, structure: &'static Structure, path: &Path<'_>) {
        let base = name.strip_prefix('_').unwrap_or(name);
        let choice = structure.elements.iter().find(|element| {
            let rest = element.is_choice.then(|| base.strip_prefix(element.name)).flatten();
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|letter: char| letter.is_ascii_uppercase()))
        });
        let names =
            |elements: &'static [Element]| elements.iter().flat_map(|element| &element.types).map(|t| t.json_name);
        self.issues.error(&path.child(name), IssueType::Structure, || match choice {
            Some(choice) => {
                let allowed: Vec<_> = choice.types.iter().map(|element_type| element_type.json_name).collect();
                let (choice, allowed) = (choice.name, allowed.join(", "));
                format!(
                    "{} is not a form of `{choice}[x]` in {}; it may be one of {allowed}",
                    quoted(name),
                    structure.name
                )
            }
            None => match nearest(base, names(&structure.elements)) {
                Some(near) => {
                    format!("{} is not an element of {}; the nearest is `{near}`", quoted(name), structure.name)
                }
                None => format!("{} is not an element of {}", quoted(name), structure.name),
            },
        });
    }

    /// Checks that the mandatory elements are there.
    fn missing(&mut self, node: Node<'a>, structure: &'static Structure, path: &Path<'_>) {
        for element in structure.elements.iter().filter(|element| element.min > 0) {
            let is_one = |name: &str| element.types.iter().any(|element_type| element_type.json_name == name);
            if !node.members().any(|(name, _)| is_one(name.strip_prefix('_').unwrap_or(name))) {
                let name = if element.is_choice { format!("{}[x]", element.name) } else { element.name.to_owned() };
                let message = || format!("`{name}` is missing: {} must have it", structure.name);
                self.issues.error(&path.child(element.name), IssueType::Required, message);
            }
        }
    }

    /// Checks an element with all its items.
    fn member(&mut self, member: Member<'a>, path: &Path<'_>) {
        let Member { element, value, sibling, .. } = member;
        if element.max == Some(1) {
            return match [value, sibling].into_iter().flatten().find(|node| node.kind() == Kind::Array) {
                Some(_) => self.issues.error(path, IssueType::Structure, || {
                    format!("an array stands here, but `{}` does not repeat", element.name)
                }),
                None => self.item(member, path),
            };
        }
        for node in [value, sibling].into_iter().flatten() {
            if node.kind() != Kind::Array {
                let found = kind_name(node.kind());
                let message = || format!("{found} stands here, but `{}` may repeat and so is an array", element.name);
                return self.issues.error(path, IssueType::Structure, message);
            }
            if node.is_empty() {
                let message = || "the array is empty; leave the element out instead".to_owned();
                return self.issues.error(path, IssueType::Structure, message);
            }
        }
        self.items(member, path);
    }

    fn items(&mut self, member: Member<'a>, path: &Path<'_>) {
        let Member { element, value, sibling, .. } = member;
        let mut values = value.map(Node::items);
        let mut siblings = sibling.map(Node::items);
        let mut count = 0;
        loop {
            let value = values.as_mut().and_then(Iterator::next);
            let sibling = siblings.as_mut().and_then(Iterator::next);
            if value.is_none() && sibling.is_none() {
                break;
            }
            // A shorter `_name` array is taken: widespread writers end it after its last item that is not null.
            if value.is_none() && values.is_some() {
                let message = || format!("`_{0}` has more items than `{0}`, which its items must match", element.name);
                self.issues.error(path, IssueType::Structure, message);
                break;
            }
            let of_primitive =
                |node: &Node<'_>| node.kind() != Kind::Null || member.structure.kind != StructureKind::Primitive;
            let item = Member { value: value.filter(of_primitive), sibling: sibling.filter(of_primitive), ..member };
            self.item(item, &path.item(count));
            count += 1;
        }
        if element.max.is_some_and(|max| count > max as usize) {
            let max = element.max.unwrap_or_default();
            let message = || format!("`{}` stands here {count} times, but may at most {max} times", element.name);
            self.issues.error(path, IssueType::Structure, message);
        }
        if count < element.min as usize {
            let message =
                || format!("`{}` stands here {count} times, but must at least {} times", element.name, element.min);
            self.issues.error(path, IssueType::Required, message);
        }
    }

    /// Checks one item of an element.
    fn item(&mut self, member: Member<'a>, path: &Path<'_>) {
        match (member.structure.kind, member.value) {
            (StructureKind::Primitive, _) => self.primitive(member, path),
            (StructureKind::Resource, Some(node)) => return self.inner_resource(node, path),
            (_, Some(node)) => self.complex(member, node, path),
            (_, None) => {}
        }
        let Member { element, structure, value, sibling, .. } = member;
        self.invariants(ElementNode { value, sibling, structure, element: Some(element) }, path);
    }

    fn complex(&mut self, member: Member<'a>, node: Node<'a>, path: &Path<'_>) {
        let structure = member.structure;
        if node.kind() != Kind::Object {
            let found = kind_name(node.kind());
            let message =
                || format!("{found} stands here, {}, but {} is an object", quoted(node.raw()), structure.name);
            return self.issues.error(path, IssueType::Structure, message);
        }
        if !self.has_content(node, path) {
            return;
        }
        self.object(node, structure, path);
        match structure.name {
            "Reference" => self.reference(node, member.element_type, path),
            "Extension" => self.extension(node, path),
            _ => {}
        }
        if let Some(value_set) = member.element.binding {
            self.binding(value_set, structure, node, path);
        }
    }

    /// Rule ele-1: an object has a member, and not only an id.
    fn has_content(&mut self, node: Node<'a>, path: &Path<'_>) -> bool {
        let has_content = node.members().any(|(name, _)| name != "id");
        if !has_content {
            self.issues.error(path, IssueType::Structure, || match node.is_empty() {
                true => "the object is empty; leave the element out instead".to_owned(),
                false => "the element has an id but neither value nor children (ele-1)".to_owned(),
            });
        }
        has_content
    }

    /// Rule ext-1: an extension has a value or extensions.
    fn extension(&mut self, node: Node<'a>, path: &Path<'_>) {
        let has_extensions = node.get("extension").is_some();
        let has_value = node.members().any(|(name, _)| name.starts_with("value") || name.starts_with("_value"));
        if has_extensions == has_value {
            self.issues.error(path, IssueType::Invariant, || match has_value {
                true => "the extension has both a value and extensions, but must have one of them (ext-1)".to_owned(),
                false => {
                    "the extension has neither a value nor extensions, but must have one of them (ext-1)".to_owned()
                }
            });
        }
    }

    /// Checks a primitive's value and its id and extensions.
    fn primitive(&mut self, member: Member<'a>, path: &Path<'_>) {
        if member.value.is_none() && member.sibling.is_none() {
            let message = || "null stands here without a value or extension beside it".to_owned();
            return self.issues.error(path, IssueType::Structure, message);
        }
        if let Some(sibling) = member.sibling {
            self.sibling(member, sibling, path);
        }
        let Some(value) = member.value else { return };
        let structure = member.structure;
        if value.kind() == Kind::Null {
            let message = || "null stands here; leave the element out instead".to_owned();
            return self.issues.error(path, IssueType::Structure, message);
        }
        if let Some(fault) = primitive::fault(structure.name, value) {
            return self.issues.error(path, fault.code, || fault.message);
        }
        if value.raw().starts_with("\"#") && matches!(structure.name, "uri" | "url" | "canonical") {
            self.contained.refer(&value.as_str().unwrap_or_default()[1..]);
        }
        if let Some(value_set) = member.element.binding {
            self.binding(value_set, structure, value, path);
        }
    }

    fn sibling(&mut self, member: Member<'a>, sibling: Node<'a>, path: &Path<'_>) {
        if sibling.kind() != Kind::Object {
            let name = member.element_type.json_name;
            let found = kind_name(sibling.kind());
            let message = || format!("{found} stands in `_{name}`, which is an object with `id` and `extension`");
            return self.issues.error(path, IssueType::Structure, message);
        }
        let is_alone = member.value.is_none_or(|value| value.kind() == Kind::Null);
        if sibling.is_empty() || is_alone {
            self.has_content(sibling, path);
        }
        self.object(sibling, member.structure, path);
    }
}

/// An element's own id and an extension's url are values without id and extensions.
fn may_have_sibling(member: &Member<'_>) -> bool {
    let Member { element, structure, .. } = member;
    structure.kind == StructureKind::Primitive && element.name != "id" && element.path != "Extension.url"
}

fn sibling<'a>(object: Node<'a>, name: &str) -> Option<Node<'a>> {
    object.members().find(|(other, _)| other.strip_prefix('_') == Some(name)).map(|(_, sibling)| sibling)
}
