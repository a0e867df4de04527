//! XML Patch.
use crate::json::Document;
use crate::{Definitions, IssueType, Outcome};

/// A parsed patch.
#[derive(Clone, Debug)]
pub struct XmlPatch;

impl XmlPatch {
    /// Reads a patch.
    pub fn parse(_bytes: &[u8]) -> Result<XmlPatch, Outcome> {
        Err(Outcome::new(IssueType::NotSupported, "XML Patch is not read yet"))
    }

    /// Applies it.
    pub fn apply(&self, _definitions: &'static Definitions, target: &Document) -> Result<Document, Outcome> {
        Ok(target.clone())
    }
}
