//! From a resource to the rows of all its parameters.
//!
//! The expressions of a type's parameters are taken apart at `|`, those for other types are dropped, equal ones are evaluated once,
//! and only when the resource has the member that they begin with.

use fhir::Definitions;
use fhir::Instant;
use fhir::definitions::Structure;
use fhir::fhirpath::{Context, ElementNode, Expression, Item};
use rustc_hash::FxHashMap;

use crate::contained::Held;
use crate::parameter::{Component, Indexed, Kind, Site, resolve_extension};
use crate::row::Rows;

/// How the rows of one resource type are made.
pub(crate) struct Extraction {
    steps: Vec<Step>,
    /// The steps to take when the resource has a member.
    by_member: FxHashMap<&'static str, Vec<usize>>,
    /// The steps to take in any case.
    always: Vec<usize>,
}

/// An expression, and the parameters that it feeds.
struct Step {
    expression: Expression,
    feeds: Vec<Feed>,
}

struct Feed {
    /// The position of the parameter in its table.
    parameter: usize,
    /// From `where(resolve() is Patient)`, which needs no resource to be decided.
    target_type: Option<&'static str>,
    components: Vec<Component>,
}

impl Extraction {
    pub(crate) fn new(
        definitions: &'static Definitions,
        structure: &'static Structure,
        parameters: &[Indexed],
    ) -> Extraction {
        let mut extraction = Extraction { steps: Vec::new(), by_member: FxHashMap::default(), always: Vec::new() };
        let mut known = FxHashMap::default();
        for (position, parameter) in parameters.iter().enumerate() {
            if !has_own_rows(parameter) {
                continue;
            }
            for branch in branches(&parameter.definition.expression) {
                let Some(source) = Source::new(definitions, structure, branch) else { continue };
                let components = &parameter.definition.components;
                let Some(feed) = feed(parameter, position, &source) else { continue };
                // Components decide when a composite over the whole resource has something to say.
                let starts = match components.last() {
                    Some((_, last)) if source.text == structure.name => {
                        Starts::any(branches(last).map(|path| Starts::new(structure, path)))
                    }
                    _ => Starts::new(structure, source.text),
                };
                let key = (source.text, starts.clone());
                match known.get(&key) {
                    Some(&step) => extraction.add(step, feed),
                    None => {
                        let Ok(expression) = Expression::parse(source.text) else { continue };
                        let step = extraction.steps.len();
                        extraction.steps.push(Step { expression, feeds: vec![feed] });
                        extraction.start(step, &starts);
                        known.insert(key, step);
                    }
                }
            }
        }
        extraction
    }

    fn add(&mut self, step: usize, feed: Feed) {
        self.steps[step].feeds.push(feed);
    }

    fn start(&mut self, step: usize, starts: &Starts) {
        match starts {
            Starts::Always => self.always.push(step),
            Starts::With(members) => {
                members.iter().for_each(|member| self.by_member.entry(member).or_default().push(step));
            }
        }
    }

    /// Adds the rows of a resource, but for those of the resources that it gives, which it holds itself. An expression that cannot be
    /// evaluated on it gives none.
    pub(crate) fn rows<'a>(
        &'a self,
        site: Site<'_>,
        parameters: &[Indexed],
        resource: ElementNode<'a>,
        rows: &mut Rows,
    ) -> Vec<Held<'a>> {
        let members = resource.value.into_iter().flat_map(|node| node.members());
        let by_member = members.filter_map(|(name, _)| self.by_member.get(name)).flatten();
        let mut due: Vec<_> = self.always.iter().chain(by_member).copied().collect();
        due.sort_unstable();
        due.dedup();

        let definitions = site.definitions;
        // No expression of a parameter asks for the time: rows must not depend on it.
        let context = Context {
            definitions,
            resource,
            root_resource: resource,
            resolver: None,
            library: None,
            variables: &[],
            now: Instant(0),
        };
        let mut held = Vec::new();
        for step in due.into_iter().map(|step| &self.steps[step]) {
            let Ok(mut items) = step.expression.evaluate(&context, Item::Element(resource)) else { continue };
            items.iter_mut().for_each(|item| resolve_extension(definitions, item));
            for feed in &step.feeds {
                let parameter = &parameters[feed.parameter];
                parameter.rows(site, &feed.components, &context, &items, feed.target_type, rows);
                held.extend(parameter.held(&items).map(|resource| Held { index: parameter.index, resource }));
            }
        }
        held
    }
}

