//! Adding, replacing and removing: edits of the text where the selected node stands.

use std::ops::Range;

use super::select::{Selected, Selector, text_of};
use super::tree::{Attribute, Element, Kind, Tree};
use crate::json::{Edit, splice};
use crate::outcome::quoted;
use crate::xml::escape::encode;
use crate::xml::scan::is_blank;
use crate::xml::{FHIR, XHTML};

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    selector: Selector,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Add { at: Position, content: Vec<Content>, text: String },
    Replace { content: Vec<Content>, text: String },
    Remove { before: bool, after: bool },
}

#[derive(Debug)]
enum Position {
    Append,
    Prepend,
    Before,
    After,
    /// As an attribute of that name, or the declaration of a namespace.
    Attribute(String),
}

/// What an operation brings.
#[derive(Debug)]
enum Content {
    Element {
        namespace: String,
        name: String,
        attributes: String,
        inside: Vec<Content>,
    },
    /// Text, a comment or an instruction, as it is written.
    Raw {
        source: String,
        is_text: bool,
    },
}

impl Operation {
    /// Reads the operation at a node of the patch.
    pub(super) fn parse(patch: &Tree<'_>, node: usize) -> Result<Operation, String> {
        let element = patch.element(node).ok_or("an operation should be an element")?;
        let known: &[&str] = match element.name {
            "add" => &["sel", "pos", "type"],
            "replace" => &["sel"],
            "remove" => &["sel", "ws"],
            other => return Err(format!("`{other}` should be `add`, `replace` or `remove`")),
        };
        let attributes = element.attributes.iter().filter(|attribute| !attribute.qualified.starts_with("xmlns"));
        if let Some(attribute) = attributes.clone().find(|attribute| !known.contains(&attribute.qualified)) {
            return Err(format!("{} is not an attribute of `{}`", quoted(attribute.qualified), element.name));
        }
        let value = |name: &str| attributes.clone().find(|it| it.qualified == name).map(|it| &*it.value);
        let resolve = |prefix: &str| {
            let implied = || match prefix {
                "f" => Some(FHIR),
                "h" => Some(XHTML),
                _ => None,
            };
            patch.namespace(node, prefix).or_else(implied).map(str::to_owned)
        };
        let selector = Selector::parse(value("sel").ok_or("the attribute `sel` is missing")?, &resolve)?;
        let content = || element.children.iter().map(|&child| Content::of(patch, child)).collect::<Result<Vec<_>, _>>();
        let text = text_of(patch, node);
        let action = match element.name {
            "add" => Action::Add { at: Position::parse(value("pos"), value("type"))?, content: content()?, text },
            "replace" => Action::Replace { content: content()?, text },
            _ => {
                let (before, after) = match value("ws") {
                    None => (false, false),
                    Some("before") => (true, false),
                    Some("after") => (false, true),
                    Some("both") => (true, true),
                    Some(other) => {
                        return Err(format!("`ws` is {}, it should be `before`, `after` or `both`", quoted(other)));
                    }
                };
                Action::Remove { before, after }
            }
        };
        Ok(Operation { selector, action })
    }

    /// The text with the operation applied.
    pub(super) fn apply(&self, xml: &str) -> Result<String, String> {
        let tree = Tree::parse(xml).map_err(|fault| fault.message)?;
        let selected = self.selector.find(&tree)?;
        let edits = match (&self.action, selected) {
            (Action::Add { at, content, text }, Selected::Node(node)) => add(&tree, node, at, content, text)?,
            (Action::Add { .. }, Selected::Attribute(..)) => {
                return Err(format!(
                    "`sel` {} finds an attribute, nothing can be added there",
                    quoted(&self.selector.text)
                ));
            }
            (Action::Replace { content, text }, Selected::Node(node)) => vec![replace(&tree, node, content, text)?],
            (Action::Replace { text, .. }, Selected::Attribute(node, at)) => {
                vec![Edit { range: attribute(&tree, node, at)?.inside.clone(), text: encoded(text)? }]
            }
            (Action::Remove { before, after }, Selected::Node(node)) => vec![remove(&tree, node, *before, *after)?],
            (Action::Remove { before: false, after: false }, Selected::Attribute(node, at)) => {
                vec![Edit { range: attribute(&tree, node, at)?.span.clone(), text: String::new() }]
            }
            (Action::Remove { .. }, Selected::Attribute(..)) => {
                return Err("`ws` stands where an attribute is removed".to_owned());
            }
        };
        Ok(splice(xml, edits))
    }
}

