//! Questions of profiles and terminology, <https://hl7.org/fhir/R4/fhirpath.html#functions>: answered by the context's library.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use super::{Call, Function, boolean, function};
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::item::single;
use crate::fhirpath::{Collection, ElementNode, EvaluationError, Item};
use crate::json::{Document, Node};
use crate::profile::Profile;
use crate::terminology::{self, Canonical, Coded, Membership};
use crate::validate::{Depth, Validator};
use crate::{Library, Severity, published};

pub(super) const FUNCTIONS: &[Function] = &[
    function("memberOf", 1..=1, member_of),
    function("subsumes", 1..=1, |evaluation, call| {
        let other = call.argument(evaluation, 0)?;
        subsumes(evaluation, &call.input, &other)
    }),
    function("subsumedBy", 1..=1, |evaluation, call| {
        let other = call.argument(evaluation, 0)?;
        subsumes(evaluation, &other, &call.input)
    }),
    function("conformsTo", 1..=1, conforms_to),
    function("elementDefinition", 0..=0, element_definition),
    function("slice", 2..=2, slice),
];

/// What one question to a library counts for: it may have to read a definition, or ask another server.
const QUESTION_STEPS: usize = 10_000;
/// What one validation counts for, beside the length of what is validated.
const VALIDATION_STEPS: usize = 100_000;
/// A profile whose rules ask `conformsTo()` is asked about at most so deep.
const VALIDATIONS_NESTED_MAX: u32 = 2;

const STRUCTURE_DEFINITIONS: &str = "http://hl7.org/fhir/StructureDefinition/";

fn library<'a>(evaluation: &Evaluation<'a>) -> &'a dyn Library {
    evaluation.context.library.unwrap_or(&published::Published)
}

/// A code as an item has it.
struct Code<'a> {
    system: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    code: Cow<'a, str>,
}

/// The codes of a string, a code, a Coding, a Quantity or a CodeableConcept.
fn codes<'a>(item: &Item<'a>) -> Vec<Code<'a>> {
    let of_coding = |coding: Node<'a>| {
        let text = |name| coding.get(name).and_then(Node::as_str);
        Some(Code { system: text("system"), version: text("version"), code: text("code")? })
    };
    let alone = |code| vec![Code { system: None, version: None, code }];
    match item {
        Item::String(code) => alone(code.clone()),
        Item::Element(element) => match (element.text(), element.value) {
            (Some(code), _) => alone(code),
            (None, Some(concept)) if element.structure.name == "CodeableConcept" => {
                concept.get("coding").into_iter().flat_map(Node::each).filter_map(of_coding).collect()
            }
            (None, Some(coding)) => of_coding(coding).into_iter().collect(),
            (None, None) => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Whether one of the item's codes is in a value set; empty when that cannot be said here.
fn member_of<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let (Some(item), Some(url)) = (single(&call.input)?, call.text(evaluation, 0)?) else {
        return Ok(Collection::new());
    };
    let value_set = Canonical::parse(&url);
    let mut is_known = true;
    for code in codes(item) {
        evaluation.spend(QUESTION_STEPS)?;
        let coded =
            Coded { system: code.system.as_deref(), version: code.version.as_deref(), code: &code.code, display: None };
        match library(evaluation).member(value_set, &coded) {
            Membership::In { .. } => return Ok(boolean(true)),
            Membership::NotIn(_) => {}
            Membership::Unknown(_) => is_known = false,
        }
    }
    Ok(if is_known { boolean(false) } else { Collection::new() })
}

/// Whether a code of `above` is a code of `below` or stands above it; empty when that cannot be said here.
fn subsumes<'a>(
    evaluation: &Evaluation<'a>,
    above: &Collection<'a>,
    below: &Collection<'a>,
) -> Evaluated<Collection<'a>> {
    let (Some(above), Some(below)) = (single(above)?, single(below)?) else { return Ok(Collection::new()) };
    let (above, below) = (codes(above), codes(below));
    let mut is_known = true;
    for (above, below) in above.iter().flat_map(|above| below.iter().map(move |below| (above, below))) {
        evaluation.spend(QUESTION_STEPS)?;
        let (Some(system), Some(below_system)) = (&above.system, &below.system) else {
            is_known = false;
            continue;
        };
        if system != below_system {
            continue;
        }
        if above.code == below.code {
            return Ok(boolean(true));
        }
        match terminology::subsumes(library(evaluation), system, &above.code, &below.code) {
            Ok(true) => return Ok(boolean(true)),
            Ok(false) => {}
            Err(_) => is_known = false,
        }
    }
    Ok(if is_known { boolean(false) } else { Collection::new() })
}

