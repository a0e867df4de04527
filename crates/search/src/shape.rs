//! What a parameter's expression can give, as far as the definitions alone say: it lets a query ask for exactly one row.

use fhir::Definitions;
use fhir::definitions::{Element, ElementType, SearchKind, SearchParameter, Structure};

use crate::extract::{Source, branches};

/// Facts that hold for the values of a parameter in every resource of a type.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Shape {
    /// True for dates that no resource has several of: they have at most one row in each of their indexes.
    pub(crate) has_one_row: bool,
    /// The system that all tokens have; empty when they have none.
    pub(crate) system: Option<&'static str>,
    /// What all tokens are.
    pub(crate) values: Values,
    /// The only type that local references name.
    pub(crate) target_type: Option<&'static str>,
}

/// What the values of a token parameter are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Values {
    /// Not known, or different things.
    #[default]
    Mixed,
    /// Codes with their system: Coding, CodeableConcept.
    Coded,
    /// The primitive `code`.
    Code,
    Identifier,
    /// Ids and uris: different when they differ in case.
    Cased,
    /// Text, booleans, contact points.
    Plain,
}

impl Values {
    pub(crate) fn of_type(name: &str) -> Values {
        match name {
            "Coding" | "CodeableConcept" => Values::Coded,
            "code" => Values::Code,
            "Identifier" => Values::Identifier,
            "id" | "uri" | "url" | "canonical" | "oid" | "uuid" => Values::Cased,
            "string" | "boolean" | "ContactPoint" => Values::Plain,
            _ => Values::Mixed,
        }
    }
}

impl Shape {
    pub(crate) fn new(definitions: &'static Definitions, definition: &SearchParameter, resource_type: &str) -> Shape {
        let Some(structure) = definitions.structure(resource_type) else { return Shape::default() };
        let sources: Vec<_> =
            branches(&definition.expression).filter_map(|branch| Source::new(definitions, structure, branch)).collect();
        match definition.kind {
            SearchKind::Date => Shape { has_one_row: is_single(definitions, structure, &sources), ..Shape::default() },
            SearchKind::Token => Shape {
                system: common(sources.iter().map(|source| system(definitions, structure, source))),
                values: common(sources.iter().map(|source| values(definitions, structure, source))).unwrap_or_default(),
                ..Shape::default()
            },
            SearchKind::Reference => Shape {
                target_type: match definition.targets.as_slice() {
                    [only] => Some(only),
                    _ => common(sources.iter().map(|source| source.target_type)),
                },
                ..Shape::default()
            },
            _ => Shape::default(),
        }
    }
}

/// What all say alike.
fn common<V: PartialEq + Copy>(mut values: impl Iterator<Item = Option<V>>) -> Option<V> {
    let first = values.next()??;
    values.all(|value| value == Some(first)).then_some(first)
}

/// Whether all sources are casts of one path over elements that do not repeat.
fn is_single(definitions: &'static Definitions, structure: &'static Structure, sources: &[Source<'_>]) -> bool {
    let mut paths = sources.iter().map(|source| uncast(source.text).0);
    let Some(path) = paths.next() else { return false };
    let elements = elements(definitions, structure, path);
    let is_single = elements.is_some_and(|elements| elements.iter().all(|element| element.max == Some(1)));
    is_single && paths.all(|other| other == path)
}

/// The system that all tokens of a source have.
fn system(
    definitions: &'static Definitions,
    structure: &'static Structure,
    source: &Source<'_>,
) -> Option<&'static str> {
    let (element, types) = ends(definitions, structure, source)?;
    common(types.map(|found| system_of(element, found)))
}

/// What all tokens of a source are.
fn values(definitions: &'static Definitions, structure: &'static Structure, source: &Source<'_>) -> Option<Values> {
    let (_, types) = ends(definitions, structure, source)?;
    common(types.map(|found| Some(Values::of_type(found.code))))
}