/// Whether the values of an expression make rows for a parameter.
fn has_own_rows(parameter: &Indexed) -> bool {
    parameter.parts.is_empty() && !matches!(parameter.kind, Kind::Special | Kind::Words | Kind::LastUpdated)
}

fn feed(parameter: &Indexed, position: usize, source: &Source<'_>) -> Option<Feed> {
    let components = match &parameter.kind {
        Kind::Composite(kinds) => Component::all(kinds, &parameter.definition.components)?,
        _ => Vec::new(),
    };
    Some(Feed { parameter: position, target_type: source.target_type, components })
}

/// The alternatives of an expression.
pub(crate) fn branches(expression: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let mut quoted = false;
    let at_bar = move |char: char| {
        match char {
            '\'' => quoted = !quoted,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        char == '|' && depth == 0 && !quoted
    };
    expression.split(at_bar).map(str::trim)
}

/// An alternative that concerns a type.
pub(crate) struct Source<'e> {
    pub(crate) text: &'e str,
    /// From `where(resolve() is Patient)`, which is not part of the text then.
    pub(crate) target_type: Option<&'static str>,
}

impl<'e> Source<'e> {
    /// `None` for an alternative of another type.
    pub(crate) fn new(definitions: &'static Definitions, structure: &Structure, branch: &'e str) -> Option<Source<'e>> {
        let first = identifier(branch.trim_start_matches('('));
        let names_type = first.starts_with(|char: char| char.is_ascii_uppercase());
        if names_type && !definitions.is_a(structure.name, first) {
            return None;
        }
        let resolved = branch.strip_suffix(')').and_then(|rest| rest.split_once(".where(resolve() is "));
        let (text, target) = resolved.map_or((branch, None), |(text, target)| (text, Some(target)));
        let target_type = target.and_then(|target| definitions.resource_type(target));
        match (target, target_type) {
            (Some(_), None) => Some(Source { text: branch, target_type: None }),
            _ => Some(Source { text, target_type }),
        }
    }
}

fn identifier(text: &str) -> &str {
    let end = text.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(text.len());
    &text[..end]
}

/// When an expression can give anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Starts {
    Always,
    /// When the resource has one of these JSON members.
    With(Vec<&'static str>),
}

impl Starts {
    fn new(structure: &'static Structure, expression: &str) -> Starts {
        let path = expression.trim_start_matches('(');
        let path = path.strip_prefix(structure.name).or_else(|| path.strip_prefix("Resource")).unwrap_or(path);
        let path = path.strip_prefix("DomainResource").unwrap_or(path);
        let path = path.strip_prefix('.').unwrap_or(path);
        let first = identifier(path);
        match structure.element(first) {
            Some(element) if is_path(path) => {
                let wanted = cast(&path[first.len()..]);
                let of_type = element.types.iter().filter(|found| wanted.is_none_or(|wanted| found.code == wanted));
                let members: Vec<_> = of_type.map(|found| found.json_name).collect();
                match members.is_empty() {
                    // A cast to a type by a name of its own, such as FHIRPath's `DateTime`.
                    true => Starts::With(element.types.iter().map(|found| found.json_name).collect()),
                    false => Starts::With(members),
                }
            }
            _ => Starts::Always,
        }
    }

    fn any(all: impl Iterator<Item = Starts>) -> Starts {
        let mut members = Vec::new();
        for starts in all {
            match starts {
                Starts::Always => return Starts::Always,
                Starts::With(more) => members.extend(more),
            }
        }
        Starts::With(members)
    }
}

/// The type that the element is cast to at once.
fn cast(rest: &str) -> Option<&str> {
    let casts = [".as(", ".ofType(", " as "];
    casts.iter().find_map(|cast| rest.strip_prefix(cast)).map(identifier)
}

