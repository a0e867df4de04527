//! A parsed text and its tape.
use super::parse::{self, SyntaxError};
use super::{Kind, Node};

/// A parsed JSON text: the minified text and the tape of its values.
///
/// Insignificant white space is dropped and escaped keys are decoded while parsing; every other byte stays as it was sent.
#[derive(Clone, Debug)]
pub struct Document {
    pub(super) text: Box<str>,
    pub(super) tape: Box<[Slot]>,
}

/// One value or member name. A value comes before its descendants, a name just before its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) kind: SlotKind,
    /// The first byte in the text, quotes and brackets included.
    pub(super) start: u32,
    /// One past the last byte in the text.
    pub(super) end: u32,
    /// The tape position one past the last descendant.
    pub(super) next: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotKind {
    Object,
    Array,
    /// A string without escapes: its content is the bytes between the quotes.
    Plain,
    /// A string with escapes.
    Escaped,
    Number,
    True,
    False,
    Null,
    /// A member's name, which has no escapes once parsed.
    Name,
}

impl SlotKind {
    pub(super) fn kind(self) -> Kind {
        match self {
            SlotKind::Object => Kind::Object,
            SlotKind::Array => Kind::Array,
            SlotKind::Plain | SlotKind::Escaped | SlotKind::Name => Kind::String,
            SlotKind::Number => Kind::Number,
            SlotKind::True | SlotKind::False => Kind::Boolean,
            SlotKind::Null => Kind::Null,
        }
    }
}

impl Document {
    /// Parses a JSON text in UTF-8, with or without a byte order mark.
    ///
    /// Refuses what RFC 8259 refuses, and also duplicate names, names that cannot be written without an escape, surrogates that
    /// form no pair, nesting deeper than [`DEPTH_MAX`](super::DEPTH_MAX), and texts of 4 GiB and more.
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
