//! Targets of references and definitions from a library, kept for as long as the evaluation that asked for them.

use std::cell::OnceCell;
use std::sync::Arc;

use super::Resolver;
use crate::json::{Document, Node};
use crate::terminology::Canonical;
use crate::{Library, profile};

/// How many documents one evaluation gets; what is asked for after that is not found.
const TARGETS_MAX: usize = 256;

/// A [`Resolver`] that asks a library, once for each name.
pub struct Targets<'l> {
    library: &'l dyn Library,
    first: OnceCell<Box<Target>>,
}

/// A chain that only grows, so that what stands in it can be lent.
struct Target {
    name: String,
    document: Option<Arc<Document>>,
    next: OnceCell<Box<Target>>,
}

impl<'l> Targets<'l> {
    /// Nothing is asked for yet.
    pub fn new(library: &'l dyn Library) -> Targets<'l> {
        Targets { library, first: OnceCell::new() }
    }

    fn get(&self, name: &str, find: impl FnOnce() -> Option<Arc<Document>>) -> Option<Node<'_>> {
        let mut place = &self.first;
        for _ in 0..TARGETS_MAX {
            match place.get() {
                Some(target) if target.name == name => return target.document.as_deref().map(Document::root),
                Some(target) => place = &target.next,
                None => {
                    let make = || Box::new(Target { name: name.to_owned(), document: find(), next: OnceCell::new() });
                    return place.get_or_init(make).document.as_deref().map(Document::root);
                }
            }
        }
        None
    }
}

impl Resolver for Targets<'_> {
    fn resolve<'a>(&'a self, reference: &str) -> Option<Node<'a>> {
        self.get(reference, || self.library.resource(reference))
    }

    fn definition<'a>(&'a self, url: &str) -> Option<Node<'a>> {
        self.get(url, || {
            let definition = self.library.structure_definition(Canonical::parse(url)).ok().flatten()?;
            match definition.root().get("snapshot") {
                Some(_) => Some(definition),
                None => profile::snapshot(self.library, &definition).ok().map(Arc::new),
            }
        })
    }
}
