//! What tells a slice's values from others, <https://hl7.org/fhir/R4/profiling.html#discriminator>: the discriminators' paths, followed
//! through the slice's own definition to what must stand at their ends.

use std::sync::Arc;

use super::compile::{Compiler, codes, copy, texts};
use super::rules::{Demand, Step, Test};
use super::{CORE, Strength};
use crate::json::{Document, Node};
use crate::{IssueType, Outcome};

/// How many elements the discriminators of one profile are followed to: slices inside slices multiply.
const FOLLOWED_MAX: usize = 100_000;

/// The most steps of a discriminator's path.
const STEPS_MAX: usize = 32;

/// The kinds of discriminators; R4's `pattern` is `value` by another name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Value,
    Exists,
    Type,
    Profile,
}

impl Compiler<'_, '_> {
    /// The tests for a slice of `sliced`. `None` when nothing tells which values are in it.
    pub(super) fn tests(&mut self, sliced: usize, slice: usize) -> Result<Option<Vec<Test>>, Outcome> {
        let mut tests = Vec::new();
        for (by, path) in self.discriminators(sliced) {
            // Without one of the discriminators, the others would take in too much.
            let Some(steps) = steps(&path) else { return Ok(None) };
            match self.url(slice, &steps) {
                Some(url) => tests.push(url),
                None => self.follow(slice, &steps, 0, by, &mut tests)?,
            }
        }
        if tests.is_empty() {
            let rules = self.rules(slice)?;
            if rules.is_empty() {
                return Ok(None);
            }
            tests.push(Test { path: Vec::new(), demand: Demand::Rules(rules) });
        }
        Ok(Some(tests))
    }

    /// The discriminators that divide an element: its own, those of what it is a slice of, or what its kind says.
    fn discriminators(&self, sliced: usize) -> Vec<(By, String)> {
        let outlined = &self.outline.elements[sliced];
        let slicing = outlined.definition.and_then(|definition| definition.get("slicing"));
        let stated = slicing.and_then(|slicing| slicing.get("discriminator"));
        let stated: Vec<_> = stated.into_iter().flat_map(Node::items).filter_map(discriminator).collect();
        match (stated.is_empty(), outlined.sliced, outlined.element) {
            (false, ..) => stated,
            (true, Some(outer), _) if slicing.is_none() => self.discriminators(outer),
            (true, _, Some(element)) if matches!(element.name, "extension" | "modifierExtension") => {
                vec![(By::Value, "url".to_owned())]
            }
            (true, _, Some(element)) if element.is_choice => vec![(By::Type, "$this".to_owned())],
            _ => Vec::new(),
        }
    }

    /// An extension is told by its url, which is that of its profile.
    fn url(&self, slice: usize, steps: &[Step]) -> Option<Test> {
        let outlined = &self.outline.elements[slice];
        let is_url = matches!(steps, [Step::Member(name)] if **name == *"url");
        if !is_url || outlined.structure.name != "Extension" || self.outline.child(slice, "url").is_some() {
            return None;
        }
        let found = outlined.definition?.get("type")?.items().next()?;
        let profile = texts(found, "profile").next()?;
        let url = profile.split('|').next().unwrap_or_default();
        let demand = Demand::Fixed(Arc::new(Document::parse(crate::json::quote(url).as_bytes()).ok()?));
        Some(Test { path: steps.to_vec(), demand })
    }

