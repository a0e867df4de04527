//! From a differential to a snapshot, <https://hl7.org/fhir/R4/profiling.html#snapshot>.
//!
//! The base's snapshot becomes a tree, the differential another one that is laid over it. Where the differential goes below an
//! element, the element's type is unfolded there, or what its content reference names.

mod merge;
mod pool;
mod slicing;
mod tree;
mod unfold;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::json::{Document, Node, quote};
use crate::library::Library;
use crate::outcome::quoted;
use crate::terminology::Canonical;
use crate::{IssueType, Outcome};
use merge::{made, overlay};
use pool::Pool;
use tree::Branch;

/// How many elements are handled at most for one snapshot, those of bases and types included. A large profile takes some 3,000.
const ELEMENTS_MAX: usize = 50_000;

/// How many definitions may be waiting for each other: the bases of bases, and the types inside them.
const WAITING_MAX: usize = 32;

/// How many elements may be in hand, each below the one before, those of all definitions that wait together: what the stack holds.
const IN_HAND_MAX: usize = 200;

/// Where the definitions of FHIR's own types are.
const TYPES: &str = "http://hl7.org/fhir/StructureDefinition/";

/// What a slice or element says of itself by the profile that it has as its type.
const SAID_BY_PROFILE: [&str; 6] = ["short", "definition", "comment", "requirements", "isModifier", "isModifierReason"];

/// The StructureDefinition with a snapshot made from its base and its differential; a snapshot that it brings is replaced.
///
/// Refused: a base that is not known, bases or types in a circle, a differential that names what its base does not have, and more
/// than [`ELEMENTS_MAX`] elements.
pub fn snapshot(library: &dyn Library, definition: &Document) -> Result<Document, Outcome> {
    let pool = Pool::default();
    let mut maker =
        Maker { library, pool: &pool, trees: FxHashMap::default(), waiting: Vec::new(), in_hand: 0, handled: 0 };
    let root = definition.root();
    if root.resource_type() != Some("StructureDefinition") {
        let found = quoted(root.resource_type().unwrap_or_default());
        return Err(Outcome::new(
            IssueType::Invalid,
            format!("a snapshot is made of a StructureDefinition, not of {found}"),
        ));
    }
    let tree = maker.made_of(root)?;
    Document::parse(with_snapshot(root, &tree).as_bytes())
        .map_err(|error| Outcome::new(IssueType::Exception, format!("the snapshot is no JSON: {error}")))
}

/// The definition's members, the snapshot before the differential.
fn with_snapshot(definition: Node<'_>, tree: &Branch<'_>) -> String {
    let mut out = String::with_capacity(definition.raw().len() + tree.size() * 2_000);
    out.push('{');
    let write_snapshot = |out: &mut String| {
        out.push_str(r#""snapshot":{"element":"#);
        tree.write(out);
        out.push_str("},");
    };
    let has_differential = definition.get("differential").is_some();
    for (name, value) in definition.members().filter(|(name, _)| *name != "snapshot") {
        if name == "differential" {
            write_snapshot(&mut out);
        }
        out.push_str(&quote(name));
        out.push(':');
        out.push_str(value.raw());
        out.push(',');
    }
    if !has_differential {
        write_snapshot(&mut out);
    }
    out.pop();
    out.push('}');
    out
}

struct Maker<'a> {
    library: &'a dyn Library,
    pool: &'a Pool,
    /// Snapshots by canonical url, as trees.
    trees: FxHashMap<String, Rc<Branch<'a>>>,
    /// The definitions whose snapshots are being made.
    waiting: Vec<String>,
    /// How deep it is in elements.
    in_hand: usize,
    /// How many elements were handled.
    handled: usize,
}

/// The definition whose differential is being laid over its base.
#[derive(Clone, Copy)]
struct Derived<'d> {
    url: &'d str,
    /// Whether elements may be added.
    is_specialization: bool,
}

