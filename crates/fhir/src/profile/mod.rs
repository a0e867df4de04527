//! Profiles, <https://hl7.org/fhir/R4/profiling.html>: what a StructureDefinition demands beyond its base.

mod compile;
mod constraint;
mod context;
mod discriminator;
mod outline;
mod rules;
mod snapshot;

pub(crate) use context::{Contexts, Holder};
pub(crate) use rules::{
    Binding, Child, Constraint, Demand, Occurrence, Openness, Rules, Slice, Slicing, Step, Strength, Target, Test,
};
pub use snapshot::snapshot;

use std::sync::Arc;

use crate::definitions::Structure;
use crate::json::{Document, Node};
use crate::library::Library;
use crate::{Definitions, IssueType, Outcome};

/// Where R4 keeps the definitions of its own types: this and the type's name.
pub(crate) const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

/// A StructureDefinition compiled for validation: made once, then shared. `Send + Sync`, and it borrows nothing.
#[derive(Debug)]
pub struct Profile {
    /// Its canonical url, without version.
    pub url: String,
    /// Its version.
    pub version: Option<String>,
    /// The type that it profiles.
    pub structure: &'static Structure,
    /// What holds for the whole.
    pub(crate) root: Arc<Rules>,
    /// What content references lead to.
    pub(crate) contents: Vec<Arc<Rules>>,
    /// For an extension: where it may stand.
    pub(crate) contexts: Contexts,
}

impl Profile {
    /// Compiles a StructureDefinition; its snapshot is made where it brings none. Other profiles that it names are looked up when they are needed.
    ///
    /// Refuses what is no StructureDefinition of a type of R4 (such as a logical model), and a snapshot whose elements do not fit the
    /// type.
    pub fn compile(library: &dyn Library, definition: &Document) -> Result<Arc<Profile>, Outcome> {
        let root = definition.root();
        let text = |name| root.get(name).and_then(Node::as_str);
        let Some(url) = text("url").filter(|_| root.resource_type() == Some("StructureDefinition")) else {
            return Err(refused("a profile is a StructureDefinition with a url"));
        };
        let definitions = Definitions::r4();
        let name = text("type").unwrap_or_default();
        let name = name.strip_prefix(CORE).unwrap_or(&name);
        let structure =
            definitions.structure(name).filter(|_| !root.get("kind").is_some_and(|it| it.is_str("logical")));
        let structure = structure.ok_or_else(|| {
            let message =
                format!("`{url}` is about `{name}`, which is not a type of R4: only those have profiles here");
            Outcome::new(IssueType::NotSupported, message)
        })?;
        let made;
        let elements = match root.path(&["snapshot", "element"]).filter(|elements| !elements.is_empty()) {
            Some(elements) => Some(elements),
            None => {
                made = snapshot(library, definition)?;
                made.root().path(&["snapshot", "element"])
            }
        };
        let elements = elements.ok_or_else(|| refused(format!("`{url}` has no elements")))?;
        let contexts = Contexts::of(root);
        let (root, contents) = compile::compile(library, definitions, structure, elements)?;
        let version = text("version").map(|version| version.into_owned());
        Ok(Arc::new(Profile { url: url.into_owned(), version, structure, root, contents, contexts }))
    }
}

/// Why a StructureDefinition cannot be used.
fn refused(message: impl Into<String>) -> Outcome {
    Outcome::new(IssueType::Invalid, message)
}
