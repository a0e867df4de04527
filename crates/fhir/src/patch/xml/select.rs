//! Selectors: the part of XPath 1.0 that RFC 5261 uses, with paths in predicates, since FHIR's values stand in attributes.

use super::tree::{Element, Kind, Tree};
use crate::outcome::quoted;
use crate::xml::escape::{Place, decode};

/// A longer selector is refused.
const SELECTOR_MAX: usize = 2000;

/// A path from the root to one node.
#[derive(Debug)]
pub(super) struct Selector {
    pub(super) text: String,
    steps: Vec<Step>,
    target: Target,
}

#[derive(Debug)]
struct Step {
    name: Name,
    predicates: Vec<Predicate>,
}

/// A name with its namespace; `*` fits every element.
#[derive(Debug)]
enum Name {
    Any,
    Exact { namespace: String, local: String },
}

#[derive(Debug)]
enum Predicate {
    /// Counted from 1.
    Position(usize),
    /// The text of an element on the way below, or of an attribute at its end.
    Equals { path: Vec<Name>, attribute: Option<Name>, value: String },
}

/// What is selected of the elements that the steps lead to.
#[derive(Debug)]
enum Target {
    Itself,
    Attribute(Name),
    /// The declaration of a prefix.
    Namespace(String),
    Children(Children, Vec<Predicate>),
}

#[derive(Clone, Copy, Debug)]
enum Children {
    Text,
    Comment,
    Instruction,
}

/// The node that is selected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Selected {
    Node(usize),
    /// An attribute or a declaration by its position among its element's.
    Attribute(usize, usize),
}

impl Selector {
    /// Reads a selector; `resolve` knows what prefixes stand for.
    pub(super) fn parse(text: &str, resolve: &dyn Fn(&str) -> Option<String>) -> Result<Selector, String> {
        if text.len() > SELECTOR_MAX {
            return Err(format!("`sel` is longer than {SELECTOR_MAX} bytes"));
        }
        let mut parser = Parser { rest: text.trim(), resolve };
        parser.take("/");
        let (mut steps, mut target) = (Vec::new(), Target::Itself);
        let refuse = |parser: &Parser<'_>, message: &str| {
            format!("`sel` {} is not read: {message} at {}", quoted(text), quoted(parser.rest))
        };
        loop {
            match parser.last().map_err(|message| refuse(&parser, &message))? {
                Some(last) => {
                    target = last;
                    break;
                }
                None => steps.push(parser.step().map_err(|message| refuse(&parser, &message))?),
            }
            if !parser.take("/") {
                break;
            }
        }
        if !parser.rest.is_empty() {
            return Err(refuse(&parser, "the path should end"));
        }
        if steps.is_empty() {
            return Err(refuse(&parser, "an element should come first"));
        }
        Ok(Selector { text: text.to_owned(), steps, target })
    }

    /// The one node that is selected.
    pub(super) fn find(&self, tree: &Tree<'_>) -> Result<Selected, String> {
        let mut found: Vec<usize> = Vec::new();
        for (depth, step) in self.steps.iter().enumerate() {
            let parents = std::mem::take(&mut found);
            let mut choose = |candidates: &[usize]| {
                let named = candidates.iter().copied();
                let mut nodes: Vec<usize> =
                    named.filter(|&node| tree.element(node).is_some_and(|element| step.name.fits(element))).collect();
                retain(tree, &mut nodes, &step.predicates);
                found.extend(nodes);
            };
            if depth == 0 {
                choose(&[0]);
            }
            for parent in parents {
                choose(tree.element(parent).map_or(&[], |element| &element.children));
            }
        }
        let selected: Vec<Selected> = found.iter().flat_map(|&node| self.target.of(tree, node)).collect();
        match selected[..] {
            [one] => Ok(one),
            [] => Err(format!("`sel` {} finds nothing", quoted(&self.text))),
            _ => Err(format!("`sel` {} finds {} nodes, it should find one", quoted(&self.text), selected.len())),
        }
    }
}

