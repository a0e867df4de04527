//! The elements of a definition as a tree: children under their parent, slices under the element they slice.

use std::borrow::Cow;
use std::fmt::Write;

use crate::json::{Node, quote};
use crate::{IssueType, Outcome};

/// How many elements one definition may state.
const STATED_MAX: usize = 10_000;

/// How many parts a path may have, and the name of a slice inside slices.
const DEPTH_MAX: usize = 32;

/// The members of an ElementDefinition that the tree itself says.
const SAID_BY_THE_TREE: [&str; 4] = ["id", "path", "sliceName", "_sliceName"];

/// An element with all below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Branch<'a> {
    /// The last part of its path: `component`, `value[x]`; for a root its type.
    pub(super) name: Cow<'a, str>,
    /// `SystolicBP`; `a/b` for the slice b of the slice a.
    pub(super) slice: Option<Cow<'a, str>>,
    /// The members of its ElementDefinition without [`SAID_BY_THE_TREE`]; none where a differential only states something below.
    pub(super) members: Vec<(&'a str, Node<'a>)>,
    pub(super) children: Vec<Branch<'a>>,
    /// Slices of this element, or for a slice the slices inside it.
    pub(super) slices: Vec<Branch<'a>>,
}

/// One step from an element to the next: its name, and its slice if it is one.
type Step<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

