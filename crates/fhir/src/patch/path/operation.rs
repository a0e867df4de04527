//! The five operations.

use super::place::{Place, Step, steps};
use super::value::{Given, Slot, element};
use crate::definitions::{Structure, StructureKind};
use crate::fhirpath::{Context, ElementNode, Expression, Item};
use crate::json::{Document, Node, Value};
use crate::outcome::quoted;
use crate::{Definitions, Instant};

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    path: Path,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Add { name: String, value: Given },
    Insert { value: Given, index: usize },
    Delete,
    Replace { value: Given },
    Move { source: usize, destination: usize },
}

/// An expression, and where it ends in the name of an element, that name and the expression before it.
#[derive(Debug)]
struct Path {
    text: String,
    expression: Expression,
    before_last: Option<(Expression, String)>,
}

/// The parts of an operation that are there.
#[derive(Default)]
struct Parts<'d> {
    kind: Option<String>,
    path: Option<String>,
    name: Option<String>,
    value: Option<Node<'d>>,
    index: Option<usize>,
    source: Option<usize>,
    destination: Option<usize>,
}

impl Operation {
    pub(super) fn parse(node: Node<'_>) -> Result<Operation, String> {
        if !node.get("name").is_some_and(|name| name.is_str("operation")) {
            return Err("a parameter of a patch is named `operation`".to_owned());
        }
        let mut parts = Parts::read(node)?;
        let kind = parts.kind.take().ok_or("the part `type` is missing")?;
        let path = Path::parse(parts.path.take().ok_or("the part `path` is missing")?)?;
        let action = match kind.as_str() {
            "add" => {
                Action::Add { name: parts.name.take().ok_or("the part `name` is missing")?, value: parts.given()? }
            }
            "insert" => Action::Insert { value: parts.given()?, index: needed(parts.index.take(), "index")? },
            "delete" => Action::Delete,
            "replace" => Action::Replace { value: parts.given()? },
            "move" => Action::Move {
                source: needed(parts.source.take(), "source")?,
                destination: needed(parts.destination.take(), "destination")?,
            },
            _ => {
                return Err(format!(
                    "`type` is {}, it should be `add`, `insert`, `delete`, `replace` or `move`",
                    quoted(&kind)
                ));
            }
        };
        match parts.left() {
            None => Ok(Operation { path, action }),
            Some(name) => Err(format!("the part `{name}` does not belong to `{kind}`")),
        }
    }

    /// Applies the operation to `value`, which says the same as `document`.
    pub(super) fn apply<'d>(
        &'d self,
        definitions: &'static Definitions,
        document: &'d Document,
        value: &mut Value,
    ) -> Result<(), String> {
        let found = self.path.find(&self.path.expression, definitions, document)?;
        let patch = Application { definitions, document, path: &self.path.text };
        match &self.action {
            Action::Add { name, value: given } => patch.add(patch.one(&found)?, name, given, value),
            Action::Insert { value: given, index } => match found.first() {
                Some(_) => patch.insert(&found, given, *index, value),
                None => {
                    let (owner, name) = self.path.before_last.as_ref().ok_or_else(|| patch.nothing())?;
                    let owners = self.path.find(owner, definitions, document)?;
                    if *index > 0 {
                        return Err(format!("`index` is {index}, there are no items at {}", quoted(&self.path.text)));
                    }
                    patch.add(patch.one(&owners)?, name, given, value)
                }
            },
            Action::Delete => match found.as_slice() {
                [] => Ok(()),
                found => {
                    patch.place(patch.one(found)?)?.delete(value);
                    Ok(())
                }
            },
            Action::Replace { value: given } => patch.replace(patch.one(&found)?, given, value),
            Action::Move { source, destination } => patch.shift(&found, *source, *destination, value),
        }
    }
}

fn needed(index: Option<usize>, name: &str) -> Result<usize, String> {
    index.ok_or_else(|| format!("the part `{name}` is missing"))
}

