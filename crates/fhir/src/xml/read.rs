//! From XML to JSON: the definitions say which elements repeat, which hold a value and of what kind.

use super::escape::is_character;
use super::scan::{Attribute, Fault, Scanner, Tag, Token, is_blank, text};
use super::{FHIR, XHTML, XSI, narrative};
use crate::definitions::{Definitions, Element, ElementType, Structure, StructureKind};
use crate::json::{DEPTH_MAX, Document, write_quoted};
use crate::outcome::quoted;
use crate::{IssueType, Outcome};

/// Reads a resource. What is not well-formed XML is refused as [`IssueType::Syntax`], what is no resource of R4 as
/// [`IssueType::Structure`], each with line and column; the first fault ends the reading.
///
/// Comments and processing instructions are passed over. Document types are refused, and with them all entities but XML's five.
pub fn parse(definitions: &'static Definitions, bytes: &[u8]) -> Result<Document, Outcome> {
    let text = text(bytes)?;
    let mut reader = Reader {
        definitions,
        scanner: Scanner::new(&text),
        out: String::with_capacity(text.len()),
        path: Vec::new(),
        depth: 0,
    };
    match reader.document() {
        Ok(()) => Ok(Document::parse(reader.out.as_bytes())?),
        Err(fault) => {
            let expression = reader.expression();
            let outcome = fault.outcome(&text);
            Err(if expression.is_empty() { outcome } else { outcome.at(expression) })
        }
    }
}

struct Reader<'t> {
    definitions: &'static Definitions,
    scanner: Scanner<'t>,
    out: String,
    /// The way from the outermost resource to the current element. It stays as it is when reading ends with a fault.
    path: Vec<Step>,
    /// How deep the JSON nests here.
    depth: usize,
}

#[derive(Clone, Copy)]
struct Step {
    name: &'static str,
    index: Option<usize>,
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<(), Fault> {
        match self.scanner.next()? {
            Token::Open(tag) => self.resource(&tag)?,
            _ => return Err(Fault::syntax(0, "the text holds no element")),
        }
        match self.scanner.next()? {
            Token::End => Ok(()),
            _ => Err(Fault::syntax(self.scanner.position(), "there is more than one outermost element")),
        }
    }

    /// The FHIRPath of the current element.
    fn expression(&self) -> String {
        let steps = self.path.iter().map(|step| match step.index {
            Some(index) => format!("{}[{index}]", step.name),
            None => step.name.to_owned(),
        });
        steps.collect::<Vec<_>>().join(".")
    }

    /// Reads the resource that `tag` opens, up to its end.
    fn resource(&mut self, tag: &Tag<'t>) -> Result<(), Fault> {
        check_namespace(tag)?;
        let Some(structure) =
            self.definitions.structure(tag.name).filter(|it| self.definitions.is_resource_type(it.name))
        else {
            return Err(Fault::structure(tag.at, format!("{} is not a resource type of R4", quoted(tag.name))));
        };
        if let Some(attribute) = tag.attributes.iter().find(|attribute| attribute.namespace != XSI) {
            return Err(foreign_attribute(tag, attribute));
        }
        if self.path.is_empty() {
            self.path.push(Step { name: structure.name, index: None });
        }
        self.open('{', tag.at)?;
        self.out.push_str("\"resourceType\":\"");
        self.out.push_str(structure.name);
        self.out.push('"');
        self.elements(structure)?;
        self.close('}');
        Ok(())
    }

    /// Reads the elements of a structure, and the end of the element that holds them.
    fn elements(&mut self, structure: &'static Structure) -> Result<(), Fault> {
        let mut last: Option<(usize, &'static str)> = None;
        let mut next = self.child()?;
        while let Some(tag) = next {
            check_namespace(&tag)?;
            let (position, element_type) = self.element(structure, &tag)?;
            if let Some((before, name)) = last.filter(|(before, _)| *before >= position) {
                let message = if before == position {
                    format!("`{}` stands apart from `{name}`; there may be only one of them in a row", tag.name)
                } else {
                    format!("`{}` comes after `{name}`, it should stand before it", tag.name)
                };
                return Err(Fault::structure(tag.at, message));
            }
            last = Some((position, element_type.json_name));
            next = self.run(&structure.elements[position], element_type, tag)?;
        }
        Ok(())
    }

    fn element(&self, structure: &'static Structure, tag: &Tag<'_>) -> Result<(usize, &'static ElementType), Fault> {
        let found = structure
            .position(tag.name)
            .filter(|(position, _)| !is_attribute(structure, structure.elements[*position].name));
        found.ok_or_else(|| {
            let message = format!("{} is not an element of {}", quoted(tag.name), structure.name);
            Fault::structure(tag.at, message)
        })
    }

    /// The next element inside the current one; `None` at its end.
    fn child(&mut self) -> Result<Option<Tag<'t>>, Fault> {
        loop {
            let at = self.scanner.position();
            match self.scanner.next()? {
                Token::Open(tag) => return Ok(Some(tag)),
                Token::Close => return Ok(None),
                Token::Aside { .. } => {}
                Token::Text { raw, is_literal: false } if is_blank(raw) => {}
                Token::Text { raw, .. } => {
                    let message =
                        format!("the text {} stands between elements; values stand in `value`", quoted(raw.trim()));
                    return Err(Fault::structure(at, message));
                }
                Token::End => return Err(Fault::syntax(at, "the text ends inside an element")),
            }
        }
    }

