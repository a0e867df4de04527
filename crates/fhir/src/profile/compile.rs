//! From the elements of a snapshot to [`Rules`]: only what R4's own definitions do not demand already.

use std::collections::HashMap;
use std::sync::Arc;

use super::outline::Outline;
use super::rules::{Binding, Child, Occurrence, Openness, Rules, Slice, Slicing, Strength, Target};
use super::{CORE, constraint};
use crate::definitions::{Element, Structure};
use crate::json::{Document, Node};
use crate::library::Library;
use crate::terminology::Canonical;
use crate::{Definitions, Outcome};

/// The rules of the root, and those that content references lead to.
pub(super) fn compile(
    library: &dyn Library,
    definitions: &'static Definitions,
    structure: &'static Structure,
    elements: Node<'_>,
) -> Result<(Arc<Rules>, Vec<Arc<Rules>>), Outcome> {
    let outline = Outline::of(definitions, structure, elements)?;
    let made = (0..outline.elements.len()).map(|_| None).collect();
    let bases = HashMap::new();
    let places = places(&outline);
    let mut compiler =
        Compiler { library, definitions, outline, made, contents: Vec::new(), places, bases, followed: 0 };
    let root = compiler.rules(0)?;
    let mut contents = Vec::new();
    // What is met on the way may refer to more.
    while let Some(&at) = compiler.contents.get(contents.len()) {
        contents.push(compiler.rules(at)?);
    }
    Ok((root, contents))
}

pub(super) struct Compiler<'l, 'd> {
    library: &'l dyn Library,
    pub(super) definitions: &'static Definitions,
    pub(super) outline: Outline<'d>,
    /// The rules made so far, by the place of the element.
    made: Vec<Option<Arc<Rules>>>,
    /// The elements that content references lead to.
    contents: Vec<usize>,
    /// The elements by their ids and paths, for content references.
    places: HashMap<String, usize>,
    /// R4's own StructureDefinitions, by type.
    bases: HashMap<String, Option<Arc<Document>>>,
    /// How many elements discriminators were followed to.
    pub(super) followed: usize,
}

