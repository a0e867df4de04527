//! Reading a document.
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::Document;
use super::document::{Slot, SlotKind};
use super::string::unescape;

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kinds of JSON speak for themselves")]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

/// A value inside a [`Document`]: a pointer, free to copy.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub(super) document: &'a Document,
    pub(super) at: u32,
}

impl<'a> Node<'a> {
    fn slot(self) -> &'a Slot {
        &self.document.tape[self.at as usize]
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        self.slot().kind.kind()
    }

    /// Where the value stands in the document's text, quotes and brackets included.
    pub fn span(self) -> Range<usize> {
        self.slot().start as usize..self.slot().end as usize
    }

    /// The value's own text, quotes and brackets included. The digits of a number stand here as they were sent.
    pub fn raw(self) -> &'a str {
        &self.document.text[self.span()]
    }

    /// The member of an object by name; `None` when absent or when this is no object.
    pub fn get(self, name: &str) -> Option<Node<'a>> {
        // Most names differ in length already: their bytes are not looked at.
        self.named().find(|(member, _)| *member == name.as_bytes()).map(|(_, value)| value)
    }

    /// The member of a name, and the member with an underscore before it that holds a primitive's id and extensions.
    pub fn get_with_sibling(self, name: &str) -> (Option<Node<'a>>, Option<Node<'a>>) {
        let (mut value, mut sibling) = (None, None);
        for (member, node) in self.named() {
            match member.len().wrapping_sub(name.len()) {
                0 if member == name.as_bytes() => value = Some(node),
                1 if member[0] == b'_' && &member[1..] == name.as_bytes() => sibling = Some(node),
                _ => {}
            }
        }
        (value, sibling)
    }

    /// The members of an object in order, their names as bytes: searching through them need not look for character boundaries.
    fn named(self) -> impl Iterator<Item = (&'a [u8], Node<'a>)> {
        let (document, text) = (self.document, self.document.text.as_bytes());
        let Items { mut at, end, .. } = self.inside(SlotKind::Object);
        std::iter::from_fn(move || {
            let name = document.tape.get(at as usize).filter(|_| at < end)?;
            let value = Node { document, at: name.next };
            at = value.slot().next;
            Some((&text[name.start as usize + 1..name.end as usize - 1], value))
        })
    }

    /// The members of an object in order; none when this is no object.
    pub fn members(self) -> Members<'a> {
        Members(self.inside(SlotKind::Object))
    }

    /// The items of an array in order; none when this is no array.
    pub fn items(self) -> Items<'a> {
        self.inside(SlotKind::Array)
    }

    /// The items of an array, or the value itself when it is none: for elements that may repeat.
    pub fn each(self) -> Items<'a> {
        match self.kind() {
            Kind::Array => self.items(),
            _ => Items { document: self.document, at: self.at, end: self.slot().next },
        }
    }

    /// The slots between the brackets of a value of this kind; none for any other.
    fn inside(self, kind: SlotKind) -> Items<'a> {
        let slot = self.slot();
        let end = if slot.kind == kind { slot.next } else { self.at + 1 };
        Items { document: self.document, at: self.at + 1, end }
    }

    /// True for an object or array without content.
    pub fn is_empty(self) -> bool {
        matches!(self.kind(), Kind::Object | Kind::Array) && self.slot().next == self.at + 1
    }

    /// The text of a string, escapes decoded; `None` for anything else.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        match self.slot().kind {
            SlotKind::Plain => Some(Cow::Borrowed(self.content())),
            SlotKind::Escaped => Some(Cow::Owned(unescape(self.content()))),
            _ => None,
        }
    }

    /// True when this is a string that equals `text`.
    pub fn is_str(self, text: &str) -> bool {
        match self.slot().kind {
            SlotKind::Plain => self.content() == text,
            SlotKind::Escaped => unescape(self.content()) == text,
            _ => false,
        }
    }

    /// What stands between the quotes of a string or name.
    fn content(self) -> &'a str {
        let Range { start, end } = self.span();
        &self.document.text[start + 1..end - 1]
    }

    /// The value of a boolean; `None` for anything else.
    pub fn as_bool(self) -> Option<bool> {
        match self.slot().kind {
            SlotKind::True => Some(true),
            SlotKind::False => Some(false),
            _ => None,
        }
    }

    /// Walks member names from here, taking the first item of arrays on the way (`["name", "family"]`). The last value is
    /// given as it is, also when it is an array.
    pub fn path(self, names: &[&str]) -> Option<Node<'a>> {
        names.iter().try_fold(self, |node, name| node.each().next()?.get(name))
    }

    /// The resource's type, from `resourceType`.
    pub fn resource_type(self) -> Option<&'a str> {
        let node = self.get("resourceType")?;
        (node.slot().kind == SlotKind::Plain).then(|| node.content())
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

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw())
    }
}

