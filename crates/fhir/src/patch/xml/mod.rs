//! XML Patch, <https://www.rfc-editor.org/rfc/rfc5261>: applied to the resource as XML, of which only the places that it selects change.

mod operation;
mod select;
mod tree;

use std::sync::Arc;

use self::operation::Operation;
use self::tree::{Kind, Tree};
use super::OPERATIONS_MAX;
use crate::json::Document;
use crate::xml::scan::text;
use crate::xml::{parse, write};
use crate::{Definitions, IssueType, Outcome};

/// The resource is read again for each operation: so many bytes of XML in one patch.
const READ_MAX: usize = 128 * 1024 * 1024;

/// A parsed patch.
#[derive(Clone, Debug)]
pub struct XmlPatch {
    operations: Arc<[Operation]>,
}

impl XmlPatch {
    /// Reads a patch: an element `diff` with elements `add`, `replace` and `remove`. What is no XML is refused as
    /// [`IssueType::Syntax`], what is no patch as [`IssueType::BadRequest`] with the operation's index, and more than
    /// [`OPERATIONS_MAX`] operations as [`IssueType::TooCostly`].
    ///
    /// In selectors the prefixes `f` and `h` stand for FHIR and XHTML where the patch declares them for nothing else.
    pub fn parse(bytes: &[u8]) -> Result<XmlPatch, Outcome> {
        let text = text(bytes)?;
        let tree = Tree::parse(&text).map_err(|fault| fault.outcome(&text))?;
        let Kind::Element(root) = &tree.root().kind else {
            return Err(Outcome::new(IssueType::BadRequest, "the XML Patch has no element"));
        };
        // RFC 5261 leaves the name to its users; HL7's cases call it a patch.
        if !matches!(root.name, "diff" | "patch") {
            let message = format!("the XML Patch is an element `{}`, it should be `diff`", root.name);
            return Err(Outcome::new(IssueType::BadRequest, message));
        }
        let elements: Vec<_> = root.children.iter().filter(|&&child| tree.element(child).is_some()).copied().collect();
        if elements.is_empty() {
            return Err(Outcome::new(IssueType::BadRequest, "the XML Patch has no operations"));
        }
        if elements.len() > OPERATIONS_MAX {
            let message =
                format!("the XML Patch has `{}` operations, at most {OPERATIONS_MAX} are allowed", elements.len());
            return Err(Outcome::new(IssueType::TooCostly, message));
        }
        let operations = elements.iter().enumerate().map(|(at, element)| {
            Operation::parse(&tree, *element).map_err(|message| refusal(IssueType::BadRequest, at, &message))
        });
        Ok(XmlPatch { operations: operations.collect::<Result<_, _>>()? })
    }

    /// Applies all operations in order or none. One that selects nothing or more than one node, and a result that is no resource, are
    /// refused as [`IssueType::Processing`].
    pub fn apply(&self, definitions: &'static Definitions, target: &Document) -> Result<Document, Outcome> {
        let patched = self.apply_to(write(definitions, target)?)?;
        parse(definitions, patched.as_bytes()).map_err(|mut outcome| {
            for issue in &mut outcome.issues {
                issue.code = IssueType::Processing;
                issue.diagnostics = format!("the XML Patch makes what is no resource: {}", issue.diagnostics);
            }
            outcome
        })
    }

    fn apply_to(&self, mut xml: String) -> Result<String, Outcome> {
        let mut read = 0;
        for (at, operation) in self.operations.iter().enumerate() {
            read += xml.len();
            if read > READ_MAX {
                let message = format!("the resource is too large for so many operations: {READ_MAX} bytes in all");
                return Err(refusal(IssueType::TooCostly, at, &message));
            }
            xml = operation.apply(&xml).map_err(|message| refusal(IssueType::Processing, at, &message))?;
        }
        Ok(xml)
    }
}

fn refusal(code: IssueType, at: usize, message: &str) -> Outcome {
    Outcome::new(code, format!("operation {at} of the XML Patch: {message}"))
}

#[cfg(test)]
mod tests;
