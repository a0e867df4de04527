//! Contained resources, <https://hl7.org/fhir/R4/search.html#contained>: the rows of a container hold those of what it contains.
//!
//! A contained resource has the rows it would have on its own, in indexes of the container that are numbered by the way that leads to
//! it: a chain over `MedicationRequest.medication` that asks a Medication for its code also looks in the index of that code inside that
//! reference. Several resources of one type behind one reference parameter are asked as one.
//!
//! A reference parameter may find a resource itself where others find a reference: `Bundle.entry[0].resource`. Its rows stand in the
//! container in the same way, and its name in the index `held` of the parameter. It is no link to a resource of that name that the server has.
//!
//! A search for contained resources themselves looks in the indexes that any way leads to, where all that one container holds stands
//! together: that gives candidates, and each resource of a candidate is asked alone.

use fhir::fhirpath::ElementNode;
use fhir::json::Document;
use rustc_hash::{FxHashMap, FxHashSet};
use store::{Filter, Index, Match, Row};

use crate::Criterion;
use crate::parameter::local_value;
use crate::registry::Registry;
use crate::row::{self, HELD, OTHER, Rows, inside};

/// How many references inside a container a chain follows.
const STEPS_MAX: usize = 2;

/// Stands for any way from a container to what it contains.
const ANY_WAY: Index = Index(0);

/// A contained resource as a search for such resources sees it.
#[derive(Clone, Debug)]
pub struct ContainedResource<'a> {
    /// Within its container.
    pub id: String,
    /// Its JSON.
    pub text: &'a str,
    /// Its rows and words alone, as [`Registry::contained_criterion`] asks for them.
    pub rows: Vec<Row>,
}

/// A contained resource with its own rows.
struct Contained<'a> {
    id: String,
    resource_type: &'a str,
    text: &'a str,
    rows: Rows,
}

/// A resource that a reference parameter of its container finds.
pub(crate) struct Held<'a> {
    pub(crate) index: Index,
    pub(crate) resource: ElementNode<'a>,
}

/// Adds the rows of what a resource contains and holds.
pub(crate) fn rows(registry: &Registry, container: ElementNode<'_>, held: &[Held<'_>], rows: &mut Rows) {
    held.iter().for_each(|held| held.rows(registry, rows));
    rows_of_contained(registry, container, rows);
}

fn rows_of_contained(registry: &Registry, container: ElementNode<'_>, rows: &mut Rows) {
    let ways = rows.take_ways();
    let contained = all(registry, container);
    let by_id = by_id(&contained);
    let mut collected = Collected { by_id: &by_id, seen: FxHashSet::default(), rows };
    contained.iter().for_each(|resource| collected.add_anywhere(resource));
    collected.follow(&ways, &mut Vec::new());
}

impl Held<'_> {
    /// What it contains is there with it; what it holds, as a Bundle in a Bundle does, is left out.
    fn rows(&self, registry: &Registry, rows: &mut Rows) {
        let mut own = Rows::default();
        registry.add_rows(self.resource, &mut own);
        registry.add_words(self.resource, &mut own);
        rows_of_contained(registry, self.resource, &mut own);
        if let Some(id) = self.resource.value.and_then(|node| node.get("id")?.as_str()) {
            rows.push(row::secondary(self.index, HELD), local_value(self.resource.structure.name, &id));
        }
        add_behind(&own, &[self.index], rows);
    }
}