impl<'d> Parts<'d> {
    fn read(operation: Node<'d>) -> Result<Parts<'d>, String> {
        let mut parts = Parts::default();
        for part in operation.get("part").into_iter().flat_map(Node::items) {
            let name = part.get("name").and_then(Node::as_str).ok_or("a part has no name")?;
            let text = |member: &str| match part.get(member).and_then(Node::as_str) {
                Some(text) => Ok(Some(text.into_owned())),
                None => Err(format!("the part `{name}` should have a `{member}`")),
            };
            let index = || match part.get("valueInteger").and_then(|node| node.raw().parse().ok()) {
                Some(index) => Ok(Some(index)),
                None => Err(format!("the part `{name}` should have a `valueInteger` of 0 or more")),
            };
            let is_new = match &*name {
                "type" => replaced(&mut parts.kind, text("valueCode")?),
                "path" => replaced(&mut parts.path, text("valueString")?),
                "name" => replaced(&mut parts.name, text("valueString")?),
                "value" => replaced(&mut parts.value, Some(part)),
                "index" => replaced(&mut parts.index, index()?),
                "source" => replaced(&mut parts.source, index()?),
                "destination" => replaced(&mut parts.destination, index()?),
                _ => return Err(format!("{} is no part of an operation", quoted(&name))),
            };
            if !is_new {
                return Err(format!("the part `{name}` is there twice"));
            }
        }
        Ok(parts)
    }

    fn given(&mut self) -> Result<Given, String> {
        Given::parse(self.value.take().ok_or("the part `value` is missing")?)
    }

    /// A part that no action has taken.
    fn left(&self) -> Option<&'static str> {
        let left = [
            ("name", self.name.is_some()),
            ("value", self.value.is_some()),
            ("index", self.index.is_some()),
            ("source", self.source.is_some()),
            ("destination", self.destination.is_some()),
        ];
        left.iter().find(|(_, is_left)| *is_left).map(|(name, _)| *name)
    }
}

/// True when nothing was there before.
fn replaced<T>(slot: &mut Option<T>, new: Option<T>) -> bool {
    std::mem::replace(slot, new).is_none()
}

impl Path {
    fn parse(text: String) -> Result<Path, String> {
        let parse = |text: &str| {
            Expression::parse(text)
                .map_err(|error| format!("`path` {} is no FHIRPath: {} at {}", quoted(text), error.message, error.at))
        };
        let expression = parse(&text)?;
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let before_last = match text.rsplit_once('.') {
            Some((before, name)) if is_name(name) => parse(before).ok().map(|before| (before, name.to_owned())),
            _ => None,
        };
        Ok(Path { text, expression, before_last })
    }

    /// The elements of the resource that an expression finds.
    fn find<'d>(
        &self,
        expression: &'d Expression,
        definitions: &'static Definitions,
        document: &'d Document,
    ) -> Result<Vec<ElementNode<'d>>, String> {
        let Some(resource) = ElementNode::resource(definitions, document.root()) else {
            return Err("what is patched is no resource".to_owned());
        };
        let context = Context {
            definitions,
            resource,
            root_resource: resource,
            resolver: None,
            library: None,
            variables: &[],
            now: Instant(0),
        };
        let found = expression.evaluate(&context, Item::Element(resource)).map_err(|error| error.message)?;
        let element = |item: &Item<'d>| {
            let element = item.as_element().filter(|element| is_inside(element, document));
            element.ok_or_else(|| format!("{} finds a value that is no element of the resource", quoted(&self.text)))
        };
        found.iter().map(element).collect()
    }
}

fn is_inside(element: &ElementNode<'_>, document: &Document) -> bool {
    element.value.or(element.sibling).is_some_and(|node| std::ptr::eq(node.document(), document))
}

/// What an operation is applied to.
struct Application<'d> {
    definitions: &'static Definitions,
    document: &'d Document,
    path: &'d str,
}

impl<'d> Application<'d> {
    fn nothing(&self) -> String {
        format!("there is nothing at {}", quoted(self.path))
    }

