//! JSON as FHIR needs it: parsed once into a tape over the (minified) bytes, read without copying.
//!
//! Numbers keep their digits, members keep their order, and duplicate keys are refused.

mod edit;
mod parse;
mod patch;
mod value;

use std::borrow::Cow;
use std::ops::Range;

pub use edit::{Edit, quote, splice};
pub use parse::{DEPTH_MAX, SyntaxError};
pub use patch::JsonPatch;
pub use value::Value;

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

/// A parsed JSON text: the minified text and the tape of its values.
///
/// Insignificant white space is dropped and escaped keys are decoded while parsing; every other byte stays as it was sent.
#[derive(Clone, Debug)]
pub struct Document {
    pub(crate) text: Box<str>,
    pub(crate) tape: Vec<Slot>,
}

/// One value (or member name) on the tape. `end` is one past the last byte of the text; `next` is the tape position one
/// past the value's last descendant. Layout is private to this module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) kind: SlotKind,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) next: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotKind {
    Object,
    Array,
    /// A string without escapes: its text is the bytes between the quotes.
    Plain,
    /// A string with escapes.
    Escaped,
    Number,
    True,
    False,
    Null,
    /// A member's name (never escaped after parsing), followed by its value.
    Name,
}

impl Document {
    /// Parses a JSON text (UTF-8, no byte order mark needed). Refuses duplicate keys, nesting deeper than [`DEPTH_MAX`], texts of
    /// 4 GiB and more, and anything after the value.
    pub fn parse(bytes: &[u8]) -> Result<Document, SyntaxError> {
        parse::parse(bytes)
    }

    /// The outermost value.
    pub fn root(&self) -> Node<'_> {
        Node { document: self, at: 0 }
    }

    /// The minified text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The minified text, owned.
    pub fn into_text(self) -> Box<str> {
        self.text
    }
}

/// A value inside a [`Document`]: a pointer, free to copy.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub(crate) document: &'a Document,
    pub(crate) at: u32,
}

impl<'a> Node<'a> {
    /// What the value is.
    pub fn kind(self) -> Kind {
        todo!()
    }

    /// Where the value stands in the document's text, quotes and brackets included.
    pub fn span(self) -> Range<usize> {
        todo!()
    }

    /// The value's own text, quotes and brackets included. The digits of a number stand here as they were sent.
    pub fn raw(self) -> &'a str {
        todo!()
    }

    /// The member of an object by name; `None` when absent or when this is no object.
    pub fn get(self, _name: &str) -> Option<Node<'a>> {
        todo!()
    }

    /// The members of an object in order; none when this is no object.
    pub fn members(self) -> impl Iterator<Item = (&'a str, Node<'a>)> + Clone {
        std::iter::empty()
    }

    /// The items of an array in order; none when this is no array.
    pub fn items(self) -> impl Iterator<Item = Node<'a>> + Clone {
        std::iter::empty()
    }

    /// The items of an array, or the value itself when it is none: for elements that may repeat.
    pub fn each(self) -> impl Iterator<Item = Node<'a>> + Clone {
        std::iter::empty()
    }

    /// True for an object or array without content.
    pub fn is_empty(self) -> bool {
        todo!()
    }

    /// The text of a string, escapes decoded; `None` for anything else.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        todo!()
    }

    /// True when this is a string that equals `text`.
    pub fn is_str(self, _text: &str) -> bool {
        todo!()
    }

    /// The value of a boolean; `None` for anything else.
    pub fn as_bool(self) -> Option<bool> {
        todo!()
    }

    /// Walks member names from here, taking the first item of arrays on the way (`["name", "family"]`).
    pub fn path(self, _names: &[&str]) -> Option<Node<'a>> {
        todo!()
    }

    /// The resource's type, from `resourceType`.
    pub fn resource_type(self) -> Option<&'a str> {
        todo!()
    }

    /// An identity for the value inside its document: equal only for the same place in the same document.
    pub fn position(self) -> u32 {
        self.at
    }

    /// The document this value belongs to.
    pub fn document(self) -> &'a Document {
        self.document
    }
}