    /// Reads an element with all its repetitions; gives the element after them.
    fn run(
        &mut self,
        element: &'static Element,
        element_type: &'static ElementType,
        first: Tag<'t>,
    ) -> Result<Option<Tag<'t>>, Fault> {
        let structure = self.definitions.structure_of(element_type);
        let repeats = element.max != Some(1);
        let mut values = Values::default();
        self.path.push(Step { name: element.name, index: None });
        let mut tag = first;
        let mut count = 0;
        let next = loop {
            if count > 0 && !repeats {
                return Err(Fault::structure(tag.at, format!("`{}` is there twice", tag.name)));
            }
            self.path.last_mut().expect("pushed above").index = repeats.then_some(count);
            let name = tag.qualified;
            self.depth += usize::from(repeats);
            match structure.kind {
                StructureKind::Primitive => self.primitive(structure, tag, &mut values)?,
                _ => {
                    let opening = if repeats { "[" } else { "" };
                    self.separate(count, element_type.json_name, opening);
                    self.complex(structure, tag)?;
                }
            }
            self.depth -= usize::from(repeats);
            count += 1;
            match self.child()? {
                Some(another) if another.qualified == name => tag = another,
                next => break next,
            }
        };
        self.path.pop();
        match structure.kind {
            StructureKind::Primitive => values.write(&mut self.out, element_type.json_name, repeats),
            _ if repeats => self.out.push(']'),
            _ => {}
        }
        Ok(next)
    }

    /// Writes what stands before a value: its name for the first, a comma for the others.
    fn separate(&mut self, count: usize, name: &str, opening: &str) {
        if count > 0 {
            self.out.push(',');
        } else {
            member(&mut self.out, name);
            self.out.push_str(opening);
        }
    }

    /// Reads an element that has elements of its own, or one that holds a resource.
    fn complex(&mut self, structure: &'static Structure, tag: Tag<'t>) -> Result<(), Fault> {
        if structure.kind == StructureKind::Resource {
            return self.inner_resource(&tag);
        }
        self.open('{', tag.at)?;
        let before = self.out.len();
        for attribute in &tag.attributes {
            if !is_attribute(structure, attribute.qualified) {
                return Err(foreign_attribute(&tag, attribute));
            }
            self.string(attribute.qualified, &attribute.value);
        }
        self.elements(structure)?;
        if self.out.len() == before {
            return Err(empty(&tag));
        }
        self.close('}');
        Ok(())
    }

    /// Reads the one resource inside an element such as `contained`.
    fn inner_resource(&mut self, tag: &Tag<'t>) -> Result<(), Fault> {
        if let Some(attribute) = tag.attributes.first() {
            return Err(foreign_attribute(tag, attribute));
        }
        match self.child()? {
            Some(resource) => self.resource(&resource)?,
            None => return Err(empty(tag)),
        }
        match self.child()? {
            None => Ok(()),
            Some(second) => {
                let message = format!("`{}` holds one resource, `{}` is a second one", tag.name, second.name);
                Err(Fault::structure(second.at, message))
            }
        }
    }

    /// Reads an element that has a value.
    fn primitive(&mut self, structure: &'static Structure, tag: Tag<'t>, values: &mut Values) -> Result<(), Fault> {
        if structure.name == "xhtml" {
            if tag.namespace != XHTML {
                return Err(wrong_namespace(&tag, XHTML));
            }
            let text = narrative::read(&mut self.scanner, &tag)?;
            values.push(Some(&text), "", structure, &tag)?;
            return Ok(());
        }
        let before = self.out.len();
        self.open('{', tag.at)?;
        let mut value = None;
        for attribute in &tag.attributes {
            match attribute.qualified {
                "value" => value = Some(&*attribute.value),
                "id" => self.string("id", &attribute.value),
                _ => return Err(foreign_attribute(&tag, attribute)),
            }
        }
        self.elements(structure)?;
        self.close('}');
        let sibling = self.out.split_off(before);
        let sibling = if sibling == "{}" { "" } else { &sibling };
        values.push(value, sibling, structure, &tag)
    }

    fn string(&mut self, name: &str, value: &str) {
        member(&mut self.out, name);
        quote(&mut self.out, value);
    }

    fn open(&mut self, bracket: char, at: usize) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::syntax(at, format!("the text nests deeper than {DEPTH_MAX} levels of JSON")));
        }
        self.out.push(bracket);
        Ok(())
    }

    fn close(&mut self, bracket: char) {
        self.depth -= 1;
        self.out.push(bracket);
    }
}

