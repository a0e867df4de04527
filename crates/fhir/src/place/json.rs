//! In JSON: the value is found in the parsed document, whose text has no white space; then both texts are gone through side by side.

use super::Step;
use crate::json::{Document, Kind, Node};

/// The text that offsets count in, and the offset of each target.
pub(super) fn offsets<'a>(sent: &'a [u8], targets: &[Vec<Step<'_>>]) -> (&'a [u8], Vec<Option<usize>>) {
    let sent = sent.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sent);
    let Ok(document) = Document::parse(sent) else { return (sent, vec![None; targets.len()]) };
    let found: Vec<_> = targets.iter().map(|steps| find(document.root(), steps)).collect();
    let mut wanted: Vec<usize> = found.iter().flatten().copied().collect();
    wanted.sort_unstable();
    let originals = originals(sent, document.text().as_bytes(), &wanted);
    let original = |at: usize| originals.get(wanted.binary_search(&at).ok()?).copied();
    (sent, found.into_iter().map(|at| original(at?)).collect())
}

/// A value, and what stands beside it: a primitive's id and extensions, in a member of the same name with an underscore.
#[derive(Clone, Copy, Default)]
struct Found<'a> {
    value: Option<Node<'a>>,
    beside: Option<Node<'a>>,
}

/// Where the value stands, or the innermost around it that is there.
fn find(root: Node<'_>, steps: &[Step<'_>]) -> Option<usize> {
    let (first, steps) = steps.split_first()?;
    root.resource_type().filter(|found| *found == first.name)?;
    let mut at = Found { value: Some(root), beside: None };
    let mut nearest = root;
    for step in steps {
        let whole = [at.value, at.beside].into_iter().flatten().map(|node| members(node, step)).find_map(Found::there);
        let Some(whole) = whole else { break };
        nearest = whole.any().unwrap_or(nearest);
        let item = Found { value: item(whole.value, step.index), beside: item(whole.beside, step.index) };
        let Some(node) = item.any() else { break };
        (at, nearest) = (item, node);
    }
    Some(nearest.span().start)
}

impl<'a> Found<'a> {
    fn any(self) -> Option<Node<'a>> {
        self.value.filter(|value| value.kind() != Kind::Null).or(self.beside).or(self.value)
    }

    fn there(self) -> Option<Found<'a>> {
        self.any().map(|_| self)
    }
}

/// The members of an object that a step means.
fn members<'a>(node: Node<'a>, step: &Step<'_>) -> Found<'a> {
    let mut found = Found::default();
    for (name, value) in node.members() {
        match name.strip_prefix('_') {
            Some(name) if step.is(name) => found.beside = found.beside.or(Some(value)),
            None if step.is(name) => found.value = found.value.or(Some(value)),
            _ => {}
        }
    }
    found
}

/// An item of an array, or the whole where none is named.
fn item(node: Option<Node<'_>>, index: Option<usize>) -> Option<Node<'_>> {
    match index {
        Some(index) => node?.each().nth(index),
        None => node,
    }
}

/// Where in `sent` the values are that begin at these offsets of the text without white space, which are sorted.
fn originals(sent: &[u8], minified: &[u8], wanted: &[usize]) -> Vec<usize> {
    let mut found = Vec::with_capacity(wanted.len());
    let (mut from, mut to) = (0, 0);
    while found.len() < wanted.len() && to < minified.len() {
        while sent.get(from).is_some_and(u8::is_ascii_whitespace) {
            from += 1;
        }
        while wanted.get(found.len()) == Some(&to) {
            found.push(from);
        }
        if minified[to] == b'"' {
            // Names lose their escapes when they are parsed.
            (from, to) = (after_string(sent, from), after_string(minified, to));
        } else {
            (from, to) = (from + 1, to + 1);
        }
    }
    found
}

/// The offset after the string that begins here.
fn after_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}