impl<'a> Branch<'a> {
    /// The tree of `snapshot.element` or `differential.element`; `None` when it has no element with a path.
    pub(super) fn parse(elements: Node<'a>) -> Result<Option<Branch<'a>>, Outcome> {
        if elements.items().nth(STATED_MAX).is_some() {
            let text = format!("a definition has more than {STATED_MAX} elements");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        let mut root: Option<Branch<'a>> = None;
        let mut before: Vec<Step<'a>> = Vec::new();
        for element in elements.items() {
            let Some(address) = address(element, &before) else { continue };
            let is_deep = |slice: &str| slice.matches('/').count() >= DEPTH_MAX;
            if address.len() > DEPTH_MAX || address.iter().filter_map(|(_, slice)| slice.as_deref()).any(is_deep) {
                let text = format!("an element of a definition stands deeper than {DEPTH_MAX} parts of its path");
                return Err(Outcome::new(IssueType::TooCostly, text));
            }
            let root = root.get_or_insert_with(|| Branch::named(address[0].0.clone()));
            let members = element.members().filter(|(name, _)| !SAID_BY_THE_TREE.contains(name));
            let place = address[1..].iter().fold(&mut *root, |branch, step| branch.place(step));
            place.members.extend(members);
            before = address;
        }
        Ok(root)
    }

    pub(super) fn named(name: Cow<'a, str>) -> Branch<'a> {
        Branch { name, ..Branch::default() }
    }

    /// The child that a step leads to, made where there is none.
    fn place(&mut self, (name, slice): &Step<'a>) -> &mut Branch<'a> {
        let child = match self.children.iter().position(|child| child.name == *name) {
            Some(at) => &mut self.children[at],
            None => {
                self.children.push(Branch::named(name.clone()));
                self.children.last_mut().expect("just pushed")
            }
        };
        match slice {
            Some(slice) => child.place_slice(slice),
            None => child,
        }
    }

    /// The slice of this name, made where there is none; `a/b` stands inside `a`.
    pub(super) fn place_slice(&mut self, slice: &Cow<'a, str>) -> &mut Branch<'a> {
        let inside = |known: &Branch<'_>| {
            let rest = known.slice.as_deref().and_then(|known| slice.strip_prefix(known));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self.slices.iter().position(inside) {
            Some(at) if self.slices[at].slice.as_ref() == Some(slice) => &mut self.slices[at],
            Some(at) => self.slices[at].place_slice(slice),
            None => {
                self.slices.push(Branch { slice: Some(slice.clone()), ..Branch::named(self.name.clone()) });
                self.slices.last_mut().expect("just pushed")
            }
        }
    }

    pub(super) fn get(&self, member: &str) -> Option<Node<'a>> {
        self.members.iter().find(|(name, _)| *name == member).map(|(_, value)| *value)
    }

    pub(super) fn set(&mut self, member: &'a str, value: Node<'a>) {
        match self.members.iter_mut().find(|(name, _)| *name == member) {
            Some((_, old)) => *old = value,
            None => self.members.push((member, value)),
        }
    }

    pub(super) fn remove(&mut self, member: &str) {
        self.members.retain(|(name, _)| *name != member);
    }

    /// The element's types.
    pub(super) fn types(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        self.get("type").into_iter().flat_map(Node::items)
    }

    /// How many elements it has, itself included.
    pub(super) fn size(&self) -> usize {
        1 + self.children.iter().chain(&self.slices).map(Branch::size).sum::<usize>()
    }

    /// The element of a path below this one (`item.answer`), slices left aside.
    pub(super) fn find(&self, path: &str) -> Option<&Branch<'a>> {
        path.split('.').try_fold(self, |branch, name| branch.children.iter().find(|child| child.name == name))
    }

    /// Writes `snapshot.element`.
    pub(super) fn write(&self, out: &mut String) {
        out.push('[');
        self.write_elements(out, &self.name, &self.name);
        out.push(']');
    }

    fn write_elements(&self, out: &mut String, id: &str, path: &str) {
        if !out.ends_with('[') {
            out.push(',');
        }
        self.write_element(out, id, path);
        for child in &self.children {
            child.write_elements(out, &format!("{id}.{}", child.name), &format!("{path}.{}", child.name));
        }
        // The id of a slice inside a slice names the whole: `component:a/b`.
        let unsliced = id.strip_suffix(self.slice.as_deref().unwrap_or_default()).unwrap_or(id).trim_end_matches(':');
        for slice in &self.slices {
            slice.write_elements(out, &format!("{unsliced}:{}", slice.slice.as_deref().unwrap_or_default()), path);
        }
    }

    fn write_element(&self, out: &mut String, id: &str, path: &str) {
        let is_early =
            |name: &str| matches!(name, "extension" | "modifierExtension" | "representation" | "_representation");
        let member = |out: &mut String, name: &str, value: &str| {
            // Writing to a text does not fail.
            let _ = write!(out, r#","{name}":{value}"#);
        };
        let _ = write!(out, r#"{{"id":{}"#, quote(id));
        for (name, value) in self.members.iter().filter(|(name, _)| name.ends_with("xtension")) {
            member(out, name, value.raw());
        }
        member(out, "path", &quote(path));
        for (name, value) in self.members.iter().filter(|(name, _)| name.ends_with("representation")) {
            member(out, name, value.raw());
        }
        if let Some(slice) = &self.slice {
            member(out, "sliceName", &quote(slice));
        }
        for (name, value) in self.members.iter().filter(|(name, _)| !is_early(name)) {
            member(out, name, value.raw());
        }
        out.push('}');
    }
}

/// The steps to an element. An id says them all where it agrees with the path; without one, the slices of the element before are taken to go on.
fn address<'a>(element: Node<'a>, before: &[Step<'a>]) -> Option<Vec<Step<'a>>> {
    let path = element.get("path")?.as_str()?;
    let slice = element.get("sliceName").and_then(Node::as_str);
    let id = element.get("id").and_then(Node::as_str);
    if let Some(steps) = id.and_then(|id| steps(&id, &path)) {
        let last = steps.last().and_then(|(_, slice)| slice.as_deref());
        if slice.is_none() || last == slice.as_deref() {
            return Some(steps);
        }
    }
    let mut steps: Vec<Step<'a>> = Vec::new();
    let mut goes_on = true;
    for (at, name) in parts(&path, '.').into_iter().enumerate() {
        let known = before.get(at).filter(|(known, _)| goes_on && *known == name);
        goes_on = known.is_some();
        steps.push((name, known.and_then(|(_, slice)| slice.clone())));
    }
    steps.last_mut()?.1 = slice;
    Some(steps)
}

/// The steps that an id says: `Observation.component:SystolicBP.code`. `None` when it does not say the same as the path.
fn steps<'a>(id: &Cow<'a, str>, path: &str) -> Option<Vec<Step<'a>>> {
    let mut names = path.split('.');
    let mut steps = Vec::new();
    for step in parts(id, '.') {
        let mut parts = parts(&step, ':').into_iter();
        let (name, slice) = (parts.next()?, parts.next());
        if names.next() != Some(&*name) || parts.next().is_some() {
            return None;
        }
        steps.push((name, slice));
    }
    names.next().is_none().then_some(steps)
}

/// Splits a text without copying it.
fn parts<'a>(text: &Cow<'a, str>, separator: char) -> Vec<Cow<'a, str>> {
    match text {
        Cow::Borrowed(text) => text.split(separator).map(Cow::Borrowed).collect(),
        Cow::Owned(text) => text.split(separator).map(|part| Cow::Owned(part.to_owned())).collect(),
    }
}
