//! Reads the tables of `profiles/r4` and `profiles/nhs` (their columns stand in `profiles/README.md`).
//!
//! The tables are generated and compared with their hashes by a test, so a malformed one is a broken build, not an input:
//! it panics.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::{
    Compartment, Definitions, Element, ElementType, Invariant, Member, SearchKind, SearchParameter, Structure,
    StructureKind, ValueSet,
};

const STRUCTURES: &str = include_str!("../../../../profiles/r4/structures.tsv");
pub(super) const INVARIANTS: &str = include_str!("../../../../profiles/r4/invariants.tsv");
pub(super) const ERRATA: &str = include_str!("../../../../profiles/r4/errata.tsv");
const VALUE_SETS: &str = include_str!("../../../../profiles/r4/value-sets.tsv");
pub(super) const SEARCH_PARAMETERS: &str = include_str!("../../../../profiles/r4/search-parameters.tsv");
/// Our own, in the same columns.
const NHS_SEARCH_PARAMETERS: &str = include_str!("../../../../profiles/nhs/search-parameters.tsv");
const COMPARTMENTS: &str = include_str!("../../../../profiles/r4/compartments.tsv");

/// Makes the definitions. What they lend out is leaked: they are made once and live as long as the program.
pub(super) fn load() -> Definitions {
    let value_set_by_url = value_sets();
    let mut structures = structures(&value_set_by_url);
    let structure_by_name = structures.iter().zip(0..).map(|(it, at)| (it.name, at)).collect();
    link(&mut structures, &structure_by_name);
    state_invariants(&mut structures, &structure_by_name);
    let mut resource_types: Vec<&str> =
        structures.iter().filter(|it| it.is_concrete_resource()).map(|it| it.name).collect();
    resource_types.sort_unstable();
    let parameters = search_parameters(&resource_types);
    Definitions {
        search_parameters_by_type: by_type(parameters, &structures),
        search_parameter_by_url: parameters.iter().map(|it| (&*it.url, it)).collect(),
        structures: structures.leak(),
        structure_by_name,
        resource_types,
        value_set_by_url,
        compartments: compartments(),
    }
}

/// The fields of a line; those left out at its end are empty.
struct Fields {
    rest: &'static str,
}

impl Fields {
    fn of(line: &'static str) -> Fields {
        Fields { rest: line }
    }

    /// Fields are short: a plain loop over their bytes takes half the time of a search for the next tab.
    fn next(&mut self) -> &'static str {
        let end = self.rest.bytes().position(|byte| byte == b'\t');
        let (field, rest) = end.map_or((self.rest, ""), |end| (&self.rest[..end], &self.rest[end + 1..]));
        self.rest = rest;
        field
    }
}

/// The parts of a field, in no more memory than they need: there are thousands of these lists.
fn list<T>(field: &'static str, separator: u8, part: impl Fn(&'static str) -> T) -> Vec<T> {
    if field.is_empty() {
        return Vec::new();
    }
    let mut parts = Vec::with_capacity(1 + field.bytes().filter(|&byte| byte == separator).count());
    parts.extend(field.split(char::from(separator)).map(part));
    parts
}

/// The words of a field.
fn words(field: &'static str) -> Vec<&'static str> {
    list(field, b' ', |word| word)
}

/// The lines of a table in groups: a line that begins without a tab, and those that belong to it.
fn groups<T>(table: &'static str, group: impl FnMut(&[&'static str]) -> T) -> Vec<T> {
    let lines: Vec<&str> = table.lines().collect();
    lines.chunk_by(|_, next| next.starts_with('\t')).map(group).collect()
}

/// The fields of a line that belongs to another.
fn inner(line: &&'static str) -> Fields {
    Fields::of(line.strip_prefix('\t').expect("all lines of a group but the first begin with a tab"))
}

fn value_sets() -> FxHashMap<&'static str, &'static ValueSet> {
    let mut sets: Vec<ValueSet> = Vec::new();
    for line in VALUE_SETS.lines() {
        let mut fields = Fields::of(line);
        let (url, system) = (fields.next(), fields.next());
        if sets.last().is_none_or(|last| last.url != url) {
            sets.push(ValueSet { url, systems: Vec::new(), is_enumerated: !system.is_empty() });
        }
        if let Some(set) = sets.last_mut().filter(|set| set.is_enumerated) {
            set.systems.push((system, list(fields.rest, b'\t', |code| code)));
        }
    }
    sets.leak().iter().map(|set| (set.url, set)).collect()
}

