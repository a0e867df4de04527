//! Whole queries, by looking at every resource.

use fhir::definitions::{SearchKind, SearchParameter};

use super::escapes::split;
use super::matching::{composite, has_components, item_matches};
use super::meaning;
use super::truth::{Truth, all, any, not};
use super::values::{self, Link};
use super::world::{World, parameter};
use fhir::Definitions;
use std::collections::HashMap;
use std::rc::Rc;

/// What one condition says of each resource of a type, in the order of [`World::of_type`].
pub(super) type Column = Rc<Vec<Truth>>;

/// Answers queries, each condition once.
pub(super) struct Search<'w> {
    world: &'w World,
    known: std::cell::RefCell<HashMap<String, Column>>,
}

impl<'w> Search<'w> {
    pub(super) fn new(world: &'w World) -> Search<'w> {
        Search { world, known: Default::default() }
    }

    /// What all of the conditions, names and values, say of each resource of a type.
    pub(super) fn conditions(&self, resource_type: &'static str, conditions: &[(String, String)]) -> Vec<Truth> {
        let columns: Vec<_> =
            conditions.iter().map(|(name, value)| self.condition(resource_type, name, value)).collect();
        let count = self.world.of_type(resource_type).len();
        (0..count).map(|row| all(columns.iter().map(|column| column[row]))).collect()
    }

    fn condition(&self, resource_type: &'static str, name: &str, value: &str) -> Column {
        let key = format!("{resource_type}?{name}={value}");
        if let Some(column) = self.known.borrow().get(&key) {
            return column.clone();
        }
        let column = Rc::new(match name.strip_prefix("_has:") {
            Some(rest) => self.has(resource_type, rest, value),
            None => match name.split_once('.') {
                Some((reference, rest)) => self.chain(resource_type, reference, rest, value),
                None => {
                    let places = self.world.of_type(resource_type).iter();
                    places.map(|place| self.plain(*place, resource_type, name, value)).collect()
                }
            },
        });
        self.known.borrow_mut().insert(key, column.clone());
        column
    }

    /// One condition on a resource that another contains.
    fn holds_inside(&self, place: usize, name: &str, value: &str) -> Truth {
        let resource_type = self.world.resources[place].resource_type;
        if name.starts_with("_has:") {
            return Some(false);
        }
        if let Some((reference, rest)) = name.split_once('.') {
            let columns = self.targets_that_hold(resource_type, reference, rest, value);
            return self.leads_to(place, resource_type, reference, rest, value, &columns);
        }
        self.plain(place, resource_type, name, value)
    }

    /// A condition on a resource alone.
    fn plain(&self, place: usize, resource_type: &str, name: &str, value: &str) -> Truth {
        if name == "_list" {
            return Some(meaning::is_listed(self.world, place, value));
        }
        let (code, modifier) = name.split_once(':').unwrap_or((name, ""));
        let parameter = parameter(resource_type, code).expect("a parameter");
        match (code, modifier) {
            ("_text" | "_content", "") => meaning::has_words(self.world, place, code, value),
            (_, "text") => {
                let texts: Vec<_> = self.world.values(place, parameter).iter().map(meaning::token_text).collect();
                Some(meaning::words(value).is_subset(&meaning::words(&texts.join(" "))))
            }
            (_, "in" | "not-in" | "below" | "above") if parameter.kind == SearchKind::Token => {
                meaning::means(self.world, &self.world.values(place, parameter), modifier, value)
            }
            _ => self.matches(place, parameter, modifier, value),
        }
    }

    /// One parameter of one resource.
    fn matches(&self, place: usize, parameter: &'static SearchParameter, modifier: &str, value: &str) -> Truth {
        let found = self.world.values(place, parameter);
        if modifier == "missing" {
            let has_value = |item| match parameter.kind {
                SearchKind::Composite => has_components(self.world, place, parameter, item),
                _ => has_value(item),
            };
            return not(any(found.iter().map(has_value))).map(|missing| missing == (value == "true"));
        }
        let matched = any(split(value, ',').iter().map(|wanted| {
            any(found.iter().map(|item| match parameter.kind {
                SearchKind::Composite => composite(self.world, place, parameter, item, wanted),
                kind => item_matches(self.world, kind, modifier, item, wanted),
            }))
        }));
        if modifier == "not" { not(matched) } else { matched }
    }

    /// `reference[:Type].rest`: resources with a reference to one that satisfies the rest.
    fn chain(&self, resource_type: &'static str, reference: &str, rest: &str, value: &str) -> Vec<Truth> {
        let columns = self.targets_that_hold(resource_type, reference, rest, value);
        let places = self.world.of_type(resource_type).iter();
        places.map(|place| self.leads_to(*place, resource_type, reference, rest, value, &columns)).collect()
    }

    /// For each type that a reference may lead to, which of its resources satisfy the rest of a chain.
    fn targets_that_hold(&self, resource_type: &str, reference: &str, rest: &str, value: &str) -> Columns {
        let mut columns = HashMap::new();
        for name in target_types(resource_type, reference, rest) {
            if !self.world.of_type(name).is_empty() {
                columns.insert(name, self.condition(name, rest, value));
            }
        }
        columns
    }

    /// Whether a reference of this resource leads to one that satisfies the rest.
    fn leads_to(
        &self,
        place: usize,
        resource_type: &str,
        reference: &str,
        rest: &str,
        value: &str,
        columns: &Columns,
    ) -> Truth {
        let (code, _) = reference.split_once(':').unwrap_or((reference, ""));
        let parameter = parameter(resource_type, code).expect("a parameter");
        let column = |target: &usize| match columns.get(self.world.resources[*target].resource_type) {
            Some(column) => column[self.row(*target)],
            None => Some(false),
        };
        any(self.world.values(place, parameter).iter().map(|item| match self.target(item) {
            Some(Target::Inside(id)) => match self.world.contained(place, &id) {
                Some(inner) => {
                    let inner_type = self.world.resources[inner].resource_type;
                    let is_asked = target_types(resource_type, reference, rest).contains(&inner_type);
                    if is_asked { self.holds_inside(inner, rest, value) } else { Some(false) }
                }
                None => Some(false),
            },
            Some(Target::Resource(target)) => column(&target),
            Some(Target::Canonical(name)) => any(self.world.named(&name).iter().map(column)),
            // Whether a Reference names a resource by its canonical URL is not said.
            Some(Target::Url(name)) => match any(self.world.named(&name).iter().map(column)) {
                Some(false) => Some(false),
                _ => None,
            },
            None => Some(false),
        }))
    }

    /// `Type:reference:rest`, after `_has:`: resources that one which satisfies the rest refers to.
    fn has(&self, resource_type: &'static str, rest: &str, value: &str) -> Vec<Truth> {
        let (source_type, rest) = rest.split_once(':').expect("a type");
        let (reference, rest) = rest.split_once(':').expect("a reference");
        let source_type = Definitions::r4().resource_type(source_type).expect("a type");
        let parameter = parameter(source_type, reference).expect("a parameter");
        let column = self.condition(source_type, rest, value);
        let mut truths: HashMap<usize, Truth> = HashMap::new();
        for (row, source) in self.world.of_type(source_type).iter().enumerate() {
            for item in self.world.values(*source, parameter).iter() {
                let mut add = |place: usize, truth: Truth| {
                    let known = truths.entry(place).or_insert(Some(false));
                    *known = any([*known, truth]);
                };
                match self.target(item) {
                    Some(Target::Resource(place)) => add(place, column[row]),
                    Some(Target::Canonical(name)) => {
                        self.world.named(&name).iter().for_each(|place| add(*place, column[row]));
                    }
                    Some(Target::Url(name)) if column[row] != Some(false) => {
                        self.world.named(&name).iter().for_each(|place| add(*place, None));
                    }
                    _ => {}
                }
            }
        }
        let leads_here = parameter.targets.is_empty() || parameter.targets.contains(&resource_type);
        let places = self.world.of_type(resource_type).iter();
        places.map(|place| truths.get(place).copied().filter(|_| leads_here).unwrap_or(Some(false))).collect()
    }

    /// Where one value of a reference parameter leads.
    pub(super) fn target(&self, item: &fhir::fhirpath::Item<'static>) -> Option<Target> {
        let text = values::reference_text(item)?;
        if let Some(id) = text.strip_prefix('#') {
            return Some(Target::Inside(id.to_owned()));
        }
        match values::link(&self.world.base_url, &text)? {
            Link::Local { resource_type, id } => {
                Some(Target::Resource(self.world.place(&format!("{resource_type}/{id}"))?))
            }
            Link::Url { .. } if values::type_name(item) == "Reference" => Some(Target::Url(text)),
            Link::Url { .. } => Some(Target::Canonical(text)),
        }
    }

    /// Where a resource stands among those of its type.
    fn row(&self, place: usize) -> usize {
        self.world.of_type(self.world.resources[place].resource_type).binary_search(&place).expect("it is one of them")
    }
}

/// Where a reference leads.
pub(super) enum Target {
    Resource(usize),
    /// What the resource itself contains under an id.
    Inside(String),
    /// All that have this name.
    Canonical(String),
    /// A url that a resource of this server may have.
    Url(String),
}

/// What a condition says of the resources of types.
type Columns = HashMap<&'static str, Column>;

/// The types that `reference[:Type]` may lead to and that know the rest.
fn target_types(resource_type: &str, reference: &str, rest: &str) -> Vec<&'static str> {
    let (code, target_type) = reference.split_once(':').unwrap_or((reference, ""));
    let parameter = parameter(resource_type, code).expect("a parameter");
    let is_wanted = |name: &&&str| {
        (target_type.is_empty() || target_type == **name)
            && (parameter.targets.is_empty() || parameter.targets.contains(*name))
            && knows(name, rest)
    };
    Definitions::r4().resource_types().iter().filter(is_wanted).copied().collect()
}

/// Whether a type has the parameter that a name begins with.
fn knows(resource_type: &str, name: &str) -> bool {
    let code = name.split([':', '.']).next().expect("at least one piece");
    name.starts_with("_has:") || name == "_list" || parameter(resource_type, code).is_some()
}

/// Whether an element has a value; a primitive may have no more than extensions.
fn has_value(item: &fhir::fhirpath::Item<'static>) -> Truth {
    match item {
        fhir::fhirpath::Item::Element(element) if element.value.is_none() => None,
        _ => Some(true),
    }
}