impl Registry {
    /// What a resource contains, each with its rows.
    pub fn contained<'d>(&self, container: &'d Document) -> Vec<ContainedResource<'d>> {
        let Some(root) = ElementNode::resource(self.site().definitions, container.root()) else { return Vec::new() };
        let contained = all(self, root);
        let by_id = by_id(&contained);
        let alone = |resource: &Contained<'d>| {
            let mut rows = Rows::default();
            Collected { by_id: &by_id, seen: FxHashSet::default(), rows: &mut rows }.add_anywhere(resource);
            // There are no more than the container has, which was stored.
            let rows = rows.finish().map_or(Vec::new(), crate::Rows::together);
            ContainedResource { id: resource.id.clone(), text: resource.text, rows }
        };
        contained.iter().map(alone).collect()
    }

    /// What is asked of resources, asked of contained ones: of the rows that [`Registry::contained`] gives.
    pub fn contained_criterion(&self, criterion: &Criterion) -> Criterion {
        behind(ANY_WAY, criterion)
    }

    /// All that may contain a resource which satisfies `filter`, made of a [`Registry::contained_criterion`], and perhaps more: of all
    /// that one container holds together, only what is there can be asked.
    pub fn containers_of(&self, filter: &Filter) -> Filter {
        let each = |filters: &[Filter]| filters.iter().map(|filter| self.containers_of(filter)).collect();
        match filter {
            Filter::All(filters) => Filter::All(each(filters)),
            Filter::Any(filters) => Filter::Any(each(filters)),
            Filter::Not(_) => Filter::everything(),
            there => there.clone(),
        }
    }
}

fn all<'a>(registry: &Registry, container: ElementNode<'a>) -> Vec<Contained<'a>> {
    let contained = container.value.and_then(|node| node.get("contained"));
    let nodes = contained.into_iter().flat_map(|contained| contained.each());
    let resources = nodes.filter_map(|node| ElementNode::resource(registry.site().definitions, node));
    resources.filter_map(|resource| Contained::new(registry, resource)).collect()
}

impl<'a> Contained<'a> {
    fn new(registry: &Registry, resource: ElementNode<'a>) -> Option<Contained<'a>> {
        let node = resource.value?;
        let id = node.get("id")?.as_str()?.into_owned();
        let mut rows = Rows::default();
        registry.add_rows(resource, &mut rows);
        registry.add_words(resource, &mut rows);
        Some(Contained { id, resource_type: resource.structure.name, text: node.raw(), rows })
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

/// Of two with one id the first counts.
fn by_id<'c, 'a>(contained: &'c [Contained<'a>]) -> FxHashMap<&'c str, &'c Contained<'a>> {
    contained.iter().rev().map(|resource| (resource.id.as_str(), resource)).collect()
}

/// The rows of a container while those of what it contains are added.
struct Collected<'c, 'a, 'r> {
    by_id: &'c FxHashMap<&'c str, &'c Contained<'a>>,
    /// What has been added, by path and id: however many references lead along one path to one resource, it is added once.
    seen: FxHashSet<(Vec<Index>, &'c str)>,
    rows: &'r mut Rows,
}

impl<'c> Collected<'c, '_, '_> {
    fn follow(&mut self, ways: &[Way], path: &mut Vec<Index>) {
        for way in ways {
            let Some(resource) = self.by_id.get(&*way.id).copied() else { continue };
            if way.target_type.as_deref().is_some_and(|wanted| wanted != resource.resource_type) {
                continue;
            }
            path.push(way.index);
            if self.seen.insert((path.clone(), &resource.id)) {
                let (_, before) = path.split_last().expect("a way was pushed");
                self.rows.push(along(before, row::secondary(way.index, OTHER)), Vec::new());
                self.add(resource, path);
                if path.len() < STEPS_MAX {
                    self.follow(resource.rows.ways(), path);
                }
            }
            path.pop();
        }
    }

    /// Adds the rows that a search for contained resources asks for.
    fn add_anywhere(&mut self, resource: &'c Contained<'_>) {
        self.add(resource, &[ANY_WAY]);
        self.follow(resource.rows.ways(), &mut vec![ANY_WAY]);
    }