impl Position {
    fn parse(position: Option<&str>, kind: Option<&str>) -> Result<Position, String> {
        match (position, kind) {
            (None, None) => Ok(Position::Append),
            (Some("prepend"), None) => Ok(Position::Prepend),
            (Some("before"), None) => Ok(Position::Before),
            (Some("after"), None) => Ok(Position::After),
            (Some(other), None) => {
                Err(format!("`pos` is {}, it should be `prepend`, `before` or `after`", quoted(other)))
            }
            (Some(_), Some(_)) => Err("`pos` and `type` stand together".to_owned()),
            (None, Some(kind)) => match (kind.strip_prefix('@'), kind.strip_prefix("namespace::")) {
                (Some(name), _) => Ok(Position::Attribute(name.to_owned())),
                (_, Some(prefix)) => Ok(Position::Attribute(format!("xmlns:{prefix}"))),
                _ => Err(format!("`type` is {}, it should be `@name` or `namespace::prefix`", quoted(kind))),
            },
        }
    }
}

impl Content {
    fn of(patch: &Tree<'_>, node: usize) -> Result<Content, String> {
        let element = match &patch.nodes[node].kind {
            Kind::Element(element) => element,
            kind => {
                let is_text = matches!(kind, Kind::Text);
                return Ok(Content::Raw { source: patch.source(node).to_owned(), is_text });
            }
        };
        let mut attributes = String::new();
        for attribute in element.attributes.iter().filter(|attribute| !attribute.qualified.starts_with("xmlns")) {
            if attribute.qualified.contains(':') && !attribute.qualified.starts_with("xml:") {
                return Err(format!("the attribute {} has a prefix", quoted(attribute.qualified)));
            }
            attributes.extend([" ", attribute.qualified, "=\"", &encoded(&attribute.value)?, "\""]);
        }
        let inside = element.children.iter().map(|&child| Content::of(patch, child)).collect::<Result<_, _>>()?;
        Ok(Content::Element {
            namespace: element.namespace.clone().into_owned(),
            name: element.name.to_owned(),
            attributes,
            inside,
        })
    }

    /// Writes the content where names without prefix are in `namespace`.
    fn write(&self, out: &mut String, around: &str) {
        match self {
            Content::Raw { source, .. } => out.push_str(source),
            Content::Element { namespace, name, attributes, inside } => {
                out.extend(["<", name]);
                if namespace != around {
                    out.extend([" xmlns=\"", namespace, "\""]);
                }
                out.push_str(attributes);
                if inside.is_empty() {
                    out.push_str("/>");
                    return;
                }
                out.push('>');
                inside.iter().for_each(|content| content.write(out, namespace));
                out.extend(["</", name, ">"]);
            }
        }
    }

    fn is_blank(&self) -> bool {
        matches!(self, Content::Raw { source, is_text: true } if is_blank(source))
    }
}

fn written(content: &[Content], around: &str) -> String {
    let mut out = String::new();
    content.iter().for_each(|content| content.write(&mut out, around));
    out
}

fn encoded(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    match encode(&mut out, text) {
        Ok(()) => Ok(out),
        Err(character) => Err(format!("XML cannot hold `{}`", character.escape_default())),
    }
}

fn attribute<'a, 't>(tree: &'a Tree<'t>, node: usize, at: usize) -> Result<&'a Attribute<'t>, String> {
    let element = tree.element(node).ok_or("the selected node is no element")?;
    element.attributes.get(at).ok_or_else(|| "the selected attribute is not there".to_owned())
}