/// The structures with their elements, still without invariants, and their types not yet linked.
fn structures(value_sets: &FxHashMap<&'static str, &'static ValueSet>) -> Vec<Structure> {
    groups(STRUCTURES, |lines| {
        let mut fields = Fields::of(lines[0]);
        let elements: Vec<Element> = lines[1..].iter().map(|line| element(inner(line), value_sets)).collect();
        Structure {
            name: fields.next(),
            kind: match fields.next() {
                "resource" => StructureKind::Resource,
                "complex" => StructureKind::Complex,
                "primitive" => StructureKind::Primitive,
                "backbone" => StructureKind::Backbone,
                kind => panic!("kind `{kind}` of a structure is unknown"),
            },
            base: fields.next(),
            is_abstract: fields.next() == "abstract",
            members: members(&elements),
            elements,
            invariants: Vec::new(),
        }
    })
}

fn element(mut fields: Fields, value_sets: &FxHashMap<&'static str, &'static ValueSet>) -> Element {
    let path = fields.next();
    let (_, last) = path.rsplit_once('.').expect("an element's path has a structure before its name");
    let name = last.strip_suffix("[x]");
    let (min, max) = fields.next().split_once('.').expect("a cardinality is `min..max`");
    let flags = fields.next();
    Element {
        name: name.unwrap_or(last),
        path,
        min: min.parse().expect("a minimum is a number"),
        max: max.trim_start_matches('.').parse().ok(),
        types: list(fields.next(), b' ', |field| element_type(field, last)),
        is_choice: name.is_some(),
        is_modifier: flags.starts_with('m'),
        is_summary: flags.ends_with('s'),
        binding: match fields.next() {
            "" => None,
            url => Some(value_sets[url]),
        },
        invariants: Vec::new(),
    }
}

/// Reads `Reference(Patient|Group)` or, in a choice, `valueQuantity:Quantity`.
fn element_type(field: &'static str, name: &'static str) -> ElementType {
    let (field, targets) = match field.strip_suffix(')').and_then(|it| it.split_once('(')) {
        Some((field, targets)) => (field, list(targets, b'|', |target| target)),
        None => (field, Vec::new()),
    };
    let (json_name, code) = field.split_once(':').unwrap_or((name, field));
    ElementType { code, json_name, targets, structure: 0 }
}

/// The names by which elements are found: JSON names, and the bare names of choices.
fn members(elements: &[Element]) -> FxHashMap<&'static str, Member> {
    let names = elements.iter().map(|it| it.types.len() + usize::from(it.is_choice)).sum();
    let mut members = FxHashMap::with_capacity_and_hasher(names, Default::default());
    for (element, at) in elements.iter().zip(0..) {
        if element.is_choice {
            members.insert(element.name, Member { element: at, data_type: None });
        }
        for (data_type, index) in element.types.iter().zip(0..) {
            members.insert(data_type.json_name, Member { element: at, data_type: Some(index) });
        }
    }
    members
}

/// Leads each type to its structure: a content reference's target, the backbone element of that path, or the type of that name.
fn link(structures: &mut [Structure], by_name: &FxHashMap<&'static str, u32>) {
    let bases: Vec<&str> = structures.iter().map(|it| it.base).collect();
    for element in structures.iter_mut().flat_map(|it| &mut it.elements) {
        for data_type in &mut element.types {
            let own = match data_type.code.strip_prefix('#') {
                Some(target) => by_name.get(target),
                None if matches!(data_type.code, "BackboneElement" | "Element") => by_name.get(element.path),
                None => None,
            };
            match own {
                Some(&own) => {
                    data_type.structure = own;
                    data_type.code = bases[own as usize];
                }
                None => data_type.structure = by_name[data_type.code],
            }
        }
    }
}

/// What stands in the place of what was published.
fn corrections() -> FxHashMap<&'static str, &'static str> {
    ERRATA.lines().map(Fields::of).map(|mut fields| (fields.next(), fields.next())).collect()
}

