//! The parser.
use super::Document;

/// Nesting deeper than this is refused: no FHIR resource comes near it, and it bounds recursion everywhere.
pub const DEPTH_MAX: usize = 128;

/// Why a text is not acceptable JSON, and where (both counted from 1; the column in bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

pub(super) fn parse(_bytes: &[u8]) -> Result<Document, SyntaxError> {
    todo!()
}