    fn add(&mut self, resource: &Contained<'_>, path: &[Index]) {
        add_behind(&resource.rows, path, self.rows);
    }
}

fn add_behind(inner: &Rows, path: &[Index], rows: &mut Rows) {
    for row in inner.all() {
        rows.push(along(path, row.index), row.value.clone());
    }
    rows.words.add_all(&inner.words, |index| along(path, index));
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
        Criterion::Named(named) => Criterion::Named(Box::new(named.behind(reference))),
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
        Filter::OneOf { index, values } => Filter::OneOf { index: inside(reference, *index), values: values.clone() },
        Filter::Word { index, word } => Filter::Word { index: inside(reference, *index), word: word.clone() },
        join @ (Filter::LinksTo { .. } | Filter::LinkedFrom { .. }) => join.clone(),
    }
}

#[cfg(test)]
mod tests {
    use fhir::Definitions;

    use super::*;
    use crate::Handling;
    use crate::testing::{query, registry, rows};

    #[test]
    fn many_references_to_one_resource_cost_as_one() {
        let report = |references: usize| {
            let result = vec![r##"{"reference":"#o"}"##; references].join(",");
            rows(&format!(
                r#"{{"resourceType":"DiagnosticReport","id":"r","status":"final","code":{{"text":"x"}},"contained":[
                    {{"resourceType":"Observation","id":"o","status":"final","code":{{"coding":[{{"code":"a"}}]}}}}],"result":[{result}]}}"#
            ))
        };
        assert_eq!(report(50_000), report(1));
    }

    #[test]
    fn no_two_indexes_of_a_container_share_a_number() {
        let types = Definitions::r4().resource_types();
        let table = |name: &str| &registry().table(name).expect("a type").parameters;
        let mut shared = 0;
        let mut count = 0;
        for container in
            ["MedicationRequest", "Observation", "Encounter", "Patient", "DiagnosticReport", "ServiceRequest", "Bundle"]
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
        let anywhere = types.iter().flat_map(|name| table(name)).map(|parameter| inside(ANY_WAY, parameter.index));
        let mut seen: FxHashSet<_> =
            types.iter().flat_map(|name| table(name)).map(|parameter| parameter.index).collect();
        for index in anywhere {
            count += 1;
            shared += usize::from(!seen.insert(index));
        }
        assert!(count > 8_000, "{count}");
        assert_eq!(shared, 0, "of {count}");
    }

    #[test]
    fn a_bundle_is_found_by_what_it_begins_with() {
        let bundle = |kind: &str, resource: &str| {
            let resource =
                format!(r#"{{"fullUrl":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0","resource":{resource}}}"#);
            let other = r#"{"resource":{"resourceType":"Composition","id":"2","status":"amended"}}"#;
            format!(r#"{{"resourceType":"Bundle","id":"b","type":"{kind}","entry":[{resource},{other}]}}"#)
        };
        let composition = r##"{"resourceType":"Composition","id":"1","status":"final","title":"Discharge",
            "type":{"coding":[{"system":"http://loinc.org","code":"18842-5"}]},"subject":{"reference":"Patient/ann"},
            "author":[{"reference":"#p"}],"contained":[{"resourceType":"Practitioner","id":"p","name":[{"family":"Ash"}]}]}"##;
        let header = r#"{"resourceType":"MessageHeader","eventCoding":{"system":"urn:e","code":"admit"},"source":{"endpoint":"urn:s"}}"#;
        let patient = r#"{"resourceType":"Patient","id":"1"}"#;
        // Of a document, of a message whose header has no id, and of a Bundle that begins with something else.
        let bundles = [bundle("document", composition), bundle("message", header), bundle("collection", patient)];
        let cases = [
            ("composition=Composition/1", "y--"),
            ("composition=https://flint.example/fhir/Composition/1", "y--"),
            ("composition=1", "y--"),
            ("composition:Composition=1", "y--"),
            ("composition=Composition/2", "---"),
            ("composition:missing=false", "y--"),
            ("composition:missing=true", "-yy"),
            ("message:missing=false", "-y-"),
            ("message:missing=true", "y-y"),
            ("message=Composition/1", "---"),
            ("composition.type=http://loinc.org|18842-5", "y--"),
            ("composition:Composition.type=18842-5", "y--"),
            ("composition.type=9", "---"),
            ("composition.status=final", "y--"),
            ("composition.status=amended", "---"),
            ("composition.status:not=amended", "y--"),
            ("composition._id=1", "y--"),
            ("composition.title:contains=charge", "y--"),
            ("composition.patient=ann", "y--"),
            ("composition.patient=Patient/bob", "---"),
            ("composition.author:Practitioner.family=ash", "y--"),
            ("composition.author:Practitioner.family=birch", "---"),
            ("message.event=admit", "-y-"),
            ("message.event=urn:e|leave", "---"),
        ];
        let bundles = bundles.map(|text| rows(&text));
        for (text, expected) in cases {
            let query = query("Bundle", text, Handling::Strict).expect(text);
            let found = bundles.each_ref().map(|rows| if in_container(&query.criterion, rows) { 'y' } else { '-' });
            assert_eq!(found.iter().collect::<String>(), expected, "{text}");
        }
        let link = registry().table("Bundle").and_then(|table| table.get("composition"));
        let link = link.expect("a parameter").index;
        assert!(
            bundles[0].iter().all(|row| row.index != link),
            "no include, no join and no check of references may follow it"
        );
    }

    /// What the rows of a container decide without those of any other resource.
    fn in_container(criterion: &Criterion, rows: &[Row]) -> bool {
        match criterion {
            Criterion::Filter(filter) => filter.accepts(rows),
            Criterion::Named(named) => named.filter.accepts(rows),
            Criterion::All(criteria) => criteria.iter().all(|inner| in_container(inner, rows)),
            Criterion::Any(criteria) => criteria.iter().any(|inner| in_container(inner, rows)),
            Criterion::Not(inner) => !in_container(inner, rows),
            Criterion::Chain { .. } | Criterion::Has { .. } | Criterion::Terms(_) => false,
        }
    }

    #[test]
    fn a_container_is_a_candidate_and_what_it_contains_decides() {
        let container = r##"{"resourceType":"MedicationRequest","id":"r","status":"active","intent":"order","subject":{"reference":"#a"},
            "contained":[{"resourceType":"Patient","id":"a","gender":"female","name":[{"family":"Ash"}]},
            {"resourceType":"Patient","id":"b","name":[{"family":"Birch"}],"managingOrganization":{"reference":"#o"},
                "maritalStatus":{"text":"long since married"}},
            {"resourceType":"Organization","id":"o","name":"Hill Surgery"}]}"##;
        // Whether the container is a candidate, and the ids of what satisfies the query.
        let cases = [
            ("", true, "a b"),
            ("family=ash", true, "a"),
            ("family=ash&gender=female", true, "a"),
            // Each is there, but not in one of them.
            ("family=birch&gender=female", true, ""),
            ("family=ash,birch", true, "a b"),
            ("family=cedar", false, ""),
            ("gender:missing=true", true, "b"),
            ("gender:not=female", true, "b"),
            ("family:contains=c", true, "b"),
            ("_id=a", true, "a"),
            ("_id=r", false, ""),
            ("_content=married", true, "b"),
            ("_content=divorced", false, ""),
            ("_filter=not(family eq \"ash\")", true, "b"),
            ("_lastUpdated=gt2000", false, ""),
            ("organization:missing=false", true, "b"),
        ];
        let rows = rows(container);
        let document = Document::parse(container.as_bytes()).expect("JSON");
        for (text, is_candidate, expected) in cases {
            let query = query("Patient", text, Handling::Strict).expect(text);
            let Criterion::Filter(filter) = registry().contained_criterion(&query.criterion) else { panic!("{text}") };
            assert_eq!(registry().containers_of(&filter).accepts(&rows), is_candidate, "{text}");
            let mut contained = registry().contained(&document);
            contained.retain(|resource| filter.accepts(&resource.rows));
            let ids: Vec<_> = contained.iter().map(|resource| resource.id.as_str()).collect();
            assert_eq!(ids.join(" "), expected, "{text}");
        }
    }
}