/// Adds the invariants, with the errata's corrections, to the structures and elements that state them, then to all descendants.
fn state_invariants(structures: &mut [Structure], by_name: &FxHashMap<&'static str, u32>) {
    let corrections = corrections();
    let bases: Vec<&str> = structures.iter().map(|it| it.base).collect();
    let mut own: Vec<Vec<&'static Invariant>> = vec![Vec::new(); structures.len()];
    for mut fields in INVARIANTS.lines().map(Fields::of) {
        let (key, severity, places, published, human) =
            (fields.next(), fields.next(), words(fields.next()), fields.next(), fields.next());
        let expression = corrections.get(published).copied().unwrap_or(published);
        if expression.is_empty() {
            continue;
        }
        let invariant: &'static Invariant = Box::leak(Box::new(Invariant {
            key,
            is_error: severity == "error",
            human,
            expression,
            compiled: OnceLock::new(),
        }));
        for place in places {
            match by_name.get(place) {
                Some(&at) => own[at as usize].push(invariant),
                None => element_at(structures, by_name, place).invariants.push(invariant),
            }
        }
    }
    for structure in structures {
        let mut name = structure.name;
        while let Some(&at) = by_name.get(name) {
            structure.invariants.splice(0..0, own[at as usize].iter().copied());
            name = bases[at as usize];
        }
    }
}

fn element_at<'a>(
    structures: &'a mut [Structure],
    by_name: &FxHashMap<&'static str, u32>,
    path: &str,
) -> &'a mut Element {
    let (parent, _) = path.rsplit_once('.').expect("an invariant is stated on a structure or an element of one");
    let elements = &mut structures[by_name[parent] as usize].elements;
    elements.iter_mut().find(|it| it.path == path).expect("an invariant's element is in the table of structures")
}

fn search_parameters(resource_types: &[&'static str]) -> &'static [SearchParameter] {
    let any: Vec<&str> = resource_types.iter().copied().filter(|it| *it != "Parameters").collect();
    let corrections = corrections();
    let component = |definition, expression| {
        let published = format!("{definition} {expression}");
        let corrected = corrections.get(published.as_str()).and_then(|it| it.split_once(' '));
        let (definition, expression) = corrected.unwrap_or((definition, expression));
        (definition.into(), expression.into())
    };
    let parameters = [SEARCH_PARAMETERS, NHS_SEARCH_PARAMETERS].map(|table| {
        groups(table, |lines| SearchParameter {
            components: lines[1..].iter().map(inner).map(|mut it| component(it.next(), it.next())).collect(),
            ..search_parameter(Fields::of(lines[0]), &any, &corrections)
        })
    });
    parameters.into_iter().flatten().collect::<Vec<_>>().leak()
}

fn search_parameter(
    mut fields: Fields,
    any: &[&'static str],
    corrections: &FxHashMap<&'static str, &'static str>,
) -> SearchParameter {
    let corrected = |published| corrections.get(published).copied().unwrap_or(published);
    SearchParameter {
        code: fields.next().into(),
        kind: {
            let code = fields.next();
            SearchKind::parse(code).unwrap_or_else(|| panic!("type `{code}` of a search parameter is unknown"))
        },
        base: words(fields.next()),
        url: fields.next().into(),
        expression: corrected(fields.next()).into(),
        targets: match fields.next() {
            "*" => any.to_vec(),
            targets => words(targets),
        },
        components: Vec::new(),
        description: fields.next().into(),
    }
}

/// The parameters of each resource type, abstract ones included, in the order of the table: by code.
fn by_type(
    parameters: &'static [SearchParameter],
    structures: &[Structure],
) -> FxHashMap<&'static str, Vec<&'static SearchParameter>> {
    let mut stated: FxHashMap<&str, Vec<&'static SearchParameter>> = FxHashMap::default();
    for parameter in parameters {
        for base in &parameter.base {
            stated.entry(base).or_default().push(parameter);
        }
    }
    let mut by_type = FxHashMap::default();
    for structure in structures.iter().filter(|it| it.kind == StructureKind::Resource) {
        let names = [structure.name, structure.base, "Resource"];
        let inherited = names.iter().zip(0..).filter(|&(name, at)| !names[..at].contains(name));
        let mut all: Vec<&SearchParameter> =
            inherited.filter_map(|(name, _)| stated.get(name)).flatten().copied().collect();
        all.sort_by(|one, other| one.code.cmp(&other.code));
        by_type.insert(structure.name, all);
    }
    by_type
}

fn compartments() -> Vec<Compartment> {
    groups(COMPARTMENTS, |lines| Compartment {
        code: lines[0],
        members: lines[1..].iter().map(inner).map(|mut it| (it.next(), words(it.next()))).collect(),
    })
}