/// The values of a primitive element with what stands beside them, each as the items of an array.
#[derive(Default)]
struct Values {
    values: String,
    siblings: String,
    has_value: bool,
    has_sibling: bool,
}

impl Values {
    fn push(&mut self, value: Option<&str>, sibling: &str, structure: &Structure, tag: &Tag<'_>) -> Result<(), Fault> {
        if value.is_none() && sibling.is_empty() {
            return Err(empty(tag));
        }
        if !self.values.is_empty() {
            self.values.push(',');
            self.siblings.push(',');
        }
        self.has_value |= value.is_some();
        self.has_sibling |= !sibling.is_empty();
        self.siblings.push_str(if sibling.is_empty() { "null" } else { sibling });
        match value {
            None => self.values.push_str("null"),
            Some(value) => scalar(&mut self.values, value, structure, tag)?,
        }
        Ok(())
    }

    fn write(&self, out: &mut String, name: &str, repeats: bool) {
        let (open, close) = if repeats { ("[", "]") } else { ("", "") };
        for (is_there, prefix, items) in [(self.has_value, "", &self.values), (self.has_sibling, "_", &self.siblings)] {
            if is_there {
                if !out.ends_with('{') {
                    out.push(',');
                }
                out.extend(["\"", prefix, name, "\":", open, items, close]);
            }
        }
    }
}

/// Writes a value as the JSON of its type; numbers keep their digits.
fn scalar(out: &mut String, value: &str, structure: &Structure, tag: &Tag<'_>) -> Result<(), Fault> {
    let fits = match structure.name {
        "boolean" => matches!(value, "true" | "false"),
        "integer" | "unsignedInt" | "positiveInt" => is_number(value, true),
        "decimal" => is_number(value, false),
        _ => {
            quote(out, value);
            return Ok(());
        }
    };
    if !fits {
        let message = format!("{} in `{}` is not of type {}", quoted(value), tag.name, structure.name);
        return Err(Fault { at: tag.at, code: IssueType::Value, message });
    }
    out.push_str(value);
    Ok(())
}

/// True for a number as JSON writes it.
fn is_number(text: &str, is_integer: bool) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = |text: &str| is_digits(text) && (text == "0" || !text.starts_with('0'));
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if is_integer {
        return is_whole(unsigned);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    is_whole(whole) && fraction.is_none_or(is_digits) && exponent.is_none_or(is_digits)
}

/// What XML writes as an attribute: the id of an element, but not of a resource, and the url of an extension.
pub(super) fn is_attribute(structure: &Structure, name: &str) -> bool {
    match name {
        "id" => structure.kind != StructureKind::Resource,
        "url" => structure.name == "Extension",
        _ => false,
    }
}

fn member(out: &mut String, name: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.extend(["\"", name, "\":"]);
}

fn quote(out: &mut String, text: &str) {
    debug_assert!(text.chars().all(is_character));
    write_quoted(out, text).expect("a string takes all text");
}

fn check_namespace(tag: &Tag<'_>) -> Result<(), Fault> {
    let is_narrative = tag.name == "div" && tag.namespace == XHTML;
    if tag.namespace == FHIR || is_narrative { Ok(()) } else { Err(wrong_namespace(tag, FHIR)) }
}

fn wrong_namespace(tag: &Tag<'_>, right: &str) -> Fault {
    let found = match &*tag.namespace {
        "" => "no namespace".to_owned(),
        namespace => format!("the namespace {}", quoted(namespace)),
    };
    Fault::structure(tag.at, format!("`<{}>` is in {found}, it should be in `{right}`", tag.qualified))
}

fn foreign_attribute(tag: &Tag<'_>, attribute: &Attribute<'_>) -> Fault {
    Fault::structure(tag.at, format!("`{}` is not an attribute of `{}`", attribute.qualified, tag.name))
}

fn empty(tag: &Tag<'_>) -> Fault {
    Fault::structure(tag.at, format!("`{}` is empty: it has neither a value nor elements", tag.name))
}
