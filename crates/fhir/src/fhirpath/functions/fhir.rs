//! What FHIR adds, <https://hl7.org/fhir/R4/fhirpath.html#functions>.

use std::borrow::Cow;

use super::{Call, Function, boolean, function, optional};
use crate::Reference;
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::{Collection, ElementNode, EvaluationError, Item};
use crate::json::Node;
use crate::narrative;

pub(super) const FUNCTIONS: &[Function] = &[
    function("extension", 1..=1, extension),
    function("hasExtension", 1..=1, |evaluation, call| Ok(boolean(!extension(evaluation, call)?.is_empty()))),
    function("hasValue", 0..=0, |_, call| Ok(boolean(value(&call).is_some()))),
    function("getValue", 0..=0, |evaluation, call| {
        Ok(optional(value(&call).and_then(|element| element.system(evaluation.context.definitions))))
    }),
    function("resolve", 0..=0, resolve),
    function("htmlChecks", 0..=0, |_, call| {
        let is_good = |item: &Item<'_>| {
            item.as_element().and_then(|div| div.text()).is_none_or(|text| narrative::fault(&text).is_none())
        };
        Ok(boolean(call.input.iter().all(is_good)))
    }),
    function("checkModifiers", 1..=usize::MAX, check_modifiers),
];

/// The only item, when it is a primitive with a value.
fn value<'a>(call: &Call<'a, '_>) -> Option<ElementNode<'a>> {
    match call.input.as_slice() {
        [Item::Element(element)] if element.is_primitive() && element.value.is_some() => Some(*element),
        _ => None,
    }
}

fn extension<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut found = Collection::new();
    let Some(url) = call.text(evaluation, 0)? else { return Ok(found) };
    for element in call.input.iter().filter_map(Item::as_element) {
        element.visit_member(evaluation.context.definitions, "extension", &mut |extension| {
            let is_match = extension.value.and_then(|value| value.get("url")).is_some_and(|found| found.is_str(&url));
            if is_match { evaluation.push(&mut found, Item::Element(extension)) } else { Ok(()) }
        })?;
    }
    Ok(found)
}

/// The input, when it has no modifier extensions but the named ones (also several in one text, with commas).
fn check_modifiers<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut known = Vec::new();
    for position in 0..call.arguments.len() {
        known.extend(call.text(evaluation, position)?);
    }
    let is_known = |url: &str| known.iter().flat_map(|urls| urls.split(',')).any(|known| known.trim() == url);
    for element in call.input.iter().filter_map(Item::as_element) {
        element.visit_member(evaluation.context.definitions, "modifierExtension", &mut |extension| {
            evaluation.spend(known.len() + 1)?;
            match extension.value.and_then(|value| value.get("url")?.as_str()) {
                Some(url) if is_known(&url) => Ok(()),
                url => {
                    let url = url.unwrap_or_default();
                    Err(EvaluationError::new(format!(
                        "modifier extension `{url}` is none of those that are understood"
                    )))
                }
            }
        })?;
    }
    Ok(call.input)
}

fn resolve<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut targets = Collection::new();
    for item in &call.input {
        if let Some(target) = resolve_one(evaluation, item)? {
            evaluation.push(&mut targets, Item::Element(target))?;
        }
    }
    Ok(targets)
}

/// The target of a Reference, or of a string that holds a URL: contained, in the Bundle around it, where the resolver finds it, or
/// at least its type.
fn resolve_one<'a>(evaluation: &Evaluation<'a>, item: &Item<'a>) -> Evaluated<Option<ElementNode<'a>>> {
    let (reference, text) = match item {
        Item::Element(element) if element.is_primitive() => (None, element.text()),
        Item::Element(element) => (element.value, element.value.and_then(|value| value.get("reference")?.as_str())),
        Item::String(text) => (None, Some(text.clone())),
        _ => return Ok(None),
    };
    if let Some(text) = &text {
        let node = match text.strip_prefix('#') {
            Some(id) => contained(evaluation, id)?,
            None => match in_bundle(evaluation, text)? {
                None => evaluation.context.resolver.and_then(|resolver| resolver.resolve(text)),
                found => found,
            },
        };
        if let Some(target) = node.and_then(|node| ElementNode::resource(evaluation.context.definitions, node)) {
            return Ok(Some(target));
        }
    }
    let named = reference.and_then(|reference| reference.get("type")?.as_str());
    let structure = named.or(text.as_deref().and_then(type_in).map(|name| Cow::Owned(name.to_owned())));
    let structure = structure.and_then(|name| evaluation.context.definitions.structure(&name));
    if structure.is_none() {
        evaluation.miss_target()?;
    }
    Ok(structure.map(|structure| ElementNode { value: None, sibling: None, structure, element: None }))
}

/// The resource type that a reference's text names.
fn type_in(text: &str) -> Option<&str> {
    match Reference::parse(text)? {
        Reference::Relative { resource_type, .. }
        | Reference::Absolute { resource_type, .. }
        | Reference::Conditional { resource_type, .. } => Some(resource_type),
        Reference::Contained(_) | Reference::Urn(_) | Reference::Other(_) => None,
    }
}

/// The contained resource of an id; the container itself for none.
fn contained<'a>(evaluation: &Evaluation<'a>, id: &str) -> Evaluated<Option<Node<'a>>> {
    let Some(root) = evaluation.context.root_resource.value else { return Ok(None) };
    if id.is_empty() {
        return Ok(Some(root));
    }
    let Some(contained) = root.get("contained") else { return Ok(None) };
    for resource in contained.items() {
        evaluation.spend(1)?;
        if resource.get("id").is_some_and(|found| found.is_str(id)) {
            return Ok(Some(resource));
        }
    }
    Ok(None)
}

/// The entry of the Bundle around the input whose fullUrl is the reference, or for a relative one ends with it,
/// <https://hl7.org/fhir/R4/bundle.html#references>.
fn in_bundle<'a>(evaluation: &Evaluation<'a>, reference: &str) -> Evaluated<Option<Node<'a>>> {
    let outermost = evaluation.context.root_resource.value.map(|node| node.document().root());
    let Some(bundle) = outermost.filter(|node| node.resource_type() == Some("Bundle")) else { return Ok(None) };
    let is_relative = matches!(Reference::parse(reference), Some(Reference::Relative { .. }));
    let is_match = |url: &str| {
        let before = url.strip_suffix(reference);
        before.is_some_and(|before| before.is_empty() || (is_relative && before.ends_with('/')))
    };
    for entry in bundle.get("entry").iter().flat_map(|entries| entries.items()) {
        evaluation.spend(1)?;
        if entry.get("fullUrl").and_then(Node::as_str).is_some_and(|url| is_match(&url)) {
            return Ok(entry.get("resource"));
        }
    }
    Ok(None)
}
