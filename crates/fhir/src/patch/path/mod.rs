//! FHIRPath Patch, <https://hl7.org/fhir/R4/fhirpatch.html>: Parameters that say what to do with the elements that expressions find.

mod operation;
mod place;
mod value;

use std::sync::Arc;

use self::operation::Operation;
use super::OPERATIONS_MAX;
use crate::json::{Document, Node, Value};
use crate::{Definitions, IssueType, Outcome};

/// The resource is written and read again for each operation: so many bytes of it in one patch.
const REWRITTEN_MAX: usize = 128 * 1024 * 1024;

/// A parsed patch.
#[derive(Clone, Debug)]
pub struct PathPatch {
    operations: Arc<[Operation]>,
}

impl PathPatch {
    /// Reads the Parameters of a patch. What is no patch is refused as [`IssueType::BadRequest`] with the operation's index and the
    /// part concerned, more than [`OPERATIONS_MAX`] operations as [`IssueType::TooCostly`].
    pub fn parse(parameters: &Document) -> Result<PathPatch, Outcome> {
        let root = parameters.root();
        if root.resource_type() != Some("Parameters") {
            return Err(Outcome::new(IssueType::BadRequest, "a FHIRPath Patch is a resource of type `Parameters`"));
        }
        let nodes: Vec<Node<'_>> = root.get("parameter").into_iter().flat_map(Node::items).collect();
        if nodes.len() > OPERATIONS_MAX {
            let message =
                format!("the FHIRPath Patch has `{}` operations, at most {OPERATIONS_MAX} are allowed", nodes.len());
            return Err(Outcome::new(IssueType::TooCostly, message));
        }
        let operations = nodes.iter().enumerate().map(|(at, node)| {
            Operation::parse(*node).map_err(|message| {
                refusal(IssueType::BadRequest, at, &message).at(format!("Parameters.parameter[{at}]"))
            })
        });
        Ok(PathPatch { operations: operations.collect::<Result<_, _>>()? })
    }

    /// Applies all operations in order or none. An operation whose path finds nothing, or more than it may, or whose value does not
    /// fit is refused as [`IssueType::Processing`].
    pub fn apply(&self, definitions: &'static Definitions, target: &Document) -> Result<Document, Outcome> {
        let mut patched: Option<Document> = None;
        let mut rewritten = 0;
        for (at, operation) in self.operations.iter().enumerate() {
            let document = patched.as_ref().unwrap_or(target);
            rewritten += document.text().len();
            if rewritten > REWRITTEN_MAX {
                let message = format!("the resource is too large for so many operations: {REWRITTEN_MAX} bytes in all");
                return Err(refusal(IssueType::TooCostly, at, &message));
            }
            let mut value = Value::from(document.root());
            let refuse = |message: String| refusal(IssueType::Processing, at, &message);
            operation.apply(definitions, document, &mut value).map_err(refuse)?;
            let text = value.to_string();
            patched = Some(Document::parse(text.as_bytes()).map_err(|error| refuse(error.to_string()))?);
        }
        Ok(patched.unwrap_or_else(|| target.clone()))
    }
}

fn refusal(code: IssueType, at: usize, message: &str) -> Outcome {
    Outcome::new(code, format!("operation {at} of the FHIRPath Patch: {message}"))
}