fn add(tree: &Tree<'_>, node: usize, at: &Position, content: &[Content], text: &str) -> Result<Vec<Edit>, String> {
    let insert = |at: usize, text: String| vec![Edit { range: at..at, text }];
    let (parent, span) = (tree.nodes[node].parent, &tree.nodes[node].span);
    let beside = |at: usize| match parent {
        Some(parent) => Ok(insert(at, written(content, tree.namespace(parent, "").unwrap_or_default()))),
        None => Err("nothing can be added beside the outermost element".to_owned()),
    };
    match at {
        Position::Before => return beside(span.start),
        Position::After => return beside(span.end),
        _ => {}
    }
    let element = tree.element(node).ok_or("the selected node is no element, nothing can be added inside it")?;
    let content = || written(content, tree.namespace(node, "").unwrap_or_default());
    match (at, element.close) {
        (Position::Attribute(name), _) => add_attribute(element, name, text).map(|edit| vec![edit]),
        (_, None) => {
            let range = element.open.end - "/>".len()..element.open.end;
            Ok(vec![Edit { range, text: format!(">{}</{}>", content(), element.qualified) }])
        }
        (Position::Prepend, Some(_)) => Ok(insert(element.open.end, content())),
        (_, Some(close)) => Ok(insert(close, content())),
    }
}

fn add_attribute(element: &Element<'_>, name: &str, text: &str) -> Result<Edit, String> {
    let is_name =
        |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':'));
    if name.is_empty() || !is_name(name) {
        return Err(format!("{} is no name of an attribute", quoted(name)));
    }
    if element.attributes.iter().any(|attribute| attribute.qualified == name) {
        return Err(format!("the attribute `{name}` is there already; `replace` it"));
    }
    let at = element.open.start + 1 + element.qualified.len();
    let at = element.attributes.last().map_or(at, |last| last.span.end);
    Ok(Edit { range: at..at, text: format!(" {name}=\"{}\"", encoded(text)?) })
}

fn replace(tree: &Tree<'_>, node: usize, content: &[Content], text: &str) -> Result<Edit, String> {
    let place = &tree.nodes[node];
    let around = place.parent.and_then(|parent| tree.namespace(parent, "")).unwrap_or_default();
    let mut parts = content.iter().filter(|content| !content.is_blank());
    let one = (parts.next(), parts.next());
    let new = match (&place.kind, one) {
        (Kind::Text, _) => encoded(text)?,
        (Kind::Element(_), (Some(element @ Content::Element { .. }), None)) => {
            written(std::slice::from_ref(element), around)
        }
        (Kind::Comment | Kind::Instruction, (Some(Content::Raw { source, is_text: false }), None)) => source.clone(),
        (Kind::Element(_), _) => return Err("an element is replaced by one element".to_owned()),
        (Kind::Comment | Kind::Instruction, _) => return Err("a comment is replaced by one comment".to_owned()),
    };
    Ok(Edit { range: place.span.clone(), text: new })
}

fn remove(tree: &Tree<'_>, node: usize, before: bool, after: bool) -> Result<Edit, String> {
    let Some(parent) = tree.nodes[node].parent.and_then(|parent| tree.element(parent)) else {
        return Err("the outermost element cannot be removed".to_owned());
    };
    let Range { mut start, mut end } = tree.nodes[node].span.clone();
    let at = parent.children.iter().position(|&child| child == node).unwrap_or_default();
    let blank = |at: Option<usize>| {
        let beside = at.and_then(|at| parent.children.get(at)).filter(|&&child| is_blank(tree.source(child)));
        beside
            .map(|&child| tree.nodes[child].span.clone())
            .ok_or("`ws` stands where there is no white space".to_owned())
    };
    if before {
        start = blank(at.checked_sub(1))?.start;
    }
    if after {
        end = blank(Some(at + 1))?.end;
    }
    Ok(Edit { range: start..end, text: String::new() })
}