/// Leaves the nodes that fit all predicates.
fn retain(tree: &Tree<'_>, nodes: &mut Vec<usize>, predicates: &[Predicate]) {
    for predicate in predicates {
        match predicate {
            Predicate::Position(position) => {
                let one = nodes.get(position.wrapping_sub(1)).copied();
                *nodes = one.into_iter().collect();
            }
            Predicate::Equals { path, attribute, value } => {
                nodes.retain(|&node| holds(tree, node, path, attribute.as_ref(), value));
            }
        }
    }
}

fn holds(tree: &Tree<'_>, node: usize, path: &[Name], attribute: Option<&Name>, value: &str) -> bool {
    let Some(element) = tree.element(node) else {
        return path.is_empty() && attribute.is_none() && text_of(tree, node) == value;
    };
    match (path.split_first(), attribute) {
        (Some((first, rest)), _) => {
            let fits = |child: &usize| tree.element(*child).is_some_and(|element| first.fits(element));
            element.children.iter().filter(|child| fits(child)).any(|&child| holds(tree, child, rest, attribute, value))
        }
        (None, Some(name)) => element.attributes.iter().any(|attribute| {
            name.fits_attribute(attribute.qualified, &attribute.namespace) && attribute.value == value
        }),
        (None, None) => text_of(tree, node) == value,
    }
}

/// The text inside a node.
pub(super) fn text_of(tree: &Tree<'_>, node: usize) -> String {
    match &tree.nodes[node].kind {
        Kind::Element(element) => element.children.iter().map(|&child| text_of(tree, child)).collect(),
        Kind::Text => {
            let source = tree.source(node);
            decode(source, Place::Text).map_or_else(|_| source.to_owned(), |text| text.into_owned())
        }
        Kind::Comment | Kind::Instruction => String::new(),
    }
}

impl Target {
    fn of(&self, tree: &Tree<'_>, node: usize) -> Vec<Selected> {
        let Some(element) = tree.element(node) else { return Vec::new() };
        let attributes = |fits: &dyn Fn(&str, &str) -> bool| {
            let named = element.attributes.iter().enumerate();
            let named = named.filter(|(_, attribute)| fits(attribute.qualified, &attribute.namespace));
            named.map(|(at, _)| Selected::Attribute(node, at)).collect()
        };
        match self {
            Target::Itself => vec![Selected::Node(node)],
            Target::Attribute(name) => attributes(&|qualified, namespace| name.fits_attribute(qualified, namespace)),
            Target::Namespace(prefix) => attributes(&|qualified, _| qualified.strip_prefix("xmlns:") == Some(prefix)),
            Target::Children(kind, predicates) => {
                let fits = |child: &usize| match kind {
                    Children::Text => matches!(tree.nodes[*child].kind, Kind::Text),
                    Children::Comment => matches!(tree.nodes[*child].kind, Kind::Comment),
                    Children::Instruction => matches!(tree.nodes[*child].kind, Kind::Instruction),
                };
                let mut nodes: Vec<usize> = element.children.iter().copied().filter(fits).collect();
                retain(tree, &mut nodes, predicates);
                nodes.into_iter().map(Selected::Node).collect()
            }
        }
    }
}

impl Name {
    fn fits(&self, element: &Element<'_>) -> bool {
        match self {
            Name::Any => true,
            Name::Exact { namespace, local } => element.name == local && element.namespace == *namespace,
        }
    }

    fn fits_attribute(&self, qualified: &str, found: &str) -> bool {
        if qualified.starts_with("xmlns") {
            return false;
        }
        let name = qualified.split_once(':').map_or(qualified, |(_, name)| name);
        match self {
            Name::Any => true,
            Name::Exact { namespace, local } => name == local && found == namespace,
        }
    }
}

struct Parser<'s> {
    rest: &'s str,
    resolve: &'s dyn Fn(&str) -> Option<String>,
}