impl<'d> Compiler<'_, 'd> {
    /// The rules for the values of an element. Recurses no deeper than the outline.
    pub(super) fn rules(&mut self, at: usize) -> Result<Arc<Rules>, Outcome> {
        if let Some(made) = &self.made[at] {
            return Ok(made.clone());
        }
        let mut rules = match self.outline.elements[at].definition {
            Some(definition) => self.own(at, definition)?,
            None => Rules::default(),
        };
        for child in self.children(at) {
            let element = self.outline.elements[child].element.expect("only the root has none");
            let made = Child { element, occurrence: self.occurrence(child), rules: self.rules(child)? };
            if !made.occurrence.is_free() || !made.rules.is_empty() {
                rules.children.push(made);
            }
        }
        rules.slicing = self.slicing(at)?;
        let rules = Arc::new(rules);
        self.made[at] = Some(rules.clone());
        Ok(rules)
    }

    /// An element's children; a slice has also those of what it is a slice of, where it does not restate them.
    fn children(&self, at: usize) -> Vec<usize> {
        let mut children = self.outline.elements[at].children.clone();
        let mut sliced = self.outline.elements[at].sliced;
        while let Some(outer) = sliced {
            for &child in &self.outline.elements[outer].children {
                let element = self.outline.elements[child].element.map(|element| element.name);
                if element.is_some_and(|name| self.outline.child(at, name) == Some(child)) {
                    children.push(child);
                }
            }
            sliced = self.outline.elements[outer].sliced;
        }
        children
    }

    fn own(&mut self, at: usize, definition: Node<'d>) -> Result<Rules, Outcome> {
        let (element, structure) = (self.outline.elements[at].element, self.outline.elements[at].structure);
        let mut rules = Rules {
            constraints: constraint::constraints(self.definitions, element, structure, definition),
            limits: constraint::limits(definition),
            length_max: definition.get("maxLength").and_then(|length| length.raw().parse().ok()),
            ..Rules::default()
        };
        for (name, value) in definition.members() {
            let place = match name {
                _ if name.starts_with("fixed") => &mut rules.fixed,
                _ if name.starts_with("pattern") => &mut rules.pattern,
                _ => continue,
            };
            *place = Some(Arc::new(copy(value)));
        }
        let Some(element) = element else { return Ok(rules) };
        rules.types = self.types(element, definition);
        rules.profiles = self.profiles(element, definition);
        rules.targets = self.targets(element, definition);
        rules.bindings = self.bindings(element, definition)?;
        if let Some(content) = definition.get("contentReference").and_then(Node::as_str) {
            rules.content = self.content(&content);
        }
        Ok(rules)
    }

    /// How often an element stands, or a slice of it.
    fn occurrence(&self, at: usize) -> Occurrence {
        let outlined = &self.outline.elements[at];
        let Some((definition, element)) = outlined.definition.zip(outlined.element) else {
            return Occurrence::default();
        };
        let min: u32 = definition.get("min").and_then(|min| min.raw().parse().ok()).unwrap_or_default();
        let max: Option<u32> = definition.get("max").and_then(Node::as_str).and_then(|max| max.parse().ok());
        match outlined.slice_name {
            Some(_) => Occurrence { min, max: max.filter(|max| element.max != Some(*max)) },
            None => Occurrence {
                min: if min > element.min { min } else { 0 },
                max: max.filter(|max| element.max.is_none_or(|base| *max < base)),
            },
        }
    }

    fn types(&self, element: &'static Element, definition: Node<'d>) -> Option<Vec<Box<str>>> {
        let types: Vec<Box<str>> = codes(definition).collect();
        let includes = |base: &str| types.iter().any(|code| self.definitions.is_a(base, code));
        let is_narrower = !types.is_empty()
            && element.types.iter().any(|base| !includes(base.code))
            && types.iter().all(|code| self.definitions.structure(code).is_some());
        is_narrower.then_some(types)
    }

    fn profiles(&self, element: &'static Element, definition: Node<'d>) -> Vec<(Box<str>, Vec<Box<str>>)> {
        // R4 states the rule of a SimpleQuantity on each element that is one.
        let is_simple = element.invariants.iter().any(|invariant| invariant.key == "sqty-1");
        let adds = |profile: &str| match profile.strip_prefix(CORE) {
            Some("SimpleQuantity") => !is_simple,
            Some(name) => self.definitions.structure(name).is_none(),
            None => true,
        };
        let mut profiles = Vec::new();
        for found in definition.get("type").into_iter().flat_map(Node::items) {
            let named: Vec<Box<str>> = texts(found, "profile").collect();
            if let Some(code) = found.get("code").and_then(Node::as_str)
                && !named.is_empty()
                && named.iter().all(|profile| adds(profile))
            {
                profiles.push((code.into(), named));
            }
        }
        profiles
    }

    /// The targets of a reference, unless they are those of the type's own definition.
    fn targets(&self, element: &'static Element, definition: Node<'d>) -> Vec<Target> {
        let references = definition.get("type").into_iter().flat_map(Node::items);
        let references = references.filter(|found| found.get("code").is_some_and(|code| code.is_str("Reference")));
        let named: Vec<Box<str>> = references.flat_map(|found| texts(found, "targetProfile")).collect();
        let target = |named: Box<str>| {
            let core = named.strip_prefix(CORE).and_then(|name| self.definitions.structure(name));
            core.map_or_else(|| Target::Profile(named.clone()), |structure| Target::Type(structure.name))
        };
        let targets: Vec<Target> = named.into_iter().map(target).collect();
        let includes = |base: &str| {
            targets.iter().any(|target| matches!(target, Target::Type(name) if self.definitions.is_a(base, name)))
        };
        let base = element.types.iter().find(|base| base.code == "Reference");
        let adds_nothing = base.is_none_or(|base| match &base.targets[..] {
            [] => includes("Resource"),
            names => names.iter().all(|name| includes(name)),
        });
        if adds_nothing { Vec::new() } else { targets }
    }

    fn bindings(&mut self, element: &'static Element, definition: Node<'d>) -> Result<Vec<Binding>, Outcome> {
        let Some(binding) = definition.get("binding") else { return Ok(Vec::new()) };
        let own = |value_set: &str| element.binding.is_some_and(|own| own.url == Canonical::parse(value_set).url);
        let mut bindings: Vec<Binding> = Vec::new();
        if let Some((value_set, strength)) = bound(binding)
            && !own(&value_set)
        {
            let is_inherited = self.is_inherited(definition, &value_set, strength)?;
            bindings.push(Binding { value_set, strength, is_inherited });
        }
        const MAX: &str = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet";
        for extension in binding.get("extension").into_iter().flat_map(Node::items) {
            let value_set = extension.get("valueCanonical").and_then(Node::as_str);
            if let Some(value_set) = value_set.filter(|_| extension.get("url").is_some_and(|url| url.is_str(MAX)))
                && !own(&value_set)
            {
                let (value_set, strength) = (value_set.into(), Strength::Required);
                bindings.push(Binding { value_set, strength, is_inherited: false });
            }
        }
        Ok(bindings)
    }

    /// True when the definition of R4 that the element comes from has the same binding.
    fn is_inherited(&mut self, definition: Node<'d>, value_set: &str, strength: Strength) -> Result<bool, Outcome> {
        let Some(path) = definition.path(&["base", "path"]).and_then(Node::as_str) else { return Ok(false) };
        let name = path.split('.').next().unwrap_or_default();
        if !self.bases.contains_key(name) {
            let found = match self.definitions.structure(name) {
                Some(_) => self.library.structure_definition(Canonical::parse(&format!("{CORE}{name}")))?,
                None => None,
            };
            self.bases.insert(name.to_owned(), found);
        }
        let Some(Some(base)) = self.bases.get(name) else { return Ok(false) };
        // The differential of a type lists all that is its own.
        let listed = |name| base.root().path(&[name, "element"]);
        let mut elements = listed("snapshot").or_else(|| listed("differential")).into_iter().flat_map(Node::items);
        let element = elements.find(|element| element.get("path").is_some_and(|found| found.is_str(&path)));
        let own = element.and_then(|element| bound(element.get("binding")?));
        Ok(own.is_some_and(|(own, same)| {
            Canonical::parse(&own).url == Canonical::parse(value_set).url && same == strength
        }))
    }

    /// The place in `contents` of the element with this id.
    fn content(&mut self, reference: &str) -> Option<usize> {
        let id = reference.rsplit_once('#').map_or(reference, |(_, id)| id);
        let at = *self.places.get(id)?;
        // One step and no more: a reference to a reference could go in circles, by way of slices too.
        if self.is_reference(at) {
            return None;
        }
        Some(self.contents.iter().position(|known| *known == at).unwrap_or_else(|| {
            self.contents.push(at);
            self.contents.len() - 1
        }))
    }

    /// Whether an element, or one of its slices, refers to the content of another.
    fn is_reference(&self, at: usize) -> bool {
        let outlined = &self.outline.elements[at];
        outlined.definition.is_some_and(|definition| definition.get("contentReference").is_some())
            || outlined.slices.iter().any(|slice| self.is_reference(*slice))
    }

    fn slicing(&mut self, at: usize) -> Result<Option<Slicing>, Outcome> {
        let outlined = &self.outline.elements[at];
        let slicing = outlined.definition.and_then(|definition| definition.get("slicing"));
        let mut openness = match slicing.and_then(|slicing| slicing.get("rules")) {
            Some(rules) if rules.is_str("closed") => Openness::Closed,
            Some(rules) if rules.is_str("openAtEnd") => Openness::OpenAtEnd,
            _ => Openness::Open,
        };
        let is_ordered = slicing.and_then(|slicing| slicing.get("ordered")?.as_bool()) == Some(true);
        let (mut slices, mut default) = (Vec::new(), None);
        for slice in outlined.slices.clone() {
            let name = self.outline.elements[slice].slice_name.as_deref().unwrap_or_default().to_owned();
            let rules = self.rules(slice)?;
            if name == "@default" {
                default = Some(rules);
                continue;
            }
            match self.tests(at, slice)? {
                Some(tests) => {
                    slices.push(Slice { name: name.into(), occurrence: self.occurrence(slice), tests, rules });
                }
                // Which values are in the slice cannot be told, so nothing can be said of those in none.
                None => openness = Openness::Open,
            }
        }
        // An element that a type alone slices may be closed: the types say the same.
        let is_needed = !slices.is_empty() || default.is_some();
        Ok(is_needed.then_some(Slicing { is_ordered, openness, slices, default }))
    }
}