/// Whether the item has one of R4's types, or is a resource in which a validation against the profile finds no error. An unknown
/// profile is an error.
fn conforms_to<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let definitions = evaluation.context.definitions;
    let (Some(item), Some(url)) = (single(&call.input)?, call.text(evaluation, 0)?) else {
        return Ok(Collection::new());
    };
    let canonical = Canonical::parse(&url);
    let name = canonical.url.strip_prefix(STRUCTURE_DEFINITIONS);
    if let Some(structure) = name.and_then(|name| definitions.structure(name)) {
        return Ok(boolean(definitions.is_a(item.type_name(), structure.name)));
    }
    profile(evaluation, canonical)?;
    let resource = item.as_element().and_then(|element| element.value).filter(|node| node.resource_type().is_some());
    let Some(resource) = resource else {
        let message = format!("conformsTo() with a profile asks about resources, found {}", item.type_name());
        return Err(EvaluationError::new(message));
    };
    evaluation.spend(VALIDATION_STEPS)?;
    evaluation.spend_text(resource.raw().len())?;
    validates(evaluation, resource, canonical).map(boolean)
}

fn profile(evaluation: &Evaluation<'_>, canonical: Canonical<'_>) -> Evaluated<Arc<Profile>> {
    evaluation.spend(QUESTION_STEPS)?;
    match library(evaluation).profile(canonical) {
        Ok(Some(profile)) => Ok(profile),
        Ok(None) => Err(EvaluationError::new(format!("profile `{canonical}` is unknown"))),
        Err(outcome) => Err(EvaluationError::new(format!("profile `{canonical}` cannot be used: {outcome}"))),
    }
}

fn validator<'a>(evaluation: &Evaluation<'a>) -> Validator<'a> {
    Validator {
        definitions: evaluation.context.definitions,
        library: library(evaluation),
        depth: Depth::Write,
        unknown_profile: Severity::Error,
        now: evaluation.context.now,
    }
}

thread_local! {
    /// How many validations that `conformsTo()` asked for are under way.
    static VALIDATIONS: Cell<u32> = const { Cell::new(0) };
}

/// Leaves the count of validations as it was.
struct Nesting;

impl Nesting {
    fn enter() -> Evaluated<Nesting> {
        VALIDATIONS.with(|count| match count.get() {
            VALIDATIONS_NESTED_MAX => Err(EvaluationError::new(format!(
                "profiles ask conformsTo() of each other more than {VALIDATIONS_NESTED_MAX} deep"
            ))),
            depth => {
                count.set(depth + 1);
                Ok(Nesting)
            }
        })
    }
}

impl Drop for Nesting {
    fn drop(&mut self) {
        VALIDATIONS.with(|count| count.set(count.get() - 1));
    }
}

fn validates(evaluation: &Evaluation<'_>, resource: Node<'_>, profile: Canonical<'_>) -> Evaluated<bool> {
    let _nesting = Nesting::enter()?;
    let own;
    let document = match resource.position() == resource.document().root().position() {
        true => resource.document(),
        false => {
            own = Document::parse(resource.raw().as_bytes())
                .map_err(|error| EvaluationError::new(format!("resource cannot be read alone: {error}")))?;
            &own
        }
    };
    let issues = validator(evaluation).validate(document, &[profile]);
    Ok(!issues.iter().any(|issue| matches!(issue.severity, Severity::Error | Severity::Fatal)))
}

/// What the published definition of its type says of each element.
fn element_definition<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut found = Collection::new();
    let definitions = evaluation.context.definitions;
    let Some(resolver) = evaluation.context.resolver else { return Ok(found) };
    let Some(structure) = definitions.structure("ElementDefinition") else { return Ok(found) };
    for element in call.input.iter().filter_map(Item::as_element) {
        let path = element.element.map_or(element.structure.name, |element| element.path);
        let type_name = path.split('.').next().unwrap_or(path);
        evaluation.spend(QUESTION_STEPS)?;
        let definition = resolver.definition(&format!("{STRUCTURE_DEFINITIONS}{type_name}"));
        let elements = definition.and_then(|definition| definition.path(&["snapshot", "element"]));
        for node in elements.into_iter().flat_map(Node::items) {
            evaluation.spend(1)?;
            if node.get("path").is_some_and(|found| found.is_str(path)) {
                let node = ElementNode { value: Some(node), sibling: None, structure, element: None };
                evaluation.push(&mut found, Item::Element(node))?;
                break;
            }
        }
    }
    Ok(found)
}

/// The elements that are in a slice, by the name that a profile gives it. What the profile does not slice so is an error.
fn slice<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut found = Collection::new();
    let (Some(url), Some(name)) = (call.text(evaluation, 0)?, call.text(evaluation, 1)?) else { return Ok(found) };
    let profile = profile(evaluation, Canonical::parse(&url))?;
    let _nesting = Nesting::enter()?;
    evaluation.spend(VALIDATION_STEPS)?;
    let elements: Vec<_> = call.input.iter().filter_map(Item::as_element).collect();
    let in_slice =
        validator(evaluation).in_slice(evaluation.context.resource, &profile, &name, elements.iter().copied());
    for (element, is_in) in elements.into_iter().zip(in_slice) {
        match is_in {
            Some(true) => evaluation.push(&mut found, Item::Element(element))?,
            Some(false) => {}
            None => {
                let element = element.element.map_or(element.structure.name, |element| element.path);
                return Err(EvaluationError::new(format!("profile `{url}` has no slice `{name}` of `{element}`")));
            }
        }
    }
    Ok(found)
}
