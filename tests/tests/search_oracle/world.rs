//! All resources as documents, and the values that search parameters find in them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use fhir::definitions::{SearchKind, SearchParameter};
use fhir::fhirpath::{Context, ElementNode, Expression, Item};
use fhir::json::{Document, Node};
use fhir::{Definitions, Instant};

use super::values;

/// What one parameter finds in one resource.
pub(super) type Values = Rc<Vec<Item<'static>>>;

/// All that there is to search.
pub(super) struct World {
    /// In the order in which they were created; after them all that they contain.
    pub(super) resources: Vec<Resource>,
    /// This server's, without a final `/`.
    pub(super) base_url: String,
    /// The time at which a search runs, in microseconds.
    pub(super) now: RefCell<i64>,
    places: HashMap<String, usize>,
    by_type: HashMap<&'static str, Vec<usize>>,
    /// What stands inside a resource, by its place and the id inside.
    inside: HashMap<(usize, String), usize>,
    /// Resources that are known by a canonical URL, with and without version.
    named: HashMap<String, Vec<usize>>,
    values: RefCell<HashMap<(usize, &'static str), Values>>,
    expressions: RefCell<HashMap<&'static str, &'static Expression>>,
}

/// One resource, kept until the tests end.
pub(super) struct Resource {
    pub(super) resource_type: &'static str,
    pub(super) id: String,
    root: ElementNode<'static>,
}

impl Resource {
    pub(super) fn new(text: &str) -> Resource {
        let document = Document::parse(text.as_bytes()).expect("JSON");
        let document: &'static Document = Box::leak(Box::new(document));
        Resource::of(document.root()).expect("a resource with an id")
    }

    fn of(node: Node<'static>) -> Option<Resource> {
        let root = ElementNode::resource(Definitions::r4(), node)?;
        Some(Resource { resource_type: root.structure.name, id: values::member(node, "id")?, root })
    }

    /// What it contains.
    fn contained(&self) -> Vec<Resource> {
        let contained = self.root.value.and_then(|node| node.get("contained"));
        contained.into_iter().flat_map(Node::each).filter_map(Resource::of).collect()
    }

    /// The canonical URL, alone and with the version, of a type that has all that such a one needs.
    fn names(&self) -> Vec<String> {
        let has = |name| self.root.structure.element(name).is_some_and(|element| element.max == Some(1));
        let Some(node) = self.root.value.filter(|_| has("url") && has("version") && has("status")) else {
            return Vec::new();
        };
        let Some(url) = values::member(node, "url") else { return Vec::new() };
        let versioned = values::member(node, "version").map(|version| format!("{url}|{version}"));
        [Some(url), versioned].into_iter().flatten().collect()
    }

    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.resource_type, self.id)
    }
}

impl World {
    pub(super) fn new(base_url: &str, mut resources: Vec<Resource>) -> World {
        let places = resources.iter().enumerate().map(|(place, resource)| (resource.key(), place)).collect();
        let mut by_type: HashMap<_, Vec<_>> = HashMap::new();
        for (place, resource) in resources.iter().enumerate() {
            by_type.entry(resource.resource_type).or_default().push(place);
        }
        let mut named: HashMap<_, Vec<_>> = HashMap::new();
        for (place, resource) in resources.iter().enumerate() {
            resource.names().into_iter().for_each(|name| named.entry(name).or_default().push(place));
        }
        let mut inside = HashMap::new();
        for place in 0..resources.len() {
            for inner in resources[place].contained() {
                inside.insert((place, inner.id.clone()), resources.len());
                resources.push(inner);
            }
        }
        World {
            resources,
            inside,
            named,
            base_url: base_url.to_owned(),
            now: RefCell::default(),
            places,
            by_type,
            values: RefCell::default(),
            expressions: RefCell::default(),
        }
    }

    /// Where the resources of a type stand.
    pub(super) fn of_type(&self, resource_type: &str) -> &[usize] {
        self.by_type.get(resource_type).map_or(&[], Vec::as_slice)
    }