/// Whether an expression only walks on from its first step, and so gives nothing where that gives nothing.
fn is_path(expression: &str) -> bool {
    let mut depth = 0_usize;
    let mut outside = String::with_capacity(expression.len());
    for char in expression.chars() {
        match char {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => outside.push(char),
            _ => {}
        }
    }
    let walks = ["where", "as", "ofType", "extension"];
    let is_step = |step: &str| match step.split_once(' ') {
        Some((name, cast)) => {
            name == identifier(name) && cast.strip_prefix("as ").is_some_and(|to| to == identifier(to))
        }
        None => step == identifier(step),
    };
    let has_call = expression.match_indices('(').any(|(at, _)| {
        let before = &expression[..at];
        let name = before.rsplit(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default();
        // Calls inside arguments are about the items, not about whether there are any.
        before.matches('(').count() <= before.matches(')').count() && !walks.contains(&name)
    });
    !has_call && outside.split('.').all(is_step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, registry};

    #[test]
    fn every_parameter_of_every_type_has_a_step() {
        let definitions = Definitions::r4();
        for resource_type in definitions.resource_types() {
            let parameters = &registry().table(resource_type).expect("a type").parameters;
            let structure = definitions.structure(resource_type).expect("a type");
            let extraction = Extraction::new(definitions, structure, parameters);
            let fed: Vec<_> = extraction.steps.iter().flat_map(|step| &step.feeds).map(|feed| feed.parameter).collect();
            for (position, parameter) in parameters.iter().enumerate() {
                let is_fed = fed.contains(&position);
                assert_eq!(is_fed, has_own_rows(parameter), "{resource_type}.{}", parameter.definition.code);
            }
        }
    }

    #[test]
    fn few_steps_are_taken_in_any_case() {
        let mut always = Vec::new();
        for resource_type in Definitions::r4().resource_types() {
            let parameters = &registry().table(resource_type).expect("a type").parameters;
            let structure = Definitions::r4().structure(resource_type).expect("a type");
            let extraction = Extraction::new(Definitions::r4(), structure, parameters);
            let codes = extraction.always.iter().flat_map(|step| &extraction.steps[*step].feeds);
            always.extend(codes.map(|feed| format!("{resource_type}.{}", parameters[feed.parameter].definition.code)));
        }
        assert_eq!(always, ["Patient.deceased"]);
    }

    #[test]
    fn takes_expressions_apart() {
        assert_eq!(
            branches("A.b | (C.d as E) |F.where(x='|' | y)").collect::<Vec<_>>(),
            ["A.b", "(C.d as E)", "F.where(x='|' | y)"]
        );
        let observation = Definitions::r4().structure("Observation").expect("a type");
        let cases: [(&str, Option<&[&str]>); 9] = [
            ("Observation.subject", Some(&["subject"])),
            ("(Observation.value as Quantity)", Some(&["valueQuantity"])),
            ("(Observation.value as Quantity).unit", Some(&["valueQuantity"])),
            ("Observation.value.ofType(string)", Some(&["valueString"])),
            ("value.as(CodeableConcept)", Some(&["valueCodeableConcept"])),
            ("Observation.component.where(code.exists()).value", Some(&["component"])),
            ("Resource.meta.tag", Some(&["meta"])),
            ("Observation.value.exists()", None),
            ("Observation.issued != @2020", None),
        ];
        for (expression, expected) in cases {
            let expected = expected.map_or(Starts::Always, |members| Starts::With(members.to_vec()));
            assert_eq!(Starts::new(observation, expression), expected, "{expression}");
        }
    }

    #[test]
    fn an_extension_says_which_answer_counts() {
        let url = "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject";
        let response = format!(
            r#"{{"resourceType":"QuestionnaireResponse","id":"r","status":"completed","item":[
                {{"linkId":"1","extension":[{{"url":"{url}","valueBoolean":true}}],"answer":[{{"valueReference":{{"reference":"Patient/ann"}}}}]}},
                {{"linkId":"2","answer":[{{"valueReference":{{"reference":"Patient/bob"}}}}]}}]}}"#
        );
        check(
            &response,
            &[
                ("item-subject=Patient/ann", true),
                ("item-subject:Patient=ann", true),
                ("item-subject=Patient/bob", false),
                ("item-subject:missing=false", true),
            ],
        );
    }

    #[test]
    fn an_extension_stands_for_its_value() {
        let device = r#"{"resourceType":"Device","id":"d","extension":[{"url":
            "http://hl7.org/fhir/SearchParameter/device-extensions-Device-din","valueIdentifier":{"system":"urn:din","value":"7"}}]}"#;
        check(device, &[("din=7", true), ("din=urn:din|7", true), ("din=8", false)]);
    }
}