impl<'a> Maker<'a> {
    /// The snapshot of a definition that another one names: its own if it brings one.
    fn tree_of(&mut self, canonical: &str) -> Result<Rc<Branch<'a>>, Outcome> {
        if let Some(tree) = self.trees.get(canonical) {
            return Ok(tree.clone());
        }
        let Some(definition) = self.definition(canonical)? else {
            let text = format!("the definition {} is not known here", quoted(canonical));
            return Err(Outcome::new(IssueType::Processing, text));
        };
        let published = definition.path(&["snapshot", "element"]).map(Branch::parse).transpose()?.flatten();
        let tree = match published {
            Some(mut tree) => {
                self.handle(tree.size())?;
                let path = tree.name.to_string();
                self.give_bases(&mut tree, &path);
                tree
            }
            None => self.made_of(definition)?,
        };
        let tree = Rc::new(tree);
        self.trees.insert(canonical.to_owned(), tree.clone());
        Ok(tree)
    }

    fn definition(&self, canonical: &str) -> Result<Option<Node<'a>>, Outcome> {
        let found = self.library.structure_definition(Canonical::parse(canonical))?;
        Ok(found.map(|definition| self.pool.keep(definition).root()))
    }

    /// The snapshot that a definition's base and differential make.
    fn made_of(&mut self, definition: Node<'a>) -> Result<Branch<'a>, Outcome> {
        let text = |member: &str| definition.get(member).and_then(Node::as_str).unwrap_or_default();
        let url = text("url");
        if self.waiting.iter().any(|waiting| *waiting == url) {
            let text = format!("the definition {} is made from itself, by its base or its types", quoted(&url));
            return Err(Outcome::new(IssueType::Processing, text));
        }
        if self.waiting.len() >= WAITING_MAX {
            let text = format!("more than {WAITING_MAX} definitions are made from each other");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        self.waiting.push(url.to_string());
        let differential = definition.path(&["differential", "element"]).map(Branch::parse).transpose()?.flatten();
        let base = match text("baseDefinition") {
            base if base.is_empty() => None,
            base => Some(self.tree_of(&base)?),
        };
        let is_specialization = text("derivation") != "constraint";
        let mut tree = match (base, &differential) {
            (Some(base), _) => self.copied(&base)?,
            (None, Some(differential)) => Branch::named(differential.name.clone()),
            (None, None) => {
                let text = format!("the definition {} has neither a base nor a differential", quoted(&url));
                return Err(Outcome::new(IssueType::Invalid, text));
            }
        };
        if is_specialization {
            let name = differential.as_ref().map_or_else(|| text("type"), |differential| differential.name.clone());
            self.specialize(&mut tree, name);
        }
        if let Some(mut differential) = differential {
            if differential.name != tree.name {
                let (found, right) = (quoted(&differential.name), quoted(&tree.name));
                let text = format!("the differential of {} is about {found}, its base about {right}", quoted(&url));
                return Err(Outcome::new(IssueType::Invalid, text));
            }
            let path = tree.name.to_string();
            self.lay(&mut tree, &mut differential, &path, Derived { url: &url, is_specialization })?;
        }
        self.waiting.pop();
        Ok(tree)
    }

    /// Makes a base's root the root of another type.
    fn specialize(&self, tree: &mut Branch<'a>, name: Cow<'a, str>) {
        // What the base says of itself is not true of the new type; its rules are.
        tree.members.retain(|(name, _)| matches!(*name, "min" | "max" | "constraint"));
        let base = format!(r#"{{"path":{},"min":0,"max":"*"}}"#, quote(&name));
        for (member, text) in [("min", "0".to_owned()), ("max", r#""*""#.to_owned()), ("base", base)] {
            if let Some(node) = made(self.pool, text) {
                tree.set(member, node);
            }
        }
        self.give_flags(tree);
        tree.name = name;
    }

    /// Lays a differential over an element and all below it.
    fn lay(
        &mut self,
        branch: &mut Branch<'a>,
        differential: &mut Branch<'a>,
        path: &str,
        derived: Derived<'_>,
    ) -> Result<(), Outcome> {
        self.in_hand += 1;
        if self.in_hand > IN_HAND_MAX {
            let text = format!("definitions that are made from each other have elements more than {IN_HAND_MAX} deep");
            return Err(Outcome::new(IssueType::TooCostly, text).at(path));
        }
        if !derived.is_specialization {
            self.say_by_profile(branch, differential)?;
        }
        overlay(self.pool, branch, &differential.members, derived.url);
        if !differential.children.is_empty() {
            self.unfold(branch, path)?;
            self.move_short_forms(branch, differential, derived);
            for child in &mut differential.children {
                let path = format!("{path}.{}", child.name);
                self.lay_child(branch, child, &path, derived)?;
            }
        }
        for slice in &mut differential.slices {
            self.lay_slice(branch, slice, path, derived)?;
        }
        self.in_hand -= 1;
        Ok(())
    }

    fn lay_child(
        &mut self,
        branch: &mut Branch<'a>,
        differential: &mut Branch<'a>,
        path: &str,
        derived: Derived<'_>,
    ) -> Result<(), Outcome> {
        if let Some(child) = branch.children.iter_mut().find(|child| child.name == differential.name) {
            return self.lay(child, differential, path, derived);
        }
        if !derived.is_specialization {
            let text = format!(
                "the differential of {} names {}, which its base does not have",
                quoted(derived.url),
                quoted(path)
            );
            return Err(Outcome::new(IssueType::Invalid, text));
        }
        self.handle(1)?;
        let mut child = self.added(differential, path)?;
        self.lay(&mut child, differential, path, derived)?;
        branch.children.push(child);
        Ok(())
    }

    /// An element that a specialization adds: with the rules of its type's root, and as its own base.
    fn added(&mut self, differential: &Branch<'a>, path: &str) -> Result<Branch<'a>, Outcome> {
        let mut child = Branch::named(differential.name.clone());
        self.give_base(&mut child, differential, path);
        self.give_flags(&mut child);
        let codes: Vec<_> = differential.types().filter_map(|it| it.get("code")?.as_str()).collect();
        let ruled_by = match codes.first().map(Cow::as_ref) {
            // Rules of resources are on resources, and the types of FHIRPath have none.
            Some("Resource") => return Ok(child),
            Some(code) if code.contains(':') => return Ok(child),
            Some("Extension") => "Extension",
            _ => "Element",
        };
        for (source, root) in self.roots(&format!("{TYPES}{ruled_by}"))? {
            if let Some(rules) = root.get("constraint") {
                overlay(self.pool, &mut child, &[("constraint", rules)], &source);
            }
        }
        Ok(child)
    }

    fn give_flags(&self, branch: &mut Branch<'a>) {
        if let Some(no) = made(self.pool, "false".to_owned()) {
            branch.set("isModifier", no);
            branch.set("isSummary", no);
        }
    }

    /// Says of an element what it is in the definition that introduces it.
    fn give_base(&self, branch: &mut Branch<'a>, from: &Branch<'a>, path: &str) {
        let raw = |member: &str, otherwise: &'static str| from.get(member).map_or(otherwise, |it| it.raw());
        let text = format!(r#"{{"path":{},"min":{},"max":{}}}"#, quote(path), raw("min", "0"), raw("max", r#""*""#));
        if let Some(base) = made(self.pool, text) {
            branch.set("base", base);
        }
    }

    /// The same for all elements of a published snapshot that does not say it.
    fn give_bases(&self, branch: &mut Branch<'a>, path: &str) {
        if branch.get("base").is_none() {
            let from = branch.clone();
            self.give_base(branch, &from, path);
        }
        for child in &mut branch.children {
            let path = format!("{path}.{}", child.name);
            self.give_bases(child, &path);
        }
        for slice in &mut branch.slices {
            self.give_bases(slice, path);
        }
    }

    /// The root elements of a definition and of its bases, the farthest first and each as it was stated: no snapshot is made for them.
    fn roots(&self, canonical: &str) -> Result<Vec<(String, Node<'a>)>, Outcome> {
        let mut roots = Vec::new();
        let mut url = canonical.to_owned();
        while let Some(definition) = self.definition(&url)?.filter(|_| roots.len() < WAITING_MAX) {
            let elements = |form: &str| definition.path(&[form, "element"])?.items().next();
            let snapshot = elements("snapshot");
            roots.extend(snapshot.or_else(|| elements("differential")).map(|root| (url, root)));
            url = match definition.get("baseDefinition").and_then(Node::as_str).filter(|_| snapshot.is_none()) {
                Some(base) => base.into_owned(),
                None => break,
            };
        }
        roots.reverse();
        Ok(roots)
    }

    /// Takes over what a profile says of itself, where the differential makes that profile the element's type.
    fn say_by_profile(&mut self, branch: &mut Branch<'a>, differential: &Branch<'a>) -> Result<(), Outcome> {
        let mut types = differential.types();
        let (Some(only), None) = (types.next(), types.next()) else { return Ok(()) };
        let mut profiles = only.get("profile").into_iter().flat_map(Node::items);
        let (Some(profile), None) = (profiles.next().and_then(Node::as_str), profiles.next()) else { return Ok(()) };
        for (source, root) in self.roots(&profile)? {
            let is_said = |name: &str| name == "constraint" || source == profile && SAID_BY_PROFILE.contains(&name);
            let said: Vec<_> = root.members().filter(|(name, _)| is_said(name)).collect();
            overlay(self.pool, branch, &said, &source);
        }
        Ok(())
    }

    fn copied(&mut self, branch: &Branch<'a>) -> Result<Branch<'a>, Outcome> {
        self.handle(branch.size())?;
        Ok(branch.clone())
    }

    fn handle(&mut self, count: usize) -> Result<(), Outcome> {
        self.handled += count;
        if self.handled > ELEMENTS_MAX {
            let text = format!("the snapshot takes more than {ELEMENTS_MAX} elements");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        Ok(())
    }
}