impl<'s> Parser<'s> {
    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(format!("`{token}` should stand")) }
    }

    /// What may stand only at the end of a path.
    fn last(&mut self) -> Result<Option<Target>, String> {
        if self.take("@") {
            return Ok(Some(Target::Attribute(self.attribute_name()?)));
        }
        if self.take("namespace::") {
            return Ok(Some(Target::Namespace(self.name()?.to_owned())));
        }
        let kinds = [("text()", Children::Text), ("comment()", Children::Comment)];
        for (token, kind) in kinds {
            if self.take(token) {
                return Ok(Some(Target::Children(kind, self.predicates()?)));
            }
        }
        if self.take("processing-instruction(") {
            if !self.rest.starts_with(')') {
                self.literal()?;
            }
            self.expect(")")?;
            return Ok(Some(Target::Children(Children::Instruction, self.predicates()?)));
        }
        Ok(None)
    }

    fn step(&mut self) -> Result<Step, String> {
        Ok(Step { name: self.element_name()?, predicates: self.predicates()? })
    }

    fn predicates(&mut self) -> Result<Vec<Predicate>, String> {
        let mut predicates = Vec::new();
        while self.take("[") {
            predicates.push(self.predicate()?);
            self.expect("]")?;
        }
        Ok(predicates)
    }

    fn predicate(&mut self) -> Result<Predicate, String> {
        let digits = self.rest.len() - self.rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        if digits > 0 {
            let (number, rest) = self.rest.split_at(digits);
            self.rest = rest.trim_start();
            let position = number.parse().map_err(|_| "the position is too large".to_owned())?;
            return Ok(Predicate::Position(position));
        }
        let (mut path, mut attribute) = (Vec::new(), None);
        if !self.take(".") && !self.take("text()") {
            loop {
                if self.take("@") {
                    attribute = Some(self.attribute_name()?);
                    break;
                }
                path.push(self.element_name()?);
                if !self.take("/") {
                    break;
                }
            }
        }
        self.expect("=")?;
        Ok(Predicate::Equals { path, attribute, value: self.literal()? })
    }

    fn literal(&mut self) -> Result<String, String> {
        let quote = self.rest.chars().next().filter(|quote| matches!(quote, '"' | '\''));
        let quote = quote.ok_or("a text in quotes should stand")?;
        let (text, rest) = self.rest[1..].split_once(quote).ok_or("a text in quotes does not end")?;
        self.rest = rest.trim_start();
        Ok(text.to_owned())
    }

    fn name(&mut self) -> Result<&'s str, String> {
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        if !self.rest.starts_with(|letter: char| letter.is_alphabetic() || letter == '_') {
            return Err("a name should stand".to_owned());
        }
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        Ok(name)
    }

    /// A name without prefix is in the namespace that such names have in the patch, RFC 5261 section 4.2.2.
    fn element_name(&mut self) -> Result<Name, String> {
        self.qualified_name("")
    }

    fn attribute_name(&mut self) -> Result<Name, String> {
        self.qualified_name("xmlns")
    }

    /// `bare` is the prefix whose namespace names without one have; `xmlns` stands for none.
    fn qualified_name(&mut self, bare: &str) -> Result<Name, String> {
        if self.take("*") {
            return Ok(Name::Any);
        }
        let first = self.name()?;
        if self.rest.starts_with("::") || self.rest.starts_with('(') {
            return Err(format!("{} is no name", quoted(first)));
        }
        let (prefix, local) = if self.take(":") { (first, self.name()?) } else { (bare, first) };
        let namespace = match prefix {
            "xmlns" => String::new(),
            "" => (self.resolve)("").unwrap_or_default(),
            prefix => (self.resolve)(prefix).ok_or_else(|| format!("the prefix `{prefix}` is not declared"))?,
        };
        Ok(Name::Exact { namespace, local: local.to_owned() })
    }
}