    /// The one element that was found.
    fn one(&self, found: &[ElementNode<'d>]) -> Result<ElementNode<'d>, String> {
        match found {
            [] => Err(self.nothing()),
            [one] => Ok(*one),
            many => Err(format!("{} finds {} elements, it should find one", quoted(self.path), many.len())),
        }
    }

    fn steps(&self, element: ElementNode<'d>) -> Vec<Step> {
        element.value.or(element.sibling).map(|node| steps(self.document, node)).unwrap_or_default()
    }

    fn place(&self, element: ElementNode<'d>) -> Result<Place, String> {
        Place::of(self.steps(element))
            .ok_or_else(|| "the whole resource can be neither deleted nor replaced".to_owned())
    }

    /// The structure of the object that steps lead to.
    fn structure(&self, steps: &[Step]) -> Option<&'static Structure> {
        let mut node = self.document.root();
        let mut structure = self.definitions.structure(node.resource_type()?)?;
        for step in steps {
            match step {
                Step::Member(name) => {
                    let element = name.strip_prefix('_').unwrap_or(name);
                    structure = self.definitions.structure_of(structure.member(element)?.1);
                    node = node.get(name)?;
                }
                Step::Item(index) => node = node.items().nth(*index)?,
            }
            if let Some(resource_type) = node.resource_type().filter(|_| structure.kind == StructureKind::Resource) {
                structure = self.definitions.structure(resource_type)?;
            }
        }
        Some(structure)
    }

    /// The type as which a value is written in a place.
    fn slot(&self, place: &Place, given: &Given) -> Result<Slot, String> {
        let structure = self.structure(&place.parent);
        let member = structure.and_then(|structure| structure.member(&place.name));
        let (element, _) = member.ok_or_else(|| format!("{} is no element of R4", quoted(&place.name)))?;
        given.slot(self.definitions, element)
    }

    fn add(&self, owner: ElementNode<'d>, name: &str, given: &Given, value: &mut Value) -> Result<(), String> {
        let element = element(owner.structure, name)?;
        let slot = given.slot(self.definitions, element)?;
        let content = given.content(self.definitions, slot)?;
        let parent = match owner.structure.kind {
            StructureKind::Primitive => self.place(owner)?.beside(value),
            _ => self.steps(owner),
        };
        let mut place = Place { parent, name: slot.element_type.json_name.to_owned(), index: None };
        if element.max != Some(1) {
            let count = place.count(value);
            place.insert(value, count, content);
            return Ok(());
        }
        for other in &element.types {
            place.name = other.json_name.to_owned();
            if place.is_there(value) {
                return Err(format!("`{}` is there already and may stand only once; `replace` it", other.json_name));
            }
        }
        place.name = slot.element_type.json_name.to_owned();
        place.replace(value, content);
        Ok(())
    }

    fn replace(&self, element: ElementNode<'d>, given: &Given, value: &mut Value) -> Result<(), String> {
        let place = self.place(element)?;
        let slot = self.slot(&place, given)?;
        let content = given.content(self.definitions, slot)?;
        if slot.element_type.json_name == place.name {
            place.replace(value, content);
            return Ok(());
        }
        // A choice of another type has another name.
        let renamed = Place { name: slot.element_type.json_name.to_owned(), ..place.clone() };
        renamed.replace(value, content);
        place.delete(value);
        Ok(())
    }

    /// The place of the list that the elements found are, all of them.
    fn list(&self, found: &[ElementNode<'d>], value: &Value) -> Result<(Place, usize), String> {
        let first = self.place(*found.first().ok_or_else(|| self.nothing())?)?;
        let list = first.items(self.document);
        let node = |element: &ElementNode<'d>| element.value.or(element.sibling).map(Node::position);
        if !found.iter().all(|element| node(element).is_some_and(|node| list.contains(&node))) {
            return Err(format!("{} finds elements of more than one list", quoted(self.path)));
        }
        let count = first.count(value);
        if first.index.is_none() || count != found.len() {
            return Err(format!("{} finds no whole list", quoted(self.path)));
        }
        Ok((first, count))
    }

    fn insert(&self, found: &[ElementNode<'d>], given: &Given, index: usize, value: &mut Value) -> Result<(), String> {
        let (place, count) = self.list(found, value)?;
        if index > count {
            return Err(format!("`index` is {index}, the list has {count} items"));
        }
        let slot = self.slot(&place, given)?;
        place.insert(value, index, given.content(self.definitions, slot)?);
        Ok(())
    }

    fn shift(&self, found: &[ElementNode<'d>], from: usize, to: usize, value: &mut Value) -> Result<(), String> {
        let (place, count) = self.list(found, value)?;
        for (name, index) in [("source", from), ("destination", to)] {
            if index >= count {
                return Err(format!("`{name}` is {index}, the list has {count} items"));
            }
        }
        place.shift(value, from, to);
        Ok(())
    }
}
