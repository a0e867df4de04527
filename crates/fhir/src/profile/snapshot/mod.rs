//! From a differential to a snapshot, <https://hl7.org/fhir/R4/profiling.html#snapshot>.
//!
//! The base's snapshot becomes a tree, the differential another one that is laid over it. Where the differential goes below an
//! element, the element's type is unfolded there, or what its content reference names.

mod merge;
mod pool;
mod tree;

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

/// Where the definitions of FHIR's own types are.
const TYPES: &str = "http://hl7.org/fhir/StructureDefinition/";

const EXTENSIONS_SLICING: &str = r#"{"discriminator":[{"type":"value","path":"url"}],"ordered":false,"rules":"open"}"#;
const TYPES_SLICING: &str = r#"{"discriminator":[{"type":"type","path":"$this"}],"ordered":false,"rules":"open"}"#;
/// What the short form implies: nothing but the types that are named.
const TYPES_SLICING_CLOSED: &str =
    r#"{"discriminator":[{"type":"type","path":"$this"}],"ordered":false,"rules":"closed"}"#;

/// What a slice or element says of itself by the profile that it has as its type.
const SAID_BY_PROFILE: [&str; 7] =
    ["short", "definition", "comment", "requirements", "isModifier", "isModifierReason", "constraint"];

/// The StructureDefinition with a snapshot made from its base and its differential; a snapshot that it brings is replaced.
///
/// Refused: a base that is not known, bases or types in a circle, a differential that names what its base does not have, and more
/// than [`ELEMENTS_MAX`] elements.
pub fn snapshot(library: &dyn Library, definition: &Document) -> Result<Document, Outcome> {
    let pool = Pool::default();
    let mut maker = Maker { library, pool: &pool, trees: FxHashMap::default(), waiting: Vec::new(), handled: 0 };
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
        self.say_by_profile(branch, differential)?;
        overlay(self.pool, branch, &differential.members, derived.url);
        if !differential.children.is_empty() {
            self.unfold(branch, path)?;
            self.move_short_forms(branch, differential);
            for child in &mut differential.children {
                let path = format!("{path}.{}", child.name);
                self.lay_child(branch, child, &path, derived)?;
            }
        }
        for slice in &mut differential.slices {
            self.lay_slice(branch, slice, path, derived)?;
        }
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
            Some("Extension") => &["Element", "Extension"][..],
            _ => &["Element"],
        };
        for name in ruled_by {
            let url = format!("{TYPES}{name}");
            let rules = self.root_of(&url)?.and_then(|root| root.get("constraint"));
            if let Some(rules) = rules {
                overlay(self.pool, &mut child, &[("constraint", rules)], &url);
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

    /// The root element of a definition, from its differential where it has no snapshot: no snapshot is made for it.
    fn root_of(&self, canonical: &str) -> Result<Option<Node<'a>>, Outcome> {
        let Some(definition) = self.definition(canonical)? else { return Ok(None) };
        let elements = ["snapshot", "differential"].iter().find_map(|form| definition.path(&[form, "element"]));
        Ok(elements.and_then(|elements| elements.items().next()))
    }

    /// Takes over what a profile says of itself, where the differential makes that profile the element's type.
    fn say_by_profile(&mut self, branch: &mut Branch<'a>, differential: &Branch<'a>) -> Result<(), Outcome> {
        let mut types = differential.types();
        let (Some(only), None) = (types.next(), types.next()) else { return Ok(()) };
        let mut profiles = only.get("profile").into_iter().flat_map(Node::items);
        let (Some(profile), None) = (profiles.next().and_then(Node::as_str), profiles.next()) else { return Ok(()) };
        if let Some(root) = self.root_of(&profile)? {
            let said: Vec<_> = root.members().filter(|(name, _)| SAID_BY_PROFILE.contains(name)).collect();
            overlay(self.pool, branch, &said, &profile);
        }
        Ok(())
    }

    /// Lays a slice of the differential over the slice of the same name, or over a new one.
    fn lay_slice(
        &mut self,
        branch: &mut Branch<'a>,
        differential: &mut Branch<'a>,
        path: &str,
        derived: Derived<'_>,
    ) -> Result<(), Outcome> {
        let known = branch.slices.iter().position(|slice| slice.slice == differential.slice);
        let at = match known {
            Some(at) => at,
            None => {
                self.imply_slicing(branch);
                let slice = self.new_slice(branch, differential)?;
                branch.slices.push(slice);
                branch.slices.len() - 1
            }
        };
        self.lay(&mut branch.slices[at], differential, path, derived)
    }

    /// Extensions are sliced by url and choices by type, also where no one says so.
    fn imply_slicing(&self, branch: &mut Branch<'a>) {
        let implied = match &*branch.name {
            "extension" | "modifierExtension" => EXTENSIONS_SLICING,
            name if name.ends_with("[x]") => TYPES_SLICING,
            _ => return,
        };
        if branch.get("slicing").is_none()
            && let Some(slicing) = made(self.pool, implied.to_owned())
        {
            branch.set("slicing", slicing);
        }
    }

    /// A slice begins as the element that it is a slice of; it need not be there unless it says so.
    fn new_slice(&mut self, branch: &Branch<'a>, differential: &Branch<'a>) -> Result<Branch<'a>, Outcome> {
        let mut slice = Branch {
            name: branch.name.clone(),
            slice: differential.slice.clone(),
            members: branch.members.clone(),
            children: branch.children.clone(),
            slices: Vec::new(),
        };
        self.handle(slice.size())?;
        slice.remove("slicing");
        if let Some(zero) = made(self.pool, "0".to_owned()) {
            slice.set("min", zero);
        }
        let slice_name = differential.slice.as_deref().unwrap_or_default();
        if let Some(only) = type_named(branch, slice_name).filter(|_| differential.get("type").is_none()) {
            self.narrow(&mut slice, &[only]);
        }
        Ok(slice)
    }

    fn narrow(&self, branch: &mut Branch<'a>, types: &[Node<'a>]) {
        let types: Vec<_> = types.iter().map(|it| it.raw()).collect();
        if let Some(types) = made(self.pool, format!("[{}]", types.join(","))) {
            branch.set("type", types);
        }
    }

    /// `valueQuantity` in a differential is a slice of `value[x]`, and says that no other types are allowed but those named so.
    fn move_short_forms(&mut self, branch: &mut Branch<'a>, differential: &mut Branch<'a>) {
        for choice in branch.children.iter_mut().filter(|child| child.name.ends_with("[x]")) {
            let is_short = |child: &Branch<'a>| type_named(choice, &child.name).is_some();
            if !differential.children.iter().any(is_short) {
                continue;
            }
            let (short, mut others): (Vec<_>, Vec<_>) =
                std::mem::take(&mut differential.children).into_iter().partition(is_short);
            let at = others.iter().position(|child| child.name == choice.name).unwrap_or_else(|| {
                others.push(Branch::named(choice.name.clone()));
                others.len() - 1
            });
            let types: Vec<_> = short.iter().filter_map(|child| type_named(choice, &child.name)).collect();
            let is_sliced = choice.get("slicing").is_some() || others[at].get("slicing").is_some();
            if !is_sliced && let Some(slicing) = made(self.pool, TYPES_SLICING_CLOSED.to_owned()) {
                choice.set("slicing", slicing);
                self.narrow(choice, &types);
            }
            for child in short {
                let slice = others[at].place_slice(&child.name);
                slice.members.extend(child.members);
                slice.children.extend(child.children);
            }
            differential.children = others;
        }
    }

    /// Gives an element the children of its type, or of the element that it refers to, unless it has them.
    fn unfold(&mut self, branch: &mut Branch<'a>, path: &str) -> Result<(), Outcome> {
        if !branch.children.is_empty() {
            return Ok(());
        }
        if let Some(reference) = branch.get("contentReference").and_then(Node::as_str) {
            return self.unfold_reference(branch, &reference);
        }
        let types: Vec<_> = branch.types().collect();
        let url = match types[..] {
            [] => return Ok(()),
            [only] => {
                let mut profiles = only.get("profile").into_iter().flat_map(Node::items).filter_map(Node::as_str);
                let profile = profiles.next().filter(|_| profiles.next().is_none());
                // A profile that is not known here says nothing; its type is known.
                let known = match profile {
                    Some(profile) => self.definition(&profile)?.map(|_| profile),
                    None => None,
                };
                let code = only.get("code").and_then(Node::as_str).unwrap_or_default();
                known.unwrap_or_else(|| match code.contains(':') {
                    true => code,
                    false => format!("{TYPES}{code}").into(),
                })
            }
            // What all types have in common.
            _ => format!("{TYPES}Element").into(),
        };
        // A path inside a type of FHIRPath leads nowhere, which is said where the child is looked for.
        if url.starts_with("http://hl7.org/fhirpath/") {
            return Ok(());
        }
        let tree = self.tree_of(&url).map_err(|outcome| outcome.at(path))?;
        branch.children = self.copied(&tree)?.children;
        Ok(())
    }

    /// `#Observation.referenceRange`, or the same after the definition's url.
    fn unfold_reference(&mut self, branch: &mut Branch<'a>, reference: &str) -> Result<(), Outcome> {
        let unknown = || {
            let text = format!("the content reference {} leads to no element", quoted(reference));
            Outcome::new(IssueType::Invalid, text)
        };
        let (url, target) = reference.split_once('#').ok_or_else(unknown)?;
        let (type_name, path) = target.split_once('.').ok_or_else(unknown)?;
        let url = if url.is_empty() { format!("{TYPES}{type_name}") } else { url.to_owned() };
        let tree = self.tree_of(&url)?;
        let target = self.copied(tree.find(path).ok_or_else(unknown)?)?;
        branch.remove("contentReference");
        if let Some(types) = target.get("type") {
            branch.set("type", types);
        }
        branch.children = target.children;
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

/// The type of a choice that a short form names: `Quantity` of `value[x]` for `valueQuantity`.
fn type_named<'a>(choice: &Branch<'a>, short: &str) -> Option<Node<'a>> {
    let named = short.strip_prefix(choice.name.strip_suffix("[x]")?)?;
    let (first, rest) = named.split_at_checked(1)?;
    choice.types().find(|it| {
        let code = it.get("code").and_then(Node::as_str).unwrap_or_default();
        let known = code.split_at_checked(1);
        known.is_some_and(|(known, known_rest)| known.eq_ignore_ascii_case(first) && known_rest == rest)
    })
}