    /// Adds what the definition of `at` and below demands at the end of a path, `done` steps of which lead to `at`.
    fn follow(&mut self, at: usize, path: &[Step], done: usize, by: By, tests: &mut Vec<Test>) -> Result<(), Outcome> {
        self.followed += 1;
        if self.followed > FOLLOWED_MAX {
            let message = format!("the discriminators of the slices lead to more than {FOLLOWED_MAX} elements");
            return Err(Outcome::new(IssueType::TooCostly, message));
        }
        let Some(step) = path.get(done) else { return self.arrive(at, path, by, tests) };
        let before = tests.len();
        match step {
            Step::Member(name) => {
                if let Some(child) = self.outline.child(at, name) {
                    self.follow(child, path, done + 1, by, tests)?;
                }
                for slice in self.mandatory_slices(at) {
                    self.follow(slice, path, done, by, tests)?;
                }
                if tests.len() == before {
                    self.take_from_value(at, path, done, tests);
                }
            }
            Step::Extension(url) => {
                if let Some(slice) = self.extension(at, url) {
                    self.follow(slice, path, done + 1, by, tests)?;
                }
            }
            Step::OfType(_) => self.follow(at, path, done + 1, by, tests)?,
            Step::Resolve => {
                if let Some(demand) = self.resolved(at, by) {
                    tests.push(Test { path: path[..=done].to_vec(), demand });
                }
                return Ok(());
            }
        }
        // What is not said here may be said by the profile of the element.
        if tests.len() == before
            && let Some(profiles) = self.type_profiles(at)
        {
            tests.push(Test { path: path[..done].to_vec(), demand: Demand::Profiles(profiles) });
        }
        Ok(())
    }

    /// Adds what an element at the end of a path demands.
    fn arrive(&mut self, at: usize, path: &[Step], by: By, tests: &mut Vec<Test>) -> Result<(), Outcome> {
        let outlined = &self.outline.elements[at];
        let Some(definition) = outlined.definition else { return Ok(()) };
        let demand = match by {
            By::Exists if definition.get("max").is_some_and(|max| max.is_str("0")) => Some(Demand::Exists(false)),
            By::Exists => Some(Demand::Exists(true)).filter(|_| min(definition) > 0),
            By::Type => Some(codes(definition).collect::<Vec<_>>()).filter(|it| !it.is_empty()).map(Demand::Types),
            By::Profile => self.type_profiles(at).map(Demand::Profiles),
            By::Value => {
                let rules = self.rules(at)?;
                let slices = self.mandatory_slices(at);
                let required = rules.bindings.iter().find(|binding| binding.strength == Strength::Required);
                match (&rules.fixed, &rules.pattern, required) {
                    (Some(fixed), ..) => Some(Demand::Fixed(fixed.clone())),
                    (_, Some(pattern), _) => Some(Demand::Pattern(pattern.clone())),
                    (.., Some(binding)) => Some(Demand::Member(binding.value_set.clone())),
                    _ if !rules.children.is_empty() => Some(Demand::Rules(rules)),
                    _ if !slices.is_empty() => {
                        for slice in slices {
                            self.arrive(slice, path, by, tests)?;
                        }
                        None
                    }
                    _ => self.type_profiles(at).map(Demand::Profiles),
                }
            }
        };
        tests.extend(demand.map(|demand| Test { path: path.to_vec(), demand }));
        Ok(())
    }

    /// Takes what stands at the rest of the path in the fixed value or pattern of `at`.
    fn take_from_value(&self, at: usize, path: &[Step], done: usize, tests: &mut Vec<Test>) {
        let Some(definition) = self.outline.elements[at].definition else { return };
        let is_value = |name: &str| name.starts_with("pattern") || name.starts_with("fixed");
        let Some((_, value)) = definition.members().find(|(name, _)| is_value(name)) else { return };
        let mut found = vec![value];
        for step in &path[done..] {
            let Step::Member(name) = step else { return };
            found = found.into_iter().filter_map(|node| node.get(name)).flat_map(Node::each).collect();
        }
        let demand = |node| Demand::Pattern(Arc::new(copy(node)));
        tests.extend(found.into_iter().map(|node| Test { path: path.to_vec(), demand: demand(node) }));
    }

    /// What the target of a reference must be.
    fn resolved(&self, at: usize, by: By) -> Option<Demand> {
        let mut types = self.outline.elements[at].definition?.get("type")?.items();
        let reference = types.find(|found| found.get("code").is_some_and(|code| code.is_str("Reference")))?;
        let targets: Vec<Box<str>> = texts(reference, "targetProfile").collect();
        let core = |target: &str| self.definitions.structure(target.strip_prefix(CORE)?).map(|it| Box::from(it.name));
        let types: Option<Vec<Box<str>>> = targets.iter().map(|target| core(target)).collect();
        match (targets.is_empty(), by, types) {
            (true, ..) => None,
            (_, By::Exists, _) => Some(Demand::Exists(true)),
            (.., Some(types)) => Some(Demand::Types(types)),
            (.., None) => Some(Demand::Profiles(targets)),
        }
    }