    /// A resource as JSON.
    pub(super) fn node(&self, place: usize) -> Node<'static> {
        self.resources[place].root.value.expect("a resource")
    }

    /// Where the resource stands that a resource, or what contains that, holds under an id.
    pub(super) fn contained(&self, place: usize, id: &str) -> Option<usize> {
        let container = self.inside.iter().find(|(_, inner)| **inner == place).map_or(place, |((outer, _), _)| *outer);
        self.inside.get(&(container, id.to_owned())).copied()
    }

    /// Where resources of a type stand that others contain.
    pub(super) fn contained_of_type(&self, resource_type: &str) -> Vec<usize> {
        let mut places: Vec<_> = self.inside.values().copied().collect();
        places.retain(|place| self.resources[*place].resource_type == resource_type);
        places.sort_unstable();
        places
    }

    /// Where the resources of a canonical URL stand.
    pub(super) fn named(&self, canonical: &str) -> &[usize] {
        self.named.get(canonical).map_or(&[], Vec::as_slice)
    }

    /// The types of which there is a resource, sorted.
    pub(super) fn types(&self) -> Vec<&'static str> {
        let mut types: Vec<_> = self.by_type.keys().copied().collect();
        types.sort_unstable();
        types
    }

    /// Where a resource stands, by `Type/id`.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// What a parameter's expression gives on a resource; an extension stands for its value.
    pub(super) fn values(&self, place: usize, parameter: &'static SearchParameter) -> Values {
        if let Some(values) = self.values.borrow().get(&(place, &*parameter.url)) {
            return values.clone();
        }
        let root = self.resources[place].root;
        let mut values = self.evaluate(place, &parameter.expression, Item::Element(root));
        if parameter.kind == SearchKind::Reference {
            let is_target = |name: &str| parameter.targets.contains(&name) || !Definitions::r4().is_resource_type(name);
            values.retain(|item| is_target(values::type_name(item)));
        }
        let values = Rc::new(values);
        self.values.borrow_mut().insert((place, &*parameter.url), values.clone());
        values
    }

    /// What an expression gives on an element of a resource. One that cannot be evaluated gives nothing.
    pub(super) fn evaluate(&self, place: usize, expression: &'static str, input: Item<'static>) -> Vec<Item<'static>> {
        let resource = self.resources[place].root;
        let definitions = Definitions::r4();
        let context = Context {
            definitions,
            resource,
            root_resource: resource,
            resolver: None,
            library: None,
            variables: &[],
            now: Instant(0),
        };
        let mut items = Vec::new();
        for branch in branches(expression) {
            let parse = || -> &'static Expression { Box::leak(Box::new(Expression::parse(branch).expect(branch))) };
            let compiled = *self.expressions.borrow_mut().entry(branch).or_insert_with(parse);
            items.extend(compiled.evaluate(&context, input.clone()).unwrap_or_default().into_iter().map(value_of));
        }
        items
    }
}

/// The alternatives of an expression, each of which may fail for itself: `(A.b as C) | D.e`.
fn branches(expression: &'static str) -> Vec<&'static str> {
    let mut depth = 0;
    let outside = move |char: char| {
        depth += i32::from(char == '(') - i32::from(char == ')');
        char == '|' && depth == 0
    };
    expression.split(outside).map(str::trim).collect()
}

/// An extension's value in its place.
fn value_of(item: Item<'static>) -> Item<'static> {
    let Item::Element(element) = &item else { return item };
    let Some(extension) = element.value.filter(|_| element.structure.name == "Extension") else { return item };
    for (name, value) in extension.members() {
        if let Some((owner, data_type)) = element.structure.member(name).filter(|(owner, _)| owner.name == "value") {
            let structure = Definitions::r4().structure_of(data_type);
            return Item::Element(ElementNode { value: Some(value), sibling: None, structure, element: Some(owner) });
        }
    }
    item
}

/// A search parameter of a type by its code.
pub(super) fn parameter(resource_type: &str, code: &str) -> Option<&'static SearchParameter> {
    let mut all = Definitions::r4().search_parameters(resource_type).iter();
    all.find(|parameter| parameter.code == code).copied()
}

/// The components of a composite: each one's kind and its expression on the composite's items.
pub(super) fn components(parameter: &'static SearchParameter) -> Vec<(SearchKind, &'static str)> {
    let kind = |url: &str| Definitions::r4().search_parameter(url).expect("a component is a parameter").kind;
    parameter.components.iter().map(|(url, expression)| (kind(url), &**expression)).collect()
}
