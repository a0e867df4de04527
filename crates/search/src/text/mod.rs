//! Full text: `_text`, `_content`, and `:text` of tokens, <https://hl7.org/fhir/R4/search.html#text>.
//!
//! A text is indexed word by word. A word is a run of letters and digits, folded as strings are, and at most [`WORD_MAX`] bytes of it;
//! queries are cut into words in the same way, so both agree whatever stands between the words.

mod content;
mod expression;
mod narrative;
mod trigrams;
mod words;

pub(crate) use content::index_content;
pub(crate) use expression::filter;
pub(crate) use trigrams::{index_trigrams, may_contain};
#[cfg(doc)]
use words::WORD_MAX;
pub(crate) use words::{Words, every_word};
