//! All resources as documents, and the values that search parameters find in them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use fhir::definitions::{SearchKind, SearchParameter};
use fhir::fhirpath::{Context, ElementNode, Expression, Item};
use fhir::json::Document;
use fhir::{Definitions, Instant};

/// What one parameter finds in one resource.
pub(super) type Values = Rc<Vec<Item<'static>>>;

/// All that there is to search.
pub(super) struct World {
    /// In the order in which they were created.
    pub(super) resources: Vec<Resource>,
    /// This server's, without a final `/`.
    pub(super) base_url: String,
    /// The time at which a search runs, in microseconds.
    pub(super) now: RefCell<i64>,
    places: HashMap<String, usize>,
    by_type: HashMap<&'static str, Vec<usize>>,
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
        let root = ElementNode::resource(Definitions::r4(), document.root()).expect("a resource");
        let id = document.root().get("id").and_then(|id| id.as_str()).expect("an id").into_owned();
        Resource { resource_type: root.structure.name, id, root }
    }

    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.resource_type, self.id)
    }
}

impl World {
    pub(super) fn new(base_url: &str, resources: Vec<Resource>) -> World {
        let places = resources.iter().enumerate().map(|(place, resource)| (resource.key(), place)).collect();
        let mut by_type: HashMap<_, Vec<_>> = HashMap::new();
        for (place, resource) in resources.iter().enumerate() {
            by_type.entry(resource.resource_type).or_default().push(place);
        }
        World {
            resources,
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
        let values = Rc::new(self.evaluate(place, &parameter.expression, Item::Element(root)));
        self.values.borrow_mut().insert((place, &*parameter.url), values.clone());
        values
    }

    /// What an expression gives on an element of a resource. One that cannot be evaluated gives nothing.
    pub(super) fn evaluate(&self, place: usize, expression: &'static str, input: Item<'static>) -> Vec<Item<'static>> {
        let resource = self.resources[place].root;
        let definitions = Definitions::r4();
        let context = Context { definitions, resource, root_resource: resource, resolver: None, now: Instant(0) };
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
