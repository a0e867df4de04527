//! JSON as FHIR needs it: parsed once into a tape over the (minified) bytes, read without copying.
//!
//! Numbers keep their digits, members keep their order, and duplicate keys are refused,
//! <https://hl7.org/fhir/R4/json.html>, <https://www.rfc-editor.org/rfc/rfc8259>.

mod document;
mod edit;
mod node;
mod parse;
mod string;
mod value;

pub use document::Document;
pub use edit::{Edit, splice};
pub use node::{Items, Kind, Members, Node};
pub(crate) use parse::line_and_column;
pub use parse::{DEPTH_MAX, SyntaxError};
pub use string::quote;
pub(crate) use string::write_quoted;
pub use value::Value;
