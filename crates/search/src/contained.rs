//! Contained resources, <https://hl7.org/fhir/R4/search.html#contained>: the rows of a container hold those of what it contains.
//!
//! A contained resource has the rows it would have on its own, in indexes of the container that are numbered by the way that leads to
//! it: a chain over `MedicationRequest.medication` that asks a Medication for its code also looks in the index of that code inside that
//! reference. Several resources of one type behind one reference parameter are asked as one.

use fhir::fhirpath::ElementNode;
use store::{Filter, Index, Match};

use crate::Criterion;
use crate::registry::Registry;
use crate::row::{self, OTHER, Rows, inside};

/// How many references inside a container a chain follows.
const STEPS_MAX: usize = 2;

/// Stands for any way from a container to what it contains.
const ANY_WAY: Index = Index(0);

/// A contained resource with its own rows.
struct Contained<'a> {
    id: String,
    resource_type: &'a str,
    rows: Rows,
}

/// Adds the rows of what a resource contains.
pub(crate) fn rows(registry: &Registry, container: ElementNode<'_>, rows: &mut Rows) {
    let ways = rows.take_ways();
    let Some(contained) = container.value.and_then(|node| node.get("contained")) else { return };
    let resources = contained.each().filter_map(|node| ElementNode::resource(registry.site().definitions, node));
    let contained: Vec<_> = resources.filter_map(|resource| Contained::new(registry, resource)).collect();
    for resource in &contained {
        add(resource, &[ANY_WAY], rows);
    }
    follow(&ways, &contained, &mut Vec::new(), rows);
}

impl<'a> Contained<'a> {
    fn new(registry: &Registry, resource: ElementNode<'a>) -> Option<Contained<'a>> {
        let id = resource.value?.get("id")?.as_str()?.into_owned();
        let mut rows = Rows::default();
        registry.add_rows(resource, &mut rows);
        Some(Contained { id, resource_type: resource.structure.name, rows })
    }
}

/// A reference to a contained resource.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) index: Index,
    pub(crate) id: Box<str>,
    /// Only if it is of this type.
    pub(crate) target_type: Option<Box<str>>,
}

fn follow(ways: &[Way], contained: &[Contained<'_>], path: &mut Vec<Index>, rows: &mut Rows) {
    for way in ways {
        let Some(resource) = contained.iter().find(|resource| *resource.id == *way.id) else { continue };
        if way.target_type.as_deref().is_some_and(|wanted| wanted != resource.resource_type) {
            continue;
        }
        rows.push(along(path, row::secondary(way.index, OTHER)), Vec::new());
        path.push(way.index);
        add(resource, path, rows);
        if path.len() < STEPS_MAX {
            follow(resource.rows.ways(), contained, path, rows);
        }
        path.pop();
    }
}

fn add(resource: &Contained<'_>, path: &[Index], rows: &mut Rows) {
    for row in resource.rows.all() {
        rows.push(along(path, row.index), row.value.clone());
    }
}

fn along(path: &[Index], index: Index) -> Index {
    path.iter().rev().fold(index, |index, way| inside(*way, index))
}

/// Whatever contains a resource of a type.
pub(crate) fn containers(resource_type: &str) -> Filter {
    Filter::present(inside(ANY_WAY, row::type_index(resource_type)))
}

/// What is asked of a resource, asked of those that a container holds behind a reference.
pub(crate) fn behind(reference: Index, criterion: &Criterion) -> Criterion {
    match criterion {
        Criterion::Filter(filter) => Criterion::Filter(behind_filter(reference, filter)),
        Criterion::All(criteria) => Criterion::all(criteria.iter().map(|inner| behind(reference, inner)).collect()),
        Criterion::Any(criteria) => Criterion::any(criteria.iter().map(|inner| behind(reference, inner)).collect()),
        Criterion::Terms(terms) => Criterion::Terms(terms.behind(reference)),
        Criterion::Not(inner) => Criterion::Not(Box::new(behind(reference, inner))),
        Criterion::Chain { references, names, target_types, target } => Criterion::Chain {
            references: references.iter().map(|index| inside(reference, *index)).collect(),
            names: names.clone(),
            target_types: target_types.clone(),
            target: target.clone(),
        },
        // Nothing outside refers to what is contained.
        Criterion::Has { .. } => Criterion::Filter(Filter::nothing()),
    }
}

/// [`behind`] for what rows decide.
pub(crate) fn behind_filter(reference: Index, filter: &Filter) -> Filter {
    let each = |filters: &[Filter]| filters.iter().map(|filter| behind_filter(reference, filter)).collect();
    match filter {
        Filter::All(filters) => Filter::All(each(filters)),
        Filter::Any(filters) => Filter::Any(each(filters)),
        Filter::Not(filter) => behind_filter(reference, filter).not(),
        Filter::Match(wanted) => Filter::Match(Match { index: inside(reference, wanted.index), ..wanted.clone() }),
        Filter::Word { index, word } => Filter::Word { index: inside(reference, *index), word: word.clone() },
        join @ (Filter::LinksTo { .. } | Filter::LinkedFrom { .. }) => join.clone(),
    }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashSet;

    use crate::row::inside;
    use crate::testing::registry;
    use fhir::Definitions;

    #[test]
    fn no_two_indexes_of_a_container_share_a_number() {
        let types = Definitions::r4().resource_types();
        let table = |name: &str| &registry().table(name).expect("a type").parameters;
        let mut shared = 0;
        let mut count = 0;
        for container in
            ["MedicationRequest", "Observation", "Encounter", "Patient", "DiagnosticReport", "ServiceRequest"]
        {
            let mut seen: FxHashSet<_> = table(container).iter().map(|parameter| parameter.index).collect();
            for reference in table(container).iter().filter(|parameter| parameter.is_reference()) {
                for target in types.iter().filter(|target| reference.leads_to(target)) {
                    for parameter in table(target) {
                        count += 1;
                        shared += usize::from(!seen.insert(inside(reference.index, parameter.index)));
                    }
                }
            }
        }
        assert!(count > 5_000, "{count}");
        assert_eq!(shared, 0, "of {count}");
    }
}