/// The element at which a source ends, and those of its types that the source takes.
fn ends<'s>(
    definitions: &'static Definitions,
    structure: &'static Structure,
    source: &Source<'s>,
) -> Option<(&'static Element, impl Iterator<Item = &'static ElementType> + use<'s>)> {
    let (path, cast) = uncast(source.text);
    let element = *elements(definitions, structure, path)?.last()?;
    Some((element, element.types.iter().filter(move |found| cast.is_none_or(|cast| found.code == cast))))
}

fn system_of(element: &'static Element, element_type: &ElementType) -> Option<&'static str> {
    match (element_type.code, element.binding) {
        ("code", Some(value_set)) => match value_set.systems.as_slice() {
            [(system, _)] => Some(system),
            _ => None,
        },
        ("boolean" | "id" | "string" | "uri" | "url" | "canonical", _) => Some(""),
        _ => None,
    }
}

/// A path and the type that its end is cast to.
fn uncast(expression: &str) -> (&str, Option<&str>) {
    let expression = expression.trim_start_matches('(').trim_end_matches(')');
    let casts = [" as ", ".as(", ".ofType("];
    casts
        .iter()
        .find_map(|cast| expression.split_once(cast))
        .map_or((expression, None), |(path, cast)| (path, Some(cast)))
}

/// The elements that a path walks over; `None` when it is no plain path from the type.
fn elements(
    definitions: &'static Definitions,
    mut structure: &'static Structure,
    path: &str,
) -> Option<Vec<&'static Element>> {
    let mut elements = Vec::new();
    let names_type = path.starts_with(|char: char| char.is_ascii_uppercase());
    for name in path.split('.').skip(usize::from(names_type)) {
        let element = structure.element(name)?;
        elements.push(element);
        structure = definitions.structure_of(element.types.first()?);
    }
    Some(elements)
}

#[cfg(test)]
mod tests {
    use crate::Handling;
    use crate::testing::{query, registry};
    use store::Filter;

    #[test]
    fn knows_what_does_not_repeat() {
        for (name, code, expected) in [
            ("Slot", "start", true),
            ("Patient", "birthdate", true),
            ("Condition", "onset-date", true),
            ("Observation", "date", true),
            ("Encounter", "date", true),
            ("Observation", "_lastUpdated", true),
            ("Observation", "value-date", true),
            ("CareTeam", "date", true),
            ("Goal", "target-date", false),
            ("Patient", "name", false),
            ("Encounter", "location-period", false),
        ] {
            let parameter = registry().table(name).and_then(|table| table.get(code)).expect("a parameter");
            assert_eq!(parameter.shape.has_one_row, expected, "{name}.{code}");
        }
    }

    #[test]
    fn knows_systems_and_targets() {
        for (name, code, system, target) in [
            ("Slot", "status", Some("http://hl7.org/fhir/slotstatus"), None),
            ("Patient", "active", Some(""), None),
            ("Patient", "gender", Some("http://hl7.org/fhir/administrative-gender"), None),
            ("Patient", "_id", Some(""), None),
            ("Patient", "identifier", None, None),
            ("Patient", "deceased", None, None),
            ("Observation", "code", None, None),
            ("Slot", "schedule", None, Some("Schedule")),
            ("Observation", "patient", None, Some("Patient")),
            ("Observation", "subject", None, None),
            ("Appointment", "actor", None, None),
        ] {
            let parameter = registry().table(name).and_then(|table| table.get(code)).expect("a parameter");
            assert_eq!((parameter.shape.system, parameter.shape.target_type), (system, target), "{name}.{code}");
        }
    }

    #[test]
    fn everyday_searches_name_exactly_one_row() {
        for (name, text) in [
            ("Slot", "status=free"),
            ("Slot", "schedule=1"),
            ("Observation", "patient=ann"),
            ("Patient", "_id=ann"),
            ("Patient", "active=true"),
        ] {
            let criterion = query(name, text, Handling::Strict).expect("valid").criterion;
            let Some(Filter::All(parts)) = criterion.of_rows() else { panic!("{text} is no conjunction") };
            let [_, Filter::Match(wanted)] = parts.as_slice() else { panic!("{parts:?}") };
            assert_eq!(wanted.range.low, wanted.range.high, "{text}");
        }
    }
}
