//! An XML text as nodes that know where they stand in it.

use std::borrow::Cow;
use std::ops::Range;

use crate::xml::scan::{Fault, Scanner, Tag, Token};

/// A text of more nodes is refused: a node takes some fifty times the memory of the shortest text for one.
const NODES_MAX: usize = 1 << 20;

/// The nodes of a text, each after its parent.
pub(super) struct Tree<'t> {
    pub(super) text: &'t str,
    pub(super) nodes: Vec<Node<'t>>,
}

pub(super) struct Node<'t> {
    pub(super) parent: Option<usize>,
    pub(super) span: Range<usize>,
    pub(super) kind: Kind<'t>,
}

pub(super) enum Kind<'t> {
    Element(Element<'t>),
    Text,
    Comment,
    Instruction,
}

pub(super) struct Element<'t> {
    pub(super) name: &'t str,
    pub(super) qualified: &'t str,
    pub(super) namespace: Cow<'t, str>,
    /// Those that declare namespaces too.
    pub(super) attributes: Vec<Attribute<'t>>,
    /// The tag that opens it.
    pub(super) open: Range<usize>,
    /// Where the tag that closes it begins; `None` for `<a/>`.
    pub(super) close: Option<usize>,
    pub(super) children: Vec<usize>,
}

pub(super) struct Attribute<'t> {
    /// As it is written, its prefix included.
    pub(super) qualified: &'t str,
    pub(super) namespace: Cow<'t, str>,
    pub(super) value: Cow<'t, str>,
    /// Of the whole attribute, with the white space before it.
    pub(super) span: Range<usize>,
    /// Of the value, without its quotes.
    pub(super) inside: Range<usize>,
}

impl<'t> Tree<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Tree<'t>, Fault> {
        let mut scanner = Scanner::new(text);
        let mut tree = Tree { text, nodes: Vec::new() };
        let mut open: Vec<usize> = Vec::new();
        loop {
            let at = scanner.position();
            let token = scanner.next()?;
            let span = at..scanner.position();
            let parent = open.last().copied();
            if tree.nodes.len() == NODES_MAX {
                return Err(Fault::syntax(
                    at,
                    format!("the text has more than {NODES_MAX} elements, texts and comments"),
                ));
            }
            match token {
                Token::Open(tag) => {
                    let span = tag.at..span.end;
                    let element = element(text, tag, span.clone());
                    open.push(tree.push(parent, span, Kind::Element(element)));
                }
                Token::Close => {
                    if let Some(closed) = open.pop() {
                        let node = &mut tree.nodes[closed];
                        node.span.end = span.end;
                        if let Kind::Element(element) = &mut node.kind {
                            // The end of `<a/>` is told without moving on.
                            element.close = (span.start < span.end).then_some(span.start);
                        }
                    }
                }
                // Text, references and CDATA sections in a row are one node.
                Token::Text { .. } => match tree.nodes.last_mut() {
                    Some(Node { kind: Kind::Text, span: before, parent: of })
                        if before.end == span.start && *of == parent =>
                    {
                        before.end = span.end;
                    }
                    _ => drop(tree.push(parent, span, Kind::Text)),
                },
                Token::Aside { is_comment: true } => drop(tree.push(parent, span, Kind::Comment)),
                Token::Aside { is_comment: false } => drop(tree.push(parent, span, Kind::Instruction)),
                Token::End => return Ok(tree),
            }
        }
    }

    fn push(&mut self, parent: Option<usize>, span: Range<usize>, kind: Kind<'t>) -> usize {
        let at = self.nodes.len();
        self.nodes.push(Node { parent, span, kind });
        if let Some(Kind::Element(parent)) = parent.map(|parent| &mut self.nodes[parent].kind) {
            parent.children.push(at);
        }
        at
    }

    /// The outermost element, which a text that was read has.
    pub(super) fn root(&self) -> &Node<'t> {
        &self.nodes[0]
    }

    pub(super) fn element(&self, node: usize) -> Option<&Element<'t>> {
        match &self.nodes[node].kind {
            Kind::Element(element) => Some(element),
            _ => None,
        }
    }

    pub(super) fn source(&self, node: usize) -> &'t str {
        &self.text[self.nodes[node].span.clone()]
    }

    /// The namespace that a prefix stands for at a node; of the empty prefix, the one of names without.
    pub(super) fn namespace(&self, node: usize, prefix: &str) -> Option<&str> {
        let mut at = Some(node);
        while let Some(node) = at {
            let attributes = self.element(node).map_or(&[][..], |element| &element.attributes);
            let declares = |attribute: &&Attribute<'_>| match attribute.qualified.strip_prefix("xmlns") {
                Some("") => prefix.is_empty(),
                Some(rest) => !prefix.is_empty() && rest.strip_prefix(':') == Some(prefix),
                None => false,
            };
            if let Some(declaration) = attributes.iter().find(declares) {
                return Some(&declaration.value);
            }
            at = self.nodes[node].parent;
        }
        None
    }
}

fn element<'t>(text: &'t str, tag: Tag<'t>, open: Range<usize>) -> Element<'t> {
    let mut attributes = Vec::new();
    let mut at = open.start + 1 + tag.qualified.len();
    // The scanner has taken the tag for well formed.
    while let Some((name, span, inside)) = attribute(text, at, open.end) {
        at = span.end;
        let known = tag.attributes.iter().find(|attribute| attribute.qualified == name);
        let (namespace, value) = match known {
            Some(attribute) => (attribute.namespace.clone(), attribute.value.clone()),
            None => (Cow::Borrowed(""), Cow::Borrowed(&text[inside.clone()])),
        };
        attributes.push(Attribute { qualified: name, namespace, value, span, inside });
    }
    let Tag { name, qualified, namespace, .. } = tag;
    Element { name, qualified, namespace, attributes, open, close: None, children: Vec::new() }
}

/// The attribute at or after `at`: its name, where it stands with the white space before it, and where its value does.
fn attribute(text: &str, at: usize, end: usize) -> Option<(&str, Range<usize>, Range<usize>)> {
    let rest = &text[at..end];
    let name_start = at + rest.find(|letter: char| !letter.is_ascii_whitespace())?;
    let equals = name_start + text[name_start..end].find('=')?;
    let name = text[name_start..equals].trim_end();
    let quote_at = equals + text[equals..end].find(['"', '\''])?;
    let quote = char::from(text.as_bytes()[quote_at]);
    let inside = quote_at + 1..quote_at + 1 + text[quote_at + 1..end].find(quote)?;
    Some((name, at..inside.end + 1, inside))
}