/// The elements by their ids and paths, if some refer to others; of several with one path, the first.
fn places(outline: &Outline<'_>) -> HashMap<String, usize> {
    let mut places = HashMap::new();
    let definitions = || outline.elements.iter().map(|outlined| outlined.definition).enumerate();
    if !definitions().any(|(_, definition)| definition.is_some_and(|it| it.get("contentReference").is_some())) {
        return places;
    }
    for (at, definition) in definitions() {
        for name in ["id", "path"].iter().filter_map(|name| definition?.get(name)?.as_str()) {
            places.entry(name.into_owned()).or_insert(at);
        }
    }
    places
}

/// The value set and strength of a binding that is more than an example.
fn bound(binding: Node<'_>) -> Option<(Box<str>, Strength)> {
    let strength = match binding.get("strength")?.as_str()?.as_ref() {
        "required" => Strength::Required,
        "extensible" => Strength::Extensible,
        "preferred" => Strength::Preferred,
        _ => return None,
    };
    Some((binding.get("valueSet")?.as_str()?.into(), strength))
}

/// The codes of an element's types.
pub(super) fn codes(definition: Node<'_>) -> impl Iterator<Item = Box<str>> {
    let types = definition.get("type").into_iter().flat_map(Node::items);
    types.filter_map(|found| Some(found.get("code")?.as_str()?.into()))
}

/// The strings of a list.
pub(super) fn texts<'d>(node: Node<'d>, name: &str) -> impl Iterator<Item = Box<str>> + use<'d> {
    node.get(name).into_iter().flat_map(Node::items).filter_map(|text| Some(text.as_str()?.into()))
}

/// A value as a document of its own.
pub(super) fn copy(value: Node<'_>) -> Document {
    Document::parse(value.raw().as_bytes()).expect("a part of a valid text is one")
}
