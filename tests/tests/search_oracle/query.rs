//! Whole queries, by looking at every resource.

use fhir::definitions::{SearchKind, SearchParameter};

use super::escapes::split;
use super::matching::{composite, has_components, item_matches};
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
                    let (code, modifier) = name.split_once(':').unwrap_or((name, ""));
                    let parameter = parameter(resource_type, code).expect("a parameter");
                    let places = self.world.of_type(resource_type);
                    places.iter().map(|place| self.matches(*place, parameter, modifier, value)).collect()
                }
            },
        });
        self.known.borrow_mut().insert(key, column.clone());
        column
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
        let (code, target_type) = reference.split_once(':').unwrap_or((reference, ""));
        let parameter = parameter(resource_type, code).expect("a parameter");
        let mut columns: HashMap<&str, Column> = HashMap::new();
        for name in Definitions::r4().resource_types() {
            let is_wanted = target_type.is_empty() || target_type == *name;
            let may_lead_there = parameter.targets.is_empty() || parameter.targets.contains(name);
            if is_wanted && may_lead_there && knows(name, rest) && !self.world.of_type(name).is_empty() {
                columns.insert(name, self.condition(name, rest, value));
            }
        }
        let places = self.world.of_type(resource_type);
        let column = places.iter().map(|place| {
            let found = self.world.values(*place, parameter);
            any(found.iter().map(|item| {
                let text = values::reference_text(item);
                if text.as_ref().is_some_and(|text| !text.is_empty() && text.starts_with('#')) {
                    return self.contained(*place);
                }
                match self.target(item) {
                    Some(Target::Resource(target)) => match columns.get(self.world.resources[target].resource_type) {
                        Some(column) => column[self.row(target)],
                        None => Some(false),
                    },
                    Some(Target::Canonical) => None,
                    None => Some(false),
                }
            }))
        });
        column.collect()
    }

    /// Chains lead into contained resources too, where a server indexes them.
    fn contained(&self, _place: usize) -> Truth {
        None
    }

    /// `Type:reference:rest`, after `_has:`: resources that one which satisfies the rest refers to.
    fn has(&self, resource_type: &'static str, rest: &str, value: &str) -> Vec<Truth> {
        let (source_type, rest) = rest.split_once(':').expect("a type");
        let (reference, rest) = rest.split_once(':').expect("a reference");
        let source_type = Definitions::r4().resource_type(source_type).expect("a type");
        let parameter = parameter(source_type, reference).expect("a parameter");
        let column = self.condition(source_type, rest, value);
        let mut truths: HashMap<usize, Truth> = HashMap::new();
        let mut canonical = false;
        for (row, source) in self.world.of_type(source_type).iter().enumerate() {
            for item in self.world.values(*source, parameter).iter() {
                match self.target(item) {
                    Some(Target::Resource(place)) => {
                        let truth = truths.entry(place).or_insert(Some(false));
                        *truth = any([*truth, column[row]]);
                    }
                    Some(Target::Canonical) => canonical |= column[row] != Some(false),
                    None => {}
                }
            }
        }
        let places = self.world.of_type(resource_type);
        let otherwise = if canonical { None } else { Some(false) };
        places.iter().map(|place| any([truths.get(place).copied().unwrap_or(Some(false)), otherwise])).collect()
    }

    fn target(&self, item: &fhir::fhirpath::Item<'static>) -> Option<Target> {
        match values::link(&self.world.base_url, &values::reference_text(item)?)? {
            Link::Local { resource_type, id } => {
                Some(Target::Resource(self.world.place(&format!("{resource_type}/{id}"))?))
            }
            Link::Url { .. } => Some(Target::Canonical),
        }
    }

    /// Where a resource stands among those of its type.
    fn row(&self, place: usize) -> usize {
        self.world.of_type(self.world.resources[place].resource_type).binary_search(&place).expect("it is one of them")
    }
}

/// Where a reference leads.
enum Target {
    Resource(usize),
    /// A url that a resource of this server may have.
    Canonical,
}

/// Whether a type has the parameter that a name begins with.
fn knows(resource_type: &str, name: &str) -> bool {
    let code = name.split([':', '.']).next().expect("at least one piece");
    name.starts_with("_has:") || parameter(resource_type, code).is_some()
}

/// Whether an element has a value; a primitive may have no more than extensions.
fn has_value(item: &fhir::fhirpath::Item<'static>) -> Truth {
    match item {
        fhir::fhirpath::Item::Element(element) if element.value.is_none() => None,
        _ => Some(true),
    }
}