/// The items of an array, or one value.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    document: &'a Document,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Items<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.at >= self.end {
            return None;
        }
        let node = Node { document: self.document, at: self.at };
        self.at = node.slot().next;
        Some(node)
    }
}

/// The members of an object.
#[derive(Clone, Debug)]
pub struct Members<'a>(Items<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Node<'a>);

    fn next(&mut self) -> Option<(&'a str, Node<'a>)> {
        let Items { document, at, end } = self.0;
        if at >= end {
            return None;
        }
        let name = &document.tape[at as usize];
        let value = Node { document, at: name.next };
        self.0.at = value.slot().next;
        Some((&document.text[name.start as usize + 1..name.end as usize - 1], value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: &str = r#"{"resourceType":"Patient","active":true,"deceasedBoolean":false,
        "name":[{"family":"Å\u0041","given":["Ann","B"]},{}],"x":{},"y":[],"n":null,"d":1.50}"#;

    fn with(test: impl FnOnce(Node<'_>)) {
        test(Document::parse(PATIENT.as_bytes()).expect("a valid text").root());
    }

    #[test]
    fn reads_members_and_items() {
        with(|root| {
            assert_eq!(root.kind(), Kind::Object);
            assert_eq!(root.resource_type(), Some("Patient"));
            let names: Vec<_> = root.members().map(|(name, _)| name).collect();
            assert_eq!(names, ["resourceType", "active", "deceasedBoolean", "name", "x", "y", "n", "d"]);
            let raws: Vec<_> = root.get("name").expect("there").items().map(Node::raw).collect();
            assert_eq!(raws, [r#"{"family":"Å\u0041","given":["Ann","B"]}"#, "{}"]);
            assert_eq!(root.get("name").expect("there").each().count(), 2);
            assert_eq!(root.get("x").expect("there").each().count(), 1);
            assert_eq!(root.get("x").expect("there").items().count(), 0);
            assert_eq!(root.get("y").expect("there").members().count(), 0);
            assert_eq!(root.get("family").map(Node::raw), None, "members of members are not members");
        });
    }

    #[test]
    fn reads_values() {
        with(|root| {
            let raw = |names: &[&str]| root.path(names).map(Node::raw);
            assert_eq!(raw(&["d"]), Some("1.50"));
            assert_eq!(raw(&["name", "given"]), Some(r#"["Ann","B"]"#));
            assert_eq!(raw(&["name", "given", "x"]), None);
            assert_eq!(raw(&[]), Some(root.raw()));
            let family = root.path(&["name", "family"]).expect("there");
            assert_eq!(family.as_str().as_deref(), Some("ÅA"));
            assert!(family.is_str("ÅA") && !family.is_str("ÅB"));
            assert_eq!(root.get("active").and_then(Node::as_bool), Some(true));
            assert_eq!(root.get("deceasedBoolean").and_then(Node::as_bool), Some(false));
            assert_eq!(root.get("n").and_then(Node::as_bool), None);
            assert_eq!(root.get("n").map(Node::kind), Some(Kind::Null));
            assert_eq!(root.get("d").and_then(Node::as_str), None);
            let empty = |name: &str| root.get(name).is_some_and(Node::is_empty);
            assert!(empty("x") && empty("y") && !empty("name") && !empty("n") && !root.is_empty());
            assert_eq!(&root.document().text()[family.span()], family.raw());
        });
    }
}