    fn mandatory_slices(&self, at: usize) -> Vec<usize> {
        let is_mandatory = |slice: &usize| self.outline.elements[*slice].definition.is_some_and(|it| min(it) > 0);
        self.outline.elements[at].slices.iter().copied().filter(is_mandatory).collect()
    }

    /// The slice for the extension of this url.
    fn extension(&self, at: usize, url: &str) -> Option<usize> {
        let extensions = self.outline.child(at, "extension")?;
        let is_named = |slice: &&usize| {
            let types = self.outline.elements[**slice].definition.and_then(|definition| definition.get("type"));
            let by_profile = types.into_iter().flat_map(Node::items).flat_map(|found| texts(found, "profile"));
            let own = self.outline.child(**slice, "url").and_then(|child| self.outline.elements[child].definition);
            by_profile.into_iter().any(|profile| profile.split('|').next() == Some(url))
                || own.and_then(|own| own.get("fixedUri")).is_some_and(|own| own.is_str(url))
        };
        self.outline.elements[extensions].slices.iter().find(is_named).copied()
    }

    fn type_profiles(&self, at: usize) -> Option<Vec<Box<str>>> {
        let types = self.outline.elements[at].definition?.get("type")?.items();
        Some(types.flat_map(|found| texts(found, "profile")).collect::<Vec<_>>()).filter(|found| !found.is_empty())
    }
}

fn min(definition: Node<'_>) -> u32 {
    definition.get("min").and_then(|min| min.raw().parse().ok()).unwrap_or_default()
}

fn discriminator(node: Node<'_>) -> Option<(By, String)> {
    let by = match node.get("type")?.as_str()?.as_ref() {
        "value" | "pattern" => By::Value,
        "exists" => By::Exists,
        "type" => By::Type,
        "profile" => By::Profile,
        _ => return None,
    };
    Some((by, node.get("path")?.as_str()?.into_owned()))
}

/// Takes a discriminator's path apart; `None` for what is no such path, and for one of more than [`STEPS_MAX`] steps.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        // The dots of an extension's url stand inside its parentheses.
        let name_end = rest.find(['.', '(']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let (argument, after) = match after.strip_prefix('(') {
            Some(inside) => inside.split_once(')').map(|(argument, after)| (Some(argument), after))?,
            None => (None, after),
        };
        let plain = |text: &str| text.trim_matches(|it: char| it == '\'' || it == '"').into();
        match (name, argument) {
            ("$this", None) => {}
            ("resolve", Some("")) => steps.push(Step::Resolve),
            ("extension", Some(url)) => steps.push(Step::Extension(plain(url))),
            ("ofType", Some(name)) => steps.push(Step::OfType(plain(name))),
            (name, None) if !name.is_empty() => {
                steps.push(Step::Member(name.strip_suffix("[x]").unwrap_or(name).into()));
            }
            _ => return None,
        }
        if steps.len() > STEPS_MAX {
            return None;
        }
        rest = match after.strip_prefix('.') {
            Some(next) if !next.is_empty() => next,
            None if after.is_empty() => after,
            _ => return None,
        };
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_paths_apart() {
        let member = |name: &str| Step::Member(name.into());
        for (path, expected) in [
            ("$this", Some(vec![])),
            ("url", Some(vec![member("url")])),
            ("value[x]", Some(vec![member("value")])),
            ("$this.coding.code", Some(vec![member("coding"), member("code")])),
            ("entry.resolve().code", Some(vec![member("entry"), Step::Resolve, member("code")])),
            (
                "extension('http://x.example/a.b').value",
                Some(vec![Step::Extension("http://x.example/a.b".into()), member("value")]),
            ),
            ("value.ofType(Coding).code", Some(vec![member("value"), Step::OfType("Coding".into()), member("code")])),
            ("extension('x", None),
            ("where(a=b).c", None),
            ("a..b", None),
            ("a.", None),
        ] {
            assert_eq!(steps(path), expected, "{path}");
        }
    }
}
